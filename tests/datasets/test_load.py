"""`load` by name, and the digits."""

import sys

import numpy as np
import pytest
from datasets.files import FRUIT, rows_of, table
from synaprune import datasets

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


# --- load ---------------------------------------------------------------------------------------


def test_load_by_name():
    pytest.importorskip("sklearn")
    assert [datasets.load(name).name for name in ("xor", "digits")] == ["xor", "digits"]
    with pytest.raises(FileNotFoundError, match="'minst': expected xor, digits, mnist, or a file"):
        datasets.load("minst")
    with pytest.raises(ValueError, match="target: expected None for 'xor'"):
        datasets.load("xor", target="y")


def test_a_name_goes_before_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path, FRUIT, "xor")
    assert datasets.load("xor").n_features == datasets.xor().n_features
    assert datasets.load("./xor", target="kind").classes.tolist() == ["apple", "cherry"]
