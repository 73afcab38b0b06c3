"""The widget of gradient descent ends where the pipeline did, and shows what each learning rate does."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from notes.data.tasks import load_split
from notes.networks.model_files import load_network
from notes.networks.regression import LinearRegression

FOLDER = Path(__file__).resolve().parents[1] / "widget-data/gradient_descent"
ROOT = FOLDER.resolve().parents[1]  # data and models are where the widget's data was computed


def shown(page: Page) -> dict[str, float]:
    names = ("step", "loss", "intercept", "slope")
    return {name: float(page.locator(".status").get_attribute(f"data-{name}")) for name in names}


def mean_squared_error(values: dict[str, float]) -> float:
    train = load_split("linear", "train", ROOT)
    return float(((values["intercept"] + values["slope"] * train.inputs[:, 0] - train.targets) ** 2).mean())


def test_the_pipelines_learning_rate_ends_at_the_model_file(open_widget: Callable[..., Page]) -> None:
    page = open_widget("gradient_descent")
    page.get_by_label("Step").focus()
    page.keyboard.press("End")
    network = load_network(ROOT / "models/linear/linear_scratch.safetensors")
    assert isinstance(network, LinearRegression)
    coefficients = network.coefficients()
    assert json.loads((FOLDER / "data.json").read_bytes())["coefficients"] == coefficients.tolist()
    values = shown(page)
    np.testing.assert_allclose([values["intercept"], values["slope"]], coefficients, atol=1e-6)
    text = page.locator(".status").inner_text()
    assert f"{coefficients[1]:.5f} x − {abs(coefficients[0]):.5f}" in text
    assert "no gradient is larger than" in text


@pytest.mark.parametrize("cleared", [True, False])
@pytest.mark.parametrize("rate", ["0.01", "0.1", "0.9", "1.05"])
def test_the_loss_of_each_line_is_the_mean_squared_error(
    open_widget: Callable[..., Page], rate: str, cleared: bool
) -> None:
    page = open_widget("gradient_descent")
    page.get_by_label("Learning rate").select_option(rate)
    page.get_by_label("Gradients cleared").set_checked(cleared)
    losses = []
    page.get_by_label("Step").focus()
    page.keyboard.press("Home")
    for _ in range(20):
        values = shown(page)
        assert values["loss"] == pytest.approx(mean_squared_error(values), rel=1e-4)
        losses.append(values["loss"])
        page.keyboard.press("ArrowRight")
    text = page.locator(".status").inner_text()
    if not cleared:
        assert "never settles" in text
        assert (np.diff(losses) > 0).any()
    elif rate == "1.05":
        assert (np.diff(losses) > 0).all()
        assert "It diverges" in text
    else:
        assert (np.diff(losses) < 0).all()
        assert "diverges" not in text


def test_half_the_edge_arrives_in_one_step_and_the_edge_never(open_widget: Callable[..., Page]) -> None:
    page = open_widget("gradient_descent", "zh", dark=True)
    page.get_by_label("学习率").select_option("0.5")
    page.get_by_label("步数").fill("1")
    train = load_split("linear", "train", ROOT)
    slope, intercept = np.polyfit(train.inputs[:, 0], train.targets, 1)
    values = shown(page)
    np.testing.assert_allclose([values["slope"], values["intercept"]], [slope, intercept], atol=1e-6)
    assert "已收敛" in page.locator(".status").inner_text()
    page.get_by_label("学习率").select_option("1")
    losses = []
    for step in (0, 1, 50, 119):
        page.get_by_label("步数").fill(str(step))
        losses.append(shown(page)["loss"])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)
    assert "来回跳动" in page.locator(".status").inner_text()


def test_play_runs_to_the_end_and_pauses(open_widget: Callable[..., Page]) -> None:
    page = open_widget("gradient_descent", width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_label("Step").fill("0")
    page.get_by_role("button", name="Play").tap()
    page.wait_for_function("document.querySelector('.status').dataset.step >= 3")
    page.get_by_role("button", name="Pause").tap()
    stopped = shown(page)["step"]
    page.wait_for_timeout(400)
    assert shown(page)["step"] == stopped
    page.get_by_label("Step").fill("98")
    page.get_by_role("button", name="Play").tap()
    page.wait_for_function("document.querySelector('.status').innerText.includes('arrived')")
    assert page.get_by_role("button", name="Play").is_visible()


def test_with_reduced_motion_nothing_moves_by_itself(browser: Browser, widgets: str) -> None:
    page = browser.new_page(reduced_motion="reduce")
    page.goto(f"{widgets}/en/gradient_descent.html")
    page.wait_for_selector("[data-started=true]")
    before = shown(page)["step"]
    page.get_by_role("button", name="Next step").click()
    page.wait_for_timeout(400)
    assert shown(page)["step"] == before + 1
    page.close()
