"""DataFrames of any library in place of arrays: columns by their names, types of all kinds."""

import datetime
import subprocess
import sys
from decimal import Decimal

import duckdb
import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import synaprune as sn

NAMES = ["long", "wide", "high", "flat"]
ONCE = sn.Training(1)


@pytest.fixture(name="X")
def samples():
    return np.random.default_rng(3).integers(0, 9, (12, 4)).astype(np.float32)


@pytest.fixture(name="y")
def labels_of(X):
    return (X[:, 0] > X[:, 1]).astype(int)


@pytest.fixture
def net(X, y):
    """A network that knows the names of its columns, and does not use "high"."""
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=2)
    net.fit(pd.DataFrame(X, columns=NAMES), y, training=sn.Training(3))
    return net.without(inputs=["high"])


LIBRARIES = {
    "pandas": pd.DataFrame,
    "pandas nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "pandas arrow": lambda columns: pd.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow"),
    "pandas sparse": lambda columns: pd.DataFrame(columns).astype(pd.SparseDtype(float)),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "an Arrow stream": lambda columns: pa.table(columns).to_reader(),
    "duckdb": lambda columns: duckdb.from_arrow(pa.table(columns)),
    "narwhals": lambda columns: narwhals.from_native(pl.DataFrame(columns)),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library(library, X, y, net):
    """Orders of columns other than that of the training used to give other labels."""

    def frame(names):
        return LIBRARIES[library]({name: X[:, NAMES.index(name)] for name in names})

    expected = net.predict_proba(X)
    for names in (NAMES, NAMES[::-1], ["flat", "wide", "long"], [*NAMES[2:], "more", *NAMES[:2]]):
        given = frame([name for name in names if name != "more"])
        if "more" in names and library in ("pandas", "pandas nullable", "pandas arrow"):
            given["more"] = "text"
        np.testing.assert_array_equal(net.predict_proba(given), expected)
    twin = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=2)
    twin.fit(frame(NAMES), y, training=sn.Training(3))
    assert twin.input_names == tuple(NAMES)
    np.testing.assert_array_equal(twin.without(inputs=[2]).predict_proba(X), expected)


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        ({"a": [0.5, 2.0], "b": [True, False]}, [[0.5, 1], [2, 0]]),
        ({"a": pd.array([1, 2], "Int64"), "b": [1.5, 0.0]}, [[1, 1.5], [2, 0]]),
        (
            {"a": pd.array([True, False], "boolean"), "b": pd.array([3, 4], "UInt8")},
            [[1, 3], [0, 4]],
        ),
        (
            {"a": pd.array([1.5, 2], "Float32"), "b": pd.array([1, 0], "int8[pyarrow]")},
            [[1.5, 1], [2, 0]],
        ),
        (
            {"a": pd.arrays.SparseArray([True, False]), "b": np.array([1, 2], ">f8")},
            [[1, 1], [0, 2]],
        ),
        ({"a": pl.Series([Decimal("1.5"), Decimal(2)]), "b": [1, 2]}, [[1.5, 1], [2, 2]]),
    ],
)  # fmt: skip
def test_numbers_and_bools_of_any_type(columns, values):
    """Frames of bools and floats, and of nullable types, used to be refused."""
    make = pl.DataFrame if isinstance(columns["a"], pl.Series) else pd.DataFrame
    told = sn.SparseMLP((2, 1)).as_inputs(make(columns))
    assert told.dtype == np.float32
    np.testing.assert_array_equal(told, values)


def test_dummies_and_pixels():
    dummies = pd.get_dummies(pd.DataFrame({"size": [0.5, 1, 2], "hue": ["red", "blue", "red"]}))
    net = sn.SparseMLP((3, 1)).fit(dummies, [0, 1, 1], training=ONCE)
    assert net.input_names == ("size", "hue_blue", "hue_red")
    pixels = pd.DataFrame(np.eye(4, dtype=np.uint8) * 255)
    net = sn.SparseMLP((4, 1)).fit(pixels, [0, 1, 0, 1], training=ONCE)
    assert net.as_inputs(pixels).dtype == np.uint8
    assert net.input_transform.scale.tolist() == pytest.approx([1 / 255] * 4)


def test_a_prediction_reads_the_columns_in_use_alone(X, y, net):
    frame = pd.DataFrame(X, columns=NAMES).astype({"high": object})
    frame["high"] = "text"
    np.testing.assert_array_equal(net.predict(frame), net.predict(X))
    with pytest.raises(TypeError, match=r"X must hold numbers and bools, got columns 'high'"):
        net.fit(frame, y)


def test_frames_are_not_changed(X, y, net):
    frame = pd.DataFrame(X[:, ::-1], columns=NAMES[::-1], index=range(50, 62))
    before = frame.copy()
    net.fit(frame, pd.Series(y), training=ONCE)  # by position: the index of y is another
    net.predict(frame)
    pd.testing.assert_frame_equal(frame, before)


# --- names --------------------------------------------------------------------------------------


def test_other_names_are_refused_with_the_difference(X, y, net, bits):
    frame = pd.DataFrame(X, columns=["long", "width", "high", "depth"])
    message = "X has no column 'wide', 'flat', which the network needs; .*'width', 'depth'$"
    for use in (net.predict, net.predict_proba, lambda X: sn.explain.attributions(net, X)):
        with pytest.raises(ValueError, match=message):
            use(frame)
    before = bits(net)
    for use in (net.fit, net.partial_fit):
        with pytest.raises(ValueError, match=r"X has no column 'high', which the network needs$"):
            use(pd.DataFrame(X, columns=NAMES).drop(columns="high"), y)
    with pytest.raises(ValueError, match="validation X has no column 'wide', 'flat'"):
        net.fit(X, y, validation=(frame, y))
    assert bits(net) == before


def test_the_names_of_the_first_fit_hold_for_its_validation_data(X, y):
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=2)
    frame, told = pd.DataFrame(X, columns=NAMES), []
    net.fit(
        frame, y, validation=(frame[NAMES[::-1]], y), training=sn.Training(2),
        callback=lambda progress: told.append(progress.score),
    )  # fmt: skip
    assert told[-1] == net.score(X, y)


def test_names_are_kept_at_the_first_fit_alone(X, y, tmp_path):
    frame = pd.DataFrame(X, columns=NAMES)
    net = sn.SparseMLP((4, 1))
    net.input_names = NAMES[::-1]
    assert net.fit(frame, y, training=ONCE).input_names == tuple(NAMES[::-1])
    net = sn.SparseMLP((4, 1)).fit(X, y, training=ONCE).fit(frame, y, training=ONCE)
    assert net.input_names is None
    net = sn.SparseMLP((4, 1)).partial_fit(frame, y)
    assert net.input_names == tuple(NAMES)
    net.save(tmp_path / "net.npz")
    again = sn.SparseMLP.load(tmp_path / "net.npz")
    assert again.score(frame[NAMES[::-1]], y) == net.score(X, y)


def test_a_training_that_diverges_keeps_no_names(X, y):
    net = sn.SparseMLP((4, 8, 1), init_scale=1.0)
    wild = sn.Training(3, optimizer=sn.SGD(1e30))
    with pytest.raises(sn.TrainingDiverged):
        net.fit(pd.DataFrame(X * 1e10, columns=NAMES), y, training=wild)
    assert net.input_names is None


def test_numbers_of_columns_are_no_names(X, y, net):
    assert sn.SparseMLP((4, 1)).fit(pd.DataFrame(X), y, training=ONCE).input_names is None
    np.testing.assert_array_equal(net.predict(pd.DataFrame(X)), net.predict(X))
    with pytest.raises(ValueError, match="X must have 4 columns, got 3"):
        net.predict(pd.DataFrame(X[:, :3]))
    mixed = pd.DataFrame(X).rename(columns={0: "long"})
    fitted = sn.SparseMLP((4, 1)).fit(mixed, y, training=ONCE)
    assert fitted.input_names == ("long", "1", "2", "3")
    np.testing.assert_array_equal(fitted.predict(mixed[[3, 2, 1, "long"]]), fitted.predict(X))


def test_prune_takes_frames(X, y):
    frame = pl.DataFrame(X, schema=NAMES)
    net = sn.SparseMLP((4, 3, 1), init_scale=1.0, seed=1)
    path = sn.prune(
        net, frame, y, validation=(frame.select(NAMES[::-1]), y), n_synapses=4,
        training=sn.Training(2), strategy=sn.Gradual(),
    )  # fmt: skip
    assert path.smallest.input_names == tuple(NAMES)
    assert net.input_names is None
    small = frame.select(path.smallest.used_columns)
    np.testing.assert_array_equal(path.smallest.predict(small), path.smallest.predict(X))


# --- what is refused ----------------------------------------------------------------------------

ODD = {
    "size": [0.5, 1.0],
    "hue": ["red", "blue"],
    "day": [datetime.date(2020, 1, 1)] * 2,
    "wait": [datetime.timedelta(1)] * 2,
}
BAD_FRAMES = {
    "words": (
        pl.DataFrame(ODD), TypeError,
        r"X must hold numbers and bools, got columns 'hue' \(String\), 'day' \(Date\), 'wait' "
        r"\(Duration\); sn.smallest_network .* sn.TableEncoder",
    ),
    "categories": (
        pd.DataFrame({"grade": pd.Categorical([1, 2], ordered=True)}), TypeError,
        r"X must hold .* got columns 'grade' \(",
    ),
    "complex": (pd.DataFrame({"z": [1j, 2]}), TypeError, r"got columns 'z' \(Unknown\)"),
    "many": (
        pd.DataFrame({f"c{i}": ["x"] for i in range(12)}), TypeError,
        r"'c9' \(String\), … \(12 in all\)",
    ),
    "a gap": (
        pd.DataFrame({"a": [1, 2], "b": pd.array([4, None], "Int64")}), ValueError,
        r"X must be finite in float32, got nan in row 1, column 'b'",
    ),
    "a gap of bools": (
        pl.DataFrame({"a": [True, None]}), ValueError, r"got nan in row 1, column 'a'",
    ),
    "infinity": (pl.DataFrame({"a": [1e39]}), ValueError, r"got inf in row 0, column 'a'"),
    "twice": (
        pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]), ValueError,
        r"X must have unique column names, got 'a' repeatedly",
    ),
    "twice as text": (
        pd.DataFrame([[1, 2]], columns=[1, "1"]), ValueError, r"unique column names, got '1' rep",
    ),
    "lazy": (pl.LazyFrame({"a": [1]}), TypeError, r"X is a lazy LazyFrame; pass X.collect\(\)"),
    "no rows": (pl.DataFrame({"a": []}), ValueError, r"X must hold at least .*got \(0, 1\)"),
    "no columns": (pd.DataFrame(), ValueError, r"X must hold at least .*got \(0, 0\)"),
    "unknown": (type("F", (), {"columns": ()})(), TypeError, "X must be a DataFrame, got F"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD_FRAMES)
def test_bad_frames_are_named(fault, bits):
    frame, error, message = BAD_FRAMES[fault]
    width = getattr(frame, "shape", (0, 0))[1]
    net = sn.SparseMLP((width or 1, 1))
    before = bits(net)
    for use in (lambda: net.fit(frame, [0, 1]), lambda: net.as_inputs(frame)):
        with pytest.raises(error, match=message):
            use()
    assert bits(net) == before


def test_without_narwhals():
    """An array needs no narwhals, and does not load it; a DataFrame says what installs it."""
    code = """
import sys
import numpy as np
import synaprune as sn
net = sn.SparseMLP((2, 1)).fit([[0, 1], [1, 0]], ["a", "b"])
net.predict(np.eye(2))
print("narwhals" in sys.modules, "pandas" in sys.modules)
sys.modules["narwhals"] = None
import pandas
try:
    net.predict(pandas.DataFrame(np.eye(2)))
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    first, second = done.stdout.splitlines()
    assert first == "False False"
    assert 'pip install "synaprune[tables]"' in second


# --- labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([0, 1, 1], dtype="Int64"),
        pd.Series([0.0, 1.0, 1.0]),
        pd.Series([False, True, True], dtype="boolean"),
        pd.Series(["a", "b", "b"]),
        pd.Series(["a", "b", "b"], dtype="string"),
        pd.Series(["a", "b", "b"], dtype="category"),
        pd.Series([3, 4, 4], dtype="category"),
        pd.Series([3, 4, 4], dtype="int64[pyarrow]"),
        pl.Series([0, 1, 1]),
        pl.Series(["a", "b", "b"]),
        pl.Series(["a", "b", "b"], dtype=pl.Categorical),
        pa.chunked_array([[False], [True, True]]),
    ],
)
def test_labels_of_any_series(labels):
    plain = labels.to_pylist() if hasattr(labels, "to_pylist") else labels.to_list()
    net = sn.SparseMLP((3, 1)).fit(np.eye(3), labels, training=ONCE)
    assert net.classes.tolist() == [plain[0], plain[1]]
    assert net.score(np.eye(3), labels) == (net.predict(np.eye(3)) == np.array(plain)).mean()


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([0, 1, None], dtype="Int64"),
        pd.Series([True, False, None], dtype="boolean"),
        pd.Series(["a", "b", None]),
        pd.Series(["a", "b", None], dtype="category"),
        pl.Series([0, 1, None]),
        pl.Series([True, False, None]),
        pl.Series(["a", "b", None]),
    ],
)
def test_a_missing_label_is_refused(labels):
    with pytest.raises(ValueError, match=r"y must hold .* got (None|nan|<NA>) in row 2"):
        sn.SparseMLP((3, 1)).fit(np.eye(3), labels)
