"""Draw what `evaluate` found on a task, and how its models see the test rows."""

from pathlib import Path

import numpy as np

from notes.data.tasks import find_task, load_inputs, load_naming
from notes.figures.canvas import save
from notes.figures.report import Findings, report_figures
from notes.files import read_json, read_values
from notes.loading import load_models
from notes.script import run_script
from provenn.record import track


def main(name: str) -> None:
    """Draw the pictures of the task NAME from the tables of its evaluation; no label is read but theirs."""
    with track():
        task, results = find_task(name), Path("results/evaluate") / name
        regression, known = task.kind == "regression", Path("data") / name / "test" / "truth.json"
        found = Findings(
            champion=read_json(results / "champion.json")["model"],
            metrics=read_json(results / "models.json"),
            predictions=read_values(results / "tables" / "predictions.csv"),
            calibration=[] if regression else read_values(results / "tables" / "calibration.csv"),
            truth=np.array(read_json(known)["coefficients"]) if known.is_file() else None,
            naming=load_naming(name),
        )
        models = load_models(Path("models") / name)
        for file, figure in report_figures(task, load_inputs(name, "test"), models, found):
            save(figure, Path("results/draw_evaluation") / name / file)


if __name__ == "__main__":
    run_script(main)
