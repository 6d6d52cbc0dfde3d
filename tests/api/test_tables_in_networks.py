"""A table in, labels of a raw table out: networks that keep their encoder."""

import numpy as np
import pandas as pd
import pytest
import synaprune as sn

pytestmark = pytest.mark.long

LINEAR = [sn.search.Candidate((), 0.0)]
COLOURS = ("red", "blue", "green")


def flowers(n=60, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    colour = rng.integers(0, 3, n)
    rows = [
        [f"{s:.3f}" if i % 9 else "", COLOURS[c], f"note {i}", "yes" if c == 1 else "no"]
        for i, (s, c) in enumerate(zip(size, colour, strict=True))
    ]
    return sn.Table.from_rows(rows, ["size", "colour", "note", "kind"])


@pytest.fixture(scope="module")
def result():
    return sn.smallest_network(flowers(), "kind", seed=1, max_updates=500, candidates=LINEAR)


def test_a_table_and_the_name_of_its_target(result):
    net = result.network
    assert net.used_columns == ["colour"]
    assert result.path.network(0).encoder is net.encoder
    new = flowers(30, seed=5)
    expected = new.columns["kind"].tolist()
    assert net.predict(new).tolist() == expected
    bare = sn.Table({"colour": new.columns["colour"]})
    assert net.predict(bare).tolist() == expected
    assert net.score(bare, expected) == 1.0
    with pytest.raises(ValueError, match="no column 'colour'"):
        net.predict(new.without(["colour"]))
    with pytest.raises(ValueError, match="X must have 5 columns, got 1"):
        net.predict(np.zeros((2, 1)))


def test_the_encoder_is_in_copies_and_files(result, tmp_path):
    net, bare = result.network, flowers(9, seed=6).without(["size", "note", "kind"])
    net.save(tmp_path / "net.npz")
    result.path.save(tmp_path / "path.npz")
    for again in (
        net.copy(),
        sn.SparseMLP.load(tmp_path / "net.npz"),
        sn.SparseMLP.load(tmp_path / "path.npz"),
        sn.PruningPath.load(tmp_path / "path.npz").smallest,
    ):
        assert again.encoder.columns == net.encoder.columns
        assert again.predict(bare).tolist() == net.predict(bare).tolist()


def test_explanations_take_a_table(result):
    bare = flowers(9, seed=6).without(["size", "note", "kind"])
    X = result.network.encoder.transform(bare, result.network.used_inputs)
    told = sn.explain.attributions(result.network, bare)
    np.testing.assert_array_equal(told.values, sn.explain.attributions(result.network, X).values)


def test_networks_of_arrays_refuse_tables():
    net = sn.SparseMLP((2, 3, 2)).fit(np.eye(2), [0, 1])
    with pytest.raises(TypeError, match="X must be an array, as the network was trained on arrays"):
        net.predict(flowers())
    with pytest.raises(TypeError, match="encoder goes with a Table"):
        sn.smallest_network(np.eye(4), [0, 1, 0, 1], encoder=sn.TableEncoder(()))
    with pytest.raises(TypeError, match="input_names must be left out with a Table"):
        sn.smallest_network(flowers(), "kind", input_names=["a"], max_updates=500)
    with pytest.raises(TypeError, match="encoder must be a TableEncoder, got str"):
        net.encoder = "one-hot"
    with pytest.raises(ValueError, match="no column 'sort'"):
        sn.smallest_network(flowers(), "sort", max_updates=500)


def test_names_of_an_array():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    net = sn.smallest_network(
        X, X[:, 1] > 0, input_names=["noise", "signal"], max_updates=500, candidates=LINEAR
    ).network
    assert net.used_columns == ["signal"]
    with pytest.raises(ValueError, match="input_names must hold 2 names, got 1"):
        sn.smallest_network(X, X[:, 1] > 0, input_names=["one"], max_updates=500)


def test_further_rows_may_name_their_target(result):
    # This used to be "y must have shape (samples,), got ()": labels had to be read by hand.
    net, new = result.network, flowers(30, seed=5)
    assert net.score(new, "kind") == 1.0
    labels = new.columns["kind"].tolist()
    odd = sn.Table({**new.columns, "kind": np.array(["", *(w.upper() for w in labels[1:])])})
    assert len(net.check_data(odd, "kind")) == 29
    assert net.score(odd, "kind") == 1.0
    of_one_class = new.take(np.flatnonzero(new.columns["kind"] == "no"))
    assert net.score(of_one_class, "kind") == 1.0
    assert net.score(pd.DataFrame(new.columns), "kind") == 1.0
    with pytest.raises(ValueError, match="no column 'sort'"):
        net.score(new, "sort")
    with pytest.raises(ValueError, match="no row has a 'kind'"):
        net.score(odd.take(np.array([0])), "kind")
    weights = np.arange(30.0)
    data = net.prepare(odd, "kind", sample_weight=weights)
    assert len(data.X) == 29
    known = net.prepare(odd.take(np.arange(1, 30)), labels[1:], sample_weight=weights[1:])
    assert data.sample_weight.tolist() == known.sample_weight.tolist()
    small = sn.quantize(net, flowers(), "kind", validation=(new, "kind"), max_drop=0.0)
    assert small.loss.holds
    with pytest.raises(TypeError, match=r"y must be an array .* goes with a Table or DataFrame"):
        net.score(np.zeros((2, 5)), "kind")
    with pytest.raises(TypeError, match="and a network of a table"):
        sn.SparseMLP((1, 2)).fit(pd.DataFrame({"a": [0.0, 1.0]}), "a")


def test_numbers_and_whole_labels_are_read_as_in_training():
    x = np.random.default_rng(0).normal(size=80)
    signs = ["1" if v > 0 else "2.0" for v in x]
    cells = {"squared_error": [f"{30 * v:.2f}%" for v in x], "sigmoid": signs}
    for loss, y in cells.items():
        table = sn.Table({"x": x, "y": np.array(y)})
        target = sn.tables.read_target(table, "y")
        net = sn.SparseMLP((1, 1), loss=loss, seed=0)
        encoder = sn.TableEncoder.fit(table.without(["y"]))
        net.fit(encoder.transform(table), target.values, training=sn.Training(40, batch_size=8))
        net.encoder = encoder
        assert net.score(table.take(np.flatnonzero(x > 0.5)), "y") > 0.99


def network_of(y, n_classes):
    """A network of a table with one column besides the labels, and the encoder's inputs."""
    table = sn.Table({"x": np.arange(len(y)) / len(y)})
    net = sn.SparseMLP((1, n_classes), seed=0)
    net.encoder = encoder = sn.TableEncoder.fit(table)
    return net.fit(encoder.transform(table), y, training=sn.Training(1)), table


@pytest.mark.parametrize(
    ("labels", "cells"),
    [
        # These used to be one class, the last one's, since their case alone differs.
        (["no", "NO", "yes", "Yes"], ["no", "NO", "yes", "Yes"]),
        (["two  spaces", "one"], ["two  spaces", "ONE"]),
        # These used to be refused: bool of a DataFrame, written to a CSV.
        ([True, False], ["True", "FALSE"]),
        # These, too: labels that were read as numbers, some of them not whole.
        (["0.5", "1.0", "1.5"], ["0.5", "1", "1.50"]),
        (["0.5", "1.0", "1.5"], [0.5, 1.0, 1.5]),
        (["0.123456789", "3"], [0.123456789, 3.0]),
    ],
)
def test_labels_in_a_column_are_those_of_the_training(labels, cells):
    net, table = network_of(np.array(labels), len(set(labels)))
    further = sn.Table({**table.columns, "y": np.array(cells)})
    for X in (further, pd.DataFrame(further.columns)):
        assert net.classes[net.check_data(X, "y").y].tolist() == labels


def test_large_ints_of_a_frame_stay_exact():
    y = 2**60 + np.arange(4)
    net, table = network_of(y, 4)
    frame = pd.DataFrame({**table.columns, "y": y})
    assert net.check_data(frame, "y").y.tolist() == [0, 1, 2, 3]


def test_a_label_that_is_unknown_is_said_as_it_stands():
    net, table = network_of(np.array(["nan", "yes"]), 2)
    with pytest.raises(ValueError, match="the label 'other', which is not among"):
        net.score(sn.Table({**table.columns, "y": np.array(["yes", "other"])}), "y")


def test_integers_read_the_column_that_is_named():
    # This used to be "the name of a column goes with a Table", of a Table.
    net, table = network_of(np.array(["a", "b", "b", "b"]), 2)
    further = sn.Table({**table.columns, "y": np.array(["b", "b", "", "a"])})
    small = sn.quantize(net, further, "y", validation=(further, "y"), max_drop=1.0)
    kept = further.take(np.array([0, 1, 3]))
    assert small.integers.score(further, "y") == small.integers.score(kept, kept.columns["y"])
