"""Clouds in place of digits, so that the studies run without prepared data."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from notes.data.tasks import Split


@pytest.fixture
def clouds():
    """Return a stand-in for `load_split`: ten overlapping clouds of 64 features, 400 rows to train on and 200 more."""
    inputs, labels = make_blobs(600, 64, centers=10, cluster_std=10.0, random_state=0)
    inputs = ((inputs - inputs.mean()) / inputs.std()).astype(np.float32)
    parts = {"train": slice(0, 400), "validation": slice(400, None)}
    return lambda _, part: Split(inputs[parts[part]], labels[parts[part]].astype(np.int64))
