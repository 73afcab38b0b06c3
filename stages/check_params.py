"""Refuse a params.yaml with a mistake before DVC deletes any output."""

import sys
from pathlib import Path

from notes.files import UserError, write_bytes
from notes.params import load_network_params
from notes.script import run_script
from provenn.record import track

RESULT = Path("results/check_params/checked.txt")


def main() -> None:
    """Check every section of params.yaml: types, ranges, unknown keys. Exits with 2 when something is wrong."""
    with track():
        try:
            load_network_params()
        except UserError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        # The content never changes, so that a changed parameter reruns only what reads it.
        write_bytes(RESULT, b"params.yaml fits the schema\n")


if __name__ == "__main__":
    run_script(main)
