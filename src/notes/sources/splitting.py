"""Stratified choice: every class keeps its share."""

import numpy as np
import numpy.typing as npt


def choose_stratified(
    labels: npt.NDArray[np.generic], size: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return `size` sorted positions of `labels` (n,), chosen at random within each class.

    Each class gets its proportional number, rounded down or up by the largest remainder (Hamilton's method), so the
    total is exact and no class is off by one whole row. Raises ValueError unless 0 <= size <= n.
    """
    if not 0 <= size <= len(labels):
        raise ValueError(f"cannot choose {size} of {len(labels)} rows")
    classes, counts = np.unique(labels, return_counts=True)
    quotas, remainders = np.divmod(counts * size, max(len(labels), 1))
    largest = np.argsort(-remainders, kind="stable")[: size - int(quotas.sum())]
    quotas[largest] += 1
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:quota]
        for label, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *chosen]))
