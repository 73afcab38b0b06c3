"""The classification loop against scikit-learn, numpy and computations by hand."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import special
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as scikit_learns_log_loss
from sklearn.neural_network import MLPClassifier
from torch.nn import functional

from notes.baselines import fit as fit_estimator
from notes.data.tasks import Split
from notes.files import UserError
from notes.networks import extras
from notes.networks.determinism import make_deterministic, require_device, require_precision
from notes.networks.extras import follow_one_cycle, make_optimizer
from notes.networks.losses import log_loss
from notes.networks.mlp import (
    ClassifierOptions,
    Mlp,
    NonFiniteLossError,
    evaluate,
    fit_classifier,
    step_by_autograd,
    train_epoch,
)
from notes.params import load_params


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(rows=60, classes=2, noise=1.0, seed=0):
    """Return overlapping Gaussian classes around the corners of the unit cube."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = np.array([[0, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1]])[labels]
    return Split((centres + noise * rng.standard_normal((rows, 3))).astype(np.float32), labels.astype(np.int64))


def fit(network, train, validation=None, seed=0, **options):
    defaults = {"epochs": 5, "batch_size": 16, "learning_rate": 0.01}
    return list(
        fit_classifier(
            network, train, validation or train, ClassifierOptions(**defaults | options), generator=generator(seed)
        )
    )


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


class Spy(Mlp):
    """A network that writes down the first feature of every sample it trains on, a list a batch."""

    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.batches = []

    def forward(self, inputs):
        if self.training:
            self.batches.append(inputs[:, 0].tolist())
        return super().forward(inputs)


@pytest.mark.parametrize("rows", [32, 50])
def test_every_epoch_visits_each_sample_exactly_once_in_an_order_of_its_own(rows):
    split = blobs(rows)
    split.inputs[:, 0] = np.arange(rows)
    network = Spy(3, [], 2)
    fit(network, split, epochs=4)
    steps = math.ceil(rows / 16)
    assert [len(batch) for batch in network.batches] == ([16] * (steps - 1) + [rows - 16 * (steps - 1)]) * 4
    samples = list(itertools.chain.from_iterable(network.batches))
    orders = [tuple(samples[epoch * rows : (epoch + 1) * rows]) for epoch in range(4)]
    assert all(sorted(order) == list(range(rows)) for order in orders)
    assert len({*orders, tuple(range(rows))}) == 5


def test_the_training_loss_counts_the_smaller_last_batch_by_its_size():
    split = blobs(19, noise=3.0)
    network = Mlp(3, [], 2).initialise(generator())
    start = weights(network)
    (record,) = fit(network, split, epochs=1, batch_size=16, learning_rate=1e-12, optimizer="sgd")
    logits = split.inputs @ start["layers.0.weight"].numpy().T + start["layers.0.bias"].numpy()
    losses = special.logsumexp(logits, axis=1) - logits[np.arange(19), split.targets]
    assert record["train/loss"] == pytest.approx(losses.mean(), rel=1e-5)
    order = torch.randperm(19, generator=generator()).numpy()
    mean_of_batches = (losses[order[:16]].mean() + losses[order[16:]].mean()) / 2
    assert record["train/loss"] != pytest.approx(mean_of_batches, rel=1e-3)


@pytest.mark.parametrize(("classes", "outputs", "loss"), [(2, 1, "log_loss"), (4, 4, "cross_entropy")])
def test_the_training_accuracy_counts_each_sample_once_by_the_weights_that_its_batch_met(classes, outputs, loss):
    split = blobs(50, classes=classes)
    network = Spy(3, [8], outputs, dropout=0.5).initialise(generator(1))
    met = []
    network.register_forward_hook(
        lambda _, __, logits: met.append(logits.detach().numpy()) if network.training else None
    )
    torch.manual_seed(3)  # of dropout
    records = fit(network, split, epochs=3, batch_size=16, learning_rate=0.05, loss=loss)
    order = generator()
    for epoch, record in enumerate(records):
        labels = split.targets[torch.randperm(50, generator=order).numpy()]
        logits = np.concatenate(met[4 * epoch : 4 * epoch + 4])
        guesses = (logits[:, 0] > 0) if outputs == 1 else logits.argmax(axis=1)
        assert record["train/accuracy"] == pytest.approx(np.mean(guesses == labels), abs=1e-12)


def test_an_epoch_of_sgd_with_momentum_is_the_one_computed_by_hand():
    split = blobs(40)
    network = Mlp(3, [], 1).initialise(generator(1))
    weight, bias = (parameter.detach().numpy().astype(float).flatten() for parameter in network.parameters())
    sgd = {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01}
    fit(network, split, epochs=2, batch_size=16, learning_rate=0.1, loss="log_loss", **sgd)
    velocity, parameters, shuffles = np.zeros(4), np.append(weight, bias), generator()
    outcomes = []
    for _ in range(2):
        for batch in torch.randperm(40, generator=shuffles).split(16):
            x = np.column_stack([split.inputs[batch], np.ones(len(batch))])
            gradient = x.T @ (special.expit(x @ parameters) - split.targets[batch]) / len(batch)
            gradient += 0.01 * parameters * [1, 1, 1, 0]  # the bias has no weight decay
            velocity = 0.9 * velocity + gradient
            parameters = parameters - 0.1 * velocity
        outcomes.append(parameters)
    found = np.append(*(parameter.detach().numpy().flatten() for parameter in network.parameters()))
    # The epoch with the lower validation loss is the one that is kept.
    assert min(np.abs(found - outcome).max() for outcome in outcomes) < 1e-6


def test_without_hidden_layers_binary_training_reaches_scikit_learns_logistic_regression():
    split = blobs(120, noise=0.8)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(split.inputs, split.targets)
    best = scikit_learns_log_loss(split.targets, oracle.predict_proba(split.inputs))
    network = Mlp(3, [], 1).initialise(generator())
    record = fit(network, split, epochs=800, batch_size=120, learning_rate=0.05, loss="log_loss")[-1]
    assert record["val/loss"] == pytest.approx(best, abs=1e-4)
    found = np.append(*(parameter.detach().numpy().flatten() for parameter in network.parameters()))
    np.testing.assert_allclose(found, [*oracle.coef_[0], oracle.intercept_[0]], atol=0.02)


def test_without_hidden_layers_multi_class_training_reaches_scikit_learns_softmax_regression():
    split = blobs(160, classes=4, noise=0.8)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(split.inputs, split.targets)
    best = scikit_learns_log_loss(split.targets, oracle.predict_proba(split.inputs))
    record = fit(Mlp(3, [], 4).initialise(generator()), split, epochs=800, batch_size=160, learning_rate=0.05)[-1]
    assert record["val/loss"] == pytest.approx(best, abs=1e-4)
    assert record["val/accuracy"] == pytest.approx(oracle.score(split.inputs, split.targets), abs=0.02)


def test_a_hidden_layer_learns_what_no_line_separates():
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (200, 2)).astype(np.float32)
    split = Split(inputs, (inputs.prod(axis=1) > 0).astype(np.int64))
    options = {"epochs": 80, "batch_size": 32, "learning_rate": 0.02, "loss": "log_loss"}
    assert fit(Mlp(2, [], 1).initialise(generator()), split, **options)[-1]["val/accuracy"] < 0.75
    assert fit(Mlp(2, [16], 1).initialise(generator()), split, **options)[-1]["val/accuracy"] > 0.95


def overfitting(stop_after=math.inf, **options):
    """Train a network far too large on labels that are noise; return it, its records and its weights by epoch.

    The loop is broken off after `stop_after` epochs.
    """
    train, validation = blobs(40, noise=4.0), blobs(40, noise=4.0, seed=1)
    network = Mlp(3, [64], 2).initialise(generator())
    loop = fit_classifier(
        network,
        train,
        validation,
        ClassifierOptions(batch_size=8, learning_rate=0.02, **options),
        generator=generator(),
    )
    records, epochs = [], []
    for record in loop:
        records.append(record)
        epochs.append(weights(network))
        if len(records) == stop_after:
            break
    loop.close()
    return network, records, epochs, validation


def test_the_weights_at_the_end_are_those_of_the_best_validation_epoch():
    network, records, epochs, validation = overfitting(epochs=30)
    losses = [record["val/loss"] for record in records]
    best = int(np.argmin(losses))
    assert 0 < best < 29
    assert same(weights(network), epochs[best])
    assert not same(weights(network), epochs[-1])
    # Also where the caller breaks off before the end.
    stopped, _, _, _ = overfitting(stop_after=best + 3, epochs=30)
    assert same(weights(stopped), epochs[best])
    assert not stopped.training
    assert not network.training
    loss, accuracy = evaluate(
        network, torch.from_numpy(validation.inputs), torch.from_numpy(validation.targets), functional.cross_entropy
    )
    assert (loss, accuracy) == (losses[best], records[best]["val/accuracy"])
    running_minimum = np.minimum.accumulate([math.inf, *losses])
    assert [record["val/best"] for record in records] == [
        float(loss < before) for loss, before in zip(losses, running_minimum[:-1], strict=True)
    ]
    assert [record["epoch"] for record in records] == list(range(1, 31))


def test_the_last_epoch_is_kept_where_that_is_asked_for():
    network, records, epochs, _ = overfitting(epochs=30, keep="last")
    assert same(weights(network), epochs[-1])
    assert "val/best" not in records[0]


def test_weight_decay_pulls_weights_and_neither_biases_nor_batch_normalisation():
    network = Mlp(3, [4], 2, batch_norm=True).initialise(generator(), "glorot")
    before, optimizer = weights(network), make_optimizer(network, "sgd", 0.5, weight_decay=0.1)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, values in network.named_parameters():
        expected = before[name] * (1 - 0.5 * 0.1) if values.ndim == 2 else before[name]
        assert torch.allclose(values, expected)


def test_from_one_start_in_one_order_the_plain_network_takes_the_steps_of_scikit_learns():
    split, alpha, size = blobs(96, classes=4), 0.5, 16
    theirs = MLPClassifier(
        (8,), learning_rate_init=0.01, alpha=alpha, batch_size=size, max_iter=5, shuffle=False, random_state=0
    )
    start = clone(theirs).set_params(max_iter=1, learning_rate_init=1e-300)
    for estimator in (start, theirs):
        fit_estimator(estimator, split.inputs.astype(np.float64), split.targets)
    network = Mlp(3, [8], 4).double()
    linears = [layer for layer in network.layers if isinstance(layer, torch.nn.Linear)]
    for layer, coefficients, intercepts in zip(linears, start.coefs_, start.intercepts_, strict=True):
        layer.load_state_dict({"weight": torch.from_numpy(coefficients.T), "bias": torch.from_numpy(intercepts)})
    inputs, labels = torch.from_numpy(split.inputs).double(), torch.from_numpy(split.targets)
    optimizer = make_optimizer(network, "adam", 0.01, weight_decay=alpha / size)
    step = step_by_autograd(network, functional.cross_entropy, optimizer)
    for _ in range(5):
        batches = zip(inputs.split(size), labels.split(size), strict=True)
        train_epoch(step, batches)
    for layer, coefficients, intercepts in zip(linears, theirs.coefs_, theirs.intercepts_, strict=True):
        # Adam's ε stands before the correction of the bias there, after it here.
        np.testing.assert_allclose(layer.weight.detach(), coefficients.T, atol=1e-5)
        np.testing.assert_allclose(layer.bias.detach(), intercepts, atol=1e-5)


@pytest.mark.parametrize("patience", [1, 4])
def test_training_stops_after_as_many_epochs_without_a_better_loss_as_patience_says(patience):
    network, records, epochs, _ = overfitting(epochs=30, patience=patience)
    best = int(np.argmin([record["val/loss"] for record in records]))
    assert len(records) == best + 1 + patience < 30
    assert same(weights(network), epochs[best])
    _, whole, _, _ = overfitting(epochs=30)
    assert records == whole[: len(records)]


def test_the_validation_loss_and_accuracy_are_those_of_scikit_learn():
    split = blobs(2500, classes=4)
    network = Mlp(3, [5], 4, dropout=0.5).initialise(generator()).train()
    loss, accuracy = evaluate(
        network, torch.from_numpy(split.inputs), torch.from_numpy(split.targets), functional.cross_entropy
    )
    logits = network.eval()(torch.from_numpy(split.inputs)).detach().numpy().astype(float)
    assert loss == pytest.approx(scikit_learns_log_loss(split.targets, special.softmax(logits, axis=1)), rel=1e-5)
    assert accuracy == (logits.argmax(axis=1) == split.targets).mean()


def test_log_loss_of_one_logit_is_cross_entropy_of_two_and_scikit_learns():
    logits = torch.randn(50, 1, generator=generator(), dtype=torch.float64) * 5
    labels = torch.arange(50) % 2
    found = log_loss(logits, labels)
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    assert found.item() == pytest.approx(functional.cross_entropy(two, labels).item(), rel=1e-12)
    assert found.item() == pytest.approx(scikit_learns_log_loss(labels, special.expit(logits[:, 0].numpy())), rel=1e-12)


def test_log_loss_of_extreme_logits_is_finite():
    assert log_loss(torch.tensor([[1e4], [-1e4]]), torch.tensor([0, 1])).item() == pytest.approx(1e4)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_one_cycle_rises_to_the_learning_rate_and_falls_to_almost_nothing(optimizer):
    stepped = make_optimizer(Mlp(3, [], 2), optimizer, 0.3)
    momenta = {group.get("momentum") for group in stepped.param_groups}
    follow_one_cycle(stepped, 0.3, steps=50)
    rates = []
    for _ in range(50):
        rates.append(stepped.param_groups[0]["lr"])
        stepped.step()
    assert max(rates) == pytest.approx(0.3, rel=1e-9)
    peak = int(np.argmax(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[0] < 0.3 / 10
    assert rates[-1] < 1e-5 * 0.3
    assert {group.get("momentum") for group in stepped.param_groups} == momenta


def test_one_cycle_ends_with_the_last_batch_of_the_last_epoch(monkeypatch):
    asked = []
    monkeypatch.setattr(extras, "follow_one_cycle", lambda optimizer, rate, steps: asked.append((rate, steps)))
    fit(Mlp(3, [], 2), blobs(50), epochs=3, schedule="one_cycle")
    assert asked == [(0.01, 3 * math.ceil(50 / 16))]


@pytest.mark.parametrize(
    ("train", "validation", "epoch"),
    [(math.nan, 0.0, 1), (0.0, math.nan, 1), (math.inf, 0.0, 1)],
)
def test_a_loss_that_is_not_finite_stops_the_training_and_names_the_epoch_and_what_to_lower(train, validation, epoch):
    splits = blobs(), blobs(seed=1)
    for split, value in zip(splits, (train, validation), strict=True):
        split.inputs[3, 1] += value
    with pytest.raises(NonFiniteLossError, match=rf"no longer finite in epoch {epoch}: lower learning_rate\.$"):
        fit(Mlp(3, [4], 2).initialise(generator()), *splits)


def test_a_learning_rate_that_is_far_too_high_is_named_in_the_epoch_where_it_diverges():
    records, loop = [], fit_classifier(
        Mlp(3, [16, 16], 2).initialise(generator()),
        blobs(),
        blobs(seed=1),
        ClassifierOptions(epochs=50, batch_size=16, learning_rate=1e4, optimizer="sgd"),
        generator=generator(),
    )  # fmt: skip
    with pytest.raises(NonFiniteLossError) as caught:
        records.extend(loop)
    assert f"in epoch {len(records) + 1}:" in str(caught.value)
    assert isinstance(caught.value, UserError)
    assert all(math.isfinite(record["train/loss"]) for record in records)


def test_a_batch_larger_than_the_training_set_is_refused_and_one_as_large_is_not():
    with pytest.raises(UserError, match="batch_size is 61, but there are only 60 training samples: lower it"):
        fit(Mlp(3, [], 2), blobs(), batch_size=61)
    assert len(fit(Mlp(3, [], 2), blobs(), batch_size=60, epochs=1)) == 1


def test_a_last_batch_of_one_sample_is_refused_where_its_variance_is_needed_and_only_there():
    split = blobs(49)
    with pytest.raises(UserError, match=r"batch_size 16 leaves 1 of the 49 training samples .*: change batch_size"):
        fit(Mlp(3, [4], 2, batch_norm=True), split)
    assert fit(Mlp(3, [4], 2).initialise(generator()), split)
    assert fit(Mlp(3, [4], 2, batch_norm=True).initialise(generator()), split, batch_size=15)


def trained(seed, dropout=0.3, shuffle=None):
    make_deterministic(seed)
    network = Mlp(3, [16], 2, dropout=dropout, batch_norm=True).initialise(generator(seed))
    records = fit(network, blobs(62), blobs(seed=1), seed=seed if shuffle is None else shuffle, schedule="one_cycle")
    return weights(network), records


def test_a_seed_repeats_every_bit_and_another_seed_none():
    first, records = trained(1)
    again, records_again = trained(1)
    assert same(first, again)
    assert records == records_again
    other, records_other = trained(2)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])
    assert records != records_other


def test_dropout_follows_the_seed_too():
    network = Mlp(3, [50], 2, dropout=0.5).initialise(generator()).train()
    inputs = torch.ones(4, 3)

    def draw(seed):
        make_deterministic(seed)
        return network(inputs)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_a_network_that_was_drawn_before_gives_the_same_bits_whatever_ran_in_between():
    first, _ = trained(1)
    torch.randn(100)
    fit(Mlp(3, [4], 2, dropout=0.5), blobs())
    again, _ = trained(1)
    assert same(first, again)


def test_cuda_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="device is cuda, but torch finds no CUDA device here: set device: cpu"):
        require_device("cuda")
    require_device("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_cuda_agrees_with_training_on_the_cpu():
    require_device("cuda")
    found = []
    for device in ("cpu", "cuda"):
        network = Mlp(3, [8], 2, batch_norm=True).initialise(generator())
        options = ClassifierOptions(epochs=3, batch_size=16, learning_rate=0.01)
        records = list(fit_classifier(network, blobs(), blobs(seed=1), options, generator=generator(), device=device))
        assert all(parameter.device.type == "cpu" for parameter in network.parameters())
        found.append([record["val/loss"] for record in records])
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_the_options_are_those_of_a_section_of_params_yaml():
    params = load_params(Path(__file__).parents[3] / "params.yaml")
    for section in params.train_mlp.values():
        options = ClassifierOptions.of(section)
        assert all(getattr(section, name) == value for name, value in vars(options).items())


def fit_without_validation(network, split, **options):
    options = ClassifierOptions(**{"epochs": 1, "batch_size": 8, "learning_rate": 0.01} | options)
    return list(fit_classifier(network, split, None, options, generator=generator()))


def test_the_kept_weights_are_the_moving_average_over_every_step():
    class Recorder(Mlp):
        """Writes down its weights before each step."""

        states = ()

        def forward(self, inputs):
            self.states = (*self.states, weights(self))
            return super().forward(inputs)

    split = blobs(64)
    plain, averaged = (Recorder(3, [4], 2).initialise(generator(1)) for _ in range(2))
    fit_without_validation(plain, split)
    fit_without_validation(averaged, split, weight_average=0.8)
    first, *others = [*plain.states[1:], weights(plain)]
    expected = {name: tensor.double() for name, tensor in first.items()}
    for state in others:
        expected = {name: 0.8 * tensor + 0.2 * state[name] for name, tensor in expected.items()}
    kept = weights(averaged)
    assert all(torch.allclose(kept[name].double(), expected[name], atol=1e-6) for name in expected)
    assert not same(kept, weights(plain))


def test_the_moving_average_covers_the_statistics_of_batch_normalisation():
    network = Mlp(3, [4], 2, batch_norm=True).initialise(generator(1))
    plain = Mlp(3, [4], 2, batch_norm=True).initialise(generator(1))
    fit_without_validation(network, blobs(64), weight_average=0.9)
    fit_without_validation(plain, blobs(64))
    averaged, last = (weights(each)["layers.1.running_mean"] for each in (network, plain))
    assert averaged.norm() > 0
    assert not torch.equal(averaged, last)


def test_without_validation_the_last_epoch_is_kept_and_nothing_else_changes():
    split = blobs(64)
    held_out, alone = (Mlp(3, [8], 2).initialise(generator(1)) for _ in range(2))
    records = fit(held_out, split, epochs=3, batch_size=8)
    alone_records = fit_without_validation(alone, split, epochs=3)
    assert records[-1]["val/best"]  # so that the last epoch is what validation kept too
    assert same(weights(alone), weights(held_out))
    assert [{name: record[name] for name in ("epoch", "train/loss", "train/accuracy")} for record in records] == (
        alone_records
    )


def test_label_smoothing_mixes_the_target_with_all_classes_while_validation_counts_the_true_one():
    split = blobs(32, classes=4)
    network = Mlp(3, [], 4).initialise(generator())
    logits = split.inputs @ weights(network)["layers.0.weight"].numpy().T
    losses = special.logsumexp(logits, axis=1, keepdims=True) - logits
    targets = 0.7 * np.eye(4)[split.targets] + 0.3 / 4
    (record,) = fit(network, split, epochs=1, learning_rate=1e-12, optimizer="sgd", label_smoothing=0.3)
    assert record["train/loss"] == pytest.approx((losses * targets).sum(axis=1).mean(), rel=1e-5)
    assert record["val/loss"] == pytest.approx(losses[np.arange(32), split.targets].mean(), rel=1e-5)


def test_augmentation_changes_what_is_trained_on_and_not_what_is_validated():
    split = blobs(32)
    network = Spy(3, [], 2).initialise(generator())
    options = ClassifierOptions(epochs=1, batch_size=8, learning_rate=1e-12)
    (record,) = fit_classifier(
        network, split, split, options, generator=generator(), augment=lambda inputs: inputs * 0 + 7
    )
    assert set(itertools.chain.from_iterable(network.batches)) == {7.0}
    inputs, labels = torch.from_numpy(split.inputs), torch.from_numpy(split.targets)
    assert record["val/loss"] == pytest.approx(functional.cross_entropy(network(inputs), labels).item(), rel=1e-5)


def test_bfloat16_rounds_what_is_computed_and_keeps_the_weights_in_float32():
    split = blobs(256, classes=4)
    networks = [Mlp(3, [32], 4, batch_norm=True).initialise(generator()) for _ in range(2)]
    single, half = (
        fit_without_validation(network, split, epochs=3, batch_size=32, precision=precision)[-1]["train/loss"]
        for network, precision in zip(networks, ("float32", "bfloat16"), strict=True)
    )
    assert single != half
    assert half == pytest.approx(single, rel=0.02)
    assert {tensor.dtype for tensor in networks[1].parameters()} == {torch.float32}


def test_bfloat16_is_refused_on_a_cpu_without_it_and_left_to_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64", "avx512_bf16": False})
    with pytest.raises(UserError, match="set precision: float32"):
        require_precision("bfloat16", "cpu")
    require_precision("float32", "cpu")
    require_precision("bfloat16", "cuda")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "arm64", "bf16": True})
    require_precision("bfloat16", "cpu")
