"""The courses that the moons' widget shows: fields and measures are those of the network that is trained."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from notes.book import moons
from notes.data.tasks import Split
from notes.networks.mlp import Mlp
from notes.settings import read_settings
from notes.sources.synthetic import make_moons
from notes.studies.shared.experiment import generator_for


def split(rows: int, seed: int) -> Split:
    table = make_moons(rows=rows, noise=0.2, generator=np.random.default_rng(seed))
    return Split(np.array(table[["x1", "x2"]], np.float32), np.array(table["y"], np.int64))


TRAIN, VALIDATION = split(20, 1), split(30, 2)


def trained_by_torch(epochs: int) -> torch.nn.Module:
    """The same network from the same start by full-batch steps of torch's own Adam, in the order of the rows."""
    start = Mlp(2, [6, 6], 1, activation="tanh").initialise(generator_for(np.random.SeedSequence(moons.SEED), 1, 2, 6))
    network = torch.nn.Sequential(
        torch.nn.Linear(2, 6), torch.nn.Tanh(), torch.nn.Linear(6, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1)
    )
    network.load_state_dict({name.removeprefix("layers."): value for name, value in start.state_dict().items()})
    optimizer = torch.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(epochs):
        optimizer.zero_grad()
        logits = network(torch.from_numpy(TRAIN.inputs))[:, 0]
        functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(TRAIN.targets).float()).backward()
        optimizer.step()
    return network


def test_fields_and_measures_are_those_of_the_trained_network() -> None:
    course = moons.follow([6, 6], TRAIN, VALIDATION, 5, (0, 2, 5))
    assert course.fields.shape == (3, 40, 40)
    assert course.measures.shape == (6, 4)
    x, y = np.linspace(-1.7, 2.7, 40), np.linspace(-1.3, 1.8, 40)
    for field, epoch in zip(course.fields, (0, 2, 5), strict=True):
        network = trained_by_torch(epoch)
        with torch.no_grad():
            for row, column in ((0, 0), (0, 39), (39, 0), (17, 23)):
                logit = network(torch.tensor([[x[column], y[row]]], dtype=torch.float32)).double()
                assert abs(field[row, column] - 255 * torch.sigmoid(logit).item()) < 0.55
            for part, (loss, accuracy) in (
                (TRAIN, course.measures[epoch, :2]),
                (VALIDATION, course.measures[epoch, 2:]),
            ):
                logits, labels = network(torch.from_numpy(part.inputs))[:, 0], torch.from_numpy(part.targets)
                expected = functional.binary_cross_entropy_with_logits(logits, labels.float()).item()
                assert abs(loss - expected) < 1e-4
                assert accuracy == ((logits > 0).long() == labels).double().mean().item()


def test_a_course_is_the_same_on_each_run() -> None:
    first, second = (moons.follow([4], TRAIN, VALIDATION, 3, (0, 3)) for _ in range(2))
    assert first.fields.tobytes() == second.fields.tobytes()
    assert first.measures.tobytes() == second.measures.tobytes()


def test_points_are_few_rows_of_the_training_split_of_which_some_are_flipped(tmp_path: Path) -> None:
    whole, held_out = split(200, 3), split(40, 4)
    rows = [
        f"{a},{b},{label},{name}"
        for part, name in ((whole, "train"), (held_out, "validation"))
        for (a, b), label in zip(part.inputs, part.targets, strict=True)
    ]
    table = tmp_path / "data/moons/development/table.csv"
    table.parent.mkdir(parents=True)
    table.write_text("\n".join(["x1,x2,y,split", *rows]) + "\n")
    train, validation, flipped = moons.points(tmp_path)
    true = {tuple(point): label for point, label in zip(whole.inputs.tolist(), whole.targets, strict=True)}
    assert len(train.targets) == 60
    expected = [true[tuple(point)] != label for point, label in zip(train.inputs.tolist(), train.targets, strict=True)]
    assert flipped.tolist() == expected
    assert 0 < flipped.sum() < 20
    np.testing.assert_array_equal(validation.targets, held_out.targets)


def test_the_settings_are_those_of_the_study() -> None:
    study = read_settings("study", "capacity", file=Path(__file__).parents[3] / "params.yaml")
    assert (study.rows, study.label_noise) == (moons.ROWS, moons.LABEL_NOISE)
    assert (study.epochs, study.learning_rate) == (moons.EPOCHS, moons.LEARNING_RATE)
    assert moons.MOMENTS[-1] == study.epochs
