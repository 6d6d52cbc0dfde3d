"""Random networks: every call that takes threads gives the same bits for 1, 2, 3 and 4 of them.

Under ThreadSanitizer (`.ci/run`) the same calls show what threads do to each other's data.
"""

import numpy as np
import pytest
from core.dense_model import random_layers
from core.networks import bits, sgd
from synaprune import _core

OPTIMIZERS = (
    sgd(0.01),
    sgd(0.01, momentum=0.9, l1=1e-4),
    _core.Optimizer("adam", 0.001, weight_decay=1e-3),
)


def one_case(seed):
    """A network and samples for it, by chance but large enough for several threads."""
    rng = np.random.default_rng([12, seed])
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    loss = pick("softmax", "sigmoid", "squared", "huber")
    sizes = [pick(200, 450, 784), *(pick(1, 10, 20, 120) for _ in range(pick(0, 1, 2)))]
    sizes.append(1 if loss == "sigmoid" else pick(2, 3, 10))
    layers = random_layers(rng, sizes, density=pick(0.05, 0.3, 1.0))
    net = _core.Network.from_layers(layers, pick("relu", "tanh", "sigmoid"), loss, seed)
    n, n_classes = pick(300, 500, 1001), max(sizes[-1], 2)
    if pick(True, False):
        X = rng.integers(0, 256, (n, sizes[0]), np.uint8)
        shift, scale = np.zeros(sizes[0], np.float32), np.full(sizes[0], 1 / 255, np.float32)
        net.input_transform = shift, scale
    else:
        X = rng.random((n, sizes[0]), np.float32)
    if pick(True, False):
        frozen = rng.random(net.n_synapses + sum(sizes[1:])) < 0.1
        net.frozen = frozen.astype(np.uint8)
    y = rng.integers(0, n_classes, n, np.int32)
    targets = y
    if pick(True, False):
        targets = rng.dirichlet(np.ones(n_classes), n).astype(np.float32)
    options = {"weights": rng.random(n, np.float32) if pick(True, False) else None}
    options["smoothing"] = pick(0.0, 0.1)
    if loss == "huber":
        y = targets = rng.normal(size=(n, sizes[-1])).astype(np.float32)
        options["smoothing"] = 0.0
    varied = {"dropout": pick(0.0, 0.3)}
    if sizes[0] == 784:
        varied["shift"] = _core.ImageShift(28, 28, 2, 0.5)
    return net, X, y, targets, options, varied, pick(10, 64, 100, 700), pick(*OPTIMIZERS)


def everything(case, threads):
    """What every call answers and leaves behind, as bytes and numbers."""
    net, X, y, targets, options, varied, batch_size, optimizer = case
    net = net.copy()
    told = []
    for _ in range(2):
        told.append(
            net.train_epoch(X, targets, batch_size, optimizer, threads, **options, **varied)
        )
        told += bits(net)
        told += [net.evaluate(X, y, threads), net.outputs(X, threads).tobytes()]
        loss, *gradients = net.gradients(X, targets, threads, **options)
        told += [loss, *(g.tobytes() for part in gradients for g in part)]
        moments = net.gradient_moments(X, targets, threads, **options)
        told += [m.tobytes() for m in moments]
        for layer in range(len(net.structure) - 1):
            told.append(_core.activations(net, X, layer, threads).tobytes())
        # Each sample is computed again without each synapse.
        n = min(200, max(4, 100_000 // max(net.n_synapses, 1)))
        told += [
            _core.ablate(net, X[:n], y[:n], layer, part, threads).tobytes()
            for layer in {0, len(net.structure) - 2}
            for part in ("columns", "synapses")
        ]
        told.append(net.cut(net.score("magnitude"), net.n_synapses // 3))
    n_in, indptr, indices, values, _, bias = net.layers()[0]
    linear = _core.Linear(n_in, indptr, indices, values, bias)
    samples = np.ascontiguousarray(X.T, np.float32)
    outputs = linear.forward(samples, threads)
    told += [outputs.tobytes(), *(g.tobytes() for g in linear.backward(samples, outputs, threads))]
    return told


@pytest.mark.parametrize("seed", range(24))
def test_every_call_gives_equal_bits_for_any_threads(seed):
    case = one_case(seed)
    one = everything(case, 1)
    for threads in (2, 3, 4):
        assert everything(case, threads) == one
