"""Starts a stage's script in a numeric mode, before any library is loaded.

python src/stage.py portable stages/train_mlp.py mnist_mlp
"""

import atexit
import gc
import runpy
import sys

from notes.numeric import MODES, set_up


def main() -> None:
    """Run SCRIPT with its arguments, as `python SCRIPT …` would, in the numeric MODE."""
    if len(sys.argv) < 3 or sys.argv[1] not in MODES:
        sys.exit(f"error: usage: python src/stage.py {{{','.join(MODES)}}} SCRIPT [ARGUMENT …]")
    mode, *sys.argv = sys.argv[1:]
    set_up(mode)
    # Imports make half a million objects that stay. To look through them again and again, and once more at the end,
    # takes Python a quarter of the time that importing torch or scikit-learn does.
    gc.set_threshold(50_000, 20, 20)
    atexit.register(gc.freeze)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
