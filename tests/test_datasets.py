import dataclasses
import gzip
import hashlib
import http.server
import logging
import pickle
import struct
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synaprune import datasets
from synaprune.datasets import _mnist
from synaprune.datasets._splits import stratified

# --- helpers ------------------------------------------------------------------------------------

MNIST_REPR = (
    "Dataset('mnist': 784 inputs, 10 classes; 55000 train, 5000 validation, 10000 test rows)"
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("SYNAPRUNE_DATA_DIR", "SYNAPRUNE_MNIST_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def mnist(mnist_dir):
    return datasets.mnist(mnist_dir)


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`, a dict from name to bytes, and counts what it is asked for."""

    def __init__(self):
        self.files, self.requests = {}, []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/mirror"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        content = self.server.files.get(self.path.removeprefix("/mirror/"))
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Put a local mirror in place of the known ones, and an empty folder in place of the cache."""
    pooch = pytest.importorskip("pooch")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("SYNAPRUNE_MNIST_URL", server.url)
        yield server
        server.shutdown()
        thread.join()


def cached(tmp_path):
    return sorted(path.name for path in tmp_path.glob("cache/synaprune/mnist/*"))


def table(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def npz(tmp_path, **arrays):
    path = tmp_path / "table.npz"
    np.savez(path, **arrays)
    return path


def rows_of(data):
    return np.concatenate([split.X for split in (data.train, data.validation, data.test)])


# --- Split and Dataset --------------------------------------------------------------------------


def test_xor_is_the_same_four_rows_three_times():
    data = datasets.xor()
    X, y = data.train
    assert X.dtype == np.float32
    assert y.dtype == np.int64
    assert (y == np.logical_xor(X[:, 0], X[:, 1])).all()
    assert len(np.unique(X, axis=0)) == 4
    assert data.validation is data.train
    assert data.test is data.train
    assert len(data.train) == 4
    assert (data.n_inputs, data.n_classes, data.classes.tolist()) == (2, 2, [0, 1])
    assert (data.input_names, data.input_scaling, data.image_shape) == (("x1", "x2"), "auto", None)
    assert repr(data.train) == "Split(X (4, 2) float32, y (4,) int64)"


def test_arrays_and_fields_cannot_be_changed():
    data = datasets.xor()
    for array in (*data.train, data.classes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "or"


def test_split_leaves_the_callers_array_writable():
    X = np.zeros((3, 2))
    assert np.shares_memory(datasets.Split(X, np.arange(3)).X, X)
    X[0] = 1


@pytest.mark.parametrize(("shape_x", "shape_y"), [((3,), (3,)), ((3, 2), (4,)), ((3, 2), (3, 1))])
def test_split_shapes(shape_x, shape_y):
    with pytest.raises(ValueError, match=r"expected shapes \(n, d\) and \(n,\), got"):
        datasets.Split(np.zeros(shape_x), np.zeros(shape_y))


def test_dataset_parts_must_fit():
    data = datasets.xor()
    with pytest.raises(ValueError, match=r"input_names: 1 names .* \[2, 2, 2\]"):
        dataclasses.replace(data, input_names=("x1",))
    with pytest.raises(ValueError, match=r"input_scaling: .* got 'log'"):
        dataclasses.replace(data, input_scaling="log")


def test_sha256_is_of_the_data_alone():
    data = datasets.xor()
    X, y = data.train
    assert data.sha256 == datasets.xor().sha256 == pickle.loads(pickle.dumps(data)).sha256
    assert len(data.sha256) == 64

    def digest(X, y):
        split = datasets.Split(X, y)
        return datasets.Dataset(
            "other", split, split, split, ("a",) * X.shape[1], "standard"
        ).sha256

    assert digest(X.astype(">f4", order="F"), y.astype(np.int8)) == data.sha256
    others = [
        (X.astype(np.uint8), y),
        (X.T.reshape(4, 2), y),
        (X, y[[1, 0, 2, 3]]),
        (X, y.astype(str)),
        (X[:2], y[:2]),
        (X[:, :1], y),
    ]
    digests = {data.sha256, *(digest(*other) for other in others)}
    assert len(digests) == 1 + len(others)


# --- splits -------------------------------------------------------------------------------------


@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=6),
    seed=st.integers(0, 2**63),
    order=st.randoms(use_true_random=False),
)
def test_stratified_parts(counts, seed, order):
    y = [label for label, count in enumerate(counts) for _ in range(count)]
    order.shuffle(y)
    y = np.array(y)
    fifth = len(y) // 5
    parts = stratified(y, (fifth, fifth), seed)
    assert sorted(np.concatenate(parts)) == list(range(len(y)))
    assert len(parts[1]) == len(parts[2]) >= fifth
    got = [np.bincount(y[part], minlength=len(counts)) for part in parts]
    assert np.min(got) >= 1  # every class is in every part
    exact = np.array(counts) * fifth / len(y)
    for part in got[1:]:
        assert ((abs(part - exact) < 1) | (part == 1)).all()
    if min(counts) >= 10:
        assert len(parts[1]) == fifth


def test_stratified_never_changes():
    # Golden rows: whoever changes them moves test rows into training sets of saved models.
    y = np.arange(30) % 3
    train, validation, test = stratified(y, (6, 6), 1)
    assert validation.tolist() == [15, 20, 21, 23, 25, 28]
    assert test.tolist() == [3, 4, 8, 10, 14, 24]
    assert len(train) == 18
    assert stratified(y, (6, 6), 2)[1].tolist() != validation.tolist()


# --- digits -------------------------------------------------------------------------------------


def test_digits():
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    data = datasets.digits()
    assert data.train.X.dtype == np.float32
    assert data.train.y.dtype == np.int64
    assert (data.image_shape, data.input_names[9], data.n_classes) == ((8, 8), "pixel_1_1", 10)
    expected = load_digits().data / 16
    assert sorted(map(tuple, rows_of(data))) == sorted(map(tuple, expected))
    assert data.sha256 == datasets.digits().sha256
    assert data.sha256 == "39f6e401bcbb7295f9df2e0753e28e67ec74a734d511bde0714577b38ae58f1a"


def test_digits_without_sklearn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'sklearn .*pip install "synaprune\[sklearn\]"'):
        datasets.digits()


# --- IDX ----------------------------------------------------------------------------------------


def idx(array):
    array = np.asarray(array, np.uint8)
    return b"\0\0\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["plain", "named.gz"])
def test_read_idx(tmp_path, shape, compress, name):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    got = datasets.read_idx(table(tmp_path, compress(idx(array)), name))
    assert got.dtype == np.uint8
    assert not got.flags.writeable
    np.testing.assert_array_equal(got, array)


GOOD = idx(np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated IDX file of 0 bytes"),
        (GOOD[:3], "truncated"),
        (GOOD[:9], "truncated IDX file, its header has 12"),
        (GOOD[:-1], r"truncated IDX file, expected 18 bytes for shape \(2, 3\), got 17"),
        (GOOD + b"x", "too long IDX file, expected 18 .* got 19"),
        (b"\0\0\x0d" + GOOD[3:], "unsigned bytes .* got magic 00000d02"),
        (b"\x89PNG" + GOOD, "got magic 89504e47"),
        (b"\0\0\x08\0", "got magic 00000800"),
        (b"\0\0\x08\xff" + bytes(2000), "got magic 000008ff"),
        (b"\0\0\x08\x02" + b"\xff" * 4 + bytes(4), "without values"),
        (gzip.compress(GOOD)[:-9], "corrupt gzip file"),
        (gzip.compress(GOOD)[:5], "corrupt gzip file"),
        (gzip.compress(GOOD)[:14] + b"\xff" * 30, "corrupt gzip file"),
        (gzip.compress(GOOD) + b"tail", "corrupt gzip file"),
    ],
)
def test_read_idx_faults(tmp_path, content, message):
    path = table(tmp_path, content, "fault.gz")
    with pytest.raises(ValueError, match=f"fault.gz: .*({message})"):
        datasets.read_idx(path)


@given(content=st.binary(max_size=40), valid=st.booleans())
def test_read_idx_of_any_bytes(tmp_path_factory, content, valid):
    path = table(tmp_path_factory.getbasetemp(), b"\0\0\x08" * valid + content, "any")
    try:
        size = datasets.read_idx(path).size
    except ValueError as error:
        size = str(error).startswith(f"{path}: ")
    assert size > 0


def test_read_idx_needs_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing: no such file"):
        datasets.read_idx(tmp_path / "nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        datasets.read_idx(tmp_path)


# --- MNIST from a folder ------------------------------------------------------------------------


def test_mnist(mnist, mnist_dir):
    assert repr(mnist) == MNIST_REPR
    assert mnist.train.X.dtype == np.uint8
    assert mnist.train.y.dtype == np.int64
    assert (mnist.image_shape, mnist.input_names[29]) == ((28, 28), "pixel_1_1")
    assert mnist.input_scaling == "auto"
    assert mnist.classes.tolist() == list(range(10))
    y = datasets.read_idx(mnist_dir / "train-labels-idx1-ubyte.gz")
    exact = np.bincount(y) / 12
    assert (abs(np.bincount(mnist.validation.y) - exact) < 1).all()
    test_X = datasets.read_idx(mnist_dir / "t10k-images-idx3-ubyte.gz").reshape(10000, 784)
    np.testing.assert_array_equal(mnist.test.X, test_X)
    X = datasets.read_idx(mnist_dir / "train-images-idx3-ubyte.gz").reshape(60000, 784)
    total = X.sum(axis=0, dtype=np.int64)
    parts = (
        mnist.train.X.sum(axis=0, dtype=np.int64),
        mnist.validation.X.sum(axis=0, dtype=np.int64),
    )
    np.testing.assert_array_equal(sum(parts), total)
    assert mnist.sha256 == "47e1ef9cfb04414b5ceaf39ef0a61583e655d136a29b3e6bbf72c21ad433a00a"


@pytest.mark.parametrize("place", ["", "mnist"])
def test_mnist_in_a_data_folder_plain_or_gz(monkeypatch, mnist_dir, mnist, tmp_path, place):
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(_mnist.SHA256):
        if number % 2:
            (folder / f"{name}.gz").symlink_to(mnist_dir / f"{name}.gz")
        else:
            (folder / name).write_bytes(gzip.decompress((mnist_dir / f"{name}.gz").read_bytes()))
    if place:
        monkeypatch.setenv("SYNAPRUNE_DATA_DIR", str(tmp_path))
        data = datasets.load("mnist")
    else:
        data = datasets.load("mnist", data_dir=tmp_path)
    np.testing.assert_array_equal(data.validation.X, mnist.validation.X)
    np.testing.assert_array_equal(data.test.y, mnist.test.y)


def test_given_folder_without_mnist(tmp_path):
    (tmp_path / "mnist").mkdir()
    table(tmp_path / "mnist", b"", "train-images-idx3-ubyte")  # one of four
    with pytest.raises(FileNotFoundError) as caught:
        datasets.mnist(tmp_path)
    for part in (str(tmp_path / "mnist"), f" or {tmp_path}:", "t10k-labels-idx1-ubyte"):
        assert part in str(caught.value)


def test_wrong_file_in_a_folder(tmp_path):
    for name in _mnist.SHA256:
        table(tmp_path, GOOD, name)
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte: expected .*ba891046.* got "):
        datasets.mnist(tmp_path)


# --- MNIST by download --------------------------------------------------------------------------


def test_download_is_checked_repaired_and_kept(
    server, mnist_dir, mnist, tmp_path, monkeypatch, caplog, capfd
):
    caplog.set_level(logging.DEBUG, logger="pooch")
    monkeypatch.setenv("SYNAPRUNE_DATA_DIR", str(tmp_path))  # lacks the files: falls through
    server.files = {path.name: path.read_bytes() for path in mnist_dir.glob("*.gz")}
    labels = "t10k-labels-idx1-ubyte.gz"
    good, server.files[labels] = server.files[labels], gzip.compress(GOOD)
    with pytest.raises(ConnectionError) as caught:
        datasets.mnist()
    expected = _mnist.SHA256["t10k-labels-idx1-ubyte"]
    for part in (f"{server.url}/{labels}", expected, "got ", "--data-dir", "SYNAPRUNE_DATA_DIR"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(cached(tmp_path)) == 3

    server.files[labels] = good
    assert datasets.mnist().sha256 == mnist.sha256
    assert len(server.requests) == 5
    assert len(cached(tmp_path)) == 4

    server.requests.clear()
    assert len(datasets.mnist().test) == 10000
    assert server.requests == []

    (tmp_path / "cache" / "synaprune" / "mnist" / labels).write_bytes(good[:-20])
    assert len(datasets.mnist().test) == 10000
    assert server.requests == [f"/mirror/{labels}"]
    assert not [record for record in caplog.records if record.name == "pooch"]
    assert capfd.readouterr() == ("", "")


def test_next_mirror_is_tried(server, monkeypatch, tmp_path):
    name = "t10k-labels-idx1-ubyte"
    monkeypatch.setitem(_mnist.SHA256, name, hashlib.sha256(GOOD).hexdigest())
    monkeypatch.delenv("SYNAPRUNE_MNIST_URL")
    monkeypatch.setattr(_mnist, "MIRRORS", (f"{server.url}/absent/", f"{server.url}/"))
    server.files[f"{name}.gz"] = GOOD  # as some servers send it: uncompressed on the way
    np.testing.assert_array_equal(_mnist._fetch(name), [[0, 1, 2], [3, 4, 5]])
    assert server.requests == [f"/mirror/absent/{name}.gz", f"/mirror/{name}.gz"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (None, "404 Client Error"),
        ("http://127.0.0.1:9", "Failed to establish a new connection"),
        ("gopher://127.0.0.1", "gopher"),
        ("http://:80", "Invalid URL"),
    ],
)
def test_failed_download(server, monkeypatch, tmp_path, url, reason):
    monkeypatch.setenv("SYNAPRUNE_MNIST_URL", url or server.url)
    with pytest.raises(ConnectionError, match=reason) as caught:
        datasets.mnist()
    for part in (url or server.url, "--data-dir", "SYNAPRUNE_DATA_DIR"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert cached(tmp_path) == []


def test_muting_pooch_leaves_its_logger_as_it_was(server, caplog):
    import pooch

    logger = pooch.get_logger()
    before = logger.level, list(logger.filters), list(logger.handlers)
    with pytest.raises(ConnectionError):
        datasets.mnist()
    assert (logger.level, logger.filters, logger.handlers) == before


def test_download_without_pooch(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r'pooch .*pip install "synaprune\[cli\]"'):
        datasets.mnist()


# --- CSV ----------------------------------------------------------------------------------------

FRUIT = "gram,kind,cm\n" + "".join(f"{100 + i},apple,{i}\n{i}.5,cherry,{i / 8}\n" for i in range(5))


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


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("0 1", [0, 1]),
        ("+1 -1", [-1, 1]),
        ("01 1", ["01", "1"]),
        ("1.0 2.0", ["1.0", "2.0"]),
        ("1 b", ["1", "b"]),
        ("9999999999999999999 1", ["1", "9999999999999999999"]),
        ("ja né", ["ja", "né"]),
    ],
)
def test_csv_labels(tmp_path, labels, expected):
    text = "x, y\n" + "".join(f"1, {label}\n" for label in labels.split() * 3)
    data = datasets.load_table(table(tmp_path, text), "y")
    assert data.classes.tolist() == expected
    assert data.train.y.dtype.kind == ("i" if isinstance(expected[0], int) else "U")


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
        ("102,apple", "heavy,apple", r"line 6, column 'gram': expected a number, got 'heavy'"),
        ("102,apple", " ,apple", "line 6, column 'gram': expected a number, got an empty cell"),
        ("102,apple", "nan,apple", "line 6, column 'gram': expected a finite number .*got nan"),
        ("apple,2", "apple,-inf", "line 6, column 'cm': expected a finite number .*got -inf"),
        ("apple,2", "apple,1e300", "line 6, column 'cm': expected a finite number .*got inf"),
        ("102,apple", "102, ", "line 6, column 'kind': empty label"),
        ("102,apple", "102,1,apple", "line 6: expected 3 cells, got 4"),
        ("102,apple", "apple", "line 6: expected 3 cells, got 2"),
        ("102,apple", '"102"x,apple', "line 6: ',' expected after"),
        ("gram", "cm", "two columns are named 'cm'"),
        ("gram", " ", "column 1 has no name"),
        ("kind", "sort", "no column 'kind'; .* 'gram', 'sort', 'cm'"),
        (FRUIT, "", "expected column names, got none"),
        (FRUIT, "\n\n", "expected column names, got none"),
        (FRUIT, "gram,kind,cm\n", "no rows"),
        (FRUIT, "kind\na\nb\n", "no input columns"),
        ("cherry", "apple", r"at least 2 classes, got \['apple'\]"),
        ("102,apple", "102,pear", "at least 3 rows of each class, .* class 'pear' of 3 has 1"),
    ],
)
def test_csv_faults(tmp_path, old, new, message):
    path = table(tmp_path, FRUIT.replace(old, new))
    with pytest.raises(ValueError, match=f"table.csv.*{message}"):
        datasets.load_table(path, "kind")


def test_csv_needs_a_target(tmp_path):
    with pytest.raises(ValueError, match=r"no target given; .* one of 'gram', 'kind', 'cm'$"):
        datasets.load_table(table(tmp_path, FRUIT))
    many = ",".join(f"c{i}" for i in range(50))
    with pytest.raises(ValueError, match=r"no column '2'; .* 'c18', 'c19', … \(50 in all\)"):
        datasets.load_table(table(tmp_path, many), target="2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("né,y\n".encode("latin-1"), "expected UTF-8 text"),
        (FRUIT.encode("utf-16"), "expected UTF-8 text"),
        (b'a,"b', "line 1: unexpected end of data"),
        (b"a,y\n" + b"1" * 200_000, "line 2: field larger than field limit"),
    ],
)
def test_text_that_is_no_csv(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"table.csv.*{message}"):
        datasets.load_table(table(tmp_path, content), "y")


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
    with pytest.raises(ValueError, match="line 2, column 'note': expected a number, got 'what'"):
        datasets.load_inputs(path, ["note"])


def test_load_inputs_leaves_the_target_out(tmp_path):
    path = table(tmp_path, "a,y\n1,x\n")
    assert datasets.load_inputs(path, target="y").tolist() == [[1]]
    assert datasets.load_inputs(path, ["a"], target="y").tolist() == [[1]]
    with pytest.raises(ValueError, match="column 'y': expected a number, got 'x'"):
        datasets.load_inputs(path)
    assert datasets.load_inputs(table(tmp_path, "a\n1\n"), target="y").tolist() == [[1]]


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


# --- load ---------------------------------------------------------------------------------------


def test_load_by_name():
    pytest.importorskip("sklearn")
    assert [datasets.load(name).name for name in ("xor", "digits")] == ["xor", "digits"]
    with pytest.raises(FileNotFoundError, match="'minst': expected xor, digits, mnist, or a CSV"):
        datasets.load("minst")
    with pytest.raises(ValueError, match="target: only for files, 'xor' has its own labels"):
        datasets.load("xor", target="y")


def test_a_name_goes_before_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path, FRUIT, "xor")
    assert datasets.load("xor").n_inputs == datasets.xor().n_inputs
    assert datasets.load("./xor", target="kind").classes.tolist() == ["apple", "cherry"]
