"""A picture of a report or of the server's page, as people see it.

python docs/screenshot.py RUN_DIR docs/report.png                 a run's report, or a benchmark's
python docs/screenshot.py http://127.0.0.1:8000 docs/serve.png    the page of `retake serve`, at its newest run
"""

import io
import json
import shutil
import sys
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import sync_playwright


def main(what: str, out: Path) -> None:
    """Photograph the first screens at 1280 pixels, and keep 256 colours of them."""
    served = what.startswith("http")
    url = newest(what.rstrip("/")) if served else (Path(what).resolve() / "report.html").as_uri()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1190}, color_scheme="light")
        page.goto(url)
        page.wait_for_timeout(2500)  # the chosen clip has begun to play
        png = page.screenshot()
        browser.close()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(256, kmeans=1, dither=Image.Dither.FLOYDSTEINBERG).save(out, optimize=True)


def newest(server: str) -> str:
    """The page's address of the run that was handed in last."""
    with urlopen(f"{server}/v1/runs?limit=1") as reply:  # noqa: S310 - http, as `main` found out
        runs = json.load(reply)["data"]
    return f"{server}/#run/{runs[0]['id']}" if runs else server


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
