"""Compare networks with their counterparts in scikit-learn, over several seeds of either, on the sealed test set."""

from pathlib import Path

import numpy as np

from notes.data.tasks import load_naming, load_split
from notes.evaluation.seeds import crossed_difference
from notes.files import write_json, write_rows
from notes.loading import load_models
from notes.script import run_script
from notes.settings import read_settings
from provenn.record import track


def main(task: str) -> None:
    """Judge every model of TASK, one a seed, and each pair of `compare_seeds.counterparts` over seeds and test rows."""
    settings = read_settings("compare_seeds")
    with track():
        test = load_split(task, "test")
        right: dict[str, list[np.ndarray]] = {}
        table = []
        for model in load_models(Path("models") / task).values():
            name, _, seed = model.name.rpartition("-")
            right.setdefault(name, []).append(model.predict(test.inputs).argmax(axis=1) == test.targets)
            table.append({"model": name, "seed": seed, "test/accuracy": float(right[name][-1].mean())})
            print(f"{model.name:28} accuracy {table[-1]['test/accuracy']:.4f}", flush=True)

        scores = {name: np.array(rows, dtype=np.float64) for name, rows in right.items()}
        found: dict[str, dict[str, float | str]] = {}
        for network, pair in vars(settings.counterparts).items():
            first, second = scores[network], scores[pair.baseline]
            found[network] = {"counterpart": pair.baseline, "differs": pair.differs, "rows": len(test.targets)}
            found[network] |= {"seeds": len(first), "counterpart_seeds": len(second)}
            found[network] |= {"accuracy": float(first.mean()), "counterpart_accuracy": float(second.mean())}
            found[network] |= crossed_difference(first, second, settings.confidence)
            ends = [found[network][f"difference{end}"] for end in ("", "_low", "_high")]
            print(f"{network} − {pair.baseline}: {ends[0]:+.4f}  [{ends[1]:+.4f}, {ends[2]:+.4f}]")
        write_rows(Path("results/compare_seeds/seeds.csv"), table)
        write_json(Path("results/compare_seeds/metrics.json"), {"dataset": load_naming(task).title} | found)


if __name__ == "__main__":
    run_script(main)
