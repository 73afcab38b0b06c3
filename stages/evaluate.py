"""Judge every model of a task on the sealed test set: its labels decide here and nowhere else."""

from pathlib import Path

import numpy as np

from notes.data.tasks import find_task, load_naming, load_split
from notes.evaluation import choose_champion
from notes.evaluation.report import Counterpart, Options, judge, judge_coefficients, metrics_of, prediction_table
from notes.files import read_json, write_json, write_rows
from notes.intervals import interval_of
from notes.loading import load_models
from notes.script import run_script
from notes.settings import Settings, read_settings
from notes.validation import validation_metrics
from provenn.record import track


def main(name: str) -> None:
    """Evaluate all models of the task NAME: intervals, paired tests, calibration, and the champion."""
    settings, own = vars(read_settings("evaluate")), vars(read_settings("evaluate", "tasks", name))
    del settings["tasks"]
    with track():
        task, models = find_task(name), load_models(Path("models") / name)
        pairs = vars(own.get("counterparts", Settings()))
        counterparts = {network: Counterpart(**vars(pair)) for network, pair in pairs.items()}
        options = Options(**settings, equivalence_margin=own.get("equivalence_margin"))

        validation = load_split(name, "validation")
        validated = {
            model.name: validation_metrics(task, validation.targets, model.predict(validation.inputs))
            for model in models.values()
        }
        networks = [model.name for model in models.values() if model.framework == "pytorch"]
        champion = choose_champion(validated, f"val/{task.primary_metric}", task.direction, networks)

        test, classes = load_split(name, "test"), load_naming(name).classes
        predictions = {model.name: model.predict(test.inputs) for model in models.values()}
        report = judge(task, test, predictions, counterparts, options, classes)
        report.tables["predictions"] = prediction_table(test.targets, predictions[champion], classes)
        if (known := Path("data") / name / "test" / "truth.json").is_file():
            truth = np.array(read_json(known)["coefficients"])
            fitted = {model.name: model.coefficients for model in models.values() if model.coefficients is not None}
            judge_coefficients(report, load_split(name, "train"), fitted, truth)

        results = Path("results/evaluate") / name
        for table, rows in report.tables.items():
            write_rows(results / "tables" / f"{table}.csv", rows)
        write_json(results / "champion.json", {"model": champion} | validated[champion])
        write_json(results / "models.json", report.metrics)
        headline = {"champion": champion} | validated[champion] | metrics_of(report, champion)
        write_json(results / "metrics.json", headline)
        for model in models:
            value, low, high = interval_of(report.metrics, model, task.primary_metric)
            print(f"{model:32} {task.primary_metric} {value:.4f}  [{low:.4f}, {high:.4f}]")
        print(f"champion on validation: {champion}")


if __name__ == "__main__":
    run_script(main)
