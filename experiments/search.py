"""Try other settings of a network of params.yaml, judged on validation alone; each outcome is a row of a table.

    PYTHONPATH=src python experiments/search.py mnist_mlp --table experiments/search.csv
    cd experiments/record; PYTHONPATH=src python ../search.py mnist_augmented augmentation.rotation=15 epochs=40

Run it in a project's folder, after `dvc repro prepare_mnist`. Without changes it goes through the grid that search.yaml
has for the network, and says which setting the rule written there chooses. The test set is not read.
"""

import csv
import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import torch
import typer
from filelock import FileLock
from ruamel.yaml import YAML

from notes.data.tasks import training_splits
from notes.files import read_rows
from notes.networks.augmentation import Augmenter
from notes.networks.determinism import make_deterministic, require_precision
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier
from notes.params import load_network_params
from notes.params.networks import Mlp as Settings
from notes.script import Progress, run_script
from notes.settings import read_yaml

COLUMNS = ["network", "changes", "seed", "epochs", "val/accuracy", "val/loss", "train/loss", "minutes"]
GRIDS = Path(__file__).with_suffix(".yaml")


def main(
    name: str, changes: Annotated[list[str] | None, typer.Argument()] = None, table: Path = Path("search.csv")
) -> None:
    """Train the network NAME with CHANGES, each key=value, or through its grid; append every outcome to TABLE."""
    values = load_network_params().train_mlp[name].model_dump() | {"train_on": "train"}
    if changes:
        append(table, trial(name, values, changes))
        return
    section = read_yaml(GRIDS)[name]
    for combination in combinations(section["grid"]):
        for seed in section["seeds"]:
            append(table, trial(name, values | {"seed": seed}, combination))
    print(f"the rule chooses {choose(row for row in read_rows(table) if row['network'] == name)}")


def trial(name: str, values: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Train one network and return its row: the numbers of the epoch that is kept."""
    settings = Settings.model_validate(changed(values, changes))
    print(f"{name}, seed {settings.seed}: {' '.join(changes)}", flush=True)
    require_precision(settings.precision, settings.device)
    make_deterministic(settings.seed)
    train, validation = training_splits(settings.task, settings.train_on)
    generator = torch.Generator().manual_seed(settings.seed)
    options = {key: getattr(settings, key) for key in ("activation", "dropout", "batch_norm", "noise")}
    network = Mlp(784, settings.hidden_sizes, 10, **options).initialise(generator, settings.initialisation)
    augment = Augmenter(settings.augmentation, generator) if settings.augmentation else None

    progress, history, began = Progress(settings.epochs), [], time.monotonic()
    for record in fit_classifier(
        network, train, validation, ClassifierOptions.of(settings), generator=generator, augment=augment
    ):
        progress.show(record)
        history.append(record)
    progress.close()
    kept = [record for record in history if record.get("val/best", 1.0)][-1]
    row = {"network": name, "changes": " ".join(changes), "seed": settings.seed, "epochs": settings.epochs}
    row |= {key: f"{kept[key]:.4f}" for key in COLUMNS if "/" in key}
    return row | {"minutes": f"{(time.monotonic() - began) / 60:.1f}"}


def changed(values: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """Return the settings with each change, `key=value` or `section.key=value`, made."""
    made = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for change in changes:
        path, _, value = change.partition("=")
        *sections, key = path.split(".")
        place = made
        for section in sections:
            place = place[section]
        place[key] = YAML(typ="safe", pure=True).load(value)
    return made


def combinations(grid: Mapping[str, Sequence[Any]]) -> list[list[str]]:
    """Return every combination of a grid's values, as changes."""
    return [
        [f"{key}={value}" for key, value in zip(grid, chosen, strict=True)]
        for chosen in itertools.product(*grid.values())
    ]


def choose(rows: Iterable[Mapping[str, str]]) -> str:
    """Return the changes with the highest mean validation accuracy over the seeds, then the lowest mean loss."""
    trials: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        trials.setdefault(row["changes"], []).append(row)

    def rank(changes: str) -> tuple[float, float]:
        accuracy, loss = (mean(float(row[key]) for row in trials[changes]) for key in ("val/accuracy", "val/loss"))
        return round(accuracy, 6), -loss

    return max(trials, key=rank)


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a row to the table; several searches may run at once."""
    with FileLock(f"{path}.lock"), path.open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not file.tell():
            table.writeheader()
        table.writerow(row)


if __name__ == "__main__":
    run_script(main)
