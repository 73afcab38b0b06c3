import numpy as np
import pytest
from scipy.special import log_softmax, softmax

AGREES = """async (cases) => {
  const { softmax, crossEntropy } = await import("/_static/widgets/softmax.js");
  return Math.max(...cases.flatMap(({ logits, label, probabilities, loss, gradient }) => {
    const found = crossEntropy(logits, label);
    const pairs = softmax(logits).map((p, index) => [p, probabilities[index]]);
    pairs.push([found.loss, loss], ...found.gradient.map((value, index) => [value, gradient[index]]));
    return pairs.map(([one, other]) => Math.abs(one - other));
  }));
}"""


def shares(page):
    return [float(part.get_attribute("data-share")) for part in page.locator("[data-share]").all()]


def test_probabilities_loss_and_gradient_are_torchs(open_widget):
    page = open_widget("softmax")
    data = page.evaluate("fetch('/_static/widget-data/softmax/data.json').then((answer) => answer.json())")
    assert len(data["reference"]) == 15
    assert page.evaluate(AGREES, data["reference"]) < 1e-9
    overflowing = {"logits": [1000.0, 0.0, -1000.0], "label": 1, "probabilities": [1, 0, 0], "loss": 1000}
    assert page.evaluate(AGREES, [overflowing | {"gradient": [1, -1, 0]}]) == 0


def test_sliders_move_the_bars_and_buttons_show_what_leaves_them_alone(open_widget):
    page = open_widget("softmax")
    page.get_by_label("logit of C").press("ArrowRight")
    np.testing.assert_allclose(shares(page), softmax([2, 1, -0.95]), atol=1e-12)
    page.get_by_role("button", name="add 1 to all").click()
    np.testing.assert_allclose(shares(page), softmax([2, 1, -0.95]), atol=1e-12)
    page.get_by_role("button", name="double all").click()
    np.testing.assert_allclose(shares(page), softmax([6, 4, 0.1]), atol=1e-12)
    widths = [part.bounding_box()["width"] for part in page.locator("[data-share]").all()]
    assert widths[0] / sum(widths) == pytest.approx(softmax([6, 4, 0.1])[0], abs=0.01)


def test_the_chosen_class_sets_the_cross_entropy_on_a_phone_in_chinese(open_widget):
    page = open_widget("softmax", language="zh", width=360, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for label, name in enumerate("甲乙丙"):
        page.get_by_label("真实类别").select_option(name)
        loss = -log_softmax([2, 1, -1])[label]
        assert page.locator("[data-value=loss]").inner_text() == f"{loss:.4g}"
