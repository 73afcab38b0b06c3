"""The search over settings: which trials a grid stands for, and which one its rule chooses."""

import importlib.util
from pathlib import Path

import pytest

from notes.params import load_network_params
from notes.settings import read_yaml

ROOT = Path(__file__).parents[2]
SPECIFICATION = importlib.util.spec_from_file_location("search", ROOT / "experiments/search.py")
search = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(search)


def row(changes, accuracy, loss):
    return {"changes": changes, "val/accuracy": str(accuracy), "val/loss": str(loss)}


def test_the_rule_takes_the_mean_over_the_seeds_and_ties_by_loss():
    lucky = [row("lucky", 0.99, 0.05), row("lucky", 0.97, 0.05)]
    steady = [row("steady", 0.985, 0.05), row("steady", 0.985, 0.05)]
    surer = [row("surer", 0.984, 0.04), row("surer", 0.986, 0.04)]
    assert search.choose([*lucky, *steady]) == "steady"
    assert search.choose([*surer, *steady]) == search.choose([*steady, *surer]) == "surer"


def test_a_grid_stands_for_every_combination_once():
    made = search.combinations({"a": [1, 2], "b": [0.5, 1.5, 2.5]})
    assert len({tuple(changes) for changes in made}) == 6
    assert made[0] == ["a=1", "b=0.5"]


def test_changes_reach_into_sections_and_leave_the_values_alone():
    values = {"rate": 1, "inner": {"deep": 2}}
    assert search.changed(values, ["rate=1.0e-3", "inner.deep=5"]) == {"rate": 0.001, "inner": {"deep": 5}}
    assert values == {"rate": 1, "inner": {"deep": 2}}


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_softmax"])
def test_the_settings_of_params_yaml_are_those_that_the_rule_chose_from_the_whole_grid(name):
    settings = load_network_params(ROOT / "params.yaml").train_mlp[name]
    rows = [each for each in search.read_rows(ROOT / "experiments/search.csv") if each["network"] == name]
    section = read_yaml(ROOT / "experiments/search.yaml")[name]
    tried = {
        (" ".join(changes), str(seed)) for changes in search.combinations(section["grid"]) for seed in section["seeds"]
    }
    assert {(each["changes"], each["seed"]) for each in rows} == tried
    assert len(rows) == len(tried)
    assert search.changed(vars(settings), search.choose(rows).split()) == vars(settings)
