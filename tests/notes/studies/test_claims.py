"""What every study of a single sentence keeps to, on settings that take no time."""

import importlib

import numpy as np
import pytest

from notes.figures.canvas import save
from notes.files import read_values, write_rows
from notes.params import load_params
from notes.studies.shared.base import table

SHRUNK = {
    "differentiable": {"rows": 60, "validation_rows": 60, "steps": 5, "repetitions": 2},
    "batch_memory": {
        "rows": 100, "validation_rows": 50, "hidden_sizes": [8], "batch_sizes": [20, 50], "learning_rates": [0.01],
        "epochs": 2, "repetitions": 2,
    },
    "calibration": {
        "rows": 100, "validation_rows": 100, "hidden_sizes": [8], "epochs": [1, 2], "draws": 3, "repetitions": 2,
    },
    "logarithm": {"lengths": [10, 300], "weights": 21, "repetitions": 2},
    "sigmoid_softmax": {"rows": 40, "hidden_sizes": [4], "steps": 5, "repetitions": 2},
    "squared_error_measure": {
        "train_rows": [50, 100], "hidden_sizes": [8], "epochs": [1, 3], "few_rows": 20, "draws": 2, "repetitions": 2,
    },
    "relu_speed": {"rows": 100, "width": 8, "epochs": 2, "learning_rates": [0.01, 0.03], "repetitions": 4},
    "exploding_gradients": {"rows": 20, "steps": 40, "repetitions": 2},
    "higher_dimension": {"rows": 40, "validation_rows": 60, "widths": [2, 4], "steps": 10, "repetitions": 2},
    "tensors": {"sizes": [8], "factor": 1e6, "repetitions": 2},
    "training_lowers_loss": {"rows": 40, "epochs": 2, "learning_rates": [0.1], "repetitions": 2},
    "view": {"repetitions": 2},
}  # fmt: skip
STUDIES = {name: importlib.import_module(f"notes.studies.{name}") for name in SHRUNK}
SETTINGS = load_params().study
SEED = np.random.SeedSequence(7)


def measured(name, seed=SEED):
    settings = getattr(SETTINGS, name).model_copy(update=SHRUNK[name])
    rows = STUDIES[name].measure(settings, seed)
    return settings, [{key: row[key] for key in row if not key.startswith("time/")} for row in rows]


@pytest.fixture(autouse=True)
def data(monkeypatch, clouds):
    for study in STUDIES.values():
        if hasattr(study, "load_split"):
            monkeypatch.setattr(study, "load_split", clouds)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_repeats_itself_and_states_its_claim_and_its_rule(name):
    study, (settings, rows) = STUDIES[name], measured(name)
    assert measured(name)[1] == rows
    if name != "tensors":  # counts its operations, whatever the numbers
        assert measured(name, np.random.SeedSequence(8))[1] != rows
    verdict = study.judge(rows, settings)
    assert verdict.low <= verdict.value <= verdict.high
    assert verdict.text.split()[0] in ("holds", "fails")
    assert study.CLAIM.endswith(".")
    assert "fails" in study.RULE
    assert study.NOTES[0].isdigit()


@pytest.mark.parametrize("name", STUDIES)
def test_the_table_of_a_study_is_enough_to_draw_its_finding(name, tmp_path):
    settings, rows = measured(name)
    verdict = STUDIES[name].judge(rows, settings)
    write_rows(tmp_path / "table.csv", table(rows))
    draw = importlib.import_module(f"notes.figures.studies.{name}").draw
    figure = draw(read_values(tmp_path / "table.csv"), verdict)
    save(figure, tmp_path / "figure.png")
    assert " ".join(figure.get_suptitle().split()) == verdict.finding
    assert figure.axes[0].get_ylabel()
