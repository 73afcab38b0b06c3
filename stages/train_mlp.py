"""Train a neural network for classification: logistic or softmax regression, or a multi-layer perceptron."""

import time
from pathlib import Path

import torch

from provenn.data.tasks import TASKS, load_split
from provenn.determinism import make_deterministic, require_device
from provenn.figures.canvas import save
from provenn.figures.training import learning_curves
from provenn.files import write_json, write_rows
from provenn.models.modules import Mlp, save_network
from provenn.params import load_params
from provenn.tracking.run import track
from provenn.tracking.script import Progress, run_script, section
from provenn.training import ClassifierOptions, fit_classifier


def main(name: str) -> None:
    """Train the network NAME, a section of `train_mlp` in params.yaml, and keep its best validation epoch."""
    settings = section(load_params().train_mlp, name, "train_mlp")
    with track("train_mlp", name) as run:
        require_device(settings.device)
        make_deterministic(settings.seed)
        train, validation = load_split(settings.task, "train"), load_split(settings.task, "validation")
        generator = torch.Generator().manual_seed(settings.seed)
        network = Mlp(
            train.inputs.shape[1],
            settings.hidden_sizes,
            1 if settings.loss == "log_loss" else TASKS[settings.task].classes,
            activation=settings.activation,
            dropout=settings.dropout,
            batch_norm=settings.batch_norm,
        ).initialise(generator)

        progress, history, started = Progress(settings.epochs), [], time.perf_counter()
        options = ClassifierOptions.of(settings)
        for record in fit_classifier(network, train, validation, options, generator=generator, device=settings.device):
            run.epoch(record)
            progress.show(record)
            history.append(record)
        progress.close()
        seconds = time.perf_counter() - started
        run.metrics({"time/fit_s": seconds, "time/images_per_s": len(history) * len(train.targets) / seconds})

        best = [record for record in history if record["val/best"]][-1]
        results = Path("results/train_mlp") / name
        save_network(Path("models") / settings.task / f"{name}.safetensors", network)
        write_rows(results / "history.csv", history)
        write_json(results / "metrics.json", best | {"val/primary": best["val/accuracy"]})
        title = f"{name}: best validation loss {best['val/loss']:.3f} in epoch {best['epoch']}"
        save(learning_curves(history, title), results / "learning_curves.png")


if __name__ == "__main__":
    run_script(main)
