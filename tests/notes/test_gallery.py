"""docs/studies.md shows what the studies found, and a check notices when it does not."""

import hashlib
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from notes.files import UserError, write_json
from notes.pages import gallery
from notes.params import load_params

ROOT = Path(__file__).parents[2]
NAMES = list(load_params(ROOT / "params.yaml").study.sections())


@pytest.fixture
def repository(tmp_path):
    """A repository in which every study has run: its verdict, its figure, and the figure's digest in dvc.lock."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    stages = {}
    for name in NAMES:
        figure = f"figure of {name}".encode()
        verdict = {"claim": f"Claim of {name}.", "notes": "2. Section", "rule": "Rule.", "text": "fails"}
        numbers = {"effect": "points", "value": 1.23456, "low": -1.0, "high": 2.0, "finding": f"Found by {name}"}
        write_json(tmp_path / f"results/study/{name}/verdict.json", verdict | numbers)
        path = f"results/study/{name}/figure.png"
        (tmp_path / path).write_bytes(figure)
        stages[f"study@{name}"] = {"outs": [{"path": path, "md5": hashlib.md5(figure).hexdigest()}]}
    YAML().dump({"stages": stages}, tmp_path / "dvc.lock")
    gallery.update(tmp_path, write=True)
    return tmp_path


def test_the_page_shows_every_study_with_claim_verdict_numbers_figure_and_command(repository):
    page = (repository / "docs/studies.md").read_text()
    for name in NAMES:
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for part in (f"Claim of {name}.", "fails", "1.235 (95 % interval -1 to 2)", f"dvc repro study@{name}"):
            assert part in section
        assert f"(studies/{name}.png)" in section
        assert (repository / f"docs/studies/{name}.png").read_bytes() == f"figure of {name}".encode()


def test_a_current_gallery_needs_nothing_and_no_figure_in_results_to_be_checked(repository):
    for figure in repository.glob("results/study/*/figure.png"):
        figure.unlink()
    assert gallery.update(repository, write=False) == []


def test_a_new_verdict_and_a_new_figure_make_the_gallery_stale_until_it_is_updated(repository):
    verdict = repository / f"results/study/{NAMES[0]}/verdict.json"
    verdict.write_text(verdict.read_text().replace("fails", "holds"))
    (repository / f"docs/studies/{NAMES[1]}.png").write_bytes(b"an older figure")
    stale = [gallery.PAGE, gallery.FIGURES / f"{NAMES[1]}.png"]
    assert gallery.update(repository, write=False) == stale
    assert gallery.update(repository, write=True) == stale
    assert gallery.update(repository, write=False) == []


def test_a_figure_that_dvc_does_not_know_is_not_published(repository):
    (repository / f"results/study/{NAMES[0]}/figure.png").write_bytes(b"drawn by hand")
    (repository / f"docs/studies/{NAMES[0]}.png").unlink()
    with pytest.raises(UserError, match=f"dvc repro study@{NAMES[0]}"):
        gallery.update(repository, write=True)
