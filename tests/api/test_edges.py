"""Numbers and objects at the edge of what is accepted."""

import pickle

import numpy as np
import pytest
import synaprune as sn


@pytest.mark.parametrize("optimizer", [sn.Adam(), sn.AdamW(), sn.RMSprop()], ids=repr)
def test_moments_that_overflow_are_a_divergence(optimizer, bits):
    """Such a network used to be trained and saved, and no file of it could be read."""
    rng = np.random.default_rng(0)
    X, y = (rng.normal(size=(64, 4)) * 1e25).astype(np.float32), rng.integers(0, 2, 64)
    net = sn.SparseMLP((4, 3, 2), seed=1)
    before = bits(net)
    with pytest.raises(sn.TrainingDiverged):
        net.fit(X, y, training=sn.Training(2, optimizer=optimizer))
    assert bits(net) == before
    pickle.loads(pickle.dumps(net))


def test_a_cut_whose_constants_overflow_a_bias_is_refused(bits):
    """The bias used to become infinite, and no copy of the network could be unpickled."""
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    net = sn.SparseMLP((4, 3, 2), seed=1).fit(X, np.arange(60) % 2)
    net = net.with_bias(0, 0, 3e38).with_weight(1, 0, 0, 3e38)
    before = bits(net)
    with pytest.raises(ValueError, match="a bias that overflows"):
        net.without(synapses=[(0, 0, i) for i in range(4)])
    assert bits(net) == before


@pytest.mark.parametrize(
    "make",
    [
        lambda tiny: sn.Adam(epsilon=tiny),
        lambda tiny: sn.RMSprop(epsilon=tiny),
        lambda tiny: sn.SGD(lr=tiny),
        lambda tiny: sn.SGD(momentum=tiny, nesterov=True),
        lambda tiny: sn.Training(max_gradient_norm=tiny),
        lambda tiny: sn.SparseMLP((2, 2), init_scale=tiny),
    ],
)
def test_what_is_0_in_float32_is_refused_where_0_is(make):
    """These used to fail during the training, or to divide by 0."""
    with pytest.raises(ValueError, match="1e-60"):
        make(1e-60)


def test_other_objects_than_layers_are_refused_by_name():
    """This used to be an AttributeError."""
    with pytest.raises(TypeError, match=r"^weights must be a SparseLayer, got 0$"):
        sn.SparseLinear(0)
    with pytest.raises(TypeError, match=r"^each of weights must be a SparseLayer, got 0$"):
        sn.SparseMLP((2, 2)).set_weights([0])
    with pytest.raises(TypeError, match=r"^criterion must return an array for each layer, got No"):
        sn.saliency(sn.SparseMLP((2, 2)), lambda layers: None)


def test_errors_do_not_print_a_million_numbers():
    huge = [0] * 10**6
    for make in (
        lambda: sn.Training(optimizer=huge),
        lambda: sn.Training(augment=huge),
        lambda: sn.Training(class_weight=huge),
        lambda: sn.Criterion(huge),
        lambda: sn.Gradual(final_optimizer=huge),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            make()
        assert len(str(caught.value)) < 400
