"""Passes of `_core.Network` over data, at every ISA level, against a dense float64 model."""

import subprocess
import sys

import numpy as np
import pytest
from core.dense_model import EPS, C, DenseModel, assert_close, from_mask, random_layers
from core.networks import data, environment, pair, transform_for
from synaprune import _core

LEVELS = _core.build_info()["available_isa"]
PROBLEMS = [
    (activation, loss, n_out)
    for activation in _core.ACTIVATIONS
    for loss, n_out in (("softmax", 4), ("sigmoid", 1), ("squared", 4), ("squared", 1))
]
problems = pytest.mark.parametrize(("activation", "loss", "n_out"), PROBLEMS)

# --- passes over data ---------------------------------------------------------------------------


@problems
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 17, 63, 64, 65, 200])
def test_passes_are_the_dense_model(activation, loss, n_out, n, dtype):
    sizes = (12, 9, 7, n_out)
    layers = random_layers(np.random.default_rng(n_out), sizes)
    net, model = pair(layers, activation, loss, transform_for(dtype, sizes[0]))
    X, y = data(n, sizes[0], max(n_out, 2), dtype)

    probabilities = net.outputs(X, 1)
    assert probabilities.dtype == np.float32
    assert_close(probabilities, model.probabilities(X))

    sums = model.sums(X)
    margin = C * EPS * sums.error.max(1)
    classes = net.classify(X, 1)
    assert classes.dtype == np.int32
    if n_out == 1:
        expected, clear = sums.value[:, 0] > 0.0, abs(sums.value[:, 0]) > margin
    else:
        expected = sums.value.argmax(1)
        clear = np.diff(np.sort(sums.value)[:, -2:])[:, 0] > 2.0 * margin
    assert clear.all()  # else the test would have to let some classes go
    np.testing.assert_array_equal(classes, expected)

    mean_loss, n_correct = net.evaluate(X, y, 1)
    assert_close(mean_loss, model.loss(X, y))
    assert n_correct == (expected == y).sum()

    mean_loss, d_values, d_biases = net.gradients(X, y, 1)
    expected_loss, d_weights, expected_biases = model.gradients(X, y)
    assert_close(mean_loss, expected_loss)
    for k, mask in enumerate(model.masks):
        assert_close(d_values[k], d_weights[k][mask])
        assert_close(d_biases[k], expected_biases[k])


@problems
def test_gradients_are_finite_differences(activation, loss, n_out):
    layers = random_layers(np.random.default_rng(7), (5, 4, 4, n_out), density=0.6)
    net, model = pair(layers, activation, loss)
    X, y = data(30, 5, max(n_out, 2))
    d_weights, d_biases = model.gradients(X, y)[1:]
    d_values, core_biases = net.gradients(X, y, 1)[1:]
    truncation = 1e-8  # h^2 times the third derivative, and float64's eps / h
    for k, mask in enumerate(model.masks):
        numeric = finite_differences(model, X, y, model.weights[k].value, mask)
        np.testing.assert_allclose(d_weights[k].value[mask], numeric, rtol=0, atol=truncation)
        np.testing.assert_array_less(
            abs(d_values[k] - numeric), C * EPS * d_weights[k].error[mask] + truncation
        )
        numeric = finite_differences(model, X, y, model.biases[k].value, slice(None))
        np.testing.assert_allclose(d_biases[k].value, numeric, rtol=0, atol=truncation)
        np.testing.assert_array_less(
            abs(core_biases[k] - numeric), C * EPS * d_biases[k].error + truncation
        )


def finite_differences(model, X, y, parameters, where, h=1e-5):
    """Central differences of the model's mean loss by parameters[where], changed in place."""
    numeric = []
    for i in np.arange(parameters.size).reshape(parameters.shape)[where]:
        original = parameters.flat[i]
        losses = []
        for parameters.flat[i] in (original + h, original - h):
            losses.append(float(model.loss(X, y).value))
        parameters.flat[i] = original
        numeric.append((losses[0] - losses[1]) / (2.0 * h))
    return np.array(numeric)


def test_integer_network_is_exact():
    W1, W2 = np.array([2, -1, 3], np.float32), np.array([1, 2, -3, 1], np.float32)
    b1, b2 = np.array([1, -4, 5], np.float32), np.array([0, 7], np.float32)
    layers = [
        (3, np.array([0, 2, 3, 3]), np.array([0, 2, 1], np.int32), W1, W1, b1),
        (3, np.array([0, 2, 4]), np.array([0, 1, 1, 2], np.int32), W2, W2, b2),
    ]
    net = _core.Network.from_layers(layers, "relu", "softmax", 0)
    X = np.array([[1, 2, 3], [4, 1, 0], [0, 0, 9], [2, 4, 1]], np.float32)
    # hidden: relu(2 x0 - x2 + 1), relu(3 x1 - 4), 5; outputs: h0 + 2 h1, -3 h1 + 5 + 7
    hidden = np.array([[0, 2, 5], [9, 0, 5], [0, 0, 5], [4, 8, 5]])
    outputs = np.stack([hidden[:, 0] + 2 * hidden[:, 1], 12 - 3 * hidden[:, 1]], 1)
    assert outputs.tolist() == [[4, 6], [9, 12], [0, 12], [20, -12]]
    assert net.classify(X, 1).tolist() == [1, 1, 1, 0]
    p = np.exp(outputs - outputs.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    assert (abs(net.outputs(X, 1) - p) <= C * EPS * p).all()


def test_first_of_equal_outputs_is_the_class():
    layer = from_mask(np.random.default_rng(0), np.zeros((3, 2), bool))
    tied = (*layer[:5], np.array([1.0, 2.0, 2.0], np.float32))
    net = _core.Network.from_layers([tied], "relu", "softmax", 0)
    assert net.classify(np.zeros((1, 2), np.float32), 1).tolist() == [1]
    tied = (*from_mask(np.random.default_rng(0), np.zeros((1, 2), bool))[:5], np.zeros(1, "f4"))
    net = _core.Network.from_layers([tied], "relu", "sigmoid", 0)
    assert net.classify(np.zeros((1, 2), np.float32), 1).tolist() == [0]


@pytest.mark.parametrize("loss", ["softmax", "squared"])
def test_large_outputs_stay_finite(loss):
    bias = np.array([1e4, -1e4, 0.0], np.float32)
    layer = (*from_mask(np.random.default_rng(0), np.ones((3, 2), bool))[:5], bias)
    net, model = pair([layer], "relu", loss)
    X, y = data(9, 2, 3)
    assert_close(net.outputs(X, 1), model.probabilities(X), extra=2e-38)  # exp is clamped
    assert_close(net.evaluate(X, y, 1)[0], model.loss(X, y))
    for got, expected in zip(net.gradients(X, y, 1)[2], model.gradients(X, y)[2], strict=True):
        assert_close(got, expected, extra=2e-38)


def test_inputs_without_a_synapse_have_no_say():
    mask = np.zeros((2, 3), bool)
    mask[:, 1] = True
    net = _core.Network.from_layers(
        [from_mask(np.random.default_rng(0), mask)], "relu", "softmax", 0
    )
    X = np.array([[0.0, 1.5, 0.0]], np.float32)
    other = np.array([[-7.0, 1.5, 1e30]], np.float32)
    assert net.outputs(X, 1).tobytes() == net.outputs(other, 1).tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("threads", [1, 2])
def test_samples_that_are_not_finite_give_none(bad, threads):
    used = np.zeros((40, 70), bool)
    used[:, 25:45] = True  # of pieces of 16 columns two are read in part, the others only checked
    rng = np.random.default_rng(0)
    layers = [from_mask(rng, used), from_mask(rng, np.ones((3, 40), bool))]
    net = _core.Network.from_layers(layers, "relu", "softmax", 0)
    X, y = data(3000, 70, 3)
    for row, column in ((0, 30), (1500, 44), (2999, 26), (0, 0), (1500, 60), (2999, 69)):
        poisoned = X.copy()
        poisoned[row, column] = bad
        assert net.outputs(poisoned, threads) is None
        assert net.classify(poisoned, threads) is None
        assert net.evaluate(poisoned, y, threads) is None


def test_samples_past_int32_are_read():
    n, d = 2**15 + 1, 2**16  # the last sample begins past 2^31
    try:
        X = np.zeros((n, d), np.uint8)  # 2.1 GB, of which one page is ever backed
    except MemoryError:
        pytest.skip("no room for 2.1 GB of virtual memory")
    X[-1, 5] = 1
    mask = np.zeros((1, d), bool)
    mask[0, 5] = True
    layer = (*from_mask(np.random.default_rng(0), mask)[:3], *np.full((3, 1), [2.0], "f4"))
    layer = (*layer[:5], np.array([-1.0], np.float32))
    net = _core.Network.from_layers([layer], "relu", "sigmoid", 0)
    expected = np.zeros(n, np.int32)
    expected[-1] = 1
    np.testing.assert_array_equal(net.classify(X, 2), expected)


# --- the ISA levels -----------------------------------------------------------------------------

ISA_SIZES = (40, 30, 20, 5)
ISA_SCRIPT = """
import sys
import numpy as np
from core.dense_model import random_layers
from synaprune import _core

assert _core.build_info()["isa"] == sys.argv[1]
layers = random_layers(np.random.default_rng(3), %s)
net = _core.Network.from_layers(layers, "tanh", "softmax", 0)
X, y = np.load(sys.argv[2])["X"], np.load(sys.argv[2])["y"]
loss, d_values, d_biases = net.gradients(X, y, 1)
np.savez(sys.argv[3], loss, net.outputs(X, 1), *d_values, *d_biases)
"""


@pytest.fixture(scope="module")
def passes_by_level(tmp_path_factory):
    """Loss, probabilities and gradients that processes forced to each level computed."""
    folder = tmp_path_factory.mktemp("levels")
    X, y = data(77, ISA_SIZES[0], 5)
    np.savez(folder / "data.npz", X=X, y=y)
    results = {}
    for isa in LEVELS:
        out = folder / f"{isa}.npz"
        subprocess.run(
            [sys.executable, "-c", ISA_SCRIPT % (ISA_SIZES,), isa, folder / "data.npz", out],
            env=environment() | {"SYNAPRUNE_ISA": isa},
            check=True,
            timeout=60,
        )
        with np.load(out) as arrays:
            results[isa] = list(arrays.values())
    return X, y, results


@pytest.mark.parametrize("isa", LEVELS)
def test_network_at_each_level_is_the_dense_model(passes_by_level, isa):
    X, y, results = passes_by_level
    layers = random_layers(np.random.default_rng(3), ISA_SIZES)
    model = DenseModel(layers, "tanh", "softmax")
    loss, d_weights, d_biases = model.gradients(X, y)
    d_values = [d[mask] for d, mask in zip(d_weights, model.masks, strict=True)]
    expected = [loss, model.probabilities(X), *d_values, *d_biases]
    for got, wanted in zip(results[isa], expected, strict=True):
        assert_close(got, wanted)


@pytest.mark.skipif(not {"avx2", "avx512"} <= set(LEVELS), reason="needs AVX2 and AVX-512")
def test_network_at_avx2_and_avx512_gives_equal_bits(passes_by_level):
    results = passes_by_level[2]
    for a, b in zip(results["avx2"], results["avx512"], strict=True):
        assert a.tobytes() == b.tobytes()
