"""params.yaml: the committed file passes, and any single mistake anywhere is refused with its path and reason."""

import copy
import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from notes.files import UserError
from notes.params import Params, check_params, load_params, model_tasks

ROOT = Path(__file__).parents[2]
VALUES = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
del VALUES["defaults"]  # merged into the sections, where they are checked
SCHEMA = Params.model_json_schema()
# Free names, not keys of the schema.
NAMED = [
    ("train_regression",),
    ("train_mlp",),
    ("train_baseline",),
    ("evaluate", "tasks"),
    *(("evaluate", "tasks", task, "counterparts") for task in VALUES["evaluate"]["tasks"]),
]
# Keys whose values must fit other keys' values; they have tests of their own.
TIED = {
    "validation",
    "test",
    "initialisation",
    "pretrained",
    "pretrained_md5",
    "task",
    "tasks",
    "regressions",
    "estimator",
    "loss",
    "batch_size",
    "batch_sizes",
    "label_smoothing",
    "augmentation",
    "train_on",
}


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def mappings(value, path=()):
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from mappings(item, (*path, key))


def follow(path):
    """Return the JSON schema of the value at `path`: an oracle of types and ranges apart from the code that refuses."""
    node = SCHEMA
    for depth, key in enumerate(path):
        node = resolve(node)
        if "discriminator" in node:
            estimator = VALUES["train_baseline"][path[depth - 1]]["estimator"]
            node = resolve({"$ref": node["discriminator"]["mapping"][estimator]})
        node = node["properties"][key] if "properties" in node else node["additionalProperties"]
    return resolve(node)


def resolve(node):
    while "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def changed(path, value):
    """Return the committed values with another one at `path`."""
    values = copy.deepcopy(VALUES)
    section = values
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return values


def refusal(values):
    """Return the lines of the error that refuses `values`, checked to be plain sentences."""
    with pytest.raises(UserError) as caught:
        check_params(values)
    lines = str(caught.value).split("\n")
    for line in lines:
        assert line.startswith("params.yaml: ")
        assert line.endswith((".", "?"))
        assert not line.endswith(("?.", ".."))
        reason = line.partition(" (found ")[0].partition("unknown estimator")[0]  # a found value may be any word
        assert not any(word in reason for word in ("Input", "instance", "pydantic", "NoneType", "dict", "Value error"))
    return [line.removeprefix("params.yaml: ") for line in lines]


LEAVES = list(leaves(VALUES))
PATHS = {path[:end] for path, _ in LEAVES for end in range(1, len(path) + 1)}
KEYS = sorted(path for path in PATHS if path[:-1] not in NAMED)
OPTIONAL = {"equivalence_margin", "counterparts"}


def valid_values(schema):
    """Return a strategy for values that a leaf's schema allows."""
    if "anyOf" in schema:
        return st.one_of([valid_values(option) for option in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "string":
            return st.text()
        case "integer":
            high = schema.get("maximum", schema.get("exclusiveMaximum", 2**40) - 1)
            return st.integers(schema.get("minimum"), high)
        case "number":
            low, high = (schema.get(key, schema.get(f"exclusive{key.title()}")) for key in ("minimum", "maximum"))
            return st.floats(
                low,
                high,
                exclude_min="exclusiveMinimum" in schema,
                exclude_max="exclusiveMaximum" in schema,
                allow_nan=False,
                allow_infinity=False,
            )
        case "array":
            return st.lists(
                valid_values(schema["items"]),
                min_size=schema.get("minItems", 0),
                max_size=min(schema.get("maxItems", 5), 5),
            )
    raise AssertionError(schema)


def invalid_values(schema):
    """Return a strategy for values of a wrong type or out of the range that a leaf's schema allows."""
    options = schema.get("anyOf", [schema])
    types = {option.get("type", "string") for option in options}
    wrong = [st.just({}), st.just({"a": 1})]
    if "null" not in types:
        wrong.append(st.none())
    if "boolean" not in types:
        wrong.append(st.booleans())
    if "string" not in types:
        wrong.append(st.text())
    if "array" not in types:
        wrong.append(st.lists(st.integers(), max_size=2))
    if not types & {"integer", "number"}:
        wrong.append(st.integers() | st.floats())
    if "integer" in types and "number" not in types:
        wrong.append(st.floats())
    for option in options:
        if "enum" in option:
            wrong.append(st.text().filter(lambda text, known=option["enum"]: text not in known))
        if option.get("type") in ("integer", "number"):
            wrong.append(out_of_range(option))
            if option["type"] == "number":
                wrong.append(st.sampled_from([float("nan"), float("inf"), float("-inf")]))
        if "minItems" in option:
            wrong.append(st.lists(st.integers(1, 3), max_size=option["minItems"] - 1))
        if option.get("type") == "array":
            wrong.append(invalid_values(option["items"]).map(lambda item: [1, 1, item, 1]))
    return st.one_of(wrong)


def out_of_range(option):
    whole = option["type"] == "integer"
    ranges = []
    if (low := option.get("minimum")) is not None:
        ranges.append(st.integers(max_value=low - 1) if whole else st.floats(max_value=low, exclude_max=True))
    if (low := option.get("exclusiveMinimum")) is not None:
        ranges.append(st.floats(max_value=low))
    if (high := option.get("maximum")) is not None:
        ranges.append(st.integers(min_value=high + 1))
    if (high := option.get("exclusiveMaximum")) is not None:
        ranges.append(st.integers(min_value=high) if whole else st.floats(min_value=high))
    return st.one_of(ranges) if ranges else st.nothing()


def test_the_committed_file_passes_and_names_the_task_of_every_model():
    params = load_params(ROOT / "params.yaml")
    tasks = model_tasks(params)
    assert params.train_mlp["mnist_mlp"].hidden_sizes == VALUES["train_mlp"]["mnist_mlp"]["hidden_sizes"]
    assert len(tasks) == 6 + len(VALUES["train_mlp"]) + len(VALUES["train_baseline"])
    assert all(name.startswith(f"{task}_") for name, task in tasks.items())


@settings(max_examples=400)
@given(data=st.data(), leaf=st.sampled_from(LEAVES))
def test_a_wrong_type_or_a_value_out_of_range_anywhere_is_refused_with_its_path(data, leaf):
    path, _ = leaf
    value = data.draw(invalid_values(follow(path)))
    lines = refusal(changed(path, value))
    location = ".".join(path)
    assert any(line.startswith((f"{location}: ", f"{location}.")) for line in lines)


@settings(max_examples=200)
@given(
    path=st.sampled_from([path for path in mappings(VALUES) if path]),
    value=st.sampled_from([None, 3, "text", [], True]),
)
def test_anything_but_a_mapping_in_place_of_a_section_is_refused_in_plain_words(path, value):
    (line,) = refusal(changed(path, value))
    assert line.startswith(f"{'.'.join(path)}: must be a mapping (found ")


@settings(max_examples=300)
@given(data=st.data(), path=st.sampled_from(KEYS))
def test_a_misspelt_key_anywhere_is_refused_with_its_path_and_the_right_spelling(data, path):
    key = path[-1]
    place = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.sampled_from("aeqx"))
    misspelt = data.draw(
        st.sampled_from(
            [
                key[:place] + key[place + 1 :],
                key[:place] + letter + key[place:],
                key[:place] + letter + key[place + 1 :],
            ]
        )
    )
    values = changed(path, None)
    section = values
    for part in path[:-1]:
        section = section[part]
    assume(misspelt not in section)
    del section[key]
    siblings = list(section)
    original = VALUES
    for part in path:
        original = original[part]
    section[misspelt] = original
    lines = refusal(values)
    location = ".".join((*path[:-1], misspelt))
    assert any(line == f"{'.'.join(path)}: missing." for line in lines) == (key not in OPTIONAL)
    # The nearest name is the key itself, unless a sibling is as near.
    ratio = {name: difflib.SequenceMatcher(None, name, misspelt).ratio() for name in [key, *siblings]}
    assume(max(ratio, key=ratio.get) == key)
    assert f"{location}: unknown; did you mean {key}?" in lines


@settings(max_examples=200)
@given(path=st.sampled_from([path for path in KEYS if path[-1] not in OPTIONAL]))
def test_a_key_that_is_left_out_is_named(path):
    values = changed(path, None)
    section = values
    for part in path[:-1]:
        section = section[part]
    del section[path[-1]]
    assert f"{'.'.join(path)}: missing." in refusal(values)


@settings(max_examples=300)
@given(data=st.data(), leaf=st.sampled_from([(path, value) for path, value in LEAVES if path[-1] not in TIED]))
def test_any_other_value_of_the_right_type_and_range_passes_unchanged(data, leaf):
    path, _ = leaf
    assume("counterparts" not in path)
    assume(path != ("study", "mini_batches", "rows"))  # more than any batch has
    assume(path[:2] != ("study", "closed_form"))  # more rows than features
    value = data.draw(valid_values(follow(path)))
    found = check_params(changed(path, value)).model_dump()
    for key in path:
        found = found[key]
    assert found == value


COUNTERPARTS = ("evaluate", "tasks", "mnist", "counterparts")
MLP, FOREST = ("train_mlp", "mnist_mlp"), ("train_baseline", "moons_random_forest")
SCRATCH = ("train_regression", "linear", "scratch")


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ((*MLP, "learning_rate"), 0, "train_mlp.mnist_mlp.learning_rate: must be greater than 0 (found 0)."),
        ((*MLP, "learning_rate"), "1e-3", "train_mlp.mnist_mlp.learning_rate: must be a number (found '1e-3')."),
        ((*MLP, "dropout"), 1.0, "train_mlp.mnist_mlp.dropout: must be less than 1 (found 1.0)."),
        ((*MLP, "epochs"), 2.0, "train_mlp.mnist_mlp.epochs: must be a whole number (found 2.0)."),
        ((*MLP, "epochs"), True, "train_mlp.mnist_mlp.epochs: must be a whole number (found true)."),
        ((*MLP, "batch_norm"), "on", "train_mlp.mnist_mlp.batch_norm: must be true or false (found 'on')."),
        ((*MLP, "hidden_sizes"), 128, "train_mlp.mnist_mlp.hidden_sizes: must be a list (found 128)."),
        (
            (*MLP, "hidden_sizes"),
            [128, 0],
            "train_mlp.mnist_mlp.hidden_sizes.1: must be greater than or equal to 1 (found 0).",
        ),
        (
            (*MLP, "activation"),
            "rellu",
            "train_mlp.mnist_mlp.activation: must be 'sigmoid', 'tanh', 'relu', 'leaky_relu' or 'gelu' "
            "(found 'rellu').",
        ),
        ((*MLP, "seed"), -1, "train_mlp.mnist_mlp.seed: must be greater than or equal to 0 (found -1)."),
        ((*MLP, "seed"), 2**32, "train_mlp.mnist_mlp.seed: must be less than 4294967296 (found 4294967296)."),
        (
            (*MLP, "loss"),
            "log_loss",
            "train_mlp.mnist_mlp.loss: log_loss is for two classes; mnist has ten, use cross_entropy.",
        ),
        ((*MLP, "batch_size"), 1, "train_mlp.mnist_mlp.batch_norm: needs a batch_size of at least 2."),
        ((*MLP, 7), 7, "train_mlp.mnist_mlp.7: unknown."),
        (
            (*FOREST, "estimator"),
            "random_forst",
            "train_baseline.moons_random_forest.estimator: unknown estimator random_forst; did you mean random_forest?",
        ),
        (
            (*FOREST, "estimator"),
            None,
            "train_baseline.moons_random_forest.estimator: unknown estimator null; choose one of linear_regression, "
            "logistic_regression, mlp_classifier, random_forest, dummy.",
        ),
        ((*FOREST, "tres"), 10, "train_baseline.moons_random_forest.tres: unknown; did you mean trees?"),
        (
            ("generate_synthetic", "multivariate", "weights"),
            [1.0],
            "generate_synthetic.multivariate.weights: must have at least 2 items (found 1).",
        ),
        (
            ("generate_synthetic", "validation"),
            0.75,
            "generate_synthetic.validation: validation + test must leave at least a tenth of the rows to train on.",
        ),
        (
            (*SCRATCH, "initialisation"),
            "pretrained",
            "train_regression.linear.scratch.initialisation: pretrained goes with pretrained (a model file) and "
            "pretrained_md5 (its MD5), any other with null for both.",
        ),
        (
            (*SCRATCH, "pretrained_md5"),
            "abc",
            "train_regression.linear.scratch.pretrained_md5: must be 32 hexadecimal digits (found 'abc').",
        ),
        (
            (*COUNTERPARTS, "mnist_mpl"),
            {"baseline": "mnist_dummy", "differs": "all"},
            "evaluate.tasks.mnist.counterparts.mnist_mpl: no model is named mnist_mpl; did you mean mnist_mlp?",
        ),
        (
            (*COUNTERPARTS, "mnist_mlp"),
            {"baseline": "moons_dummy", "differs": "all"},
            "evaluate.tasks.mnist.counterparts.mnist_mlp: moons_dummy belongs to another task.",
        ),
        (
            (*COUNTERPARTS, "moons_mlp"),
            {"baseline": "mnist_dummy", "differs": "all"},
            "evaluate.tasks.mnist.counterparts.moons_mlp: moons_mlp belongs to another task.",
        ),
        (
            ("evaluate", "tasks", "mnits"),
            {},
            "evaluate.tasks.mnits: there is no task mnits; did you mean mnist?",
        ),
        (
            ("evaluate", "tasks", "mnist", "equivalence_margin"),
            0.01,
            "evaluate.tasks.mnist.equivalence_margin: mnist is a classification; this is for a regression.",
        ),
        (
            ("train_mlp", "small-mlp"),
            VALUES["train_mlp"]["mnist_mlp"],
            "train_mlp.small-mlp: the name must be its task, an underscore, then letters, digits or underscores, "
            "for example mnist_small_mlp.",
        ),
        (("train_mlp", 5), VALUES["train_mlp"]["mnist_mlp"], "train_mlp.5: the name must be text."),
        (
            ("train_baseline", "mnist_mlp"),
            VALUES["train_baseline"]["mnist_dummy"],
            "train_baseline.mnist_mlp: another stage trains a model of this name; choose another.",
        ),
        (
            ("train_baseline", "linear_scratch"),
            VALUES["train_baseline"]["linear_dummy"],
            "train_baseline.linear_scratch: another stage trains a model of this name; choose another.",
        ),
        (("train_mpl",), {}, "train_mpl: unknown; did you mean train_mlp?"),
    ],
)
def test_a_mistake_is_told_in_one_plain_sentence(path, value, line):
    assert refusal(changed(path, value)) == [line]


def test_a_pair_that_differs_by_the_library_alone_has_equal_settings_for_all_that_both_can_set():
    params = load_params(ROOT / "params.yaml")
    of_tasks = [section.counterparts.items() for section in params.evaluate.tasks.values()]
    pairs = {name: pair for found in of_tasks for name, pair in found if pair.differs == "the library alone"}
    assert set(pairs) == {"moons_mlp_plain", "mnist_mlp_plain"}
    for name, pair in pairs.items():
        ours, theirs = params.train_mlp[name], params.train_baseline[pair.baseline]
        for setting in ("hidden_sizes", "activation", "learning_rate", "batch_size", "epochs", "seed"):
            assert getattr(ours, setting) == getattr(theirs, setting)
        assert ours.weight_decay == theirs.weight_decay / theirs.batch_size
        # What MLPClassifier does and has no other choice of, or is left at its default.
        fixed = {"optimizer": "adam", "schedule": "constant", "initialisation": "glorot", "keep": "last"}
        absent = {"batch_norm": False, "dropout": 0.0, "noise": 0.0, "label_smoothing": 0.0, "precision": "float32"}
        absent |= {"patience": None, "weight_average": None, "augmentation": None, "train_on": "train"}
        assert all(getattr(ours, setting) == value for setting, value in (fixed | absent).items())


def test_every_mistake_of_a_file_has_a_line():
    values = changed((*MLP, "epochs"), 0)
    values["export_model"]["opset"] = 7
    del values["prepare_mnist"]
    assert [line.partition(":")[0] for line in refusal(values)] == [
        "prepare_mnist",
        "train_mlp.mnist_mlp.epochs",
        "export_model.opset",
    ]


def test_the_file_is_read_as_yaml_1_2_like_dvc_reads_it(tmp_path):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("learning_rate: 0.05", "learning_rate: 1e-3"), encoding="utf-8")
    assert load_params(path).train_mlp["moons_logistic"].learning_rate == 0.001
    path.write_text(text.replace("batch_norm: true", "batch_norm: on"), encoding="utf-8")
    with pytest.raises(UserError, match=r"mnist_mlp\.batch_norm: must be true or false \(found 'on'\)\.$"):
        load_params(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"must be a mapping with a section for each stage\.$"),
        (b"- 1\n", r"must be a mapping with a section for each stage\.$"),
        (b"a: 1\nb: [1, 2\nc: 3\n", r"params\.yaml, line \d is not valid YAML: [^\n]*\.$"),
        (b"a: 1\nb: 2\na: 3\n", r"params\.yaml, line 3 is not valid YAML: found duplicate key [^\n]*\.$"),
        (b"a: \xff\n", r"params\.yaml is not valid YAML: [^\n]*\.$"),
        (b"a: \x07\n", r"params\.yaml is not valid YAML: [^\n]*\.$"),
    ],
)
def test_a_file_that_is_no_mapping_or_no_yaml_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_params(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_where_to_run(tmp_path):
    with pytest.raises(UserError, match="is missing: run from the repository's root"):
        load_params(tmp_path / "params.yaml")


def run_check(folder, code=None):
    command = [sys.executable, *(["-c", code] if code else [str(ROOT / "stages/check_params.py")])]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_stage_refuses_a_bad_file_with_exit_code_2_and_touches_nothing(tmp_path):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("learning_rate: 0.05", "learing_rate: 0.05"), encoding="utf-8")
    result = tmp_path / "results/check_params/checked.txt"
    result.parent.mkdir(parents=True)
    result.write_text("as it was")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = run_check(tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "params.yaml: train_mlp.moons_logistic.learning_rate: missing.",
        "params.yaml: train_mlp.moons_logistic.learing_rate: unknown; did you mean learning_rate?",
    ]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_stage_writes_the_same_bytes_for_any_good_file(tmp_path):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    contents = set()
    for changed_text in (text, text.replace("learning_rate: 0.05", "learning_rate: 0.06")):
        (tmp_path / "params.yaml").write_text(changed_text, encoding="utf-8")
        assert run_check(tmp_path).returncode == 0
        contents.add((tmp_path / "results/check_params/checked.txt").read_bytes())
    assert len(contents) == 1


def test_the_check_loads_no_heavy_library_so_that_it_answers_at_once(tmp_path):
    (tmp_path / "params.yaml").write_text("{}")
    code = f"""
import atexit, runpy, sys
heavy = {{"torch", "numpy", "pandas", "sklearn", "scipy", "matplotlib", "mlflow", "dvc", "onnx"}}
atexit.register(lambda: print(sorted(heavy & set(sys.modules))))
runpy.run_path({str(ROOT / "stages/check_params.py")!r}, run_name="__main__")
"""
    assert run_check(tmp_path, code).stdout.strip() == "[]"


AUGMENTATION = {
    "rotation": 10.0,
    "scale": 0.1,
    "shear": 0.1,
    "translation": 1.0,
    "elastic_displacement": 1.0,
    "elastic_smoothness": 4.0,
}


def augmented(**strengths):
    return changed(("train_mlp", "mnist_mlp", "augmentation"), AUGMENTATION | strengths)


def test_an_augmentation_within_its_ranges_passes():
    assert check_params(augmented()).train_mlp["mnist_mlp"].augmentation.model_dump() == AUGMENTATION


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rotation", 90.5),
        ("rotation", -1.0),
        ("scale", 1.5),
        ("shear", -0.1),
        ("translation", 15.0),
        ("elastic_displacement", 14.5),
        ("elastic_smoothness", 0.0),
        ("elastic_smoothness", float("nan")),
    ],
)
def test_an_augmentation_out_of_range_is_refused_with_its_path(key, value):
    (line,) = refusal(augmented(**{key: value}))
    assert line.startswith(f"train_mlp.mnist_mlp.augmentation.{key}: must be ")
    assert str(value) in line


def test_a_misspelt_strength_names_the_nearest_one():
    assert "train_mlp.mnist_mlp.augmentation.rotaton: unknown; did you mean rotation?" in refusal(
        augmented(rotaton=1.0)
    )


@pytest.mark.parametrize(
    ("network", "values", "sentence"),
    [
        ("moons_mlp", {"augmentation": AUGMENTATION}, "augmentation: distorts images"),
        ("moons_mlp", {"label_smoothing": 0.1}, "label_smoothing: is for loss: cross_entropy"),
        (
            "mnist_mlp",
            {"train_on": "train_and_validation", "keep": "last", "patience": 3},
            "patience: is for train_on: train",
        ),
        ("mnist_mlp", {"train_on": "train_and_validation"}, "keep: best is for train_on: train"),
    ],
)
def test_settings_of_a_network_that_do_not_go_together_are_refused(network, values, sentence):
    section = VALUES["train_mlp"][network] | values
    (line,) = refusal(changed(("train_mlp", network), section))
    assert line.startswith(f"train_mlp.{network}.{sentence}")


def with_table(**changes):
    """Return the committed values with a table of one's own, and a network of it."""
    values = copy.deepcopy(VALUES)
    table = {
        "file": "data/wine.csv",
        "target": "y",
        "kind": "classification",
        "validation": 0.2,
        "test": 0.2,
        "seed": 7,
    }
    values["prepare_table"] = {"wine": table | changes}
    values["tasks"] = [*values["tasks"], "wine"]
    values["train_mlp"]["wine_mlp"] = values["train_mlp"]["moons_mlp"] | {"task": "wine", "loss": "cross_entropy"}
    values["evaluate"]["tasks"]["wine"] = {}
    return values


def test_a_table_of_ones_own_is_a_task_of_which_there_may_be_models():
    check_params(with_table())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values["tasks"].remove("wine"), "tasks: wine of prepare_table is missing; add it."),
        (lambda values: values["tasks"].append("wine"), "tasks: wine is there twice."),
        (lambda values: values["tasks"].append("wines"), "tasks: there is no task wines; did you mean wine?"),
        (
            lambda values: values["train_mlp"].pop("wine_mlp"),
            "tasks: wine has no network; add a section to train_mlp.",
        ),
        (
            lambda values: values["evaluate"]["tasks"].pop("wine"),
            "evaluate.tasks: wine has no section; add one, {} if nothing of it is compared.",
        ),
        (
            lambda values: values["prepare_table"].update(mnist=values["prepare_table"]["wine"]),
            "prepare_table.mnist: choose another name, of letters, digits and underscores, a letter first.",
        ),
        (
            lambda values: values["prepare_table"]["wine"].update(kind="regression"),
            "train_mlp.wine_mlp.task: wine is a regression; this is for a classification.",
        ),
        (
            lambda values: values["prepare_table"]["wine"].update(test=0.8),
            "prepare_table.wine.validation: validation + test must leave at least a tenth of the rows to train on.",
        ),
        (
            lambda values: values["regressions"].pop(),
            "regressions: must name the sections of train_regression: linear",
        ),
    ],
)
def test_what_does_not_fit_together_with_a_table_is_refused(change, message):
    values = with_table()
    change(values)
    assert any(line.startswith(message) for line in refusal(values)), refusal(values)
