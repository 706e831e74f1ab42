"""The page of `retake serve` in a real browser, against the server as a process on the embedded backend."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page

from tests.e2e.test_report_browser import CONTRAST, IN_STEP, SCHEMES
from tests.serving import PATIENT, Process, serving

pytestmark = [pytest.mark.browser, pytest.mark.thorough]

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> A lighthouse at dusk. The camera pans to the left."
HOSTILE += " " + "Unbreakable" * 20
KEY = "a-key-of-twenty-characters-or-more"
WIDE, PHONE = {"width": 1600, "height": 1000}, {"width": 380, "height": 800}


@dataclass
class Visit:
    """Somebody at the page, and everything that went wrong or was asked for meanwhile."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda m: self.complaints.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.complaints.append(f"error: {e}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda r: self.asked.append(r.url))

    def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def press(self, keys: str) -> None:
        for key in keys.split():
            self.page.keyboard.press(key)

    def until(self, condition: str, seconds: float = 60) -> None:
        """Wait for a condition. Playwright's own way evaluates text in the page, which the page's policy forbids."""
        for _ in range(int(seconds * 20)):
            if self.page.evaluate(f"(() => {{ try {{ return Boolean({condition}); }} catch {{ return false; }} }})()"):
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"never came true: {condition}")

    def sees(self, selector: str, words: str, seconds: float = 60) -> Locator:
        found = self.page.locator(selector).get_by_text(words).first
        found.wait_for(timeout=seconds * 1000)
        return found

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()

    @property
    def run(self) -> str:
        """Id of the run that is shown."""
        return str(self.page.evaluate("location.hash")).removeprefix("#run/")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(tmp_path_factory.mktemp("served") / "kept", "server.limits.max_running=1", PATIENT) as process:
        yield process


@pytest.fixture(scope="module")
def done(server: Process) -> dict[str, Any]:
    """A hostile run that is over: two captions, two seeds, none of them accepted."""
    wish = {"prompt": HOSTILE, "seed": 7, "max_iterations": 2, "samples_per_iteration": 2, "accept_at": 0.999}
    with httpx.Client(base_url=server.url, timeout=100) as client:
        made = client.post("/v1/runs", json=wish).raise_for_status().json()
        with client.stream("GET", f"/v1/runs/{made['id']}/events") as told:
            assert "event: end" in told.iter_lines()
        found: dict[str, Any] = client.get(f"/v1/runs/{made['id']}").json()
    assert found["state"] == "completed", found
    return found


def at(context: BrowserContext, url: str) -> Visit:
    visit = Visit(context.new_page())
    visit.page.goto(url)
    return visit


@pytest.fixture
def visit(browser: Browser, server: Process) -> Iterator[Visit]:
    with browser.new_context(viewport=WIDE) as context:  # type: ignore[arg-type]
        visit = at(context, server.url)
        visit.until("document.querySelector('#f-model').options.length > 0")
        yield visit
        assert visit.complaints == []
        assert all(url.startswith((server.url, "data:", "blob:")) for url in visit.asked)


def test_a_run_is_submitted_by_keyboard_and_fills_in(visit: Visit) -> None:
    page = visit.page
    visit.press("/")
    page.keyboard.type("A red kite over dunes. The camera slowly pushes in.")
    page.locator("#loop-settings summary").press("Enter")
    page.locator("#f-max_iterations").fill("1")
    page.locator("#f-samples_per_iteration").fill("2")
    visit.sees("#cost", "= 2 renders")
    page.locator("#f-seed").evaluate("e => { e.closest('details').open = true; }")
    page.locator("#f-seed").fill("41")
    visit.press("Control+Enter")
    visit.sees("#run .events", "Seed 41 scores")
    visit.until("document.querySelectorAll('#iteration-1 .cards .figure').length === 2")
    visit.until("document.querySelector('#run .status').className.includes('completed')")
    assert visit.sees("#list .row[aria-current]", "A red kite").is_visible()
    assert page.locator("#f-prompt").input_value().startswith("A red kite")  # nothing is lost
    visit.until("document.querySelector('#run video.chosen')?.readyState >= 2")
    told = httpx.get(f"{page.url.partition('#')[0]}v1/runs/{visit.run}", timeout=60).json()
    request = {name: value for name, value in told["request"].items() if value is not None}
    assert {"seed", "max_iterations", "samples_per_iteration"} <= request.keys()
    assert "num_frames" not in request  # what was not touched is the server's config's
    score = page.locator("#run .verdict .figure").inner_text()
    assert score == f"{told['result']['score']:.2f}"
    assert "uncalibrated" in page.locator("#run .legend").first.inner_text()


def test_clips_of_an_iteration_play_in_step(visit: Visit, done: dict[str, Any]) -> None:
    page = visit.page
    page.goto(f"{page.url}#run/{done['id']}")
    visit.until("document.querySelectorAll('#iteration-1 .media video').length === 2")
    page.locator("#run").focus()
    visit.press("ArrowRight Space")
    playing = (
        "[...document.querySelectorAll('#iteration-1 .media video')].every(v => !v.paused && v.currentTime > 0.05)"
    )
    visit.until(playing)
    visit.until(IN_STEP)
    visit.press("Space")
    visit.until("[...document.querySelectorAll('#iteration-1 .media video')].every(v => v.paused)")
    page.locator("#iteration-2 button.media").first.hover()
    visit.until(playing.replace("iteration-1", "iteration-2"))


def test_a_hostile_prompt_is_text(visit: Visit, done: dict[str, Any]) -> None:
    page = visit.page
    page.goto(f"{page.url}#run/{done['id']}")
    visit.sees("#run .prompt", "<img src=x onerror=alert(1)><script>alert(2)</script> A lighthouse")
    visit.sees("#list .what", "<img src=x")
    page.locator("button[data-act=change]").click()
    assert page.locator("#f-prompt").input_value() == HOSTILE
    assert visit.count("img[src=x], #run script, #list script") == 0


def test_prompts_are_compared_by_field_and_what_it_took_is_told(visit: Visit, done: dict[str, Any]) -> None:
    page = visit.page
    page.goto(f"{page.url}#run/{done['id']}")
    changes = page.locator("#iteration-2 .changes")
    changes.first.wait_for()
    assert changes.locator("ins").count() > 0
    assert changes.locator("dt").first.inner_text()
    assert page.locator("#iteration-1 .criteria [data-criterion]").count() >= 2
    assert re.search(r"\d", page.locator("#iteration-1 .critique .prose").inner_text())
    table = page.locator(".about table").first.inner_text()
    assert "Renders" in table
    assert "Critiques" in table
    with page.expect_download() as saved:
        page.locator(".files button", has_text="run.json").click()
    assert json.loads(Path(saved.value.path()).read_text())["request"]["prompt"] == HOSTILE
    report = httpx.get(page.locator(".acts a", has_text="Report").evaluate("a => a.href"), timeout=60)
    assert report.headers["content-type"].startswith("text/html")
    name = page.locator("#iteration-1 [data-criterion]").first
    name.hover()
    word = name.get_attribute("data-criterion")
    assert page.locator("#iteration-1 .explanation b").all_inner_texts() == [word] * 2


def test_a_run_is_cancelled_once_that_is_confirmed(visit: Visit, server: Process) -> None:
    page = visit.page
    page.locator("#f-prompt").fill("A long one")
    for name, value in (("num_frames", "61"), ("max_iterations", "16"), ("samples_per_iteration", "4")):
        page.locator(f"#f-{name}").evaluate("(e, v) => { e.value = v; }", value)
    page.locator("#f-accept_at").evaluate("e => { e.value = '1'; }")
    visit.press("Control+Enter")
    visit.sees("#run .events", "The run starts")
    first = visit.run
    with server.still():
        page.locator("#f-prompt").fill("One that waits")
        visit.press("Control+Enter")
        visit.until(f"location.hash !== '#run/{first}' && location.hash !== ''")
        visit.sees("#list .state", "waiting, next")
        visit.press("Escape j")  # out of the field; the one below: the newest is on top
        visit.until(f"location.hash === '#run/{first}'")
        page.locator("button[data-act=cancel]").wait_for()
        visit.press("c")
        page.locator("#sure").wait_for()
        visit.press("Escape")
    assert httpx.get(f"{server.url}/v1/runs/{first}", timeout=60).json()["cancelling"] is False
    for id in (first, None):  # noqa: A001 - as everywhere
        if id is None:
            visit.press("k")
            visit.until(f"location.hash !== '#run/{first}'")
        page.locator("button[data-act=cancel]").wait_for()
        visit.press("c")
        page.locator("#sure").wait_for()
        page.locator("#sure button[type=submit]").press("Enter")
        visit.until("document.querySelector('#run .status').textContent.match(/cancelled|interrupted/)")
    page.locator("#filters button", has_text="Cancelled").click()
    visit.until("[...document.querySelectorAll('#list .state')].every(s => s.textContent.includes('cancelled'))")
    visit.press("Escape")  # back to the list, at the run that was left
    visit.until("document.activeElement.matches('#list .row') && location.hash === ''")
    visit.press("j Enter")  # into the one below, and not into the row that had the focus
    visit.until(f"location.hash === '#run/{first}' && document.activeElement.id === 'run'")


def test_a_refusal_stands_at_its_field_and_nothing_is_lost(visit: Visit) -> None:
    page = visit.page
    page.locator("#f-prompt").fill("A prompt worth keeping")
    page.locator("#f-image").fill("not an address")
    page.locator("#video-settings").evaluate("e => { e.open = true; }")
    page.locator("#f-num_frames").fill("2")
    page.locator("#video-settings").evaluate("e => { e.open = false; }")
    page.locator("#send").click()
    visit.until("!document.querySelector('#e-num_frames').hidden")
    assert page.locator("#e-num_frames").inner_text().endswith("nput should be greater than or equal to 5")
    assert page.evaluate("document.activeElement.id") == "f-num_frames"  # its fold was opened
    assert page.locator("#f-num_frames").get_attribute("aria-invalid") == "true"
    page.locator("#f-num_frames").fill("13")
    page.locator("#send").click()
    visit.until("!document.querySelector('#e-image').hidden")
    assert page.locator("#f-prompt").input_value() == "A prompt worth keeping"
    page.reload()
    visit.until("document.querySelector('#f-model').options.length > 0")
    assert page.locator("#f-prompt").input_value() == "A prompt worth keeping"
    visit.complaints = [c for c in visit.complaints if "422" not in c]  # the browser tells of each


def test_a_first_frame_may_be_dropped_and_pasted(visit: Visit) -> None:
    page = visit.page
    for event, on, name, kind in (
        ("drop", "window", "dropped.png", "image/png"),
        ("paste", "document", "pasted.webp", "image/webp"),
        ("drop", "window", "notes.txt", "text/plain"),
    ):
        page.evaluate(
            """([event, on, name, kind]) => {
              const data = new DataTransfer();
              const bytes = Uint8Array.from(atob("R0lGODlhAQABAAAAACw="), c => c.charCodeAt(0));
              data.items.add(new File([bytes], name, { type: kind }));
              const to = on === "window" ? window : document;
              if (event === "paste") return to.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
              to.dispatchEvent(new DragEvent("dragenter", { dataTransfer: data }));
              if (document.querySelector("#drop").hidden) throw new Error("nothing says where to drop");
              to.dispatchEvent(new DragEvent("drop", { dataTransfer: data }));
            }""",
            [event, on, name, kind],
        )
        assert page.locator("#drop").is_hidden()
        if kind == "text/plain":
            assert "notes.txt is no PNG, JPEG or WebP image" in page.locator("#e-image").inner_text()
            continue
        visit.until("!document.querySelector('#preview').hidden")
        assert page.locator("#f-image").is_hidden()
        page.locator("#no-image").press("Enter")
        assert page.locator("#preview").is_hidden()
        assert page.locator("#f-image").is_visible()


def test_a_first_frame_goes_along_and_a_run_is_made_again_with_it(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    picture = tmp_path / "frame.png"
    Image.new("RGB", (256, 256), (180, 90, 40)).save(picture)
    page.locator("#f-prompt").fill("The square begins to glow.")
    page.locator("#f-file").set_input_files(picture)
    visit.until("document.querySelector('#preview img').naturalWidth > 0")
    page.locator("#f-agentic").evaluate("e => e.click()")
    visit.sees("#cost", "One render.")
    page.locator("#send").click()
    visit.until("document.querySelector('#run .status')?.className.includes('completed')")
    visit.until("document.querySelector('#run .asked img')?.naturalWidth > 0")
    first = visit.run
    page.locator("button[data-act=seed]").click()
    visit.until(f"location.hash !== '#run/{first}'")
    visit.until("document.querySelector('#run .status')?.className.includes('completed')")
    visit.until("document.querySelector('#run .asked img')?.naturalWidth > 0")
    told = [httpx.get(f"{page.url.partition('#')[0]}v1/runs/{run}", timeout=60).json() for run in (first, visit.run)]
    assert told[0]["request"]["prompt"] == told[1]["request"]["prompt"]
    assert told[1]["request"]["agentic"] is False
    assert told[0]["result"]["seed"] != told[1]["result"]["seed"]


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["380", "1600"])
def test_it_fits_is_named_and_has_contrast(
    browser: Browser, server: Process, done: dict[str, Any], size: dict[str, int]
) -> None:
    with browser.new_context(viewport=size) as context:  # type: ignore[arg-type]
        visit = at(context, server.url)
        page = visit.page
        visit.until("document.querySelectorAll('#list .row').length > 0")
        for place in ("", f"#run/{done['id']}"):
            page.goto(f"{server.url}/{place}")
            if place:
                visit.until("document.querySelectorAll('#iteration-2 .figure').length === 2")
            page.eval_on_selector_all("details", "all => all.forEach(d => { d.open = true; })")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
            assert page.evaluate(UNNAMED) == []
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(CONTRAST) == []
        if size is PHONE:
            page.locator(".back").click()
            assert page.locator("#form").is_visible()
            assert not page.locator("#run").is_visible()
        assert visit.complaints == []


UNNAMED = """() => {
  const words = (ids) => ids.split(/\\s+/).map(id => document.getElementById(id)?.textContent ?? "").join(" ");
  const faults = [];
  const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`twice: ${id}`);
  const kinds = "button, a, input, select, textarea, summary, video, img, dialog, progress, [role]";
  for (const e of document.querySelectorAll(kinds)) {
    const own = e.closest("[aria-hidden=true]") ? "hidden" : e.getAttribute("aria-label")
      ?? (e.hasAttribute("aria-labelledby") ? words(e.getAttribute("aria-labelledby")) : null) ?? e.getAttribute("alt")
      ?? ([...(e.labels ?? [])].map(l => l.textContent).join(" ") || null) ?? e.textContent;
    const free = ["status", "alert"].includes(e.getAttribute("role"));
    if (!own.trim() && !free) faults.push(`no name: ${e.outerHTML.slice(0, 120)}`);
    for (const to of ["aria-describedby", "aria-labelledby"]) {
      for (const id of (e.getAttribute(to) ?? "").split(/\\s+/).filter(Boolean)) {
        if (!document.getElementById(id)) faults.push(`${to} leads nowhere: ${id}`);
      }
    }
  }
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map(h => Number(h.tagName[1]));
  if (levels[0] !== 1 || levels.some((l, n) => n && l > levels[n - 1] + 1)) faults.push(`headings: ${levels}`);
  return faults;
}"""
"""Every control and picture without a name, every reference that leads nowhere, headings that leave a level out."""


def test_nothing_moves_by_itself_where_motion_is_unwanted(
    browser: Browser, server: Process, done: dict[str, Any]
) -> None:
    with browser.new_context(viewport=WIDE, reduced_motion="reduce") as context:  # type: ignore[arg-type]
        visit = at(context, f"{server.url}/#run/{done['id']}")
        visit.until("document.querySelectorAll('#iteration-1 .media video').length === 2")
        visit.page.locator("#iteration-1 button.media").first.hover()
        visit.page.wait_for_timeout(300)
        assert visit.page.evaluate("[...document.querySelectorAll('video')].every(v => v.paused)")
        visit.page.locator("#iteration-1 button.media").first.click()
        visit.until("[...document.querySelectorAll('#iteration-1 .media video')].every(v => !v.paused)")
        assert visit.complaints == []


def test_a_key_is_asked_for_once_and_stands_in_no_address(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(tmp_path / "kept", environment={"RETAKE_API_KEYS": KEY}) as server,
        browser.new_context(viewport=WIDE) as context,  # type: ignore[arg-type]
    ):
        visit = at(context, server.url)
        page = visit.page
        page.locator("#key-dialog").wait_for()
        page.keyboard.type("wrong-key-of-twenty-characters")
        visit.press("Enter")
        visit.sees("#key-fault", "does not know this key")
        page.keyboard.type(KEY)
        visit.press("Enter")
        visit.until("document.querySelector('#f-model').options.length > 0")
        page.locator("#f-prompt").fill("A lighthouse at dusk.")
        page.locator("#f-agentic").evaluate("e => e.click()")
        page.locator("#send").click()
        visit.sees("#run .events", "The run starts")  # the stream has the key as well
        page.reload()
        visit.until("document.querySelectorAll('#list .row').length === 1")
        assert not page.locator("#key-dialog").is_visible()
        assert not [url for url in visit.asked if KEY in url]
        assert page.evaluate("localStorage.length") == 0

        # the server goes away, and comes back with the same address
        server.kill()
        visit.sees("#trouble", "does not answer")
        page.locator("#f-prompt").fill("Written while it was away.")
        page.locator("#send").click()
        visit.sees("#form-fault", "Nothing is lost")
        assert page.locator("#again").is_visible()
        server.start()
        page.locator("#again").evaluate("e => e.click()")  # it may have gone: the list asks again by itself, too
        visit.until("document.querySelector('#trouble').hidden")
        page.locator("#send").click()
        visit.until("document.querySelectorAll('#list .row').length === 2")
        assert not [c for c in visit.complaints if not c.startswith("error: Failed to load resource")]


def test_what_the_page_is_made_of_runs_nothing_inline(server: Process) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        page = client.get("/")
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=", page.text)
        for name in re.findall(r'(?:src|href)="(page/[^"]+)"', page.text):
            part = client.get(f"/{name}")
            assert part.status_code == 200
            assert "innerHTML" not in part.text
            assert "insertAdjacentHTML" not in part.text
        assert client.get("/page/../app.py").status_code == 404
        assert client.get("/page/routes.py").status_code == 404
        assert client.get("/v1/page/runs/none").status_code == 404
