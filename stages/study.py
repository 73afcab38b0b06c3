"""Run a study: measure what a claim of the notes is about, judge it by the rule fixed beforehand, draw the finding."""

import importlib
from dataclasses import asdict
from pathlib import Path

from notes.networks.determinism import make_deterministic
from notes.figures.canvas import save
from notes.files import write_json, write_rows
from notes.params import load_params
from notes.studies.base import Verdict, mean_times, table
from provenn.record import track
from notes.script import run_script, section


def main(name: str) -> None:
    """Run the study NAME, a section of `study` in params.yaml and a module of notes.studies."""
    params = load_params().study
    settings = section(params.sections(), name, "study")
    with track("study", name) as run:
        make_deterministic(params.seed)
        study = importlib.import_module(f"notes.studies.{name}")
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
