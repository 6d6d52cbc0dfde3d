"""`count_bits` against a model that is written out in bits, and `share_weights`."""

import math

import numpy as np
import pytest
import synaprune as sn
from export.networks import random_network
from synaprune.program import Program
from synaprune.quantization._share_weights import Codebook

ONE = sn.Training(1, batch_size=16)


def written(number, n_things):
    """A number from 0 on in as many bits as tell so many things apart."""
    width = math.ceil(math.log2(n_things)) if n_things > 1 else 0
    return format(number, f"0{width}b") if width else ""


def living(net):
    """Dense weights of what leads from an input to an output, and the inputs: a naive search."""
    dense = [layer.to_dense() for layer in net.weights]
    there = [np.zeros(layer.shape, bool) for layer in net.weights]
    for mask, layer in zip(there, net.weights, strict=True):
        mask[layer.rows, layer.indices] = True
    reached, needed = [np.ones(net.layers[0], bool)], [np.ones(net.layers[-1], bool)]
    for mask in there:
        reached.append((mask & reached[-1]).any(axis=1))
    for mask in reversed(there):
        needed.append((mask & needed[-1][:, None]).any(axis=0))
    needed.reverse()
    alive = [r & n for r, n in zip(reached, needed, strict=True)]
    alive[-1][:] = True
    cells = [
        (W[rows][:, columns], mask[rows][:, columns])
        for W, mask, rows, columns in zip(dense, there, alive[1:], alive[:-1], strict=True)
    ]
    if not cells[-1][1].any():  # constants alone: one layer without inputs
        none = (len(alive[-1]), 0)
        cells, alive = [(np.zeros(none), np.zeros(none, bool))], [np.zeros(net.layers[0], bool)]
    return cells, alive[0]


def structure(cells, inputs):
    """The places of synapses and inputs as a text of bits."""
    sizes = [len(inputs), int(inputs.sum()), *(len(mask) for _, mask in cells)]
    text = "".join(format(size, "032b") for size in sizes)
    if not inputs.all():
        listed = "".join(written(i, len(inputs)) for i in np.flatnonzero(inputs))
        text += min(listed, "".join("01"[int(used)] for used in inputs), key=len)
    for _, mask in cells:
        if mask.all():
            continue
        rows = "".join(written(row.sum(), mask.shape[1] + 1) for row in mask)
        csr = "".join(written(j, mask.shape[1]) for row in mask for j in np.flatnonzero(row))
        text += min(rows + csr, "".join("01"[int(cell)] for cell in mask.flat), key=len)
    return text


def test_the_bits_of_a_network_are_those_of_the_network_written_out():
    for seed in range(200):
        net, _ = random_network(seed)
        cells, inputs = living(net)
        bits = sn.count_bits(net)
        assert bits.structure == len(structure(cells, inputs)), seed
        assert bits.weights == 32 * sum(mask.sum() for _, mask in cells)
        assert bits.biases == 32 * sum(len(mask) for _, mask in cells)
        assert bits.scaling == (64 * net.layers[-1] if net.is_regression else 0)
        assert bits.total == bits.structure + bits.weights + bits.biases + bits.scaling


@pytest.fixture(scope="module")
def digits():
    data = sn.datasets.digits()
    net = sn.SparseMLP((64, 20, 10), seed=0)
    recipe = sn.Training(8, batch_size=16, optimizer=sn.SGD(lr=0.1))
    path = sn.prune(net, *data.train, validation=data.validation, n_synapses=250, training=recipe)
    return data, path.smallest


def test_the_bits_of_shared_weights_and_whole_numbers(digits):
    data, net = digits
    options = {"validation": data.validation, "max_drop": 0.9}
    shared = sn.share_weights(net, *data.train, n_values=5, **options)
    used = [np.unique(layer.values) for layer in shared.network.weights]
    assert [len(book) for book in used] == [5, 5]
    bits = sn.count_bits(shared)
    n = net.n_synapses
    assert bits.weights == 3 * n + 32 * 10
    assert bits.scaling == 0  # pixels have one scale
    assert bits.structure == sn.count_bits(net).structure

    rounded = sn.round_weights(net, *data.train, max_weight=3, **options)
    assert sn.count_bits(rounded).weights == 3 * rounded.network.n_synapses + 32 * 2

    for width in (8, 16):
        small = sn.quantize(net, *data.train, bits=width, **options)
        bits = sn.count_bits(small)
        assert bits.weights == width * n
        assert bits == sn.count_bits(small.integers)
        for at, layer in enumerate(small.integers._layers):
            assert abs(layer.bias).max() < 2 ** (31 - at)
        assert 0 < bits.biases <= 32 * len(np.concatenate([w.bias for w in net.weights]))
    assert sn.count_bits(shared).total < bits.total < sn.count_bits(net).total


def test_inputs_of_different_scales_need_these_beside_shared_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) * [1.0, 5.0, 9.0]
    y = X[:, 0] > X[:, 1]
    net = sn.SparseMLP((3, 1), input_scaling="standard", seed=0).fit(X, y, training=ONE)
    shared = sn.share_weights(net, X, y, validation=(X, y), n_values=2, max_drop=1.0)
    assert sn.count_bits(shared).scaling == 32 * 3
    assert sn.count_bits(net).scaling == 0


def test_what_has_no_bits_is_refused(digits):
    with pytest.raises(TypeError, match="model must be a network, or what quantize returned"):
        sn.count_bits(5)
    with pytest.raises(ValueError, match="never fitted"):
        sn.count_bits(sn.SparseMLP((2, 1)))


# ---- shared weights


def test_a_codebook_is_that_of_naive_k_means():
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 16):
        for size in (0, 1, 7, 300):
            weights = rng.normal(size=size).astype(np.float32)
            values = Codebook.of(weights, n).values
            assert len(values) <= n
            assert (np.diff(values) > 0).all()
            if size <= n:
                assert np.array_equal(values, np.sort(weights))
                continue
            nearest = np.abs(weights[:, None] - values).argmin(axis=1)
            for k, centre in enumerate(values):  # each centre is the mean of what is nearest to it
                assert centre == pytest.approx(weights[nearest == k].mean(), abs=1e-6)


def test_weights_become_the_nearest_values(digits):
    data, net = digits
    before = [layer.values.copy() for layer in net.weights]
    shared = sn.share_weights(
        net, *data.train, validation=data.validation, n_values=4, max_drop=0.9
    )
    for old, layer, after, book in zip(
        before, net.weights, shared.network.weights, shared.codebooks, strict=True
    ):
        assert (old == layer.values).all()
        assert (after.values == book[np.abs(old[:, None] - book).argmin(axis=1)]).all()
        assert (after.indices == layer.indices).all()
        assert (after.bias == layer.bias).all()
    assert shared.loss.retrained is None
    assert "4 values a layer" in repr(shared)


def test_retraining_wins_back_what_sharing_costs(digits):
    data, net = digits
    shared = sn.share_weights(
        net, *data.train, validation=data.validation, n_values=2, max_drop=0.0,
        training=sn.Training(12, batch_size=16, optimizer=sn.SGD(lr=0.02, momentum=0.9)),
    )  # fmt: skip
    loss = shared.loss
    assert loss.retrained > loss.rounded + 0.02
    assert loss.score == shared.network.score(*data.validation) == loss.retrained
    for layer, book in zip(shared.network.weights, shared.codebooks, strict=True):
        assert set(layer.values) <= set(book)


def test_any_network_can_share_weights():
    for seed in range(40):
        net, X = random_network(seed)
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=1)
        y = net.predict(X) + noise if net.is_regression else net.classes[
            rng.integers(0, len(net.classes), len(X))
        ]  # fmt: skip
        if seed % 2:
            net = net.with_frozen(inputs=[0])
        shared = sn.share_weights(
            net, X, y, validation=(X, y), n_values=3, max_drop=0.0, training=ONE
        )
        program = Program.of(shared.network)
        for layer in program.layers:
            assert len(np.unique(layer.values)) <= 3
        assert sn.count_bits(shared).total > 0


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"n_values": 0}, ValueError, "n_values must be from 1 to 65536"),
        ({"n_values": 2.0}, TypeError, "n_values must be an int, got float"),
        ({"validation": None}, TypeError, "validation must be a pair (X, y)"),
    ],
)
def test_what_does_not_fit_is_refused(digits, options, error, part):
    data, net = digits
    with pytest.raises(error) as caught:
        sn.share_weights(net, *data.train, **{"validation": data.validation, **options})
    assert part in str(caught.value)
