"""A benchmark as people look at it: report.html, plots/*.svg and *.png, figures.json, and the terminal."""

from agent.bench.folder import FIGURES, PLOTS, REPORT
from agent.bench.report.material import Material
from agent.errors import ConfigError
from agent.files import write_atomically


def write(material: Material) -> None:
    """Write figures.json, plots/ and report.html into the material's folder, each file whole or not at all.

    The page holds its styles and drawings, and links to clips where they lie: it opens from disk without a network.

    Raises:
        ConfigError: the folder holds a report.html that is not ours.
        OSError: the disk failed.
    """
    # templates and drawing are for those who write a page, not for `import agent`
    from agent.bench.report.drawing import draw  # noqa: PLC0415 - as above
    from agent.bench.report.page import MARKER, render  # noqa: PLC0415 - as above

    folder = material.folder
    page = folder / REPORT
    if page.exists():
        with page.open("rb") as file:
            if MARKER.encode() not in file.read(4096):
                raise ConfigError(f"{page}: was not written by `retake bench report`; name another folder with --out")
    (folder / PLOTS).mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FIGURES, material.figures.model_dump_json(indent=1) + "\n")
    write_atomically(page, render(material, draw(material, folder / PLOTS)))
