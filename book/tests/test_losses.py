import numpy as np
import pytest
from scipy.special import expit

AGREES = """async (cases) => {
  const { losses } = await import("/_static/widgets/losses.js");
  return Math.max(...cases.flatMap((case_) => {
    const found = losses(case_.z, case_.label);
    const names = { p: "p", squaredError: "squared_error", logLoss: "log_loss",
      squaredErrorSlope: "squared_error_slope", logLossSlope: "log_loss_slope" };
    return Object.entries(names).map(([mine, theirs]) => Math.abs(found[mine] - case_[theirs]));
  }));
}"""


def value(page, name):
    return float(page.locator(f"[data-value={name}]").inner_text().replace("−", "-"))


def test_losses_and_gradients_are_torchs(open_widget):
    page = open_widget("losses")
    data = page.evaluate("fetch('/_static/widget-data/losses/data.json').then((answer) => answer.json())")
    assert len(data["reference"]) == 34
    assert page.evaluate(AGREES, data["reference"]) < 1e-9


@pytest.mark.parametrize("label", [0, 1])
def test_the_slider_shows_both_losses_and_how_hard_they_pull(open_widget, label):
    page = open_widget("losses")
    page.get_by_label("true label").select_option(str(label))
    page.get_by_label("z, before the sigmoid").press("ArrowLeft")
    p = expit(-4.1)
    assert value(page, "squaredError") == pytest.approx((p - label) ** 2, rel=1e-3)
    assert value(page, "logLoss") == pytest.approx(-np.log(p if label else 1 - p), rel=1e-3)
    assert value(page, "squaredErrorSlope") == pytest.approx(2 * (p - label) * p * (1 - p), rel=1e-3)
    assert value(page, "logLossSlope") == pytest.approx(p - label, rel=1e-3)


def test_surely_wrong_the_log_loss_pulls_harder_and_the_page_says_so(open_widget):
    page = open_widget("losses", language="zh", width=360, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    status = page.locator("[role=status]")
    page.get_by_label("Sigmoid").press("Home")
    factor = 1 / (2 * expit(-8) * (1 - expit(-8)))
    assert status.get_attribute("data-kind") == "wrong"
    assert f"{float(f'{factor:.2g}'):.0f} 倍" in status.inner_text()
    page.get_by_label("Sigmoid").press("End")
    assert status.get_attribute("data-kind") == "right"
