"""Run a study: measure what a claim of the notes is about, and judge it by the rule fixed beforehand."""

import importlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from notes.files import write_bytes, write_json, write_rows
from notes.networks.determinism import make_deterministic
from notes.script import run_script
from notes.settings import read_settings
from notes.studies.shared.base import across_seeds, describe, mean_times, numbered, table
from provenn.record import track


def main(name: str) -> None:
    """Run the study NAME, a section of `study` in params.yaml and a module of notes.studies."""
    settings, of_all = read_settings("study", name), read_settings("study")
    with track() as run:
        study = importlib.import_module(f"notes.studies.{name}")
        rows, verdicts = [], []
        for number, seed in enumerate(np.random.SeedSequence(of_all.seed).spawn(of_all.seeds), start=1):
            make_deterministic(int(seed.generate_state(1)[0]))
            found = study.measure(settings, seed)
            verdicts.append(study.judge(found, settings))
            rows += numbered(found, number)
            print(f"seed {number} of {of_all.seeds}: {verdicts[-1].text}", flush=True)
        verdict = across_seeds(verdicts, study.judge(rows, settings))
        run.log(mean_times(rows))

        results = Path("results/study") / name
        texts = {"claim": study.CLAIM, "notes": study.NOTES, "rule": study.RULE} | asdict(verdict)
        write_rows(results / "table.csv", table(rows))
        write_json(results / "verdict.json", texts)
        write_bytes(results / "verdict.md", describe(texts).encode())
        write_json(results / "metrics.json", verdict.metrics())
        print(f"{study.CLAIM}\n{verdict.text}: {verdict.finding} ({verdict.seeds})")


if __name__ == "__main__":
    run_script(main)
