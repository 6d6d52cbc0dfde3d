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


def test_dense_weights_become_layers_and_zeros_no_synapses():
    dense = np.array([[0, 2, 0], [0, 0, 0], [1, -3, 4]], np.float32)
    for given in (dense, dense.tolist(), dense.astype(np.float64), np.asfortranarray(dense)):
        layer = sn.SparseLayer.from_dense(given, [1, 2, 3], initial=dense + 1)
        assert layer.indptr.tolist() == [0, 1, 1, 4]
        assert layer.indices.tolist() == [1, 0, 1, 2]
        np.testing.assert_array_equal(layer.to_dense(), dense)
        np.testing.assert_array_equal(layer.initial, layer.values + 1)
        assert layer.bias.tolist() == [1.0, 2.0, 3.0]
        assert (layer.indptr.dtype, layer.indices.dtype) == (np.int64, np.int32)
        assert {a.dtype for a in (layer.values, layer.initial, layer.bias)} == {np.dtype("f4")}
    layer = sn.SparseLayer.from_dense(dense, keep_zeros=True)
    assert len(layer.values) == 9
    assert not layer.initial.any()
    assert not layer.bias.any()
    assert sn.SparseLayer.from_dense(np.zeros((2, 5))).shape == (2, 5)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ([[1.0, 2.0]], {}, ValueError, r"values must have shape \(n_out, n_in\), got \(2,\)"),
        ([[["a"]]], {}, TypeError, "values must hold numbers, got dtype <U1"),
        ([[[1.0]], [1.0, 2.0]], {}, ValueError, r"bias must have shape \(1,\), got \(2,\)"),
        ([[[1.0]]], {"initial": [1.0]}, ValueError, r"initial must have shape \(1, 1\)"),
        ([[[1.0]]], {"keep_zeros": 1}, TypeError, "keep_zeros must be True or False"),
    ],
)
def test_weights_that_are_no_layer_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        sn.SparseLayer.from_dense(*arguments, **options)


def test_scipy_keeps_layers(pruned):
    sparse = pytest.importorskip("scipy.sparse", exc_type=ImportError)
    for layer in pruned[1]:
        matrix = layer.to_scipy()
        assert isinstance(matrix, sparse.csr_array)
        np.testing.assert_array_equal(matrix.toarray(), layer.to_dense())
        matrix.data[:] = 0.0  # a copy
        first = sparse.csr_array((layer.initial, layer.indices, layer.indptr), layer.shape)
        for given in (layer.to_scipy(), layer.to_scipy().tocsc(), layer.to_scipy().tocoo()):
            back = sn.SparseLayer.from_scipy(given, layer.bias, initial=first)
            for name in ("indptr", "indices", "values", "initial", "bias"):
                np.testing.assert_array_equal(getattr(back, name), getattr(layer, name))
                assert getattr(back, name).dtype == getattr(layer, name).dtype


def test_sparse_matrices_that_are_not_canonical(pruned):
    sparse = pytest.importorskip("scipy.sparse", exc_type=ImportError)
    given = sparse.coo_array(([1.0, 2.0, 4.0, 0.0], ([0, 0, 1, 1], [2, 2, 1, 0])), (2, 3))
    initial = sparse.coo_array(([7.0, 9.0], ([1, 0], [1, 0])), (2, 3))
    layer = sn.SparseLayer.from_scipy(given, initial=initial)
    assert (layer.indptr.tolist(), layer.indices.tolist()) == ([0, 1, 3], [2, 0, 1])
    assert layer.values.tolist() == [3.0, 0.0, 4.0]  # stored zeros are synapses
    assert layer.initial.tolist() == [0.0, 0.0, 7.0]
    assert given.nnz == 4
    with pytest.raises(TypeError, match="matrix must be a sparse matrix of SciPy"):
        sn.SparseLayer.from_scipy(np.eye(2))
    with pytest.raises(ValueError, match=r"initial must have shape \(2, 3\), got \(3, 2\)"):
        sn.SparseLayer.from_scipy(given, initial=initial.T)
