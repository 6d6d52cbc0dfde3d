"""MNIST from a folder, and by download from a local mirror."""

import gzip
import hashlib
import http.server
import logging
import sys
import threading

import numpy as np
import pytest
from datasets.files import GOOD, table
from synaprune import datasets
from synaprune.datasets import _mnist

MNIST_REPR = (
    "Dataset('mnist': 784 inputs, 10 classes; 55000 train, 5000 validation, 10000 test rows)"
)


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
