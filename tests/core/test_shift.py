"""Images that move before they reach the network."""

import itertools
from collections import Counter

import numpy as np
import pytest
from core.networks import bits, data, sgd
from synaprune import _core

LEVELS = _core.build_info()["available_isa"]


def moved(images, down, right):
    """The naive reference: images [n, height, width], what comes in is 0."""
    out = np.zeros_like(images)
    height, width = images.shape[1:]
    for y, x in itertools.product(range(height), range(width)):
        if 0 <= y - down < height and 0 <= x - right < width:
            out[:, y, x] = images[:, y - down, x - right]
    return out


def gathered(X, move, order=None, columns=None, isa=LEVELS[-1]):
    """What the network sees of the samples, [samples, columns]."""
    d = X.shape[1]
    order = np.arange(len(X)) if order is None else order
    columns = np.arange(d) if columns is None else columns
    zero, one = np.zeros(d, np.float32), np.ones(d, np.float32)
    return _core.kernels.gather(
        isa, X, order.astype(np.int64), columns.astype(np.int32), zero, one, move
    ).T


@pytest.mark.parametrize("isa", LEVELS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    ("height", "width", "pixels"), [(5, 7, 1), (9, 4, 3), (1, 6, 1), (3, 3, 3)]
)
def test_every_image_is_one_of_the_moves(isa, dtype, height, width, pixels):
    X, _ = data(200, height * width, 2, dtype)
    X[X == 0] = 1  # so that 0 is what came in
    seen = gathered(X, _core.ImageShift(height, width, pixels, 0.75, 3), isa=isa)
    images = X.reshape(-1, height, width)
    moves = {
        move: moved(images, *move).reshape(len(X), -1)
        for move in itertools.product(range(-pixels, pixels + 1), repeat=2)
    }
    for i, sample in enumerate(seen):
        assert any((sample == images[i]).all() for images in moves.values()), i


def test_all_moves_but_none_are_equally_likely():
    X = np.zeros((20000, 49), np.uint8)
    X[:, 24] = 200  # the middle of 7 * 7: where it is seen tells the move
    seen = gathered(X, _core.ImageShift(7, 7, 2, 0.6, 11))
    assert (seen.sum(1) == 200).all()
    counts = Counter(seen.argmax(1).tolist())
    n, p = len(X), 0.6 / 24
    assert abs(counts.pop(24) - 0.4 * n) < 5 * np.sqrt(n * 0.24)
    assert len(counts) == 24
    assert all(abs(c - n * p) < 5 * np.sqrt(n * p) for c in counts.values())


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_some_columns_are_those_of_all(dtype):
    """What a thread gathers for its own columns is what others see of the same images."""
    X, _ = data(130, 11 * 13, 2, dtype)
    order = np.random.default_rng(0).permutation(len(X))
    move = _core.ImageShift(11, 13, 2, 0.8, 7)
    full = gathered(X, move, order)
    for columns in (np.arange(40, 143), np.array([0, 70, 142]), np.array([77]), np.arange(60)):
        np.testing.assert_array_equal(gathered(X, move, order, columns), full[:, columns])


def test_images_lie_still_without_probability_and_the_seed_tells_the_moves():
    X, _ = data(100, 25, 2, np.uint8)
    np.testing.assert_array_equal(gathered(X, _core.ImageShift(5, 5, 1, 0.0)), X)
    a, b = (gathered(X, _core.ImageShift(5, 5, 1, 1.0, seed)) for seed in (1, 2))
    assert (a != X).any(axis=1).all()
    assert (a != b).any()
    np.testing.assert_array_equal(a, gathered(X, _core.ImageShift(5, 5, 1, 1.0, 1)))


@pytest.mark.parametrize("sizes", [(450, 20, 10), (450, 200, 10)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_training_gives_equal_bits_for_any_threads(sizes, dtype):
    X, y = data(2033, sizes[0], 10, dtype)

    def trained(threads, shift):
        net = _core.Network(sizes, "relu", "softmax", 0.5, 5)
        for _ in range(2):
            net.train_epoch(X, y, 64, sgd(1e-4), threads, shift=shift)
        return bits(net)

    shift = _core.ImageShift(18, 25, 1, 0.5)
    one = trained(1, shift)
    assert all(trained(threads, shift) == one for threads in (2, 3, 7))
    assert one != trained(1, None)


def test_epochs_move_images_anew():
    """With one sample and one step an epoch, the first weights tell what was seen."""
    X = np.zeros((1, 25), np.float32)
    X[0, 12] = 1.0
    net = _core.Network([25, 2], "relu", "softmax", 1.0, 5)
    shift, places = _core.ImageShift(5, 5, 1, 1.0), []
    for _ in range(40):
        before = net.layers()[0][3].reshape(2, 25)
        net.train_epoch(X, np.zeros(1, np.int32), 1, sgd(0.1), 1, shift=shift)
        places += np.flatnonzero((net.layers()[0][3].reshape(2, 25) != before).any(0)).tolist()
    assert len(places) == 40
    assert set(places) == {6, 7, 8, 11, 13, 16, 17, 18}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 5, 1, 0.5), "height and width must be from 1 to 32768, got 0 and 5"),
        ((5, 40000, 1, 0.5), "height and width must be from 1 to 32768, got 5 and 40000"),
        ((5, 5, -1, 0.5), "pixels must be from 0 to the smaller side, got -1"),
        ((5, 4, 5, 0.5), "pixels must be from 0 to the smaller side, got 5"),
        ((5, 5, 1, 1.5), r"probability must be in \[0, 1\], got 1.5"),
        ((5, 5, 1, float("nan")), r"probability must be in \[0, 1\], got nan"),
    ],
)
def test_wrong_images_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        _core.ImageShift(*arguments)


def test_images_must_fit_the_columns():
    X, y = data(6, 12, 2)
    net = _core.Network([12, 4, 2], "relu", "softmax", 1.0, 0)
    before = bits(net)
    with pytest.raises(ValueError, match=r"height \* width must be .* columns, 12, got 3 \* 5"):
        net.train_epoch(X, y, 2, sgd(0.1), 1, shift=_core.ImageShift(3, 5, 1, 0.5))
    assert bits(net) == before
