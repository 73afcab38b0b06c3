"""Prove that the numeric mode `portable` keeps its word: a shrunk pipeline here and on a processor of another vendor.

    python tests/portability/check.py

The other processor is one that qemu-user emulates, instruction by instruction. Every stage's script runs, on few rows
and for few epochs, and every file that it writes must have the same bytes on both. Exits with 1 when one has not.
qemu 7.2 dies in some of torch's kernels: a stage in which it does is named and not compared; more than CRASHES_AT_MOST
of them fail the check.
"""

import json
import shutil
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from ruamel.yaml import YAML

from notes.files import digest
from notes.numeric import numeric_platform
from notes.sources.mnist import FILES, read_idx

PROJECT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).with_name("stages.py")
FINISHED, LOG = "finished.txt", "log.txt"
NOT_COMPUTED = ("check_params", "download_mnist")
# By key, wherever it stands in params.yaml: at most this much, and of a list at most so many values. An emulated second
# does the work of ten milliseconds.
AT_MOST = {
    "batch_size": 64, "bootstrap_resamples": 100, "condition_numbers": 2, "depths": 2, "draws": 2, "entries": 4,
    "epochs": 2, "few_rows": 20, "finite_difference_steps": 3, "learning_rates": 3, "lengths": 3, "max_degree": 4,
    "max_epochs": 2, "max_iterations": 30, "repetitions": 2, "rows": 150, "scales": 3, "seeds": 1, "steps": 20,
    "trees": 5, "validation_rows": 100, "validation_size": 400, "weights": 21,
}  # fmt: skip
CRASHES_AT_MOST = 4
PICTURES = {"train": 2400, "t10k": 400}


def main() -> None:
    """Run models and studies on both processors, and compare what they wrote."""
    if numeric_platform("portable") != "portable AVX2":
        sys.exit("error: this processor has no AVX2, or the system is not Linux: nothing is portable from here.")
    emulator = shutil.which("qemu-x86_64")
    if not emulator:
        sys.exit("error: qemu-x86_64 is missing: install it (Debian: apt-get install qemu-user).")
    model = "EPYC" if "GenuineIntel" in Path("/proc/cpuinfo").read_text() else "Haswell-noTSX"
    stages = plan()
    studies = [stage for stage in stages if "stud" in stage.script[0]]
    models = [stage for stage in stages if stage not in studies]
    with tempfile.TemporaryDirectory(prefix="portability-") as temporary:
        pairs = []
        for name, part in (("models", models), ("studies", studies)):
            here, there = Path(temporary, name), Path(temporary, f"{name}-emulated")
            make_workspace(here)
            if pairs:  # studies read the data that the stages before them made
                shutil.copytree(pairs[0][0] / "data", here / "data", dirs_exist_ok=True)
            shutil.copytree(here, there, symlinks=True)
            if run([], here, part):
                stop(here)
            pairs.append((here, there, part))
        with ThreadPoolExecutor(len(pairs)) as threads:
            crashed = list(threads.map(lambda pair: emulate([emulator, "-cpu", model], *pair), pairs))
        files = []
        for (one, other, part), lost in zip(pairs, crashed, strict=True):
            compared = [stage for stage in part if stage not in lost]
            written = (path for path in files_of(one) | files_of(other) if any(stage.wrote(path) for stage in compared))
            files += [(one / path, other / path) for path in written]
        different = sorted(str(one.relative_to(temporary)) for one, other in files if not same(one, other))
    not_compared = [stage for part in crashed for stage in part]
    for stage in not_compared:
        print(f"not compared: {stage.name}, which crashed the emulator")
    for path in different:
        print(f"different: {path}")
    print(
        f"{len(stages) - len(not_compared)} of {len(stages)} stages, {len(files)} files, here and on an "
        f"emulated {model}: {len(different)} differ."
    )
    sys.exit(bool(different) or not files or len(not_compared) > CRASHES_AT_MOST)


class Stage(NamedTuple):
    """A stage of the pipeline: its script with the arguments, and the paths that it writes."""

    name: str
    script: list[str]
    outputs: list[str]

    def wrote(self, file: Path) -> bool:
        """Return whether a file is one of the outputs, or in one."""
        return any(file.is_relative_to(output) for output in self.outputs)


def plan() -> list[Stage]:
    """Return the stages that compute, in the order of a serial run."""
    with Repo(str(PROJECT)) as repo:
        stages = plan_repro(get_active_graph(repo.index.graph))
    return [
        Stage(stage.addressing, stage.cmd.split()[3:], [out.def_path for out in stage.outs])
        for stage in stages
        if stage.name.partition("@")[0] not in NOT_COMPUTED
    ]


def make_workspace(folder: Path) -> None:
    """Lay out the sources, shrunk parameters and a few pictures."""
    (folder / "data" / "raw").mkdir(parents=True)
    for name in ("src", "stages"):
        (folder / name).symlink_to(PROJECT / name)
    yaml = YAML()
    params = yaml.load(PROJECT / "params.yaml")
    shrink(params)
    # With three weights, torch's fused SGD on float64 numbers crashes qemu 7.2; with five it is compared.
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


def emulate(emulator: list[str], here: Path, there: Path, stages: list[Stage]) -> list[Stage]:
    """Run the stages under the emulator, and return those that crashed it; their files are then copied from `here`."""
    crashed = []
    while result := run(emulator, there, stages):
        if result > 0 or len(crashed) == CRASHES_AT_MOST:
            stop(there)
        stages = stages[len((there / FINISHED).read_text().splitlines()) :]
        crashed.append(stages[0])
        for output in filter(crashed[-1].wrote, files_of(here)):
            (there / output).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here / output, there / output)
        stages = stages[1:]
    return crashed


def run(launcher: list[str], folder: Path, stages: list[Stage]) -> int:
    """Run stages in a workspace, all in one process: an emulated import of torch takes half a minute."""
    (folder / FINISHED).write_text("")
    command = [*launcher, sys.executable, str(SCRIPTS), FINISHED, json.dumps([stage.script for stage in stages])]
    with (folder / LOG).open("ab") as log:
        return subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=False).returncode


def stop(folder: Path) -> NoReturn:
    """Exit with the end of a workspace's log."""
    sys.exit((folder / LOG).read_text()[-4000:] + f"error: a stage failed in {folder.name}; its log is above.")


def files_of(folder: Path) -> set[Path]:
    """Return what the stages wrote, as seen from the workspace."""
    written = (path for name in ("data", "models", "results") for path in (folder / name).rglob("*"))
    return {path.relative_to(folder) for path in written if path.is_file()}


def same(one: Path, other: Path) -> bool:
    """Return whether two files are there and equal."""
    return one.is_file() and other.is_file() and digest(one) == digest(other)


if __name__ == "__main__":
    main()
