"""The process of one stage on a node: brings what it reads, lets DVC run or restore it, and sends what it made.

    python -m provenn.repro.engines.stage PLACE BASE

`PLACE` has the job, the copy of the working folder and, at the end, the result; `BASE` is the node's folder. What the
stage prints, and DVC, goes to the log that is standard output.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from provenn.entry import split_name
from provenn.files import UserError, one_line, write_bytes, write_json
from provenn.record import RECORD, numeric_platform
from provenn.repro.engines.node import TRANSPORT_FAILED
from provenn.repro.engines.objects import Objects, as_it_is_now, digests_of
from provenn.repro.engines.sources import lay_out

CONFIG = "config.local"


def main(place: Path, base: Path) -> int:
    """Do the job of a place; return the exit code."""
    import dvc
    from dvc.exceptions import DvcException

    job = json.loads((place / "job.json").read_bytes())
    _set_environment(job["environment"], place / "files")
    if job["tracked"]:
        os.environ[RECORD] = str(place / "record.jsonl")
    root = place / "files" / job["prefix"]
    try:
        if dvc.__version__ != job["dvc"]:
            raise UserError(f"this node has DVC {dvc.__version__}, not {job['dvc']}: install that version.")
        _configure(root / ".dvc", base, job)
        os.chdir(root)  # DVC names stages as seen from the working folder
        result = _work(root, place / "files", job)
    except (DvcException, UserError, OSError) as error:
        print(f"ERROR: {one_line(error)}", file=sys.stderr)
        return TRANSPORT_FAILED
    write_json(place / "result.json", {**result, "platform": numeric_platform()})
    return 0


def _work(root: Path, files: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    from dvc.dvcfile import ProjectFile
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage.loader import StageLoader

    for library in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(library).setLevel(logging.WARNING)
    with Repo(str(root)) as repo:
        objects = Objects(repo, job["remote"])
        objects.fetch([job["sources"]])
        kept = [*job["inputs"], *(f"{job['prefix']}/.dvc/{name}" for name in ("config", CONFIG, "tmp"))]
        lay_out(Path(repo.cache.local.oid_to_path(job["sources"])), files, map(os.path.normpath, kept))
        objects.fetch(job["inputs"].values())
    with Repo(str(root)) as repo:  # a new one, which has not read what was there before
        objects = Objects(repo, job["remote"])
        paths = {str(files / path): value for path, value in job["inputs"].items()}
        objects.lay(paths, copied=[str(files / path) for path in job["writable"]])
        for path in job["executable"]:
            repo.cache.local.set_exec(str(files / path))
        path, name = split_name(job["stage"])
        file = ProjectFile(repo, str(root / (path or "dvc.yaml")))
        stage = StageLoader(file, file.contents, {})[name]
        restored = False
        with suppress(DvcException), as_it_is_now(stage):  # of a missing file DVC speaks below
            if other := [path for path, value in digests_of(stage).items() if job["digests"].get(path) != value]:
                raise OSError(f"{', '.join(other)} is not here as it was sent")
            restored = objects.fetch_run(stage)
        if not _reproduce(repo, stage):
            return {"outcome": "failed"}
        for out in stage.outs:
            objects.send(out.fs_path)
        objects.send_run(stage)
        lock = Path(file.path).with_name("dvc.lock").read_text(encoding="utf-8")
        return {"outcome": "restored" if restored else "ran", "lock": lock}


def _reproduce(repo: Any, stage: Any) -> bool:
    """Let DVC run or restore a stage; return whether it did."""
    from dvc.exceptions import DvcException

    logging.getLogger("dvc").setLevel(logging.INFO)
    try:
        with repo.scm_context(quiet=True), repo.lock:
            stage.reproduce()
            stage.dump(update_pipeline=False)
    except (DvcException, OSError) as error:
        cause = f": {one_line(error.__cause__)}" if error.__cause__ else ""
        print(f"ERROR: failed to reproduce '{stage.addressing}': {one_line(error)}{cause}", file=sys.stderr)
        return False
    finally:
        logging.getLogger("dvc").setLevel(logging.WARNING)
    return True


def _configure(folder: Path, base: Path, job: Mapping[str, Any]) -> None:
    """Write DVC's settings: the repository's own as they are committed, and this node's."""
    from dvc.config import Config

    for name in ("cache", "site_cache", "tmp"):
        (base / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "config", job["config"].encode())
    own = base / CONFIG
    write_bytes(folder / CONFIG, own.read_bytes() if own.is_file() else b"")
    with Config(str(folder), validate=False).edit("local") as settings:
        settings["core"] |= {"site_cache_dir": str(base / "site_cache"), "no_scm": True, "analytics": False}
        settings["cache"].setdefault("dir", str(base / "cache"))
        if job["url"]:
            settings["remote"].setdefault(job["remote"], {})["url"] = job["url"]


def _set_environment(variables: Mapping[str, str | None], files: Path) -> None:
    """Take the driver's values, or the lack of them; folders of the repository on PYTHONPATH are those of this copy."""
    for name, value in variables.items():
        if name == "PYTHONPATH":
            own = os.environ.get(name)
            value = os.pathsep.join(
                [*(str(files / path) for path in json.loads(value or "[]")), *([own] if own else [])]
            )
        if value and (name != "SHELL" or Path(value).is_file()):
            os.environ[name] = value
        elif not value:
            os.environ.pop(name, None)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
