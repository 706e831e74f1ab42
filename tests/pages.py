"""Reads an HTML page strictly enough for tests: every element closed in order, no id twice."""

from html.parser import HTMLParser

from agent.report import write_report
from agent.run import Run

VOID = {"meta", "link", "br", "img", "input", "hr"}
INLINE = {"a", "b", "code", "del", "em", "ins", "kbd", "small", "span", "time"}
SHAPES = {"rect", "line", "circle", "path", "polyline"}


class Page(HTMLParser):
    """What stands in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"
        ids = [a["id"] for _, a in self.elements if "id" in a]
        assert len(ids) == len(set(ids)), sorted(i for i in ids if ids.count(i) > 1)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        self.text += "" if tag in INLINE else " "
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES, f"<{tag}/> is not closed by its slash in HTML"
        self.elements.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> where {self._open[-1]} is open"
        self._open.pop()
        self.text += "" if tag in INLINE else " "

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._open):
            self.text += data

    @property
    def said(self) -> str:
        """All text for people, with single spaces."""
        return " ".join(self.text.split())

    def all(self, tag: str, css_class: str = "") -> list[dict[str, str]]:
        """Attributes of the elements of a kind."""
        return [a for t, a in self.elements if t == tag and (not css_class or css_class in a.get("class", "").split())]


def page(run: Run) -> Page:
    """A run's report."""
    return Page(write_report(run).read_text(encoding="utf-8"))
