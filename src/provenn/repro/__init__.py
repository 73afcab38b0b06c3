"""`provenn repro`: DVC's stages side by side, each one `dvc repro --single-item` process. Knows nothing of MLflow."""
