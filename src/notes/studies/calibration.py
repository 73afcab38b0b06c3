"""Can softmax outputs be read as probabilities?

Softmax makes positive numbers that sum to 1. That makes them look like probabilities. They are, if of all digits to
which the network gives 70 %, seventy in a hundred are right. Cross-entropy rewards this on the training digits; on new
ones nothing enforces it. A network that has learnt its training digits by heart is sure of them all, and as sure of new
ones.

The expected calibration error sorts the predictions into ten bins by their confidence and averages over them how far
the share of right ones lies from the mean confidence (Guo et al., On Calibration of Modern Neural Networks, 2017). Even
a perfect network shows some: a bin of 50 digits does not hit its share exactly. So the study also draws, again and
again, which predictions would be right if the network's own probabilities were true, and takes off the error that these
show.
"""

import numpy as np
import torch
from torch import Tensor

from notes.data.tasks import Split, load_split
from notes.intervals import Interval, mean_interval
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier, to_tensors
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, random_for, sample

CLAIM = "The outputs of a softmax can be read as probabilities."
NOTES = "2. Activation functions; 7. Classification"
RULE = (
    "The excess is the expected calibration error of the most probable class on new digits, in percentage points, "
    "minus the mean error of labels drawn from the network's own probabilities. Outputs can be read as probabilities "
    "after a number of epochs if the 95 % interval of the mean excess lies below `tolerance`. Holds if after each of "
    "them, holds only for those that pass, fails if none does."
)
BINS = 10


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a repetition and number of epochs, and one for each bin of confidence that is not empty."""
    digits, held_out = load_split("mnist", "train"), load_split("mnist", "validation")
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        generator, random = generator_for(seed, repetition), random_for(seed, repetition, 1)
        data, new = sample(digits, settings.rows, generator), sample(held_out, settings.validation_rows, generator)
        network = Mlp(data.inputs.shape[1], settings.hidden_sizes, 10).initialise(generator)
        options = ClassifierOptions(max(settings.epochs), settings.batch_size, settings.learning_rate)
        for record in fit_classifier(network, data, None, options, generator=generator):
            if record["epoch"] in settings.epochs:
                case = {"epochs": int(record["epoch"]), "repetition": repetition}
                confidence, right = predictions(network, new)
                rows.append(case | {"kind": "network"} | errors(confidence, right, settings.draws, random))
                rows += [case | {"kind": "bin"} | found for found in bins(confidence, right)]
    return rows


@torch.no_grad()
def predictions(network: Mlp, data: Split) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of the most probable class of each row (n,), and whether it is the right one (n,)."""
    inputs, labels = to_tensors(data, "cpu")
    logits: Tensor = network(inputs)
    confidence, predicted = torch.softmax(logits.double(), dim=1).max(dim=1)
    return confidence.numpy(), (predicted == labels).numpy()


def errors(confidence: np.ndarray, right: np.ndarray, draws: int, random: np.random.Generator) -> Row:
    """Return accuracy, confidence and calibration error in percent, and the error by chance alone."""
    by_chance = [calibration_error(confidence, random.random(len(right)) < confidence) for _ in range(draws)]
    return {
        "accuracy": 100 * float(right.mean()),
        "confidence": 100 * float(confidence.mean()),
        "error": 100 * calibration_error(confidence, right),
        "error_by_chance": 100 * float(np.mean(by_chance)),
    }


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Return the mean over the bins, by their size, of |share of right predictions - mean confidence|."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(place, right.astype(float) - confidence, minlength=BINS)).sum() / len(right))


def bins(confidence: np.ndarray, right: np.ndarray) -> list[Row]:
    """Return mean confidence, share of right predictions and size of each bin that is not empty."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "bin": int(one),
            "confidence": 100 * float(confidence[place == one].mean()),
            "accuracy": 100 * float(right[place == one].mean()),
            "size": int((place == one).sum()),
        }
        for one in np.unique(place)
    ]


def excess(rows: list[Row], epochs: int) -> Interval:
    """Return the calibration error beyond that by chance, percentage points."""
    error, by_chance = (column(rows, name, kind="network", epochs=epochs) for name in ("error", "error_by_chance"))
    return mean_interval(error - by_chance)


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the excess after the longest training."""
    passed = [f"{epochs}" for epochs in settings.epochs if excess(rows, epochs).high < settings.tolerance]
    text = f"holds only after {' or '.join(passed)} epochs" if passed else "fails"
    longest = max(settings.epochs)
    confidence, accuracy = (
        column(rows, name, kind="network", epochs=longest).mean() for name in ("confidence", "accuracy")
    )
    beyond = ", ".join(f"{excess(rows, epochs).value:.1f}" for epochs in settings.epochs)
    return Verdict(
        "holds" if len(passed) == len(settings.epochs) else text,
        f"expected calibration error after {longest} epochs beyond that by chance, percentage points",
        *excess(rows, longest),
        f"After {', '.join(map(str, settings.epochs))} epochs softmax is off by {beyond} points beyond chance; after "
        f"{longest} it says {confidence:.0f} % and is right in {accuracy:.0f} %",
    )
