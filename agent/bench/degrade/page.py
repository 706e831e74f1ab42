"""The suite as a contact sheet: a still of every degradation at every severity, with its score under it."""

import base64
import hashlib
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from agent import report
from agent.bench.degrade import told
from agent.bench.degrade.catalogue import DEGRADATIONS
from agent.bench.degrade.types import LEAST, Judged, Row, Suite
from agent.files import write_atomically
from critic import frames
from critic.types import JudgeError

HERE = Path(__file__).parent
WIDTH = 208
"""Pixels of a still's longer side."""
QUALITY = 72


@dataclass(frozen=True)
class Still:
    """A cell of the sheet."""

    label: str
    """base, or the severity."""
    picture: str
    """A data URI; "" where the clip is gone."""
    url: str
    """Of the clip or image, relative to the page."""
    judged: Judged
    below: float | None
    """How far its score lies under the base's. None: it is the base, or one of them failed."""
    asked: str = ""
    """The other request, where that is what was changed."""


@dataclass(frozen=True)
class Strip:
    """A row of the sheet."""

    row: Row
    base: str
    """The clip that is shown."""
    stills: tuple[Still, ...]

    @property
    def missed(self) -> bool:
        """Seen at first glance, and not told."""
        return self.row.seen and self.row.all.auc is not None and self.row.all.auc < LEAST


def write_page(suite: Suite, folder: Path, to: Path) -> None:
    """Write the sheet, whole or not at all. It holds its stills; clips stay where they are.

    Raises:
        OSError: it cannot be written.
    """
    style = (Path(report.__file__).parent / "page.css").read_text(encoding="utf-8")
    style += (HERE / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        figure=told.figure, interval=told.interval, severities=told.severities, fell=told.fell, verdict=told.verdict
    )
    page = environment.get_template("page.html.j2").render(
        suite=suite,
        strips=[_strip(row, number, suite, folder) for number, row in enumerate(suite.rows)],
        style=Markup(style),  # noqa: S704 - our own files
        policy=(
            "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file: data:; "
            f"media-src 'self' file:; style-src 'sha256-{digest}'"
        ),
        least=LEAST,
    )
    write_atomically(to, page)


def _strip(row: Row, number: int, suite: Suite, folder: Path) -> Strip:
    """One base clip's severities; another base clip from row to row, so that all are seen."""
    of = [each for each in suite.judged if each.case.degradation == row.degradation]
    names = sorted({each.case.base for each in of})
    if not names:
        return Strip(row, "", ())
    name = names[number % len(names)]
    base = next(each for each in suite.judged if each.case.base == name and not each.case.degradation)
    cells = [base, *sorted((e for e in of if e.case.base == name), key=lambda e: e.case.severity)]
    return Strip(row, name, tuple(_still(each, base, row, folder) for each in cells))


def _still(judged: Judged, base: Judged, row: Row, folder: Path) -> Still:
    case = judged.case
    file = case.clip
    if row.axis == "first_frame" and case.first_frame is not None:
        file = case.first_frame
    below = None
    if case.degradation and judged.score is not None and base.score is not None:
        below = base.score - judged.score
    return Still(
        label=f"severity {case.severity}" if case.degradation else "base",
        picture=_picture(folder / file, DEGRADATIONS[row.degradation].at),
        url=quote(file),
        judged=judged,
        below=below,
        asked=case.prompt
        if case.prompt != base.case.prompt or (row.axis == "adherence" and not case.degradation)
        else "",
    )


def _picture(file: Path, at: float) -> str:
    """A small picture of an image, or of a clip at a share of its length, as a data URI."""
    try:
        if file.suffix == ".png":
            with Image.open(file) as opened:
                image = opened.convert("RGB")
        else:
            _, count = frames.length(file)
            place = round(at * (count - 1))
            frame = next(islice(frames.every(file), place, None))
            image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    except (JudgeError, OSError, StopIteration):  # gone since: the page says so
        return ""
    image.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    jpeg = BytesIO()
    image.save(jpeg, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode("ascii")
