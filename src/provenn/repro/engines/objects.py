"""Files by their digest: to a DVC remote and from it, one object at a time, whatever kind of remote it is."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from provenn.files import UserError, digest, one_line

RUNS = "runs"  # DVC's run cache, in a cache and in a remote
_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def _with_remote(method: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Let what a remote's plug-in raises of its library's own kind, as dvc-s3 does without credentials, be OSError."""
    from dvc.exceptions import DvcException

    @wraps(method)
    def raising_os_error(*args: _Given.args, **named: _Given.kwargs) -> _Returned:
        try:
            return method(*args, **named)
        except (DvcException, OSError):
            raise
        except Exception as error:
            raise OSError(one_line(error)) from error

    return raising_os_error


class Objects:
    """A remote of a repository, and the repository's own cache."""

    def __init__(self, repo: Any, remote: str) -> None:
        self.repo, self.remote = repo, remote
        self.cache = repo.cache.local
        self.there = repo.cloud.get_remote_odb(remote, "push")
        self._sent: set[str] = set()

    @_with_remote
    def send_file(self, path: Path) -> str:
        """Send a file; return its MD5."""
        value = digest(path)
        if not self.there.exists(value):
            self.there.add(str(path), self.repo.fs, value)
        return value

    @_with_remote
    def send(self, path: str) -> str:
        """Send a file or folder of the working folder, which DVC then need not have in its cache; return its digest."""
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.transfer import transfer

        staging, _, made = build(self.cache, path, self.repo.fs, "md5", ignore=self.repo.dvcignore)
        value = str(made.hash_info.value)
        if value not in self._sent:
            done = transfer(staging, self.there, {made.hash_info}, shallow=False, cache_odb=staging)
            if done.failed:
                raise OSError(f"{path} could not be sent to the remote {self.remote}")
            self._sent.add(value)
        return value

    def fetch(self, values: Iterable[str]) -> None:
        """Bring objects, of folders with all they name, into the cache; raise OSError for one that is not there."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.tree import Tree

        named = {HashInfo("md5", value) for value in values}
        self._pull(named)
        self._pull({info for folder in named if folder.isdir for _, _, info in Tree.load(self.cache, folder)})

    @_with_remote
    def _pull(self, infos: set[Any]) -> None:
        missing = {info for info in infos if not self.cache.exists(info.value)}
        if missing:
            self.repo.cloud.pull(missing, remote=self.remote)
        if absent := sorted(info.value for info in missing if not self.cache.exists(info.value)):
            raise OSError(f"the remote {self.remote} does not have {', '.join(absent[:3])}")

    def lay(self, paths: Mapping[str, str], copied: Iterable[str] = (), executable: Iterable[str] = ()) -> None:
        """Make files and folders be what objects of the cache are; those that are `copied` are no links into it."""
        from dvc_data.hashfile import load
        from dvc_data.hashfile.checkout import checkout
        from dvc_data.hashfile.hash_info import HashInfo

        copies, runnable = set(copied), set(executable)
        for path, value in paths.items():
            made = load(self.cache, HashInfo("md5", value))
            with _copying(self.cache) if path in copies else nullcontext():
                checkout(
                    path, self.repo.fs, made, self.cache, force=True, state=self.repo.state, ignore=self.repo.dvcignore
                )
            if path in runnable:
                self.cache.set_exec(path)

    @_with_remote
    def send_run(self, stage: Any) -> None:
        """Send what the run cache has of a stage as it is."""
        for place in self._run_places(stage):
            source = Path(self.repo.stage_cache.cache_dir, place)
            there = self._there(place)
            for entry in source.iterdir() if source.is_dir() else ():
                target = there.fs.join(there.path, RUNS, place, entry.name)
                if not there.fs.exists(target):
                    there.fs.makedirs(there.fs.parent(target))
                    there.fs.put_file(str(entry), target)

    @_with_remote
    def fetch_run(self, stage: Any) -> bool:
        """Bring what the remote's run cache has of a stage as it is, and its outputs; return whether all was there."""
        for place in self._run_places(stage):
            there = self._there(place)
            folder = there.fs.join(there.path, RUNS, place)
            for source in there.fs.find(folder) if there.fs.exists(folder) else ():
                target = Path(self.repo.stage_cache.cache_dir, place, there.fs.name(source))
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    there.fs.get_file(source, str(target))
            stored = self.repo.stage_cache._load(stage)
            if not stored:
                return False
            earlier = self.repo.stage_cache._create_stage(stored, wdir=stage.wdir)
            try:
                self.fetch(str(out.hash_info.value) for out in earlier.outs)
            except OSError:  # such as of a remote that was cleaned up
                return False
            return bool(earlier.outs_cached())
        return False

    def _run_places(self, stage: Any) -> Iterator[str]:
        from dvc.stage.cache import _get_stage_hash

        # DVC keeps no runs where it can only read.
        if can_hash(stage) and "http" not in self.there.fs.protocol:
            key = _get_stage_hash(stage)
            yield f"{key[:2]}/{key}"

    def _there(self, place: str) -> Any:
        return self.repo.cloud.get_remote_odb(self.remote, "push", hash_name="md5-dos2unix")


@contextmanager
def _copying(cache: Any) -> Iterator[None]:
    kinds = cache.cache_types
    cache.cache_types = ["copy"]
    try:
        yield
    finally:
        cache.cache_types = kinds


def can_hash(stage: Any) -> bool:
    """Tell whether DVC keeps runs of a stage in its run cache."""
    from dvc.stage.cache import _can_hash

    return all(dependency.exists for dependency in stage.deps) and bool(_can_hash(stage))


@contextmanager
def as_it_is_now(stage: Any) -> Iterator[None]:
    """Let a stage of DVC have the digests of its dependencies as they are, not as dvc.lock has them."""
    as_recorded = [(dependency, dict(vars(dependency))) for dependency in stage.deps]
    try:
        stage.save_deps()
        yield
    finally:
        for dependency, values in as_recorded:
            vars(dependency).clear()
            vars(dependency).update(values)


def digests_of(stage: Any) -> dict[str, str]:
    """Return the digests of the files and folders that a stage reads, as it has them, by the path in its definition."""
    values = {dependency.def_path: dependency.hash_info.value for dependency in stage.deps if dependency.hash_info}
    return {path: value for path, value in values.items() if isinstance(value, str)}  # those of parameters are theirs


def default_remote(repo: Any) -> str:
    """Return the name of the remote that files travel by; raise UserError where there is none that can carry them."""
    from dvc.exceptions import DvcException

    name = repo.config["core"].get("remote")
    if not name:
        raise UserError(
            "stages on other machines get their files from a DVC remote, and this repository has no default one: "
            "`dvc remote add -d NAME URL` makes one."
        )
    try:
        repo.cloud.get_remote_odb(name, "push")
    except DvcException as error:
        raise UserError(f"the DVC remote {name} cannot carry the files of stages: {error}.") from None
    return str(name)
