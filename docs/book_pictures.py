"""docs/images/book-*.png, which the README opens with: three of the book's widgets in use.

Run it with `make screenshot`, after `make book`; it needs Chromium.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, sync_playwright

IMAGES = Path(__file__).parent / "images"
PORT = 8765
ADDRESS = f"http://127.0.0.1:{PORT}/en"
HIGHEST = 830  # CSS pixels of a picture
IN_THE_WAY = ".mobile-header, .back-to-top, .skip-to-content { display: none !important }"
SHARPNESS = 1.5


def main() -> None:
    """Serve the book, use three widgets, and take their pictures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("error: Chromium is missing: install it, then run this again.")
    with (
        subprocess.Popen(
            [sys.executable, "-m", "http.server", str(PORT), "--bind=127.0.0.1", "--directory=book/site"],
            stderr=subprocess.DEVNULL,
        ) as server,
        sync_playwright() as playwright,
    ):
        try:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 760, "height": 1400}, device_scale_factor=SHARPNESS)
            for name, (chapter, use) in WIDGETS.items():
                page.goto(f"{ADDRESS}/{chapter}.html")
                widget = page.locator(f"[data-widget={name}][data-started=true]").first
                widget.wait_for(timeout=60_000)
                page.add_style_tag(content=IN_THE_WAY)
                use(widget)
                page.wait_for_timeout(1000)
                file = IMAGES / f"book-{name}.png"
                widget.screenshot(path=file)
                with Image.open(file) as picture:
                    top = picture.crop((0, 0, picture.width, min(picture.height, int(HIGHEST * SHARPNESS))))
                    top.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(file, optimize=True)
            browser.close()
        finally:
            server.terminate()


def recognised(widget: Locator) -> None:
    """Ask the network about the digit with which it opens."""
    widget.get_by_role("button", name="Ask the network").click()
    widget.locator("[data-answers='1']").wait_for()


def over_fitted(widget: Locator) -> None:
    """Move to the last epoch."""
    widget.locator("input[type=range]").last.press("End")


def backward(widget: Locator) -> None:
    """Go forward and most of the way back."""
    for _ in range(4):
        widget.get_by_role("button", name="next step").click()


WIDGETS: dict[str, tuple[str, Callable[[Locator], None]]] = {
    "digits": ("digits", recognised),
    "moons": ("principle", over_fitted),
    "back_propagation": ("propagation", backward),
}

if __name__ == "__main__":
    main()
