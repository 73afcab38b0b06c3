"""Dask: a job is a task of `distributed`, kept by the scheduler until its result is kept here."""

import asyncio
import json
import os
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any

import psutil
from dask.config import get as setting
from distributed import Client, LocalCluster
from distributed.comm.core import CommClosedError, connect
from distributed.security import Security

from provenn.files import UserError, one_line
from provenn.repro.engines.engine import CONNECT_SECONDS, PLATFORM_SHARE, RETRIES, EngineError, Nodes
from provenn.repro.engines.node import run_job, stop_job
from provenn.resources import Resources


class DaskEngine:
    """A scheduler of Dask with its workers."""

    def __init__(self, name: str, client: Any, cluster: Any = None) -> None:
        self.name, self._client, self._cluster = name, client, cluster
        self._nodes = Nodes(self._workers)

    @classmethod
    def connect(cls, host: str) -> "DaskEngine":
        """Return the scheduler at host:port, by TLS where Dask's settings ask for it.

        Raises UserError without an answer, with one that is encrypted otherwise, and without a certificate.
        """
        scheme = "tls" if setting("distributed.comm.require-encryption", None) else "tcp"
        if scheme == "tls" and not _has_certificate():
            raise UserError(
                "Dask's settings here ask for encryption and name no certificate that can be read: "
                "distributed.comm.tls takes ca-file, client.cert and client.key."
            )
        try:
            asyncio.run(_reach(f"{scheme}://{host}"))
            client = Client(f"{scheme}://{host}", timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            if isinstance(error, CommClosedError) or "SSL" in str(error):
                raise UserError(
                    f"what answers at {host} ends the connection by {scheme.upper()}: "
                    "distributed.comm.require-encryption and distributed.comm.tls must be the same in Dask's settings "
                    "here and there."
                ) from None
            raise UserError(
                f"no scheduler of Dask answers at {host} ({one_line(error)[:200]}) `dask scheduler` starts one."
            ) from None
        return cls(f"dask://{host}", client)

    @classmethod
    def start(cls, slots: int, folder: str) -> "DaskEngine":
        """Return a new scheduler with a worker that has what this machine has; only this machine reaches them."""
        offered = {
            "CPU": len(os.sched_getaffinity(0)),
            "GPU": len(list(Path("/dev").glob("nvidia[0-9]*"))),
            "MEMORY": psutil.virtual_memory().total,
        }
        cluster = LocalCluster(
            n_workers=1,
            threads_per_worker=slots,
            resources=offered,
            host="127.0.0.1",
            dashboard_address=None,
            worker_dashboard_address=None,
            memory_limit=0,
            local_directory=folder,
        )
        return cls("local", Client(cluster, set_as_default=False), cluster)

    def submit(self, key: str, job: str, resources: Resources) -> "DaskJob":
        """Hand over a job, or take up the one that an earlier process handed over with this key."""
        try:
            return self._submit(key, job, resources)
        except Exception as error:  # whatever Dask makes of a scheduler that has gone
            raise EngineError(one_line(error)) from None

    def _submit(self, key: str, job: str, resources: Resources) -> "DaskJob":
        published = set(self._client.list_datasets())
        if key in published:
            earlier = DaskJob(self._client, key, self._client.get_dataset(key))
            if earlier.is_worth_waiting_for():
                return earlier
            self._client.unpublish_dataset(key)
        stage, _, _ = key.rpartition("-")
        for other in published - {key}:  # of the same stage, before something changed: nobody waits for it any more
            if other.rpartition("-")[0] == stage:
                DaskJob(self._client, other, self._client.get_dataset(other)).stop()
        future = self._client.submit(
            run_job, job, key=key, pure=False, retries=RETRIES, resources=_asked(resources) or None
        )
        # Else the scheduler forgets the job with the process that asked for it.
        self._client.publish_dataset(future, name=key, override=True)
        return DaskJob(self._client, key, future)

    def has_node(self, resources: Resources) -> bool:
        """Tell whether a worker offers what is asked for."""
        return self._nodes.offer(_asked(resources))

    def advice(self, resources: Resources) -> str:
        """Return how to start such a worker."""
        offer = " ".join(f"{name}={ceil(count)}" for name, count in _asked(resources).items())
        option = f" --resources '{offer}'" if offer else ""
        return f"start one with `dask worker {self._client.scheduler.address}{option}`"

    def _workers(self) -> list[dict[str, float]]:
        known = self._client.scheduler_info(n_workers=-1)["workers"].values()
        return [dict(worker["resources"]) for worker in known]

    def close(self) -> None:
        """Close the connection; a scheduler that was started here ends with its workers."""
        with suppress(OSError):
            self._client.close(timeout=5)
            if self._cluster:
                self._cluster.close(timeout=10)


class DaskJob:
    """A task."""

    def __init__(self, client: Any, key: str, future: Any) -> None:
        self._client, self._key, self._future = client, key, future

    def is_worth_waiting_for(self) -> bool:
        """Tell whether the task runs or waits, or has ended well: what made it fail may be mended since."""
        if self._future.status != "finished":
            return bool(self._future.status == "pending")
        return bool(json.loads(self.result())["outcome"] != "failed")

    def done(self) -> bool:
        """Tell whether the task has ended."""
        return bool(self._future.done())

    def result(self) -> str:
        """Return the task's result; raise EngineError when workers died of it repeatedly, or files did not come."""
        try:
            return str(self._future.result(timeout=60))
        except Exception as error:  # whatever was raised on the worker, or what Dask makes of a lost one
            raise EngineError(one_line(error)) from None

    def stop(self) -> None:
        """End the task where it does not run yet, and the stage where it does."""
        self.release()  # first, for a place that becomes free takes the next task
        with suppress(Exception):
            self._client.run(stop_job, self._key, on_error="ignore")

    def release(self) -> None:
        """Let the scheduler forget the task; one that has gone has forgotten all."""
        with suppress(Exception):
            self._client.unpublish_dataset(self._key)
            self._future.cancel()


async def _reach(address: str) -> None:
    """Raise what a connection raises: a client that fails at it is closed for 40 s, and then with a traceback."""
    comm = await connect(address, timeout=CONNECT_SECONDS, **Security().get_connection_args("client"))
    comm.abort()


def _has_certificate() -> bool:
    with suppress(OSError):  # such as of a file that is not there, or is no certificate
        return bool(Security().get_connection_args("client")["ssl_context"])
    return False


def _asked(resources: Resources) -> dict[str, float]:
    """Return what a worker must offer, by the names that are customary with Dask."""
    asked = {"CPU": resources.cpus, "GPU": resources.gpus, "MEMORY": resources.memory_bytes}
    if resources.platform:
        asked[resources.platform] = PLATFORM_SHARE
    return {name: float(count) for name, count in asked.items() if count is not None}
