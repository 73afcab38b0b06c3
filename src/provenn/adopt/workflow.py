"""The workflow for GitHub that brings a pipeline up to date and checks its gate."""

from pathlib import Path

WORKFLOW = """\
name: Provenn

on:
  push:
    branches: [main, master]
  pull_request:

permissions:
  contents: read

concurrency:
  group: ${{ github.workflow }}-${{ github.ref }}
  cancel-in-progress: ${{ github.event_name == 'pull_request' }}

jobs:
  repro:
    name: Bring every stage up to date
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    defaults:
      run:
        working-directory: FOLDER
    steps:
      - name: Check out
        uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false

      - name: Set up Python
        uses: actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0
        with:
          python-version: "3.11"

      # What earlier runs made, so that only stages that changed run.
      - name: Restore DVC's cache
        uses: actions/cache@55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0
        with:
          path: FOLDER/.dvc/cache
          key: dvc-${{ runner.os }}-${{ github.run_id }}
          restore-keys: dvc-${{ runner.os }}-

      - name: Install
        run: pip install PACKAGES

      # A remote that needs credentials takes them from secrets of the repository, as `env:` of this step.
      - name: Fetch data and results from DVC's remote, if there is one
        run: if [ -n "$(dvc remote list)" ]; then dvc pull --run-cache --allow-missing; fi

      - name: Run the stages that changed
        run: provenn repro

      - name: Check the rules in gate.yaml, if there are any
        run: if grep -qs '^- ' gate.yaml; then provenn gate; fi
"""


def workflow(root: Path, folder: str) -> str:
    """Return the workflow for the DVC repository at `root`, which is `folder` below git's."""
    packages = "provenn"
    if (root / "requirements.txt").is_file():
        packages = "-r requirements.txt provenn"
    elif (root / "pyproject.toml").is_file():
        packages = ". provenn"
    text = WORKFLOW.replace("PACKAGES", packages)
    if folder != ".":
        return text.replace("FOLDER", folder)
    text = text.replace("    defaults:\n      run:\n        working-directory: FOLDER\n", "")
    return text.replace("FOLDER/", "")
