"""The process that writes runs: `python -m provenn.view RECORD`, of one stage or of a whole pipeline."""

import os
import sys
from pathlib import Path

from provenn.interpreter import collect_seldom
from provenn.view.pipeline_writer import PipelineWriter
from provenn.view.records import Follower
from provenn.view.writer import StageWriter

collect_seldom()
os.environ.setdefault("OMP_NUM_THREADS", "1")
record = Path(sys.argv[1])
opening = next(iter(Follower(record).rows()), {})
writer = PipelineWriter(record, opening) if "pipeline" in opening else StageWriter(record)
sys.exit(writer.run())
