"""What a run shows is computed from the stage's lock entry and files alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from provenn.files import UserError, write_json, write_rows
from provenn.pipeline.locks import only_one
from provenn.tracking import projection
from provenn.tracking.entry import StageEntry, directory_digest, parse_lock
from provenn.tracking.origin import process_is_dead, process_tag
from provenn.tracking.records import Record, find_record

LOCK = """
schema: '2.0'
stages:
  train_mlp@moons_mlp:
    cmd: python stages/train_mlp.py moons_mlp
    deps:
    - {path: data/moons/development, md5: aa.dir}
    - {path: stages/train_mlp.py, md5: bb}
    params:
      params.yaml:
        train_mlp.moons_mlp: {learning_rate: 1e-3, hidden_sizes: [32, 32], on: on}
    outs:
    - {path: models/moons/moons_mlp.safetensors, md5: cc}
  removed:
    cmd: python stages/removed.py
"""


def entry_of(text: str = LOCK) -> StageEntry:
    return parse_lock(text, "dvc.lock")["train_mlp@moons_mlp"]


def test_a_lock_entry_knows_its_task_experiment_model_and_settings() -> None:
    entry = entry_of()
    assert projection.task_of(entry) == "moons"
    assert projection.experiment_of(entry) == "moons"
    assert projection.model_path(entry) == "models/moons/moons_mlp.safetensors"
    # YAML 1.2, as DVC reads it: 1e-3 is a number and `on` is text.
    assert entry.settings == {"learning_rate": 0.001, "hidden_sizes": [32, 32], "on": "on"}


@pytest.mark.parametrize("change", [("aa.dir", "dd.dir"), ("1e-3", "2e-3"), ("moons_mlp\n", "moons_mlp --fast\n")])
def test_the_key_changes_with_data_parameters_and_command(change: tuple[str, str]) -> None:
    assert entry_of(LOCK.replace(*change)).key != entry_of().key


def test_the_key_does_not_depend_on_the_outputs() -> None:
    assert entry_of(LOCK.replace("cc", "dd")).key == entry_of().key


def test_a_stage_that_dvc_yaml_no_longer_has_is_left_out() -> None:
    assert set(parse_lock(LOCK, "dvc.lock", {"train_mlp@moons_mlp": "Train."})) == {"train_mlp@moons_mlp"}


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\nstages:\n", "stages: {a: {}}", "- 1"])
def test_a_lock_that_is_none_is_refused_with_the_way_to_restore_it(text: str) -> None:
    with pytest.raises(UserError, match=r"dvc\.lock is not a lock of DVC .* `git checkout dvc\.lock`"):
        parse_lock(text, "dvc.lock")


def test_a_folder_has_the_digest_that_dvc_gives_it(tmp_path: Path) -> None:
    from dvc.repo import Repo

    folder = tmp_path / "folder"
    (folder / "b").mkdir(parents=True)
    for name, text in (("z.txt", "1"), ("a.txt", "2"), ("b/c.txt", "3")):
        (folder / name).write_text(text)
    repo = Repo.init(str(tmp_path), no_scm=True)
    (stage,) = repo.add(str(folder))
    # MD5 of "1", "2" and "3", as any tool gives them.
    files = {
        "z.txt": "c4ca4238a0b923820dcc509a6f75849b",
        "a.txt": "c81e728d9d4c2f636f067f89cc14862c",
        "b/c.txt": "eccbc87e4b5ce2fe28308fd9f2a7baf3",
    }
    assert directory_digest(files) == stage.outs[0].hash_info.value


def test_the_table_shows_the_epoch_that_was_kept_not_the_last_one(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "val/loss": 0.25, "val/best": 1.0}, {"epoch": 2, "val/loss": 0.5, "val/best": 0.0}]
    write_rows(tmp_path / "results/history.csv", rows)
    write_json(tmp_path / "results/metrics.json", rows[0] | {"val/primary": 0.75})
    paths = ["results/history.csv", "results/metrics.json"]
    entry = StageEntry("train_mlp@moons_mlp", "", "", {}, {}, paths, root=tmp_path)
    assert projection.kept_metrics_of(entry) == (2, {"val/loss": 0.25, "val/best": 1.0, "val/primary": 0.75})


def test_a_description_gets_one_test_result_however_often_it_is_judged() -> None:
    first = {"test/primary": 0.5, "test/primary_low": 0.25, "test/primary_high": 0.75}
    second = {"test/primary": 0.6, "test/primary_low": 0.35, "test/primary_high": 0.85}
    note = "A network.\n\n- **val/loss** 1\n\nReproduce: it"
    judged = projection.with_test_result(projection.with_test_result(note, first), second)
    assert judged == "A network.\n\n- **test/primary** 0.6 [0.35, 0.85]\n- **val/loss** 1\n\nReproduce: it"


def test_a_process_is_dead_when_it_has_ended_or_another_has_its_number() -> None:
    assert not process_is_dead(process_tag())
    host, number, began = process_tag().split()
    assert process_is_dead(f"{host} {number} {int(began) - 60}")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert process_is_dead(f"{host} {child.pid} {began}")
    assert not process_is_dead(f"elsewhere-{host} {child.pid} {began}")
    assert not process_is_dead("")


def test_a_record_belongs_to_the_outputs_that_it_was_written_with(tmp_path: Path) -> None:
    entry = entry_of()
    Record(entry.name, entry.key, dict(entry.outs), 1, 2, {"time/fit_s": 3.0}).save(tmp_path)
    record = find_record(tmp_path, entry)
    assert record is not None
    assert record.metrics == {"time/fit_s": 3.0}
    assert find_record(tmp_path, entry_of(LOCK.replace("cc", "dd"))) is None


def test_a_lock_that_is_held_names_its_holder(tmp_path: Path) -> None:
    held = pytest.raises(UserError, match=rf"process {os.getpid()}, since \d\d:\d\d:\d\d")
    with only_one(tmp_path, "sync"), held, only_one(tmp_path, "sync", wait_s=0.1):
        pass
