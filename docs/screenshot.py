"""docs/images/mlflow.png, which the README shows: MLflow's page of the MNIST experiment, as `provenn ui` opens it.

Run it with `make screenshot`; it needs Chromium.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURE = Path(__file__).parent / "images" / "mlflow.png"
EXPERIMENT = "mnist"
WIDTH, HEIGHT = 1560, 700
PAGE = (0, 0, 1160, 700)  # without MLflow's assistant, which opens to the right
SETTLED_MS = 60_000  # of the page's own clock: it loads its tables one after the other


def main() -> None:
    """Start the server, take the picture and end the server."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("error: Chromium is missing: install it, then run this again.")
    server = subprocess.Popen(["provenn", "ui", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        address = next(words[-1] for words in map(str.split, server.stdout) if words[:1] == [EXPERIMENT])
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder, "page.png")
            options = [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={folder}",
            ]
            options += [f"--window-size={WIDTH},{HEIGHT}", f"--virtual-time-budget={SETTLED_MS}"]
            subprocess.run([browser, *options, f"--screenshot={whole}", address], check=True, capture_output=True)
            with Image.open(whole) as picture:
                picture.crop(PAGE).convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(PICTURE, optimize=True)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
