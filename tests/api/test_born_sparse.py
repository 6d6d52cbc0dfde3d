"""Networks that start sparse, and trainings that exchange their synapses."""

import pickle
import re
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn
from synaprune.training import TrainingSet

DOC = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
DATA = sn.datasets.digits()
RECIPE = sn.Training(4, optimizer=sn.SGD(0.1, momentum=0.5))


def born_sparse(seed=0, **options):
    return sn.SparseMLP((64, 40, 30, 10), init_scale=1.0, seed=seed, **{"density": 0.1} | options)


def everything(net):
    return [a.tobytes() for w in net.weights for a in w.to_core()[1:]]


def test_counts_follow_density_or_epsilon():
    assert [len(w.values) for w in born_sparse().weights] == [256, 120, 30]
    assert [len(w.values) for w in born_sparse(density=[0.5, 1.0, 0.01]).weights] == [1280, 1200, 3]
    net = born_sparse(density=None, epsilon=3)
    assert [len(w.values) for w in net.weights] == [3 * 104, 3 * 70, 3 * 40]
    net = born_sparse(density=None, epsilon=30)  # more than a layer has
    assert [len(w.values) for w in net.weights] == [2560, 1200, 300]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"density": 0.0}, ValueError, r"density must be finite and in \(0.0, 1.0\]"),
        ({"density": 1.1}, ValueError, "density must be finite and in"),
        ({"density": [0.1, 0.2]}, ValueError, "density must have 3 entries, one a layer, got 2"),
        ({"density": "0.1"}, TypeError, "density must be a number, got '0.1'"),
        ({"density": None, "epsilon": -1.0}, ValueError, "epsilon must be finite and in"),
        ({"epsilon": 2.0}, ValueError, "density and epsilon exclude each other"),
    ],
)
def test_wrong_densities_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        born_sparse(**options)


def test_a_reset_begins_sparse_again():
    net = born_sparse(3)
    before = everything(net)
    net.fit(*DATA.train, training=replace(RECIPE, rewire=sn.SET()))
    assert everything(net) != before
    assert everything(net.reset()) == before
    assert everything(net.reset(4)) == everything(born_sparse(4)) != before


def test_files_and_pickles_remember_the_start(tmp_path):
    net = born_sparse()
    net.save(tmp_path / "net.npz")
    for twin in (sn.SparseMLP.load(tmp_path / "net.npz"), pickle.loads(pickle.dumps(net))):
        assert everything(twin.reset()) == everything(net)
    header, _ = sn.SparseMLP((4, 3, 2)).state()
    assert "start" not in header  # files of full networks are what they were


def test_given_layers_and_masks_need_no_dense_network():
    net = born_sparse()
    twin = sn.SparseMLP.from_layers(net.weights)
    assert everything(twin) == everything(net)
    assert twin.layers == net.layers
    masks = [pytest.importorskip("scipy.sparse").coo_array(w.to_scipy()) for w in net.weights]
    drawn = sn.SparseMLP.from_masks(masks, init_scale=1.0, seed=5)
    for a, b in zip(drawn.weights, net.weights, strict=True):
        np.testing.assert_array_equal(a.keys, b.keys)
    again = sn.SparseMLP.from_state(*drawn.state())
    for each in (twin, drawn, again):
        with pytest.raises(ValueError, match="cannot be reset"):
            each.reset()
        each.fit(*DATA.train, training=replace(RECIPE, epochs=1))


@pytest.mark.parametrize(
    ("call", "given", "error", "message"),
    [
        ("from_layers", [], ValueError, "weights must not be empty"),
        ("from_layers", 3, TypeError, "weights must be a sequence"),
        ("from_layers", [3], TypeError, "each of weights must be a SparseLayer, got 3"),
        ("from_masks", [np.eye(3)], TypeError, "each of masks must be a sparse matrix of SciPy"),
    ],
)
def test_what_is_no_layer_is_refused(call, given, error, message):
    pytest.importorskip("scipy")
    with pytest.raises(error, match=message):
        getattr(sn.SparseMLP, call)(given)


REWIRINGS = (sn.SET(), sn.RigL(every=5), sn.RigL(every=5, candidates=np.inf))


@pytest.mark.parametrize("rewire", REWIRINGS, ids=str)
def test_a_training_keeps_counts_and_does_not_depend_on_threads(rewire):
    start, results = [w.keys for w in born_sparse().weights], []
    for threads in (1, 2, 7):
        net = born_sparse()
        net.fit(*DATA.train, training=replace(RECIPE, rewire=rewire), threads=threads)
        results.append(everything(net))
    assert results[0] == results[1] == results[2]
    assert [len(w.values) for w in net.weights] == [256, 120, 30]
    for keys, w in zip(start, net.weights, strict=True):
        assert 0.1 < np.isin(w.keys, keys).mean() < 0.95
        stays = np.isin(w.keys, keys)
        assert (w.initial[~stays] == 0.0).all()  # WSF of what grew is how far it has moved
        assert (w.values[~stays] != 0.0).any()


@pytest.mark.parametrize("rewire", REWIRINGS, ids=str)
def test_exchanges_learn(rewire):
    net = sn.SparseMLP((64, 100, 10), density=0.1, init_scale=1.0, seed=0)
    recipe = sn.Training(20, batch_size=16, optimizer=sn.SGD(0.1), rewire=rewire)
    assert net.fit(*DATA.train, training=recipe).score(*DATA.validation) > 0.8


def test_rigl_exchanges_when_it_should(monkeypatch):
    told = []

    def rewire(self, core, share, candidates, batch_size):
        told.append((core.optimizer_state[1], share, candidates, batch_size))

    monkeypatch.setattr("synaprune.training.TrainingSet.rewire", rewire)
    X, y = (a[:100] for a in DATA.train)  # 4 epochs of 4 updates
    recipe = replace(RECIPE, batch_size=32)
    born_sparse().fit(X, y, training=replace(recipe, rewire=sn.RigL(0.4, every=3, until=0.75)))
    assert [update for update, *_ in told] == [3, 6, 9]  # before 12
    shares = [share for _, share, *_ in told]
    np.testing.assert_allclose(shares, 0.2 * (1 + np.cos(np.pi * np.array([3, 6, 9]) / 12)))
    assert [rest for _, _, *rest in told] == [[10.0, 32]] * 3
    told.clear()
    plain = born_sparse().fit(X, y, training=recipe)
    same = born_sparse().fit(X, y, training=replace(recipe, rewire=sn.SET(0.2)))
    assert told == [(4, 0.2, 0.0, 32), (8, 0.2, 0.0, 32), (12, 0.2, 0.0, 32)]
    assert everything(plain) == everything(same)  # nothing else differs


def test_a_divergence_leaves_the_last_epoch():
    net = born_sparse()
    X, y = DATA.train
    recipe = sn.Training(5, optimizer=sn.SGD(0.1), rewire=sn.SET())
    kept = []
    net.fit(X, y, training=replace(recipe, epochs=1))
    bad = replace(recipe, lr_schedule=lambda done: 1e30 if done > 0.3 else 1.0)
    with pytest.raises(sn.TrainingDiverged):
        net.fit(X, y, training=bad, callback=lambda p: kept.append(p.epoch))
    assert kept == [1, 2]
    assert net.n_synapses == 406
    assert np.isfinite(np.concatenate([w.values for w in net.weights])).all()


def test_ctrl_c_leaves_the_last_exchange(monkeypatch):
    """The signal comes soon after the third exchange, within an epoch of 108000 updates."""
    X, y = (np.repeat(a, 100, axis=0) for a in DATA.train)
    net, states = born_sparse(), []

    def rewire(self, *arguments):
        exchange(self, *arguments)
        states.append(everything(net))
        if len(states) == 3:
            threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()

    exchange = TrainingSet.rewire
    monkeypatch.setattr(TrainingSet, "rewire", rewire)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y, training=replace(RECIPE, epochs=9, batch_size=1, rewire=sn.SET()))
    assert len(states) == 3
    assert everything(net) == states[-1]
    assert net.n_synapses == 406
    net.fit(*DATA.train, training=RECIPE)  # and goes on


def test_rewiring_is_refused_where_it_means_nothing():
    net = born_sparse().fit(*DATA.train, training=replace(RECIPE, epochs=1))
    recipe = replace(RECIPE, rewire=sn.SET())
    with pytest.raises(ValueError, match=r"training.rewire=SET\(share=0.3\) does not apply to par"):
        net.partial_fit(*DATA.train, training=sn.Training(rewire=sn.SET()))
    with pytest.raises(ValueError, match=r"rewire=.* does not apply to prune"):
        sn.prune(net, *DATA.train, validation=DATA.validation, n_synapses=50, training=recipe)
    with pytest.raises(ValueError, match=r"rewire=.* does not apply to rounded"):
        sn.quantize(net, *DATA.train, validation=DATA.validation, training=recipe)
    with pytest.raises(ValueError, match="swa_epochs must be 1 with rewire"):
        replace(recipe, swa_epochs=2)
    with pytest.raises(TypeError, match="rewire must be a SET or RigL, got 'set'"):
        sn.Training(rewire="set")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sn.SET(0.0), "share must be"),
        (lambda: sn.RigL(share=2.0), "share must be"),
        (lambda: sn.RigL(every=0), "every must be from 1"),
        (lambda: sn.RigL(until=0.0), "until must be"),
        (lambda: sn.RigL(candidates=0.5), "candidates must be"),
    ],
)
def test_options_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_pruned_network_can_go_on_with_prune():
    net = born_sparse().fit(*DATA.train, training=replace(RECIPE, rewire=sn.RigL(every=5)))
    path = sn.prune(
        net, *DATA.train, validation=DATA.validation, n_synapses=150, training=sn.Training(6)
    )
    assert path.smallest.n_synapses <= 150


def test_the_examples_of_the_page_run(capsys):
    section = DOC[DOC.index("## Born sparse") :].split("\n## ")[0]
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", section, re.M | re.S))
    scope = {}
    exec(compile(code, "docs/scale.md", "exec"), scope)
    static, exchanged, rigged = scope["accuracy"].values()
    assert rigged > static
    assert exchanged > 0.8
    assert "RigL" in capsys.readouterr().out
