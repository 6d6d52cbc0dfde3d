"""MNIST, from a folder or downloaded once into the user's cache."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synaprune.extras import require

from ._files import reading
from ._idx import parse_idx, read_content
from ._small import pixel_names
from ._splits import stratified
from ._types import Dataset, Split

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# Of the uncompressed content: the gzip bytes differ between mirrors.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
N_VALIDATION = 5000
SPLIT_SEED = 60000  # a new value would change published figures


def mnist(data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load handwritten digits of 28 by 28 pixels (LeCun, Cortes & Burges, 1998).

    The test split is the official one. The validation split is a fixed stratified choice of 5000 of
    the 60000 training images; the other 55000 are the training split.

    Parameters
    ----------
    data_dir : path-like, optional
        Folder with the four IDX files, plain or ``.gz``, in itself or in its folder ``mnist``.
        Default: the folder in the environment variable ``SYNAPRUNE_DATA_DIR`` if it has them,
        else the user's cache, after one download (from ``SYNAPRUNE_MNIST_URL`` if that is set).

    Returns
    -------
    Dataset
        `X` uint8 (n, 784), `y` int64 (n,).

    Raises
    ------
    FileNotFoundError
        If `data_dir` is given and lacks the files.
    ValueError
        If the SHA-256 of a file in a folder is wrong.
    ConnectionError
        If the files cannot be downloaded, or the downloaded files are not MNIST.
    ImportError
        If a download is needed and pooch is not installed.

    Examples
    --------
    >>> from synaprune import datasets
    >>> datasets.mnist()  # doctest: +SKIP
    Dataset('mnist': 784 inputs, 10 classes; 55000 train, 5000 validation, 10000 test rows)
    """
    paths = _local_files(data_dir)
    images, labels, test_images, test_labels = (
        _checked(paths[name], name) if paths else _fetch(name) for name in SHA256
    )
    X, y = images.reshape(-1, 784), labels.astype(np.int64)
    train, validation = stratified(y, [N_VALIDATION], SPLIT_SEED)
    return Dataset(
        "mnist",
        Split(X[train], y[train]),
        Split(X[validation], y[validation]),
        Split(test_images.reshape(-1, 784), test_labels.astype(np.int64)),
        pixel_names(28, 28),
        "auto",
        (28, 28),
    )


def _local_files(data_dir: str | os.PathLike[str] | None) -> dict[str, Path] | None:
    folder = data_dir if data_dir is not None else os.environ.get("SYNAPRUNE_DATA_DIR") or None
    if folder is None:
        return None
    places = (Path(folder, "mnist"), Path(folder))
    for place in places:
        files = (place / f"{name}{end}" for name in SHA256 for end in (".gz", ""))
        found = {path.name.removesuffix(".gz"): path for path in files if os.path.isfile(path)}
        if len(found) == len(SHA256):
            return found
    if data_dir is None:
        return None
    raise FileNotFoundError(
        f"no MNIST in {places[0]} or {places[1]}: expected {', '.join(SHA256)}, plain or .gz"
    )


def _checked(path: Path, name: str) -> NDArray[np.uint8]:
    with reading(path):
        content = read_content(path)
    got = hashlib.sha256(content).hexdigest()
    if got != SHA256[name]:
        raise ValueError(
            f"{path}: expected {name} with sha256 {SHA256[name]} (uncompressed), got {got}"
        )
    return parse_idx(content, path)


def _fetch(name: str) -> NDArray[np.uint8]:
    """Read one file from the user's cache; download it first if it is absent or damaged."""
    pooch = require("pooch", "cli")
    path = Path(pooch.os_cache("synaprune"), "mnist", f"{name}.gz")
    try:
        return _checked(path, name)
    except FileNotFoundError:
        pass
    except ValueError:
        path.unlink()
    chosen = os.environ.get("SYNAPRUNE_MNIST_URL")
    failures = []
    for base in (chosen,) if chosen else MIRRORS:
        url = f"{base.rstrip('/')}/{path.name}"
        try:
            with _muted(pooch.get_logger()):
                pooch.retrieve(url, known_hash=None, fname=path.name, path=path.parent)
            return _checked(path, name)
        except (OSError, ValueError) as error:  # of pooch and requests, or a wrong file
            path.unlink(missing_ok=True)
            failures.append(f"{url}: {_reason(error)}")
    raise ConnectionError(
        f"MNIST could not be downloaded ({'; '.join(failures)}); a folder with its four files can "
        "be given by --data-dir, data_dir= or SYNAPRUNE_DATA_DIR"
    )


def _reason(error: Exception) -> str:
    # requests wraps "connection refused" in three exceptions; `reason` is the inner one.
    cause = getattr(error.args[0], "reason", error) if error.args else error
    return " ".join(str(cause).split())


@contextmanager
def _muted(logger: logging.Logger) -> Iterator[None]:
    # pooch logs every download and a hash to copy. A filter for this thread keeps the level that
    # the user may have set, and the messages of other threads.
    thread = threading.get_ident()

    def from_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(from_elsewhere)
    try:
        yield
    finally:
        logger.removeFilter(from_elsewhere)
