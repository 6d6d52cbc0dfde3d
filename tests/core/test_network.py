"""`_core.Network` against a dense float64 model: passes, training, bits, threads, interrupts."""

import itertools
import math
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from core.dense_model import EPS, C, DenseModel, assert_close, from_mask, random_layers
from synaprune import _core

LEVELS = _core.build_info()["available_isa"]
PROBLEMS = [
    (activation, loss, n_out)
    for activation in ("relu", "sigmoid", "tanh")
    for loss, n_out in (("softmax", 4), ("sigmoid", 1), ("squared", 4), ("squared", 1))
]
problems = pytest.mark.parametrize(("activation", "loss", "n_out"), PROBLEMS)


def data(n, n_inputs, n_classes, dtype=np.float32, seed=0):
    """Samples and labels, every class among them as far as n allows."""
    rng = np.random.default_rng([seed, n, n_inputs])
    X = rng.integers(0, 256, (n, n_inputs)) if dtype == np.uint8 else rng.normal(size=(n, n_inputs))
    return X.astype(dtype), rng.permutation(np.arange(n, dtype=np.int32) % n_classes)


def pair(layers, activation, loss, transform=None, rng_state=0):
    """The same network twice: in the core and as a dense model."""
    net = _core.Network.from_layers(layers, activation, loss, rng_state)
    if transform is not None:
        net.input_transform = transform
    return net, DenseModel(layers, activation, loss, transform)


def transform_for(dtype, n_inputs):
    """Shift and scale that bring either dtype's samples to about unit size."""
    rng = np.random.default_rng(n_inputs)
    shift, scale = rng.normal(0.0, 0.3, n_inputs), rng.uniform(0.5, 1.5, n_inputs)
    if dtype == np.uint8:
        shift, scale = 128.0 + 40.0 * shift, scale / 90.0
    return shift.astype(np.float32), scale.astype(np.float32)


def bits(net):
    """All of a network's state that can be seen, as bytes."""
    arrays = [a for layer in net.layers() for a in layer[1:]] + list(net.input_transform)
    return [a.tobytes() for a in arrays] + [net.rng_state]


def sgd(lr, **options):
    return _core.Optimizer("sgd", lr, **options)


# --- passes over data ---------------------------------------------------------------------------


@problems
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 17, 63, 64, 65, 200])
def test_passes_are_the_dense_model(activation, loss, n_out, n, dtype):
    sizes = (12, 9, 7, n_out)
    layers = random_layers(np.random.default_rng(n_out), sizes)
    net, model = pair(layers, activation, loss, transform_for(dtype, sizes[0]))
    X, y = data(n, sizes[0], max(n_out, 2), dtype)

    probabilities = net.probabilities(X, 1)
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
    assert (abs(net.probabilities(X, 1) - p) <= C * EPS * p).all()


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
    assert_close(net.probabilities(X, 1), model.probabilities(X), extra=2e-38)  # exp is clamped
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
    poisoned = np.array([[np.nan, 1.5, np.inf]], np.float32)
    assert net.probabilities(X, 1).tobytes() == net.probabilities(poisoned, 1).tobytes()


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
np.savez(sys.argv[3], loss, net.probabilities(X, 1), *d_values, *d_biases)
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


def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


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


# --- construction -------------------------------------------------------------------------------


def test_new_network_is_full_with_glorot_weights_and_zero_biases():
    net = _core.Network([300, 40, 10], "relu", "softmax", 0.5, 11)
    assert net.structure == (300, 40, 10)
    assert net.n_synapses == 300 * 40 + 40 * 10
    for (n_in, indptr, indices, values, initial, bias), n_out in zip(
        net.layers(), (40, 10), strict=True
    ):
        limit = 0.5 * math.sqrt(6.0 / (n_in + n_out))
        np.testing.assert_array_equal(indptr, np.arange(n_out + 1) * n_in)
        np.testing.assert_array_equal(indices, np.tile(np.arange(n_in), n_out))
        assert abs(values).max() <= limit * (1 + EPS)
        assert abs(values).max() > 0.98 * limit  # 400 draws all below that: once in 3000
        assert abs(values.mean()) < 5.0 * limit / math.sqrt(3 * len(values))
        assert values.tobytes() == initial.tobytes()
        assert not bias.any()
    shift, scale = net.input_transform
    assert shift.tolist() == [0.0] * 300
    assert scale.tolist() == [1.0] * 300


def test_weights_are_those_of_splitmix64():
    net = _core.Network([2, 3, 1], "relu", "sigmoid", 1.0, 2**63 + 5)
    state, values = 2**63 + 5, []
    for n_in, n_out in ((2, 3), (3, 1)):
        limit = np.float32(math.sqrt(6.0 / (n_in + n_out)))
        for _ in range(n_in * n_out):
            state, z = splitmix64(state)
            values.append((np.float32(2.0) * np.float32((z >> 40) / 2**24) - np.float32(1)) * limit)
    np.testing.assert_array_equal(np.concatenate([layer[3] for layer in net.layers()]), values)
    assert net.rng_state == state


def splitmix64(state):
    """Steele, Lea, Flood 2014: the next state and the number drawn."""
    wrap = 2**64 - 1
    state = (state + 0x9E3779B97F4A7C15) & wrap
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & wrap
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & wrap
    return state, z ^ (z >> 31)


def test_layers_go_in_and_come_out_unchanged():
    layers = random_layers(np.random.default_rng(0), (6, 5, 3))
    net = _core.Network.from_layers(layers, "relu", "softmax", 2**64 - 1)
    assert net.rng_state == 2**64 - 1
    assert net.n_synapses == sum(len(layer[2]) for layer in layers)
    for got, given in zip(net.layers(), layers, strict=True):
        assert got[0] == given[0]
        for a, b in zip(got[1:], given[1:], strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def test_arrays_that_come_out_are_copies():
    net = _core.Network([3, 2], "relu", "softmax", 1.0, 0)
    before = bits(net)
    for array in net.layers()[0][1:]:
        array[:] = 1
    for array in net.input_transform:
        array[:] = 7
    assert bits(net) == before


# --- training against numpy ---------------------------------------------------------------------

STEPS = {
    "plain": ("sgd", {"lr": 0.3}),
    "momentum": ("sgd", {"lr": 0.1, "momentum": 0.9}),
    "weight decay": ("sgd", {"lr": 0.3, "weight_decay": 0.05}),
    "l1": ("sgd", {"lr": 0.3, "l1": 0.02}),
    "sgd with all": ("sgd", {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.03, "l1": 0.01}),
    "adam": ("adam", {"lr": 0.01}),
    "adam with all": (
        "adam",
        {
            "lr": 0.02,
            "beta1": 0.8,
            "beta2": 0.95,
            "epsilon": 1e-3,
            "weight_decay": 0.05,
            "l1": 0.02,
        },
    ),
}


@pytest.mark.parametrize(("kind", "options"), STEPS.values(), ids=STEPS)
@pytest.mark.parametrize(
    ("activation", "loss", "n_out"), [("tanh", "softmax", 3), ("relu", "sigmoid", 1)]
)
def test_epochs_of_one_batch_are_the_numpy_optimiser(kind, options, activation, loss, n_out):
    n, sizes = 50, (8, 9, 6, n_out)
    net, model = pair(random_layers(np.random.default_rng(1), sizes, 0.6), activation, loss)
    X, y = data(n, sizes[0], max(n_out, 2))
    optimizer = _core.Optimizer(kind, **options)
    for _ in range(5):  # the shuffle only changes the order of sums over all samples
        expected = getattr(model, kind)(X, y, **options)
        assert_close(net.train_epoch(X, y, n, optimizer, 1), expected)
        model.assert_equals(net.layers())


def test_batch_size_above_n_is_one_batch():
    a = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    b = a.copy()
    X, y = data(50, 8, 3)
    assert a.train_epoch(X, y, 50, sgd(0.5), 1) == b.train_epoch(X, y, 2**31 - 1, sgd(0.5), 1)
    assert bits(a) == bits(b)


def test_small_batches_are_steps_over_some_permutation():
    """Five samples in batches of two, two and one: one of the 30 orders must explain the result."""
    layers = random_layers(np.random.default_rng(2), (4, 5, 3), 0.8)
    X, y = data(5, 4, 3)
    net, _ = pair(layers, "tanh", "softmax")
    orders = [
        (a, b, tuple({*range(5)} - {*a, *b}))
        for a in itertools.combinations(range(5), 2)
        for b in itertools.combinations(sorted({*range(5)} - {*a}), 2)
    ]
    found = []
    for _ in range(8):
        before = net.layers()
        mean_loss = net.train_epoch(X, y, 2, sgd(0.5), 1)
        matches = []
        for order in orders:
            model = DenseModel(before, "tanh", "softmax")
            losses = [model.sgd(X[list(b)], y[list(b)], 0.5) * (len(b) / 5) for b in order]
            try:
                model.assert_equals(net.layers())
            except AssertionError:
                continue
            matches.append(order)
            assert_close(mean_loss, losses[0] + losses[1] + losses[2])
        assert len(matches) == 1
        found += matches
    assert len(set(found)) >= 4  # each epoch draws anew: fewer has a chance of 1e-4


@pytest.mark.parametrize(("begin", "go_on"), [("sgd", "adam"), ("adam", "sgd")])
def test_state_starts_anew_when_the_optimiser_changes_kind(begin, go_on):
    """Momentum's velocity is not Adam's first moment, nor the other way round."""
    X, y = data(50, 8, 3)
    options = {"sgd": {"lr": 0.1, "momentum": 0.9}, "adam": {"lr": 0.01}}
    net = _core.Network([8, 6, 3], "tanh", "softmax", 1.0, 3)
    for _ in range(3):
        net.train_epoch(X, y, 50, _core.Optimizer(begin, **options[begin]), 1)
    model = DenseModel(net.layers(), "tanh", "softmax")
    for _ in range(2):
        net.train_epoch(X, y, 50, _core.Optimizer(go_on, **options[go_on]), 1)
        getattr(model, go_on)(X, y, **options[go_on])
    model.assert_equals(net.layers())


def test_plain_sgd_forgets_momentum():
    X, y = data(50, 8, 3)
    net = _core.Network([8, 6, 3], "tanh", "softmax", 1.0, 3)
    for momentum in (0.9, 0.9, 0.0):
        net.train_epoch(X, y, 50, sgd(0.1, momentum=momentum), 1)
    model = DenseModel(net.layers(), "tanh", "softmax")
    for _ in range(2):
        net.train_epoch(X, y, 50, sgd(0.1, momentum=0.9), 1)
        model.sgd(X, y, 0.1, momentum=0.9)
    model.assert_equals(net.layers())


def test_training_learns():
    X, _ = data(300, 6, 2)
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
    net = _core.Network([6, 20, 1], "tanh", "sigmoid", 1.0, 0)
    before = net.evaluate(X, y, 1)[0]
    for _ in range(100):
        mean_loss = net.train_epoch(X, y, 16, sgd(0.2), 1)
    after, n_correct = net.evaluate(X, y, 1)
    assert after < 0.3 * before
    assert n_correct > 290
    assert mean_loss < 0.5 * before


def test_initial_weights_stay():
    net = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    initial = [layer[4].tobytes() for layer in net.layers()]
    net.train_epoch(*data(50, 8, 3), 10, sgd(0.5), 1)
    assert [layer[4].tobytes() for layer in net.layers()] == initial
    assert [layer[3].tobytes() for layer in net.layers()] != initial


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_divergence_gives_a_loss_that_is_not_finite(activation, kind):
    net = _core.Network([8, 6, 3], activation, "softmax", 1.0, 3)
    X, y = data(50, 8, 3)
    losses = [net.train_epoch(X, y, 10, _core.Optimizer(kind, 3e38), 1) for _ in range(3)]
    assert not np.isfinite(losses).any()


def test_weights_that_overflow_in_the_last_batch_give_a_loss_that_is_not_finite():
    """The loss of that batch was still fine, and relu would hide the NaN of the next."""
    net = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    X, y = data(50, 8, 3)
    assert np.isfinite(net.evaluate(100.0 * X, y, 1)[0])
    assert not np.isfinite(net.train_epoch(100.0 * X, y, 50, sgd(3e38), 1))


# --- bits ---------------------------------------------------------------------------------------


def trained(threads=1, seed=5, dtype=np.float32, sizes=(300, 200, 10), batch_size=64, n=5000):
    """Losses and bits of a few epochs."""
    net = _core.Network(sizes, "relu", "softmax", 1.0, seed)
    if dtype == np.uint8:
        X, y = data(n, sizes[0], sizes[-1], np.uint8)
    else:
        X, y = data(n, sizes[0], sizes[-1])
    net.input_transform = transform_for(dtype, sizes[0])
    optimizer = sgd(0.05, momentum=0.5)
    losses = [net.train_epoch(X, y, batch_size, optimizer, threads) for _ in range(3)]
    return losses, bits(net)


# 300-200-10: with 128 a batch, the lower 60000 synapses are shared out (synapses * batch >= 2^22,
# split_rows); with 4096 the upper 2000 are too, and so is the gather (inputs * batch >= 2^20).
@pytest.mark.parametrize("batch_size", [128, 4096])
def test_training_gives_equal_bits_for_any_threads(batch_size):
    one = trained(1, batch_size=batch_size)
    for threads in (2, 7):
        assert trained(threads, batch_size=batch_size) == one


def test_passes_give_equal_bits_for_any_threads():
    net = _core.Network([300, 200, 10], "relu", "softmax", 1.0, 5)
    X, y = data(2001, 300, 10)  # 62000 synapses * 2001 samples >= 2^22: tiles are shared

    def passes(threads):
        loss, d_values, d_biases = net.gradients(X, y, threads)
        arrays = [net.probabilities(X, threads), net.classify(X, threads), *d_values, *d_biases]
        return [*net.evaluate(X, y, threads), loss, *(a.tobytes() for a in arrays)]

    one = passes(1)
    for threads in (2, 7):
        assert passes(threads) == one


def test_more_threads_than_the_system_has_do_not_crash():
    """A process of its own: libgomp kills the one that asks for too many."""
    code = """
import numpy as np
from synaprune import _core
net = _core.Network([300, 200, 10], "relu", "softmax", 1.0, 0)
X, y = np.ones((4096, 300), np.float32), np.zeros(4096, np.int32)
threads = 100_000
net.train_epoch(X, y, 4096, _core.Optimizer("sgd", 0.1), threads)
net.gradients(X, y, threads)
print("loss", net.evaluate(X, y, threads)[0])
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("loss ")


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
        passes = [net.probabilities(samples, 1), net.classify(samples, 1), *d_values, *d_biases]
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


# --- copy and assign ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer",
    [sgd(0.1), sgd(0.1, momentum=0.9), _core.Optimizer("adam", 0.01)],
    ids=["plain", "momentum", "adam"],
)
def test_assign_undoes_training_and_cuts_bit_for_bit(optimizer):
    X, y = data(120, 20, 4)
    net = _core.Network([20, 12, 4], "relu", "softmax", 1.0, 5)
    net.input_transform = transform_for(np.float32, 20)
    for _ in range(3):
        net.train_epoch(X, y, 16, optimizer, 1)
    net.cut("wsf", 100)
    net.train_epoch(X, y, 16, optimizer, 1)
    saved, at_save = net.copy(), bits(net)

    net.cut("random", 60)
    net.train_epoch(X, y, 16, optimizer, 1)
    net.input_transform = (np.zeros(20, np.float32), np.ones(20, np.float32))
    assert all(a != b for a, b in zip(bits(net)[2:4], at_save[2:4], strict=True))
    assert bits(saved) == at_save  # the copy is independent

    net.assign(saved)
    assert bits(net) == at_save
    assert net.structure == saved.structure
    assert bits(saved) == at_save

    # what cannot be seen (moments, step count, derived plan) shows in how training goes on
    losses = [[n.train_epoch(X, y, 16, optimizer, 1) for _ in range(3)] for n in (net, saved)]
    assert losses[0] == losses[1]
    assert bits(net) == bits(saved)
    assert bits(net) != at_save


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_copy_holds_the_optimiser_state(kind):
    """The test above compares like with like; this one shows that the state matters at all."""
    optimizer = _core.Optimizer(kind, 0.01, momentum=0.9)
    X, y = data(120, 20, 4)
    net = _core.Network([20, 12, 4], "relu", "softmax", 1.0, 5)
    net.train_epoch(X, y, 16, optimizer, 1)
    fresh = _core.Network.from_layers(net.layers(), "relu", "softmax", net.rng_state)
    copy = net.copy()
    assert bits(fresh) == bits(net)
    for n in (net, copy, fresh):
        n.train_epoch(X, y, 16, optimizer, 1)
    assert bits(copy) == bits(net)
    assert bits(fresh) != bits(net)


def test_assign_takes_another_shape_and_itself():
    net = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    net.assign(_core.Network([5, 4, 4, 1], "tanh", "sigmoid", 1.0, 9))
    net.assign(net)
    assert net.structure == (5, 4, 4, 1)
    assert bits(net) == bits(_core.Network([5, 4, 4, 1], "tanh", "sigmoid", 1.0, 9))
    assert net.probabilities(np.zeros((2, 5), np.float32), 1).tolist() == [[0.5], [0.5]]


# --- interrupts and concurrency -----------------------------------------------------------------

LONG_CALLS = {  # each takes a minute or so where nobody interrupts
    "train_epoch": 'net.train_epoch(X, y, 64, _core.Optimizer("sgd", 1e-6), threads)',
    "evaluate": "net.evaluate(X, y, threads)",
    "probabilities": "net.probabilities(X, threads)",
    "classify": "net.classify(X, threads)",
}
LONG_SCRIPT = """
import sys
import numpy as np
from synaprune import _core
threads = int(sys.argv[1])
net = _core.Network([64, 1024, 1024, 3], "tanh", "softmax", 1.0, 0)
X, y = np.zeros((2**22, 64), np.uint8), np.zeros(2**22, np.int32)
print("ready", flush=True)
try:
    {call}
    print("finished")
except KeyboardInterrupt:
    net.evaluate(X[:9], y[:9], 1)  # the network is still of use
    print("interrupted")
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("long_call", LONG_CALLS.values(), ids=LONG_CALLS)
def test_ctrl_c_ends_a_long_call(long_call, threads):
    with subprocess.Popen(
        [sys.executable, "-c", LONG_SCRIPT.format(call=long_call), str(threads)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.4)  # inside the call by now
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=15)
        finally:
            process.kill()
    assert out == "interrupted\n"


def test_readers_and_a_writer_share_a_network():
    X, y = data(4000, 30, 5)  # enough that evaluation is shared out, too
    net = _core.Network([30, 40, 5], "relu", "softmax", 1.0, 0)
    failures, seen = [], []
    started = threading.Barrier(5)

    def reader():
        try:
            started.wait()
            for _ in range(60):
                p = net.probabilities(X, 2)
                assert p.shape == (4000, 5)
                assert (abs(p.sum(1) - 1.0) < 20 * EPS).all()
                mean_loss, n_correct = net.evaluate(X, y, 2)
                assert np.isfinite(mean_loss)
                assert 0 <= n_correct <= 4000
                assert net.classify(X, 1).max() < 5
                # a copy is one moment's whole network
                twin = net.copy()
                assert sum(len(layer[2]) for layer in twin.layers()) == twin.n_synapses
                seen.append(twin.n_synapses)
        except BaseException as error:
            failures.append(error)

    def writer():
        try:
            started.wait()
            for _ in range(30):
                assert np.isfinite(net.train_epoch(X, y, 500, sgd(0.05), 2))
                net.cut("wsf", 20)
                net.assign(net.copy())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=f) for f in (reader, reader, reader, reader, writer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(seen) == 4 * 60
    assert net.n_synapses <= 30 * 40 + 40 * 5 - 30 * 20


# --- arguments ----------------------------------------------------------------------------------

X3, Y3 = data(6, 3, 2)
CALLS = {
    "train_epoch": {"X": X3, "y": Y3, "batch_size": 2, "optimizer": sgd(0.1), "threads": 1},
    "evaluate": {"X": X3, "y": Y3, "threads": 1},
    "probabilities": {"X": X3, "threads": 1},
    "classify": {"X": X3, "threads": 1},
    "gradients": {"X": X3, "y": Y3, "threads": 1},
}
calls = pytest.mark.parametrize("method", CALLS)
labelled_calls = pytest.mark.parametrize("method", [m for m in CALLS if "y" in CALLS[m]])


def call(method, net=None, **changed):
    net = net or _core.Network([3, 4, 2], "relu", "softmax", 1.0, 0)
    return getattr(net, method)(**(CALLS[method] | changed))


@calls
def test_good_arguments_pass(method):
    call(method)


@calls
@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (X3[:, :2].copy(), ValueError, "at least one row and 3 columns, got float32 .*6, 2"),
        (np.ones((6, 4), np.uint8), ValueError, "at least one row and 3 columns, got uint8 .*6, 4"),
        (
            X3[:0],
            ValueError,
            r"at least one row and 3 columns, got float32 array of shape \(0, 3\)",
        ),
        (X3[0], ValueError, r"C-ordered with 2 axes, got float32 array of shape \(3,\)"),
        (X3[None], ValueError, "C-ordered with 2 axes"),
        (np.asfortranarray(X3), ValueError, "C-ordered with 2 axes"),
        (X3[::2], ValueError, "C-ordered with 2 axes"),
        (X3.astype(np.float64), TypeError, "X must be float32, got float64"),
        (X3.astype(np.int32), TypeError, "X must be float32, got int32"),
        (X3.astype(">f4"), TypeError, "X must be float32, got >f4"),
        (X3 > 0, TypeError, "X must be float32, got bool"),
        (X3.tolist(), TypeError, "incompatible function arguments"),
    ],
)
def test_wrong_samples_are_refused(method, X, error, message):
    with pytest.raises(error, match=message):
        call(method, X=X)


@labelled_calls
@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (Y3[:5].copy(), ValueError, "y must have 6 entries, got 5"),
        (np.zeros(7, np.int32), ValueError, "y must have 6 entries, got 7"),
        (Y3[:, None], ValueError, "y must be aligned and C-ordered with 1 axes"),
        (np.repeat(Y3, 2)[::2], ValueError, "y must be aligned and C-ordered with 1 axes"),
        (Y3 + np.int32(1), ValueError, "class numbers from 0 to 1, got 2"),
        (Y3 - np.int32(1), ValueError, "class numbers from 0 to 1, got -1"),
        (Y3.astype(np.int64), TypeError, "y must be int32, got int64"),
        (Y3.astype(np.float32), TypeError, "y must be int32, got float32"),
        (Y3.tolist(), TypeError, "incompatible function arguments"),
    ],
)
def test_wrong_labels_are_refused(method, y, error, message):
    with pytest.raises(error, match=message):
        call(method, y=y)


@labelled_calls
def test_one_output_takes_two_classes(method):
    net = _core.Network([3, 4, 1], "relu", "sigmoid", 1.0, 0)
    call(method, net, y=Y3)
    with pytest.raises(ValueError, match="class numbers from 0 to 1, got 2"):
        call(method, net, y=np.full(6, 2, np.int32))


@calls
@pytest.mark.parametrize("threads", [0, -1, -(2**31)])
def test_threads_below_one_are_refused(method, threads):
    with pytest.raises(ValueError, match=f"threads must be at least 1, got {threads}"):
        call(method, threads=threads)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batch_size_below_one_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {batch_size}"):
        call("train_epoch", batch_size=batch_size)


def test_refused_calls_change_nothing():
    net = _core.Network([3, 4, 2], "relu", "softmax", 1.0, 0)
    before = bits(net)
    for changed in ({"threads": 0}, {"batch_size": 0}, {"y": Y3 + np.int32(1)}, {"X": X3[:0]}):
        with pytest.raises(ValueError):
            call("train_epoch", net, **changed)
    assert bits(net) == before


@pytest.mark.parametrize(
    ("sizes", "activation", "loss", "message"),
    [
        ([3], "relu", "softmax", "at least inputs and outputs, got 1"),
        ([], "relu", "softmax", "at least inputs and outputs, got 0"),
        ([3, 0, 2], "relu", "softmax", "sizes must be at least 1, got 0"),
        ([-3, 2], "relu", "softmax", "sizes must be at least 1, got -3"),
        ([3, 2], "gelu", "softmax", "activation must be one of 'relu', .*, got 'gelu'"),
        ([3, 2], "relu", "hinge", "loss must be one of 'softmax', .*, got 'hinge'"),
    ],
)
def test_wrong_construction_is_refused(sizes, activation, loss, message):
    with pytest.raises(ValueError, match=message):
        _core.Network(sizes, activation, loss, 1.0, 0)


@pytest.mark.parametrize(("loss", "n_out"), [("softmax", 1), ("sigmoid", 3)])
def test_loss_that_does_not_fit_the_outputs_is_refused(loss, n_out):
    """Softmax over one output would write past its row for class 1; sigmoid reads one row only."""
    with pytest.raises(ValueError, match=loss):
        _core.Network([3, n_out], "relu", loss, 1.0, 0)
    layer = from_mask(np.random.default_rng(0), np.ones((n_out, 3), bool))
    with pytest.raises(ValueError, match=loss):
        _core.Network.from_layers([layer], "relu", loss, 0)


LAYER = from_mask(np.random.default_rng(0), np.array([[1, 0, 1], [0, 1, 0]], bool))
FIELDS = ("n_in", "indptr", "indices", "values", "initial", "bias")


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("n_in", 0, ValueError, "layer 0: sizes must be at least 1"),
        ("n_in", -1, ValueError, "layer 0: sizes must be at least 1"),
        (
            "n_in",
            2,
            ValueError,
            r"layer 0 is not canonical CSR: column 2 in row 0 is not in \[0, 2",
        ),
        ("n_in", "three", TypeError, "n_in"),
        ("indptr", np.array([0, 2]), ValueError, "indptr must have 3 entries, got 2"),
        ("indptr", np.zeros(0, np.int64), ValueError, "indptr must have 3 entries, got 0"),
        ("indptr", np.array([0, 4, 3]), ValueError, "indptr falls or leaves the array at row 0"),
        ("indptr", np.array([1, 2, 3]), ValueError, "indptr must start at 0, got 1"),
        ("indptr", np.array([0, 2, 3], "i4"), TypeError, "indptr must be int64, got int32"),
        ("indices", np.array([2, 0, 1], "i4"), ValueError, "columns of row 0 are not ascending"),
        ("indices", np.array([0, 0, 1], "i4"), ValueError, "columns of row 0 are not ascending"),
        ("indices", np.array([0, 2, -1], "i4"), ValueError, "column -1 in row 1"),
        ("indices", np.array([0, 2], "i4"), ValueError, "indptr must end at .* synapses 2, got 3"),
        ("indices", np.array([0, 2, 1]), TypeError, "indices must be int32, got int64"),
        ("values", np.ones(2, "f4"), ValueError, "values and initial must have one entry"),
        ("initial", np.ones(4, "f4"), ValueError, "values and initial must have one entry"),
        ("values", np.ones(3), TypeError, "values must be float32, got float64"),
        ("values", np.array([1, np.nan, 1], "f4"), ValueError, "weights and biases must be finite"),
        ("initial", np.array([1, np.inf, 1], "f4"), ValueError, "must be finite"),
        ("bias", np.array([1, -np.inf], "f4"), ValueError, "must be finite"),
        ("bias", np.zeros(0, "f4"), ValueError, "layer 0: sizes must be at least 1"),
        ("bias", np.zeros(3, "f4"), ValueError, "indptr must have 4 entries, got 3"),
        (
            "bias",
            np.zeros((2, 1), "f4"),
            ValueError,
            "bias must be aligned and C-ordered with 1 axes",
        ),
    ],
)
def test_wrong_layers_are_refused(field, value, error, message):
    layer = tuple(value if name == field else a for name, a in zip(FIELDS, LAYER, strict=True))
    with pytest.raises(error, match=message):
        _core.Network.from_layers([layer], "relu", "softmax", 0)


def test_layers_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="layer 1: takes 3 inputs, which is not the layer below"):
        _core.Network.from_layers([LAYER, LAYER], "relu", "softmax", 0)
    with pytest.raises(ValueError, match="at least one layer"):
        _core.Network.from_layers([], "relu", "softmax", 0)
    with pytest.raises(ValueError, match="a layer is"):
        _core.Network.from_layers([LAYER[:5]], "relu", "softmax", 0)


@pytest.mark.parametrize(
    ("transform", "error", "message"),
    [
        ((np.zeros(2, "f4"), np.ones(3, "f4")), ValueError, "must have 3 entries, got 2 and 3"),
        ((np.zeros(3, "f4"), np.ones(4, "f4")), ValueError, "must have 3 entries, got 3 and 4"),
        ((np.array([0, 0, np.nan], "f4"), np.ones(3, "f4")), ValueError, "must be finite"),
        ((np.zeros(3, "f4"), np.array([1, 1, np.inf], "f4")), ValueError, "must be finite"),
        ((np.zeros(3), np.ones(3, "f4")), TypeError, "shift must be float32, got float64"),
        ((np.zeros(3, "f4"), np.ones(3)), TypeError, "scale must be float32, got float64"),
        (
            (np.zeros((3, 1), "f4"), np.ones(3, "f4")),
            ValueError,
            "shift must be aligned and C-ordered",
        ),
        ((np.zeros(3, "f4"),), TypeError, "incompatible function arguments"),
    ],
)
def test_wrong_input_transform_is_refused_and_changes_nothing(transform, error, message):
    net = _core.Network([3, 2], "relu", "softmax", 1.0, 0)
    before = bits(net)
    with pytest.raises(error, match=message):
        net.input_transform = transform
    assert bits(net) == before


def test_unknown_optimiser_is_refused():
    with pytest.raises(ValueError, match="kind must be 'sgd' or 'adam', got 'rmsprop'"):
        _core.Optimizer("rmsprop", 0.1)


def test_default_threads_is_what_the_build_says():
    assert _core.default_threads() == _core.build_info()["threads"] >= 1


# --- all_finite ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 15, 16, 17, 4095, 4096, 4097, 10000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_all_finite_finds_one_bad_number_anywhere(n, bad):
    largest = np.finfo(np.float32).max
    a = np.full(n, largest, np.float32)  # whose sum is not finite
    assert _core.all_finite(a)
    for position in {0, n // 2, n - 1, max(n - 2, 0)}:
        a[position] = bad
        assert not _core.all_finite(a)
        a[position] = largest


def test_all_finite_takes_any_axes_of_float32():
    assert _core.all_finite(np.zeros(0, np.float32))
    assert not _core.all_finite(np.full((2, 3), np.nan, np.float32))
    with pytest.raises(TypeError, match="a must be float32, got float64"):
        _core.all_finite(np.zeros(3))
    with pytest.raises(ValueError, match="a must be aligned and C-ordered"):
        _core.all_finite(np.zeros((4, 4), np.float32).T[1:])
