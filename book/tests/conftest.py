"""A browser, and pages to look at with it: a widget by itself, and the book as it was built."""

import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

BOOK = Path(__file__).resolve().parents[1]
WIDGET = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{name}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/_static/book.css">
<body><main><div class="widget" data-widget="{name}">
<img src="/_static/widget-data/{name}/picture.png" alt="{name}"></div></main>
<script src="/_static/widgets/start.js"></script></body></html>"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *arguments: object) -> None:
        pass


def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine alone; yield its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def widgets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of pages en/NAME.html and zh/NAME.html with one widget each, and nothing around it."""
    folder = tmp_path_factory.mktemp("widgets")
    static = folder / "_static"
    shutil.copytree(BOOK / "static", static)
    for name in ("widget-data", "libraries"):
        if (BOOK / name).is_dir():
            (static / name).symlink_to(BOOK / name)
    for language in ("en", "zh"):
        (folder / language).mkdir()
        for script in (static / "widgets").glob("*.js"):
            page = WIDGET.format(language=language, name=script.stem)
            (folder / language / f"{script.stem}.html").write_text(page)
    yield from serve(folder)


@pytest.fixture
def open_widget(browser: Browser, widgets: str) -> Iterator[Callable[..., Page]]:
    """open_widget(NAME, language="en", width=1000): a page on which the widget has started.

    At the end of the test the page must have had no error and asked nothing of another machine.
    """
    faults: list[str] = []
    pages = []

    def open_page(name: str, language: str = "en", width: int = 1000, dark: bool = False) -> Page:
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", has_touch=width < 500
        )
        page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith((widgets, "data:")) else faults.append(asked.url))
        page.goto(f"{widgets}/{language}/{name}.html")
        page.wait_for_selector("[data-started]", timeout=60_000)
        message = page.locator(".widget-message")
        assert not message.count(), message.all_inner_texts()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not faults
