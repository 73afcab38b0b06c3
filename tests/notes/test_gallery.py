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


@pytest.fixture
def elsewhere(repository):
    """The same, with a page that was made on another numeric platform."""
    change(repository / "docs/studies.md", comparing.mark(repository), "<!-- Numbers made on pdp11 FPP -->")
    return repository


def test_on_another_platform_numbers_within_the_intervals_pass_with_a_sentence_that_says_so(elsewhere):
    assert gallery.check(elsewhere) == "docs/studies.md is up to date."  # the numbers are the same
    change(elsewhere / f"results/study/{NAMES[0]}/verdict.json", "1.23456", "1.3")
    (elsewhere / f"results/draw_studies/{NAMES[1]}.png").write_bytes(b"drawn with other numbers")
    assert "shows the numbers of pdp11 FPP" in gallery.check(elsewhere)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Claim of", "Another claim of", "claims or their rules"),
        ("Rule.", "Another rule.", "claims or their rules"),
        ('"fails"', '"holds"', "fails against holds"),
        ('"low": -1.0,\n  "high": 2.0', '"low": 2.5,\n  "high": 4.0', "not within -1 to 2"),
    ],
)
def test_on_another_platform_another_claim_verdict_or_effect_is_still_stale(elsewhere, old, new, reason):
    change(elsewhere / f"results/study/{NAMES[0]}/verdict.json", old, new)
    with pytest.raises(UserError, match=reason):
        gallery.check(elsewhere)


def test_on_another_platform_a_claim_that_is_unsettled_may_have_any_verdict(elsewhere):
    change(elsewhere / f"results/study/{NAMES[0]}/verdict.json", '"fails"', '"unsettled"')
    assert "shows the numbers of pdp11 FPP" in gallery.check(elsewhere)


def test_a_study_that_was_not_drawn_is_named(repository):
    (repository / f"results/draw_studies/{NAMES[0]}.png").unlink()
    with pytest.raises(UserError, match=f"results/draw_studies/{NAMES[0]}.png is missing"):
        gallery.update(repository)
