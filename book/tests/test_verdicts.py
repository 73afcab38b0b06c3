import csv
import json
import re

import numpy as np
import pytest

from conftest import BOOK

RESULTS = BOOK / "results/study"  # what it was made of
ONE = """async (study) => {
  const element = document.querySelector("[data-widget]");
  element.dataset.study = study;
  element.replaceChildren();
  delete element.dataset.started;
  await import(`/_static/widgets/loader.js?${study}`);  // a module runs once an address
}"""
OUTCOMES = {"holds": "holds", "fails": "fails"}


def verdict(name):
    return json.loads((RESULTS / name / "verdict.json").read_text())


def table(name, **equal):
    rows = csv.DictReader((RESULTS / name / "table.csv").open())
    return [row for row in rows if all(row[column] == value for column, value in equal.items())]


def open_one(page, study):
    """The widget again, as a page mounts it for one study."""
    page.evaluate(ONE, study)
    page.wait_for_selector("[data-started=true]")


def shown(page, name):
    return page.locator(f"[data-value={name}]").inner_text()


def test_all_claims_are_there_each_with_its_verdict_and_the_score_counts_the_right_answers(open_widget):
    page = open_widget("verdicts")
    verdicts = {found["claim"].replace("`", ""): found for found in map(verdict, [it.name for it in RESULTS.iterdir()])}
    right, seen = 0, set()
    for number in range(1, 28):
        assert shown(page, "position") == f"Claim {number} of 27"
        assert not page.locator("[data-value=effect], .answer img").count()
        found = verdicts[shown(page, "claim")]
        guess = ("holds", "fails", "it depends")[number % 3]
        page.get_by_role("button", name=guess, exact=True).press("Enter")
        right += guess == OUTCOMES.get(found["text"], "it depends")
        assert f"Verdict: {found['text']}." in page.locator("[role=status]").first.inner_text()
        assert f"So far: {right} of {number} right." in page.locator("[role=status]").first.inner_text()
        assert shown(page, "finding") == found["finding"] + "."
        assert f"{found['effect']}: " in shown(page, "effect")
        assert f"seeds: {found['seeds']}." in shown(page, "seeds")
        seen.add(found["claim"])
        page.get_by_role("button", name="next claim").click()
    assert len(seen) == 27
    assert 0 < right < 27
    page.get_by_role("button", name="fails", exact=True).click()  # an answer given is not given again
    assert f"So far: {right} of 27 right." in page.locator("[role=status]").first.inner_text()


def test_the_interval_is_drawn_on_its_side_of_the_threshold(open_widget):
    page = open_widget("verdicts")
    for study, above in (("zero_centred", True), ("batch_memory", False), ("squared_error_measure", False)):
        open_one(page, study)
        page.get_by_role("button", name="holds", exact=True).click()
        bar = page.locator(".strip .interval").first.bounding_box()
        line = page.locator(".strip .dashed").first.bounding_box()
        assert (bar["x"] > line["x"]) == above
        assert (bar["x"] + bar["width"] < line["x"]) == (not above)


def test_one_claim_by_itself_loads_its_own_picture_alone_and_only_when_answered(open_widget):
    page = open_widget("verdicts", language="zh", width=360, dark=True)
    asked = []
    page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[1]))
    open_one(page, "zero_centred")
    assert shown(page, "claim") == "Tanh 的输出以零为中心，比 Sigmoid 收敛得更快。"  # noqa: RUF001
    assert not [name for name in asked if name.endswith(".png")]
    assert not page.get_by_role("button", name="下一条").count()
    page.get_by_role("button", name="不成立").tap()
    page.wait_for_function("document.querySelector('.answer img').complete")
    assert [name for name in asked if name.endswith(".png")] == ["zero_centred.png"]
    assert page.locator(".answer img").evaluate("(image) => image.naturalWidth") > 300
    found = verdict("zero_centred")
    assert f"{found['value']:.4g}" in shown(page, "effect")
    assert f"{found['low']:.4g} 至 {found['high']:.4g}" in shown(page, "effect")
    assert "结论：成立" in page.locator("[role=status]").first.inner_text()  # noqa: RUF001
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_chinese_reader_gets_finding_rule_and_what_the_picture_shows_of_every_claim(open_widget):
    page = open_widget("verdicts", language="zh", width=360)
    pictures = set()
    for _ in range(27):
        page.get_by_role("button", name="视情况而定").tap()
        assert not page.locator("[data-value=rule] p").is_visible()
        page.get_by_text("判定规则").tap()
        for name in ("finding", "rule", "caption"):
            text = shown(page, name)
            assert re.search("[\u4e00-\u9fff]{4}", text)
            assert not re.search(r"(?:\b[a-z]+ ){3}", text)
        pictures.add(shown(page, "caption"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_role("button", name="下一条").tap()
    assert len(pictures) == 27


def test_the_rule_is_that_of_the_study(open_widget):
    page = open_widget("verdicts")
    open_one(page, "batch_memory")
    page.get_by_role("button", name="holds", exact=True).click()
    page.get_by_text("The rule by which it is judged").click()
    assert page.locator("[data-value=rule] p").inner_text() == verdict("batch_memory")["rule"].replace("`", "")


def test_sliders_over_the_table_of_capacity_show_what_was_measured(open_widget):
    page = open_widget("verdicts")
    open_one(page, "capacity")
    page.get_by_role("button", name="holds", exact=True).click()
    page.get_by_text("Look it up").click()
    page.get_by_role("slider", name="units a layer").press("End")
    page.get_by_role("slider", name="hidden layers").press("ArrowRight")
    rows = [row for row in table("capacity", width="64", depth="2") if int(row["repetition"]) % 2]  # those that judge
    for column, name in (("validation_error", "validation error, %"), ("train_error", "training error, %")):
        mean = np.mean([float(row[column]) for row in rows])
        told = page.locator("[data-value=cell] > div", has_text=name).inner_text()
        assert float(told.split(": ")[1].split(" ")[0]) == pytest.approx(mean, rel=1e-3)
        assert f"80 % of {len(rows)} runs" in told


def test_words_are_an_axis_too(open_widget):
    page = open_widget("verdicts", language="zh")
    open_one(page, "vanishing_gradients")
    page.get_by_role("button", name="视情况而定").click()
    page.get_by_text("在实测数据表中查看").click()
    page.get_by_role("slider", name="层数").press("End")
    page.get_by_label("激活函数", exact=True).select_option("ReLU")
    page.get_by_label("初始化", exact=True).select_option("PyTorch 默认")
    rows = table("vanishing_gradients", part="depth", layer="1", depth="20", activation="relu", start="standard")
    mean = np.exp(np.mean([np.log(float(row["gradient_norm"])) for row in rows]))
    told = shown(page, "cell").replace("−", "-")
    assert float(told.split("：")[1].split("（")[0]) == pytest.approx(mean, rel=1e-3)  # noqa: RUF001
