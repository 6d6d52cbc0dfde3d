"""`read_idx`: what it reads, and what it says about damaged files."""

import gzip

import numpy as np
import pytest
from datasets.files import GOOD, idx, table
from hypothesis import given
from hypothesis import strategies as st
from synaprune import datasets


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["plain", "named.gz"])
def test_read_idx(tmp_path, shape, compress, name):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    got = datasets.read_idx(table(tmp_path, compress(idx(array)), name))
    assert got.dtype == np.uint8
    assert not got.flags.writeable
    np.testing.assert_array_equal(got, array)


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
        (gzip.compress(GOOD, mtime=0)[:-9], "corrupt gzip file"),
        (gzip.compress(GOOD, mtime=0)[:5], "corrupt gzip file"),
        (gzip.compress(GOOD, mtime=0)[:14] + b"\xff" * 30, "corrupt gzip file"),
        (gzip.compress(GOOD, mtime=0) + b"tail", "corrupt gzip file"),
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
