"""How the pipeline shows itself in MLflow: the store, the stages' entries, and the runs made of their files."""
