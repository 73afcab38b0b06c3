"""Does mean squared error measure a classifier badly?

The study `loss_choice` asks whether squared error is a good loss to train with. This one asks whether it is a good
measure: of classifiers that are there already, does it find the better ones? Squared error of probabilities, for
classification, is the Brier score (1950), and it has what a good measure needs. Its expectation is smallest for the
true probabilities (it is "proper"), as that of the log loss is. And it is bounded: one sure mistake costs at most 2,
where the log loss asks for any price.

A classifier is bought for its accuracy on data that nobody has seen. So nine classifiers, from hardly trained to
over-trained, are ranked by their accuracy on thousands of digits. Then each measure ranks them on few digits, as one
has them in practice, and the rankings are compared: Kendall's τ is 1 for the same order, 0 for none in common.
"""

import numpy as np
import torch
from torch.nn import functional

from notes.data.tasks import Split, load_split
from notes.intervals import paired_interval
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier, to_tensors
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, sample

CLAIM = "Mean squared error measures classifiers badly."
NOTES = "7. Classification"
RULE = (
    "Each measure ranks the classifiers on a few digits; Kendall's τ says how well this agrees with their accuracy on "
    "many others, averaged over draws of the digits. Squared error is worse than a rival (log loss, or accuracy on "
    "the same few digits) if the 95 % interval of τ(rival) - τ(squared error), paired, lies above zero. Holds if it "
    "is worse than both, holds only against the one that it is worse than, fails if it is worse than neither."
)
RIVALS = {"log_loss": "log loss", "accuracy": "accuracy"}
MEASURES = ("squared_error", *RIVALS)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a repetition and classifier with its scores on many digits, and one a measure with its mean τ."""
    digits, held_out = load_split("mnist", "train"), load_split("mnist", "validation")
    few, count = settings.few_rows, settings.few_rows * settings.draws
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        new = sample(held_out, len(held_out.targets), generator_for(seed, repetition))
        names, scores = classifiers(settings, digits, new, generator_for(seed, repetition, 1))
        for number, name in enumerate(names):
            many = {measure: float(scores[measure][number, count:].mean()) for measure in MEASURES}
            rows.append({"kind": "classifier", "repetition": repetition} | name | many)
        truth = scores["accuracy"][:, count:].mean(axis=1)
        for measure in MEASURES:
            sign = 1 if measure == "accuracy" else -1  # the smaller loss is the better one
            draws = scores[measure][:, :count].reshape(len(names), settings.draws, few).mean(axis=2)
            tau = np.mean([kendall(truth, sign * draw) for draw in draws.T])
            rows.append({"kind": "measure", "repetition": repetition, "measure": measure, "tau": float(tau)})
    return rows


def classifiers(
    settings: Settings, digits: Split, new: Split, generator: torch.Generator
) -> tuple[list[Row], dict[str, np.ndarray]]:
    """Train on few and more digits, for few and more epochs; return names, and each measure (classifiers, rows)."""
    names: list[Row] = []
    scores = []
    for rows in settings.train_rows:
        data = sample(digits, rows, generator)
        network = Mlp(data.inputs.shape[1], settings.hidden_sizes, 10).initialise(generator)
        options = ClassifierOptions(max(settings.epochs), settings.batch_size, settings.learning_rate)
        for record in fit_classifier(network, data, None, options, generator=generator):
            if record["epoch"] in settings.epochs:
                names.append({"train_rows": rows, "epochs": int(record["epoch"])})
                scores.append(scores_of(network, new))
    return names, {measure: np.stack([one[measure] for one in scores]) for measure in MEASURES}


@torch.no_grad()
def scores_of(network: Mlp, new: Split) -> dict[str, np.ndarray]:
    """Return each measure of a classifier, row by row (n,)."""
    inputs, labels = to_tensors(new, "cpu")
    logits = network(inputs).double()
    truth = functional.one_hot(labels, logits.shape[1])
    return {
        "squared_error": ((torch.softmax(logits, dim=1) - truth) ** 2).sum(dim=1).numpy(),
        "log_loss": functional.cross_entropy(logits, labels, reduction="none").numpy(),
        "accuracy": (logits.argmax(dim=1) == labels).double().numpy(),
    }


def kendall(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of pairs that both put in the same order, minus that in the opposite one; a tie is neither."""
    upper = np.triu_indices(len(first), k=1)
    orders = [np.sign(values[:, None] - values[None, :])[upper] for values in (first, second)]
    return float((orders[0] * orders[1]).mean())


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is what the log loss gains, in τ."""
    tau = {measure: column(rows, "tau", kind="measure", measure=measure) for measure in MEASURES}
    gains = {rival: paired_interval(tau[rival], tau["squared_error"]) for rival in RIVALS}
    better = [name for rival, name in RIVALS.items() if gains[rival].low > 0]
    text = f"holds only against {' and '.join(better)}" if better else "fails"
    means = ", ".join(f"{name} {tau[rival].mean():.2f}" for rival, name in RIVALS.items())
    return Verdict(
        "holds" if len(better) == len(RIVALS) else text,
        "Kendall's τ of the log loss minus that of squared error",
        *gains["log_loss"],
        f"Where {settings.few_rows} digits rank the classifiers, Kendall's τ to their accuracy on many others is "
        f"{tau['squared_error'].mean():.2f} by squared error; by the rivals: {means}",
    )
