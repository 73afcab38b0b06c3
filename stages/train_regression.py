"""Fit linear regression by gradient descent: from tensors alone (`scratch`) or with nn.Linear (`module`)."""

import time
from pathlib import Path

import torch

from notes.data.tasks import load_split
from notes.files import write_json, write_rows
from notes.networks.determinism import make_deterministic
from notes.networks.model_files import pretrained_parameters, save_network
from notes.networks.regression import (
    ModuleRegression,
    Powers,
    Regression,
    ScratchRegression,
    fit_regression,
    initial_parameters,
)
from notes.script import Progress, run_script
from notes.settings import read_settings
from provenn.record import track


def main(task: str, implementation: str) -> None:
    """Fit TASK (linear, multivariate, polynomial) by gradient descent with IMPLEMENTATION (scratch, module)."""
    settings = read_settings("train_regression", task, implementation)
    with track() as run:
        make_deterministic(settings.seed)
        train, validation = load_split(task, "train"), load_split(task, "validation")
        powers = Powers(train.inputs.shape[1], settings.degree).fit(torch.from_numpy(train.inputs))
        if settings.pretrained:
            weight, bias = pretrained_parameters(settings.pretrained, settings.pretrained_md5, powers)
        else:
            generator = torch.Generator().manual_seed(settings.seed)
            weight, bias = initial_parameters(settings.initialisation, powers, generator)
        if implementation == "scratch":
            model: Regression = ScratchRegression(powers, weight, bias, settings.learning_rate)
        else:
            model = ModuleRegression(powers, weight, bias, settings.learning_rate, settings.optimizer)

        progress, history, started = Progress(settings.max_iterations, unit="iteration"), [], time.perf_counter()
        for record in fit_regression(
            model, train, validation, max_iterations=settings.max_iterations, tolerance=settings.tolerance
        ):
            run.log({name: value for name, value in record.items() if name != "epoch"}, step=int(record["epoch"]))
            progress.show(record)
            history.append(record)
        progress.close()
        run.log({"time/fit_s": time.perf_counter() - started})

        name, results = f"{task}_{implementation}", Path("results/train_regression") / f"{task}-{implementation}"
        save_network(Path("models") / task / f"{name}.safetensors", model.to_network())
        write_rows(results / "history.csv", history)
        write_json(results / "metrics.json", history[-1])


if __name__ == "__main__":
    run_script(main)
