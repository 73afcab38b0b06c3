"""Names that a repository has and MLflow would not take: each gets one that it takes, and keeps its own value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import (
    MAX_ENTITY_KEY_LENGTH,
    _validate_metric_name,
    _validate_param_name,
    _validate_tag_name,
)
from repository import Repository

from provenn.view.names import clean_name, clean_names

ODD = st.text(st.sampled_from("ab/.:_- %é精"), max_size=12) | st.text(max_size=300)


@given(ODD)
def test_mlflow_takes_every_cleaned_name(name):
    clean = clean_name(name)
    for validate in (_validate_metric_name, _validate_param_name, _validate_tag_name):
        validate(clean)
    assert len(clean) <= MAX_ENTITY_KEY_LENGTH
    assert clean_name(clean) == clean


@given(st.lists(ODD, unique=True))
def test_names_that_would_look_the_same_stay_apart(names):
    found = clean_names(names)
    assert list(found) == names
    assert len(set(found.values())) == len(names)
    for clean in found.values():
        _validate_metric_name(clean)


@pytest.mark.slow
def test_parameters_of_a_folder_above_and_names_in_any_language_are_shown(repository: Repository):
    repository.write("params.yaml", {"lr": 1})
    repository.write("own.yaml", {"größe": 1, "grüße": 2})
    repository.write("source.json", '{"精度": 0.5, "loss//train": 1, "percent%": 3, "percent&": 4}')
    stage = {
        "cmd": "cp ../source.json m.json",
        "deps": ["../source.json"],
        "params": [{"../params.yaml": ["lr"]}, {"../own.yaml": ["größe", "grüße"]}],
        "metrics": [{"m.json": {"cache": False}}],
    }
    repository.write("sub/dvc.yaml", {"stages": {"b": stage}})
    repository.commit()
    repository.provenn("repro")
    (run,) = (run for run in repository.runs() if run.data.tags.get("dvc.stage") == "sub/dvc.yaml:b")
    assert run.info.status == "FINISHED"
    assert {"精度": 0.5, "loss/train": 1, "percent_": 3, "percent__2": 4}.items() <= run.data.metrics.items()
    assert {"params.yaml:lr": "1", "own.yaml:größe": "1", "own.yaml:grüße": "2"}.items() <= run.data.params.items()
