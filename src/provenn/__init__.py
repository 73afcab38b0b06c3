"""Provenn: DVC runs the pipeline; this runs it in parallel, shows it in MLflow, traces and repeats its results.

Works in any DVC repository. Knows DVC, MLflow and git; imports no repository's code.
"""
