"""Stages on other machines: jobs in JSON by Dask or Ray, files by a DVC remote. The runner decides what runs."""
