"""From an address to what sends stages there. Dask, Ray and what needs them are imported when they are asked for."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenn.files import UserError

if TYPE_CHECKING:
    from provenn.repro.engines.dispatch import Dispatcher
    from provenn.repro.engines.engine import Engine


@dataclass(frozen=True)
class Destination:
    """Where stages run: on this machine, or at an engine."""

    address: str = ""
    wait_s: float = 300.0  # how long a stage waits for a node
    platform: str = ""  # what nodes must offer, for stages whose bytes depend on it

    @property
    def is_elsewhere(self) -> bool:
        """Whether the engine is there without this process."""
        return "://" in self.address


HERE = Destination()


@contextmanager
def at_engine(
    repo: Any, destination: Destination, slots: int, note: Callable[[str], None]
) -> "Iterator[Dispatcher | None]":
    """Yield what sends stages to the engine of a destination, None without one; see `open_engine` and `Dispatcher`."""
    if not destination.address:
        if destination.platform:
            raise UserError("--platform chooses among the nodes of an engine, which --on names.")
        yield None
        return
    from provenn.repro.engines.dispatch import FOLDER, Dispatcher
    from provenn.repro.engines.objects import default_remote

    if destination.is_elsewhere:
        default_remote(repo)
    engine = open_engine(destination.address, slots, str(Path(repo.root_dir) / FOLDER), note)
    try:
        yield Dispatcher(repo, engine, destination, note)
    finally:
        engine.close()


def open_engine(address: str, slots: int, folder: str, note: Callable[[str], None]) -> "Engine":
    """Return the engine at `dask://host:port`, `ray://host:port`, or a new one here: `local` (Dask), `ray`.

    One that is started here has `slots` workers, which keep their files in `folder`. Raises UserError for another
    address, a package that is missing, and an engine that does not answer.
    """
    kind, _, host = address.partition("://")
    package, extra = ("ray", "ray") if kind == "ray" else ("distributed", "dask")
    try:
        if kind == "dask" and host:
            from provenn.repro.engines.dask import DaskEngine

            return DaskEngine.connect(host)
        if address == "local":
            from provenn.repro.engines.dask import DaskEngine

            return DaskEngine.start(slots, folder)
        if kind == "ray":
            if not host and "RAY_AUTH_MODE" not in os.environ:
                # Ray listens on all addresses of the machine whatever it is told, and looks for a token when imported.
                os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
            from provenn.repro.engines.ray import RayEngine

            return RayEngine.connect(host, note) if host else RayEngine.start(slots)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("dask", "distributed", "ray", "grpc"):
            raise
        raise UserError(f"--on {address} needs {package}: install it with `pip install 'provenn[{extra}]'`.") from None
    raise UserError(f"--on {address} names no engine: use dask://host:8786, ray://host:10001, local or ray.")
