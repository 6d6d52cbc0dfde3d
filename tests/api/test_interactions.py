"""`explain.interactions`: the total interaction index, and exact zeros where structure says so."""

import itertools
import re

import numpy as np
import pytest
import synaprune as sn
from api.test_equation import XOR, ready
from export.networks import random_network
from synaprune import explain
from synaprune.program import Program


def naive(net, X, a, b, output):
    """The mean of d² / 4 over all pairs of different rows, one at a time, and the variance."""
    program = Program.of(net)

    def said(x):
        z = program.forward(np.asarray(x, np.float32)[None])[-1][0][0]
        if program.output == "softmax":
            z = z - z.mean()
        return (z if program.targets is None else z * program.targets.scale)[output]

    total = n = 0
    for first, second in itertools.permutations(X, 2):
        one, other, both = first.copy(), first.copy(), first.copy()
        one[a], other[b], both[[a, b]] = second[a], second[b], second[[a, b]]
        total += (said(first) - said(one) - said(other) + said(both)) ** 2 / 4
        n += 1
    return total / n, np.var([said(x) for x in X])


def smooth():
    """A network of tanh that is full, and 100 rows."""
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(3, 4)), rng.normal(size=(1, 3))]
    net = ready((4, 3, 1), rows, [[0, 1, 2], [0]], loss="squared_error", activation="tanh")
    return net, rng.normal(size=(100, 4)).astype(np.float32)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid", "squared", "squared_error"])
def test_indices_are_those_of_all_pairs_of_rows(loss):
    found = 0
    for seed in range(12):
        net, X = random_network(seed, loss=loss)
        X = X[:5]
        measured = explain.interactions(net, X)
        assert measured.index.shape == (len(measured.outputs), *[len(measured.features)] * 2)
        pairs = list(itertools.combinations(range(len(measured.features)), 2))
        for a, b in pairs[:4]:
            for o in range(len(measured.outputs)):
                index, variance = naive(net, X, measured.features[a], measured.features[b], o)
                assert measured.variance[o] == pytest.approx(variance, rel=1e-4, abs=1e-9)
                got = measured.index[o, a, b]
                assert got == measured.index[o, b, a]
                # The naive rows are scaled in float32, which a difference of four feels.
                assert got == pytest.approx(index, rel=1e-3, abs=1e-9 * max(variance, 1.0))
                found += got > 0
    assert found > 2


def test_inputs_that_share_no_neuron_never_interact():
    for activation in sn.ACTIVATIONS:
        net = ready(
            (4, 2, 1), [[[1, 2, 0, 0], [0, 0, -1, 1]], [[1, -2]]], [[0.1, 0.2], [1]],
            loss="squared_error", activation=activation,
        )  # fmt: skip
        X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
        found = explain.interactions(net, X)
        assert found.groups() == [("x0", "x1"), ("x2", "x3")]
        assert found.index[0, :2, 2:].tolist() == [[0, 0], [0, 0]]
        assert found.shares_neuron[0].astype(int).tolist() == [
            [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]
        ]  # fmt: skip
        assert "4 other pairs do not interact: exactly 0" in repr(found)


def test_a_relu_neuron_that_never_switches_makes_no_interaction():
    net = ready((3, 1, 1), [[[0.1, 0.3, 0.7]], [[3]]], [[1.7], [0]], loss="squared_error")
    X = np.random.default_rng(0).uniform(size=(80, 3)).astype(np.float32)
    found = explain.interactions(net, X)
    assert not found.index.any()
    assert found.shares_neuron.any()
    assert "is a sum of functions of one input each" in repr(found)
    assert explain.interactions(net, X - 2).index.all(where=~np.eye(3, dtype=bool))


def test_a_linear_classifier_has_no_interactions_on_the_scale_of_logits():
    net = ready((3, 3), [np.arange(9).reshape(3, 3)], [[0, 1, 2]])
    found = explain.interactions(net, np.eye(3))
    assert (found.scale, found.pairs()) == ("logits", [])


def test_what_all_logits_share_is_no_interaction():
    """Softmax does not see what is added to all logits."""
    for n in (2, 3, 7, 11):
        weights = [[[1, 1]], [[0.1]] * n]
        net = ready((2, 1, n), weights, [[-1], range(n)])
        assert not explain.interactions(net, XOR).index.any()
        assert explain.interactions(net.with_weight(1, 0, 0, 1.0), XOR).pairs()


def test_the_product_of_two_inputs_is_found_with_its_share():
    """f = relu(x0 + x1) - relu(x0 + x1 - 1) on bits: x0 or x1, of which d is 1 or 0."""
    net = ready((2, 2, 1), [[[1, 1], [1, 1]], [[1, -1]]], [[0, -1], [0]], loss="squared_error")
    found = explain.interactions(net, XOR)
    # d² is 1 for the 4 of the 12 pairs of rows that differ in both bits.
    assert found.index[0, 0, 1] == pytest.approx(4 / 12 / 4)
    assert found.share[0, 0, 1] == pytest.approx(4 / 12 / 4 / 0.1875)
    assert found.pairs() == [("x0", "x1", found.share[0, 0, 1])]
    assert repr(found).startswith("Interactions on 4 rows, as shares of the variance of the output")


def test_draws_are_near_all_pairs_and_repeat():
    net, X = smooth()
    every = explain.interactions(net, X, n_samples=100_000)
    drawn = explain.interactions(net, X, n_samples=5000)
    again = explain.interactions(net, X, n_samples=5000)
    assert np.array_equal(drawn.index, again.index)
    other = explain.interactions(net, X, n_samples=5000, seed=1)
    assert not np.array_equal(drawn.index, other.index)
    np.testing.assert_allclose(drawn.index, every.index, rtol=0.3, atol=1e-12)
    assert every.index.any()


def test_chosen_inputs_alone_are_measured():
    net, X = smooth()
    whole = explain.interactions(net, X)
    names = [whole.names[1], whole.names[0]]
    part = explain.interactions(net, X, inputs=names)
    assert part.names == tuple(names)
    assert part.index[0, 0, 1] == whole.index[0, 0, 1]
    assert part.groups() in ([tuple(names)], [(n,) for n in names])
    one = explain.interactions(net, X, inputs=[names[0]])
    # It used to say that the output is a sum of functions of one input each.
    n = len(whole.names) - 1
    assert (
        str(one)
        == f"No inputs interact on the {len(X)} rows, apart from {n} that were not measured."
    )


def test_bad_arguments_are_refused():
    net = ready((3, 1, 1), [[[1, 1, 1]], [[1]]], [[0], [0]])
    X = np.eye(3)
    for options, error, message in (
        ({"n_samples": 0}, ValueError, "n_samples must be from 1"),
        ({"seed": -1}, ValueError, "seed must be from 0"),
        ({"inputs": "x0"}, TypeError, "inputs must be an iterable"),
        ({"inputs": ["x0", 0]}, ValueError, "inputs must name each input once"),
        ({"inputs": ["q"]}, ValueError, "'q'"),
    ):
        with pytest.raises(error, match=re.escape(message)):
            explain.interactions(net, X, **options)
    with pytest.raises(ValueError, match="X must hold at least 2 rows"):
        explain.interactions(net, X[:1])
    with pytest.raises(ValueError, match="min_share must be"):
        explain.interactions(net, X).pairs(-1.0)
    with pytest.raises(TypeError, match="net must be a SparseMLP"):
        explain.interactions(None, X)
    large = sn.SparseMLP((120, 1, 1), seed=0).fit(np.eye(120), np.arange(120) % 2,
                                                  training=sn.Training(1))  # fmt: skip
    with pytest.raises(ValueError, match="inputs must name some of the 120"):
        explain.interactions(large, np.eye(120))
    assert len(explain.interactions(large, np.eye(120), inputs=range(3)).names) == 3


def test_the_caller_s_rows_stay_as_they_are():
    net = ready((2, 1, 1), [[[1, 1]], [[1]]], [[-1], [0]])
    X = XOR.astype(np.float64)
    before = X.copy()
    explain.interactions(net, X)
    explain.equation(net, X, digits=2)
    assert np.array_equal(X, before)
