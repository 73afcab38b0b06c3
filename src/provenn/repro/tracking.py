"""The pipeline's record, and the process that follows it and writes the runs."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from provenn.record import RECORD, Record, new_path, numeric_platform, process_name
from provenn.repro.processes import Outcome
from provenn.repro.report import Report
from provenn.repro.work import Work

ENDED: dict[Outcome, str] = {
    "ran": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
    "restored": "RESTORED",
    "unchanged": "RESTORED",  # as DVC found once it was started
}
# How long the pipeline's end waits for the runs of many stages to be written; the results are all there by then.
WRITER_SECONDS = 600.0
SILENT_SECONDS = 3.0


class Tracking:
    """Tells the writer which stages were begun, with which records, and what became of them.

    The writer is started with the first stage, so that a repository in which nothing changed starts none.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._record: Record | None = None
        self._writer: subprocess.Popen[str] | None = None
        self._log: Path | None = None

    def begin(self, stage: str) -> dict[str, str]:
        """Note that a stage is started; return what its environment needs to say more."""
        if self._record is None:
            self._start()
        assert self._record
        path = new_path(self.root, stage)
        self._record.append({"begun": stage, "record": str(path)})
        return {RECORD: str(path)}

    def settle(self, process: Work, outcome: Outcome) -> None:
        """Note what became of a stage that was begun."""
        if self._record:
            reason = process.last_line() if outcome == "failed" else "stopped" if outcome == "stopped" else ""
            self._record.append({"settled": process.name, "ended": ENDED[outcome], "reason": reason[:500]})

    def end(self, report: Report, note: Callable[[str], None]) -> None:
        """Wait until the writer has shown everything; pass on what it has to say.

        Whoever stopped the pipeline is not kept waiting: the writer closes the runs and ends by itself.
        """
        if self._record is None or self._writer is None:
            return
        values = {f"stages/{outcome}": float(count) for outcome, count in report.counts.items()}
        values |= {"time/pipeline_s": report.total_seconds, "time/stages_s": sum(report.seconds.values())}
        rest = [
            f"- {name} **{outcome}**"
            for name, outcome in report.outcomes.items()
            if outcome not in ("skipped", "unchanged")
        ]
        text = "\n".join([f"`provenn repro`, {report.sentence}.", "", *rest])
        ending = {
            "values": values,
            "note": text,
            "reason": f"failed: {', '.join(report.failed)}" if report.failed else "",
        }
        self._record.append({"ended": report.status, **ending})
        if report.stopped_by:
            return
        for line in self._last_words(note).splitlines():
            note(line)

    def _last_words(self, note: Callable[[str], None]) -> str:
        assert self._writer
        with suppress(subprocess.TimeoutExpired):
            return self._writer.communicate(timeout=SILENT_SECONDS)[0]
        note("the stages have ended; MLflow is being brought up to date")
        try:
            return self._writer.communicate(timeout=WRITER_SECONDS)[0]
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            return "MLflow is still being written, in the background; `provenn sync` says when it agrees."

    def _start(self) -> None:
        self._record = Record(new_path(self.root, "pipeline"))
        opening = {"pipeline": "repro", "folder": str(self.root), "process": process_name()}
        self._record.append(opening | {"platform": numeric_platform()})
        # A session of its own: Ctrl-C ends the stages, and the writer closes their runs.
        self._writer = subprocess.Popen(
            [sys.executable, "-P", "-m", "provenn.view", str(self._record.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
            cwd=self.root,
            start_new_session=True,
        )
