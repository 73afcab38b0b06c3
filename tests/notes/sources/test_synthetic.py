"""Generated tables against what they claim to be: closed forms, least squares and scikit-learn's geometry."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import datasets

from notes.files import UserError
from notes.sources import synthetic, tables


def generator(seed=0):
    return np.random.default_rng(seed)


def least_squares(features, y):
    design = np.column_stack([np.ones(len(y)), features])
    return np.linalg.lstsq(design, y, rcond=None)[0]


def test_least_squares_recovers_slope_and_intercept_of_noise_free_linear_data():
    table = synthetic.make_linear(rows=50, slope=2.5, intercept=-1.0, noise=0.0, generator=generator())
    assert list(table.columns) == ["x1", "y"]
    np.testing.assert_allclose(least_squares(table[["x1"]], table["y"]), [-1.0, 2.5], rtol=1e-12)


def test_least_squares_recovers_the_weights_of_noise_free_multivariate_data():
    weights = [1.5, -2.0, 0.5, 3.0]
    table = synthetic.make_multivariate(
        rows=80, weights=weights, intercept=0.7, noise=0.0, correlation=0.6, generator=generator()
    )
    assert list(table.columns) == ["x1", "x2", "x3", "x4", "y"]
    np.testing.assert_allclose(least_squares(table[["x1", "x2", "x3", "x4"]], table["y"]), [0.7, *weights], rtol=1e-10)


def test_least_squares_on_powers_recovers_polynomial_coefficients():
    coefficients = [0.5, -1.0, 0.25, 2.0]
    table = synthetic.make_polynomial(rows=60, coefficients=coefficients, noise=0.0, generator=generator())
    powers = np.column_stack([table["x1"] ** k for k in (1, 2, 3)])
    np.testing.assert_allclose(least_squares(powers, table["y"]), coefficients, rtol=1e-10)
    assert table["x1"].between(-2, 2).all()
    assert table["x1"].min() < -1.7
    assert table["x1"].max() > 1.7


@pytest.mark.parametrize("correlation", [-0.3, 0.0, 0.5, 0.9])
def test_every_pair_of_features_has_the_correlation_asked_for(correlation):
    table = synthetic.make_multivariate(
        rows=40_000, weights=[1, 1, 1], intercept=0, noise=1, correlation=correlation, generator=generator()
    )
    features = table[["x1", "x2", "x3"]]
    expected = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
    np.testing.assert_allclose(features.corr(), expected, atol=0.03)
    np.testing.assert_allclose(features.std(), 1.0, atol=0.03)
    np.testing.assert_allclose(features.mean(), 0.0, atol=0.03)


@pytest.mark.parametrize("correlation", [-0.5, 1.0])
def test_a_correlation_that_three_features_cannot_share_is_refused(correlation):
    with pytest.raises(UserError, match=r"3 features .* above -0\.5 and below 1"):
        synthetic.make_multivariate(
            rows=5, weights=[1, 1, 1], intercept=0, noise=0, correlation=correlation, generator=generator()
        )


@pytest.mark.parametrize("make", ["linear", "multivariate", "polynomial"])
def test_residuals_have_the_standard_deviation_of_the_noise(make):
    tables = {
        "linear": lambda noise: synthetic.make_linear(
            rows=20_000, slope=1, intercept=2, noise=noise, generator=generator()
        ),
        "multivariate": lambda noise: synthetic.make_multivariate(
            rows=20_000, weights=[1, 2], intercept=3, noise=noise, correlation=0.5, generator=generator()
        ),
        "polynomial": lambda noise: synthetic.make_polynomial(
            rows=20_000, coefficients=[1, 2, 3, 4], noise=noise, generator=generator()
        ),
    }
    residuals = tables[make](0.3)["y"] - tables[make](0.0)["y"]
    assert residuals.std() == pytest.approx(0.3, rel=0.03)


def test_noise_free_moons_lie_on_the_half_circles_of_scikit_learn():
    def circle_and_side(points, y):
        centre = np.column_stack([y, 0.5 * y])
        offset = points - centre
        return np.hypot(offset[:, 0], offset[:, 1]), np.sign(np.round(offset[:, 1], 9)) * (1 - 2 * y)

    ours = synthetic.make_moons(rows=401, noise=0.0, generator=generator())
    reference, labels = datasets.make_moons(400, noise=None)
    for points, y in ((ours[["x1", "x2"]].to_numpy(), ours["y"].to_numpy()), (reference, labels)):
        radius, side = circle_and_side(points, y)
        np.testing.assert_allclose(radius, 1.0, atol=1e-12)
        assert (side >= 0).all()
    for column in (0, 1):
        span = [reference[:, column].min(), reference[:, column].max()]
        found = ours[f"x{column + 1}"]
        np.testing.assert_allclose([found.min(), found.max()], span, atol=0.02)


def test_moons_differ_by_at_most_one_row_and_the_noise_is_their_distance_from_the_circles():
    ours = synthetic.make_moons(rows=20_001, noise=0.1, generator=generator())
    assert ours["y"].value_counts().tolist() == [10_001, 10_000]
    radius = np.hypot(ours["x1"] - ours["y"], ours["x2"] - 0.5 * ours["y"])
    assert (radius - 1).std() == pytest.approx(0.1, rel=0.05)


@settings(max_examples=60)
@given(
    rows=st.integers(20, 400),
    validation=st.floats(0.1, 0.4),
    test=st.floats(0.1, 0.4),
    share=st.floats(0.3, 0.7),
    seed=st.integers(0, 1000),
)
def test_splits_are_complete_exact_and_keep_each_class_within_two_rows_of_its_share(
    rows, validation, test, share, seed
):
    y = (np.arange(rows) < round(rows * share)).astype(int)
    table = pd.DataFrame({"x1": np.arange(rows, dtype=float), "y": y})
    result = tables.add_split_column(table, validation=validation, test=test, generator=generator(seed), stratify="y")
    sizes = {"validation": round(rows * validation), "test": round(rows * test)}
    sizes["train"] = rows - sum(sizes.values())
    assert result["split"].value_counts().to_dict() == sizes
    pd.testing.assert_frame_equal(result.drop(columns="split"), table)
    for name, size in sizes.items():
        for label in (0, 1):
            found = ((result["split"] == name) & (result["y"] == label)).sum()
            assert abs(found - size * (y == label).mean()) <= 2


def test_another_seed_gives_another_split_and_the_same_seed_the_same():
    table = pd.DataFrame({"y": np.zeros(100)})

    def split(seed):
        return tables.add_split_column(table, validation=0.2, test=0.2, generator=generator(seed))["split"].tolist()

    assert split(1) == split(1)
    assert split(1) != split(2)


@pytest.mark.parametrize(
    ("rows", "validation", "test", "message"),
    [
        (10, 0.01, 0.2, "validation split gets no row"),
        (10, 0.6, 0.6, "train split gets no row"),
        (0, 0.2, 0.2, "of 0 rows"),
    ],
)
def test_an_empty_split_is_refused(rows, validation, test, message):
    table = pd.DataFrame({"y": np.zeros(rows)})
    with pytest.raises(UserError, match=message):
        tables.add_split_column(table, validation=validation, test=test, generator=generator())


def test_a_split_without_one_of_the_classes_is_refused():
    table = pd.DataFrame({"y": [0] * 19 + [1]})
    with pytest.raises(UserError, match="split gets no row with y = 1"):
        tables.add_split_column(table, validation=0.2, test=0.2, generator=generator(), stratify="y")


def test_a_written_table_reads_back_exactly_and_equal_tables_give_equal_bytes(tmp_path):
    table = synthetic.make_moons(rows=200, noise=0.2, generator=generator())
    table = tables.add_split_column(table, validation=0.2, test=0.2, generator=generator(1), stratify="y")
    tables.write_table(tmp_path / "one.csv", table)
    tables.write_table(tmp_path / "two.csv", table.copy())
    content = (tmp_path / "one.csv").read_bytes()
    assert content == (tmp_path / "two.csv").read_bytes()
    assert content.startswith(b"x1,x2,y,split\n")
    assert b"\r" not in content
    cells = [line.split(",") for line in content.decode().splitlines()[1:]]
    assert [float(row[0]) for row in cells] == table["x1"].tolist()
    assert {row[2] for row in cells} == {"0", "1"}
