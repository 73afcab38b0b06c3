"""Eight studies: every rule refuses a counter-example, every measure agrees with one made by hand."""

import importlib

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy import special
from sklearn.datasets import make_blobs, make_moons

from notes.data.tasks import Split
from notes.files import UserError, read_values, write_rows
from notes.networks.mlp import Mlp
from notes.params import check_params, load_params
from notes.settings import read_yaml
from notes.studies import (
    capacity,
    dead_relu,
    linear_collapse,
    mini_batches,
    shuffling,
    softmax_probabilities,
    vanishing_gradients,
)
from notes.studies.shared.base import judging, table
from notes.studies.shared.side_by_side import for_all, stack

SEED = np.random.SeedSequence(7)
SETTINGS = load_params().study
SHRUNK = {
    "linear_collapse": {"epochs": 25, "repetitions": 3, "learning_rate": 0.05},
    "vanishing_gradients": {"depths": [2, 8], "width": 16, "rows": 64, "repetitions": 3},
    "zero_centred": {
        "hidden_sizes": [8], "learning_rates": [0.003, 0.1, 0.5, 100.0], "batch_size": 50, "max_epochs": 15,
        "target_loss": 0.5, "repetitions": 6,
    },
    "dead_relu": {"learning_rates": [0.01, 1.0], "epochs": 2, "repetitions": 3},
    "softmax_probabilities": {"scales": [1.0, 1000.0], "rows": 40, "repetitions": 3},
    "capacity": {"widths": [1, 16], "depths": [1, 2], "epochs": 10, "repetitions": 4},
    "shuffling": {
        "rows": 200, "validation_rows": 100, "hidden_sizes": [16], "batch_size": 5, "epochs": 2,
        "learning_rate": 0.2, "repetitions": 6,
    },
    "mini_batches": {
        "rows": 200, "validation_rows": 100, "hidden_sizes": [16], "batch_sizes": [20, 50],
        "learning_rates": [0.0001, 0.05, 0.2, 100.0], "max_epochs": 15, "repetitions": 6,
    },
}  # fmt: skip
STUDIES = {name: importlib.import_module(f"notes.studies.{name}") for name in SHRUNK}


def shrunk(name, **changes):
    return getattr(SETTINGS, name).model_copy(update=SHRUNK[name] | changes)


def verdict_of(name, **changes):
    settings = shrunk(name, **changes)
    return STUDIES[name].judge(STUDIES[name].measure(settings, SEED), settings)


@pytest.fixture(autouse=True)
def data(monkeypatch):
    """Two moons, and for digits ten overlapping clouds of 64 features: the studies run without prepared data."""
    moons, labels = make_moons(600, noise=0.2, random_state=0)
    clouds, classes = make_blobs(600, 64, centers=10, cluster_std=10.0, random_state=0)
    clouds = (clouds - clouds.mean()) / clouds.std()
    tasks = {"moons": (moons, labels), "mnist": (clouds, classes)}
    parts = {"train": slice(0, 400), "validation": slice(400, None)}

    def load_split(task, split):
        inputs, targets = tasks[task]
        return Split(inputs[parts[split]].astype(np.float32), targets[parts[split]].astype(np.int64))

    for study in STUDIES.values():
        if hasattr(study, "load_split"):
            monkeypatch.setattr(study, "load_split", load_split)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_repeats_itself_states_its_claim_and_its_table_is_enough_to_draw_its_finding(name, tmp_path):
    study, settings = STUDIES[name], shrunk(name)
    rows, again = study.measure(settings, SEED), study.measure(settings, SEED)
    for row in rows + again:
        for timing in [column for column in row if column.startswith("time/")]:
            del row[timing]
    assert rows == again
    assert rows != study.measure(settings, np.random.SeedSequence(8))
    verdict = study.judge(rows, settings)
    assert verdict.low <= verdict.value <= verdict.high
    write_rows(tmp_path / "table.csv", table(rows))
    draw = importlib.import_module(f"notes.figures.studies.{name}").draw
    figure = draw(read_values(tmp_path / "table.csv"), verdict)
    assert isinstance(figure, Figure)
    assert "".join(figure.get_suptitle().split()) == "".join(verdict.finding.split())
    assert study.CLAIM.endswith(".")
    assert study.RULE.endswith(".")
    assert study.NOTES[0].isdigit()


def test_a_network_without_activation_is_no_better_than_linear_layers():
    assert verdict_of("linear_collapse").text == "holds"
    assert verdict_of("linear_collapse", activation="none").text == "fails"


def test_a_stack_that_is_not_its_product_breaks_the_collapse():
    settings = shrunk("linear_collapse")
    rows = linear_collapse.measure(settings, SEED)
    bent = [row | {"collapse_error": 2e-5} if row["part"] == "network" else row for row in rows]
    assert linear_collapse.judge(bent, settings).text == "fails"


def test_the_product_of_linear_layers_is_the_stack_and_with_an_activation_it_is_not():
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    stack, bent = (
        linear_collapse.make_network([8, 3], activation, torch.Generator().manual_seed(1))
        for activation in ("none", "tanh")
    )
    weights, _ = linear_collapse.collapse(stack)
    # A linear map is the matrix of what it does to the axes, its bias (zero at the start) aside.
    torch.testing.assert_close(weights.T.float(), stack(torch.eye(2)).detach())
    assert linear_collapse.collapse_error(stack, points) < 1e-6
    assert linear_collapse.collapse_error(bent, points) > 0.01


def test_what_passes_back_through_a_unit_is_the_slope_of_its_activation():
    settings = shrunk("vanishing_gradients", width=100, rows=1000)
    found = {
        name: vanishing_gradients.share_passed(settings, name, 2.0, torch.Generator().manual_seed(0))
        for name in ("sigmoid", "tanh", "relu")
    }
    z = np.linspace(1, 2, 10_001)  # the inputs are uniform between half the size and the size, or minus that
    sigmoid = special.expit(z)
    expected = {"sigmoid": sigmoid * (1 - sigmoid), "tanh": 1 - np.tanh(z) ** 2, "relu": np.full(len(z), 0.5**0.5)}
    for name, slopes in expected.items():
        assert found[name] == pytest.approx(np.sqrt(np.mean(slopes**2)), rel=0.02)


def test_the_gradient_norms_are_those_of_finite_differences():
    settings = shrunk("vanishing_gradients", width=3, rows=5)
    norms = vanishing_gradients.gradient_norms(settings, "tanh", "he_xavier", 2, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    inputs, targets = (torch.randn(5, n, generator=generator, dtype=torch.float64) for n in (3, 1))
    network = Mlp(3, [3, 3], 1, activation="tanh").initialise(generator).double()
    for layer, norm in zip(network.layers[::2], norms, strict=False):
        squares = 0.0
        for entry in np.ndindex(*layer.weight.shape):
            ends = []
            for step in (1e-6, -1e-6):
                with torch.no_grad():
                    layer.weight[entry] += step
                    ends.append(((network(inputs) - targets) ** 2).mean().item())
                    layer.weight[entry] -= step
            squares += ((ends[0] - ends[1]) / 2e-6) ** 2
        assert norm == pytest.approx(squares**0.5, rel=1e-6)


def test_tanh_is_not_faster_than_itself_nor_sigmoid_faster_than_tanh():
    assert verdict_of("zero_centred").text == "holds"
    assert verdict_of("zero_centred", uncentred="tanh").text == "fails"
    assert verdict_of("zero_centred", centred="sigmoid", uncentred="tanh").text == "fails"


def test_a_best_learning_rate_at_the_end_of_the_list_settles_nothing():
    assert verdict_of("zero_centred", learning_rates=[0.5, 100.0]).text == "unsettled"


def test_relu_dies_at_a_high_learning_rate_alone_and_leaky_relu_at_none():
    assert verdict_of("dead_relu").text == "holds"
    assert verdict_of("dead_relu", learning_rates=[0.01]).text == "fails"
    assert verdict_of("dead_relu", mortal="leaky_relu").text == "fails"
    assert verdict_of("dead_relu", immortal="relu").text == "fails"


def test_units_are_dead_whose_input_is_negative_for_every_sample_if_their_activation_is_flat_there():
    moons = dead_relu.load_split("moons", "train")
    for activation, expected in (("relu", 0.25), ("leaky_relu", 0.0)):
        network, alive = (Mlp(2, [8], 1, activation=activation) for _ in range(2))
        for one, negative in ((network, 2), (alive, 0)):
            one.initialise(torch.Generator().manual_seed(0))
            with torch.no_grad():
                one.layers[0].bias[:] = torch.tensor([-100.0] * negative + [100.0] * (8 - negative))
        assert dead_relu.dead_shares(stack([network, alive]), for_all(moons, 2)) == [expected, 0.0]


def test_probabilities_that_do_not_sum_to_one_break_the_claim(monkeypatch):
    assert verdict_of("softmax_probabilities").text == "holds only for the log-sum-exp form"
    forms = softmax_probabilities.FORMS
    monkeypatch.setitem(forms, "naive", softmax_probabilities.log_sum_exp)
    assert verdict_of("softmax_probabilities").text == "holds"
    for form in list(forms):
        monkeypatch.setitem(forms, form, torch.nn.functional.logsigmoid)
    assert verdict_of("softmax_probabilities").text == "fails"


def test_both_forms_of_softmax_are_scipys():
    logits = torch.randn(20, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for form in softmax_probabilities.FORMS.values():
        np.testing.assert_allclose(form(logits), special.log_softmax(logits.numpy(), axis=1))


def test_the_noisy_set_is_small_and_has_its_share_of_labels_flipped():
    moons = capacity.load_split("moons", "train")
    settings = shrunk("capacity", rows=400, label_noise=0.2)
    noisy = capacity.small_noisy_set(moons, settings, torch.Generator().manual_seed(0))
    right = {tuple(point): label for point, label in zip(moons.inputs.tolist(), moons.targets, strict=True)}
    flipped = [right[tuple(point)] != label for point, label in zip(noisy.inputs.tolist(), noisy.targets, strict=True)]
    assert len(flipped) == 400
    assert np.mean(flipped) == pytest.approx(0.2, abs=0.06)


def test_an_order_is_no_better_than_itself(monkeypatch):
    assert verdict_of("shuffling").text.startswith("holds")
    original = shuffling.orders
    monkeypatch.setattr(shuffling, "orders", lambda order, *rest: original("once", *rest))
    assert verdict_of("shuffling").text == "fails"


def test_every_order_has_every_row_and_only_a_reshuffled_one_changes():
    labels = torch.tensor([2, 0, 1, 0, 2, 1, 0])
    for order, by_class, changing in (("sorted", True, False), ("once", False, False), ("every_epoch", False, True)):
        first, second = shuffling.orders(order, labels, 2, torch.Generator().manual_seed(0))
        assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(7))
        assert (labels[first].diff() >= 0).all().item() is by_class
        assert (not torch.equal(first, second)) is changing


def test_a_batch_that_needs_as_many_samples_as_the_whole_set_is_no_faster():
    settings = shrunk("mini_batches")
    rows = mini_batches.measure(settings, SEED)
    assert mini_batches.judge(rows, settings).text == "holds"
    whole = {row["repetition"]: row["samples"] for row in judging(rows) if row["batch_size"] == settings.rows}
    for slow, text in (([20, 50], "fails"), ([50], "holds only for batches of 20")):
        equal = [
            row | {"samples": whole[row["repetition"]]} if row in judging(rows) and row["batch_size"] in slow else row
            for row in rows
        ]
        assert mini_batches.judge(equal, settings).text == text


def test_samples_are_whole_passes_over_the_set():
    settings = shrunk("mini_batches")
    for row in mini_batches.measure(settings, SEED):
        passes = row["updates"] / -(-settings.rows // row["batch_size"])
        assert row["samples"] == passes * settings.rows
        assert passes == settings.max_epochs or row["reached"]


@pytest.mark.parametrize(
    ("study", "key", "value"),
    [
        ("linear_collapse", "activation", "softmax"),
        ("vanishing_gradients", "depths", [1, 5]),
        ("zero_centred", "repetitions", 1),
        ("dead_relu", "learning_rates", []),
        ("softmax_probabilities", "tolerance", 0.0),
        ("capacity", "label_noise", 0.5),
        ("shuffling", "rows", 5),
        ("mini_batches", "batch_sizes", [512]),
        ("mini_batches", "target_accuracy", 80),
    ],
)
def test_settings_outside_their_range_are_refused_by_name(study, key, value):
    params = read_yaml("params.yaml")
    params["study"][study][key] = value
    with pytest.raises(UserError, match=f"study.{study}.{key}"):
        check_params(params)
