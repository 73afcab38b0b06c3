"""`provenn init`: what an existing repository needs is added once, and nothing that is there is changed."""

import subprocess

import pytest
import yaml
from repository import Repository
from typer.testing import CliRunner
from workflows import lint

from provenn.adopt.workflow import workflow
from provenn.cli import app
from provenn.files import UserError
from provenn.gate import check_rules

TRAIN = {
    "cmd": """echo '{"val": {"accuracy": 0.97, "loss": 0.125, "note": "x"}, "bad": null}' > metrics.json""",
    "metrics": ["metrics.json"],
}
WORKFLOW = ".github/workflows/provenn.yml"


def init(code: int = 0) -> str:
    """Run `provenn init` in the working folder; return what it said."""
    answer = CliRunner().invoke(app, ["init"])
    assert answer.exit_code == code, answer
    return answer.output


@pytest.fixture
def foreign(repository: Repository) -> Repository:
    """A repository that never heard of the tool, with a result and requirements."""
    repository.define({"train": TRAIN})
    repository.write("requirements.txt", "pandas\n")
    repository.dvc_here("repro")
    repository.commit()
    return repository


def test_a_foreign_repository_is_adopted_once(foreign):
    said = init()
    assert "0.97" in said
    assert "Written: .dvcignore, gate.yaml, .github/workflows/provenn.yml." in said
    lint(foreign.root / WORKFLOW)
    assert "pip install -r requirements.txt provenn" in (foreign.root / WORKFLOW).read_text()
    assert foreign.run_of("train").data.metrics["val.accuracy"] == 0.97
    foreign.commit()

    assert "Nothing to write: all of it is there." in init()
    assert foreign.git("status", "--porcelain") == ""
    assert len(foreign.runs()) == 1
    assert "up to date" in foreign.dvc_here("status")


def test_the_rules_are_the_present_metrics_and_hold_once_they_are_uncommented(foreign):
    init()
    gate = foreign.root / "gate.yaml"
    with pytest.raises(UserError, match="not a list of rules"):
        check_rules(gate)
    _, rules = gate.read_text().split("\n\n", 1)
    gate.write_text("".join(f"{line.removeprefix('# ')}\n" for line in rules.splitlines()))
    checked = {next(iter(rule.values)): (rule.bound, rule.limit, rule.kept) for rule in check_rules(gate)}
    assert checked == {
        "metrics.json:val/accuracy": ("at_least", 0.97, True),
        "metrics.json:val/loss": ("at_most", 0.125, True),
    }


def test_what_is_there_stays(foreign):
    for path in (WORKFLOW, "gate.yaml"):
        foreign.write(path, "mine")
    said = init()
    assert "gate.yaml is there and stays as it is." in said
    assert [(foreign.root / path).read_text() for path in (WORKFLOW, "gate.yaml")] == ["mine", "mine"]


def test_ignore_files_get_lines_at_their_end_alone(foreign):
    (foreign.root / "mlruns/.gitignore").unlink()
    foreign.write(".gitignore", "*.log")  # without an end of its line
    before = (foreign.root / ".dvcignore").read_text()
    init()
    assert (foreign.root / ".gitignore").read_text() == "*.log\n/mlruns/\n"
    assert (foreign.root / ".dvcignore").read_text() == f"{before}mlruns\n.venv\n"


def test_a_folder_that_stages_use_is_not_hidden_from_dvc(repository):
    repository.define({"a": {"cmd": "mkdir -p .venv && echo 1 > .venv/x", "outs": [".venv/x"]}})
    repository.dvc_here("repro")
    init()
    assert (repository.root / ".dvcignore").read_text().splitlines()[-1] == "mlruns"
    assert "up to date" in repository.dvc_here("status")


def test_before_any_result_the_gate_waits(repository):
    repository.define({"train": TRAIN})
    said = init()
    assert "no metric yet for gate.yaml" in said
    assert "`provenn repro` makes them" in said
    assert not (repository.root / "gate.yaml").exists()
    repository.dvc_here("repro")
    assert "Written: gate.yaml." in init()


def test_below_gits_root_the_workflow_works_in_the_folder(tmp_path, empty_store, monkeypatch):
    project = Repository.make(tmp_path / "all", folder="models/wine")
    monkeypatch.chdir(project.root)
    init()
    file = tmp_path / "all" / WORKFLOW
    lint(file)
    job = yaml.safe_load(file.read_text())["jobs"]["repro"]
    assert job["defaults"]["run"]["working-directory"] == "models/wine"
    assert "models/wine/.dvc/cache" in [step.get("with", {}).get("path") for step in job["steps"]]


def test_without_git_there_is_no_workflow(tmp_path, monkeypatch):
    project = Repository.make(tmp_path / "plain", git=False)
    monkeypatch.chdir(project.root)
    assert "after `git init`" in init()
    assert not (project.root / ".github").exists()


@pytest.mark.parametrize(
    ("file", "packages"), [("requirements.txt", "-r requirements.txt provenn"), ("pyproject.toml", ". provenn")]
)
def test_the_workflow_installs_what_the_repository_names(tmp_path, file, packages):
    assert "run: pip install provenn\n" in workflow(tmp_path, ".")
    (tmp_path / file).touch()
    assert f"run: pip install {packages}\n" in workflow(tmp_path, ".")


@pytest.mark.parametrize(("rules", "checks"), [("# - rule: x\n", False), ("- rule: x\n", True), (None, False)])
def test_the_workflow_checks_the_gate_once_a_rule_stands_in_it(tmp_path, rules, checks):
    if rules:
        (tmp_path / "gate.yaml").write_text(rules)
    (tmp_path / "provenn").write_text("#!/bin/sh\necho checked\n")
    (tmp_path / "provenn").chmod(0o755)
    step = yaml.safe_load(workflow(tmp_path, "."))["jobs"]["repro"]["steps"][-1]
    # As GitHub runs a step.
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]], cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, b"checked\n" if checks else b"")
