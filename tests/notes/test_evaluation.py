"""Metrics, intervals and paired tests against closed forms, scipy, scikit-learn and simulation."""

import itertools

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.linear_model import LinearRegression

from notes import evaluation, validation
from notes.evaluation.seeds import crossed_difference
from notes.files import UserError

LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 2, 2, 2, 2, 0])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def right_and_wrong(right: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.ones(rows, dtype=int)
    return labels, (np.arange(rows) < right).astype(int)


def paired_labels(both: int, first_only: int, second_only: int, neither: int) -> tuple[np.ndarray, ...]:
    """Return labels and two models' predictions with these four counts."""
    counts = (both, first_only, second_only, neither)
    first = np.repeat([1, 1, 0, 0], counts)
    second = np.repeat([1, 0, 1, 0], counts)
    return np.ones(len(first), dtype=int), first, second


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("right", "rows"), [(9823, 10_000), (1, 3), (0, 20), (20, 20)])
def test_accuracy_interval_holds_the_rates_that_a_score_test_does_not_reject(right: int, rows: int) -> None:
    interval = evaluation.accuracy(*right_and_wrong(right, rows), 0.95)
    assert interval.value == right / rows
    for end, at_the_border in ((interval.low, right == 0), (interval.high, right == rows)):
        if at_the_border:
            assert end == interval.value
        else:
            score = abs(interval.value - end) / np.sqrt(end * (1 - end) / rows)
            assert score == pytest.approx(stats.norm.ppf(0.975))


def test_accuracy_interval_covers_the_true_rate_in_95_percent_of_samples() -> None:
    rows, rate = 200, 0.9
    counts = np.arange(rows + 1)
    # A long run of samples of this size, exactly: each count weighted by its binomial probability.
    weights = stats.binom.pmf(counts, rows, rate)
    covered = [
        (interval := evaluation.accuracy(*right_and_wrong(int(count), rows), 0.95)).low <= rate <= interval.high
        for count in counts
    ]
    assert np.dot(weights, covered) == pytest.approx(0.95, abs=0.015)


@settings(max_examples=40)
@given(rows=st.integers(1, 500), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_accuracy_interval_contains_the_estimate_within_0_and_1(rows: int, share: float, confidence: float) -> None:
    interval = evaluation.accuracy(*right_and_wrong(round(share * rows), rows), confidence)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_rmse_interval_agrees_with_the_chi_square_interval_for_gaussian_errors() -> None:
    rows, sigma = 4000, 2.0
    targets = generator().normal(size=rows)
    predicted = targets + generator(1).normal(scale=sigma, size=rows)
    interval = evaluation.rmse(targets, predicted, resamples=2000, generator=generator(2))
    expected = np.sqrt(rows * interval.value**2 / stats.chi2.ppf([0.975, 0.025], rows))
    assert interval.value == pytest.approx(sklearn.metrics.root_mean_squared_error(targets, predicted))
    width = expected[1] - expected[0]
    assert np.abs(np.array([interval.low, interval.high]) - expected).max() < 0.1 * width


def test_rmse_interval_covers_the_noise_level_of_small_test_sets() -> None:
    rows, samples = 20, 400
    noise = generator(3).normal(size=(samples, rows))
    intervals = [evaluation.rmse(np.zeros(rows), errors, resamples=300, generator=generator(4)) for errors in noise]
    coverage = np.mean([interval.low <= 1 <= interval.high for interval in intervals])
    # Four standard errors of a coverage of 0.95.
    assert 0.906 <= coverage <= 0.994


@settings(max_examples=30)
@given(errors=arrays(int, st.integers(8, 60), elements=st.integers(-99, 99)), seed=st.integers(0, 99))
def test_rmse_interval_contains_the_estimate(errors: np.ndarray, seed: int) -> None:
    interval = evaluation.rmse(np.zeros(len(errors)), errors, resamples=200, generator=generator(seed))
    slack = 1e-12 * (1 + interval.value)
    assert 0 <= interval.low <= interval.value + slack
    assert interval.value - slack <= interval.high


def test_rmse_interval_of_a_small_test_set_reaches_higher_than_the_percentiles_of_its_resamples() -> None:
    errors = generator(6).normal(size=25)
    interval = evaluation.rmse(np.zeros(25), errors, resamples=4000, generator=generator(7))
    resampled = np.sqrt((errors[generator(8).integers(0, 25, (4000, 25))] ** 2).mean(axis=1))
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert interval.low > low + 0.01
    assert interval.high > high + 0.01


def test_equal_errors_have_an_rmse_interval_of_no_width() -> None:
    interval = evaluation.rmse(np.zeros(5), np.full(5, -3.0), resamples=100, generator=generator())
    assert interval == (3.0, 3.0, 3.0)


def test_equal_generators_give_equal_intervals() -> None:
    errors = generator().normal(size=50)
    first, second = (evaluation.rmse(np.zeros(50), errors, resamples=100, generator=generator(7)) for _ in range(2))
    assert first == second


def test_an_interval_is_that_of_the_pivots_written_out() -> None:
    squares = generator().exponential(size=40)
    found = evaluation.rmse(np.zeros(40), np.sqrt(squares), resamples=120, generator=generator(1))

    def log_and_error(values: np.ndarray) -> tuple[float, float]:
        return np.log(values.mean()), stats.sem(values) / values.mean()

    value, error = log_and_error(squares)
    draws = generator(1)
    chosen = np.concatenate([draws.integers(0, 40, (size, 40)) for size in (50, 50, 20)])
    pivots = sorted((log - value) / own for log, own in map(log_and_error, squares[chosen]))
    # The 3rd and the 117th of 120: 2.5 % and 97.5 % of the resamples lie at or below.
    expected = [np.sqrt(np.exp(value - pivots[place] * error)) for place in (116, 2)]
    assert [found.low, found.high] == pytest.approx(expected)


def test_r2_is_the_share_of_variance_explained() -> None:
    targets, predicted = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    explained = 1 - np.sum((targets - predicted) ** 2) / np.sum((targets - targets.mean()) ** 2)
    found = evaluation.r2(targets, predicted, resamples=100, generator=generator())
    assert found.value == pytest.approx(explained)
    assert found.low <= found.value <= found.high
    assert evaluation.r2(targets, targets, resamples=100, generator=generator()) == (1.0, 1.0, 1.0)


def test_r2_interval_covers_the_share_that_can_be_explained() -> None:
    rows, covered = 60, 0
    for seed in range(300):
        signal, noise = generator(seed).normal(size=(2, rows))
        found = evaluation.r2(2 * signal + noise, 2 * signal, resamples=300, generator=generator(1))
        covered += found.low <= 0.8 <= found.high
    assert 0.90 <= covered / 300 <= 0.99


def test_log_loss_interval_nears_the_normal_one_on_large_samples() -> None:
    probabilities = softmax(generator().normal(size=(3000, 4)))
    labels = generator(1).integers(0, 4, 3000)
    losses = -np.log(probabilities[np.arange(3000), labels])
    found = evaluation.mean_log_loss(labels, probabilities, resamples=2000, generator=generator(2))
    reach = stats.norm.ppf(0.975) * stats.sem(losses)
    assert found.value == pytest.approx(sklearn.metrics.log_loss(labels, probabilities))
    assert [found.low, found.high] == pytest.approx([found.value - reach, found.value + reach], abs=0.15 * reach)


@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_calibration_error_interval_covers_the_gap_of_probabilities_that_are_too_sure(sharpness: float) -> None:
    def gap(confidence: np.ndarray) -> np.ndarray:  # of two classes whose logits are `sharpness` times too large
        return confidence - 1 / (1 + (1 / confidence - 1) ** (1 / sharpness))

    covered, samples = 0, 100
    for seed in range(samples):
        logits = sharpness * generator(seed).normal(size=400)
        truth = generator(seed + 1000).uniform(size=400) < 1 / (1 + np.exp(-logits / sharpness))
        probabilities = np.column_stack([1 / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits))])
        found = evaluation.calibration_error(truth.astype(int), probabilities, resamples=200, generator=generator(1))
        covered += found.low <= gap(probabilities.max(axis=1)).mean() <= found.high
    assert covered / samples >= 0.9


def test_log_loss_is_the_mean_negative_log_probability_of_the_true_class() -> None:
    probabilities = softmax(generator().normal(size=(200, 5)))
    labels = generator(1).integers(0, 5, 200)
    expected = -np.log(probabilities[np.arange(200), labels]).mean()
    assert validation.log_loss(labels, probabilities) == pytest.approx(expected, rel=1e-12)
    # Single precision, as PyTorch gives it, neither warns nor changes the clip.
    assert validation.log_loss(labels, probabilities.astype(np.float32)) == pytest.approx(expected, rel=1e-6)


def test_a_sure_and_wrong_prediction_costs_36_nats_in_either_precision() -> None:
    sure = np.array([[1.0, 0.0]])
    expected = -np.log(np.finfo(float).eps)
    assert validation.log_loss([1], sure) == pytest.approx(expected)
    assert validation.log_loss([1], sure.astype(np.float32)) == pytest.approx(expected)


def test_confusion_counts_true_classes_in_rows() -> None:
    matrix = evaluation.confusion(LABELS, PREDICTED, 3)
    assert matrix.sum(axis=1).tolist() == np.bincount(LABELS).tolist()
    assert matrix.sum(axis=0).tolist() == np.bincount(PREDICTED).tolist()
    assert matrix[2, 0] == 1  # the last row: a 2 taken for a 0
    assert matrix[0, 2] == 0


def test_per_class_scores_follow_from_the_counts() -> None:
    rows = evaluation.per_class(LABELS, PREDICTED, 3)
    assert [row["support"] for row in rows] == [3, 2, 5]
    assert [row["precision"] for row in rows] == pytest.approx([2 / 4, 1 / 2, 1])
    assert [row["recall"] for row in rows] == pytest.approx([2 / 3, 1 / 2, 4 / 5])
    assert [row["f1"] for row in rows] == pytest.approx([4 / 7, 1 / 2, 8 / 9])
    low, high = stats.binomtest(4, 5).proportion_ci(method="wilson")
    assert (rows[2]["recall_low"], rows[2]["recall_high"]) == pytest.approx((low, high))


def test_a_class_never_predicted_scores_0() -> None:
    row = evaluation.per_class([0, 1], [0, 0], 2)[1]
    assert (row["precision"], row["recall"], row["f1"]) == (0, 0, 0)


def test_a_class_absent_from_the_labels_is_named() -> None:
    with pytest.raises(UserError, match="Class 2 has no rows"):
        evaluation.per_class([0, 1], [0, 1], 3)


def test_calibration_error_of_labels_drawn_from_the_probabilities_is_nearly_0() -> None:
    first = generator().uniform(size=40_000)
    probabilities = np.stack([first, 1 - first], axis=1)
    labels = (generator(1).uniform(size=40_000) > first).astype(int)
    rows, error = evaluation.calibration(labels, probabilities, 10)
    assert error < 0.01
    assert sum(row["count"] for row in rows) == 40_000
    assert [row["low"] for row in rows] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])
    assert all(row["low"] <= row["confidence"] <= row["high"] for row in rows)


def test_calibration_error_of_a_model_always_sure_is_its_error_rate() -> None:
    probabilities = np.eye(3)[PREDICTED]
    rows, error = evaluation.calibration(LABELS, probabilities)
    assert error == pytest.approx(np.mean(LABELS != PREDICTED))
    assert len(rows) == 1


def test_calibration_bins_are_closed_on_the_right() -> None:
    rows, _ = evaluation.calibration([0], [[0.5, 0.5]], 2)
    assert (rows[0]["low"], rows[0]["high"]) == (0.0, 0.5)


@pytest.mark.parametrize("counts", [(9700, 120, 80, 100), (40, 9, 2, 5), (10, 0, 0, 3), (0, 6, 0, 0), (3, 4, 4, 0)])
def test_mcnemar_is_a_binomial_test_of_the_rows_that_one_model_alone_gets_right(counts: tuple[int, ...]) -> None:
    result = evaluation.mcnemar(*paired_labels(*counts))
    discordant = counts[1] + counts[2]
    expected = stats.binomtest(counts[1], discordant, 0.5).pvalue if discordant else 1.0
    assert result["p_value"] == pytest.approx(expected)
    assert (result["only_first_right"], result["only_second_right"]) == counts[1:3]
    assert result["difference"] == pytest.approx((counts[1] - counts[2]) / sum(counts))


def test_paired_difference_interval_nears_the_wald_interval_on_large_samples() -> None:
    both, first_only, second_only, neither = 90_000, 4_000, 3_000, 3_000
    rows = both + first_only + second_only + neither
    result = evaluation.mcnemar(*paired_labels(both, first_only, second_only, neither))
    variance = (first_only + second_only - (first_only - second_only) ** 2 / rows) / rows**2
    reach = stats.norm.ppf(0.975) * np.sqrt(variance)
    assert result["difference_low"] == pytest.approx(result["difference"] - reach, abs=0.02 * reach)
    assert result["difference_high"] == pytest.approx(result["difference"] + reach, abs=0.02 * reach)


def test_paired_difference_interval_covers_the_true_difference() -> None:
    shares = np.array([0.75, 0.12, 0.05, 0.08])
    drawn = generator(5).multinomial(100, shares, size=600)
    results = [evaluation.mcnemar(*paired_labels(*counts)) for counts in drawn]
    coverage = np.mean([result["difference_low"] <= 0.07 <= result["difference_high"] for result in results])
    assert 0.92 <= coverage <= 0.985


@settings(max_examples=40)
@given(counts=st.tuples(*[st.integers(0, 60)] * 4).filter(lambda counts: sum(counts) > 0))
def test_swapping_the_models_mirrors_the_accuracy_difference(counts: tuple[int, ...]) -> None:
    labels, first, second = paired_labels(*counts)
    forward, backward = evaluation.mcnemar(labels, first, second), evaluation.mcnemar(labels, second, first)
    assert forward["difference"] == -backward["difference"]
    assert forward["difference_low"] == pytest.approx(-backward["difference_high"])
    assert forward["p_value"] == pytest.approx(backward["p_value"])
    assert -1 <= forward["difference_low"] <= forward["difference"] <= forward["difference_high"] <= 1


def test_swapping_the_models_mirrors_the_rmse_difference() -> None:
    targets = generator().normal(size=80)
    first, second = targets + generator(1).normal(size=80), targets + generator(2).normal(size=80)
    forward, backward = (
        evaluation.paired_rmse(targets, *pair, resamples=400, generator=generator(3))
        for pair in ((first, second), (second, first))
    )
    assert forward["difference"] == pytest.approx(-backward["difference"])
    assert forward["difference_low"] == pytest.approx(-backward["difference_high"])
    assert forward["p_value"] == backward["p_value"]


def test_the_test_of_two_models_goes_through_all_exchanges_of_a_few_rows() -> None:
    first, second = np.array([3.0, 1.0, 2.5, 2.0, 1.5, 3.5]), np.array([1.0, 1.2, 1.1, 0.5, 1.4, 0.3])
    found = evaluation.paired_rmse(np.zeros(6), first, second, resamples=100, generator=generator())
    differences = first**2 - second**2
    signs = np.array(list(itertools.product([1, -1], repeat=6)))  # 64: fewer than the resamples, so each is taken once
    as_far = np.abs((signs * differences).mean(axis=1)) >= abs(differences.mean()) - 1e-12
    assert found["p_value"] == pytest.approx((as_far.sum() + 1) / 65)


def test_two_models_of_equal_quality_differ_in_5_percent_of_small_test_sets() -> None:
    p_values = []
    for seed in range(400):
        common, one, other = generator(seed).normal(size=(3, 20))
        found = evaluation.paired_rmse(
            np.zeros(20), common + one / 2, common + other / 2, resamples=299, generator=generator(1)
        )
        p_values.append(found["p_value"])
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 400))


def test_holm_multiplies_the_smallest_by_all_the_next_by_one_fewer_and_keeps_their_order() -> None:
    assert evaluation.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert evaluation.holm([0.9, 0.8]) == [1.0, 1.0]
    assert evaluation.holm([]) == []


def test_rmse_difference_interval_agrees_with_the_delta_method() -> None:
    rows = 3000
    targets = generator().normal(size=rows)
    first = targets + generator(1).normal(scale=1.1, size=rows)
    second = targets + generator(2).normal(size=rows)
    result = evaluation.paired_rmse(targets, first, second, resamples=2000, generator=generator(3))
    squares = [(predicted - targets) ** 2 for predicted in (first, second)]
    roots = [np.sqrt(square.mean()) for square in squares]
    influence = squares[0] / (2 * roots[0]) - squares[1] / (2 * roots[1])
    reach = stats.norm.ppf(0.975) * influence.std() / np.sqrt(rows)
    assert result["difference"] == pytest.approx(roots[0] - roots[1])
    assert result["difference_low"] == pytest.approx(result["difference"] - reach, abs=0.15 * reach)
    assert result["difference_high"] == pytest.approx(result["difference"] + reach, abs=0.15 * reach)
    assert result["p_value"] < 0.05


def test_rmse_p_value_is_small_exactly_when_the_interval_excludes_0() -> None:
    targets = np.zeros(100)
    for seed in range(15):
        noise = generator(seed)
        first, second = noise.normal(size=100), noise.normal(scale=1.15, size=100)
        result = evaluation.paired_rmse(targets, first, second, resamples=1999, generator=generator(1))
        if abs(result["p_value"] - 0.05) > 0.002:  # nearer than that, a single resample decides
            assert (result["p_value"] < 0.05) == (result["difference_low"] * result["difference_high"] > 0)


def test_two_equal_models_do_not_differ() -> None:
    targets, predicted = np.zeros(10), np.arange(10.0)
    result = evaluation.paired_rmse(targets, predicted, -predicted, resamples=100, generator=generator())
    assert result == {"difference": 0, "difference_low": 0, "difference_high": 0, "p_value": 1}


def test_bootstraps_of_10000_rows_stay_within_32_megabytes() -> None:
    import tracemalloc

    errors = generator().normal(size=10_000)
    tracemalloc.start()
    try:
        evaluation.rmse(np.zeros(10_000), errors, resamples=2000, generator=generator())
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()


def test_least_squares_agrees_with_linear_regression() -> None:
    features = generator().normal(size=(50, 3)) @ np.array([[1, 0.9, 0], [0, 0.4, 0], [0, 0, 5.0]])
    targets = generator(1).normal(size=50)
    model = LinearRegression().fit(features, targets)
    assert evaluation.least_squares(features, targets) == pytest.approx([model.intercept_, *model.coef_], rel=1e-9)


def test_least_squares_takes_one_feature_as_a_plain_array() -> None:
    feature = np.arange(5.0)
    assert evaluation.least_squares(feature, 3 - 2 * feature) == pytest.approx([3, -2])


def test_coefficient_distance_is_relative_to_the_reference() -> None:
    distance = evaluation.coefficient_distance([1.1, -20.0], [1.0, -16.0])
    assert distance == {"max_absolute": pytest.approx(4), "max_relative": pytest.approx(0.25)}


def test_coefficient_distance_from_a_reference_of_0_is_finite() -> None:
    assert evaluation.coefficient_distance([1e-12], [0.0])["max_relative"] == pytest.approx(1)


def test_champion_has_the_best_validation_metric_whatever_the_test_metric_says() -> None:
    validation = {
        "a": {"val/accuracy": 0.9, "val/loss": 0.1, "test/accuracy": 0.99},
        "b": {"val/accuracy": 0.95, "val/loss": 0.5, "test/accuracy": 0.5},
    }
    assert evaluation.choose_champion(validation, "val/accuracy", "maximize", ["a", "b"]) == "b"
    assert evaluation.choose_champion(validation, "val/accuracy", "minimize", ["a", "b"]) == "a"
    assert evaluation.choose_champion(validation, "val/accuracy", "maximize", ["a"]) == "a"


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_champion_ties_go_to_the_lower_loss_and_then_to_the_earlier_candidate(direction: str) -> None:
    validation = {
        "late": {"val/accuracy": 0.9, "val/loss": 0.2},
        "early": {"val/accuracy": 0.9, "val/loss": 0.2},
        "lossy": {"val/accuracy": 0.9, "val/loss": 0.3},
        "unknown": {"val/accuracy": 0.9},
    }
    assert (
        evaluation.choose_champion(validation, "val/accuracy", direction, ["unknown", "lossy", "early", "late"])
        == "early"
    )


def test_champion_without_a_validation_metric_is_refused() -> None:
    with pytest.raises(UserError, match="mlp has no finite val/accuracy"):
        evaluation.choose_champion({"mlp": {"val/accuracy": float("nan")}}, "val/accuracy", "maximize", ["mlp"])
    with pytest.raises(UserError, match="mlp has no finite val/accuracy"):
        evaluation.choose_champion({}, "val/accuracy", "maximize", ["mlp"])
    with pytest.raises(UserError, match="no candidate"):
        evaluation.choose_champion({}, "val/accuracy", "maximize", [])
    with pytest.raises(UserError, match="'up'"):
        evaluation.choose_champion({"mlp": {"val/accuracy": 1}}, "val/accuracy", "up", ["mlp"])


def test_a_model_that_predicts_nan_is_named_with_the_row() -> None:
    with pytest.raises(UserError, match=r"mlp predicts NaN or infinity, first in row 1"):
        validation.check_predictions("mlp", [0.0, np.nan, np.inf], 3)


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([], [], "no rows"),
        ([1, 2], [1, 2, 3], "for 2 rows"),
        ([1, 2], [[1], [2]], "flatten"),
        ([1.0, 2.0], [1.0, np.nan], "predicts NaN"),
        ([1.0, np.inf], [1.0, 2.0], "true values hold NaN"),
    ],
)
def test_unusable_input_is_refused_in_one_sentence(truth: list[float], predicted: list[float], message: str) -> None:
    draws = {"resamples": 100, "generator": generator()}
    for call in (
        lambda: evaluation.accuracy(truth, predicted),
        lambda: evaluation.r2(truth, predicted, **draws),
        lambda: evaluation.confusion(truth, predicted, 3),
        lambda: evaluation.mcnemar(truth, predicted, predicted),
        lambda: evaluation.rmse(truth, predicted, **draws),
        lambda: evaluation.paired_rmse(truth, predicted, predicted, **draws),
        lambda: evaluation.coefficient_distance(predicted, truth),
    ):
        with pytest.raises(UserError, match=message):
            call()


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [[0.5, 0.4], [0.5, 0.5]], "sum to 1"),
        ([0, 1], [[1.5, -0.5], [0.5, 0.5]], "none negative"),
        ([0, 1], [0.5, 0.5], "column a class"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "outside the 2 classes"),
    ],
)
def test_what_are_no_probabilities_is_refused(labels: list[int], probabilities: list[object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        validation.log_loss(labels, probabilities)
    with pytest.raises(UserError, match=message):
        evaluation.calibration(labels, probabilities)


def test_a_prediction_outside_the_classes_is_named() -> None:
    with pytest.raises(UserError, match="prediction 7 is not one of the 3 classes"):
        evaluation.confusion(LABELS, np.where(LABELS == 1, 7, LABELS), 3)


def crossed_scores(seed: int, seeds: int = 5, rows: int = 100) -> np.ndarray:
    """Return right (1) and wrong (0) of two kinds of network, equally good, (2, seeds, rows): rows are hard to both."""
    draws = generator(seed)
    row, peculiar = draws.normal(size=rows), draws.normal(scale=0.5, size=(2, seeds, rows))
    return (0.8 + row + draws.normal(scale=0.3, size=(2, seeds, 1)) + peculiar > 0).astype(float)


def test_a_difference_over_seeds_and_rows_is_covered_at_least_as_often_as_stated() -> None:
    found = [crossed_difference(*crossed_scores(seed)) for seed in range(400)]
    covered = np.mean([one["difference_low"] <= 0 <= one["difference_high"] for one in found])
    assert 0.95 - 3 * np.sqrt(0.05 * 0.95 / 400) <= covered
    over_seeds_alone = [stats.ttest_ind(*crossed_scores(seed).mean(axis=2)).pvalue > 0.05 for seed in range(400)]
    assert covered >= np.mean(over_seeds_alone)


def test_where_all_rows_are_the_same_the_interval_is_welchs_over_the_seeds() -> None:
    first, second = (np.repeat(generator(seed).normal(size=(size, 1)), 3, axis=1) for seed, size in ((0, 5), (1, 8)))
    welch = stats.ttest_ind(first[:, 0], second[:, 0], equal_var=False)
    found = crossed_difference(first, second)
    assert found["p_value"] == pytest.approx(welch.pvalue)
    assert found["degrees_of_freedom"] == pytest.approx(welch.df)
    low, high = welch.confidence_interval(0.95)
    assert [found["difference_low"], found["difference_high"]] == pytest.approx([low, high])


def test_where_all_seeds_agree_the_interval_is_the_paired_one_over_the_rows() -> None:
    first, second = (np.repeat(generator(seed).normal(size=(1, 40)), 5, axis=0) for seed in (0, 1))
    paired = stats.ttest_rel(first[0], second[0])
    found = crossed_difference(first, second)
    assert found["p_value"] == pytest.approx(paired.pvalue)
    low, high = paired.confidence_interval(0.95)
    assert [found["difference_low"], found["difference_high"]] == pytest.approx([low, high])


def test_one_seed_is_no_comparison_over_seeds_and_equal_networks_do_not_differ() -> None:
    with pytest.raises(UserError, match="train more seeds"):
        crossed_difference(np.ones((1, 5)), np.ones((3, 5)))
    assert crossed_difference(np.ones((2, 5)), np.ones((3, 5)))["p_value"] == 1.0
