"""DataFrames as tables: what their columns become, and networks that keep their encoder."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import synaprune as sn

NAN = float("nan")


def cells(values, **options):
    """The column that a table has of a pandas column, or of another library's."""
    column = values if isinstance(values, pl.Series) else pd.Series(values, **options)
    frame = pl.DataFrame({"c": column}) if isinstance(column, pl.Series) else column.to_frame("c")
    return sn.Table.from_dataframe(frame).columns["c"]


# --- types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], [1.0, 2.0]),
        (pd.array([1, None], "Int64"), [1.0, NAN]),
        (pd.array([1.5, None], "float[pyarrow]"), [1.5, NAN]),
        (pl.Series([1.5, NAN, None, float("inf")]), [1.5, NAN, NAN, float("inf")]),
        (pl.Series([Decimal("1.5"), None]), [1.5, NAN]),
        (pd.Series([dt.timedelta(hours=36), None]), [1.5, NAN]),
        (pl.Series([dt.timedelta(hours=36), None]), [1.5, NAN]),
        (pd.arrays.SparseArray([0, 7]), [0.0, 7.0]),
        (pl.Series([None, None]), [NAN, NAN]),
    ],
)
def test_numbers_stay_numbers(values, expected):
    column = cells(values)
    assert column.dtype == np.float64
    np.testing.assert_array_equal(column, expected)


PRAGUE = dt.timezone(dt.timedelta(hours=1))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", None, ""], ["a", "", ""]),
        (pd.array(["a", None], "string[pyarrow]"), ["a", ""]),
        ([True, False], ["True", "False"]),
        (pd.array([True, None], "boolean"), ["True", ""]),
        (pl.Series([True, None]), ["True", ""]),
        (pd.Categorical(["b", None, "a"], ["b", "a"], ordered=True), ["b", "", "a"]),
        (pd.Categorical([1.0, 2.5]), ["1", "2.5"]),
        (pd.cut([1, 9], [0, 5, 10]), ["(0, 5]", "(5, 10]"]),
        (pl.Series(["b", None], dtype=pl.Enum(["a", "b"])), ["b", ""]),
        (pd.to_datetime(["2020-02-03", None]), ["2020-02-03", ""]),
        (pd.to_datetime(["2020-02-03"]).tz_localize(PRAGUE), ["2020-02-02T23:00"]),
        (pl.Series([dt.date(2020, 2, 3), None]), ["2020-02-03", ""]),
        (pl.Series([dt.time(12, 30), None]), ["12:30:00", ""]),
        (pd.Series([dt.date(2020, 2, 3), None, pd.NaT], dtype=object), ["2020-02-03", "", ""]),
        ([1, "a", None, Decimal("0.5"), True, 2.0], ["1", "a", "", "0.5", "True", "2"]),
        ([2**53 + 1, 0], ["9007199254740993", "0"]),
    ],
)
def test_all_else_is_text_as_a_file_has_it(values, expected):
    assert cells(values).tolist() == expected


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"a": [[1]], "b": [1], "c": [{"x": 1}]}), r"'a' \(List\), 'c' \(Struct\)"),
        (pd.DataFrame({"a": [[1], [2]]}), r"'a' \(Object\)"),
        (pd.DataFrame({"a": [b"x"]}), r"'a' \(Object\)"),
        (pa.table({"a": [b"x"]}), r"'a' \(Binary\)"),
        (pd.DataFrame({"a": [1j]}), r"'a' \(Unknown\)"),
    ],
)
def test_nested_columns_are_refused(frame, message):
    with pytest.raises(TypeError, match=rf"DataFrame: each cell must hold .* columns {message}; "):
        sn.Table.from_dataframe(frame)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (pl.DataFrame({"a": []}), ValueError, "^DataFrame: no rows$"),
        (pd.DataFrame(), ValueError, "^DataFrame: no rows$"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "^data must have unique .* 'a'"),
        (pl.LazyFrame({"a": [1]}), TypeError, r"^data is a lazy LazyFrame; pass data.collect\(\)"),
        (np.eye(2), TypeError, "^data must be a DataFrame, got ndarray"),
        (pd.Series([1]), TypeError, "^data must be a DataFrame, got Series"),
    ],
)
def test_what_is_no_table_is_refused(data, error, message):
    with pytest.raises(error, match=message):
        sn.Table.from_dataframe(data)


def test_names_and_some_of_the_columns():
    frame = pd.DataFrame([[1, 2.5, "x"]], columns=[7, ("a", 1), "b"], index=["row"])
    table = sn.Table.from_dataframe(frame, "mine")
    assert repr(table) == """Table('mine': 1 rows; '7', "('a', 1)", 'b')"""
    assert sn.Table.from_dataframe(frame, columns=["b", "7"]).names == ("b", "7")
    with pytest.raises(ValueError, match="DataFrame: no column 'c'; it has '7'"):
        sn.Table.from_dataframe(frame, columns=["c"])


def test_rows_and_columns_of_a_table():
    table = sn.Table.from_rows([["1", "x"], ["2", "y"], ["3", "z"]], ["a", "b"])
    assert (table.source, table.headerless, table.notes) == ("table", False, ())
    assert table.take(np.array([2, 0])).columns["b"].tolist() == ["z", "x"]
    assert table.take(np.array([False, True, False])).columns["a"].tolist() == ["2"]
    assert table.noting("one").noting("two", "three").notes == ("one", "two", "three")
    assert table.without("b").names == table.without(["b", "b"]).names == ("a",)
    assert table.without([]).names == table.names == ("a", "b")
    assert (len(sn.Table({})), len(sn.Table.from_rows([], ["a"]))) == (0, 0)
    told = sn.Table.from_rows([["1"]], ["a"], "mine").noting("read").without([])
    assert (told.source, told.notes) == ("mine", ("read",))
    with pytest.raises(ValueError, match=r"^drop: table has no column 'ab'; it has 'a', 'b'$"):
        table.without("ab")
    with pytest.raises(ValueError, match=r"^keep: table has no column 'c', 'd'; it has 'a', 'b'$"):
        table.check_names(["c", "a", "d"], "keep")
    with pytest.raises(ValueError, match=r"row 0 must hold 1 cells"):
        sn.Table.from_rows([["1", "2"]], ["a"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2**53, -(2**53)], [2.0**53, -(2.0**53)]),
        ([2**53 + 1, -7], ["9007199254740993", "-7"]),
        ([-7, -(2**53) - 2], ["-7", "-9007199254740994"]),
        (np.array([255, 0], np.uint8), [255.0, 0.0]),
        (np.array([2**64 - 1], np.uint64), ["18446744073709551615"]),
        (pd.array([2**60, None], "Int64"), ["1152921504606846976", ""]),
        (pd.to_datetime(["2020-02-03 10:30:00", None]), ["2020-02-03T10:30", ""]),
    ],
)
def test_numbers_are_exact_or_text(values, expected):
    assert cells(values).tolist() == expected


# --- the encoder --------------------------------------------------------------------------------


def sales(n=40, seed=0):
    """Rows of all kinds; `grade` looks like a number, and is a category."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "grade": pd.Categorical(rng.integers(1, 4, n), categories=[3, 1, 2], ordered=True),
            "open": rng.random(n) < 0.5,
            "day": pd.Timestamp("2020-01-31", tz="Europe/Prague")
            + pd.to_timedelta(rng.integers(0, 99, n), "D"),
            "wait": pd.to_timedelta(rng.integers(1, 9, n), "h"),
            "left": pd.array(
                np.where(rng.random(n) < 0.3, None, 4 - rng.integers(0, 3, n)), "Int8"
            ),
            "tags": "none",
        }
    )


def test_the_encoder_takes_a_dataframe_as_the_file_of_it(tmp_path):
    frame = sales()
    encoder = sn.TableEncoder.fit(frame)
    assert encoder.input_names == (
        "size", "grade=1", "grade=2", "grade=3", "open=True", "day: days", "day: month",
        "day: weekday", "wait", "left", "left is missing",
    )  # fmt: skip
    told = encoder.transform(frame)
    np.testing.assert_array_equal(told, encoder.transform(pl.from_pandas(frame)))
    np.testing.assert_array_equal(told[:, 2], frame["grade"] == 2)
    np.testing.assert_allclose(told[:, 8], frame["wait"] / pd.Timedelta("1D"), rtol=1e-6)
    frame.drop(columns="wait").to_csv(tmp_path / "sales.csv", index=False)
    there = [i for i in range(11) if i != 8]
    again = encoder.transform(sn.read_table(tmp_path / "sales.csv"), there)
    np.testing.assert_allclose(again[:, there], told[:, there], rtol=1e-6)
    with pytest.raises(TypeError, match="table must be a Table or DataFrame, got ndarray"):
        encoder.transform(told)


def test_a_category_is_one_whatever_it_looks_like():
    values = ["2020-01-01", "2020-01-02"] * 9
    frame = pl.DataFrame({"day": values, "code": values}, schema_overrides={"code": pl.Categorical})
    encoder = sn.TableEncoder.fit(frame)
    assert [column.kind for column in encoder.columns] == ["dates", "categories"]
    rows = sn.Table.from_dataframe(frame).take(np.arange(9)).without(["day"])
    assert sn.TableEncoder.fit(rows).input_names == ("code=2020-01-02",)


def test_columns_that_are_not_needed_are_not_read():
    frame = sales()
    encoder = sn.TableEncoder.fit(frame[["size", "open"]])
    frame["tags"] = [[1, 2]] * len(frame)
    np.testing.assert_array_equal(encoder.transform(frame)[:, 1], frame["open"])
    with pytest.raises(ValueError, match=r"DataFrame: no column 'open'; it has 'tags', 'size'$"):
        encoder.transform(frame[["tags", "size"]])


# --- smallest_network ---------------------------------------------------------------------------


@pytest.fixture
def inputs_of(monkeypatch):
    """What `smallest_network` would train on: (inputs, labels, encoder)."""

    def of(*args, **kwargs):
        found = []

        def task(inputs, targets, recipe, seed, encoder, names, *others):
            found.append((inputs, targets.of(slice(None)), encoder))
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("synaprune.search._smallest_network.Task", task)
            with pytest.raises(KeyboardInterrupt):
                sn.smallest_network(*args, **kwargs)
        return found[0]

    return of


@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.arange(n) % 2 == 0,
        lambda n: pd.array(np.arange(n) % 3, "Int64"),
        lambda n: np.array(["0", "1"])[np.arange(n) % 2],
        lambda n: pd.Categorical(np.array(["no", "yes"])[np.arange(n) % 2]),
        lambda n: np.arange(n) % 2 * 1.0,
    ],
)
def test_labels_in_a_column_keep_their_type(make, inputs_of):
    """The labels that a network says can be compared to those of the column."""
    frame = sales()
    frame.insert(2, "target", make(len(frame)))
    inputs, labels, encoder = inputs_of(frame, "target")
    assert "target" not in encoder.order
    assert (labels == frame["target"].to_numpy()).all()
    others = inputs_of(frame.drop(columns="target"), frame["target"])
    np.testing.assert_array_equal(others[0], inputs)
    np.testing.assert_array_equal(others[1], labels)
    assert inputs_of(pl.from_pandas(frame), "2")[1].tolist() == labels.tolist()


def test_rows_without_a_label_are_left_out(inputs_of):
    frame = sales()
    frame["target"] = pd.array([True, False, None, True] * 10, "boolean")
    inputs, labels, encoder = inputs_of(frame, "target")
    assert labels.dtype == bool
    kept = frame[frame["target"].notna()]
    np.testing.assert_array_equal(encoder.transform(kept), inputs)
    with pytest.raises(ValueError, match="y must hold a label in each row, got <NA> in row 2"):
        sn.smallest_network(frame.drop(columns="target"), frame["target"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": "colour"}, ValueError, "no column 'colour'; target must be"),
        ({"y": "colours", "metric": "r2"}, ValueError, "no column 'colours'"),
        ({"y": "day"}, TypeError, "y must hold ints, bools, strings or whole floats"),
        ({"y": [0, 1]}, ValueError, "y must have one label a sample, 40, got 2"),
        ({"y": "open", "input_names": ["a"]}, TypeError, "input_names must be left out"),
        ({"X": pl.LazyFrame({"a": [1]}), "y": "a"}, TypeError, "X is a lazy LazyFrame; pass X.col"),
        ({"X": pd.DataFrame(), "y": "a"}, ValueError, "DataFrame: no rows"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        sn.smallest_network(**({"X": sales()} | arguments))


def test_a_network_with_an_encoder_takes_dataframes(tmp_path):
    frame = sales(60)
    encoder = sn.TableEncoder.fit(frame)
    net = sn.SparseMLP((len(encoder.input_names), 1), init_scale=1.0)
    net.encoder = encoder
    net.fit(frame, np.where(frame["grade"] == 2, "two", "other"), training=sn.Training(200))
    net = net.without(inputs=[name for name in net.input_names if "grade" not in name])
    assert net.used_columns == ["grade"]
    new = sales(20, seed=5)
    expected = np.where(new["grade"] == 2, "two", "other")
    net.save(tmp_path / "net.npz")
    for given in (new, new[["tags", "grade"]], pl.from_pandas(new), new.astype({"grade": int})):
        assert net.predict(given).tolist() == expected.tolist()
        assert sn.SparseMLP.load(tmp_path / "net.npz").score(given, expected) == 1.0
    with pytest.raises(ValueError, match="no column 'grade'; it has 'size'"):
        net.predict(new[["size"]])
    with pytest.raises(ValueError, match="no column 'size'"):
        net.fit(new[["grade"]], expected)  # training needs all columns
    trained = net.copy().fit(new, pd.Series(expected), training=sn.Training(1))
    assert trained.input_names == net.encoder.input_names


@pytest.mark.parametrize("column", ["whole", "price", "share"])
def test_amounts_in_a_column_are_numbers_to_predict(column, inputs_of):
    n = 80
    frame = pd.DataFrame({"size": np.arange(n) % 17, "whole": 3 * np.arange(n)})
    frame["price"] = [f"${1000 + i:,.2f}" for i in range(n)]
    frame["share"] = np.arange(n) % 4 / 8
    for given in (frame, pl.from_pandas(frame)):
        numbers = inputs_of(given[["size", column]], column)[1]
        assert numbers.dtype == np.float64
        assert len(np.unique(numbers)) == (4 if column == "share" else n)


def test_rows_that_judge_are_read_by_name():
    X = np.random.default_rng(0).normal(size=(120, 3))
    y = X[:, 0] + 2.0 * X[:, 1]
    frame = pd.DataFrame(X, columns=list("abc"))
    quick = {"max_updates": 300, "candidates": [sn.search.Candidate((), 0.0)]}
    result = sn.smallest_network(
        X, y, input_names=list("abc"), validation=(frame[list("cba")], y), **quick
    )
    assert result.expected.value > 0.99
