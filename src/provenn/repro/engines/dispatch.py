"""This end of stages on other machines: what travels there, and what becomes of what comes back."""

import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from provenn.files import one_line, write_bytes
from provenn.record import RECORD
from provenn.repro.dvc_locks import repository_locked
from provenn.repro.engines.connect import Destination
from provenn.repro.engines.engine import Engine, EngineError, Handle
from provenn.repro.engines.engine_stage import EngineStage, Job, Unsent
from provenn.repro.engines.lock_entry import entry_of, put_entry
from provenn.repro.engines.objects import Objects, as_it_is_now, can_hash, default_remote, digests_of
from provenn.repro.engines.sources import Sources, find_sources, is_below
from provenn.resources import Resources, held_to, resources_of

FOLDER = Path(".dvc/tmp/provenn/engine")  # below the root: of engines that are started here
IDENTITY = Path(".dvc/tmp/provenn/identity")  # below the root
LARGE_BYTES = 100_000_000  # sources that are worth a word
# What bytes may depend on besides declared things. Each is on a node as it is here, or not set.
VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE", "MKL_CBWR"),
    *("NUMERIC_PLATFORM", "CUBLAS_WORKSPACE_CONFIG", "PYTHONHASHSEED", "LANG", "LC_ALL", "TZ", "SHELL"),
)


class Dispatcher:
    """Sends stages to an engine's nodes, and takes in their results: files, dvc.lock, record and log."""

    def __init__(self, repo: Any, engine: Engine, destination: Destination, note: Callable[[str], None]) -> None:
        """Take an engine, that of a destination, for a repository.

        Raises UserError without a remote, and for resources that are not understood.
        """
        self.repo, self.engine, self.destination, self.note = repo, engine, destination, note
        self.root = Path(repo.root_dir)
        for stage in repo.index.stages:
            self._needs(stage)
        here = not destination.is_elsewhere  # started here, for this run
        own = here and not repo.config["core"].get("remote")
        self._remote = _remote_here(repo) if own else default_remote(repo)
        self._objects = Objects(repo, self._remote)
        there = self._objects.repo.cloud.get_remote(self._remote)
        # A folder is that of this machine, or of one that both see; DVC takes a relative one from the copy.
        self._url = there.path if there.fs.protocol in ("local", "file") else None
        self._node = str(self.root / FOLDER) if here else None
        self._sources: Sources | None = None
        self._sent = ""
        self._platforms: dict[str, str] = {}
        self._variables = {name: os.environ.get(name) for name in VARIABLES}
        self._identity = _identity(self.root)

    def start(self, name: str, stage: Any, log: Path, environment: Mapping[str, str]) -> EngineStage | None:
        """Send a stage to the nodes; return None when it is for this machine: what it made is here, or it runs nowhere.

        That is a .dvc file, a frozen stage, one that writes outside of the repository, and one of which DVC will say
        what is missing.
        """
        from dvc.exceptions import DvcException

        if not getattr(stage, "name", None) or stage.frozen or not all(out.is_in_repo for out in stage.outs):
            return None
        if not all(dependency.exists for dependency in stage.deps):
            return None
        resources = self._needs(stage)
        handle: Handle
        try:
            if self._is_recorded(stage):
                return None
            with as_it_is_now(stage):
                if self._is_stored(stage):
                    return None
                job = self._job(name, stage, resources) | {"tracked": RECORD in environment}
            handle = self.engine.submit(job["key"], json.dumps(job, sort_keys=True), resources)
        except (DvcException, OSError) as error:
            handle = Unsent(f"what it needs could not be sent: {one_line(error)}")
        except EngineError as error:
            handle = Unsent(f"{self.engine.name} did not take it: {one_line(error)}")
        sent = Job(self.engine, handle, name, resources, self.destination.wait_s)
        return EngineStage(name, log, environment.get(RECORD), sent, self.note, lambda result: self.land(stage, result))

    def land(self, stage: Any, result: Mapping[str, Any]) -> None:
        """Bring a stage's outputs here and put its entry into dvc.lock.

        Raises UserError while dvc.lock is held by someone else; OSError and DVC's errors for files that do not come.
        """
        from dvc.stage.loader import StageLoader

        if not self._needs(stage).portable:
            self._compare_platform(result)
        entry = entry_of(result["lock"])
        made = self.repo.stage_cache._create_stage(entry, wdir=stage.wdir)
        values = {out.fs_path: str(out.hash_info.value) for out in made.outs}
        self._objects.fetch(values.values())
        for out in stage.outs:
            if not out.use_cache and out.exists:
                out.remove()
        with repository_locked(self.repo):
            self._objects.lay(
                values,
                copied=[out.fs_path for out in stage.outs if not out.use_cache or out.persist],
                executable=[out.fs_path for out in made.outs if out.meta.isexec],
            )
            StageLoader.fill_from_lock(stage, entry)
            stage.cmd_changed = False
            with self.repo.scm_context(quiet=True):
                stage.ignore_outs()
            if all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs):
                self.repo.stage_cache.save(stage)
            put_entry(Path(stage.path).with_name("dvc.lock"), result["lock"])

    def _compare_platform(self, result: Mapping[str, Any]) -> None:
        """Say once of each numeric platform that differs from the first one's that results may."""
        platform = result.get("platform")
        if platform and platform not in self._platforms:
            self._platforms[platform] = str(result["host"])
            if len(self._platforms) > 1:
                (first, first_host), *_ = self._platforms.items()
                self.note(
                    f"results may differ in their last digits: the node {result['host']} is {platform}, "
                    f"but {first_host} is {first}; --platform keeps stages on nodes of one kind."
                )

    def _needs(self, stage: Any) -> Resources:
        declared = resources_of(stage.addressing, stage.meta)
        return held_to(self.destination.platform, declared) if self.destination.platform else declared

    def _job(self, name: str, stage: Any, resources: Resources) -> dict[str, Any]:
        import dvc
        from dvc.stage.serialize import to_single_stage_lockfile

        sources = self._sources or self._pack()
        inputs: dict[str, str] = {}
        writable, executable = [], []
        for item in [*stage.deps, *(out for out in stage.outs if out.persist)]:
            path = os.path.relpath(item.fs_path, sources.top)
            if item.protocol != "local" or path.startswith("..") or not item.exists or self._travels(item, path):
                continue
            inputs[path] = self._objects.send(item.fs_path)
            writable += [path] if item in stage.outs else []
            executable += [path] if Path(item.fs_path).is_file() and os.access(item.fs_path, os.X_OK) else []
        known = {**to_single_stage_lockfile(stage), "outs": [str(out) for out in stage.outs]}
        what = {"stage": name, "known": known, "inputs": inputs, "environment": self._variables}
        what |= {"resources": resources.model_dump()}  # a job that waits for other nodes is another one
        key = hashlib.md5(json.dumps(what, sort_keys=True, default=str).encode(), usedforsecurity=False).hexdigest()
        return {
            "key": f"provenn-{self._identity[:12]}-{name}-{key}",
            "stage": name,
            "sent": time.time(),
            "dvc": dvc.__version__,
            "repository": self._identity,
            "prefix": os.path.relpath(self.root.resolve(), sources.top),
            "sources": self._sent,
            "inputs": inputs,
            "digests": digests_of(stage),
            "writable": writable,
            "executable": executable,
            "remote": self._remote,
            "url": self._url,
            "config": (self.root / ".dvc/config").read_text(encoding="utf-8"),
            "environment": self._variables | {"PYTHONPATH": json.dumps(_python_path(sources.top))},
            "node": self._node,
        }

    def _pack(self) -> Sources:
        sources = find_sources(self.repo)
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "sources.tar")
            sources.pack(archive)
            if archive.stat().st_size > LARGE_BYTES:
                self.note(f"the sources have {archive.stat().st_size / 1e6:,.0f} MB: is a folder of data not ignored?")
            self._sent = self._objects.send_file(archive)
        self._sources = sources
        return sources

    def _travels(self, item: Any, path: str) -> bool:
        """Tell whether a dependency is among the sources, whole."""
        assert self._sources
        if not Path(item.fs_path).is_dir():
            return path in self._sources.files
        files = self.repo.dvcignore.find(self.repo.fs, item.fs_path)
        return all(os.path.relpath(file, self._sources.top) in self._sources.files for file in files)

    def _is_recorded(self, stage: Any) -> bool:
        """Tell whether DVC will restore from this machine's own cache what dvc.lock has of a stage."""
        if not can_hash(stage) or stage.changed_stage() or any(dependency.status() for dependency in stage.deps):
            return False
        return all(out.hash_info for out in stage.outs) and bool(stage.outs_cached())

    def _is_stored(self, stage: Any) -> bool:
        """Tell whether DVC will restore a stage from this machine's run cache."""
        stored = self.repo.stage_cache._load(stage) if can_hash(stage) else None
        return bool(stored and self.repo.stage_cache._create_stage(stored, wdir=stage.wdir).outs_cached())


def _identity(root: Path) -> str:
    """Return what tells this clone from all others at an engine: hosts and folders may have the same names."""
    path = root / IDENTITY
    if not path.is_file():
        write_bytes(path, secrets.token_hex(16).encode())
    return path.read_text()


def _remote_here(repo: Any) -> str:
    """Return a remote of this run alone, a folder in DVC's own, for an engine on this machine."""
    folder = Path(repo.root_dir) / FOLDER / "remote"
    folder.mkdir(parents=True, exist_ok=True)
    repo.config["remote"]["provenn-here"] = {"url": str(folder)}
    return "provenn-here"


def _python_path(top: Path) -> list[str]:
    """Return the folders of the repository that PYTHONPATH names, relative to its top."""
    entries = (Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry)
    return [os.path.relpath(entry, top) for entry in entries if entry == top or is_below(str(entry), [str(top)])]
