"""Time the cold pipeline, serial against parallel, each in a fresh clone with an empty cache, and compare the results.

Prints both times and their ratio; exits with 1 when the two differ in a byte. Arguments name the targets, everything by
default. MNIST comes from data/raw where that is there, so that no network is timed.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from provenn.pipeline.runner import available_cores

ROOT = Path(__file__).resolve().parents[1]
PYTHON = [sys.executable, "-P"]
COMPARED = ("dvc.lock", "data", "models", "results")


def main() -> None:
    """Run both, in the order serial, parallel."""
    jobs, targets = available_cores(), sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="provenn-bench-") as folder:
        serial, parallel = (clone(Path(folder) / name) for name in ("serial", "parallel"))
        serial_seconds = timed(serial, [*PYTHON, "-m", "dvc", "repro", *targets])
        print(f"serial    dvc repro                {serial_seconds:7.1f} s", flush=True)
        command = "from provenn.cli import main; main()"
        parallel_seconds = timed(parallel, [*PYTHON, "-c", command, "repro", "--jobs", str(jobs), *targets])
        print(f"parallel  provenn repro --jobs {jobs:<3} {parallel_seconds:7.1f} s")
        print(f"ratio     {parallel_seconds / serial_seconds:.2f}")
        made, beside = contents(serial), contents(parallel)
        different = sorted(path for path in made | beside if made.get(path) != beside.get(path))
    if different:
        sys.exit(f"the results differ: {', '.join(different)}")
    print("results   the same, byte for byte, dvc.lock included")


def clone(target: Path) -> Path:
    """Clone the last commit."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(target)], check=True)
    raw = Path(os.environ.get("PROVENN_MNIST", ROOT / "data" / "raw"))
    if raw.is_dir():
        parameters = target / "params.yaml"
        text = parameters.read_text(encoding="utf-8")
        parameters.write_text(re.sub(r"(?m)^  directory: null", f"  directory: {raw}", text), encoding="utf-8")
    return target


def timed(folder: Path, command: list[str]) -> float:
    """Return the seconds that `command` takes in `folder`; a failure ends the benchmark with its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "tmp" / "site_cache"),
    }
    log = folder.parent / f"{folder.name}.log"
    began = time.monotonic()
    with log.open("wb") as output:
        finished = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    if finished.returncode:
        sys.exit(f"{log.read_text()[-4000:]}\n{' '.join(command)} failed with {finished.returncode}.")
    return time.monotonic() - began


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files that the pipeline makes."""
    paths = (path for name in COMPARED for path in [folder / name, *(folder / name).rglob("*")] if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


if __name__ == "__main__":
    main()
