"""What training and evaluation read, against pandas and hand-made files; and what is said of damage."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from notes.data.tasks import TASKS, Naming, data_files, load_inputs, load_naming, load_split
from notes.files import UserError, write_json


def write(root, task, text):
    """Write a table as the task's development data and as its test data; return the first."""
    development, test = (root / f"data/{task}/{folder}/table.csv" for folder in ("development", "test"))
    for path in (development, test):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return development


MOONS = "x1,x2,y,split\n0.1,0.2,0,train\n0.3,0.4,1,train\n-1.5,2e-3,1,test\n0.7,0.8,0,test\n"


@pytest.fixture
def prepared(tmp_path):
    """Twenty 28 x 28 images, two of each class, in the training split."""
    folder = tmp_path / "data/mnist/development"
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    labels = np.repeat(np.arange(10, dtype=np.uint8), 2)
    np.save(folder / "train_images.npy", images)
    np.save(folder / "train_labels.npy", labels)
    return tmp_path, images, labels


def test_a_classification_split_is_float32_inputs_and_int64_classes_of_that_split_alone(tmp_path):
    write(tmp_path, "moons", MOONS)
    data = load_split("moons", "test", tmp_path)
    assert data.inputs.dtype == np.float32
    assert data.targets.dtype == np.int64
    np.testing.assert_array_equal(data.inputs, np.array([[-1.5, 2e-3], [0.7, 0.8]], dtype=np.float32))
    assert data.targets.tolist() == [1, 0]


def test_a_regression_split_is_float64_and_equals_what_pandas_reads(tmp_path):
    values = np.random.default_rng(0).standard_normal((30, 4))
    table = pd.DataFrame(values, columns=["x1", "x2", "x3", "y"])
    table["split"] = (["train"] * 3 + ["validation", "test"]) * 6
    path = write(tmp_path, "multivariate", table.to_csv(index=False))
    data = load_split("multivariate", "validation", tmp_path)
    expected = pd.read_csv(path).query("split == 'validation'")
    assert data.inputs.dtype == data.targets.dtype == np.float64
    np.testing.assert_array_equal(data.inputs, expected[["x1", "x2", "x3"]])
    np.testing.assert_array_equal(data.targets, expected["y"])


def test_images_are_scaled_to_zero_and_one_and_flattened_row_by_row(prepared):
    root, images, labels = prepared
    data = load_split("mnist", "train", root)
    assert data.inputs.shape == (20, 784)
    assert data.inputs.dtype == np.float32
    assert data.inputs[3, 28 * 5 + 7] == np.float32(images[3, 5, 7]) / np.float32(255)
    assert data.inputs.min() >= 0
    assert data.inputs.max() == 1.0
    assert data.targets.dtype == np.int64
    assert data.targets.tolist() == labels.tolist()


@pytest.mark.parametrize("task", TASKS)
def test_the_test_rows_have_a_folder_of_their_own(task):
    folders = {split: {path.parent for path in data_files(task, split)} for split in ("train", "validation", "test")}
    assert folders["train"] == folders["validation"]
    assert len(folders["train"] | folders["test"]) == 2


def test_whoever_holds_development_data_alone_can_load_train_and_validation_but_no_test_row(prepared):
    root, images, labels = prepared
    for part, array in (("images", images), ("labels", labels)):
        np.save(root / f"data/mnist/development/validation_{part}.npy", array[::-1])
    table = write(root, "moons", MOONS.replace("test", "validation"))
    (root / "data/moons/test/table.csv").unlink()
    assert len(load_split("moons", "train", root).targets) == len(load_split("moons", "validation", root).targets) == 2
    assert load_split("mnist", "validation", root).targets.tolist() == labels[::-1].tolist()
    for task, file in (("moons", "table.csv"), ("mnist", "test_images.npy")):
        for read in (load_split, load_inputs):
            with pytest.raises(UserError, match=rf"data/{task}/test/{file} is missing: .*`dvc checkout"):
                read(task, "test", root)
    assert "test" not in table.read_text()


@pytest.mark.parametrize("task", TASKS)
def test_the_named_files_are_the_only_ones_needed(task, tmp_path):
    for path in data_files(task, "train"):
        with pytest.raises(UserError, match=rf"{path.name} is missing: .*dvc"):
            load_split(task, "train", tmp_path)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        if task == "mnist":
            images = path.name.endswith("images.npy")
            np.save(tmp_path / path, np.zeros((10, 28, 28), np.uint8) if images else np.arange(10, dtype=np.uint8))
        else:
            features = {"moons": "x1,x2", "multivariate": "x1,x2,x3"}.get(task, "x1")
            zeros = features.count(",") * "0.5," + "0.5"
            (tmp_path / path).write_text(f"{features},y,split\n{zeros},0,train\n{zeros},1,train\n")
    data = load_split(task, "train", tmp_path)
    assert len(data.inputs) == len(data.targets) >= 2


def test_inputs_are_read_without_any_label(prepared, tmp_path):
    root, images, _ = prepared
    write(tmp_path, "moons", MOONS)
    with_labels = load_split("moons", "test", tmp_path).inputs
    write(tmp_path, "moons", MOONS.replace(",1,test", ",secret,test"))
    np.testing.assert_array_equal(load_inputs("moons", "test", tmp_path), with_labels)
    (root / "data/mnist/development/train_labels.npy").unlink()
    np.testing.assert_array_equal(load_inputs("mnist", "train", root), images.reshape(20, 784) / np.float32(255))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "not a table of numbers"),
        ("x1,x2,y,split\n", "not a table of numbers"),
        ("x1,x2,y,split\n0.1,0.2,0,train\n0.1", "not a table of numbers"),
        ("x1,x2,y\n0.1,0.2,train\n", "its columns are x1, x2, y"),
        ("x2,x1,y,split\n0.1,0.2,0,train\n", "its columns are x2, x1, y, split"),
        ("x1,x2,y,split\n0.1,0.2,0,test\n", "no row in the split train"),
        ("x1,x2,y,split\n0.1,0.2,0,train\n0.1,0.2,1,tr", "tr is no split"),
        ("x1,x2,y,split\n0.1,,0,train\n", "not a table of numbers"),
        ("x1,x2,y,split\n0.1,zero,0,train\n", "not a table of numbers"),
        ("x1,x2,y,split\n0.1,0.2,0,train\n0.1,nan,1,train\n", "a number is not finite"),
        ("x1,x2,y,split\n-inf,0.2,0,train\n", "a number is not finite"),
        ("x1,x2,y,split\n\udcff\udcfe,0.2,0,train\n", "not a table of numbers"),
    ],
)
def test_a_damaged_table_is_one_sentence_with_the_command_that_restores_it(tmp_path, text, found):
    path = write(tmp_path, "moons", "")
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(
        UserError, match=rf"table\.csv is damaged \({found}\): .*`dvc checkout --force .*table\.csv`\.$"
    ):
        load_split("moons", "train", tmp_path)


@pytest.mark.parametrize(
    ("part", "content", "found"),
    [
        ("images", np.zeros((20, 28, 28), np.float32), r"float32 of the shape \(20, 28, 28\)"),
        ("images", np.zeros((20, 784), np.uint8), r"uint8 of the shape \(20, 784\)"),
        ("labels", np.zeros(20, np.int64), r"int64 of the shape \(20,\)"),
        ("labels", np.uint8(3), r"uint8 of the shape \(\)"),
        ("labels", np.zeros(19, np.uint8), "19 labels for 20 images"),
        ("labels", np.array([{"a": 1}] * 20, dtype=object), r"not a whole \.npy file"),
    ],
)
def test_prepared_arrays_of_another_kind_are_damaged(prepared, part, content, found):
    root = prepared[0]
    np.save(root / f"data/mnist/development/train_{part}.npy", content, allow_pickle=True)
    with pytest.raises(UserError, match=rf"train_{part}\.npy is damaged \({found}\): restore it with"):
        load_split("mnist", "train", root)


@pytest.mark.parametrize("kept", [0, 5, 60, 1000])
def test_a_truncated_prepared_file_is_damaged(prepared, kept):
    path = prepared[0] / "data/mnist/development/train_images.npy"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"train_images\.npy is damaged \(not a whole \.npy file\)"):
        load_split("mnist", "train", prepared[0])


@pytest.mark.parametrize(("task", "split"), [("moon", "train"), ("moons", "val"), ("mnist", "")])
def test_unknown_names_of_tasks_and_splits_are_refused(task, split):
    for read in (load_split, load_inputs, data_files):
        with pytest.raises(UserError, match="choose one of"):
            read(task, split)


def test_reading_a_task_needs_no_heavy_library():
    code = (
        "import sys, notes.data.tasks; "
        "print(sorted({'pandas', 'torch', 'sklearn', 'scipy', 'requests', 'mlflow', 'dvc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_data_set_is_called_what_was_prepared(tmp_path):
    write_json(tmp_path / "data/mnist/test/classes.json", {"title": "Fashion-MNIST", "classes": ["coat", "bag"]})
    assert load_naming("mnist", tmp_path) == Naming("Fashion-MNIST", ["coat", "bag"])
    assert load_naming("moons", tmp_path) == Naming("moons", ["0", "1"])
    assert load_naming("linear", tmp_path) == Naming("linear", [])
