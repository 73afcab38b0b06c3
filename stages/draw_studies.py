"""Draw the finding of every study from its table and its verdict."""

import importlib
from pathlib import Path

from notes.figures.canvas import save
from notes.files import read_json, read_values
from notes.script import run_script
from notes.studies.shared.base import Verdict
from provenn.record import track


def main() -> None:
    """Draw a picture for each folder of results/study."""
    with track():
        for folder in sorted(Path("results/study").iterdir()):
            draw = importlib.import_module(f"notes.figures.studies.{folder.name}").draw
            verdict = Verdict.of(read_json(folder / "verdict.json"))
            save(draw(read_values(folder / "table.csv"), verdict), Path("results/draw_studies") / f"{folder.name}.png")
            print(f"{folder.name}: {verdict.finding}")


if __name__ == "__main__":
    run_script(main)
