"""Judge a network over all its seeds on the sealed test set: every seed, and their mean with its interval."""

from pathlib import Path

from notes.data.tasks import load_split
from notes.evaluation import accuracy
from notes.files import UserError, write_json
from notes.intervals import mean_interval, metrics_of_interval
from notes.networks.model_files import load_network, predict
from notes.script import run_script
from notes.settings import read_settings
from notes.validation import log_loss
from provenn.record import track


def main(name: str) -> None:
    """Evaluate the models of the network NAME, one a seed; the mean's interval is that of the seeds."""
    task, confidence = read_settings("train_mlp", name).task, read_settings("evaluate_seeds").confidence
    with track():
        paths = sorted(Path("models", task).glob(f"{name}-*.safetensors"))
        if len(paths) < 2:
            raise UserError(f"models/{task} holds {len(paths)} models of {name}, but an interval needs 2 seeds.")
        test = load_split(task, "test")
        metrics: dict[str, float] = {}
        values: list[float] = []
        for path in paths:
            probabilities = predict(load_network(path), test.inputs)
            found = accuracy(test.targets, probabilities.argmax(axis=1), confidence)
            values.append(found.value)
            print(f"{path.stem:36} accuracy {found.value:.4f}  [{found.low:.4f}, {found.high:.4f}]", flush=True)
            metrics |= metrics_of_interval(path.stem, "accuracy", found)
            metrics[f"{path.stem}/test/log_loss"] = log_loss(test.targets, probabilities)

        mean = mean_interval(values, confidence)
        print(f"{'mean':36} accuracy {mean.value:.5f}  [{mean.low:.5f}, {mean.high:.5f}]")
        folder = Path("results/evaluate_seeds") / name
        write_json(folder / "models.json", metrics)
        summary = {"test/accuracy": mean.value, "test/accuracy_low": mean.low, "test/accuracy_high": mean.high}
        summary |= {"test/accuracy_lowest": min(values), "test/accuracy_highest": max(values), "seeds": len(values)}
        write_json(folder / "metrics.json", summary)


if __name__ == "__main__":
    run_script(main)
