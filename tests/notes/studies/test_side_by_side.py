"""Networks that train side by side learn what each of them learns alone."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from notes.data.tasks import Split
from notes.networks.extras import make_optimizer
from notes.networks.losses import log_loss
from notes.networks.mlp import ClassifierOptions, Mlp, evaluate, fit_classifier
from notes.studies.shared.side_by_side import (
    Reached,
    accuracies,
    descend,
    losses,
    moons,
    shuffled_batches,
    stack,
    until,
)

DATA = moons(40, [np.random.default_rng(number) for number in range(3)])


def generators():
    return [torch.Generator().manual_seed(number) for number in range(3)]


def squared_error(logits, labels):
    return ((torch.sigmoid(logits[:, 0]) - labels) ** 2).float()


@pytest.mark.parametrize(
    ("optimizer", "rate", "momentum", "loss", "outputs"),
    [("adam", 0.01, 0.0, log_loss, 1), ("sgd", 0.1, 0.9, functional.cross_entropy, 2)],
)
def test_each_network_of_a_stack_takes_the_steps_that_it_takes_alone(optimizer, rate, momentum, loss, outputs):
    inputs, labels = DATA
    drawn = generators()
    networks = [Mlp(2, [8, 4], outputs, activation="tanh").initialise(generator) for generator in drawn]
    alone, together = copy.deepcopy(networks), stack(networks)
    batches = shuffled_batches(DATA, 16, epochs=5, generators=drawn)
    updates = list(descend(together, batches, make_optimizer(together, optimizer, rate, momentum=momentum)))
    assert len(updates) == 5 * 3
    options = ClassifierOptions(5, 16, rate, optimizer=optimizer, momentum=momentum, loss=loss)
    for number, (network, generator) in enumerate(zip(alone, generators(), strict=True)):
        network.initialise(generator)
        split = Split(inputs[number].numpy(), labels[number].numpy())
        records = list(fit_classifier(network, split, None, options, generator=generator))
        last = torch.stack(updates[-3:])[:, number].numpy()
        assert np.average(last, weights=[16, 16, 8]) == pytest.approx(records[-1]["train/loss"], rel=1e-4)
        torch.testing.assert_close(together(inputs)[number], network(inputs[number]), rtol=1e-4, atol=1e-5)
        lost, accuracy = evaluate(network, inputs[number], labels[number], loss)
        assert losses(together, DATA)[number].item() == pytest.approx(lost, rel=1e-4)
        assert accuracies(together, DATA)[number].item() == pytest.approx(accuracy)


def test_the_loss_of_a_row_may_be_another_one():
    networks = [Mlp(2, [8], 1).initialise(generator) for generator in generators()]
    together = stack(networks)
    for _ in descend(together, [DATA], torch.optim.SGD(together.parameters(), lr=0.1), squared_error):
        pass
    for number, network in enumerate(networks):
        functional.mse_loss(torch.sigmoid(network(DATA[0][number])[:, 0]), DATA[1][number].float()).backward()
        torch.optim.SGD(network.parameters(), lr=0.1).step()
        torch.testing.assert_close(together(DATA[0])[number], network(DATA[0][number]))


def test_a_network_side_by_side_learns_from_its_own_loss_alone():
    networks = stack([Mlp(2, [4], 2).initialise(generator) for generator in generators()])
    (gradient,) = torch.autograd.grad(losses(networks, DATA)[0], [networks[0].weight])
    assert gradient[0].any()
    assert not gradient[1:].any()


def test_a_network_that_diverges_leaves_the_others_alone():
    networks = [Mlp(2, [4], 2).initialise(generator) for generator in generators()]
    with torch.no_grad():
        networks[1].layers[0].weight.fill_(float("inf"))
    together = stack(networks)
    for _ in descend(together, [DATA] * 3, make_optimizer(together, "sgd", 0.1)):
        pass
    assert losses(together, DATA).isfinite().tolist() == [True, False, True]


def test_every_epoch_shows_each_network_all_of_its_own_rows_once_and_in_a_new_order():
    labels = torch.arange(21).view(3, 7)
    batches = list(shuffled_batches((labels[..., None].float(), labels), 3, epochs=2, generators=generators()))
    assert [batch.shape[1] for _, batch in batches] == [3, 3, 1] * 2
    first, second = (torch.cat([batch for _, batch in epoch], dim=1) for epoch in (batches[:3], batches[3:]))
    for seen in (first, second):
        assert seen.sort(dim=1).values.tolist() == labels.tolist()
    assert not torch.equal(first, second)
    assert (first - labels[:, :1]).unique(dim=0).shape[0] == 3
    assert all(torch.equal(inputs[..., 0].long(), batch) for inputs, batch in batches)


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
