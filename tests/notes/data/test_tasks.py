"""What training and evaluation read, against pandas and hand-made files; and every way in which it can be damaged."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from notes.data.tasks import TASKS, data_files, load_inputs, load_split
from notes.files import UserError


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
    write(tmp_path, "moons", "x1,x2,split\n-1.5,2e-3,test\n0.7,0.8,test\n")
    np.testing.assert_array_equal(load_inputs("moons", "test", tmp_path), with_labels)
    (root / "data/mnist/development/train_labels.npy").unlink()
    np.testing.assert_array_equal(load_inputs("mnist", "train", root), images.reshape(20, 784) / np.float32(255))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("x1,x2,y,split\n", "has no rows"),
        ("x1,y,split\n0.1,0,train\n", "has the columns x1, y, split, but needs x1, x2, y, split"),
        ("x1,x2,y\n0.1,0.2,0\n", "has the columns x1, x2, y, but needs"),
        ("x1,x2,split\n0.1,0.2,train\n", "has the columns x1, x2, split, but needs"),
        ("x2,x1,y,split\n0.1,0.2,0,train\n", "has the columns x2, x1"),
        ("x1,x2,y,split\n0.1,0.2,0,train,9\n", "nameless"),
        ("x1,x2,y,split\n0.1,0.2,0,train\n0.1,0.2,1,train,9\n", "row 2 has more cells"),
        ("x1,x2,y,split\n0.1,0.2,0\n", "row 1, column split: None"),
        ("x1,x2,y,split\n0.1,0.2,0,training\n", "row 1, column split: 'training'"),
        ("x1,x2,y,split\n0.1,0.2,0,test\n", "no row in the split train"),
        ("x1,x2,y,split\n0.1,0.2,0,train\n0.1,nan,1,train\n", "row 2, column x2: 'nan'"),
        ("x1,x2,y,split\n0.1,,0,train\n", "row 1, column x2: '' is not a finite number"),
        ("x1,x2,y,split\n0.1,0.2,0,test\n-inf,0.2,0,train\n", "row 2, column x1: '-inf'"),
        ("x1,x2,y,split\n0.1,zero,0,train\n", "row 1, column x2: 'zero'"),
        ("x1,x2,y,split\n0.1,1e300,0,train\n", "row 1, column x2: too large for float32"),
        ("x1,x2,y,split\n0.1,0.2,0.5,train\n", "row 1, column y: '0.5' is not one of the classes 0, 1"),
        ("x1,x2,y,split\n0.1,0.2,2,train\n", "row 1, column y: '2'"),
        ("x1,x2,y,split\n0.1,0.2,1,train\n", "the split train has no row of class 0"),
    ],
)
def test_a_damaged_table_is_named_with_row_and_column_and_the_command_that_restores_it(tmp_path, text, message):
    path = write(tmp_path, "moons", text)
    with pytest.raises(UserError, match=message) as caught:
        load_split("moons", "train", tmp_path)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("restore it with `dvc repro generate_synthetic`.")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    write(tmp_path, "linear", "").write_bytes(b"x1,y,split\n\xff\xfe,1,train\n")
    with pytest.raises(UserError, match="is not a CSV table"):
        load_split("linear", "train", tmp_path)


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("images", np.zeros((20, 28, 28), np.float32), "holds float32, but needs uint8"),
        ("images", np.zeros((20, 784), np.uint8), r"shape \(20, 784\), but needs \(n, 28, 28\)"),
        ("images", np.zeros((19, 28, 28), np.uint8), "19 images but .* 20 labels"),
        ("images", np.zeros((0, 28, 28), np.uint8), "is empty"),
        ("labels", np.zeros(20, np.int64), "holds int64, but needs uint8"),
        ("labels", np.zeros((20, 1), np.uint8), r"but needs \(n\)"),
        ("labels", np.uint8(3), r"shape \(\)"),
        ("labels", np.full(20, 10, np.uint8), "row 1: the label 10 is above 9"),
        ("labels", np.repeat(np.arange(9, dtype=np.uint8), [4, 2, 2, 2, 2, 2, 2, 2, 2]), "no row of class 9"),
        ("labels", np.array([{"a": 1}] * 20, dtype=object), r"not a whole \.npy file"),
    ],
)
def test_prepared_arrays_of_another_kind_are_refused(prepared, part, content, message):
    root = prepared[0]
    np.save(root / f"data/mnist/development/train_{part}.npy", content, allow_pickle=True)
    with pytest.raises(UserError, match=message) as caught:
        load_split("mnist", "train", root)
    assert f"train_{part}.npy" in str(caught.value)
    assert "`dvc repro prepare_mnist`" in str(caught.value)


@pytest.mark.parametrize("kept", [0, 5, 60, 1000])
def test_a_truncated_prepared_file_is_refused(prepared, kept):
    path = prepared[0] / "data/mnist/development/train_images.npy"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"train_images\.npy is not a whole \.npy file"):
        load_split("mnist", "train", prepared[0])


def test_an_archive_in_place_of_an_array_is_refused(prepared):
    path = prepared[0] / "data/mnist/development/train_labels.npy"
    with path.open("wb") as file:
        np.savez(file, labels=np.zeros(20, np.uint8))
    with pytest.raises(UserError, match="holds an archive"):
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
