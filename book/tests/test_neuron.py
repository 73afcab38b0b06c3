import numpy as np
import pytest

from notes.networks.by_hand import ACTIVATIONS, DERIVATIVES

AGREES = """async ([z, reference]) => {
  const { ACTIVATIONS } = await import("/_static/widgets/neuron.js");
  const gaps = Object.entries(reference).flatMap(([name, { y, slope }]) => z.flatMap((value, index) => [
    Math.abs(ACTIVATIONS[name].f(value) - y[index]), Math.abs(ACTIVATIONS[name].slope(value) - slope[index])]));
  return [gaps.length, Math.max(...gaps)];
}"""


def shown(page):
    """What the neuron of the page says: z, y and slope, unrounded."""
    status = page.locator("[role=status]")
    return [float(status.get_attribute(f"data-{name}")) for name in ("z", "y", "slope")]


def zones(page):
    """How much of each picture is hatched, as a share of its width between the axes."""
    boxes = page.locator("[data-zone]").all()
    return sum(float(box.get_attribute("width")) for box in boxes) / 2 / (420 - 52 - 12)


def test_every_activation_and_its_slope_are_torchs(open_widget):
    page = open_widget("neuron")
    data = page.evaluate("fetch('/_static/widget-data/neuron/data.json').then((answer) => answer.json())")
    reference = data["reference"]
    count, gap = page.evaluate(AGREES, [reference.pop("z"), reference])
    assert count == 4 * 2 * 33
    assert gap < 1e-9


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
def test_arrow_keys_move_the_weight_and_the_page_shows_output_and_slope(open_widget, name):
    page = open_widget("neuron")
    page.get_by_label("activation f").select_option(name)
    page.get_by_label("weight w").press("ArrowRight")
    page.get_by_label("bias b").press("ArrowLeft")
    page.get_by_label("input x").press("ArrowRight")
    z = 1.6 * 1.1 - 0.1
    y = float(ACTIVATIONS[name](np.array(z)))
    slope = 1.6 * float(DERIVATIVES[name](np.array(y)))
    np.testing.assert_allclose(shown(page), [z, y, slope], atol=1e-12)
    assert f"y = f(z) = {y:.3g}" in page.locator("[data-value=now]").inner_text()


def test_the_hatched_zones_are_where_the_slope_is_below_a_twentieth_of_its_largest(open_widget):
    page = open_widget("neuron")
    x = np.linspace(-6, 6, 100_001)
    for name in ("sigmoid", "tanh", "relu"):
        page.get_by_label("activation f").select_option(name)
        page.get_by_label("weight w").fill("-2.5")
        page.get_by_label("bias b").fill("1")
        slopes = DERIVATIVES[name](ACTIVATIONS[name](-2.5 * x + 1))
        assert zones(page) == pytest.approx((slopes < 0.05 * slopes.max()).mean(), abs=1e-3)
    page.get_by_label("activation f").select_option("identity")
    assert zones(page) == 0
    assert "nowhere" in page.locator("[data-value=zones]").inner_text()


def test_it_fits_a_phone_in_chinese_and_says_that_a_large_input_saturates(open_widget):
    page = open_widget("neuron", language="zh", width=360, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_label("激活函数 f").select_option("tanh")
    page.get_by_label("输入 x").press("End")
    assert "饱和" in page.locator("[role=status]").inner_text()
    assert "当前输入就在其中" in page.locator("[role=status]").inner_text()
