"""Provenn: neural networks from a reader's notes as one reproducible pipeline."""
