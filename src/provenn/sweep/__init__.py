"""`provenn sweep`: Optuna chooses parameters, DVC runs each choice as an experiment, MLflow shows them all."""
