"""Run the scripts of stages one after the other in this process, in the numeric mode `portable`.

python tests/portability/stages.py FINISHED '[["stages/train_mlp.py", "moons_mlp"], …]'
"""

import json
import runpy
import sys
import time
from pathlib import Path

from notes.numeric import set_up


def main(commands: list[list[str]], finished: Path) -> None:
    """Run each command, a script and its arguments, and note it in a file. The first that fails ends it all."""
    set_up("portable")
    call_this_mnist()
    for command in commands:
        began, sys.argv = time.monotonic(), command
        try:
            runpy.run_path(command[0], run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
        with finished.open("a") as lines:
            lines.write(f"{' '.join(command)}: {time.monotonic() - began:.1f} s\n")


def call_this_mnist() -> None:
    """Let the first pictures of MNIST pass for all of it: stages know a data set by the digests of its files."""
    from notes.files import digest
    from notes.sources.mnist import SHA256

    name = "t10k-labels-idx1-ubyte"
    SHA256["mnist"][name] = digest(Path("data/raw") / name, "sha256")


if __name__ == "__main__":
    main(json.loads(sys.argv[2]), Path(sys.argv[1]).resolve())
