"""Small problems, small networks, and what "bit for bit equal" means for a network."""

import numpy as np
import pytest
import synaprune as sn


def _blobs(n_classes=2, n=90, n_inputs=4, seed=0):
    rng = np.random.default_rng([seed, n_classes, n_inputs])
    y = rng.permutation(np.arange(n) % n_classes)
    centres = rng.normal(0.0, 2.0, (n_classes, n_inputs))
    return (centres[y] + rng.normal(0.0, 0.3, (n, n_inputs))).astype(np.float32), y


def _bits(net):
    arrays = [a for w in net.weights for a in (w.indptr, w.indices, w.values, w.initial, w.bias)]
    classes = None if net._targets is None else net.classes.tolist()
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
        net.fit(X, y, training=sn.Training(2, batch_size=16, optimizer=optimizer))
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
    net.fit(*data, training=sn.Training(30, batch_size=16, optimizer=sn.SGD(lr=0.3)))
    assert net.score(*data) == 1.0
    return net.copy


@pytest.fixture(scope="session")
def trained3():
    """Make a fresh (network, X, y) of three classes; 5-8-3, 64 synapses, some of them wrong."""
    rng = np.random.default_rng(7)
    y = rng.permutation(np.arange(150) % 3)
    X = (rng.normal(0.0, 1.0, (3, 5))[y] + rng.normal(0.0, 0.8, (150, 5))).astype(np.float32)
    net = sn.SparseMLP((5, 8, 3), init_scale=1.0, seed=1)
    net.fit(X, y, training=sn.Training(40, batch_size=16, optimizer=sn.SGD(lr=0.1)))
    return lambda: (net.copy(), X, y)


class Watched(sn.Strategy):
    """A strategy that is watched: which cuts it makes, and its session.

    Its metric lets a test decide which cuts survive: ``decide(session, n, skip)``, asked after two
    epochs of retraining, in which all state moves (weights, biases, momentum, random).
    """

    def __init__(self, strategy, decide=None):
        self.strategy, self.decide = strategy, decide
        self.starts_trained = strategy.starts_trained
        self.cuts, self.session, self._judged = [], None, 0

    def check(self, goal, training):
        self.strategy.check(goal, training)

    def run(self, session):
        self.session = session
        cut = session.cut

        def recording(n, skip=0):
            self.cuts.append((n, skip))
            self._judged = 0
            cut(n, skip)

        session.cut = recording
        return self.strategy.run(session)

    def metric(self, truth, predicted):
        self._judged += 1
        if not self.cuts:
            return 1.0
        return float(self._judged > 2 and self.decide(self.session, *self.cuts[-1]))


@pytest.fixture(scope="session")
def watched():
    return Watched


@pytest.fixture
def quick(monkeypatch):
    """For tests of searches, of anything but what is found."""
    monkeypatch.setattr(sn.search._recipe, "_UPDATES", (300, 300))
    monkeypatch.setattr(sn.search._task, "_REPEATS", 1)


def pytest_collection_modifyitems(items):
    for item in items:
        if "quick" in getattr(item, "fixturenames", ()):
            item.add_marker("long")
