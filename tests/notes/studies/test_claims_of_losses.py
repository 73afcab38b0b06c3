"""Claims of the notes' section 7: each rule refuses a counter-example, each measure agrees with one made by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import kendalltau
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from notes.data.tasks import Split
from notes.evaluation.metrics import calibration as reliability
from notes.networks.mlp import Mlp
from notes.params import load_params
from notes.studies import calibration, logarithm, sigmoid_softmax, squared_error_measure

SETTINGS = load_params().study
SEED = np.random.SeedSequence(7)


def verdict_of(study, settings):
    return study.judge(study.measure(settings, SEED), settings).text


CALIBRATION = SETTINGS.calibration.model_copy(update={"epochs": [3, 10]})


@pytest.mark.parametrize(
    ("beyond", "text"),
    [({3: 1, 10: 1}, "holds"), ({3: 1, 10: 9}, "holds only after 3 epochs"), ({3: 9, 10: 9}, "fails")],
)
def test_outputs_are_probabilities_where_their_error_is_no_larger_than_by_chance(beyond, text):
    rows = [
        {"kind": "network", "epochs": epochs, "repetition": repetition, "error": 2.0 + 0.1 * repetition + excess}
        | {"error_by_chance": 2.0, "accuracy": 90.0, "confidence": 92.0}
        for epochs, excess in beyond.items()
        for repetition in range(4)
    ]
    assert calibration.judge(rows, CALIBRATION).text == text


def random_probabilities(rows=300, classes=4):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(classes, 0.5), rows)
    labels = np.array([random.choice(classes, p=row) for row in probabilities])
    return probabilities, labels


def test_the_calibration_error_is_that_of_the_evaluation():
    probabilities, labels = random_probabilities()
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    table, error = reliability(labels, probabilities, bins=10)
    assert calibration.calibration_error(confidence, right) == pytest.approx(error)
    for found, expected in zip(calibration.bins(confidence, right), table, strict=True):
        assert found["accuracy"] == pytest.approx(100 * expected["accuracy"])
        assert found["confidence"] == pytest.approx(100 * expected["confidence"])
        assert found["size"] == expected["count"]


def test_labels_that_follow_the_probabilities_have_no_error_beyond_chance_and_sure_mistakes_have():
    probabilities, labels = random_probabilities(4000)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    fair = calibration.errors(confidence, right, 50, np.random.default_rng(1))
    assert abs(fair["error"] - fair["error_by_chance"]) < 1
    sure = calibration.errors(confidence, np.zeros_like(right), 50, np.random.default_rng(1))
    assert sure["error"] == pytest.approx(100 * confidence.mean())


def test_the_confidence_is_the_largest_probability_of_softmax():
    network = Mlp(3, [], 2)
    with torch.no_grad():
        network.layers[0].weight[:] = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        network.layers[0].bias[:] = 0
    data = Split(np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 1.0]], dtype=np.float32), np.array([0, 0]))
    confidence, right = calibration.predictions(network, data)
    assert confidence == pytest.approx([1 / (1 + math.exp(-2)), 1 / (1 + math.exp(-1))])
    assert right.tolist() == [True, False]


LOGARITHM = SETTINGS.logarithm.model_copy(update={"lengths": [10, 300], "repetitions": 2})


def test_the_logarithm_has_its_benefits_and_the_rule_misses_each_of_them(monkeypatch):
    assert verdict_of(logarithm, LOGARITHM) == "holds"
    assert (
        verdict_of(logarithm, LOGARITHM.model_copy(update={"lengths": [10]}))
        == "holds only for the maximum and the sums"
    )
    assert verdict_of(logarithm, LOGARITHM.model_copy(update={"lengths": [300]})) == "holds only for the range"
    log_sum = logarithm.log_sum
    monkeypatch.setattr(logarithm, "log_sum", lambda *given: 2 * log_sum(*given))
    assert verdict_of(logarithm, LOGARITHM) == "holds only for the maximum and the range"
    monkeypatch.setattr(logarithm, "log_sum", logarithm.product)
    assert verdict_of(logarithm, LOGARITHM.model_copy(update={"lengths": [10, 20]})) == "holds only for the maximum"
    monkeypatch.setattr(logarithm, "log_sum", lambda *given: -logarithm.product(*given))
    assert verdict_of(logarithm, LOGARITHM.model_copy(update={"lengths": [10, 20]})) == "fails"


def test_factors_of_one_half_underflow_at_the_127th():
    weights = torch.zeros(1)
    for factors, underflowed in ((126, 0), (127, 1)):
        assert logarithm.compare(torch.ones(factors), weights)["underflowed"] == underflowed


def test_the_best_weight_is_that_of_a_minimiser_and_the_gradient_that_of_the_formula():
    random = np.random.default_rng(0)
    signed = random.standard_normal(400) + 0.7
    found = logarithm.compare(torch.tensor(signed, dtype=torch.float32), torch.linspace(-4, 4, 161))
    best = minimize_scalar(lambda weight: np.logaddexp(0, -weight * signed).sum(), bounds=(-4, 4), method="bounded").x
    assert found["best_weight"] == pytest.approx(best, abs=0.026)
    assert found["gradient_of_sum"] == pytest.approx(signed.sum() / 2, rel=1e-5)
    assert found["gradient_of_product"] == 0
    assert math.isnan(found["regret"])


MEASURE = SETTINGS.squared_error_measure


@pytest.mark.parametrize(
    ("tau", "text"),
    [
        ({"squared_error": 0.5, "log_loss": 0.8, "accuracy": 0.7}, "holds"),
        ({"squared_error": 0.5, "log_loss": 0.8, "accuracy": 0.4}, "holds only against log loss"),
        ({"squared_error": 0.8, "log_loss": 0.7, "accuracy": 0.7}, "fails"),
    ],
)
def test_squared_error_is_a_bad_measure_only_where_others_rank_better(tau, text):
    rows = [
        {"kind": "measure", "repetition": repetition, "measure": measure}
        | {"tau": value + 0.01 * repetition * (measure == "log_loss")}
        for measure, value in tau.items()
        for repetition in range(4)
    ]
    assert squared_error_measure.judge(rows, MEASURE).text == text


def test_measures_are_those_of_scikit_learn_and_the_agreement_is_scipys():
    network = Mlp(6, [], 10).initialise(torch.Generator().manual_seed(0))
    random = np.random.default_rng(0)
    new = Split(3 * random.standard_normal((200, 6), dtype=np.float32), np.arange(200) % 10)
    with torch.no_grad():
        probabilities = torch.softmax(network(torch.from_numpy(new.inputs)).double(), dim=1).numpy()
    scores = {name: values.mean() for name, values in squared_error_measure.scores_of(network, new).items()}
    assert scores["squared_error"] == pytest.approx(brier_score_loss(new.targets, probabilities, scale_by_half=False))
    assert scores["log_loss"] == pytest.approx(log_loss(new.targets, probabilities))
    assert scores["accuracy"] == pytest.approx((probabilities.argmax(axis=1) == new.targets).mean())
    first, second = random.standard_normal((2, 9))
    assert squared_error_measure.kendall(first, second) == pytest.approx(kendalltau(first, second).statistic)
    assert squared_error_measure.kendall(first, np.zeros(9)) == 0


PAIR = SETTINGS.sigmoid_softmax.model_copy(update={"rows": 50, "hidden_sizes": [4], "steps": 20, "repetitions": 2})
HALF = "holds only for losses and gradients; training needs half the learning rate"


def test_training_is_the_same_at_half_the_learning_rate_in_the_last_layer_alone(monkeypatch):
    assert verdict_of(sigmoid_softmax, PAIR) == HALF
    monkeypatch.setattr(sigmoid_softmax.functional, "cross_entropy", lambda logits, labels: 2 * cross(logits, labels))
    assert verdict_of(sigmoid_softmax, PAIR) == "fails"


def cross(logits, labels):
    return -torch.log_softmax(logits, dim=1).gather(1, labels[:, None]).mean()


@pytest.mark.parametrize(
    ("same", "half", "text"), [(0, 0, "holds"), (0.1, 0, HALF), (0.1, 0.1, "holds only for losses and gradients")]
)
def test_what_holds_is_what_does_not_differ(same, half, text):
    rows = [
        {"share": share, "repetition": 0, "weight_difference": apart, "loss_difference": 0, "gradient_difference": 0}
        for share, apart in ((1.0, same), (0.5, half))
    ]
    assert sigmoid_softmax.judge(rows, PAIR).text == text


def test_without_hidden_layers_the_gradients_are_those_of_the_formula_and_both_descend_to_scikit_learns_weights():
    random = np.random.default_rng(0)
    inputs = random.standard_normal((200, 2))
    labels = (random.random(200) < 1 / (1 + np.exp(-inputs @ [1.0, -2.0]))).astype(int)
    data = torch.tensor(inputs), torch.tensor(labels)
    one, two = sigmoid_softmax.pair([], torch.Generator().manual_seed(0))
    found = sigmoid_softmax.compare_losses(one, two, data)
    assert max(found.values()) < 1e-12
    sigmoid_softmax.descend(one, sigmoid_softmax.log_loss, data, 400, torch.optim.SGD, 1.0, 1.0)
    sigmoid_softmax.descend(two, cross, data, 400, torch.optim.SGD, 0.5, 0.5)
    weights = LogisticRegression(C=np.inf).fit(inputs, labels).coef_
    np.testing.assert_allclose(one.layers[0].weight.detach(), weights, rtol=1e-3)
    np.testing.assert_allclose(sigmoid_softmax.as_one(two.parameters())[0].detach(), weights, rtol=1e-3)
