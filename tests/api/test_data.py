"""`CheckedData`: checked once, then taken in place of X and y; and the labels of a network."""

import numpy as np
import pytest
import synaprune as sn
from synaprune import _core


@pytest.fixture
def checked(trained, data):
    """A network, and the data that were checked for it."""
    net = trained()
    return net, net.check_data(*data)


def test_checked_data_are_what_the_core_takes(checked, data):
    net, held_out = checked
    assert held_out.X is data[0]  # float32 is not copied
    assert held_out.y.dtype == np.int32
    np.testing.assert_array_equal(net.classes[held_out.y], data[1])
    assert len(held_out) == len(data[1])
    assert repr(held_out) == "CheckedData(90 samples, 4 features, [0, 1])"


def test_checked_data_stand_for_x_and_y(checked, data, bits):
    net, held_out = checked
    assert net.score(held_out) == net.score(*data)
    assert net.check_data(held_out) is held_out
    assert net.check_validation(held_out) is held_out
    told = {}
    for name, validation in (("pair", data), ("checked", held_out)):
        twin, told[name] = net.copy(), []
        twin.fit(*data, training=sn.Training(3), validation=validation, callback=told[name].append)
    assert [p.score for p in told["pair"]] == [p.score for p in told["checked"]]
    a, b = (sn.explain.ablate(net, *args) for args in (data, (held_out,)))
    np.testing.assert_array_equal(a.lost, b.lost)
    matrix = sn.explain.confusion_matrix(net, held_out)
    np.testing.assert_array_equal(matrix, sn.explain.confusion_matrix(net, *data))


def test_checked_data_are_not_checked_again(checked, monkeypatch):
    net, held_out = checked
    monkeypatch.setattr(_core, "all_finite", None)
    net.score(held_out)


@pytest.mark.parametrize("taker", ["score", "check_data", "fit"])
def test_checked_data_of_another_network_are_refused(taker, checked, data):
    held_out = checked[1]
    take = {
        "score": lambda net: net.score(held_out),
        "check_data": lambda net: net.check_data(held_out, name="validation"),
        "fit": lambda net: net.fit(
            data[0], ["a", "b"] * 45, training=sn.Training(1), validation=held_out
        ),
    }[taker]
    other = sn.SparseMLP((4, 1)).fit(data[0], ["a", "b"] * 45, training=sn.Training(1))
    with pytest.raises(
        ValueError, match=r"X must have been checked for the classes \['a', 'b'\], "
    ):
        take(other)
    wide = sn.SparseMLP((5, 1)).fit(np.ones((2, 5)), [0, 1], training=sn.Training(1))
    if taker != "fit":
        with pytest.raises(ValueError, match=r"X must have 5 columns, got 4$"):
            take(wide)
    with pytest.raises(ValueError, match="never fitted"):
        sn.SparseMLP((4, 1)).score(held_out)


def test_labels_beside_checked_data_are_refused(checked, data):
    net, held_out = checked
    with pytest.raises(TypeError, match=r"^y must be left out where X is a CheckedData$"):
        net.score(held_out, data[1])


def test_samples_without_labels_are_refused(checked, data):
    with pytest.raises(TypeError, match=r"^y must hold ints, bools, strings or whole"):
        checked[0].score(data[0])


def test_samples_that_were_spoiled_after_the_check_are_noticed(checked, data):
    net, _ = checked
    X = data[0].copy()
    held_out = net.check_data(X, data[1])
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="X contains NaN or infinity; it was modified after"):
        net.score(held_out)
