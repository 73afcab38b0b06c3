"""Fit scikit-learn's counterpart of a network, or the Dummy estimator as the floor."""

import time
from pathlib import Path

from notes.baselines import build_estimator, fit, predict, save_estimator
from notes.data.tasks import find_task, load_split
from notes.files import write_json
from notes.script import run_script
from notes.settings import read_settings
from notes.validation import validation_metrics
from provenn.record import track


def main(name: str, seed: int | None = None) -> None:
    """Fit the baseline NAME, a section of `train_baseline` in params.yaml, with its own seed or as one of several."""
    settings, model = read_settings("train_baseline", name), name
    if seed is not None:
        settings.seed, model = seed, f"{name}-{seed}"
    with track() as run:
        train, validation = load_split(settings.task, "train"), load_split(settings.task, "validation")
        estimator = build_estimator(settings)
        print(f"fitting {estimator} on {len(train.targets)} samples", flush=True)
        started = time.perf_counter()
        fit(estimator, train.inputs, train.targets)
        run.log({"time/fit_s": time.perf_counter() - started})

        metrics = validation_metrics(
            find_task(settings.task), validation.targets, predict(estimator, validation.inputs)
        )
        save_estimator(Path("models") / settings.task / f"{model}.skops", estimator)
        write_json(Path("results/train_baseline") / model / "metrics.json", metrics)


if __name__ == "__main__":
    run_script(main)
