"""Repositories as people have them: odd names of stages, ignored files, folders of their own, files that are broken."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from repository import Repository
from sleeping import Watcher, stage, wait_for_start

from provenn.entry import split_name
from provenn.files import UserError
from provenn.lock import recorded
from provenn.repro import runner
from provenn.repro.dvc_locks import put_back
from provenn.repro.runner import reproduce
from provenn.trust.lineage import trace
from provenn.view.pipeline_writer import PipelineWriter

LOCK = "schema: '2.0'\nstages:\n  old:\n    cmd: 'true'\n  kept:\n    cmd: 'true'\n"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("train", ("", "train")),
        ("train@a:b/c", ("", "train@a:b/c")),
        ("book/dvc.yaml:train@a:b", ("book/dvc.yaml", "train@a:b")),
        ("a@b/dvc.yaml:train", ("a@b/dvc.yaml", "train")),
        ("data/raw.csv.dvc", ("", "data/raw.csv.dvc")),
    ],
)
def test_a_name_is_a_dvc_yaml_and_what_it_has(name, parts):
    assert split_name(name) == parts


def test_a_lock_that_lost_a_stage_on_purpose_is_not_called_cut(tmp_path):
    lock = tmp_path / "dvc.lock"
    without = "schema: '2.0'\nstages:\n  kept:\n    cmd: 'true'\n"
    lock.write_text(without)
    (tmp_path / "dvc.yaml").write_text("stages:\n  kept:\n    cmd: 'true'\n")
    assert not put_back(lock, LOCK)
    (tmp_path / "dvc.yaml").write_text("stages:\n  old:\n    cmd: 'true'\n  kept:\n    cmd: 'true'\n")
    assert put_back(lock, LOCK)
    assert lock.read_text() == LOCK


@pytest.fixture
def writer(repository: Repository) -> PipelineWriter:
    repository.define({"old": {"cmd": "true"}, "kept": {"cmd": "true"}})
    opening = {"folder": str(repository.root), "process": "host 1", "at": 0, "pipeline": "repro"}
    return PipelineWriter(repository.root / "record", opening)


@pytest.mark.parametrize("cut", ["", "schema: '2.0'\nstages:\n", LOCK[:-30]])
def test_the_writer_waits_for_a_lock_that_is_being_written(repository: Repository, writer: PipelineWriter, cut: str):
    lock = repository.write("dvc.lock", cut)
    late = threading.Timer(0.5, lambda: lock.write_text(LOCK))
    late.start()
    writer.stages = writer._defined()
    assert writer._results({"old"})["old"].command == "true"
    assert not writer.behind
    late.join()


@pytest.mark.slow
def test_stages_of_any_name_have_their_own_log_and_run(repository: Repository):
    values = ["a/b", "a_b", "a:b", "x" * 200]
    repository.define({"one": {"matrix": {"value": values}, "cmd": "echo of ${item.value}"}})
    repository.commit()
    repository.provenn("repro")
    logs = [log.read_text() for log in (repository.root / ".dvc/tmp/provenn/logs").iterdir() if "one@" in log.name]
    assert sorted(line for log in logs for line in log.splitlines() if line.startswith("of ")) == sorted(
        f"of {value}" for value in values
    )
    assert {run.data.tags["dvc.stage"] for run in repository.runs()} == {f"one@{value}" for value in values}
    assert {run.info.status for run in repository.runs()} == {"FINISHED"}


@pytest.mark.slow
def test_an_ignored_file_in_an_output_is_no_damage_and_a_stage_that_tells_nothing_has_a_platform(
    repository: Repository,
):
    repository.write(".dvcignore", "*.log\n")
    command = "mkdir -p out && echo 1 > out/d.txt && echo 2 > out/run.log"
    repository.write("code/one.txt", "1")
    repository.define({"a": {"cmd": command, "deps": ["code"], "outs": ["out"]}})
    repository.write(".gitignore", "*.log\n/mlruns\n")
    repository.commit()
    repository.provenn("repro")
    repository.write("code/run.log", "as Python leaves __pycache__")
    finished = repository.provenn("repro")
    assert "damaged" not in finished.stdout
    assert "1 unchanged" in finished.stdout
    (run,) = repository.runs()
    assert run.info.status == "FINISHED"
    assert os.uname().machine in run.data.tags["numeric.platform"]
    assert trace("a", repository.root)["unknown"] == []
    repository.provenn("verify")


@pytest.mark.slow
def test_a_broken_file_of_parameters_fails_the_stage_that_reads_it_and_no_other(repository: Repository):
    repository.write("own.toml", "lr = 1\n")
    repository.define({"a": {"cmd": "echo 1 > a.txt", "params": [{"own.toml": ["lr"]}], "outs": ["a.txt"]}})
    repository.commit()
    repository.provenn("repro")
    repository.write("own.toml", "lr = = 2\n")
    other = {"b": {"cmd": "echo 1 > b.txt", "outs": ["b.txt"]}}
    repository.write("sub/dvc.yaml", {"stages": other})
    finished = repository.provenn("repro", code=1)
    assert "Traceback" not in finished.stderr
    assert "own.toml" in finished.stderr
    assert (repository.root / "sub/b.txt").is_file()


@pytest.mark.slow
def test_a_broken_pipeline_is_named_by_verify_and_no_damage_of_the_lock(repository: Repository):
    repository.define({"a": {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}})
    repository.commit()
    repository.provenn("repro")
    repository.write("dvc.yaml", "stages: [\n")
    finished = repository.provenn("verify", code=1)
    assert "'dvc.yaml'" in finished.stderr
    assert "`dvc status` shows the line" in finished.stderr
    assert "heals" not in finished.stdout + finished.stderr


@pytest.mark.slow
def test_who_made_the_files_of_a_folder_is_known_beside_a_gitignore(repository: Repository):
    (repository.root / "models").mkdir()
    train = {"cmd": "echo 1 > models/a.txt", "outs": ["models/a.txt"]}
    repository.define({"train": train, "judge": {"cmd": "ls models > e.txt", "deps": ["models"], "outs": ["e.txt"]}})
    repository.commit()
    repository.provenn("repro")
    repository.commit()
    assert (repository.root / "models/.gitignore").is_file()
    chain = trace("judge", repository.root)
    (folder,) = chain["dependencies"]
    assert [made["stage"] for made in folder["made_by"]] == ["train"]
    assert not [line for line in chain["unknown"] if "models" in line]


@pytest.mark.slow
def test_a_stage_that_works_in_a_folder_of_its_own_is_attested(repository: Repository, tmp_path):
    repository.write("w/keep", "")
    repository.write("src.txt", "1")
    stage = {"cmd": "cat ../src.txt > e.txt", "wdir": "w", "deps": ["../src.txt"], "outs": ["e.txt"]}
    repository.define({"a": stage})
    repository.write(".gitignore", "/mlruns\n")
    repository.commit()
    repository.provenn("repro")
    repository.commit()
    assert recorded(repository.root, ["a"], None, {"a": "w"})["a"].outs.keys() == {"w/e.txt"}
    repository.provenn("attest", XDG_CONFIG_HOME=str(tmp_path / "keys"))
    repository.commit()
    assert "All is as it was signed" in repository.provenn("verify", "--attestations").stdout


@pytest.mark.slow
def test_a_lock_that_dvc_holds_for_long_makes_a_stage_wait(sleeping, monkeypatch):
    sleeping.define({"a": stage("a")})
    tries = []

    def held(repo, stage):
        tries.append(stage)
        if len(tries) < 3:
            raise UserError("DVC's lock is held")
        return ""

    monkeypatch.setattr(runner, "forget_lost_outputs", held)
    assert reproduce(Path.cwd(), (), 2, Watcher()).outcomes == {"a": "ran"}
    assert len(tries) == 3


@pytest.mark.slow
def test_a_run_that_is_stopped_after_it_restored_is_shown_whole(sleeping):
    sleeping.define({"a": stage("a")})
    sleeping.provenn("repro")
    (sleeping.root / "dvc.lock").unlink()
    (sleeping.root / "a.txt").unlink()
    sleeping.define({"a": stage("a"), "b": stage("b", 60, ("a.txt",))})
    driver = sleeping.start("provenn", "repro")
    wait_for_start(sleeping, "b")
    time.sleep(1)
    driver.send_signal(signal.SIGTERM)
    driver.communicate(timeout=120)
    records = sleeping.root / ".dvc/tmp/provenn/records"
    deadline = time.monotonic() + 120
    while list(records.glob("pipeline-*")) and time.monotonic() < deadline:  # the writer ends by itself
        time.sleep(0.1)
    client = sleeping.client()
    experiments = [found.experiment_id for found in client.search_experiments()]
    newest, _ = (run for run in client.search_runs(experiments) if "provenn.pipeline" in run.data.tags)
    assert newest.info.status == "KILLED"
    assert newest.data.metrics["stages/restored"] == 1
    assert "ended without closing" not in newest.data.tags.get("failure", "")
    assert not list(records.glob("pipeline-*"))
