"""Check a table of one's own, deal its rows to the splits, and seal its test rows in a folder of their own."""

from pathlib import Path

import numpy as np

from notes.data.tasks import TASK_FILE
from notes.files import write_json
from notes.script import run_script
from notes.settings import read_settings
from notes.sources.tables import add_split_column, read_own_table, standardised, write_table
from provenn.record import track


def main(name: str) -> None:
    """Prepare the table NAME, a section of `prepare_table` in params.yaml; features are standardised."""
    settings = read_settings("prepare_table", name)
    with track():
        table = read_own_table(settings.file, settings.target, classification=settings.kind == "classification")
        columns = [f"x{number}" for number in range(1, table.features.shape[1] + 1)]
        rows = add_split_column(
            table.features.set_axis(columns, axis=1).assign(y=table.target),
            validation=settings.validation,
            test=settings.test,
            generator=np.random.default_rng(settings.seed),
            stratify="y" if table.classes else None,
        )
        rows[columns], mean, scale = standardised(rows[columns], rows["split"] == "train")
        names = [str(column) for column in table.features.columns]
        described = {"title": name, "classes": table.classes, "features": names, "mean": mean, "scale": scale}
        for folder, chosen in (("development", rows["split"] != "test"), ("test", rows["split"] == "test")):
            write_table(Path("data") / name / folder / "table.csv", rows[chosen])
            write_json(Path("data") / name / folder / TASK_FILE, described)
        print(f"{name}: {len(rows)} rows of {len(columns)} features, {len(table.classes) or 'no'} classes")


if __name__ == "__main__":
    run_script(main)
