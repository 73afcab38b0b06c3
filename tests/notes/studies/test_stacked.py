"""Networks that train side by side learn what each of them learns alone."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons
from torch.nn import functional

from notes.data.tasks import Split
from notes.networks.extras import make_optimizer
from notes.networks.mlp import ClassifierOptions, Mlp, evaluate, fit_classifier, log_loss
from notes.studies.shared.stacked import Reached, accuracies, descend, losses, stack, until

SETS = [make_moons(40, noise=0.2, random_state=number) for number in range(3)]
INPUTS = torch.tensor(np.stack([inputs for inputs, _ in SETS]), dtype=torch.float32)
LABELS = torch.tensor(np.stack([labels for _, labels in SETS]))


def generators():
    return [torch.Generator().manual_seed(number) for number in range(3)]


@pytest.mark.parametrize(
    ("optimizer", "rate", "momentum", "loss", "outputs"),
    [("adam", 0.01, 0.0, log_loss, 1), ("sgd", 0.1, 0.9, functional.cross_entropy, 2)],
)
def test_each_network_of_a_stack_takes_the_steps_that_it_takes_alone(optimizer, rate, momentum, loss, outputs):
    drawn = generators()
    networks = [Mlp(2, [8, 4], outputs, activation="tanh").initialise(generator) for generator in drawn]
    alone, together = copy.deepcopy(networks), stack(networks)
    updates = descend(
        together, INPUTS, LABELS, loss, make_optimizer(together, optimizer, rate, momentum=momentum),
        batch_size=16, epochs=5, generators=drawn,
    )  # fmt: skip
    assert sum(1 for _ in updates) == 5 * 3
    options = ClassifierOptions(5, 16, rate, optimizer=optimizer, momentum=momentum, loss=loss)
    for number, (network, generator) in enumerate(zip(alone, generators(), strict=True)):
        network.initialise(generator)
        for _ in fit_classifier(
            network, Split(INPUTS[number].numpy(), LABELS[number].numpy()), None, options, generator=generator
        ):
            pass
        torch.testing.assert_close(together(INPUTS)[number], network(INPUTS[number]), rtol=1e-4, atol=1e-5)
        lost, accuracy = evaluate(network, INPUTS[number], LABELS[number], loss)
        assert losses(together, INPUTS, LABELS)[number].item() == pytest.approx(lost, rel=1e-4)
        assert accuracies(together, INPUTS, LABELS)[number].item() == pytest.approx(accuracy)


def test_a_network_that_diverges_leaves_the_others_alone():
    networks = [Mlp(2, [4], 2).initialise(generator) for generator in generators()]
    with torch.no_grad():
        networks[1].layers[0].weight.fill_(float("inf"))
    together = stack(networks)
    steps = descend(
        together, INPUTS, LABELS, functional.cross_entropy, make_optimizer(together, "sgd", 0.1),
        batch_size=40, epochs=3, generators=generators(),
    )  # fmt: skip
    assert sum(1 for _ in steps) == 3
    assert losses(together, INPUTS, LABELS).isfinite().tolist() == [True, False, True]


def test_updates_are_counted_until_each_network_first_is_at_its_target():
    count = 0

    def steps():
        nonlocal count
        for _ in range(20):
            count += 1
            yield

    def at_target():
        return torch.tensor([count >= 4, count >= 7, count == 9])

    assert until(steps(), at_target) == [Reached(4, True), Reached(7, True), Reached(9, True)]
    assert count == 9
    count = 0
    assert until(steps(), at_target, every=5) == [Reached(5, True), Reached(10, True), Reached(20, False)]
