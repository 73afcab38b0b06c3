"""Fetch the four MNIST (or Fashion-MNIST) files and verify them by SHA-256."""

from pathlib import Path

from notes.script import run_script
from notes.settings import read_settings
from notes.sources.download import fetch
from provenn.record import track

RAW = Path("data/raw")


def main() -> None:
    """Download MNIST from the first source that works, or copy it from `download_mnist.directory`."""
    settings = read_settings("download_mnist")
    with track():
        directory = Path(settings.directory) if settings.directory else None
        source = fetch(settings.dataset, RAW, directory=directory, deadline_s=settings.deadline_seconds)
        print(f"{settings.dataset}: four files verified, from {source}")


if __name__ == "__main__":
    run_script(main)
