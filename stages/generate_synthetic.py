"""Draw the four synthetic data sets, whose true answer is known, and seal their test rows in a folder of their own."""

from pathlib import Path

import numpy as np

from provenn.data.synthetic import (
    add_split_column,
    make_linear,
    make_moons,
    make_multivariate,
    make_polynomial,
    write_table,
)
from provenn.files import write_json
from provenn.params import load_params
from provenn.tracking.run import track
from provenn.tracking.script import run_script


def main() -> None:
    """Write data/<task>/development (train, validation) and data/<task>/test (test rows, true coefficients)."""
    settings = load_params().generate_synthetic
    with track("generate_synthetic"):
        # A generator a task, so that a changed task leaves the others as they are.
        seeds = iter(np.random.SeedSequence(settings.seed).spawn(4))
        linear, multivariate, polynomial, moons = (
            settings.linear.model_dump(),
            settings.multivariate.model_dump(),
            settings.polynomial.model_dump(),
            settings.moons.model_dump(),
        )
        truth = {
            "linear": [linear["intercept"], linear["slope"]],
            "multivariate": [multivariate["intercept"], *multivariate["weights"]],
            "polynomial": polynomial["coefficients"],
            "moons": None,
        }
        for task, make, options in (
            ("linear", make_linear, linear),
            ("multivariate", make_multivariate, multivariate),
            ("polynomial", make_polynomial, polynomial),
            ("moons", make_moons, moons),
        ):
            generator = np.random.default_rng(next(seeds))
            table = add_split_column(
                make(**options, generator=generator),
                validation=settings.validation,
                test=settings.test,
                generator=generator,
                stratify="y" if task == "moons" else None,
            )
            held_out = table["split"] == "test"
            write_table(Path("data") / task / "development" / "table.csv", table[~held_out])
            write_table(Path("data") / task / "test" / "table.csv", table[held_out])
            if truth[task]:
                write_json(Path("data") / task / "test" / "truth.json", {"coefficients": truth[task]})
            print(f"{task}: {len(table)} rows, {int(held_out.sum())} of them test")


if __name__ == "__main__":
    run_script(main)
