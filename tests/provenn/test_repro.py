"""`provenn repro` on small repositories: what runs beside what, and what is left afterwards."""

import io
import itertools
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from unittest import mock

import psutil
import pytest
from repository import Repository
from rich.console import Console
from sleeping import Watcher, noted, prepare, spans, stage, wait_for_start

from provenn.files import UserError
from provenn.repro.dvc_locks import LockFiles, mend_rwlock
from provenn.repro.plan import open_repository, read_plan
from provenn.repro.processes import StageProcess
from provenn.repro.report import Report
from provenn.repro.runner import reproduce
from provenn.repro.screen import LiveView

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untold")]


class Untold:
    """Tracking that takes no time: these tests are about what runs."""

    def __init__(self, root: Path) -> None: ...

    def begin(self, stage: str) -> dict[str, str]:
        return {}

    def settle(self, process: StageProcess, outcome: str) -> None: ...

    def end(self, report: Report, note: object) -> None: ...


@pytest.fixture
def untold(monkeypatch) -> None:
    monkeypatch.setattr("provenn.repro.runner.Tracking", Untold)


def repro(*targets: str, jobs: int = 4) -> Report:
    return reproduce(Path.cwd(), targets, jobs, Watcher())


DIAMOND = {
    "late": stage("late", 3),  # the first of a serial run, and the last to finish in a parallel one
    "early": stage("early"),
    "left": stage("left", 1.5, ("early.txt",), ("models/left.txt", "left_history.txt")),
    "right": stage("right", 1.5, ("early.txt",), ("models/right.txt",)),
    "judge": stage("judge", 0, ("models",)),
    "end": stage("end", 0, ("judge.txt", "late.txt")),
}


def overlap(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return first[0] < second[1] and second[0] < first[1]


def test_one_job_runs_one_stage_at_a_time(sleeping):
    sleeping.define({name: stage(name, 0.2) for name in "abc"})
    assert repro(jobs=1).counts == {"ran": 3}
    times = sorted(spans(sleeping).values())
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def files(root: Path) -> dict[str, bytes]:
    hidden = (".git", ".dvc", "mlruns")
    found = (path for path in root.rglob("*") if path.is_file() and path.relative_to(root).parts[0] not in hidden)
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_a_parallel_run_overlaps_keeps_the_order_of_needs_and_leaves_the_bytes_of_a_serial_one(sleeping, tmp_path):
    sleeping.define(DIAMOND)
    serial = prepare(Repository.make(tmp_path / "serial"))
    serial.define(DIAMOND)
    serial.dvc("repro")
    assert repro().counts == {"ran": 6}

    times = spans(sleeping)
    assert overlap(times["left"], times["right"])
    # `judge` reads the folder into which both write.
    for needed, needing in [("early", "left"), ("early", "right"), ("left", "judge"), ("right", "judge")]:
        assert times[needed][1] <= times[needing][0]
    assert max(times["judge"][1], times["late"][1]) <= times["end"][0]

    assert times["late"][1] > times["early"][1], "the order of finishing must differ from the serial one"
    assert files(sleeping.root) == files(serial.root)
    assert "dvc.lock" in files(sleeping.root)


def test_new_stages_stand_in_the_lock_file_where_a_serial_run_puts_them(sleeping, tmp_path):
    serial = prepare(Repository.make(tmp_path / "serial"))
    for stages in ({"b": stage("b")}, {"a": stage("a", 1.5), "b": stage("b", 0.01), "c": stage("c")}):
        for small in (sleeping, serial):
            small.define(stages)
        serial.dvc("repro")
        repro()
    assert files(sleeping.root) == files(serial.root)


def test_an_unchanged_stage_starts_no_process_and_a_cached_one_is_restored(sleeping):
    sleeping.define({"a": stage("a"), "b": stage("b", 0, ("a.txt",))})
    repro()
    before = noted(sleeping)
    watcher = Watcher()
    watcher.started = lambda process: pytest.fail(f"{process.name} was started")
    assert reproduce(Path.cwd(), (), 4, watcher).counts == {"unchanged": 2}

    (sleeping.root / "a.txt").unlink()
    report = repro()
    assert report.outcomes == {"a": "restored", "b": "unchanged"}
    assert noted(sleeping) == before, "no stage may have run again"


def test_a_failing_stage_stops_its_descendants_and_nothing_else(sleeping):
    stages = {"bad": stage("bad"), "after": stage("after", 0, ("bad.txt",)), "end": stage("end", 0, ("after.txt",))}
    stages["apart"] = stage("apart", 1)
    broken = stages["bad"] | {"cmd": "echo the disk is on fire && exit 3"}
    sleeping.define(stages | {"bad": broken})
    finished = sleeping.provenn("repro", "-j", "2", "--json", code=1)
    outcomes = {entry["stage"]: entry["outcome"] for entry in json.loads(finished.stdout)["stages"]}
    assert outcomes == {"bad": "failed", "after": "skipped", "end": "skipped", "apart": "ran"}
    assert "the disk is on fire" in finished.stderr
    assert "exited with 3" in finished.stderr
    sleeping.define(stages)
    assert repro().outcomes == {"bad": "ran", "after": "ran", "end": "ran", "apart": "unchanged"}


def test_a_stage_that_reads_what_is_not_there_fails_alone(sleeping):
    sleeping.define({"lost": stage("lost", 0, ("nowhere.txt",)), "apart": stage("apart")})
    report = repro()
    assert report.outcomes == {"lost": "failed", "apart": "ran"}
    assert "nowhere.txt" in report.logs["lost"].read_text()


def gone(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stages_own_processes_and_the_next_repro_goes_on(sleeping, number):
    sleeping.define({"done": stage("done")} | {name: stage(name, 600, ("done.txt",)) for name in "ab"})
    runner = sleeping.start("provenn", "repro", "-j", "2")
    at_work = wait_for_start(sleeping, "a", "b")
    runner.send_signal(number)
    output, _ = runner.communicate(timeout=120)
    assert runner.returncode == 128 + number
    assert all(gone(at_work[name]) for name in "ab")
    assert "done       done" in output
    assert "1 ran" in output
    assert "2 stopped" in output

    sleeping.define({"done": stage("done")} | {name: stage(name, 0, ("done.txt",)) for name in "ab"})
    report = repro()
    assert report.outcomes == {"done": "unchanged", "a": "ran", "b": "ran"}


def test_a_process_that_ignores_the_signal_is_killed_even_in_a_session_of_its_own(sleeping):
    (sleeping.root / "stubborn.py").write_text(
        "import os, signal, sys\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "sys.argv[1] += str(os.getpid())\n"
        "exec(open('work.py').read())\n"
    )
    stubborn = stage("stubborn", 600)
    stubborn["cmd"] = "python stubborn.py stubborn 600 stubborn.txt"
    sleeping.define({"stubborn": stubborn})
    runner = sleeping.start("provenn", "repro")
    until = time.monotonic() + 120
    while len(noted(sleeping)) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    at_work = [process for *_, process in noted(sleeping)]
    assert len(at_work) == 2
    runner.terminate()
    time.sleep(0.5)
    assert runner.poll() is None, "they get time to end"
    runner.terminate()  # the second time is in earnest
    runner.communicate(timeout=120)
    assert all(gone(process) for process in at_work)
    sleeping.define({"stubborn": stage("stubborn")})
    assert repro().outcomes == {"stubborn": "ran"}


def test_a_damaged_rwlock_is_mended(sleeping):
    sleeping.define({"a": stage("a")})
    (sleeping.root / ".dvc" / "tmp").mkdir(exist_ok=True)
    path = sleeping.root / ".dvc" / "tmp" / "rwlock"
    repo = open_repository(sleeping.root)
    for content in (b'{"write": {"a.tx', b"[]"):
        path.write_bytes(content)
        mend_rwlock(repo)
        assert not path.exists()
    path.touch()
    assert "corrupted" in sleeping.dvc("repro", code=255), "DVC itself refuses it"
    assert repro().outcomes == {"a": "ran"}


def test_an_rwlock_entry_whose_process_number_now_belongs_to_another_program_is_removed(sleeping):
    sleeping.define({"a": stage("a")})
    out = str(sleeping.root / "a.txt")
    stale = {"write": {out: {"pid": os.getppid(), "cmd": "/bin/dvc repro --single-item a"}}, "read": {}}
    (sleeping.root / ".dvc" / "tmp").mkdir(exist_ok=True)
    path = sleeping.root / ".dvc" / "tmp" / "rwlock"
    path.write_text(json.dumps(stale))
    repo = open_repository(sleeping.root)
    mend_rwlock(repo)
    assert json.loads(path.read_bytes()) == {"write": {}, "read": {}}
    # One that runs, and is the one that made the entry, stays.
    own = {"write": {out: {"pid": os.getpid(), "cmd": " ".join(psutil.Process().cmdline()[1:])}}, "read": {}}
    path.write_text(json.dumps(own))
    mend_rwlock(repo)
    assert json.loads(path.read_bytes()) == own


def test_a_stage_that_another_dvc_is_running_is_waited_for(sleeping):
    sleeping.define({"a": stage("a", 2.5), "b": stage("b")})
    other = sleeping.start("dvc", "repro", "a")
    wait_for_start(sleeping, "a")
    report = repro()
    assert other.wait(120) == 0
    other.communicate()
    assert report.outcomes == {"a": "unchanged", "b": "ran"}
    assert [name for what, name, *_ in noted(sleeping) if what == "start"].count("a") == 1


def test_two_parallel_runs_of_one_repository_do_not_mix(sleeping):
    sleeping.define({"a": stage("a", 600)})
    first = sleeping.start("provenn", "repro")
    wait_for_start(sleeping, "a")
    try:
        with pytest.raises(UserError, match=f"`provenn repro` is running already .process {first.pid}, since"):
            repro()
    finally:
        first.terminate()
        first.communicate(timeout=120)


def test_a_lock_that_someone_holds_is_named_with_its_holder(sleeping):
    sleeping.define({"a": stage("a")})
    holder = open_repository(sleeping.root)
    with holder.lock, pytest.raises(UserError, match=f"DVC's lock of .* is held .process {os.getpid()}, .* since"):
        repro()


def test_the_live_table_shows_the_running_stages_with_their_last_line_and_counts_the_others(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("epoch 1\nepoch 2\rdownloading 7 %\n\n")
    screen = io.StringIO()
    view = LiveView(Console(file=screen, force_terminal=True, width=100, color_system=None))
    with mock.patch("subprocess.Popen"):
        process = StageProcess("a", log, {}, "run")
    log.write_text("epoch 1\nepoch 2\rdownloading 7 %\n\n")
    with view.shown():
        view.started(process)
        view.finished("b", "restored", 0.7)
        view.finished("c", "unchanged", 0)
    shown = screen.getvalue()
    assert re.search(r"a +0 s +downloading 7 %", shown)
    assert re.search(r"restored +0\.7 s +b", shown)
    assert "1 running, 1 restored, 1 unchanged" in shown


def test_targets_are_stages_or_groups_and_bring_what_they_need(sleeping):
    group = {"foreach": {"x": {}, "y": {}}, "do": stage("train-${key}", 0, ("early.txt",), ("${key}.txt",))}
    sleeping.define({"early": stage("early"), "train": group, "apart": stage("apart")})
    repo = open_repository(sleeping.root)
    assert set(read_plan(repo, ["train"]).stages) == {"early", "train@x", "train@y"}
    assert set(read_plan(repo, ["train@y"]).stages) == {"early", "train@y"}
    assert set(read_plan(repo, []).stages) == {"early", "train@x", "train@y", "apart"}
    with pytest.raises(UserError, match=r"^trian is no stage .* did you mean train\?$"):
        read_plan(repo, ["trian"])


def test_the_stage_with_the_longest_work_behind_it_is_started_first(sleeping):
    sleeping.define(
        {
            "short": stage("short"),
            "chain_1": stage("chain_1"),
            "chain_2": stage("chain_2", 0, ("chain_1.txt",)),
            "chain_3": stage("chain_3", 0, ("chain_2.txt",)),
            "long": stage("long"),
        }
    )
    plan = read_plan(open_repository(sleeping.root), [])
    assert plan.by_urgency({})[0] == "chain_1"
    assert plan.by_urgency({"long": 100.0})[:2] == ["long", "chain_1"]


def test_a_lock_file_cut_by_a_killed_process_is_put_back(sleeping):
    sleeping.define({name: stage(name) for name in "ab"})
    repro()
    path = sleeping.root / "dvc.lock"
    whole = path.read_bytes()
    repo = open_repository(sleeping.root)
    lock_files = LockFiles(repo, read_plan(repo, []).stages, {})
    assert not lock_files.restore_if_cut()
    for end in (0, 40, len(whole) - 30, len(whole) // 2):
        path.write_bytes(whole[:end])
        lock_files.remember()  # it may have been read while it was cut
        assert lock_files.restore_if_cut() == ["dvc.lock"]
        assert path.read_bytes() == whole


def test_a_lock_from_elsewhere_of_a_stage_that_is_never_cached_is_run_again(sleeping):
    persists = stage("a") | {"outs": [{"a.txt": {"persist": True}}]}
    sleeping.define({"a": persists})
    repro()
    (sleeping.root / "a.txt").unlink()
    shutil.rmtree(sleeping.root / ".dvc" / "cache")
    assert repro().outcomes == {"a": "ran"}
