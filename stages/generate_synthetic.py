"""Draw the four synthetic data sets, whose true answer is known, and seal their test rows in a folder of their own."""

from pathlib import Path

import numpy as np

from notes.files import write_json
from notes.script import run_script
from notes.settings import read_settings
from notes.sources.synthetic import MAKERS, true_coefficients
from notes.sources.tables import add_split_column, write_table
from provenn.record import track


def main() -> None:
    """Write data/<task>/development (train, validation) and data/<task>/test (test rows, true coefficients)."""
    settings = read_settings("generate_synthetic")
    with track():
        # A generator a task, so that a changed task leaves the others as they are.
        seeds = np.random.SeedSequence(settings.seed).spawn(len(MAKERS))
        for seed, (task, make) in zip(seeds, MAKERS.items(), strict=True):
            generator, options = np.random.default_rng(seed), vars(getattr(settings, task))
            table = add_split_column(
                make(**options, generator=generator),
                validation=settings.validation,
                test=settings.test,
                generator=generator,
                stratify="y" if task == "moons" else None,
            )
            folder, held_out = Path("data") / task, table["split"] == "test"
            write_table(folder / "development" / "table.csv", table[~held_out])
            write_table(folder / "test" / "table.csv", table[held_out])
            truth = true_coefficients(options)
            if truth:
                write_json(folder / "test" / "truth.json", {"coefficients": truth})
            print(f"{task}: {len(table)} rows, {int(held_out.sum())} of them test")


if __name__ == "__main__":
    run_script(main)
