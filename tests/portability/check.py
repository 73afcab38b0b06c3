"""Prove that the numeric mode `portable` keeps its word: a shrunk pipeline here and on a processor of another vendor.

    python tests/portability/check.py

The other processor is one that qemu-user emulates, instruction by instruction. Every stage's script runs, on few rows
and for few epochs, and every file that it writes must have the same bytes on both. Exits with 1 when one has not.
"""

import json
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from ruamel.yaml import YAML

from notes.files import digest
from notes.numeric import numeric_platform
from notes.sources.mnist import FILES, read_idx

PROJECT = Path(__file__).parents[2]
STAGES = Path(__file__).with_name("stages.py")
NOT_COMPUTED = ("check_params", "download_mnist")
# By key, wherever it stands in params.yaml: at most this much, and of a list at most so many values. An emulated second
# does the work of ten milliseconds.
AT_MOST = {
    "batch_size": 64, "bootstrap_resamples": 100, "condition_numbers": 2, "depths": 2, "draws": 2, "entries": 4,
    "epochs": 2, "few_rows": 20, "finite_difference_steps": 3, "learning_rates": 3, "lengths": 3, "max_degree": 4,
    "max_epochs": 2, "max_iterations": 30, "repetitions": 2, "rows": 150, "scales": 3, "seeds": 1, "steps": 20,
    "trees": 5, "validation_rows": 100, "validation_size": 400, "weights": 21,
}  # fmt: skip
PICTURES = {"train": 2400, "t10k": 400}


def main() -> None:
    """Run models and studies on both processors, and compare what they wrote."""
    if numeric_platform("portable") != "portable AVX2":
        sys.exit("error: this processor has no AVX2, or the system is not Linux: nothing is portable from here.")
    emulator = shutil.which("qemu-x86_64")
    if not emulator:
        sys.exit("error: qemu-x86_64 is missing: install it (Debian: apt-get install qemu-user).")
    model = "EPYC" if "GenuineIntel" in Path("/proc/cpuinfo").read_text() else "Haswell-noTSX"
    commands = stage_commands()
    studies = [command for command in commands if "stud" in command[0]]
    models = [command for command in commands if command not in studies]
    with tempfile.TemporaryDirectory(prefix="portability-") as temporary:
        pairs = []
        for name, part in (("models", models), ("studies", studies)):
            here, there = Path(temporary, name), Path(temporary, f"{name}-emulated")
            make_workspace(here)
            if pairs:  # studies read the data that the stages before them made
                shutil.copytree(pairs[0][0] / "data", here / "data", dirs_exist_ok=True)
            shutil.copytree(here, there, symlinks=True)
            finish(start([], here, part), here)
            pairs.append((here, there, start([emulator, "-cpu", model], there, part)))
        for _, there, process in pairs:
            finish(process, there)
        files = [(one / path, other / path) for one, other, _ in pairs for path in files_of(one) | files_of(other)]
        different = sorted(str(one.relative_to(temporary)) for one, other in files if not same(one, other))
    for path in different:
        print(f"different: {path}")
    print(f"{len(commands)} stages, {len(files)} files, here and on an emulated {model}: {len(different)} differ.")
    sys.exit(bool(different) or not files)


def stage_commands() -> list[list[str]]:
    """Return the script of every stage with its arguments, in the order of a serial run."""
    with Repo(str(PROJECT)) as repo:
        stages = plan_repro(get_active_graph(repo.index.graph))
    return [stage.cmd.split()[3:] for stage in stages if stage.name.partition("@")[0] not in NOT_COMPUTED]


def make_workspace(folder: Path) -> None:
    """Lay out the sources, shrunk parameters and a few pictures."""
    (folder / "data" / "raw").mkdir(parents=True)
    for name in ("src", "stages"):
        (folder / name).symlink_to(PROJECT / name)
    yaml = YAML()
    params = yaml.load(PROJECT / "params.yaml")
    shrink(params)
    # qemu 7.2 crashes in torch's fused SGD when a tensor has three float64 numbers. It does so elsewhere too, at some
    # sizes: then nothing is proven, and the check fails.
    params["train_regression"]["polynomial"]["module"]["degree"] = 4
    yaml.dump(params, folder / "params.yaml")
    for name in FILES:
        values = read_idx(PROJECT / "data" / "raw" / name)[: PICTURES[name.partition("-")[0]]]
        head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
        (folder / "data" / "raw" / name).write_bytes(head + values.tobytes())


def shrink(values: Any) -> None:
    """Lower every number and shorten every list of AT_MOST, however deep it stands."""
    for key, value in values.items():
        if isinstance(value, dict):
            shrink(value)
        elif key in AT_MOST and isinstance(value, list):
            del value[AT_MOST[key] :]
        elif key in AT_MOST and isinstance(value, int):
            values[key] = min(value, AT_MOST[key])


def start(launcher: list[str], folder: Path, commands: list[list[str]]) -> "subprocess.Popen[bytes]":
    """Start the stages in a workspace, all in one process: an emulated import of torch takes half a minute."""
    command = [*launcher, sys.executable, str(STAGES), json.dumps(commands)]
    with (folder / "log.txt").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def finish(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait for the stages of a workspace; exit with the end of their log when one failed."""
    if process.wait():
        sys.exit(
            (folder / "log.txt").read_text()[-4000:] + f"error: a stage failed in {folder.name}; its log is above."
        )


def files_of(folder: Path) -> set[Path]:
    """Return what the stages wrote, as seen from the workspace."""
    written = (path for name in ("data", "models", "results") for path in (folder / name).rglob("*"))
    return {path.relative_to(folder) for path in written if path.is_file()}


def same(one: Path, other: Path) -> bool:
    """Return whether two files are there and equal."""
    return one.is_file() and other.is_file() and digest(one) == digest(other)


if __name__ == "__main__":
    main()
