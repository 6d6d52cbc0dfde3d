"""`SparseLayer`, and numbers for the synapses of all layers."""

import numpy as np
import pytest
import synaprune as sn
from synaprune.layers import (
    SynapseIndex,
    carried,
    split_biases,
    split_parameters,
    split_synapses,
)


@pytest.fixture
def pruned():
    """The layers of a full 5-4-3-2 network, and those that are left of them."""
    net = sn.SparseMLP((5, 4, 3, 2), seed=1)
    few = net.without(inputs=[2], neurons=[(0, 1)], synapses=[(1, 0, 0), (2, 1, 2)])
    return net.weights, few.weights


def test_rows_and_keys_number_the_synapses(pruned):
    for layer in pruned[1]:
        dense = layer.to_dense()
        assert dense.shape == layer.shape
        np.testing.assert_array_equal(dense[layer.rows, layer.indices], layer.values)
        assert np.count_nonzero(dense) == len(layer.values)
        np.testing.assert_array_equal(layer.keys, np.flatnonzero(dense))
        assert repr(layer).endswith(f"{len(layer.values)} synapses)")


def test_flat_arrays_are_split_by_layer(pruned):
    layers = pruned[1]
    values = [layer.values for layer in layers]
    biases = [layer.bias + i for i, layer in enumerate(layers)]
    both = [a for pair in zip(values, biases, strict=True) for a in pair]
    for got, expected in (
        (split_synapses(np.concatenate(values), layers), values),
        (split_biases(np.concatenate(biases), layers), biases),
        ([a for pair in split_parameters(np.concatenate(both), layers) for a in pair], both),
    ):
        assert len(got) == len(expected)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_index_gives_layers_back(pruned):
    full, few = pruned
    index = SynapseIndex(full)
    positions = index.positions(few)
    assert positions.dtype == np.int32
    assert (np.diff(positions) > 0).all()
    values = np.concatenate([layer.values for layer in few])
    again = index.select(positions, values, np.concatenate([layer.bias for layer in few]))
    for a, b in zip(again, few, strict=True):
        for name in ("indptr", "indices", "values", "initial", "bias"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
            assert getattr(a, name).dtype == getattr(b, name).dtype
    pairs = index.rows_and_columns(positions)
    for got, layer in zip(pairs, few, strict=True):
        np.testing.assert_array_equal(got, np.stack([layer.rows, layer.indices], axis=1))


def test_what_is_frozen_is_carried_to_other_synapses(pruned):
    full, few = pruned
    n = sum(len(layer.values) + len(layer.bias) for layer in full)
    frozen = (np.arange(n) % 3 == 0).astype(np.uint8)
    got = split_parameters(carried(frozen, full, few), few)
    for (a, a_bias), (b, b_bias), old, new in zip(
        split_parameters(frozen, full), got, full, few, strict=True
    ):
        held = dict(zip(old.keys.tolist(), a.tolist(), strict=True))
        assert b.tolist() == [held[key] for key in new.keys.tolist()]
        np.testing.assert_array_equal(a_bias, b_bias)
