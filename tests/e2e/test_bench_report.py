"""A benchmark's page in a real browser, opened from disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from agent.bench.report import write
from agent.bench.report.beside import Beside
from agent.bench.report.material import Material
from tests import benches
from tests.e2e.test_report_browser import CONTRAST, SCHEMES, Visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """At chance level, on two axes, with names that would break a page."""
    rows = benches.rows(worth=0.01) + benches.rows(60, axis="physics", worth=2)
    hostile = "<img src=x onerror=alert(1)>\u202e" + "unbreakable" * 400
    rows[9] = rows[9].model_copy(update={"sample_id": hostile, "group": hostile, "score": 0.999, "label": 1.0})
    folder = tmp_path_factory.mktemp("bench") / "a # folder"
    figures = benches.figures(rows, dataset=hostile)
    write(Material(figures, rows, folder, Beside(withheld=hostile, notes=(hostile,)), source="x", command=hostile))
    return folder / "report.html"


@pytest.fixture
def visit(browser: Browser, made: Path) -> Iterator[Visit]:
    with browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce") as context:
        opened = Visit(context.new_page())
        opened.page.goto(made.as_uri())
        yield opened
        assert opened.complaints == []
        assert all(url.startswith(("file:///", "data:")) for url in opened.requests)


DRAWN = """() => [...document.querySelectorAll('.drawing')].map(svg => {
  const [text, line] = [svg.querySelector('text'), svg.querySelector('.stroke-accent, .fill-accent')];
  const box = text.getBoundingClientRect();
  const style = getComputedStyle(line);
  return [getComputedStyle(text).fill, style.stroke === 'none' ? style.fill : style.stroke, box.height];
})"""
"""Of each drawing: the colour of its words and of its curve, and how tall its words are in pixels."""


@pytest.mark.thorough
def test_it_fits_every_window_and_reads_by_day_and_by_night(visit: Visit) -> None:
    page = visit.page
    page.eval_on_selector_all("details", "all => all.forEach(d => { d.open = true; })")
    seen = set()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(CONTRAST) == []
        for width in (380, 700, 1150, 1600):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0, width
            drawn = page.evaluate(DRAWN)
            assert len(drawn) == 10
            assert min(height for _, _, height in drawn) > 9, width
            seen |= {(ink, curve) for ink, curve, _ in drawn}
    day, night = ("rgb(27, 28, 30)", "rgb(10, 95, 196)"), ("rgb(231, 231, 228)", "rgb(130, 181, 255)")
    assert seen == {day, night}


@pytest.mark.thorough
def test_chance_level_stands_on_the_first_screen(visit: Visit) -> None:
    for selector in (".alarm", ".worth .first", "table.lines >> nth=0", "#threshold"):
        box = visit.page.locator(selector).first.bounding_box()
        assert box is not None
        assert box["y"] < 700, selector
    assert visit.page.locator(".alarm").inner_text().startswith("⚠ Chance level.")


@pytest.mark.thorough
def test_all_can_be_reached_by_keyboard(visit: Visit) -> None:
    page = visit.page
    assert _reached(page) >= {"skip", "figures.json", "overall", "physics", "SVG", "PNG", "region", "summary"}
    page.locator("#dataset > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#dataset").get_attribute("open") is not None


def _reached(page: Page) -> set[str]:
    found = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        found.add(
            str(
                page.evaluate(
                    "(e => e.className === 'skip' ? 'skip' : e.getAttribute('role') ?? "
                    "(e.tagName === 'SUMMARY' ? 'summary' : e.textContent.trim()))(document.activeElement)"
                )
            )
        )
    return found
