"""What a stage may say while it works, for MLflow to show: numbers, a curve's points, tags. Standard library only.

    from provenn.record import track

    with track() as run:
        for epoch in range(1, 11):
            run.log({"train/loss": loss}, step=epoch)
        run.log({"time/fit_s": seconds})

A record is a file of JSON lines outside the stage's outputs. One process writes the run and follows the file: that of
`provenn repro` for the whole pipeline, or one that `track` starts under a plain `dvc repro`, which ends seconds after
the stage, once dvc.lock has the result. A stage that says nothing, in whatever language, is shown from its files.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

RECORD = "PROVENN_RECORD"  # where `provenn repro` wants the record of the stage that it starts
FOLDER = Path(".dvc", "tmp", "provenn", "records")  # below the repository's root
FOUND_SECONDS = 5.0  # how long a stage waits for its writer to begin
WRITER_SECONDS = 60.0  # how long a stage in a temporary copy waits for the process that writes its run


class Record:
    """The file of one run of a stage; what it is told is appended at once. Without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def log(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers: of one `step` of a curve, or else of the whole run, such as durations."""
        numbers = {name: float(value) for name, value in values.items()}
        self.append({"values": numbers} | ({} if step is None else {"step": int(step)}))

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run."""
        self.append({"tags": dict(tags)})

    def says(self, key: str) -> bool:
        """Return whether a row of the record has a key."""
        return self.path is not None and f'"{key}"' in self.path.read_text(encoding="utf-8")

    def append(self, row: Mapping[str, Any]) -> None:
        """Append one row, with the time in ms since 1970. A disk that is full costs the row, not the result."""
        if self.path is not None:
            line = json.dumps({**row, "at": int(time.time() * 1000)}) + "\n"
            with suppress(OSError), self.path.open("a", encoding="utf-8") as file:
                file.write(line)


@contextmanager
def track() -> Iterator[Record]:
    """Record the work of the stage that DVC is running; anywhere else nothing is recorded.

    The run is FINISHED, FAILED with the error's message, or KILLED by Ctrl-C or SIGTERM.
    """
    if not os.environ.get("DVC_STAGE"):
        yield Record(None)
        return
    given = os.environ.pop(RECORD, None)
    record = Record(Path(given) if given else new_path(repository_root(), os.environ["DVC_STAGE"]))
    record.append({"stage": os.environ["DVC_STAGE"], "folder": str(Path.cwd()), "process": process_name()})
    writer = None if given else _start_writer(record)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    status, reason = "FINISHED", ""
    try:
        yield record
    except KeyboardInterrupt as error:
        status, reason = "KILLED", str(error) or "interrupted"
        raise
    except BaseException as error:
        kind = type(error)
        plain = str(error) if kind.__module__ != "builtins" else f"{kind.__name__}: {error}"
        status, reason = "FAILED", plain or kind.__name__
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)
        record.tag({"numeric.platform": numeric_platform()})
        record.append({"ended": status, "reason": reason})
        if writer:
            _wait(writer, record)


def new_path(root: Path, stage: str) -> Path:
    """Return the path of a new record of `stage` in the repository at `root`; its folder is made."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(letter if letter.isalnum() or letter in "@._-" else "_" for letter in stage)[:60]
    return folder / f"{name}-{time.time_ns() // 1_000_000}-{os.getpid()}.jsonl"


def repository_root() -> Path:
    """Return the DVC repository's root: DVC names it even where an experiment runs in a temporary copy."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def process_name(number: int | None = None) -> str:
    """Return what a record calls a process, this one by default: host and number."""
    return f"{socket.gethostname()} {number or os.getpid()}"


def numeric_platform() -> str:
    """Return what the bits of a result depend on besides its inputs, as far as this process has loaded it.

    Processor and instruction set, or what the environment variable NUMERIC_PLATFORM says instead of the set: of a stage
    that holds its libraries to less than the processor has. Then the C library, whose functions NumPy and torch call,
    and where the stage imported them: BLAS (threadpoolctl), NumPy and torch.
    """
    parts = [f"{os.uname().machine} {os.environ.get('NUMERIC_PLATFORM') or _instruction_set()}", *_c_library()]
    pools = sys.modules.get("threadpoolctl")
    if pools:
        blas = [pool for pool in pools.threadpool_info() if pool["user_api"] == "blas"]
        names = (("internal_api", "version", "architecture"), blas)
        parts += sorted({" ".join(str(pool[name]) for name in names[0] if pool.get(name)) for pool in names[1]})
    parts.append(f"threads {os.environ.get('OMP_NUM_THREADS', 'default')}")
    parts += [f"{name} {_version(module)}" for name in ("numpy", "torch") if (module := sys.modules.get(name))]
    return "; ".join(parts)


def _instruction_set() -> str:
    with suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text().split()
        return next((name for name in ("avx512f", "avx2", "asimd") if name in flags), "baseline").upper()
    return "unknown"


def _c_library() -> list[str]:
    with suppress(ValueError, OSError, AttributeError):
        return [os.confstr("CS_GNU_LIBC_VERSION") or "unknown C library"]
    return []


def _version(module: ModuleType) -> str:
    return str(getattr(module, "__version__", "unknown")).partition("+")[0]


def _start_writer(record: Record) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C reaches the stage alone, and the writer closes the run as the record says.
    # -P: a folder of the repository, such as data/, must not be taken for a package of ours.
    command = [sys.executable, "-P", "-m", "provenn.view", str(record.path)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def _in_temporary_copy() -> bool:
    """Return whether an experiment runs in a copy of the repository, which DVC removes when the stages have ended."""
    folders = (folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / ".dvc").is_dir())
    return next(folders, None) != repository_root()


def _wait(writer: "subprocess.Popen[bytes]", record: Record) -> None:
    if not _in_temporary_copy():
        # Until the writer knows who called this stage, which it cannot find out later.
        deadline = time.monotonic() + FOUND_SECONDS
        while writer.poll() is None and time.monotonic() < deadline and not record.says("caller"):
            time.sleep(0.02)
        return
    try:
        writer.wait(WRITER_SECONDS)
    except subprocess.TimeoutExpired:
        writer.kill()
        print(f"warning: tracking is behind: the run was not written in {WRITER_SECONDS:.0f} s.", file=sys.stderr)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(f"ended by {signal.Signals(number).name}")
