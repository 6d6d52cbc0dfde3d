"""What a network computes, without its dead and constant neurons, is what it computed before."""

import dataclasses

import numpy as np
import pytest
import synaprune as sn
from export.networks import given, program_and_reference, random_network, tolerance
from synaprune.program import ACTIVATIONS, Program


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_random_networks_keep_their_outputs(first):
    seen = set()
    for seed in range(first, first + 100):
        net, X = random_network(seed)
        program, told = program_and_reference(net, X)
        assert (np.abs(told - given(net, X)) <= tolerance(program, X)).all(), seed
        for layer in program.layers[:-1]:
            assert (np.diff(layer.indptr) > 0).all()
        for below, layer in zip(program.layers, program.layers[1:], strict=False):
            assert np.array_equal(np.unique(layer.indices), np.arange(below.n_out))
        assert np.array_equal(np.unique(program.layers[0].indices), np.arange(len(program.inputs)))
        seen |= {program.output, program.activation, len(program.layers), len(program.inputs) == 0}
    assert {"softmax", "sigmoid", "sigmoid_shares", "numbers", *sn.ACTIVATIONS} <= seen
    assert {1, 2, 3, False} <= seen


def test_every_activation_of_the_core_is_known():
    assert set(ACTIVATIONS) == {"identity", *sn.ACTIVATIONS}


def with_layers(net, rows, biases):
    """The network with dense weights, of which zeros are no synapses."""
    layers = []
    for layer, dense, bias in zip(net.weights, rows, biases, strict=True):
        dense = np.array(dense, np.float32)
        kept = dense != 0.0
        layers.append(
            dataclasses.replace(
                layer,
                indptr=np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64),
                indices=np.nonzero(kept)[1].astype(np.int32),
                values=dense[kept],
                initial=dense[kept],
                bias=np.array(bias, np.float32),
            )
        )
    return net.set_weights(layers)


def fitted(sizes):
    net = sn.SparseMLP(sizes, input_scaling="none")
    net.prepare(np.zeros((4, sizes[0]), np.float32), np.arange(4) % max(sizes[-1], 2))
    return net


def test_dead_neurons_go_and_constants_are_folded():
    # Neuron 0 lives; 1 has no synapse out, and takes input 2 with it; 2 is a constant, relu(3).
    net = with_layers(
        fitted((3, 3, 1)), [[[1, 0, 0], [0, 0, 5], [0, 0, 0]], [[2, 0, 10]]], [[0, 9, 3], [1]]
    )
    program = Program.of(net)
    assert program.structure == "1-1-1"
    assert program.inputs.tolist() == [0]
    assert program.layers[1].bias.tolist() == [31.0]
    assert (program.n_synapses, program.n_parameters, program.n_multiplies) == (2, 4, 2)


def test_a_network_of_constants_keeps_one_layer():
    net = with_layers(fitted((2, 2, 2, 2)), [np.eye(2), np.zeros((2, 2)), np.eye(2)],
                      [[0, 0], [-1, 2], [1, 1]])  # fmt: skip
    program = Program.of(net)
    assert program.structure == "0-2"
    assert program.layers[0].bias.tolist() == [1.0, 3.0]
    assert program.activation is None


def test_constants_that_float32_cannot_hold_are_refused():
    net = with_layers(fitted((1, 1, 1)), [[[0]], [[1e20]]], [[1e30], [0]])
    with pytest.raises(ValueError, match="too large for float32"):
        Program.of(net)


def test_what_is_no_fitted_network_is_refused():
    with pytest.raises(TypeError, match="net must be a SparseMLP, got 'net'"):
        Program.of("net")
    with pytest.raises(ValueError, match="never fitted"):
        Program.of(sn.SparseMLP((2, 1)))
