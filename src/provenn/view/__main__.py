"""The process that writes runs: `python -m provenn.view RECORD`, of one stage or of a whole pipeline."""

import sys
from pathlib import Path

from provenn.view.writer import write_runs

sys.exit(write_runs(Path(sys.argv[1])))
