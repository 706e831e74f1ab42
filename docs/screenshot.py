"""A picture of a report: `python docs/screenshot.py RUN_DIR docs/report.png`, or of a benchmark's folder likewise."""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright


def main(folder: Path, out: Path) -> None:
    """Photograph the first screens of a report at 1280 pixels, and keep 256 colours of it."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1190}, color_scheme="light")
        page.goto((folder.resolve() / "report.html").as_uri())
        page.wait_for_timeout(2500)  # the chosen clip has begun to play
        png = page.screenshot()
        browser.close()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(256, kmeans=1, dither=Image.Dither.FLOYDSTEINBERG).save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
