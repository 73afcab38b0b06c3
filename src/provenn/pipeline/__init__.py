"""What surrounds `dvc repro`: the results it left, the promises they must keep, the README's tables."""
