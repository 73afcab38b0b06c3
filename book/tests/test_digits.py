"""The digits' widget gives the answers that ONNX Runtime gives in Python, to pictures that it centres as MNIST does."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from notes.data.tasks import load_split
from notes.exporting import open_session, run_onnx
from notes.files import digest

FOLDER = Path(__file__).resolve().parents[1] / "widget-data/digits"
BOOK = FOLDER.resolve().parents[1]  # data and models are where the widget's data was computed
EXPORT = BOOK / "models/exported/mnist.onnx"
ASK = """async (text) => {
    const { openNetwork } = await import("/_static/widgets/digits.js");
    const run = await openNetwork(new URL("/_static/widget-data/digits/", location));
    const pixels = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const outputs = await run(pixels, pixels.length / 784);
    return Object.fromEntries(Object.entries(outputs).map(([name, values]) => [name, [...values]]));
}"""


def data() -> dict:
    return json.loads((FOLDER / "data.json").read_bytes())


def seen(page: Page) -> np.ndarray:
    """What the network is shown, read off the page."""
    url = page.evaluate("document.querySelector('.seen canvas').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB"))[:, :, 0]


def expected(images: np.ndarray) -> np.ndarray:
    """The probabilities of the pipeline's export, by ONNX Runtime in Python."""
    return run_onnx(open_session(EXPORT.read_bytes()), images)


def shown(page: Page) -> list[str]:
    return [page.locator(f'[data-value="p{digit}"]').inner_text() for digit in range(10)]


def assert_shows(page: Page, image: np.ndarray) -> None:
    answer = expected(image[None])[0]
    percent = [float(text.split()[0]) for text in shown(page)]
    np.testing.assert_allclose(percent, 100 * answer, atol=0.051)
    assert f" {answer.argmax()}" in page.locator(".status").inner_text()


def answered(page: Page, act: Callable[[], object]) -> None:
    """Act, and wait until the network has answered and no further question is under way."""
    before = int(page.locator("[data-answers]").get_attribute("data-answers"))
    act()
    page.wait_for_function(f"Number(document.querySelector('[data-answers]').dataset.answers) > {before}")
    page.wait_for_timeout(150)


def test_a_thousand_validation_pictures_get_the_same_answers_as_in_python(open_widget: Callable[..., Page]) -> None:
    page = open_widget("digits")
    pixels = np.rint(load_split("mnist", "validation", BOOK).inputs[:1000] * 255).astype(np.uint8)
    outputs = page.evaluate(ASK, base64.b64encode(pixels.tobytes()).decode())
    answers = np.array(outputs["probabilities"]).reshape(1000, 10)
    oracle = expected(pixels.reshape(-1, 28, 28))
    assert (answers.argmax(axis=1) == oracle.argmax(axis=1)).all()
    np.testing.assert_allclose(answers, oracle, atol=1e-5, rtol=0)

    session = open_session((FOLDER / "digits.onnx").read_bytes())
    layers = data()["layers"]
    activations = session.run([layer["name"] for layer in layers], {"raw": pixels.reshape(-1, 28, 28)})
    for layer, values in zip(layers, activations, strict=True):
        np.testing.assert_allclose(np.array(outputs[layer["name"]]), values.ravel(), atol=1e-4)


def test_the_model_is_the_export_with_more_outputs_and_names_its_source(open_widget: Callable[..., Page]) -> None:
    images = np.load(BOOK / "data/mnist/development/validation_images.npy")[:200]
    session = open_session((FOLDER / "digits.onnx").read_bytes())
    assert session.run(["probabilities"], {"raw": images})[0].tobytes() == expected(images).tobytes()
    model = data()["model"]
    assert model["md5"] == digest(BOOK / "models/mnist" / f"{model['network']}.safetensors")
    line = open_widget("digits").locator('[data-value="model"]').inner_text()
    assert model["md5"] in line
    assert model["network"] in line
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1.35e6


HEAVY = ("onnxruntime-web", "digits.onnx")


def listening(page: Page) -> list[str]:
    """What is asked of the server from now on that only an answer needs."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if any(it in request.url for it in HEAVY) else None)
    return asked


def test_the_network_is_fetched_when_the_keyboard_asks_and_answers_what_is_shown(
    browser: Browser, widgets: str
) -> None:
    page = browser.new_page()
    asked = listening(page)
    page.goto(f"{widgets}/en/digits.html")
    page.wait_for_selector("[data-started=true]")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_load_state("networkidle")
    assert not asked
    assert shown(page) == ["–"] * 10
    assert "14 MB" in page.locator(".status").inner_text()
    button = page.get_by_role("button", name="Ask the network")
    button.focus()
    answered(page, lambda: page.keyboard.press("Enter"))
    assert {name for name in HEAVY if any(name in url for url in asked)} == set(HEAVY)
    assert_shows(page, seen(page))
    assert not button.is_visible()
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"  # there a keyboard goes on
    page.close()


def test_the_first_stroke_fetches_the_network_once_and_what_was_drawn_meanwhile_is_answered(
    browser: Browser, widgets: str
) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 1200})
    asked = listening(page)
    page.goto(f"{widgets}/en/digits.html")
    page.wait_for_selector("[data-started=true]")
    box = page.locator(".pad canvas").bounding_box()
    assert not asked
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 140, steps=12)
    page.mouse.up()
    page.wait_for_function("Number(document.querySelector('[data-answers]').dataset.answers) > 0")
    page.wait_for_timeout(300)
    assert_shows(page, seen(page))
    assert len(asked) == len(set(asked))
    page.close()


def test_a_drawn_digit_is_centred_and_recognised(open_widget: Callable[..., Page]) -> None:
    page = open_widget("digits", "zh", dark=True)
    answered(page, page.get_by_role("button", name="清除").click)
    assert page.locator(".status").inner_text() == "还没有书写。"
    box = page.locator(".pad canvas").bounding_box()
    corners = [(30, 20), (90, 20), (50, 110)]  # small and in a corner: centring brings it to the middle
    places = [(box["x"] + x, box["y"] + y) for x, y in corners]

    def draw() -> None:
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=6)
        page.mouse.up()

    answered(page, draw)
    image = seen(page)
    weights, place = image.astype(float), np.arange(28)
    for axis in (0, 1):
        assert abs((weights.sum(axis=1 - axis) * place).sum() / weights.sum() - 14) <= 0.55
        assert np.ptp(np.flatnonzero(image.any(axis=1 - axis))) < 20
    assert np.ptp(np.flatnonzero(image.any(axis=1))) == 19  # the longer side fills the box
    assert expected(image[None])[0].argmax() == 7
    assert_shows(page, image)


@pytest.mark.parametrize("seed", range(3))
def test_centring_is_a_box_filter_and_a_shift(open_widget: Callable[..., Page], seed: int) -> None:
    page = open_widget("digits")
    random = np.random.default_rng(seed)
    pad = np.zeros((280, 280), np.uint8)
    top, left, height, width = random.integers(0, 100), random.integers(0, 60), *random.integers(60, 170, 2)
    pad[top : top + height, left : left + width] = random.integers(30, 256, (height, width))
    script = """async (text) => {
        const { centre } = await import("/_static/widgets/centring.js");
        return [...centre(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)), 280)];
    }"""
    made = np.array(page.evaluate(script, base64.b64encode(pad.tobytes()).decode())).reshape(28, 28)
    scale = 20 / max(height, width)
    ink = pad[top : top + height, left : left + width].astype(float)
    small = area_mean(area_mean(ink, round_half_up(height * scale)).T, round_half_up(width * scale)).T
    rows, columns = np.flatnonzero(made.any(axis=1)), np.flatnonzero(made.any(axis=0))
    found = made[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    np.testing.assert_allclose(found, small, atol=0.501)
    for axis, first in ((0, rows[0]), (1, columns[0])):
        mass = (small.sum(axis=1 - axis) * np.arange(small.shape[axis])).sum() / small.sum()
        assert first == np.clip(round_half_up(14 - mass), 0, 28 - small.shape[axis])


def area_mean(rows: np.ndarray, count: int) -> np.ndarray:
    """Means of the rows (n, m) over `count` equal parts of the length n: differences of the integral."""
    integral = np.vstack([np.zeros(rows.shape[1]), rows.cumsum(axis=0)])
    edges = np.linspace(0, len(rows), count + 1)
    at_edges = np.stack([np.interp(edges, np.arange(len(rows) + 1), column) for column in integral.T], axis=1)
    return np.diff(at_edges, axis=0) * count / len(rows)


def round_half_up(value: float) -> int:
    return int(np.floor(value + 0.5))


def test_the_keyboard_draws_and_loads_examples(open_widget: Callable[..., Page]) -> None:
    page = open_widget("digits")
    page.get_by_role("button", name="Clear").focus()
    answered(page, lambda: page.keyboard.press("Enter"))
    page.locator(".pad canvas").focus()
    answered(page, lambda: page.keyboard.press("Space"))
    for _ in range(9):
        answered(page, lambda: page.keyboard.press("ArrowDown"))
    image = seen(page)
    assert np.ptp(np.flatnonzero(image.any(axis=1))) == 19
    assert np.ptp(np.flatnonzero(image.any(axis=0))) < 6
    assert_shows(page, image)
    answered(page, lambda: page.keyboard.press("Delete"))
    assert not seen(page).any()

    answered(page, lambda: page.get_by_label("Load an example of").select_option("3"))
    image, rows = seen(page), np.asarray(Image.open(io.BytesIO((FOLDER / "digits.png").read_bytes())))
    (row,) = np.flatnonzero((rows == image.ravel()).all(axis=1))
    assert data()["familiar"][row] == 3
    assert_shows(page, image)
    # The picture itself is among the familiar ones: nothing is nearer.
    assert page.locator('[data-value="near"] figure').first.get_attribute("data-row") == str(row)


def test_the_nearest_are_those_of_numpy_and_a_mistake_is_one(open_widget: Callable[..., Page]) -> None:
    page, told = open_widget("digits", width=360), data()
    images = np.load(BOOK / "data/mnist/development/validation_images.npy")
    labels = np.load(BOOK / "data/mnist/development/validation_labels.npy")
    mistake = told["mistakes"][3]
    answered(page, page.locator(".mistakes button").nth(3).tap)
    image = images[mistake["row"]]
    np.testing.assert_array_equal(seen(page), image)
    assert labels[mistake["row"]] == mistake["label"] != mistake["said"]
    answer = expected(image[None])[0].astype(float)
    assert answer.argmax() == mistake["said"]
    assert -np.log(answer[mistake["label"]]) == pytest.approx(mistake["loss"], abs=0.011)
    assert_shows(page, image)

    rows = np.asarray(Image.open(io.BytesIO((FOLDER / "digits.png").read_bytes())))[: len(told["familiar"])]
    session = open_session((FOLDER / "digits.onnx").read_bytes())
    name = told["layers"][-1]["name"]
    of_all = session.run([name], {"raw": rows.reshape(-1, 28, 28)})[0]
    distances = np.linalg.norm(of_all - session.run([name], {"raw": image[None]})[0], axis=1)
    for layer in told["layers"]:
        values = session.run([layer["name"]], {"raw": image[None]})[0][0]
        cells = page.locator(f'[data-value="{layer["name"]}"] rect').all()
        drawn = [float(cell.get_attribute("fill-opacity")) for cell in cells]
        np.testing.assert_allclose(drawn, values / values.max(), atol=0.001)
    near = [int(f.get_attribute("data-row")) for f in page.locator('[data-value="near"] figure').all()]
    assert near == np.argsort(distances)[:3].tolist()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(
    ("prevent", "sentence"),
    [
        (lambda page: page.add_init_script("delete window.WebAssembly"), "no WebAssembly"),
        (lambda page: page.route("**/*.wasm", lambda route: route.abort()), "ONNX Runtime did not start"),
        (lambda page: page.route("**/ort.wasm.min.mjs", lambda route: route.abort()), "ONNX Runtime did not start"),
        (lambda page: page.route("**/digits.onnx", lambda route: route.fulfill(status=404)), "digits.onnx"),
    ],
)
def test_without_its_runtime_the_picture_stays_and_a_sentence_says_why(
    browser: Browser, widgets: str, prevent: Callable[[Page], None], sentence: str
) -> None:
    page = browser.new_page()
    prevent(page)
    page.goto(f"{widgets}/en/digits.html")
    page.wait_for_selector("[data-started]")
    if page.locator("[data-started=true]").count():  # it has to be asked
        page.get_by_role("button", name="Ask the network").click()
    page.wait_for_selector("[data-started=false]")
    assert sentence in page.locator(".widget-message").inner_text()
    assert page.locator(".widget > img").is_visible()
    page.close()
