import numpy as np

from notes.book.back_propagation import START, downhill, passes

PASSES = """async ([parameters, x, y]) => {
  const { passes, downhill } = await import("/_static/widgets/back_propagation.js");
  const found = passes(parameters, x, y);
  return { ...found, moved: downhill(parameters, found.gradient, 0.7) };
}"""


def flat(parameters):
    return np.concatenate([np.ravel(parameters[name]) for name in ("w", "b", "v", "c")])


def texts(page):
    """What stands at each named place of the graph, with a plain minus."""
    places = page.locator(".network [data-value]").all()
    return {place.get_attribute("data-value"): place.text_content().replace("−", "-") for place in places}


def test_both_passes_are_those_by_hand_for_random_settings(open_widget):
    page = open_widget("back_propagation")
    random = np.random.default_rng(0)
    for _ in range(20):
        shapes = {"w": (2, 2), "b": 2, "v": 2, "c": None}
        parameters = {name: np.round(random.normal(size=shape) * 2, 3).tolist() for name, shape in shapes.items()}
        inputs, label = random.normal(size=2).tolist(), int(random.integers(2))
        expected, found = passes(parameters, inputs, label), page.evaluate(PASSES, [parameters, inputs, label])
        np.testing.assert_allclose(found["h"], expected["h"], atol=1e-12)
        for name in ("z", "p", "loss"):
            assert abs(found[name] - expected[name]) < 1e-12
        np.testing.assert_allclose(flat(found["gradient"]), flat(expected["gradient"]), atol=1e-12)
        np.testing.assert_allclose(
            flat(found["moved"]), flat(downhill(parameters, expected["gradient"], 0.7)), atol=1e-12
        )


def test_the_page_shows_the_numbers_by_hand_whatever_the_inputs(open_widget):
    page = open_widget("back_propagation")
    for _ in range(5):
        page.get_by_role("button", name="next step").press("Enter")
    random = np.random.default_rng(1)
    for _ in range(20):
        inputs, label = np.round(random.uniform(-2, 2, 2), 1).tolist(), int(random.integers(2))
        for name, value in zip(("input x₁", "input x₂"), inputs, strict=True):
            page.get_by_label(name).fill(str(value))
        page.get_by_label("label y").select_option(str(label))
        expected, shown = passes(START, inputs, label), texts(page)
        gradient = expected["gradient"]
        for j in (0, 1):
            assert shown[f"h{j + 1}"] == f"{expected['h'][j]:.3f}"
            assert shown[f"dv{j + 1}"] == f"∂ {gradient['v'][j]:.3f}"
            assert shown[f"b{j + 1}"].endswith(f"∂ {gradient['b'][j]:.3f}")
            for i in (0, 1):
                assert shown[f"dw{j + 1}{i + 1}"] == f"∂ {gradient['w'][j][i]:.3f}"
        assert (shown["p"], shown["loss"]) == (f"{expected['p']:.3f}", f"{expected['loss']:.3f}")


def test_steps_reveal_one_thing_after_another(open_widget):
    page = open_widget("back_propagation")
    page.get_by_role("button", name="start again").click()
    firsts = [
        ("a1", 1),
        ("h1", 2),
        ("p", 3),
        ("loss", 4),
        ("delta", 5),
        ("dv1", 6),
        ("back1", 7),
        ("delta1", 8),
        ("dw11", 9),
    ]
    for step in range(10):
        known = texts(page)
        assert [name in known for name, _ in firsts] == [step >= since for _, since in firsts]
        page.get_by_role("button", name="next step").press("Space")
    page.get_by_role("button", name="previous step").click()
    assert "dw11" not in texts(page)


def test_a_step_downhill_on_a_phone_in_chinese_lowers_the_loss_as_by_hand(open_widget):
    page = open_widget("back_propagation", language="zh", width=360, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    parameters = START
    for _ in range(3):
        before = passes(parameters, [1.0, -0.5], 0)
        parameters = downhill(parameters, before["gradient"], 1.0)
        page.get_by_role("button", name="沿梯度下降一步").tap()
        after = passes(parameters, [1.0, -0.5], 0)
        assert f"损失 {before['loss']:.3f} → {after['loss']:.3f}" in page.locator("[role=status]").inner_text()
        assert texts(page)["loss"] == f"{after['loss']:.3f}"
        assert after["loss"] < before["loss"]
