"""`from_arrays`: arrays, DataFrames and tables as datasets."""

import numpy as np
import pytest
import synaprune as sn

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 3))
Y = np.arange(30) % 2


def test_rows_are_split_as_those_of_a_file(tmp_path):
    np.savez(tmp_path / "rows.npz", X=X.astype(np.float32), y=Y)
    ours = sn.datasets.from_arrays(X, Y)
    assert ours.sha256 == sn.datasets.load_table(tmp_path / "rows.npz").sha256
    assert (ours.input_scaling, ours.is_regression) == ("standard", False)
    assert sn.datasets.from_arrays(X.astype(np.uint8), Y).input_scaling == "auto"
    assert sn.datasets.from_arrays(X, X[:, 0]).is_regression


def test_splits_may_be_given():
    data = sn.datasets.from_arrays(X, Y, validation=(X[:5], Y[:5]), test=(X[:4], Y[:4]))
    assert [len(s) for s in (data.train, data.validation, data.test)] == [30, 5, 4]
    assert len(sn.datasets.from_arrays(X, Y, validation=(X[:5], Y[:5])).test) == 0


def test_columns_of_a_dataframe_are_encoded_by_the_training_rows():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    frame = pd.DataFrame({"a": X[:, 0], "b": ["x", "y", "z"] * 10, "t": ["u", "v"] * 15})
    data = sn.datasets.from_arrays(frame, "t", validation=(frame[:6], "t"))
    assert data.n_features == 4
    assert data.classes.tolist() == ["u", "v"]
    np.testing.assert_array_equal(data.validation.X, data.train.X[:6])
    assert data.encoder is not None


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"test": (X, Y)}, ValueError, "test goes with validation"),
        ({"validation": 3}, TypeError, r"validation must be \(X, y\), got 3"),
        ({"validation": (X[:, :2], Y)}, ValueError, "validation X must have 3 columns, got 2"),
        ({"validation": (X, Y + 5)}, ValueError, "validation y holds labels that y does not: '5'"),
        ({"y": Y[:3]}, ValueError, "y must"),
        ({"y": X[:, :2]}, ValueError, "y must have one axis"),
    ],
)
def test_what_does_not_fit_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        sn.datasets.from_arrays(**{"X": X, "y": Y} | given)
