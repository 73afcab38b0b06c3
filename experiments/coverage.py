"""Measure how often the intervals for RMSE hold the truth, and how often two equal models are said to differ.

    PYTHONPATH=src python experiments/coverage.py

Writes experiments/coverage.csv. The errors of a model have a variance of 1, so that its RMSE is 1; those of two models
share half of it, as errors on the same rows do. Some minutes on one core.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from notes.evaluation import paired_rmse, rmse
from notes.files import write_rows
from notes.intervals import Interval

SAMPLES, RESAMPLES, SEED = 1000, 499, 7
ROWS = (20, 100, 400)
ERRORS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda generator, rows: generator.normal(size=rows),
    "skewed (exponential)": lambda generator, rows: generator.exponential(size=rows) - 1,
}


def main() -> None:
    """Measure each size of a test set with each kind of error."""
    table = []
    for rows in ROWS:
        for name, draw in ERRORS.items():
            generator = np.random.default_rng([SEED, rows])
            found = np.array([outcomes(draw, rows, generator) for _ in range(SAMPLES)])
            shares = zip(
                ("rmse_covered", "difference_covered", "rejected_at_5_percent"), found.mean(axis=0), strict=True
            )
            table.append({"rows": rows, "errors": name, "samples": SAMPLES} | dict(shares))
            print(table[-1], flush=True)
    write_rows(Path(__file__).with_suffix(".csv"), table)


def outcomes(
    draw: Callable[[np.random.Generator, int], np.ndarray], rows: int, generator: np.random.Generator
) -> tuple[bool, bool, bool]:
    """Return whether the intervals of one test set hold 1 and a difference of 0, and whether the test rejects it."""
    shared, first, second = (draw(generator, rows) for _ in range(3))
    models = [(shared + own) / np.sqrt(2) for own in (first, second)]
    alone = rmse(np.zeros(rows), first, resamples=RESAMPLES, generator=generator)
    pair = paired_rmse(np.zeros(rows), *models, resamples=RESAMPLES, generator=generator)
    difference = Interval(pair["difference"], pair["difference_low"], pair["difference_high"])
    return alone.low <= 1 <= alone.high, difference.low <= 0 <= difference.high, pair["p_value"] <= 0.05


if __name__ == "__main__":
    main()
