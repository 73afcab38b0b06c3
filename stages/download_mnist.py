"""Fetch the four MNIST (or Fashion-MNIST) files and verify them by SHA-256."""

from pathlib import Path

from notes.script import run_script
from notes.settings import read_settings
from notes.sources.download import fetch
from provenn.record import track

RAW = Path("data/raw")


def main(dataset: str | None = None) -> None:
    """Download MNIST from the first source that works, or copy it from `download_mnist.directory`.

    DATASET is fetched in place of `download_mnist.dataset`.
    """
    settings = read_settings("download_mnist")
    dataset = dataset or settings.dataset
    with track():
        directory = Path(settings.directory) if settings.directory else None
        source = fetch(dataset, RAW, directory=directory, deadline_s=settings.deadline_seconds)
        print(f"{dataset}: four files verified, from {source}")


if __name__ == "__main__":
    run_script(main)
