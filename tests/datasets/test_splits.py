"""`Split`, `Dataset`, and the stratified split of one set into three."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synaprune import datasets
from synaprune.datasets._splits import stratified

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
    assert (data.n_features, data.n_classes, data.classes.tolist()) == (2, 2, [0, 1])
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
