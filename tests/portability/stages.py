"""Run the scripts of stages one after the other in this process, in the numeric mode `portable`.

python tests/portability/stages.py '[["stages/train_mlp.py", "moons_mlp"], …]'
"""

import json
import runpy
import sys
import time

from notes.numeric import set_up


def main(commands: list[list[str]]) -> None:
    """Run each command, a script and its arguments; say how long it took. The first that fails ends it all."""
    set_up("portable")
    for command in commands:
        began, sys.argv = time.monotonic(), command
        try:
            runpy.run_path(command[0], run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
        print(f"{' '.join(command)}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
