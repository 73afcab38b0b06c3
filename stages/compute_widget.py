"""Compute what a widget of the book shows, from this commit's data, models and results."""

import importlib
import json
from pathlib import Path

from notes.files import write_bytes
from notes.networks.determinism import make_deterministic
from notes.script import run_script
from provenn.record import track


def main(name: str) -> None:
    """Write the files of the widget NAME: its data, and the picture that stands in its place."""
    with track():
        make_deterministic(seed=0)
        target = Path("widget-data") / name
        files = importlib.import_module(f"notes.book.{name}").compute(Path())
        for file, content in files.items():
            if not isinstance(content, bytes):
                content = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
            write_bytes(target / file, content)
        size = sum(path.stat().st_size for path in target.iterdir())
        print(f"{target}: {', '.join(files)}, {size / 1e3:.0f} kB")


if __name__ == "__main__":
    run_script(main)
