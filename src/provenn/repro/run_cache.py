"""DVC's run cache: results of earlier runs, by what they were made of."""

from typing import Any

from provenn.repro.dvc_locks import repository_locked


def forget_lost_outputs(repo: Any, stage: Any) -> str:
    """Take a stage out of dvc.lock when its outputs are lost but another run of the same inputs is in the run cache.

    DVC then restores that run. As long as the lock stands, it looks for the lock's own outputs and for nothing else,
    and runs a stage again whose lock came from another machine. Returns a sentence when the stage was taken out.
    Raises UserError while DVC's lock is held.
    """
    from dvc.exceptions import DvcException

    try:
        if not _has_another(repo, stage):
            return ""
    except DvcException:  # such as of a parameter file that is damaged: the stage's own process says which
        return ""
    with repository_locked(repo):
        stage.dvcfile._lockfile.remove_stage(stage)
    return f"{stage.addressing}: the outputs that dvc.lock names are lost; an earlier run of it is taken instead."


def _has_another(repo: Any, stage: Any) -> bool:
    """Tell whether a stage's own outputs are lost, and those of another run of the same inputs are there."""
    from dvc.stage.cache import _can_hash

    name = getattr(stage, "name", None)
    # DVC keeps no runs of a stage that always runs, reads nothing, or lets an output persist.
    if (
        name is None
        or not all(dependency.exists for dependency in stage.deps)  # the stage's own process says which
        or not _can_hash(stage)
        or stage.frozen
        or stage.changed_stage()
        or not all(out.hash_info for out in stage.outs)
    ):
        return False
    if any(dependency.status() for dependency in stage.deps) or stage.outs_cached():
        return False
    stored = repo.stage_cache._load(stage)
    if not stored:
        return False
    return bool(repo.stage_cache._create_stage(stored, wdir=stage.wdir).outs_cached())
