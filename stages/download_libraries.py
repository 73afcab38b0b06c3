"""Fetch the libraries that the book's pages carry with them, at the versions and digests that are written down."""

from pathlib import Path

from notes.book.libraries import LIBRARIES, fetch
from notes.script import run_script
from provenn.record import track


def main() -> None:
    """Fetch every library into a folder of its name."""
    with track():
        for library in LIBRARIES:
            fetch(library, Path("libraries") / library.name)
            print(f"libraries/{library.name}: version {library.version}, verified", flush=True)


if __name__ == "__main__":
    run_script(main)
