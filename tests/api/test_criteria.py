"""Scores by name."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import synaprune as sn
from synaprune import _core
from synaprune.criteria import check_criterion
from synaprune.pruning.topology import without_neuron


def test_wsf_is_the_distance_from_the_initial_weight(trained):
    net = trained()
    for got, w in zip(sn.saliency(net, "wsf"), net.weights, strict=True):
        assert got.dtype == np.float32
        assert (got == np.abs(w.values - w.initial)).all()
        assert (got > 0).any()
    default, wsf = sn.saliency(net), sn.saliency(net, "wsf")
    assert all((a == b).all() for a, b in zip(default, wsf, strict=True))


def test_magnitude_is_the_absolute_weight(trained):
    net = trained()
    for got, w in zip(sn.saliency(net, "magnitude"), net.weights, strict=True):
        assert (got == np.abs(w.values)).all()


def test_random_is_drawn_from_the_networks_state_and_leaves_it(trained, bits):
    net = trained()
    before = bits(net)
    one, two = sn.saliency(net, "random"), sn.saliency(net, "random")
    assert bits(net) == before
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    flat = np.concatenate(one)
    assert len(np.unique(flat)) == net.n_synapses
    assert ((flat >= 0) & (flat < 1)).all()
    other = np.concatenate(sn.saliency(sn.SparseMLP((4, 6, 1), seed=77), "random"))
    assert (flat != other).any()


def test_scores_stand_in_the_order_of_the_synapses_of_a_sparse_network():
    net = sn.SparseMLP((3, 2, 1))
    first = sn.SparseLayer(3, [0, 1, 3], [2, 0, 1], [1.0, -2.0, 3.0], [0.5, 2.0, 3.0], [0.0, 0.0])
    second = sn.SparseLayer(2, [0, 1], [1], [-4.0], [-5.0], [0.0])
    net.set_weights([first, second])
    assert [s.tolist() for s in sn.saliency(net, "wsf")] == [[0.5, 4.0, 0.0], [1.0]]
    assert [s.tolist() for s in sn.saliency(net, "magnitude")] == [[1.0, 2.0, 3.0], [4.0]]
    empty = [replace(w, indptr=0 * w.indptr, indices=[], values=[], initial=[])
             for w in net.weights]  # fmt: skip
    assert [len(s) for s in sn.saliency(net.set_weights(empty), "wsf")] == [0, 0]


@pytest.mark.parametrize("name", ["WSF", "", "hessian", None, 3, ["wsf"]], ids=repr)
def test_unknown_criteria_are_named(name, trained):
    for ask in (check_criterion, sn.Criterion, lambda name: sn.saliency(trained(), name)):
        with pytest.raises((TypeError, ValueError), match=r"criterion must be one of wsf, magni"):
            ask(name)


def test_criteria_are_those_of_the_core_and_documented():
    assert sn.CRITERIA == _core.CRITERIA
    for name in sn.CRITERIA:
        assert check_criterion(name) == sn.Criterion(name)
        assert f'"{name}": ' in sn.saliency.__doc__


def test_scores_with_gradients_take_data_and_leave_the_network(trained, data, bits):
    net = trained()
    before = bits(net)
    mean, square = net._core.gradient_moments(*data_of_core(net, data), 1)
    w = np.concatenate([layer.values for layer in net.weights])
    w0 = np.concatenate([layer.initial for layer in net.weights])
    expected = {
        "fisher": w * w * square,
        "wsf_fisher": abs(w - w0) * np.sqrt(square),
        "taylor": abs(w * mean),
    }
    for name, formula in expected.items():
        got = sn.saliency(net, name, *data)
        assert [len(s) for s in got] == [len(layer.values) for layer in net.weights]
        np.testing.assert_allclose(np.concatenate(got), formula, rtol=1e-5)
        with pytest.raises(ValueError, match=f"criterion '{name}' needs data: give X and y"):
            sn.saliency(net, name)
    assert bits(net) == before


def data_of_core(net, data):
    samples = net.copy().prepare(*data)
    return samples.X, samples.y


def test_scores_are_computed_from_at_most_ten_thousand_samples():
    X = np.repeat(np.arange(25_000, dtype=np.float32)[:, None], 3, axis=1) / 25_000
    y = np.arange(25_000) % 2
    net = sn.SparseMLP((3, 4, 1), init_scale=1.0)
    some = np.arange(10_000) * 25_000 // 10_000
    all_of_them, of_some = (
        sn.saliency(net, "fisher", X, y),
        sn.saliency(net, "fisher", X[some], y[some]),
    )
    assert [a.tolist() for a in all_of_them] == [a.tolist() for a in of_some]


def test_a_callable_ranks_over_csr_arrays(trained, data):
    net = trained()

    def negative_weight(weights):
        assert all(isinstance(w, sn.SparseLayer) for w in weights)
        return [w.values for w in weights]

    assert [a.tolist() for a in sn.saliency(net, negative_weight)] == [
        w.values.tolist() for w in net.weights
    ]
    path = sn.prune(
        net, *data, validation=data, criterion=negative_weight, n_synapses=8,
        training=sn.Training(4, optimizer=sn.SGD(1e-9)),
    )  # fmt: skip
    assert {step.criterion for step in path} == {"negative_weight"}
    kept = np.concatenate([w.values for w in path.smallest.weights])
    assert kept.min() > np.median(np.concatenate([w.values for w in net.weights]))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([[1.0]], r"criterion must return arrays of shapes \[\(24,\), \(6,\)\], got \[\(1,\)\]"),
        ([np.ones(24), np.full(6, np.nan)], "criterion must return numbers, none of them NaN"),
        ([["a"] * 24, ["b"] * 6], "criterion must return numbers, none of them NaN"),
    ],
)
def test_callables_that_return_no_scores_are_named(result, message, trained):
    with pytest.raises(ValueError, match=message):
        sn.saliency(trained(), lambda weights: result)


def test_a_callable_that_asks_gets_the_moments_of_the_gradients(trained3, bits):
    net, X, y = trained3()
    before = bits(net)

    def fisher(layers, gradient_moments):
        assert all(isinstance(moments, sn.GradientMoments) for moments in gradient_moments)
        return [w.values**2 * g.square for w, g in zip(layers, gradient_moments, strict=True)]

    class Taylor:
        def __call__(self, layers, *, gradient_moments=None):
            pairs = zip(layers, gradient_moments, strict=True)
            return [abs(w.values * mean) for w, (mean, _) in pairs]

    for mine, name in ((fisher, "fisher"), (Taylor(), "taylor")):
        for got, expected in zip(
            sn.saliency(net, mine, X, y), sn.saliency(net, name, X, y), strict=True
        ):
            np.testing.assert_allclose(got, expected, rtol=1e-6)
        with pytest.raises(ValueError, match=r"^criterion '(fisher|Taylor)' needs data: give X"):
            sn.saliency(net, mine)
    paths = [
        sn.prune(
            net,
            X,
            y,
            validation=(X, y),
            n_synapses=20,
            training=sn.Training(6),
            criterion=criterion,
        )
        for criterion in (fisher, "fisher")
    ]
    assert [p.living.tolist() for p in paths[0]] == [p.living.tolist() for p in paths[1]]
    assert bits(net) == before


def test_per_layer_and_structured_bias_reach_the_cut(trained3):
    net, X, y = trained3()

    def pruned(**fields):
        return sn.prune(
            net, X, y, validation=(X, y), n_synapses=16, training=sn.Training(8),
            criterion=sn.Criterion(**fields),
        ).smallest  # fmt: skip

    sizes = [[len(w.values) for w in pruned(per_layer=p).weights] for p in (False, True)]
    assert sizes[0] != sizes[1]
    assert pruned(structured_bias=3.0).n_used_inputs < pruned().n_used_inputs
    for name, value in {"structured_bias": -1.0, "per_layer": "yes", "compensate": 1}.items():
        with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
            sn.Criterion(**{name: value})


class Cuts(sn.Strategy):
    """Cut one way, then do nothing."""

    def __init__(self, cut):
        self.cut = cut

    def run(self, session):
        full = session.judge()
        session.accept(full, epochs=0, score_after_cut=full.score)
        self.cut(session)
        session.accept(session.judge(), epochs=0, score_after_cut=full.score)
        return "cut"


def without_inputs(net, scores, gone=(1, 3)):
    first, last = net.weights
    return np.r_[~np.isin(first.indices, gone), np.ones(len(last.values), bool)].astype(np.uint8)


CUTS = {  # what a session is asked for, and what then stays before anything is cleaned up
    "synapses": (lambda session: session.cut(30), lambda net, s: net._core.kept_by_cut(s, 30)),
    "inputs": (lambda session: session.cut_inputs(np.array([1, 3])), without_inputs),
    "a neuron": (lambda session: session.cut_neuron(), lambda net, s: without_neuron(net, s, 0)),
}


def magnitude(layers):
    return [abs(w.values) for w in layers]


@pytest.mark.parametrize(("cut", "keep"), CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("saliency", ["wsf", "obs", magnitude])
def test_what_stays_makes_up_for_any_cut(cut, keep, saliency, trained3, bits):
    net, X, y = trained3()
    before = bits(net)

    def pruned(compensate, threads=1):
        return sn.prune(
            net, X, y, validation=(X, y), n_synapses=30, n_inputs=3, strategy=Cuts(cut),
            criterion=sn.Criterion(saliency, compensate=compensate), threads=threads,
        ).smallest  # fmt: skip

    alone, together = pruned(False), pruned(True)
    by_hand, samples = net.copy(), net.copy().prepare(X, y)
    mask = keep(net, np.concatenate(sn.saliency(net, saliency, X, y)))
    samples.compensate(by_hand._core, mask, 1)
    by_hand._core.remove(mask)
    assert bits(together) == bits(by_hand) == bits(pruned(True, threads=3)) != bits(alone)
    for a, b in zip(alone.weights, together.weights, strict=True):
        assert (a.keys == b.keys).all()
        assert (a.initial == b.initial).all()
    assert bits(net) == before


def test_making_up_keeps_more_of_what_a_network_knows():
    data = sn.datasets.digits()
    recipe = sn.Training(20, batch_size=16)
    net = sn.SparseMLP((64, 10, 10), seed=1001).fit(*data.train, training=recipe)
    losses = {}
    for saliency in ("magnitude", "fisher", "obs"):
        for compensate in (False, True):
            path = sn.prune(
                net, *data.train, validation=data.validation, n_synapses=370,
                strategy=Cuts(lambda session: session.cut(370)),
                criterion=sn.Criterion(saliency, compensate=compensate),
            )  # fmt: skip
            proba = path.smallest.predict_proba(data.train.X)
            losses[saliency, compensate] = -np.log(
                proba[np.arange(len(proba)), data.train.y]
            ).mean()
        assert losses[saliency, True] < losses[saliency, False]


def test_curvatures_are_computed_from_at_most_2048_samples():
    X = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    y = np.arange(5000) % 2
    net = sn.SparseMLP((3, 4, 1), init_scale=1.0)
    some = np.arange(2048) * 5000 // 2048
    got, expected = (sn.saliency(net, "obs", *d) for d in ((X, y), (X[some], y[some])))
    assert [a.tolist() for a in got] == [a.tolist() for a in expected]
    with pytest.raises(ValueError, match="criterion 'obs' needs data: give X and y"):
        sn.saliency(net, "obs")


SPOILERS = [
    (sn.Adam(), "with an adaptive optimiser synapses"),
    (sn.SGD(weight_decay=1e-4), "with weight_decay synapses"),
    (sn.SGD(l1=1e-4), "with l1 synapses"),
    (sn.Adam(weight_decay=1e-4, l1=1e-4), "with an adaptive optimiser and weight_decay and l1"),
]


@pytest.mark.parametrize(("optimizer", "message"), SPOILERS)
@pytest.mark.parametrize("counted", [False, True])
def test_wsf_warns_of_what_spoils_it(optimizer, message, counted, data, trained):
    options = {"validation": data, "training": sn.Training(optimizer=optimizer)}
    if counted:
        options |= {"n_synapses": 20, "training": sn.Training(2, optimizer=optimizer)}
    else:
        options |= {"strategy": sn.Iterative(1, n_candidates=1)}
    with pytest.warns(UserWarning, match=message) as caught:
        sn.prune(trained(), *data, **options)
    assert [w.filename for w in caught] == [__file__]  # it points at the caller's line
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for criterion in ("magnitude", "fisher", "random"):
            sn.prune(trained(), *data, criterion=criterion, **options)


@pytest.mark.parametrize("optimizer", [sn.SGD(), sn.SGD(0.1, momentum=0.9)], ids=repr)
def test_wsf_is_at_peace_with_plain_sgd(optimizer, data, trained):
    training = sn.Training(2, optimizer=optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sn.prune(trained(), *data, validation=data, training=training, n_synapses=20)
