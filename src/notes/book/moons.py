"""What small and large networks learn of a few noisy points, epoch by epoch: under-fitting and over-fitting to be seen.

Sections 1 and 4 of the notes. The points are drawn as the study `capacity` draws them, two moons with some labels
flipped, and each network is trained by `fit_classifier` to the last epoch. It is one set of points, chosen because its
networks show what that study measures over many. Tanh, because a ReLU network one unit wide is often dead.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from notes.book.pictures import png
from notes.data.tasks import Split, load_split
from notes.figures.canvas import BLUE, ORANGE, SKY, VERMILION, canvas, styled
from notes.networks.losses import log_loss
from notes.networks.mlp import ClassifierOptions, Mlp, evaluate, fit_classifier, to_tensors
from notes.networks.model_files import predict
from notes.settings import Settings
from notes.studies.capacity import small_noisy_set
from notes.studies.shared.experiment import generator_for

WIDTHS, DEPTHS = (1, 4, 16, 64), (1, 2, 3)
# As study.capacity in params.yaml.
ROWS, LABEL_NOISE, EPOCHS, LEARNING_RATE = 60, 0.15, 120, 0.03
SEED = 8
ACTIVATION = "tanh"
MOMENTS = (0, 1, 2, 3, 5, 8, 12, 17, 23, 30, 40, 50, 62, 78, 98, 120)  # epochs that are shown
SIDE = 40  # points of the grid each way
X, Y = (-1.7, 2.7), (-1.3, 1.8)


class Course(NamedTuple):
    """A training: `fields` (moments, SIDE, SIDE), the probability of class 1 in 255ths, and the measures of each epoch.

    `measures` (1 + epochs, 4): loss and accuracy in training, loss and accuracy in validation, after each epoch.
    """

    fields: np.ndarray
    measures: np.ndarray


def compute(root: Path) -> dict[str, Any]:
    """Return data.json, `fields.bin`, bytes (networks, moments, SIDE, SIDE) from the lowest y on, and the picture."""
    train, validation, flipped = points(root)
    shapes = [(depth, width) for depth in DEPTHS for width in WIDTHS]
    courses = [follow([width] * depth, train, validation, EPOCHS, MOMENTS) for depth, width in shapes]
    networks = [
        {"depth": depth, "width": width, "measures": course.measures.round(4).T.tolist()}
        for (depth, width), course in zip(shapes, courses, strict=True)
    ]
    data = {
        "x": X,
        "y": Y,
        "side": SIDE,
        "moments": MOMENTS,
        "widths": WIDTHS,
        "depths": DEPTHS,
        "train": [[*point, int(label), int(wrong)] for point, label, wrong in rows_of(train, flipped)],
        "validation": [[*point, int(label)] for point, label, _ in rows_of(validation, validation.targets)],
        "networks": networks,
    }
    drawn = [courses[shapes.index(shape)].fields[-1] for shape in ((1, 1), (1, 16), (3, 64))]
    return {
        "data.json": data,
        "fields.bin": b"".join(course.fields.tobytes() for course in courses),
        "picture.png": png(draw(train, dict(zip(("1 × 1", "1 × 16", "3 × 64"), drawn, strict=True)))),
    }


def points(root: Path) -> tuple[Split, Split, np.ndarray]:
    """Return the few noisy training rows, the validation rows, and which of the former have a flipped label (n,)."""
    whole, validation = (load_split("moons", split, root) for split in ("train", "validation"))
    seed, drawing = np.random.SeedSequence(SEED), {"rows": ROWS}
    train, true = (
        small_noisy_set(whole, Settings(**drawing, label_noise=noise), generator_for(seed, 0))
        for noise in (LABEL_NOISE, 0.0)
    )
    return train, validation, train.targets != true.targets


def follow(hidden_sizes: list[int], train: Split, validation: Split, epochs: int, moments: tuple[int, ...]) -> Course:
    """Train a network on all rows at once in each step, and return what it was after each of the epochs."""
    generator = generator_for(np.random.SeedSequence(SEED), 1, len(hidden_sizes), hidden_sizes[0])
    network = Mlp(2, hidden_sizes, 1, activation=ACTIVATION).initialise(generator)
    options = ClassifierOptions(
        epochs=epochs, batch_size=len(train.targets), learning_rate=LEARNING_RATE, loss="log_loss", keep="last"
    )
    both = [to_tensors(split, "cpu") for split in (train, validation)]
    places, fields, measures = grid(), [], []

    def look(epoch: int) -> None:
        measures.append([value for data in both for value in evaluate(network, *data, log_loss)])
        if epoch in moments:
            fields.append(np.rint(255 * predict(network, places)[:, 1]).astype(np.uint8).reshape(SIDE, SIDE))

    look(0)
    for record in fit_classifier(network, train, validation, options, generator=generator):
        look(int(record["epoch"]))
    return Course(np.stack(fields), np.array(measures))


def grid() -> np.ndarray:
    """Return the grid's points (SIDE², 2), row by row from the lowest y."""
    x, y = np.meshgrid(np.linspace(*X, SIDE), np.linspace(*Y, SIDE))
    return np.column_stack([x.ravel(), y.ravel()]).astype(np.float32)


def rows_of(split: Split, marks: np.ndarray) -> list[tuple[list[float], int, int]]:
    """Return place, label and mark of each row, places to three digits."""
    places = split.inputs.astype(float).round(3).tolist()
    return list(zip(places, split.targets.tolist(), marks.tolist(), strict=True))


@styled
def draw(train: Split, fields: dict[str, np.ndarray]) -> Figure:
    """Show the probability of class 1 after training, by hidden layers × units, with the training points."""
    figure, panels = canvas("Too small, about right, too large", columns=3, width=8, height=3)
    for axes, (name, field) in zip(panels, fields.items(), strict=True):
        axes.contourf(field / 255, np.linspace(0, 1, 11), extent=(*X, *Y), cmap="RdBu_r", alpha=0.6)
        axes.contour(field / 255, [0.5], extent=(*X, *Y), colors="black")
        for label, marker, color, edge in ((0, "o", SKY, BLUE), (1, "^", ORANGE, VERMILION)):
            axes.plot(*train.inputs[train.targets == label].T, marker, color=color, markeredgecolor=edge, markersize=4)
        axes.set_title(f"layers × units: {name}")
        axes.set(xlabel="x₁", ylabel="x₂")
        axes.grid(visible=False)
    return figure
