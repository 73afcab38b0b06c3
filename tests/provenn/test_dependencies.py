"""`provenn deps` on small DVC repositories, and on this one."""

import json
from pathlib import Path
from textwrap import dedent

import pytest
import typer
from dvc.repo import Repo
from ruamel.yaml import YAML
from typer.testing import CliRunner

from provenn.dependencies import add_missing, check_stages, deps
from provenn.files import UserError

SOURCES = {
    "train.py": "import src.net\n",
    "src/__init__.py": "",
    "src/net.py": "from src import layers\n",
    "src/layers.py": "x = 1\n",
    "src/old.py": "x = 1\n",
    "data.csv": "1\n",
}
MISSING = {"src/net.py": "train.py", "src/layers.py": "src/net.py"}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC repository with sources and without stages, as the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".dvc" / "tmp" / "site_cache"))
    Repo.init(no_scm=True).close()
    for name, text in SOURCES.items():
        write(name, text)
    return tmp_path


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(dedent(text).lstrip("\n"))


def pipeline(text: str, name: str = "dvc.yaml") -> None:
    write(name, text)


def missing(*targets: str) -> dict[str, dict[str, str]]:
    return {stage.name: stage.missing for stage in check_stages(Path(), targets)}


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(deps)
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, UserError):
        raise result.exception
    return result.exit_code, result.output


def declared(name: str) -> list[str]:
    """Return a stage's deps as DVC itself resolves them."""
    with Repo() as repo:
        (stage,) = [stage for stage in repo.index.stages if stage.addressing == name]
        return [dep.def_path for dep in stage.deps]


def test_what_is_imported_and_not_declared_is_missing_with_the_file_that_imports_it() -> None:
    pipeline("stages: {train: {cmd: python train.py, deps: [train.py, data.csv], outs: [model]}}")
    assert missing() == {"train": MISSING}
    assert run() == (
        1, "train lacks src/net.py (imported by train.py), src/layers.py (imported by src/net.py)\n"
    )  # fmt: skip


@pytest.mark.parametrize("dep", ["src", "src/", "./src", "."])
def test_a_declared_folder_covers_its_files(dep: str) -> None:
    pipeline(f"stages: {{train: {{cmd: python train.py, deps: [train.py, {dep}]}}}}")
    assert missing() == {"train": {}}
    assert run()[0] == 0


def test_the_script_itself_must_be_declared() -> None:
    pipeline("stages: {train: {cmd: python train.py, deps: [src]}}")
    assert missing() == {"train": {"train.py": "cmd"}}


def test_code_that_the_stage_itself_generates_is_no_dependency() -> None:
    write("made/code.py", "from src import old\n")
    pipeline("stages: {make: {cmd: [./generate, python made/code.py], deps: [data.csv], outs: [made]}}")
    assert missing() == {"make": {"src/old.py": "made/code.py"}}


def test_commands_in_a_list_are_all_followed_and_other_programs_are_left_alone() -> None:
    write("other.py", "from src import old\n")
    pipeline("""
        stages:
          both:
            cmd: [mkdir -p out, python train.py && python other.py]
            deps: [train.py, other.py, src/net.py, src/layers.py]
          shell:
            cmd: cat data.csv > shell.txt
            outs: [shell.txt]
        """)
    assert missing() == {"both": {"src/old.py": "other.py"}}


@pytest.mark.parametrize("stage", ["cmd: python train.py", "{cmd: python train.py, deps: [x], always_changed: true}"])
def test_a_stage_that_runs_every_time_needs_no_declarations(stage: str) -> None:
    pipeline(f"stages:\n  train:\n    {stage}\n")
    assert missing() == {}


def test_paths_are_written_as_from_the_stages_working_folder_in_every_dvc_yaml() -> None:
    write("sub/fit/fit.py", "from src import old\nimport beside\n")
    write("sub/fit/beside.py", "x = 1\n")
    pipeline(
        "stages: {fit: {cmd: PYTHONPATH=../.. python fit.py, wdir: fit, deps: [fit.py], outs: [model]}}", "sub/dvc.yaml"
    )
    assert missing() == {"fit": {"../../src/old.py": "fit.py", "beside.py": "fit.py"}}
    assert run()[1].startswith("sub/dvc.yaml:fit lacks ../../src/old.py (imported by fit.py), beside.py")
    assert run("--write")[0] == 0
    assert missing() == {"fit": {}}
    assert set(declared("sub/dvc.yaml:fit")) == {"fit.py", "../../src/old.py", "beside.py"}


def test_sources_that_are_declared_and_not_imported_are_a_note_but_data_are_not() -> None:
    write("tools/plot.py", "x = 1\n")
    write("raw/a.csv", "1\n")
    pipeline("""
        stages:
          train:
            cmd: python train.py
            deps: [train.py, src/net.py, src/layers.py, src/old.py, tools, raw, made]
          make:
            cmd: mkdir made
            outs: [made]
        """)
    write("made/generated.py", "x = 1\n")
    code, text = run()
    assert code == 0
    assert text.endswith("\nnote: train imports nothing from src/old.py, tools\n")


def test_an_import_that_only_a_run_knows_is_a_note_and_then_no_source_is_called_unused() -> None:
    write("train.py", "import importlib, sys\nimportlib.import_module(f'src.{sys.argv[1]}')\n")
    pipeline("stages: {train: {cmd: python train.py old, deps: [train.py, src/old.py]}}")
    assert run()[0] == 0
    assert run()[1].endswith("note: train: train.py:2 imports what only a run can tell\n")
    assert "nothing" not in run()[1]


def test_what_is_ignored_needs_no_declaration() -> None:
    pipeline("stages: {train: {cmd: python train.py, deps: [train.py]}}")
    assert run("--ignore", "src") == (0, "No Python stage lacks a file that it imports (1 checked).\n")


FOREACH = """
    # The story.
    stages:
      data:
        cmd: cat data.csv
        outs: [raw]   # a folder

      train:
        foreach: [a, b]
        do:
          desc:   Fits ${item}.
          deps:
          - train.py  # the script
          - data.csv

          # Its model.
          cmd: >-
            python train.py
            ${item}
          outs:
          - model-${item}

      tune:
        matrix: {lr: [1e-3, 0.1], size: [1]}
        cmd: python train.py ${item.lr} ${item.size}
        params:
            - seed
        outs: [ "tuned-${item.lr}-${item.size}" ]
    """


def test_a_template_gets_what_all_its_items_lack_and_every_other_byte_stays() -> None:
    pipeline(FOREACH)
    write("params.yaml", "seed: 1\n")
    before = Path("dvc.yaml").read_text().splitlines()
    assert missing("train@a") == {"train@a": MISSING, "train@b": MISSING}
    assert run()[1].splitlines()[0].startswith("train lacks src/net.py")
    code, text = run("--write")
    assert (code, len(text.splitlines())) == (0, 2)
    after = Path("dvc.yaml").read_text().splitlines()
    added = [line for line in after if line not in before]
    assert [line for line in after if line not in added] == before
    assert added == [
        "      - src/net.py", "      - src/layers.py",
        "    deps:", "      - train.py", "      - src/net.py", "      - src/layers.py",
    ]  # fmt: skip
    assert declared("train@b") == ["train.py", "src/net.py", "src/layers.py", "data.csv"]
    assert set(declared("tune@0.1-1")) == {"train.py", "src/net.py", "src/layers.py", "params.yaml"}
    assert run() == (0, "No Python stage lacks a file that it imports (4 checked).\n")


LAYOUTS = {
    "flow": "stages: {train: {cmd: python train.py, deps: [data.csv, train.py]}}\n",
    "flow over lines": "stages:\n  train:\n    cmd: python train.py\n    deps: [\n      train.py,\n      data.csv ]\n",
    "last in the file without a newline": "stages:\n  train:\n    cmd: python train.py\n    deps:\n    - train.py",
    "windows": "stages:\r\n  train:\r\n    cmd: python train.py\r\n    deps:\r\n    - train.py\r\n    outs: [m]\r\n",
    "no deps behind a block": "stages:\n  train:\n    cmd: |\n      python train.py\n    outs:\n    - m\n",
    "no deps behind a list": "stages:\n  train:\n    outs: [m]\n    cmd:\n    - true\n    - python train.py\n",
    "a comment before what follows": (
        "stages:\n  train:\n    cmd: python train.py\n    deps:\n    - train.py # x\n\n  # next\n  b: {cmd: ls}\n"
    ),
    "wide dashes": "stages:\n  train:\n    cmd: python train.py\n    deps:\n      -   'train.py'\n      -   data.csv\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_deps_are_added_in_any_layout(layout: str) -> None:
    Path("dvc.yaml").write_bytes(LAYOUTS[layout].encode())
    old = YAML(typ="safe").load(LAYOUTS[layout])["stages"]["train"]
    run("--write")
    assert missing() == {"train": {}}
    new = YAML(typ="safe").load(Path("dvc.yaml").read_bytes())["stages"]["train"]
    assert set(new.pop("deps")) == {*old.pop("deps", []), "train.py", *MISSING}
    assert new == old
    assert ("\r\n" in LAYOUTS[layout]) == (b"src/net.py\r\n" in Path("dvc.yaml").read_bytes())
    assert run() == (0, "No Python stage lacks a file that it imports (1 checked).\n")


def test_a_path_that_yaml_would_misread_is_quoted() -> None:
    write("- odd: #1/train.py", "x = 1\n")
    pipeline("stages:\n  train:\n    cmd: |\n      python './- odd: #1/train.py'\n    deps:\n    - data.csv\n")
    run("--write")
    assert declared("train") == ["data.csv", "- odd: #1/train.py"]


def test_items_that_lack_different_files_are_named_and_nothing_is_written() -> None:
    for name in "ab":
        write(f"fit_{name}.py", f"import only_{name}, src.old\n")
        write(f"only_{name}.py", "x = 1\n")
    pipeline("""
        stages:
          alone: {cmd: python train.py, deps: [train.py]}
          fit:
            foreach: [a, b]
            do:
              cmd: python fit_${item}.py
              deps:
                - fit_${item}.py
        """)
    before = Path("dvc.yaml").read_bytes()
    with pytest.raises(UserError, match=r"items of fit in dvc\.yaml lack different files.*fit@a: only_a\.py, src/old"):
        run("--write")
    assert Path("dvc.yaml").read_bytes() == before
    write("dvc.yaml", before.decode().replace("- fit_${item}.py", "- fit_${item}.py\n        - only_${item}.py"))
    run("--write")
    assert declared("fit@b") == ["fit_b.py", "only_b.py", "src/old.py"]


SHARED = {
    "a flow list": "{train: {cmd: python train.py, deps: &all [train.py]}, other: {cmd: ls, outs: [o], deps: *all}}",
    "a block list": """
          train:
            cmd: python train.py
            deps: &all
            - train.py
          other: {cmd: ls, outs: [o], deps: *all}""",
    "a merge key": """
          train:
            <<: &base
              deps:
              - train.py
              outs: [m]
            cmd: python train.py
          other: {<<: *base, cmd: ls, outs: [o]}""",
}


@pytest.mark.parametrize("layout", SHARED)
def test_deps_that_are_not_the_stages_alone_are_left_as_they_are(layout: str) -> None:
    text = dedent(f"stages: {SHARED[layout]}\n")
    pipeline(text)
    with pytest.raises(UserError, match=r"shared with another stage.*src/net\.py, src/layers\.py"):
        run("--write")
    assert Path("dvc.yaml").read_text() == text


def test_an_anchored_entry_of_deps_is_not_in_the_way() -> None:
    pipeline("""
        stages:
          train:
            cmd: python train.py
            deps:
            - &script train.py
          other: {cmd: ls, outs: [o], deps: [*script]}
        """)
    run("--write")
    assert declared("train") == ["train.py", *MISSING]
    assert declared("other") == ["train.py"]


def test_json_has_every_python_stage() -> None:
    pipeline("stages: {train: {cmd: python train.py, deps: [train.py]}, ok: {cmd: python -c 1, outs: [x]}}")
    code, text = run("--json")
    assert code == 1
    assert json.loads(text) == [
        {"stage": "ok", "missing": {}, "unused": [], "notes": []},
        {"stage": "train", "missing": MISSING, "unused": [], "notes": []},
    ]


def test_an_unknown_stage_a_broken_dvc_yaml_and_no_repository_are_one_sentence(tmp_path: Path) -> None:
    pipeline("stages: {train: {cmd: python train.py, deps: [train.py]}}")
    with pytest.raises(UserError, match=r"there is no stage trian with a command: did you mean train\?"):
        run("trian")
    pipeline("stages: {train: {cmdd: python train.py}}")
    with pytest.raises(UserError, match=r"DVC cannot read the stages of .*dvc\.yaml"):
        run()
    with pytest.raises(UserError, match="you are not inside of a DVC repository"):
        check_stages(tmp_path.parent)


def test_a_dvc_repository_within_a_larger_one_uses_its_sources(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.scm import Git

    Git.init(str(root)).close()
    write("part/dvc.yaml", "stages: {fit: {cmd: PYTHONPATH=.. python ../train.py, deps: [../train.py], outs: [m]}}")
    monkeypatch.chdir(root / "part")
    Repo.init(subdir=True).close()
    assert missing() == {"fit": {f"../{path}": f"../{importer}" for path, importer in MISSING.items()}}
    assert run("--ignore", "../src")[0] == 0
    add_missing(check_stages(Path()))
    assert missing() == {"fit": {}}
