"""Studies: each rule says `fails` where the claim cannot hold, and equal settings give equal rows and a picture."""

import importlib
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from notes.data.tasks import Split
from notes.figures.canvas import save
from notes.files import read_values, write_rows
from notes.networks import by_hand
from notes.networks.determinism import make_deterministic
from notes.networks.regression import ScratchRegression
from notes.params.fields import Section
from notes.params.studies.networks import BackPropagation
from notes.params.studies.tasks import (
    ClearingGradients,
    ClosedForm,
    InferenceMode,
    Initialisation,
    LossChoice,
    PolynomialDegree,
)
from notes.studies import (
    back_propagation,
    clearing_gradients,
    closed_form,
    inference_mode,
    initialisation,
    loss_choice,
    polynomial_degree,
)
from notes.studies.shared.base import Row, Verdict, numbered, rows_where, table

SEED = np.random.SeedSequence(7)
CLEARING = ClearingGradients(repetitions=8, rows=100, steps=200, learning_rates=[0.5], hidden_size=8, batch_size=20)
INITIALISATION = Initialisation(
    repetitions=8, rows=100, features=2, constant=0.5, linear_learning_rate=0.1, gradient_target=1e-2,
    max_iterations=500, hidden_sizes=[16], mlp_learning_rate=0.02, batch_size=20, loss_target=0.3,
    epochs=40, related=0.3,
)  # fmt: skip
LOSS = LossChoice(
    repetitions=6, rows=200, hidden_sizes=[16], learning_rates=[1e-4, 0.03, 30.0], batch_size=50, accuracy_target=0.9,
    epochs=20, rivals=["squared error of outputs"],
)  # fmt: skip
BACK = BackPropagation(
    repetitions=2, rows=8, sizes=[3, 5, 4, 3], activations=["sigmoid", "tanh", "relu"], tolerance=1e-6,
    finite_difference_tolerance=1e-6, finite_difference_steps=[1e-4, 1e-5, 1e-6], entries=10,
)  # fmt: skip
CLOSED = ClosedForm(
    repetitions=2, rows=40, features=3, noise=0.1, condition_numbers=[1.0, 50.0], learning_rate=0.8,
    gradient_tolerance=1e-8, max_iterations=5000, agreement=1e-4,
)  # fmt: skip
DEGREE = PolynomialDegree(
    repetitions=30, train_rows=20, validation_rows=200, coefficients=[1.0, -2.0, 0.5, 1.5], noise=1.0, max_degree=12
)  # fmt: skip
INFERENCE = InferenceMode(
    repetitions=3, rows=100, networks=["dropout", "batch norm"], hidden_sizes=[16], dropout=0.3, epochs=3,
    learning_rate=0.01, batch_size=25,
)  # fmt: skip
# Small as they are, these show the claims.
STUDIES: dict[ModuleType, tuple[Section, str]] = {
    clearing_gradients: (CLEARING, "holds"),
    initialisation: (INITIALISATION, "holds"),
    loss_choice: (LOSS, "holds"),
    back_propagation: (BACK, "holds"),
    closed_form: (CLOSED, "holds"),
    polynomial_degree: (DEGREE, "holds"),
    inference_mode: (INFERENCE, "fails"),
}
each_study = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.__name__.rpartition(".")[2])


@pytest.fixture(autouse=True)
def _deterministic_torch() -> None:
    make_deterministic(7)


@pytest.fixture(autouse=True)
def _drawn_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten overlapping clouds take the place of MNIST: the rule does not care what the classes look like."""
    centres = np.random.default_rng(0).standard_normal((10, 20))

    def clouds(task: str, split: str) -> Split:
        random = np.random.default_rng(len(split))
        labels = random.integers(10, size=400)
        inputs = centres[labels] + 0.7 * random.standard_normal((400, 20))
        return Split(inputs.astype(np.float32), labels)

    monkeypatch.setattr(loss_choice, "load_split", clouds)


def verdict_of(study: Any, settings: Section) -> Verdict:
    verdict: Verdict = study.judge(study.measure(settings, SEED), settings)
    return verdict


def without_times(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


@each_study
def test_equal_settings_and_seed_give_equal_rows(study: Any) -> None:
    settings = STUDIES[study][0].model_copy(update={"repetitions": 4})
    rows = without_times(study.measure(settings, SEED))
    torch.rand(1)  # what a caller does with the global random state makes no difference
    assert without_times(study.measure(settings, SEED)) == rows
    assert without_times(study.measure(settings, np.random.SeedSequence(8))) != rows


@each_study
def test_a_study_reaches_its_verdict_and_its_table_is_enough_to_draw_it(study: Any, tmp_path: Path) -> None:
    settings, expected = STUDIES[study]
    rows = study.measure(settings, SEED)
    verdict = study.judge(rows, settings)
    assert verdict.text == expected
    assert verdict.low <= verdict.value <= verdict.high
    draw = importlib.import_module(study.__name__.replace("studies", "figures.studies")).draw
    write_rows(tmp_path / "table.csv", table(numbered(rows, 1)))
    figure = draw(read_values(tmp_path / "table.csv"), verdict)
    save(figure, tmp_path / "figure.png")
    assert "".join(figure.get_suptitle().split()) == "".join(verdict.finding.split())
    assert figure.axes[0].get_ylabel()


@each_study
def test_a_study_says_what_it_claims_where_the_notes_claim_it_and_by_which_rule_it_judges(study: Any) -> None:
    assert study.CLAIM.endswith(".")
    assert re.match(r"[1-8]\. ", study.NOTES)
    assert "fails" in study.RULE


# Each of these breaks a claim, so that no verdict is hard-wired.
COUNTEREXAMPLES: dict[str, tuple[ModuleType, Section, dict[str, Any]]] = {
    "a loss against itself": (loss_choice, LOSS, {"rivals": ["cross-entropy again"]}),
    "no time to come to rest": (closed_form, CLOSED, {"condition_numbers": [50.0], "max_iterations": 20}),
    "a straight line and many rows": (
        polynomial_degree,
        DEGREE,
        {"coefficients": [1.0, -2.0], "train_rows": 5000, "validation_rows": 5000, "max_degree": 2},
    ),
}


@pytest.mark.parametrize("name", COUNTEREXAMPLES)
def test_the_rule_says_fails_where_the_claim_cannot_hold(name: str) -> None:
    study, settings, changes = COUNTEREXAMPLES[name]
    assert verdict_of(study, settings.model_copy(update=changes)).text == "fails"


def test_back_propagation_fails_when_the_chain_leaves_out_the_slope_of_the_activation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for activation in by_hand.DERIVATIVES:
        monkeypatch.setitem(by_hand.DERIVATIVES, activation, np.ones_like)
    assert verdict_of(back_propagation, BACK).text == "fails"


def test_back_propagation_holds_only_under_the_activations_whose_slope_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(by_hand.DERIVATIVES, "tanh", lambda h: 1 - h)
    monkeypatch.setitem(by_hand.DERIVATIVES, "relu", lambda h: (h >= 0).astype(np.float64))
    assert verdict_of(back_propagation, BACK).text == "holds only for sigmoid"


def test_closed_form_fails_for_a_neuron_with_an_activation(monkeypatch: pytest.MonkeyPatch) -> None:
    def bent(neuron: ScratchRegression, inputs: torch.Tensor) -> torch.Tensor:
        return torch.tanh(neuron.powers(inputs) @ neuron.weight + neuron.bias)

    monkeypatch.setattr(ScratchRegression, "__call__", bent)
    assert verdict_of(closed_form, CLOSED).text == "fails"


def test_closed_form_holds_up_to_the_condition_number_that_descent_has_time_for() -> None:
    settings = CLOSED.model_copy(update={"max_iterations": 100})
    assert verdict_of(closed_form, settings).text == "holds only for condition numbers up to 1"


def test_iterations_of_descent_grow_in_proportion_to_the_condition_number() -> None:
    settings = CLOSED.model_copy(update={"condition_numbers": [50.0, 200.0], "max_iterations": 20_000})
    rows = closed_form.measure(settings, SEED)
    slow, slower = (
        np.mean([row["iterations"] for row in rows_where(rows, condition_number=one)]) for one in (50.0, 200.0)
    )
    assert 3 < slower / slow < 5


def test_conditioned_features_have_the_eigenvalues_that_were_asked_for() -> None:
    features = closed_form.conditioned_features(50, 4, 1000.0, np.random.default_rng(7))
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(features.T @ features / 50)
    np.testing.assert_allclose(eigenvalues[[0, -1]], [1e-3, 1], rtol=1e-9)


def test_without_clearing_a_parabola_swings_for_ever_below_four_over_its_curvature() -> None:
    # The curvature of w² is 2: the recurrence in the module's text is stable for rate · 2 < 4.
    for rate, swings in ((1.9, True), (2.1, False)):
        weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
        (history,) = zip(
            *clearing_gradients.descend([weight], lambda w=weight: w**2, rate, 400, cleared=False), strict=True
        )
        assert (max(history) < 100) == swings
        assert (history[-1] == clearing_gradients.LIMIT) != swings


def test_a_step_across_a_kink_is_told_and_its_difference_is_of_neither_side() -> None:
    # One unit, relu(w · 1 + b) with w + b = 0.01, into two logits.
    layers = [(np.array([[1.0]]), np.array([-0.99])), (np.array([[1.0], [-1.0]]), np.zeros(2))]
    inputs, labels, weight = np.ones((1, 1)), np.array([0]), np.array([0])
    gradient = by_hand.backward(layers, by_hand.forward(layers, inputs, "relu"), labels, "relu")[0][0].item()
    for step, expected in ((1e-3, True), (0.1, False)):
        slopes, smooth = back_propagation.finite_differences(layers, inputs, labels, "relu", weight, step)
        assert smooth.tolist() == [expected]
        assert (abs(slopes[0] - gradient) < 1e-4) == expected


def test_back_propagation_by_hand_is_the_gradient_that_autograd_gives_to_relu_too() -> None:
    rows = back_propagation.measure(BACK.model_copy(update={"activations": ["relu"], "repetitions": 10}), SEED)
    assert max(row["difference"] for row in rows_where(rows, judge="autograd")) < 1e-12


def test_cross_entropy_by_hand_is_torchs_at_enormous_logits() -> None:
    logits = np.array([[1000.0, -1000.0, 0.0], [-1000.0, -1000.0, 1000.0]])
    labels = np.array([1, 2])
    expected = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
    assert by_hand.cross_entropy(logits, labels) == pytest.approx(expected)
    assert expected == pytest.approx(1000)


@pytest.mark.parametrize(
    ("criterion", "at_mistake"),
    # ∂/∂z Σ(softmax(z) - y)² is (2p·2p(1-p)) for each of the two logits, with p = 1 / (1 + e¹⁰) for the right one.
    [
        (functional.cross_entropy, lambda p: np.sqrt(2) * (1 - p)),
        (loss_choice.squared_error_of_probabilities, lambda p: np.sqrt(2) * 4 * (1 - p) * p * (1 - p)),
        (loss_choice.squared_error_of_outputs, lambda p: 2 * np.hypot(-5 - 1, 5)),
    ],
)
def test_gradients_at_a_sure_mistake_are_those_of_the_formulas(
    criterion: Callable[..., torch.Tensor], at_mistake: Callable[[float], float]
) -> None:
    assert loss_choice.gradient_at(criterion, -10.0) == pytest.approx(at_mistake(1 / (1 + np.exp(10))), rel=1e-9)


def test_hidden_units_that_start_equal_stay_equal() -> None:
    rows = initialisation.measure(INITIALISATION.model_copy(update={"repetitions": 4, "epochs": 5}), SEED)
    units = {row["start"]: row["distinct_hidden_units"] for row in rows if row["problem"] == "network"}
    assert units == {"zeros": 1, "constant": 1, "random": 16, "pretrained": 16}


@pytest.mark.parametrize(
    ("frozen", "text"), [(["dropout", "batch norm"], "holds"), (["dropout"], "holds only for dropout")]
)
def test_eval_stops_updates_only_where_no_weight_moves(frozen: list[str], text: str) -> None:
    rows = [
        row | {"largest_move_of_weights": 0.0} if row["eval"] and row["network"] in frozen else row
        for row in inference_mode.measure(INFERENCE, SEED)
    ]
    assert inference_mode.judge(rows, INFERENCE).text == text


def test_each_switch_stops_what_it_is_there_for_and_nothing_else() -> None:
    rows = inference_mode.measure(INFERENCE, SEED)
    for evaluating, gradients in itertools.product((True, False), repeat=2):
        for kind in INFERENCE.networks:
            for row in rows_where(rows, network=kind, eval=evaluating, gradients=gradients):
                assert (row["largest_move_of_weights"] > 0) == gradients
                assert (row["largest_move_of_averages"] > 0) == (kind == "batch norm" and not evaluating)
                assert (row["probability_change"] > 1e-6) == (not evaluating)


def test_a_line_needs_no_power_and_a_cubic_three() -> None:
    for coefficients, expected in (([1.0, -2.0], 1), ([1.0, -2.0, 0.5, 1.5], 3)):
        rows = polynomial_degree.measure(DEGREE.model_copy(update={"coefficients": coefficients}), SEED)
        assert polynomial_degree.best_degree(rows) == expected
        errors = [row["train_rmse"] for row in rows_where(rows, kind="error", repetition=0)]
        assert (np.diff(errors) < 1e-9).all()  # a further power never fits the training rows worse
