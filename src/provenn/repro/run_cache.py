"""DVC's run cache: results of earlier runs, by what they were made of."""

from typing import Any


def forget_lost_outputs(repo: Any, stage: Any) -> bool:
    """Take a stage out of dvc.lock when its outputs are lost but another run of the same inputs is in the run cache.

    DVC then restores that run. As long as the lock stands, it looks for the lock's own outputs and for nothing else,
    and runs a stage again whose lock came from another machine. Returns whether the stage was taken out.
    """
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
    earlier = repo.stage_cache._create_stage(stored, wdir=stage.wdir)
    if not earlier.outs_cached():
        return False
    with repo.lock:
        stage.dvcfile._lockfile.remove_stage(stage)
    return True
