"""What `x.view(-1, n)` does with a batch of pictures.

A tensor is a row of numbers in memory, its storage, and a rule for walking through it: a shape, and for each dimension
a stride, how many numbers to go on for the next index. `view` writes a new rule for the same storage and copies
nothing; so a number changed through the view is changed in the pictures. -1 stands for "as many as it takes".

For some walks there is no such rule. In a picture that was turned by swapping rows and columns, or cut from a larger
one, the pixels in reading order are not equally far apart; there `view` refuses, and `reshape` makes a copy. A batch
from a data loader is whole, so the line of the notes works. What -1 does not do is check n: any n that divides the
number of pixels passes, and half of it makes two rows of each picture.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from notes.intervals import mean_interval
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, listed, rows_where
from notes.studies.shared.experiment import random_for

CLAIM = "`view(-1, n)` flattens pictures: all values stay, nothing is copied, and -1 finds the number of rows."
NOTES = "8. Multi-class in code"
RULE = (
    "A layout of a batch passes if, in every repetition, view(-1, n) with the pixels n of a picture has a row a "
    "picture with its values in reading order, and a number written through it shows up in the pictures. Holds if "
    "every layout passes, holds only for those that do, fails if the plain batch does not. What reshape and a wrong n "
    "do explains and does not decide."
)
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "whole pictures": lambda pictures: pictures,
    "a smaller last batch": lambda pictures: pictures[-2:],
    "every second picture": lambda pictures: pictures[::2],
    "turned pictures": lambda pictures: pictures.transpose(1, 2),
    "cut pictures": lambda pictures: pictures[:, 1:-1, 1:-1],
}


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a layout and repetition, for batches of random shape."""
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        random = random_for(seed, repetition)
        shape = random.integers(4, settings.largest + 1, size=3)  # of 3 pixels cutting leaves 1
        for layout, arrange in LAYOUTS.items():
            pictures = torch.from_numpy(np.arange(shape.prod(), dtype=np.float64).reshape(shape))
            case = {"layout": layout, "repetition": repetition}
            case |= dict(zip(("pictures", "height", "width"), arrange(pictures).shape, strict=True))
            case["strides"] = "/".join(map(str, arrange(pictures).stride()))
            rows.append(case | look(arrange(pictures)))
    return rows


def look(pictures: Tensor) -> Row:
    """Flatten pictures (n, height, width) by `view` and by `reshape`; return what each did."""
    pixels = pictures[0].numel()
    in_order = [[float(pixel) for line in picture for pixel in line] for picture in pictures]
    views, reshapes = flatten(pictures.view, pixels), flatten(pictures.reshape, pixels)
    found: Row = {"view_works": views is not None}
    for name, flat in (("view", views), ("reshape", reshapes)):
        found[f"{name}_keeps_values"] = flat is not None and flat.tolist() == in_order
        found[f"{name}_shares"] = flat is not None and shares(flat, pictures)
    # Twice the rows, and no complaint.
    half = flatten(pictures.view, pixels // 2)
    found["half_n_unnoticed"] = half is not None and len(half) != len(pictures)
    found["other_n_refused"] = flatten(pictures.view, pictures.numel() + 1) is None
    return found


def flatten(method: Callable[[int, int], Tensor], pixels: int) -> Tensor | None:
    """Return method(-1, pixels), or None where torch refuses."""
    try:
        return method(-1, pixels)
    except RuntimeError:
        return None


def shares(flat: Tensor, pictures: Tensor) -> bool:
    """Write a number into the flat rows, see whether it shows up in the pictures, and put the old one back."""
    old = flat[0, -1].item()
    flat[0, -1] = old + 0.5
    shows = pictures[0, -1, -1].item() == old + 0.5
    flat[0, -1] = old
    return shows


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the share of layouts that pass."""
    passing = [
        layout
        for layout in LAYOUTS
        if all(row["view_keeps_values"] and row["view_shares"] for row in rows_where(rows, layout=layout))
    ]
    others = [layout for layout in LAYOUTS if layout not in passing]
    plain = next(iter(LAYOUTS))
    text = "fails"
    if plain in passing:
        text = f"holds only for {listed(passing)}" if others else "holds"
    copies = [layout for layout in others if not column(rows, "reshape_shares", layout=layout).any()]
    unnoticed = 100 * column(rows, "half_n_unnoticed", layout=plain).mean()
    return Verdict(
        text,
        "layouts of which view makes flat rows without a copy, percent",
        *mean_interval([100 * len(passing) / len(LAYOUTS)]),
        f"view flattens {listed(passing) if passing else 'nothing'}"
        + (
            f"; it refuses {listed(others)}, and reshape copies {'them' if copies == others else 'some'}"
            if others
            else ""
        )
        + f"; half the right n goes unnoticed in {unnoticed:.0f} % of the batches",
    )
