"""Scores by name."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import synaprune as sn
from synaprune.criteria import check_criterion


def test_wsf_is_the_distance_from_the_initial_weight(trained):
    net = trained()
    for got, w in zip(sn.score(net, "wsf"), net.weights, strict=True):
        assert got.dtype == np.float32
        assert (got == np.abs(w.values - w.initial)).all()
        assert (got > 0).any()
    default, wsf = sn.score(net), sn.score(net, "wsf")
    assert all((a == b).all() for a, b in zip(default, wsf, strict=True))


def test_magnitude_is_the_absolute_weight(trained):
    net = trained()
    for got, w in zip(sn.score(net, "magnitude"), net.weights, strict=True):
        assert (got == np.abs(w.values)).all()


def test_random_is_drawn_from_the_networks_state_and_leaves_it(trained, bits):
    net = trained()
    before = bits(net)
    one, two = sn.score(net, "random"), sn.score(net, "random")
    assert bits(net) == before
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    flat = np.concatenate(one)
    assert len(np.unique(flat)) == net.n_synapses
    assert ((flat >= 0) & (flat < 1)).all()
    other = np.concatenate(sn.score(sn.SparseMLP((4, 6, 1), seed=77), "random"))
    assert (flat != other).any()


def test_scores_stand_in_the_order_of_the_synapses_of_a_sparse_network():
    net = sn.SparseMLP((3, 2, 1))
    first = sn.Weights(3, [0, 1, 3], [2, 0, 1], [1.0, -2.0, 3.0], [0.5, 2.0, 3.0], [0.0, 0.0])
    second = sn.Weights(2, [0, 1], [1], [-4.0], [-5.0], [0.0])
    net.set_weights([first, second])
    assert [s.tolist() for s in sn.score(net, "wsf")] == [[0.5, 4.0, 0.0], [1.0]]
    assert [s.tolist() for s in sn.score(net, "magnitude")] == [[1.0, 2.0, 3.0], [4.0]]
    empty = [replace(w, indptr=0 * w.indptr, indices=[], values=[], initial=[])
             for w in net.weights]  # fmt: skip
    assert [len(s) for s in sn.score(net.set_weights(empty), "wsf")] == [0, 0]


@pytest.mark.parametrize("name", ["WSF", "", "fisher", None, 3, ["wsf"]], ids=repr)
def test_unknown_criteria_are_named(name, trained):
    for ask in (check_criterion, lambda name: sn.score(trained(), name)):
        with pytest.raises((TypeError, ValueError), match=r"criterion must be one of wsf, magni"):
            ask(name)


def test_criteria_are_documented_by_name():
    for name, text in sn.CRITERIA.items():
        assert check_criterion(name) == name
        assert text
        assert f'"{name}"' in sn.score.__doc__
        assert f'"{name}"' in sn.prune.__doc__


SPOILERS = [
    (sn.Adam(), "with an adaptive optimiser synapses"),
    (sn.SGD(weight_decay=1e-4), "with weight_decay synapses"),
    (sn.SGD(l1=1e-4), "with l1 synapses"),
    (sn.Adam(weight_decay=1e-4, l1=1e-4), "with an adaptive optimiser and weight_decay and l1"),
]


@pytest.mark.parametrize(("optimizer", "message"), SPOILERS)
@pytest.mark.parametrize("strategy", ["ladder", "gradual"])
def test_wsf_warns_of_what_spoils_it(optimizer, message, strategy, data, trained):
    options = {"validation": data, "optimizer": optimizer, "retrain_epochs": 1, "attempts": 1}
    if strategy == "gradual":
        options |= {"n_synapses": 20, "epochs": 2}
    with pytest.warns(UserWarning, match=message) as caught:
        sn.prune(trained(), *data, **options)
    assert [w.filename for w in caught] == [__file__]  # it points at the caller's line
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for criterion in ("magnitude", "random"):
            sn.prune(trained(), *data, criterion=criterion, **options)


@pytest.mark.parametrize("optimizer", [None, sn.SGD(), sn.SGD(0.1, momentum=0.9)], ids=repr)
def test_wsf_is_at_peace_with_plain_sgd(optimizer, data, trained):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sn.prune(trained(), *data, validation=data, optimizer=optimizer, n_synapses=20, epochs=2)
