"""DVC's page of plots, as `make plots` writes it: read from disk, without a network."""

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page_of_plots() -> Path:
    subprocess.run([sys.executable, "docs/plots_page.py"], cwd=PROJECT, check=True, timeout=600)
    return PROJECT / "dvc_plots" / "index.html"


def test_every_plot_is_drawn_without_a_network(page_of_plots: Path, browser: Browser) -> None:
    page = browser.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(page_of_plots.as_uri())
    plots = page_of_plots.read_text().count("vegaEmbed('#")
    assert plots >= 4
    drawn = f"document.querySelectorAll('.vega-embed canvas, .vega-embed svg.marks').length == {plots}"
    page.wait_for_function(drawn, timeout=60_000)
    assert not faults
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    # The studies' pictures stand below.
    pictures = page.locator("img")
    assert pictures.count() > 10
    assert pictures.evaluate_all("pictures => pictures.every(picture => picture.complete && picture.naturalWidth > 0)")
