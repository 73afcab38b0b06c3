"""Export the champion of a task as one ONNX file and prove that it computes the same."""

from pathlib import Path

from notes.data.tasks import find_task, load_inputs, load_naming
from notes.exporting import compare_with_source, open_session, require_parity, run_onnx, to_onnx
from notes.files import digest, read_json, write_bytes, write_json
from notes.networks.determinism import make_deterministic
from notes.networks.model_files import load_network, predict
from notes.script import run_script
from notes.served import for_use, preparation
from notes.settings import read_settings
from provenn.record import track


def main(task: str) -> None:
    """Export the champion of TASK; fail unless it agrees with its source on the whole test set's inputs."""
    settings = read_settings("export_model")
    with track() as run:
        make_deterministic(seed=0)
        champion = read_json(Path("results/evaluate") / task / "champion.json")["model"]
        network = load_network(Path("models") / task / f"{champion}.safetensors")
        # The inputs alone: labels of the test set are read by `evaluate` and nobody else.
        inputs = load_inputs(task, "test")
        model = to_onnx(network, inputs[:2], opset=settings.opset)
        parity = compare_with_source(network, model, inputs)
        require_parity(parity, settings.tolerance, champion)

        naming, source = load_naming(task), Path("models") / task / f"{champion}.safetensors"
        says = {
            "task": task,
            "data": naming.title,
            "classes": naming.classes,
            "network": champion,
            "md5": digest(source),
        }
        prepare, known = preparation(task, "test"), find_task(task)
        served = for_use(model, prepare, classes=known.classes is not None, says=says)
        # Again from raw inputs to answers, as others will use it.
        answers = run_onnx(open_session(served), prepare.raw)
        parity = parity.with_answers(predict(network, inputs), answers)
        require_parity(parity, settings.tolerance, champion)

        target = Path("models/exported") / f"{task}.onnx"
        write_bytes(target, served)
        write_json(
            Path("results/export_model") / task / "metrics.json",
            {"rows": parity.rows, "different_predictions": parity.different_predictions, "bytes": len(served)},
        )
        # Told to MLflow alone: ONNX Runtime takes what instructions it finds, and has no way to hold it to others.
        run.log({"largest_relative_difference": parity.largest_relative_difference})
        apart = parity.largest_relative_difference
        print(f"{target}: {champion}, outputs within {apart:.2g} of the largest on {parity.rows} test rows")


if __name__ == "__main__":
    run_script(main)
