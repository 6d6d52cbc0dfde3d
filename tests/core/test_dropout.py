"""Inputs that are dropped before they reach the network."""

import numpy as np
import pytest
from core.networks import bits, data, sgd
from synaprune import _core

LEVELS = _core.build_info()["available_isa"]


def gathered(X, dropout, seed=3, columns=None, isa=LEVELS[-1]):
    """What the network sees of the samples, shifted by 0.5 and doubled, [samples, columns]."""
    d = X.shape[1]
    columns = np.arange(d) if columns is None else columns
    order, shift, scale = np.arange(len(X)), np.full(d, 0.5, np.float32), np.full(d, 2, np.float32)
    return _core.kernels.gather(
        isa, X, order, columns.astype(np.int32), shift, scale, None, dropout, seed
    ).T


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_input_is_dropped_or_made_larger_at_every_level(dtype):
    X, _ = data(300, 70, 2, dtype)
    seen = gathered(X, 0.25)
    whole = (X.astype(np.float32) - np.float32(0.5)) * np.float32(2)
    kept = seen != 0
    np.testing.assert_array_equal(seen, np.where(kept, whole * np.float32(1 / 0.75), 0))
    for level in LEVELS:
        np.testing.assert_array_equal(seen, gathered(X, 0.25, isa=level))
    np.testing.assert_array_equal(gathered(X, 0.0), whole)


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9])
def test_each_input_is_dropped_with_the_probability_whatever_the_others(p):
    n = 4000
    kept = gathered(np.ones((n, 40), np.uint8), p) != 0
    error = np.sqrt(p * (1 - p))
    assert abs(kept.mean() - (1 - p)) < 4 * error / np.sqrt(kept.size)
    assert abs(kept.mean(0) - (1 - p)).max() < 5 * error / np.sqrt(n)
    assert abs(kept.mean(1) - (1 - p)).max() < 6 * error / np.sqrt(40)
    assert abs(np.corrcoef(kept.T) - np.eye(40)).max() < 6 / np.sqrt(n)


def test_some_columns_are_those_of_all_and_the_seed_tells_what_is_dropped():
    X, _ = data(130, 143, 2)
    full = gathered(X, 0.3)
    for columns in (np.arange(40, 143), np.array([0, 70, 142]), np.array([77])):
        np.testing.assert_array_equal(gathered(X, 0.3, columns=columns), full[:, columns])
    assert ((gathered(X, 0.3, seed=4) == 0) != (full == 0)).any()


@pytest.mark.parametrize("sizes", [(450, 20, 10), (450, 200, 10)])
def test_training_gives_equal_bits_for_any_threads(sizes):
    X, y = data(1033, sizes[0], 10, np.uint8)

    def trained(threads, dropout):
        net = _core.Network(sizes, "relu", "softmax", 0.5, 5)
        for _ in range(2):
            net.train_epoch(X, y, 64, sgd(1e-4), threads, dropout=dropout)
        return bits(net)

    one = trained(1, 0.2)
    assert all(trained(threads, 0.2) == one for threads in (2, 3, 7))
    assert one != trained(1, 0.0)


def test_epochs_drop_anew():
    """With one sample and one step an epoch, the weights that change tell what was seen."""
    X, y = np.ones((1, 12), np.float32), np.zeros(1, np.int32)
    net, seen = _core.Network([12, 2], "relu", "softmax", 1.0, 5), set()
    for _ in range(20):
        before = net.layers()[0][3].reshape(2, 12)
        net.train_epoch(X, y, 1, sgd(0.1), 1, dropout=0.5)
        seen.add(tuple((net.layers()[0][3].reshape(2, 12) != before).any(0)))
    assert len(seen) > 15


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_other_probabilities_are_refused(p):
    X, y = data(6, 12, 2)
    net = _core.Network([12, 4, 2], "relu", "softmax", 1.0, 0)
    before = bits(net)
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\), got"):
        net.train_epoch(X, y, 2, sgd(0.1), 1, dropout=p)
    assert bits(net) == before
