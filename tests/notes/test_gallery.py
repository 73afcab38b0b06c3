"""docs/studies.md shows what the studies found, and a check notices when it does not."""

import shutil
from pathlib import Path

import pytest

from notes.files import UserError, write_json
from notes.pages import comparing, gallery
from notes.params import load_params

ROOT = Path(__file__).parents[2]
NAMES = list(load_params(ROOT / "params.yaml").study.sections())


@pytest.fixture
def repository(tmp_path):
    """A repository in which every study has run, and whose gallery shows that."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "results/draw_studies").mkdir(parents=True)
    for name in NAMES:
        verdict = {
            "claim": f"Claim of {name}.",
            "notes": "2. Section",
            "rule": "Rule.",
            "text": "fails",
            "seeds": "fails in 5 of 5",
        }
        numbers = {"effect": "points", "value": 1.23456, "low": -1.0, "high": 2.0, "finding": f"Found by {name}"}
        write_json(tmp_path / f"results/study/{name}/verdict.json", verdict | numbers)
        (tmp_path / f"results/draw_studies/{name}.png").write_bytes(f"figure of {name}".encode())
    gallery.update(tmp_path)
    return tmp_path


def change(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_the_page_shows_every_study_with_claim_verdict_numbers_figure_and_command(repository):
    page = (repository / "docs/studies.md").read_text()
    for name in NAMES:
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for part in (f"Claim of {name}.", "fails", "1.235 (95 % interval -1 to 2)", f"dvc repro study@{name}"):
            assert part in section
        assert f"(studies/{name}.png)" in section
        assert (repository / f"docs/studies/{name}.png").read_bytes() == f"figure of {name}".encode()


def test_a_current_gallery_passes_the_check(repository):
    assert gallery.check(repository) == "docs/studies.md is up to date."


def test_a_new_verdict_and_a_new_figure_make_the_gallery_stale_until_it_is_updated(repository):
    change(repository / f"results/study/{NAMES[0]}/verdict.json", "fails", "holds")
    (repository / f"docs/studies/{NAMES[1]}.png").write_bytes(b"an older figure")
    with pytest.raises(UserError, match="python -m notes studies"):
        gallery.check(repository)
    assert gallery.update(repository) == [gallery.PAGE, gallery.FIGURES / f"{NAMES[1]}.png"]
    assert gallery.update(repository) == []


def test_on_another_kind_of_processor_other_numbers_and_pictures_pass_with_a_sentence_that_says_so(repository):
    change(repository / "docs/studies.md", comparing.mark(), "<!-- Numbers made on pdp11 FPP -->")
    assert gallery.check(repository) == "docs/studies.md is up to date."  # the numbers are the same
    change(repository / f"results/study/{NAMES[0]}/verdict.json", "1.23456", "1.3")
    (repository / f"results/draw_studies/{NAMES[1]}.png").write_bytes(b"drawn with other numbers")
    assert "shows the numbers of pdp11 FPP" in gallery.check(repository)


@pytest.mark.parametrize(("old", "new"), [("Claim of", "Another claim of"), ("Rule.", "Another rule.")])
def test_on_another_kind_of_processor_another_claim_or_rule_is_still_stale(repository, old, new):
    change(repository / "docs/studies.md", comparing.mark(), "<!-- Numbers made on pdp11 FPP -->")
    change(repository / f"results/study/{NAMES[0]}/verdict.json", old, new)
    with pytest.raises(UserError, match=r"docs/studies\.md does not show"):
        gallery.check(repository)


def test_a_study_that_was_not_drawn_is_named(repository):
    (repository / f"results/draw_studies/{NAMES[0]}.png").unlink()
    with pytest.raises(UserError, match=f"results/draw_studies/{NAMES[0]}.png is missing"):
        gallery.update(repository)
