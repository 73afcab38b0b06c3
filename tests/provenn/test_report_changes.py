"""What a change touched is named: parameters, code, data, stages and figures; and what a report does without a side."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import reported
from repository import Repository
from typer.testing import CliRunner

from provenn.cli import app
from provenn.files import UserError
from provenn.report.compare import Report, compare
from provenn.trust.attest import attest_rerun
from provenn.trust.reproduce import reproduce


def compared(repository: Repository, base: str = "base", head: str | None = None) -> Report:
    with compare(repository.root, base, head) as report:
        return report


def states(report: Report) -> dict[str, str]:
    return {stage.name: stage.state for stage in report.stages}


def add(repository: Repository, path: str, text: str) -> None:
    with (repository.root / path).open("a") as file:
        file.write(text)


def test_nothing_is_said_of_what_is_as_it_was(changing: Repository) -> None:
    report = compared(changing)
    changed = report.parameters, report.sources, report.stages, report.metrics, report.figures
    assert not any(changed)
    assert (report.sentence, report.missing) == ("No metric changed.", [])


def test_a_change_names_parameters_code_data_and_every_stage_that_it_reaches(changing: Repository) -> None:
    reported.set_params(changing, wrong=8, name="second")
    add(changing, "evaluate.py", "# Nothing else.\n")
    add(changing, "raw.csv", "a\n")
    changing.dvc_here("add", "--quiet", "raw.csv")
    changing.dvc_here("repro")
    for head in (None, "HEAD"):
        report = compared(changing, head=head)
        assert [(one.name, one.before, one.after, one.stages) for one in report.parameters] == [
            ("name", "first", "second", ["evaluate"]), ("wrong", "30", "8", ["evaluate"])
        ]  # fmt: skip
        assert {(one.path, one.kind, one.state, tuple(one.reaches)) for one in report.sources} == {
            ("raw.csv", "data", "changed", ("clean", "evaluate", "summary")),
            ("evaluate.py", "code", "changed", ("evaluate", "summary")),
        }
        assert states(report) == {"clean": "changed", "evaluate": "changed", "summary": "changed"}
        why = {one.name: one.why for one in report.stages}["evaluate"]
        assert why == ["parameter name", "parameter wrong", "evaluate.py", "labels.csv"]
        changing.commit("The change")


def test_a_stage_that_runs_again_with_the_same_result_came_out_equal(changing: Repository) -> None:
    add(changing, "evaluate.py", "# Nothing else.\n")
    changing.dvc_here("repro")
    report = compared(changing)
    assert states(report) == {"evaluate": "equal"}
    assert report.verdict == "no metric changed"


def test_stages_that_have_to_run_are_stale_in_the_folder_and_in_a_commit(changing: Repository) -> None:
    reported.set_params(changing, wrong=8)
    for head in (None, "HEAD"):
        report = compared(changing, head=head)
        assert states(report) == {"evaluate": "stale", "summary": "stale"}
        assert {one.name: one.why for one in report.stages}["evaluate"] == ["parameter wrong"]
        assert [(one.name, one.after) for one in report.parameters] == [("wrong", "8")]
        assert report.sentence == "No metric changed; 2 stages are yet to run (`provenn repro`)."
        changing.commit("Not run")


def test_a_stage_that_ran_alone_leaves_those_behind_it_stale(changing: Repository) -> None:
    reported.set_params(changing, wrong=8)
    changing.dvc_here("repro", "--single-item", "evaluate")
    assert states(compared(changing)) == {"evaluate": "changed", "summary": "stale"}


def test_a_frozen_stage_is_not_stale_whatever_it_reads(changing: Repository) -> None:
    stages = reported.stages(**reported.META)
    stages["evaluate"]["frozen"] = True
    changing.define(stages)
    reported.set_params(changing, wrong=8)
    add(changing, "evaluate.py", "# Nothing else.\n")
    for head in (None, "HEAD"):
        assert states(compared(changing, head=head)) == {}
        changing.commit("Frozen")


def test_a_folder_of_several_outputs_is_looked_at_where_it_is_whole(changing: Repository) -> None:
    made = {
        name: {"cmd": f"cp {name}.txt all/{name}", "deps": [f"{name}.txt"], "outs": [f"all/{name}"]} for name in "ab"
    }
    changing.define(made | {"sum": {"cmd": "cat all/a all/b > sum.txt", "deps": ["all"], "outs": ["sum.txt"]}})
    for name in "ab":
        changing.write(f"{name}.txt", name)
    changing.write("all/note.txt", "in git, beside the outputs")
    changing.dvc_here("repro")
    changing.commit("All")
    assert states(compared(changing, "HEAD")) == {}
    changing.write("a.txt", "c")
    changing.dvc_here("repro", "--single-item", "a")
    assert states(compared(changing, "HEAD")) == {"a": "changed", "sum": "stale"}
    changing.dvc_here("repro")
    assert states(compared(changing, "HEAD")) == {"a": "changed", "sum": "changed"}
    assert [one.path for one in compared(changing, "HEAD").sources] == ["a.txt"]
    changing.write("all/note.txt", "changed")
    report = compared(changing, "HEAD")
    assert [(one.path, one.state, one.files) for one in report.sources] == [
        ("a.txt", "changed", []), ("all", "changed", ["all/note.txt"])
    ]  # fmt: skip
    assert states(report) == {"a": "changed", "sum": "stale"}
    changing.write("all/note.txt", "in git, beside the outputs")
    (changing.root / "all/a").unlink()  # as in a clone without data
    assert states(compared(changing, "HEAD")) == {"a": "changed", "sum": "changed"}


def test_new_and_removed_stages_are_named_and_new_metrics_are_no_change(changing: Repository) -> None:
    stages = reported.stages(**reported.META)
    del stages["summary"]
    stages["count"] = {
        "cmd": "echo '{\"loss\": 1}' > count.json", "deps": ["params.yaml"], "metrics": ["count.json"]
    }  # fmt: skip
    changing.define(stages)
    assert states(compared(changing)) == {"count": "stale", "summary": "removed"}
    changing.dvc_here("repro")
    report = compared(changing)
    assert states(report) == {"count": "new", "summary": "removed"}
    assert [(one.path, one.kind, one.state) for one in report.sources] == [("params.yaml", "code", "new")]
    assert [(one.name, one.before, one.after, one.judgement) for one in report.metrics] == [("loss", None, 1, "new")]
    assert report.verdict == "no metric changed"


def test_a_result_that_changes_by_itself_is_said_to(changing: Repository) -> None:
    changing.define({"draw": {"cmd": "date +%N > drawn.txt", "deps": ["evaluate.py"], "outs": ["drawn.txt"]}})
    changing.dvc_here("repro", "draw")
    changing.commit("Drawn")
    changing.dvc_here("repro", "--force", "draw")
    (stage,) = compared(changing, "HEAD").stages
    assert (stage.state, stage.why[0].partition(":")[0]) == ("changed", "nothing that it declares")


def test_a_base_without_a_lock_has_no_results(changing: Repository) -> None:
    changing.git("checkout", "--quiet", "--orphan", "bare")
    changing.git("rm", "--quiet", "--cached", "dvc.lock", "dvc.yaml")
    changing.git("commit", "--quiet", "-m", "No pipeline yet")
    report = compared(changing, "bare")
    assert set(states(report).values()) == {"new"}
    assert {one.judgement for one in report.metrics} == {"new"}
    assert report.verdict == "no metric changed"


@pytest.mark.parametrize("option", ["--base", "--head"])
@pytest.mark.fault("the base of a report is no commit of the clone", "one sentence says so, and how to fetch it")
def test_a_commit_that_is_not_here_is_named_with_what_brings_it(changing: Repository, option: str) -> None:
    result = changing.provenn("report", option, "nowhere", code=1)
    said = "error: nowhere is no commit of this clone: fetch it with `git fetch --all`, or name another one.\n"
    assert (result.stdout, result.stderr) == ("", said)


@pytest.mark.fault(
    "the metrics or figures of a report's base are nowhere", "the verdict is open, and the report says what brings them"
)
def test_what_is_nowhere_is_missing_and_not_new(changing: Repository) -> None:
    stages = reported.stages(**reported.META)
    stages["evaluate"]["metrics"] = ["metrics.json"]
    changing.define(stages)
    changing.git("rm", "--quiet", "--cached", "metrics.json")
    changing.dvc_here("repro", "--force", "evaluate")
    base = changing.commit("Metrics in the cache")
    reported.set_params(changing, wrong=8)
    changing.dvc_here("repro")
    changing.git("checkout", "--quiet", "--orphan", "alone")
    changing.git("tag", "--delete", "base")
    shutil.rmtree(changing.root / ".dvc/cache")
    report = compared(changing, base)
    assert report.verdict == "cannot tell"
    assert [(one.name, one.judgement) for one in report.metrics] == [("metrics.json", "missing")]
    assert all(f"of {base[:7]} is nowhere: check that commit out, then make it with `dvc repro" in one
               for one in report.missing)  # fmt: skip
    assert {one.partition(" ")[0] for one in report.missing} == {"metrics.json", "plots"}


def test_a_pipeline_below_gits_root_is_compared_by_its_own_paths(tmp_path: Path, monkeypatch: Any) -> None:
    repository = Repository.make(tmp_path / "git", folder="below")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    repository.write("code/main.py", "print(1)\n")
    repository.define({"run": {"cmd": "python code/main.py > out.txt", "deps": ["code"], "outs": ["out.txt"]}})
    repository.dvc_here("repro")
    repository.commit("Base")
    repository.write("code/main.py", "print(2)\n")
    repository.dvc_here("repro")
    for head in (None, "HEAD"):
        report = compared(repository, "HEAD" if head is None else "HEAD^", head)
        assert [(one.path, one.files, one.reaches) for one in report.sources] == [("code", ["code/main.py"], ["run"])]
        assert states(report) == {"run": "changed"}
        repository.commit("Change")


def test_a_signed_rerun_is_shown_of_the_result_that_it_is_about_and_of_no_other(
    changing: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(changing.root.parent / "keys"))
    attest_rerun(changing.root, reproduce("evaluate", changing.root))
    (rerun,) = compared(changing).reruns
    assert (rerun.stage, rerun.verdict, len(rerun.key)) == ("evaluate", "bit-identical", 16)
    reported.set_params(changing, wrong=8)
    changing.dvc_here("repro")
    assert compared(changing).reruns == []
    (signed,) = (changing.root / "attestations/reruns").glob("*.json")
    signed.write_text(signed.read_text().replace('"payload": "', '"payload": "A'))
    assert compared(changing, head="base").reruns == []


def test_json_is_one_document_and_a_file_of_markdown_leaves_the_sentence(changing: Repository) -> None:
    reported.set_params(changing, wrong=8)
    changing.dvc_here("repro")
    found = json.loads(CliRunner().invoke(app, ["report", "--json"]).output)
    assert found["figures"] == [{"stage": "evaluate", "path": "plots/bar.svg", "before": True, "after": True}]
    result = CliRunner().invoke(app, ["report", "--markdown", "out/report.md"])
    assert result.output == "Better: test.accuracy of evaluate.\n"
    assert Path("out/report.md").read_text().startswith("## ✅ Better: test.accuracy of evaluate.\n")


def test_without_git_there_is_no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository.make(tmp_path / "plain", git=False)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    with pytest.raises(UserError, match="HEAD is no commit"), compare(repository.root, "HEAD"):
        pass
