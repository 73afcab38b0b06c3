"""What holds for every test."""

import os

# A mistake in tracking fails the stage instead of being a warning, here and in the processes that tests start.
os.environ["PROVENN_STRICT_TRACKING"] = "1"
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
