"""The book as it was built: every page in both languages, in a real browser."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Response

from conftest import BOOK, serve

SITE = BOOK / "site"
PAGES = sorted(path.stem for path in (BOOK / "pages").glob("*.md"))
AXE = (BOOK / "libraries/axe-core/axe.min.js").read_text(encoding="utf-8")
WEIGHT = 1.5e6  # bytes of a chapter, without ONNX Runtime
RUNTIME = "/libraries/onnxruntime-web/"


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of the built book."""
    yield from serve(SITE)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page as wide as a phone held upright, in dark mode."""
    page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
    yield page
    page.close()


def started(page: Page) -> None:
    """Wait until no widget of the page is still waiting."""
    page.wait_for_function(
        "document.querySelectorAll('[data-widget]:not([data-started])').length === 0", timeout=90_000
    )


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_by_itself_fits_a_phone_and_keeps_nobody_out(
    page: Page, site: str, name: str, language: str
) -> None:
    faults: list[str] = []
    received: dict[str, int] = {}

    def receive(response: Response) -> None:
        if not response.url.startswith((site, "data:", "blob:")):
            faults.append(f"asked another machine: {response.url}")
        elif RUNTIME not in response.url and response.url.startswith(site):
            file = SITE / urlsplit(response.url).path.lstrip("/")
            received[response.url] = file.stat().st_size if file.is_file() else 0

    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", receive)
    page.goto(f"{site}/{language}/{name}.html")
    started(page)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")  # pictures that load when they are seen
    page.wait_for_load_state("networkidle")
    assert not faults
    assert page.locator("[data-started=false]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    broken = page.evaluate("[...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)")
    assert not broken
    assert sum(received.values()) <= WEIGHT, sorted(received.items(), key=lambda item: -item[1])[:5]

    page.evaluate(AXE)
    found = page.evaluate("axe.run().then((found) => found.violations)")
    serious = [
        (one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_the_front_page_fetches_no_runtime_before_somebody_asks(page: Page, site: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if RUNTIME in request.url else None)
    page.goto(f"{site}/en/index.html")
    started(page)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_load_state("networkidle")
    assert not asked
    page.get_by_role("button", name="Ask the network").click()
    page.wait_for_function("Number(document.querySelector('[data-answers]').dataset.answers) > 0", timeout=60_000)
    assert asked


@pytest.mark.parametrize(("language", "says"), [("en", "run `make book`"), ("zh", "请运行 make book")])
def test_from_disk_a_page_shows_its_pictures_and_says_how_to_touch_them(page: Page, language: str, says: str) -> None:
    page.goto((SITE / language / "principle.html").as_uri())
    message = page.locator("[data-widget=moons] .widget-message")
    message.wait_for()
    assert says in message.inner_text()
    picture = page.locator("[data-widget=moons] img")
    picture.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('[data-widget=moons] img').naturalWidth > 0")


def test_a_missing_result_is_named_and_the_picture_stays(page: Page, site: str) -> None:
    page.route("**/widget-data/moons/data.json", lambda route: route.fulfill(status=404))
    page.goto(f"{site}/en/principle.html")
    message = page.locator("[data-widget=moons] .widget-message")
    message.wait_for()
    assert "moons/data.json" in message.inner_text()
    assert "make book" in message.inner_text()
    assert page.locator("[data-widget=moons] img").is_visible()


def test_without_javascript_the_pictures_and_the_formulas_are_there(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/en/propagation.html")
    assert page.locator("[data-widget] img").count() == 3
    assert page.locator(".katex").count() > 5
    context.close()


def test_the_numbers_are_those_of_the_results(page: Page, site: str) -> None:
    page.goto(f"{site}/en/digits.html")
    metrics = json.loads((BOOK / "results/evaluate/mnist/metrics.json").read_text())
    shown = page.locator(".result[title$='test/accuracy']").first.inner_text()
    assert shown == f"{metrics['test/accuracy']:.2%}".replace("%", " %")


def test_each_page_leads_to_itself_in_the_other_language(page: Page, site: str) -> None:
    page.set_viewport_size({"width": 1200, "height": 800})
    page.goto(f"{site}/en/regression.html")
    page.get_by_role("link", name="中文").click()
    page.wait_for_url("**/zh/regression.html")
    assert "回归" in page.locator("h1").inner_text()
    page.get_by_role("link", name="English").click()
    page.wait_for_url("**/en/regression.html")
