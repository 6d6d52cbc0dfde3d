"""Tables and inputs to predict from, out of CSV and NPZ files."""

import numpy as np
import pytest
from datasets.files import FRUIT, npz, rows_of, table
from hypothesis import given
from hypothesis import strategies as st
from synaprune import datasets

# --- CSV ----------------------------------------------------------------------------------------


def test_load_csv(tmp_path):
    data = datasets.load(table(tmp_path, "\ufeff" + FRUIT), target="kind")
    assert repr(data) == (
        "Dataset('table.csv': 2 inputs, 2 classes; 6 train, 2 validation, 2 test rows)"
    )
    assert data.input_names == ("gram", "cm")
    assert data.input_scaling == "standard"
    assert data.train.X.dtype == np.float32
    assert data.classes.tolist() == ["apple", "cherry"]
    rows = [(100 + i, i) for i in range(5)] + [(i + 0.5, i / 8) for i in range(5)]
    assert sorted(map(tuple, rows_of(data).tolist())) == sorted(rows)
    for split in (data.train, data.validation, data.test):
        assert ((split.X[:, 0] >= 100) == (split.y == "apple")).all()
    again = datasets.load_table(str(table(tmp_path, FRUIT.replace("\n", "\r\n\r\n"))), "kind")
    assert again.sha256 == data.sha256


@given(
    X=st.lists(
        st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=2
        ),
        min_size=1,
        max_size=8,
    )
)
def test_csv_numbers_keep_their_bits(tmp_path_factory, X):
    text = "a,b\n" + "".join(f"{a!r},{b!r}\n" for a, b in X)
    got = datasets.load_inputs(table(tmp_path_factory.getbasetemp(), text))
    assert got.tobytes() == np.array(X, np.float32).tobytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("102,apple", "102,1,apple", "3 as most of them: line 6 has 4"),
        ("102,apple", "apple", "3 as most of them: line 6 has 2"),
        ("102,apple", '"102"x,apple', "line 6: ',' expected after"),
        ("102,apple", '"102,apple', "unexpected end of data"),
        ("kind", "sort", "no column 'kind'; .* 'gram', 'sort', 'cm'"),
        (FRUIT, "", "the file is empty"),
        (FRUIT, "\n\n", "the file is empty"),
        (FRUIT, "kind\na\nb\n", "no columns besides the target 'kind'"),
        ("cherry", "apple", "'kind' holds only the label apple"),
    ],
)
def test_csv_faults(tmp_path, old, new, message):
    path = table(tmp_path, FRUIT.replace(old, new))
    with pytest.raises(ValueError, match=f"table.csv.*{message}"):
        datasets.load_table(path, "kind")


@pytest.mark.parametrize("encoder", [(np.eye(3), 1), np.eye(3), 0, "gram"])
def test_an_encoder_of_another_type_is_refused_before_the_file_is_read(tmp_path, encoder):
    with pytest.raises(TypeError, match=r"^encoder must be a TableEncoder, got "):
        datasets.load_table(tmp_path / "none.csv", "kind", encoder=encoder)


def test_a_small_class_is_in_the_training_split(tmp_path):
    # This used to end in "expected at least 3 rows of each class".
    data = datasets.load_table(table(tmp_path, FRUIT.replace("102,apple", "102,pear")), "kind")
    assert "pear" in data.train.y
    assert "pear" not in np.concatenate([data.validation.y, data.test.y])
    two = FRUIT.replace("cherry", "pear", 3).replace("cherry", "plum", 1)
    with pytest.raises(ValueError, match="at least 3 rows of each of 2 classes"):
        datasets.load_table(
            table(tmp_path, two.replace("pear", "fig", 1).replace("pear", "date", 1)), "kind"
        )


def test_columns_become_inputs_of_the_training_rows(tmp_path):
    rows = "".join(
        f"{i},{'red' if i % 3 else 'blue'},{'no' if i % 2 else 'yes'}\n" for i in range(30)
    )
    data = datasets.load_table(table(tmp_path, "size,colour,class\n" + rows), drop=())
    assert data.input_names == ("size", "colour=red")
    assert data.encoder.order == ("size", "colour")
    less = datasets.load_table(table(tmp_path, "size,colour,class\n" + rows), drop=["size"])
    assert less.input_names == ("colour=red",)
    with pytest.raises(ValueError, match=r"drop: .*table\.csv has no column 'weight'"):
        datasets.load_table(table(tmp_path, "size,colour,class\n" + rows), drop=["weight"])
    with pytest.raises(ValueError, match="drop: 'class' is the target"):
        datasets.load_table(table(tmp_path, "size,colour,class\n" + rows), drop=["class"])


@pytest.mark.parametrize("name", ["no.csv", "no.npz"])
@pytest.mark.parametrize("read", [datasets.load_table, datasets.load_inputs])
def test_table_needs_a_file(tmp_path, read, name):
    with pytest.raises(FileNotFoundError, match=f"{name}: no such file"):
        read(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"{name}: cannot be read"):
        read(tmp_path / name)


# --- NPZ ----------------------------------------------------------------------------------------

Y = np.arange(12) % 2


@pytest.mark.parametrize("dtype", ["uint8", "float32", ">f8", "int16", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_load_npz(tmp_path, dtype, order):
    X = np.arange(24).reshape(12, 2).astype(dtype, order=order)
    data = datasets.load(npz(tmp_path, X=X, y=Y))
    kept = np.uint8 if dtype == "uint8" else np.float32
    assert data.train.X.dtype == kept
    assert data.train.X.flags.c_contiguous
    assert data.input_scaling == ("auto" if dtype == "uint8" else "standard")
    assert data.input_names == ("x1", "x2")
    assert sorted(rows_of(data).tolist()) == sorted(X.tolist())
    assert list(map(len, (data.train, data.validation, data.test))) == [8, 2, 2]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (Y.astype(np.uint8), [0, 1]),
        (Y.astype(bool), [0, 1]),
        (np.where(Y, "b", "aa"), ["aa", "b"]),
        (np.where(Y, "b", "aa").astype(">U2"), ["aa", "b"]),
    ],
)
def test_npz_labels_by_name(tmp_path, y, classes):
    X = np.ones((12, 1), np.float32)
    data = datasets.load_table(npz(tmp_path, X=X, kind=y, input_names=["w"]), target="kind")
    assert data.classes.tolist() == classes
    assert data.input_names == ("w",)
    assert data.train.y.dtype.kind == ("U" if isinstance(classes[0], str) else "i")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.ones(12)}, r"X: expected numbers of shape \(n, d\).*float64 \(12,\)"),
        ({"X": np.ones((12, 0))}, "X: expected numbers"),
        ({"X": np.ones((0, 2)), "y": Y[:0]}, "X: expected numbers"),
        ({"X": np.full((12, 1), "1")}, "X: expected numbers"),
        ({"X": np.full((12, 1), 1j)}, "X: expected numbers"),
        ({"X": np.full((12, 1), np.nan)}, "row 0 of X, column 'x1': .*finite.* got nan"),
        ({"X": np.eye(12) * 1e300}, "row 0 of X, column 'x1': .*finite.* got inf"),
        ({"X": np.full((12, 1), None)}, "not a readable NPZ archive .*allow_pickle"),
        ({"y": Y[:-1]}, r"y: expected shape \(12,\), as X has 12 rows, got \(11,\)"),
        ({"y": Y / 2}, "y: expected int64 or string labels, got float64"),
        ({"y": np.full(12, 2**63)}, "y: expected int64 or string labels, got uint64"),
        ({"y": Y * 0}, r"at least 2 classes, got \[0\]"),
        ({"input_names": ["a"]}, "1 input_names for 2 columns"),
        ({"input_names": ["a"], "X": np.full((12, 2), np.nan)}, "1 input_names for 2 columns"),
        ({"input_names": ["a", "a"]}, "two columns are named 'a'"),
        ({"input_names": ["a", ""]}, "column 2 has no name"),
        ({"input_names": [1, 2]}, r"input_names: expected one row of strings, got int64 \(2,\)"),
    ],
)
def test_npz_faults(tmp_path, arrays, message):
    path = npz(tmp_path, **{"X": np.ones((12, 2)), "y": Y, **arrays})
    with pytest.raises(ValueError, match=f"table.npz.*{message}"):
        datasets.load_table(path)


def test_npz_without_the_arrays(tmp_path):
    with pytest.raises(ValueError, match="no array 'X', 'kind'; it has 'data', 'y'"):
        datasets.load_table(npz(tmp_path, data=Y, y=Y), target="kind")


def test_damaged_npz(tmp_path):
    path = npz(tmp_path, X=np.ones((12, 2)), y=Y)
    whole = path.read_bytes()
    np.save(tmp_path / "array.npy", Y)
    bare = (tmp_path / "array.npy").read_bytes()
    for content in (b"", b"text", whole[:-30], whole[:150] + b"\xff" * 9 + whole[159:], bare):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"table.npz: not a readable NPZ archive"):
            datasets.load_table(path)


# --- inputs to predict from ---------------------------------------------------------------------


def test_load_inputs_chooses_columns_by_name(tmp_path):
    path = table(tmp_path, "b,note,a,y\n1,what,2,x\n3,,4,\n")
    X = datasets.load_inputs(path, ["a", "b"])
    assert X.dtype == np.float32
    assert not X.flags.writeable
    assert X.tolist() == [[2, 1], [4, 3]]
    with pytest.raises(ValueError, match="no column 'c', 'd'; it has 'b', 'note', 'a', 'y'"):
        datasets.load_inputs(path, ["c", "a", "d"])
    with pytest.raises(ValueError, match="'a' has '' in row 2; 'note' has 'what' in row 1"):
        datasets.load_inputs(table(tmp_path, "b,note,a,y\n1,what,2,x\n3,,,\n"), ["a", "note"])


def test_load_inputs_from_npz(tmp_path):
    X = np.array([[1, 2], [3, 4]], np.uint8)
    path = npz(tmp_path, X=X)
    got = datasets.load_inputs(path, ["p", "q"])
    assert got.dtype == np.float32
    assert not got.flags.writeable
    np.testing.assert_array_equal(got, X)
    with pytest.raises(ValueError, match="expected 3 columns in X, got 2"):
        datasets.load_inputs(path, ["p", "q", "r"])
    path = npz(tmp_path, X=X, input_names=["q", "p"])
    got = datasets.load_inputs(path, ["p", "q"])
    assert got.tolist() == [[2, 1], [4, 3]]
    assert got.flags.c_contiguous
    with pytest.raises(ValueError, match="no column 'r'; it has 'q', 'p'"):
        datasets.load_inputs(path, ["r"])
