"""The moons' widget shows the fields and the measures of networks that this test trains again."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from notes.book import moons
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier
from notes.networks.model_files import predict
from notes.studies.shared.experiment import generator_for

FOLDER = Path(__file__).resolve().parents[1] / "widget-data/moons"
ROOT = FOLDER.resolve().parents[1]  # data is where the widget's data was computed
MEASURES = ("train-loss", "train-accuracy", "loss", "accuracy")


def trained(depth: int, width: int, epochs: int) -> Mlp:
    """The network after so many epochs of the project's own training."""
    train, validation, _ = moons.points(ROOT)
    generator = generator_for(np.random.SeedSequence(moons.SEED), 1, depth, width)
    network = Mlp(2, [width] * depth, 1, activation="tanh").initialise(generator)
    options = ClassifierOptions(epochs=epochs, batch_size=60, learning_rate=0.03, loss="log_loss", keep="last")
    for _ in fit_classifier(network, train, validation, options, generator=generator):
        pass
    return network


def shown(page: Page) -> list[float]:
    texts = [page.locator(f'[data-value="{name}"]').inner_text() for name in MEASURES]
    return [float(text.removesuffix(" %")) / (100 if "%" in text else 1) for text in texts]


def measured(network: Mlp) -> list[float]:
    """Loss and accuracy in training and in validation, from the network's probabilities."""
    train, validation, _ = moons.points(ROOT)
    values = []
    for split in (train, validation):
        ones = np.clip(predict(network, split.inputs)[:, 1], 1e-12, 1 - 1e-12)
        values.append(-np.log(np.where(split.targets == 1, ones, 1 - ones)).mean())
        values.append(((ones > 0.5) == (split.targets == 1)).mean())
    return values


def choose(page: Page, depth: int, width: int, moment: int, label: str = "Epoch") -> None:
    page.locator(f'[data-value="network-{depth}-{width}"]').click()
    page.get_by_label(label, exact=True).fill(str(moment))


def test_the_numbers_are_those_of_the_network_trained_again(open_widget: Callable[..., Page]) -> None:
    page = open_widget("moons", "zh", dark=True)
    for depth, width, moment in ((1, 4, 15), (3, 64, 10), (2, 1, 6)):
        choose(page, depth, width, moment, "训练轮数")
        network = trained(depth, width, moons.MOMENTS[moment])
        np.testing.assert_allclose(shown(page), measured(network), atol=6e-4)
        cell = page.locator(f'[data-value="network-{depth}-{width}"]')
        assert cell.get_attribute("aria-pressed") == "true"
        assert abs(float(cell.inner_text().split()[0]) / 100 - measured(network)[3]) < 6e-4


def test_the_colours_are_the_networks_probabilities(open_widget: Callable[..., Page]) -> None:
    page = open_widget("moons")
    choose(page, 1, 16, 12)
    probabilities = predict(trained(1, 16, moons.MOMENTS[12]), moons.grid())[:, 1]
    cells = page.evaluate(
        """() => [...document.querySelectorAll(".plot rect.area")].map((rect) =>
            (rect.classList.contains("series-2") ? 1 : -1) * Number(rect.getAttribute("fill-opacity")))"""
    )
    assert len(cells) == 1600
    np.testing.assert_allclose(np.array(cells) + 0.5, probabilities, atol=0.008)


def test_on_the_line_the_network_is_undecided(open_widget: Callable[..., Page]) -> None:
    page = open_widget("moons")
    choose(page, 1, 16, 15)
    drawn = page.locator('[data-value="boundary"]').get_attribute("d")
    ends = np.array([[float(number) for number in pair] for pair in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", drawn)])
    assert len(ends) > 40
    # The axes' units: 52 … 408 and 280 … 12 of a picture 420 × 320.
    x = -1.7 + (ends[:, 0] - 52) / (408 - 52) * 4.4
    y = -1.3 + (280 - ends[:, 1]) / (280 - 12) * 3.1
    probabilities = predict(trained(1, 16, 120), np.column_stack([x, y]).astype(np.float32))[:, 1]
    np.testing.assert_allclose(probabilities, 0.5, atol=0.06)


def test_the_largest_network_over_fits_and_the_smallest_under_fits(open_widget: Callable[..., Page]) -> None:
    page = open_widget("moons", width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    networks = json.loads((FOLDER / "data.json").read_bytes())["networks"]
    for depth, width, kind in ((3, 64, "over-fits"), (1, 1, "under-fits")):
        page.locator(f'[data-value="network-{depth}-{width}"]').tap()
        page.get_by_label("Epoch", exact=True).fill("15")
        assert kind in page.locator(".status").inner_text()
    (largest,) = [network for network in networks if (network["depth"], network["width"]) == (3, 64)]
    losses = largest["measures"][2]
    assert losses[-1] > 1.15 * min(losses)
    page.locator('[data-value="network-3-64"]').tap()
    assert f"at epoch {np.argmin(losses)}," in page.locator(".status").inner_text()


def test_play_and_the_keyboard_move_through_the_epochs(open_widget: Callable[..., Page]) -> None:
    page = open_widget("moons")
    slider = page.get_by_label("Epoch", exact=True)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('input[type=range]').value >= 2")
    page.get_by_role("button", name="Pause").click()
    slider.focus()
    page.keyboard.press("Home")
    for moment, epoch in enumerate(moons.MOMENTS[:4]):
        assert slider.get_attribute("aria-valuetext") == str(epoch)
        assert int(slider.input_value()) == moment
        page.keyboard.press("ArrowRight")
    page.get_by_label("Show validation points").uncheck()
    assert not page.locator(".held").is_visible()


def test_points_are_those_of_the_data_and_the_folder_is_small(open_widget: Callable[..., Page]) -> None:
    page = open_widget("moons")
    train, validation, flipped = moons.points(ROOT)
    assert page.locator(".plot .edged").count() == len(train.targets) == 60
    assert page.locator(".plot path.edged").count() == (train.targets == 1).sum()
    assert page.locator(".plot .flipped").count() == flipped.sum()
    assert page.locator(".held .line").count() == len(validation.targets)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 450_000
