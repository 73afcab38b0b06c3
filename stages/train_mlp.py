"""Train a neural network for classification: logistic or softmax regression, or a multi-layer perceptron."""

import time

import torch

from notes.data.tasks import find_task, training_splits
from notes.files import write_json, write_rows
from notes.networks.augmentation import Augmenter
from notes.networks.determinism import make_deterministic, require_device, require_precision
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier
from notes.networks.model_files import save_network
from notes.script import Progress, run_script
from notes.settings import read_settings
from provenn.record import track


def main(name: str, seed: int | None = None) -> None:
    """Train the network NAME, a section of `train_mlp` in params.yaml, with its own seed or as one of several."""
    settings = read_settings("train_mlp", name)
    model, seed = (name, settings.seed) if seed is None else (f"{name}-{seed}", seed)
    with track() as run:
        require_device(settings.device)
        require_precision(settings.precision, settings.device)
        make_deterministic(seed)
        train, validation = training_splits(settings.task, settings.train_on)
        classes, generator = find_task(settings.task).classes, torch.Generator().manual_seed(seed)
        assert classes is not None
        network = Mlp(
            train.inputs.shape[1],
            settings.hidden_sizes,
            1 if settings.loss == "log_loss" else classes,
            activation=settings.activation,
            dropout=settings.dropout,
            batch_norm=settings.batch_norm,
            noise=settings.noise,
        ).initialise(generator, settings.initialisation)
        augment = Augmenter(settings.augmentation, generator) if settings.augmentation else None

        progress, history, started = Progress(settings.epochs), [], time.perf_counter()
        options = ClassifierOptions.of(settings)
        for record in fit_classifier(
            network, train, validation, options, generator=generator, device=settings.device, augment=augment
        ):
            run.log({name: value for name, value in record.items() if name != "epoch"}, step=int(record["epoch"]))
            progress.show(record)
            history.append(record)
        progress.close()
        seconds = time.perf_counter() - started
        run.log({"time/fit_s": seconds, "time/images_per_s": len(history) * len(train.targets) / seconds})

        kept = [record for record in history if record.get("val/best", 1.0)][-1]
        save_network(f"models/{settings.task}/{model}.safetensors", network)
        write_rows(f"results/train_mlp/{model}/history.csv", history)
        write_json(f"results/train_mlp/{model}/metrics.json", kept)


if __name__ == "__main__":
    run_script(main)
