"""What every engine offers: it carries a job's text to some node, where `node.run_job` makes a result's text of it."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from provenn.resources import Resources

RETRIES = 3  # of what the transport breaks: a node that is lost, a worker that is killed, a remote that does not answer
CONNECT_SECONDS = 20.0
LOOK_SECONDS = 1.0  # how old what is known of the nodes may be
PLATFORM_SHARE = 0.001  # of what a node offers of its platform, for a stage: it offers 1, and has room for a thousand


class EngineError(Exception):
    """A job that no node could bring to its end; the message is one sentence."""


class Nodes:
    """What the nodes of an engine have, asked for at most once a second, however many stages wait."""

    def __init__(self, ask: Callable[[], Iterable[Mapping[str, float]]]) -> None:
        self._ask = ask
        self._known: list[Mapping[str, float]] = []
        self._asked = float("-inf")

    def offer(self, asked: Mapping[str, float]) -> bool:
        """Tell whether one node has all that is asked for."""
        if time.monotonic() - self._asked > LOOK_SECONDS:
            self._known, self._asked = [], time.monotonic()
            with suppress(OSError, RuntimeError):  # the engine does not answer
                self._known = list(self._ask())
        return any(all(node.get(name, 0.0) >= count for name, count in asked.items()) for node in self._known)


class Handle(Protocol):
    """A job that was submitted."""

    def done(self) -> bool:
        """Tell whether there is a result or an error."""

    def result(self) -> str:
        """Return the result's text, once done; raise EngineError when there is none."""

    def stop(self) -> None:
        """Ask for the job's end."""

    def release(self) -> None:
        """Forget the job: its result is kept here, or nobody wants it."""


class Engine(Protocol):
    """Dask or Ray."""

    name: str

    def submit(self, key: str, job: str, resources: Resources) -> Handle:
        """Hand over a job; one with this key that an earlier process handed over is taken up where that is possible."""

    def has_node(self, resources: Resources) -> bool:
        """Tell whether there is a node that could ever take such a job."""

    def advice(self, resources: Resources) -> str:
        """Return what to do where there is no such node, as the end of a sentence."""

    def close(self) -> None:
        """Leave the engine; end what was started for this process alone."""
