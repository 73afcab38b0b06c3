"""dvc.lock and records made visible in MLflow: the store, the one writer of runs, and `provenn sync`.

Knows nothing of how stages are started (repro) and of what is asked about them (trust).
"""
