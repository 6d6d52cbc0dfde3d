"""IDX, the format of the MNIST files: two zero bytes, a type, the dimensions, the values."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synaprune.unpacking import read_file, unpack

from ._files import reading

_UINT8 = b"\0\0\x08"


def read_content(path: Path) -> bytes:
    """Return the bytes of a file, uncompressed if it is gzip.

    Its first bytes decide, not its name: some servers and browsers uncompress a ``.gz``.
    """
    content = read_file(path)
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return unpack(content)
    except ValueError as error:
        raise ValueError(f"{path}: corrupt gzip file: {error}") from None


def parse_idx(content: bytes, path: Path) -> NDArray[np.uint8]:
    """Return the array that `content` describes; errors name `path`."""
    if len(content) < 4:
        raise ValueError(f"{path}: truncated IDX file of {len(content)} bytes")
    n_dims = content[3]
    if not content.startswith(_UINT8) or not 1 <= n_dims <= 32:
        raise ValueError(
            f"{path}: expected an IDX file of unsigned bytes (magic 000008nn), "
            f"got magic {content[:4].hex()}"
        )
    start = 4 + 4 * n_dims
    if len(content) < start:
        raise ValueError(f"{path}: truncated IDX file, its header has {start} bytes")
    shape = struct.unpack_from(f">{n_dims}I", content, 4)
    size = start + math.prod(shape)
    if len(content) != size:
        fault = "truncated" if len(content) < size else "too long"
        raise ValueError(
            f"{path}: {fault} IDX file, expected {size} bytes for shape {shape}, got {len(content)}"
        )
    if 0 in shape:
        raise ValueError(f"{path}: IDX file without values, shape {shape}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_idx(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, plain or gzip.

    Parameters
    ----------
    path : path-like
        For example ``train-images-idx3-ubyte.gz``.

    Returns
    -------
    ndarray of uint8, read-only
        Of the shape in the file: (60000, 28, 28) for that example.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, too long, empty, corrupt or not an IDX file of unsigned bytes.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from synaprune import datasets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "two-labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 7]))
    ...     datasets.read_idx(path)
    array([5, 7], dtype=uint8)
    """
    path = Path(path)
    with reading(path):
        content = read_content(path)
    return parse_idx(content, path)
