"""Judge a network over all its seeds on the sealed test set: every seed, and their mean with its interval."""

from pathlib import Path

from notes.data.tasks import load_split
from notes.evaluation import accuracy, log_loss, mean_interval
from notes.figures.canvas import save
from notes.figures.comparison import seeds_comparison
from notes.files import UserError, write_json
from notes.networks.model_files import load_network, predict
from notes.params import load_record_params
from notes.script import run_script, section
from provenn.record import track


def main(name: str) -> None:
    """Evaluate the models of the network NAME, one a seed; the mean's interval is that of the seeds."""
    params = load_record_params()
    task, confidence = section(params.train_mlp, name, "train_mlp").task, params.evaluate_seeds.confidence
    with track("evaluate_seeds", name):
        paths = sorted(Path("models", task).glob(f"{name}-*.safetensors"))
        if len(paths) < 2:
            raise UserError(f"models/{task} holds {len(paths)} models of {name}, but an interval needs 2 seeds.")
        test = load_split(task, "test")
        metrics, results = {}, {}
        for path in paths:
            probabilities = predict(load_network(path), test.inputs)
            found = accuracy(test.targets, probabilities.argmax(axis=1), confidence)
            results[path.stem] = found
            print(f"{path.stem:36} accuracy {found.value:.4f}  [{found.low:.4f}, {found.high:.4f}]", flush=True)
            for metric in ("accuracy", "primary"):
                metrics[f"{path.stem}/test/{metric}"] = found.value
                metrics[f"{path.stem}/test/{metric}_low"] = found.low
                metrics[f"{path.stem}/test/{metric}_high"] = found.high
            metrics[f"{path.stem}/test/log_loss"] = log_loss(test.targets, probabilities)

        mean = mean_interval([found.value for found in results.values()], confidence)
        print(f"{'mean':36} accuracy {mean.value:.5f}  [{mean.low:.5f}, {mean.high:.5f}]")
        folder = Path("results/evaluate_seeds") / name
        save(seeds_comparison(results, mean, f"{name}: {len(paths)} seeds"), folder / "seeds.png")
        write_json(folder / "models.json", metrics)
        summary = {"test/accuracy": mean.value, "test/accuracy_low": mean.low, "test/accuracy_high": mean.high}
        values = [found.value for found in results.values()]
        summary |= {"test/accuracy_lowest": min(values), "test/accuracy_highest": max(values), "seeds": len(values)}
        write_json(folder / "metrics.json", summary)


if __name__ == "__main__":
    run_script(main)
