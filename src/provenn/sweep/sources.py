"""What an experiment of DVC begins from: the commit, and the changes that git knows of."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from provenn.repository import git, head


def sources(root: Path, made: Iterable[str]) -> str:
    """Return a digest of the commit and of what is changed in it, but for what stages made: their outputs and locks."""
    paths = [":(top)", ":(exclude,glob)**/dvc.lock", *(f":(exclude){path}" for path in made)]
    changes = git("diff", "--binary", "HEAD", "--", *paths, root=root)
    return hashlib.sha256(f"{head(root)}\n{changes}".encode("utf-8", "surrogateescape")).hexdigest()
