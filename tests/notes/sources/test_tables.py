"""Tables of one's own: read as they are, and refused in one sentence that names the place."""

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

from notes.files import UserError
from notes.sources.tables import read_own_table, standardised


@pytest.fixture
def wine(tmp_path):
    table = datasets.load_wine(as_frame=True).frame
    table["target"] = table["target"].map(lambda number: f"cultivar {number}")
    path = tmp_path / "wine.csv"
    table.to_csv(path, index=False)
    return path


def written(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_features_targets_and_classes_are_those_of_the_file(wine):
    table = read_own_table(wine, "target", classification=True)
    expected = datasets.load_wine(as_frame=True)
    pd.testing.assert_frame_equal(table.features, expected.data)
    assert table.target.tolist() == expected.target.tolist()
    assert table.classes == ["cultivar 0", "cultivar 1", "cultivar 2"]


def test_a_regression_has_numbers_and_no_classes(tmp_path):
    table = read_own_table(written(tmp_path, "y,a,b\n1,2,3\n4.5,5,6\n"), "y", classification=False)
    assert table.target.tolist() == [1, 4.5]
    assert table.features.to_numpy().tolist() == [[2, 3], [5, 6]]
    assert table.classes == []


def test_classes_that_are_numbers_are_in_the_order_of_numbers(tmp_path):
    table = read_own_table(written(tmp_path, "a,y\n1,10\n2,9\n3,10\n4,100\n"), "y", classification=True)
    assert table.classes == ["9", "10", "100"]
    assert table.target.tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize(
    ("text", "classification", "message"),
    [
        ("", True, "is no CSV table with a header"),
        ("a,y\n", True, "has no row below its header"),
        ("a,a,y\n1,2,3\n", True, "has two columns a: give each its own name"),
        ("a,yy\n1,2\n", True, "has no column y: did you mean yy?"),
        ("y\n1\n2\n", True, "has the column y alone"),
        ("a,y\n1,b\n2,b\n", True, "all rows have y = b"),
        ("a,y\n1,b\nred,c\n", True, "line 3: the column a holds red, no finite number"),
        ("a,b,y\n1,2,b\n1,,c\n", True, "line 3: the column b is empty"),
        ("a,y\n1,b\n2,\n", True, "line 3: the column y is empty"),
        ("a,y\n1,1\ninf,2\n", False, "line 3: the column a holds inf, no finite number"),
        ("a,y\n1,1\n2,two\n", False, "line 3: the column y holds two, no finite number"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_place(tmp_path, text, classification, message):
    with pytest.raises(UserError, match=r"table\.csv") as caught:
        read_own_table(written(tmp_path, text), "y", classification=classification)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        read_own_table(tmp_path / "none.csv", "y", classification=True)


def test_features_are_standardised_by_the_training_rows_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"a": rng.normal(5, 3, 40), "b": rng.normal(-1, 0.1, 40), "same": np.full(40, 7.0)})
    training = pd.Series(np.arange(40) < 30)
    values, mean, scale = standardised(features, training)
    scaler = StandardScaler().fit(features[training])
    np.testing.assert_allclose(values, scaler.transform(features), atol=1e-12)
    np.testing.assert_allclose(mean, scaler.mean_)
    np.testing.assert_allclose(scale, scaler.scale_)
