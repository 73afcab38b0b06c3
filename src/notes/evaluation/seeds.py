"""Two kinds of network over several seeds each, judged on the same test rows: is one better, whatever the seed and row?

Seeds and rows are crossed: each network judges every row. An interval over seeds alone is about these rows, one over
rows alone about these networks; this one is about both.
"""

import math

import numpy as np
from scipy.special import stdtr, stdtrit

from notes.files import UserError


def crossed_difference(first: np.ndarray, second: np.ndarray, confidence: float = 0.95) -> dict[str, float]:
    """Return difference (of mean scores), difference_low, difference_high, degrees_of_freedom and p_value.

    `first` (seeds, rows) and `second` (other seeds, rows) hold a score a row, such as 1 for right and 0 for wrong. Rows
    and seeds are random effects: the variance is that of the rows' mean differences over the rows, plus that of each
    side's means over its seeds. What is peculiar to a row and a seed enters both, so that the interval is rather too
    wide than too narrow (Owen 2007, The pigeonhole bootstrap, Annals of Applied Statistics 1). Student's t, with the
    degrees of freedom of Satterthwaite (1946, Biometrics Bulletin 2). Raises UserError for fewer than 2 seeds or rows.
    """
    if first.shape[1] != second.shape[1]:
        raise UserError(f"One side was judged on {first.shape[1]} rows, the other on {second.shape[1]}: use the same.")
    if min(len(first), len(second), first.shape[1]) < 2:
        raise UserError("A comparison over seeds and rows needs 2 of each: train more seeds.")
    of_rows = first.mean(axis=0) - second.mean(axis=0)
    samples = [of_rows, first.mean(axis=1), second.mean(axis=1)]
    variances = [float(sample.var(ddof=1)) / len(sample) for sample in samples]
    value, total = float(of_rows.mean()), sum(variances)
    if total == 0:
        same = float(value == 0)
        return _row(value, 0.0, math.inf, same)
    freedom = total**2 / sum(part**2 / (len(sample) - 1) for part, sample in zip(variances, samples, strict=True))
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(total)
    return _row(value, reach, freedom, 2 * float(stdtr(freedom, -abs(value) / math.sqrt(total))))


def _row(value: float, reach: float, freedom: float, p_value: float) -> dict[str, float]:
    return {
        "difference": value,
        "difference_low": value - reach,
        "difference_high": value + reach,
        "degrees_of_freedom": freedom,
        "p_value": p_value,
    }
