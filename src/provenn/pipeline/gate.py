"""The promises that a change must keep: CI fails when the results of the pipeline break one."""

from dataclasses import dataclass
from pathlib import Path

from provenn.pipeline.results import load_metrics

# With default parameters, on the official test sets. The margins above them are in the README.
LEAST_ACCURACY = {"mnist_softmax": 0.922, "mnist_mlp": 0.982}
SAME_COEFFICIENTS = 1e-4


@dataclass(frozen=True)
class Promise:
    """A promise, what was measured, and whether it is kept."""

    text: str
    measured: str
    kept: bool


def check_promises(root: Path = Path()) -> list[Promise]:
    """Return every promise with what the last run measured; raise UserError when a result is missing."""
    mnist, moons = load_metrics("mnist", root), load_metrics("moons", root)
    promises = [
        _at_least(f"{model} reaches {least:.1%} on the test set", mnist[f"{model}/test/accuracy"], least)
        for model, least in LEAST_ACCURACY.items()
    ]
    mlp, classifier = mnist["mnist_mlp/test/accuracy"], mnist["mnist_mlp_classifier/test/accuracy"]
    promises.append(_at_least("mnist_mlp is no worse than scikit-learn's MLPClassifier", mlp, classifier))
    low, high = moons["moons_mlp/test/accuracy_low"], moons["moons_logistic/test/accuracy_high"]
    promises.append(
        Promise(
            "moons_mlp is above moons_logistic beyond both intervals",
            f"at least {low:.2%} against at most {high:.2%}",
            low > high,
        )
    )
    for task in ("linear", "multivariate", "polynomial"):
        for name, distance in load_metrics(task, root).items():
            if name.endswith("max_relative_from_least_squares"):
                model = name.partition("/")[0]
                text = f"{model} has the least-squares coefficients within {SAME_COEFFICIENTS:g} relative"
                promises.append(Promise(text, f"{distance:.1e}", distance <= SAME_COEFFICIENTS))
    return promises


def _at_least(text: str, value: float, least: float) -> Promise:
    return Promise(text, f"{value:.2%}", value >= least)
