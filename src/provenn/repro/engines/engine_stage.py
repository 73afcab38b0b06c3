"""A stage at an engine: waited for, and taken in when it comes back."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from provenn.files import UserError, one_line, write_bytes
from provenn.repro.engines.engine import LOOK_SECONDS, Engine, EngineError, Handle
from provenn.repro.processes import Outcome
from provenn.resources import Resources


class EngineStage:
    """A stage at an engine, for the runner the same as a process here."""

    busy = was_killed = False

    def __init__(
        self,
        name: str,
        log: Path,
        record: str | None,
        job: "Job",
        note: Callable[[str], None],
        land: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """Take a job; `land` brings here what its result names."""
        self.name, self.log = name, log
        self._record, self._job, self._note, self._land = record, job, note, land
        self._started = time.monotonic()
        self._result: dict[str, Any] | None = None
        self._outcome: Outcome | None = None
        write_bytes(log, b"")

    @property
    def seconds(self) -> float:
        """Seconds that the node took; until it has ended, those since it was sent there."""
        return float((self._result or {}).get("seconds") or time.monotonic() - self._started)

    @property
    def exit_code(self) -> int | None:
        """0 or 1; None while the stage runs."""
        return None if self._outcome is None else int(self._outcome == "failed")

    @property
    def outcome(self) -> Outcome | None:
        """What became of the stage, its outputs being here; None until then."""
        if self._outcome is None:
            self._outcome = self._look()
            if self._outcome:
                self._job.handle.release()
        return self._outcome

    def last_line(self) -> str:
        """Return the last line of the log, or where the stage is."""
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), f"at {self._job.engine.name}")

    def tell(self, order: bytes) -> None:
        """Ask for the stage's end."""
        if self._outcome is None:
            self._job.handle.stop()

    def end_rest(self) -> None:
        """Do nothing: nothing of it runs on this machine."""

    def _look(self) -> Outcome | None:
        from dvc.exceptions import DvcException

        if self._result is None:
            try:
                text = self._job.result()
            except EngineError as error:
                return self._fail(one_line(error))
            if text is None:
                return None
            self._result = json.loads(text)
            self._keep(self._result)
        outcome: Outcome = self._result["outcome"]
        if outcome == "failed":
            return outcome
        try:
            self._land(self._result)
        except UserError:  # dvc.lock is held: at the next look
            return None
        except (DvcException, OSError) as error:
            return self._fail(f"{self.name}: its outputs did not come back: {one_line(error)}")
        return outcome

    def _keep(self, result: Mapping[str, Any]) -> None:
        """Keep the log, and the stage's record, with a word on the node, for whoever writes its run."""
        write_bytes(self.log, result["log"].encode())
        if not self._record or result["outcome"] == "restored":
            return
        told = _by_this_clock(result, time.time())
        began = int((time.time() - self.seconds) * 1000)
        tags = {"node": result["host"]}
        if "numeric.platform" not in told and "platform" in result:
            tags["numeric.platform"] = result["platform"]
        rows = [] if told else [{"stage": self.name, "at": began}]
        rows += [{"tags": tags, "at": int(time.time() * 1000)}]
        with suppress(OSError), Path(self._record).open("a", encoding="utf-8") as record:
            record.write(told + "".join(f"{json.dumps(row)}\n" for row in rows))

    def _fail(self, sentence: str) -> Outcome:
        self._note(sentence)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{sentence}\n")
        return "failed"


def _by_this_clock(result: Mapping[str, Any], now: float) -> str:
    """Return a stage's record, its times moved as little as makes them lie between when it was sent and now.

    Where the node's clock is right they stay as they are. `sent`, `began` and `now` are seconds of the epoch, by this
    clock, the node's and this one.
    """
    told: str = result["record"]
    behind, ahead = result["sent"] - result["began"], result["began"] + result["seconds"] - now
    moved_ms = round(1000 * min(max(0.0, behind), -ahead))
    if not moved_ms:
        return told
    rows = (json.loads(line) for line in told.split("\n")[:-1])  # a last line without its end was cut off
    return "".join(f"{json.dumps(row | {'at': row['at'] + moved_ms})}\n" for row in rows)


class Unsent:
    """The handle of a job that could not be handed over."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def done(self) -> bool:
        """Tell that it has ended."""
        return True

    def result(self) -> str:
        """Raise EngineError."""
        raise EngineError(self._sentence)

    def stop(self) -> None:
        """Do nothing: it does not run."""

    def release(self) -> None:
        """Do nothing: the engine does not know of it."""


class Job:
    """A job that was handed over, which does not wait for ever where there is no node for it."""

    def __init__(self, engine: Engine, handle: Handle, name: str, resources: Resources, wait_s: float) -> None:
        self.engine, self.handle = engine, handle
        self._name, self._resources, self._wait_s = name, resources, wait_s
        self._seen = self._looked = time.monotonic()

    def result(self) -> str | None:
        """Return the result's text, None until it is there; raise EngineError with a sentence when it will not come."""
        if self.handle.done():
            try:
                return self.handle.result()
            except EngineError as error:
                raise EngineError(f"{self._name} was lost at {self.engine.name}: {one_line(error)}") from None
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return None
        self._looked = now
        if self.engine.has_node(self._resources):
            self._seen = now
        if now - self._seen < self._wait_s:
            return None
        self.handle.stop()
        raise EngineError(
            f"{self.engine.name} has had no node for {self._name} for {self._wait_s:.0f} s: "
            f"{self.engine.advice(self._resources)}."
        )
