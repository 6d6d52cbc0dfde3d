"""Small problems, small networks, and what "bit for bit equal" means for a network."""

import numpy as np
import pytest
import synaprune as sn
from synaprune.pruning import _ladder, _run


def _blobs(n_classes=2, n=90, n_inputs=4, seed=0):
    rng = np.random.default_rng([seed, n_classes, n_inputs])
    y = rng.permutation(np.arange(n) % n_classes)
    centres = rng.normal(0.0, 2.0, (n_classes, n_inputs))
    return (centres[y] + rng.normal(0.0, 0.3, (n, n_inputs))).astype(np.float32), y


def _bits(net):
    arrays = [a for w in net.weights for a in (w.indptr, w.indices, w.values, w.initial, w.bias)]
    classes = None if net._labels is None else net.classes.tolist()
    seen = [net.layers, net.activation, net.loss, net._core.rng_state, classes, net.input_names]
    return seen + [a.tobytes() for a in [*arrays, *net.input_transform]]


def _whole(net):
    """`_bits`, and the optimiser's state."""
    state = net._core.optimizer_state
    return [
        *_bits(net),
        None if state is None else (*state[:2], state[2].shape, state[2].tobytes()),
    ]


def _goes_on_alike(a, b, X, y, optimizer):
    """Whether two networks train on to equal bits, unseen optimiser state included."""
    a, b = a.copy(), b.copy()
    for net in (a, b):
        net.fit(X, y, epochs=2, batch_size=16, optimizer=optimizer)
    return _bits(a) == _bits(b)


@pytest.fixture(scope="session")
def blobs():
    """Make (X float32, y int64) of well separated clusters, one a class."""
    return _blobs


@pytest.fixture(scope="session")
def bits():
    """All of a network that can be seen, in a form that ``==`` compares."""
    return _bits


@pytest.fixture(scope="session")
def whole():
    """The same, with what the optimiser remembers."""
    return _whole


@pytest.fixture(scope="session")
def goes_on_alike():
    return _goes_on_alike


@pytest.fixture(scope="session")
def data():
    """Two classes, four inputs."""
    return _blobs()


@pytest.fixture(scope="session")
def trained(data):
    """Make a fresh copy of a network that gets all of `data` right; 4-6-1, 30 synapses."""
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=3)
    net.fit(*data, epochs=30, batch_size=16, optimizer=sn.SGD(lr=0.3))
    assert net.score(*data) == 1.0
    return net.copy


@pytest.fixture(scope="session")
def trained3():
    """Make a fresh (network, X, y) of three classes; 5-8-3, 64 synapses, some of them wrong."""
    rng = np.random.default_rng(7)
    y = rng.permutation(np.arange(150) % 3)
    X = (rng.normal(0.0, 1.0, (3, 5))[y] + rng.normal(0.0, 0.8, (150, 5))).astype(np.float32)
    net = sn.SparseMLP((5, 8, 3), init_scale=1.0, seed=1)
    net.fit(X, y, epochs=40, batch_size=16, optimizer=sn.SGD(lr=0.1))
    return lambda: (net.copy(), X, y)


@pytest.fixture
def spy(monkeypatch):
    """Record the cuts of a run, and let a test decide which of them survive.

    ``spy.verdict(run, n, spared)`` says so; None leaves it to the real `retrain`.
    """

    class Spy:
        run = None
        cuts = ()
        verdict = None

    cut, retrain = _run.Run.cut, _ladder.retrain

    def recording_cut(run, n, spared=0):
        Spy.run = run
        Spy.cuts = (*Spy.cuts, (n, spared))
        cut(run, n, spared)

    def decided_retrain(run, *args, **options):
        if Spy.verdict is None:
            return retrain(run, *args, **options)
        for _ in run.train(2):  # all state moves: weights, biases, momentum, random
            pass
        return 0 if Spy.verdict(run, *Spy.cuts[-1]) else None

    monkeypatch.setattr(_run.Run, "cut", recording_cut)
    monkeypatch.setattr(_ladder, "retrain", decided_retrain)
    return Spy
