"""Scores, exact-count choice and cuts in the core."""

import numpy as np
import pytest
from core.synapses import flat, trained, where
from hypothesis import given, settings
from hypothesis import strategies as st
from synaprune import _core

seeds = st.integers(0, 2**32 - 1)

# --- scores -------------------------------------------------------------------------------------


def test_wsf_is_the_distance_from_the_initial_weight():
    net = trained()
    layers = net.layers()
    values, initial = flat(layers, 3), flat(layers, 4)
    assert (values != initial).all()
    scores = net.score("wsf")
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, abs(values - initial))


def test_magnitude_is_the_absolute_weight():
    net = trained()
    values = flat(net.layers(), 3)
    assert (values < 0).any()
    np.testing.assert_array_equal(net.score("magnitude"), abs(values))


def test_scores_of_an_untrained_network_are_zero_under_wsf():
    assert not _core.Network([5, 4, 3], "relu", "softmax", 1.0, 0).score("wsf").any()


def test_random_scores_are_uniform_numbers_of_the_random_state():
    net = _core.Network([100, 90, 10], "relu", "softmax", 1.0, 0)
    scores = net.score("random")
    assert scores.dtype == np.float32
    assert scores.shape == (9900,)
    assert scores.min() >= 0.0
    assert scores.max() < 1.0
    counts = np.histogram(scores, 10, (0.0, 1.0))[0]
    assert (abs(counts - 990) < 5 * np.sqrt(990 * 0.9)).all()  # five standard deviations
    assert abs(np.corrcoef(scores[1:], scores[:-1])[0, 1]) < 5 / np.sqrt(9900)


def test_random_scores_advance_the_random_state_and_repeat_from_it():
    net = _core.Network([20, 10, 3], "relu", "softmax", 1.0, 0)
    twin = net.copy()
    first, second = net.score("random"), net.score("random")
    assert not np.array_equal(first, second)
    assert net.rng_state != twin.rng_state
    np.testing.assert_array_equal(twin.score("random"), first)
    np.testing.assert_array_equal(twin.score("random"), second)
    assert net.rng_state == twin.rng_state


@pytest.mark.parametrize("criterion", ["wsf", "magnitude"])
def test_other_scores_change_nothing(criterion):
    net = trained()
    before = net.rng_state
    np.testing.assert_array_equal(net.score(criterion), net.score(criterion))
    assert net.rng_state == before


def test_unknown_criterion_is_refused():
    with pytest.raises(ValueError, match=r"criterion must be one of 'wsf', .*, got 'hessian'"):
        trained().score("hessian")


# --- the choice and the cut ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "n", "keep"),
    [
        ([3, 1, 2], 0, [1, 1, 1]),
        ([3, 1, 2], 1, [1, 0, 1]),
        ([3, 1, 2], 2, [1, 0, 0]),
        ([3, 1, 2], 3, [0, 0, 0]),
        ([1, 1, 1, 1], 2, [0, 0, 1, 1]),
        ([2, 1, 2, 1, 2], 3, [0, 0, 1, 0, 1]),
        ([0.0, -0.0, 1.0], 1, [0, 1, 1]),
        ([-0.0, 0.0, 1.0], 1, [0, 1, 1]),
        ([np.inf, 1e-45, 0.0], 2, [1, 0, 0]),
        ([], 0, []),
    ],
)
def test_choice_is_exact_and_takes_the_first_of_equals(scores, n, keep):
    result = _core.keep_all_but_lowest(np.array(scores, np.float32), n)
    assert result.dtype == np.uint8
    assert result.tolist() == keep


def test_choice_spares_the_lowest_of_all():
    scores = np.array([3, 1, 2, 1, 5], np.float32)
    keep = [_core.keep_all_but_lowest(scores, 2, skip).tolist() for skip in range(4)]
    assert keep == [[1, 0, 1, 0, 1], [1, 1, 0, 0, 1], [0, 1, 0, 1, 1], [0, 1, 1, 1, 0]]
    assert _core.keep_all_but_lowest(scores, 0, skip=5).all()


@given(seed=seeds, size=st.integers(0, 300), levels=st.sampled_from([1, 2, 5, 10**6]))
@settings(max_examples=100, deadline=None)
def test_choice_is_that_of_a_stable_sort(seed, size, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, size).astype(np.float32)  # few levels: many ties
    n = int(rng.integers(0, size + 1))
    skip = int(rng.integers(0, size - n + 1))
    order = np.lexsort((np.arange(size), scores))
    for spared in (0, skip):
        expected = np.ones(size, np.uint8)
        expected[order[spared : spared + n]] = 0
        np.testing.assert_array_equal(_core.keep_all_but_lowest(scores, n, spared), expected)


@pytest.mark.parametrize(
    ("n", "skip"),
    [(-1, 0), (4, 0), (2**40, 0), (2**63 - 1, 1), (0, -1), (2, -1), (0, 4), (1, 3), (3, 1)],
)
def test_choice_of_an_impossible_count_is_refused(n, skip):
    with pytest.raises(ValueError, match=f"cannot cut {n} of 3 synapses and spare {skip}"):
        _core.keep_all_but_lowest(np.ones(3, np.float32), n, skip)


def test_choice_wants_one_axis_of_float32():
    with pytest.raises(TypeError, match="scores must be float32, got float64"):
        _core.keep_all_but_lowest(np.ones(3), 1)
    with pytest.raises(ValueError, match="scores must be aligned and C-ordered with 1 axes"):
        _core.keep_all_but_lowest(np.ones((3, 1), np.float32), 1)


@pytest.mark.parametrize("criterion", ["wsf", "magnitude", "random"])
@pytest.mark.parametrize("n", [0, 1, 12, 100])
def test_cut_removes_the_lowest_and_what_that_leaves_dead(criterion, n):
    net = trained()
    scores = net.copy().score(criterion)
    by_hand = net.copy()
    removed = by_hand.remove(_core.keep_all_but_lowest(scores, n))
    before = net.layers()
    assert net.cut(net.score(criterion), n) == removed >= n
    survivors = set(where(net.layers()))
    lowest = np.argsort(scores, kind="stable")[:n]
    assert survivors.isdisjoint([where(before)[i] for i in lowest])
    assert len(survivors) == net.n_synapses == len(scores) - removed
    if n <= 12:  # few enough that no neuron dies
        assert removed == n
    for a, b in zip(net.layers(), by_hand.layers(), strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(a[1:], b[1:], strict=True))


def test_cut_spares_the_lowest_of_all():
    net = trained()
    before, order = where(net.layers()), np.argsort(net.score("wsf"), kind="stable")
    assert net.cut(net.score("wsf"), 3, skip=5) == 3
    assert set(before) - set(where(net.layers())) == {before[i] for i in order[5:8]}


def test_cut_beyond_what_is_there_is_refused_and_changes_nothing():
    net = trained()
    before = flat(net.layers(), 3).tobytes()
    for n in (-1, net.n_synapses + 1):
        with pytest.raises(ValueError, match=f"cannot cut {n} of {net.n_synapses} synapses"):
            net.cut(net.score("magnitude"), n)
    assert flat(net.layers(), 3).tobytes() == before


@pytest.mark.parametrize(
    ("keep", "error", "message"),
    [
        (np.ones(17, np.uint8), ValueError, "keep must have one entry a synapse, 18, got 17"),
        (np.ones(19, np.uint8), ValueError, "keep must have one entry a synapse, 18, got 19"),
        (np.ones((18, 1), np.uint8), ValueError, "keep must be aligned and C-ordered with 1 axes"),
        (np.ones(36, np.uint8)[::2], ValueError, "keep must be aligned and C-ordered with 1 axes"),
        (np.ones(18, bool), TypeError, "keep must be uint8, got bool"),
        (np.ones(18, np.int64), TypeError, "keep must be uint8, got int64"),
    ],
)
def test_wrong_mask_is_refused_and_changes_nothing(keep, error, message):
    net = _core.Network([4, 3, 2], "relu", "softmax", 1.0, 0)
    with pytest.raises(error, match=message):
        net.remove(keep)
    assert net.n_synapses == 18


def test_any_nonzero_byte_keeps():
    net = _core.Network([4, 3, 2], "relu", "softmax", 1.0, 0)
    assert net.remove(np.full(18, 255, np.uint8)) == 0
