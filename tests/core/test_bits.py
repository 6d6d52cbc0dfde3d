"""What gives a `_core.Network` equal bits, and what gives it others."""

import numpy as np
import pytest
from core.dense_model import random_layers
from core.networks import bits, data, sgd, transform_for
from synaprune import _core

MOMENTUM = sgd(0.05, momentum=0.5)


def trained(
    threads=1, seed=5, dtype=np.float32, sizes=(300, 200, 10), batch_size=64, n=5000,
    optimizer=MOMENTUM,
):  # fmt: skip
    """Losses and bits of a few epochs."""
    net = _core.Network(sizes, "relu", "softmax", 1.0, seed)
    if dtype == np.uint8:
        X, y = data(n, sizes[0], sizes[-1], np.uint8)
    else:
        X, y = data(n, sizes[0], sizes[-1])
    net.input_transform = transform_for(dtype, sizes[0])
    losses = [net.train_epoch(X, y, batch_size, optimizer, threads) for _ in range(3)]
    return losses, bits(net)


# A network is small, and its threads share its first layer by columns, or it is large, and they
# share it by rows (is_small in trainer.cpp). n leaves a last batch that is smaller than the others.
NETWORKS = {
    "small": {"sizes": (450, 20, 10), "batch_size": 64, "n": 2000 + 32},
    "small, odd batch": {"sizes": (450, 20, 10), "batch_size": 37, "n": 2000},
    "small, deep": {"sizes": (450, 30, 20, 10), "batch_size": 64, "n": 2001},
    "small, nothing hidden": {"sizes": (450, 10), "batch_size": 100, "n": 1999},
    "small, first group empty": {"sizes": (40, 30, 20, 5), "batch_size": 64, "n": 2010},
    "small, bytes": {"sizes": (450, 20, 10), "batch_size": 64, "n": 2032, "dtype": np.uint8},
    "small, bytes, tiles": {"sizes": (99, 20, 10), "batch_size": 150, "n": 4001, "dtype": np.uint8},
    "large, bytes": {"sizes": (300, 200, 10), "batch_size": 64, "n": 2010, "dtype": np.uint8},
    "large": {"sizes": (300, 200, 10), "batch_size": 128, "n": 5000},
    "large, deep": {"sizes": (100, 200, 300, 10), "batch_size": 250, "n": 2010},
    "one batch": {"sizes": (300, 200, 10), "batch_size": 5000, "n": 5000},
}


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
def test_training_gives_equal_bits_for_any_threads(options):
    one = trained(1, **options)
    for threads in (2, 3, 7):
        for _ in range(3):  # a race need not show at once
            assert trained(threads, **options) == one


@pytest.mark.parametrize(
    "optimizer",
    [sgd(0.05, weight_decay=1e-3, l1=1e-4), sgd(0.05), _core.Optimizer("adam", 0.01)],
    ids=["penalties", "plain", "adam"],
)
def test_every_optimizer_gives_equal_bits_for_any_threads(optimizer):
    one = trained(1, optimizer=optimizer, **NETWORKS["small"])
    assert trained(2, optimizer=optimizer, **NETWORKS["small"]) == one


@pytest.mark.skipif(
    not {"avx2", "avx512"} <= set(_core.build_info()["available_isa"]),
    reason="needs AVX2 and AVX-512",
)
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_training_gives_equal_bits_with_avx2_and_avx512(dtype):
    got = []
    try:
        for isa in ("avx2", "avx512"):
            _core.set_isa(isa)
            got.append(trained(dtype=dtype, **NETWORKS["small"]))
    finally:
        _core.set_isa("")
    assert got[0] == got[1]


def test_passes_give_equal_bits_for_any_threads():
    net = _core.Network([300, 200, 10], "relu", "softmax", 1.0, 5)
    X, y = data(2001, 300, 10)  # 62000 synapses * 2001 samples >= 2^22: tiles are shared

    def passes(threads):
        loss, d_values, d_biases = net.gradients(X, y, threads)
        arrays = [net.outputs(X, threads), net.classify(X, threads), *d_values, *d_biases]
        return [*net.evaluate(X, y, threads), loss, *(a.tobytes() for a in arrays)]

    one = passes(1)
    for threads in (2, 7):
        assert passes(threads) == one


@pytest.mark.parametrize("n", [128, 97])
def test_gradients_of_a_small_network_give_equal_bits_for_any_threads(n):
    net = _core.Network([450, 20, 10], "relu", "softmax", 1.0, 5)
    X, y = data(n, 450, 10)

    def gradients(threads):
        loss, d_values, d_biases = net.gradients(X, y, threads)
        return [loss, *(a.tobytes() for a in [*d_values, *d_biases])]

    one = gradients(1)
    for threads in (2, 3, 7):
        assert gradients(threads) == one


def test_same_seed_same_bits_other_seed_other_bits():
    small = {"sizes": (20, 12, 4), "n": 90, "batch_size": 16}
    assert trained(seed=5, **small) == trained(seed=5, **small)
    ours, others = trained(seed=5, **small)[1], trained(seed=6, **small)[1]
    assert ours[2] != others[2]  # values of the first layer
    assert ours[-1] != others[-1]  # the random state


def test_seed_decides_the_order_of_the_samples():
    layers = random_layers(np.random.default_rng(2), (20, 12, 4))
    X, y = data(90, 20, 4)
    results = []
    for rng_state in (1, 1, 2):
        net = _core.Network.from_layers(layers, "relu", "softmax", rng_state)
        net.train_epoch(X, y, 16, sgd(0.1), 1)
        results.append(net.layers()[0][3].tobytes())
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("n", [17, 700])
def test_equal_numbers_in_uint8_and_float32_give_equal_bits(n):
    X, y = data(n, 30, 4, np.uint8)
    results = []
    for samples in (X, X.astype(np.float32)):
        net = _core.Network([30, 12, 4], "tanh", "softmax", 1.0, 5)
        net.input_transform = transform_for(np.uint8, 30)
        losses = [net.train_epoch(samples, y, 16, sgd(0.1), 1) for _ in range(2)]
        _, d_values, d_biases = net.gradients(samples, y, 1)
        passes = [net.outputs(samples, 1), net.classify(samples, 1), *d_values, *d_biases]
        results.append(
            (losses, bits(net), [a.tobytes() for a in passes], net.evaluate(samples, y, 1))
        )
    assert results[0] == results[1]


def test_training_does_not_write_to_its_data():
    X, y = data(50, 8, 3)
    X.flags.writeable = y.flags.writeable = False
    before = X.tobytes(), y.tobytes()
    net = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    net.train_epoch(X, y, 7, sgd(0.5), 2)
    assert (X.tobytes(), y.tobytes()) == before
