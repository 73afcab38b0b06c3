"""Ray: a job is a task of the driver, and ends with it."""

import warnings
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from math import ceil
from typing import Any

import ray
from ray.exceptions import RayError

from provenn.files import UserError, one_line
from provenn.repro.engines.engine import PLATFORM_SHARE, RETRIES, EngineError, Nodes
from provenn.repro.engines.node import run_job
from provenn.resources import Resources

ATTEMPTS = 4
_OPTIONS: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "namespace": "provenn"}


class RayEngine:
    """A cluster of Ray."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes = Nodes(lambda: [node["Resources"] for node in ray.nodes() if node["Alive"]])

    @classmethod
    def connect(cls, host: str, note: Callable[[str], None]) -> "RayEngine":
        """Return the cluster whose client server is at host:port; UserError without an answer."""
        try:
            with warnings.catch_warnings(action="ignore"):
                _connect(f"ray://{host}", note)
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            raise UserError(
                f"no cluster of Ray answers at {host} ({one_line(error)[:200]}) `ray start --head` starts one, "
                "whose client port is 10001."
            ) from None
        return cls(f"ray://{host}")

    @classmethod
    def start(cls, slots: int) -> "RayEngine":
        """Return a new cluster on this machine, which ends with this process."""
        ray.init("local", num_cpus=slots, include_dashboard=False, **_OPTIONS)
        return cls("ray")

    def submit(self, key: str, job: str, resources: Resources) -> "RayJob":
        """Hand over a job."""
        task = ray.remote(run_job).options(
            name=key,
            num_cpus=resources.cpus or 1,
            num_gpus=resources.gpus or 0,
            memory=resources.memory_bytes,
            resources={resources.platform: PLATFORM_SHARE} if resources.platform else None,
            max_retries=RETRIES,
            retry_exceptions=True,  # a stage that fails is a result, not an exception
        )
        return RayJob(task.remote(job))

    def has_node(self, resources: Resources) -> bool:
        """Tell whether a node has what is asked for."""
        return self._nodes.offer(_asked(resources))

    def advice(self, resources: Resources) -> str:
        """Return how to start such a node."""
        need = ", ".join(f"{ceil(count)} {name}" for name, count in _asked(resources).items())
        option = f""" --resources='{{"{resources.platform}": 1}}'""" if resources.platform else ""
        return f"start one that has {need} with `ray start --address=HEAD:6379{option}`"

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        ray.shutdown()


class RayJob:
    """A task."""

    def __init__(self, reference: Any) -> None:
        self._reference = reference
        self._future: Future[str] = reference.future()

    def done(self) -> bool:
        """Tell whether the task has ended."""
        return self._future.done()

    def result(self) -> str:
        """Return the task's result; raise EngineError when workers died of it repeatedly, or files did not come."""
        try:
            return self._future.result()
        except Exception as error:  # whatever was raised on the node, or what Ray makes of a lost one
            raise EngineError(one_line(error)[-500:]) from None

    def stop(self) -> None:
        """Kill the worker; the stage's supervisor sees that, and ends the stage in order."""
        with suppress(RayError, ValueError):
            ray.cancel(self._reference, force=True)

    def release(self) -> None:
        """Do nothing: the task is forgotten with its reference."""


def _connect(address: str, note: Callable[[str], None]) -> None:
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            note(f"{address} could not start a server for this client; trying again")
        try:
            ray.init(address, **_OPTIONS)
            return
        except ConnectionAbortedError as error:  # now and then Ray's fork crashes: ray-project/ray#63202
            problem = str(error).strip().rpartition("\n")[2]
    raise UserError(f"{address} could not start a server for this client, {ATTEMPTS} times: {problem}")


def _asked(resources: Resources) -> dict[str, float]:
    asked = {"CPU": resources.cpus or 1, "GPU": resources.gpus, "memory": resources.memory_bytes}
    if resources.platform:
        asked[resources.platform] = PLATFORM_SHARE
    return {name: float(count) for name, count in asked.items() if count}
