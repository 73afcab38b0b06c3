"""Run a study: measure what a claim of the notes is about, judge it by the rule fixed beforehand, draw the finding."""

import importlib
from dataclasses import asdict
from pathlib import Path

from provenn.determinism import make_deterministic
from provenn.figures.canvas import save
from provenn.files import write_json, write_rows
from provenn.params import load_params
from provenn.studies.base import Verdict, mean_times, table
from provenn.tracking.run import track
from provenn.tracking.script import run_script, section


def main(name: str) -> None:
    """Run the study NAME, a section of `study` in params.yaml and a module of provenn.studies."""
    params = load_params().study
    settings = section(params.sections(), name, "study")
    with track("study", name) as run:
        make_deterministic(params.seed)
        study = importlib.import_module(f"provenn.studies.{name}")
        rows = study.measure(settings, params.seed)
        verdict: Verdict = study.judge(rows, settings)
        run.metrics(mean_times(rows))

        results = Path("results/study") / name
        texts = {"claim": study.CLAIM, "notes": study.NOTES, "rule": study.RULE}
        write_rows(results / "table.csv", table(rows))
        write_json(results / "verdict.json", texts | asdict(verdict))
        write_json(results / "metrics.json", verdict.metrics())
        save(study.draw(rows, verdict), results / "figure.png")
        print(f"{study.CLAIM}\n{verdict.text}: {verdict.finding}")


if __name__ == "__main__":
    run_script(main)
