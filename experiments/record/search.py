"""Try other settings of a network of params.yaml, judged on validation alone; each outcome is a row of search.csv.

    python search.py mnist_augmented augmentation.rotation=15 epochs=40

The test set is not read. Run it in this folder, after `dvc repro prepare_mnist`.
"""

import csv
import sys
import time
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from ruamel.yaml import YAML

from notes.data.tasks import training_splits
from notes.networks.augmentation import Augmenter
from notes.networks.determinism import make_deterministic, require_precision
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier
from notes.params import load_record_params
from notes.params.networks import Mlp as Settings
from notes.script import Progress

COLUMNS = ["network", "changes", "seed", "epochs", "val/accuracy", "val/loss", "train/loss", "minutes"]


def main(name: str, *changes: str) -> None:
    """Train the network NAME with `changes`, each key=value, and append the last epoch's numbers to search.csv."""
    values: dict[str, Any] = load_record_params().train_mlp[name].model_dump() | {"train_on": "train"}
    for change in changes:
        path, _, value = change.partition("=")
        *sections, key = path.split(".")
        place = values
        for section in sections:
            place = place[section]
        place[key] = YAML(typ="safe", pure=True).load(value)
    settings = Settings.model_validate(values)
    require_precision(settings.precision, settings.device)
    make_deterministic(settings.seed)
    train, validation = training_splits(settings.task, settings.train_on)
    generator = torch.Generator().manual_seed(settings.seed)
    options = {key: values[key] for key in ("activation", "dropout", "batch_norm", "noise")}
    network = Mlp(784, settings.hidden_sizes, 10, **options).initialise(generator)
    augment = Augmenter(settings.augmentation, generator) if settings.augmentation else None

    progress, began = Progress(settings.epochs), time.monotonic()
    for record in fit_classifier(
        network, train, validation, ClassifierOptions.of(settings), generator=generator, augment=augment
    ):
        progress.show(record)
    progress.close()
    row = {"network": name, "changes": " ".join(changes), "seed": settings.seed, "epochs": settings.epochs}
    row |= {key: f"{record[key]:.4f}" for key in COLUMNS if "/" in key}
    append(Path("search.csv"), row | {"minutes": f"{(time.monotonic() - began) / 60:.1f}"})


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a row to the table; several searches may run at once."""
    with FileLock(f"{path}.lock"), path.open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not file.tell():
            table.writeheader()
        table.writerow(row)


if __name__ == "__main__":
    main(*sys.argv[1:])
