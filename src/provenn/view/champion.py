"""The best of the models that a stage judged: said on its run, and on the versions registered from what it chose."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from provenn.entry import Entry, as_read
from provenn.view import contents
from provenn.view.meta import meta_of
from provenn.view.models import DIGEST
from provenn.view.runs import StoredRuns

if TYPE_CHECKING:
    from mlflow.entities import Run

CHAMPION = "champion"  # tag of the best model's run; its value is the stage that chose it
COMMIT = "git.commit"


def crown(judge: Entry, judged: Mapping[str, Entry], runs: StoredRuns) -> None:
    """Tag the run of the model that `judge` names as the best of those `judged`, by their files.

    No other run keeps the tag of this judge, were it of a result that is no longer checked out. `judge` has its files
    at hand.
    """
    name = _named(judge)
    best = next((runs.current(maker) for path, maker in judged.items() if Path(path).stem == name), None)
    for run in runs.tagged(CHAMPION, {judge.name}):
        if best is None or run.info.run_id != best.info.run_id:
            runs.untag(run, CHAMPION)
    if best:
        runs.tag(best, CHAMPION, judge.name)


def explain_versions(entries: Mapping[str, Entry], runs: StoredRuns) -> None:
    """Say on the registered version of each stage's model why it is that one, where a stage it reads from chose it."""
    for entry in (entry for entry in entries.values() if entry.models()):
        # What one has judged anew since says nothing of what was made of its choice before.
        read = [maker for dep in entry.deps for maker in as_read(entry, dep, entries).values()]
        judges = [maker for maker in read if meta_of(maker).champion]
        for path, artifact in entry.models().items() if judges else ():
            best = [run for run in runs.tagged(CHAMPION, {judges[0].name}) if run.data.tags.get(COMMIT)]
            versions = runs.client.search_model_versions(f"name = '{artifact.name}'") if best else []
            version = next((found for found in versions if found.tags.get(DIGEST) == entry.outs.get(path)), None)
            if version is None:
                continue
            run = best[0]
            says = meta_of(entry).tags | {CHAMPION: run.info.run_name, COMMIT: run.data.tags[COMMIT]}
            says |= dict(_numbers(run, meta_of(judges[0]).headline))
            text = _description(run, judges[0], says)
            if version.description != text:
                runs.client.update_model_version(artifact.name, version.version, text)
                for name, value in says.items():
                    runs.client.set_model_version_tag(artifact.name, version.version, name, value)


def _named(judge: Entry) -> str | None:
    _, texts = contents.metrics(judge)
    champion = meta_of(judge).champion
    return texts.get(champion) if champion else None


def _numbers(run: "Run", headline: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield the headline metrics that a run has, with the ends of their intervals where it has them.

    Those of `test/x` are called `test_interval/x_low` and `_high`.
    """
    for name in headline:
        if name in run.data.metrics:
            group, _, metric = name.rpartition("/")
            ends = [run.data.metrics.get(f"{group}_interval/{metric}_{end}") for end in ("low", "high")]
            interval = "" if None in ends else f" ({ends[0]:.4g} to {ends[1]:.4g})"
            yield name, f"{run.data.metrics[name]:.4g}{interval}"


def _description(run: "Run", judge: Entry, says: Mapping[str, str]) -> str:
    rows = "\n".join(f"| {name} | {value} |" for name, value in says.items())
    return (
        f"{run.info.run_name}, chosen by {judge.name}, trained in run {run.info.run_id}.\n\n"
        f"| what | |\n|---|---|\n{rows}"
    )
