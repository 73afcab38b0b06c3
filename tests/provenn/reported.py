"""A small repository whose results a change makes better, worse or neither."""

from pathlib import Path
from typing import Any

from repository import Repository

# Wrong on the `wrong` rows that a seed draws of 200; the picture's bar is as long as the accuracy.
EVALUATE = """
import csv, json, os, random
settings = dict(line.split(": ") for line in open("params.yaml").read().splitlines())
rows = [row["label"] for row in csv.DictReader(open("labels.csv"))]
wrong = set(random.Random(int(settings["seed"])).sample(range(len(rows)), int(settings["wrong"])))
found = [("b" if label == "a" else "a") if row in wrong else label for row, label in enumerate(rows)]
os.makedirs("plots", exist_ok=True)
with open("predictions.csv", "w") as file:
    file.write("label,predicted\\n" + "".join(f"{one},{other}\\n" for one, other in zip(rows, found)))
accuracy = sum(one == other for one, other in zip(rows, found)) / len(rows)
json.dump({"test": {"accuracy": accuracy}, "rows": len(rows), "best": settings["name"]}, open("metrics.json", "w"))
with open("plots/bar.svg", "w") as file:
    file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 20" width="300">'
               f'<rect width="{accuracy * 100}" height="20" fill="teal"/></svg>')
"""
PARAMS = {"wrong": 30, "seed": 1, "name": "first"}
META: dict[str, Any] = {"predictions": {"predictions.csv": {"truth": "label", "prediction": "predicted"}}}


def stages(**meta: Any) -> dict[str, Any]:
    """Return the stages; `meta` is what `evaluate` declares."""
    return {
        "clean": {"cmd": "cp raw.csv labels.csv", "deps": ["raw.csv"], "outs": ["labels.csv"]},
        "evaluate": {
            "cmd": "python evaluate.py",
            "deps": ["evaluate.py", "labels.csv"],
            "params": list(PARAMS),
            "outs": ["predictions.csv"],
            "metrics": [{"metrics.json": {"cache": False}}],
            "plots": ["plots"],
            "meta": {"provenn": meta},
        },
        "summary": {"cmd": "wc -l < predictions.csv > rows.txt", "deps": ["predictions.csv"], "outs": ["rows.txt"]},
    }


def set_params(repository: Repository, **changed: Any) -> None:
    """Write params.yaml, a line a parameter."""
    lines = (f"{name}: {value}\n" for name, value in (PARAMS | changed).items())
    repository.write("params.yaml", "".join(lines))


def make(root: Path) -> None:
    """Make it, run and committed."""
    repository = Repository.make(root)
    repository.write("evaluate.py", EVALUATE)
    repository.write("raw.csv", "label\n" + "a\nb\n" * 100)
    set_params(repository)
    repository.dvc_here("add", "--quiet", "raw.csv")
    repository.define(stages(**META))
    repository.dvc_here("repro")
    repository.commit("The base")
    repository.git("tag", "base")
