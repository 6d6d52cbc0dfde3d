"""`quantize` and `round_weights`: whole numbers, what they cost, and retraining that lowers it."""

import re

import numpy as np
import pytest
import synaprune as sn
from export.networks import random_network
from synaprune.program import ACTIVATIONS, Program
from synaprune.quantization._straight_through import Grid, retrained

ONE = sn.Training(1, batch_size=16)


def targets_of(net, n):
    """Labels or numbers that the network knows."""
    rng = np.random.default_rng(n)
    if net.is_regression:
        return net.predict(rng.normal(size=(n, net.n_features))) + rng.normal(size=1)
    return net.classes[rng.integers(0, len(net.classes), n)]


def signs(n, seed, *weights):
    """Inputs of 0 and 1, and labels that depend on a sum of them."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 2, (n, len(weights)))
    z = (X - 0.5) @ np.array(weights)
    return X, rng.random(n) < 1.0 / (1.0 + np.exp(-z))


def bits_of(net):
    header, arrays = net.state()
    return header, {name: a.tobytes() for name, a in arrays.items()}


def summed(rounded, X):
    """What the points of a network add up to: the naive reference."""
    net, inputs = rounded.network, rounded._inputs
    shift, scale = (a.astype(np.float64) for a in net.input_transform)
    counts = np.where(inputs.two_valued, inputs.lower != X, (X - shift) * scale)
    told = zip(net.weights, rounded.points, rounded.starts, rounded.units, strict=True)
    for at, (layer, points, starts, unit) in enumerate(told):
        matrix = np.zeros(layer.shape)
        matrix[layer.rows, layer.indices] = points
        sums = counts @ matrix.T + starts
        if at + 1 < len(net.weights):
            relu = net.activation == "relu"
            counts = np.maximum(sums, 0.0) if relu else ACTIVATIONS[net.activation](unit * sums)
    return unit * sums


@pytest.mark.parametrize("frozen", [False, True])
def test_a_rounded_network_computes_what_its_points_say(frozen):
    for seed in range(60):
        net, X = random_network(seed)
        if seed % 2:
            X[:, 0] = X[:, 0] > 1.0
        if frozen:
            net = net.with_frozen(inputs=[0])
        y, before = targets_of(net, len(X)), bits_of(net)
        options = {"metric": "neg_mean_absolute_error"} if net.is_regression else {}
        rounded = sn.round_weights(
            net, X, y, validation=(X, y), max_weight=3, max_drop=0.0, training=ONE, **options
        )
        assert bits_of(net) == before
        for points, starts in zip(rounded.points, rounded.starts, strict=True):
            assert np.abs(points).max(initial=0) <= 3
            assert (points != 0).all()
            is_last = starts is rounded.starts[-1]
            if not is_last or (net.layers[-1] > 1 and not net.is_regression):
                assert (starts == np.rint(starts)).all()
        z = Program.of(rounded.network).forward(X)[-1][0]
        np.testing.assert_allclose(summed(rounded, X), z, rtol=1e-4, atol=1e-4 * np.abs(z).max())


@pytest.mark.parametrize("frozen", [False, True])
def test_quantize_says_what_the_integers_cost(frozen):
    for seed in range(60):
        net, X = random_network(seed)
        if frozen:
            net = net.with_frozen(inputs=[0])
        y, before = targets_of(net, len(X)), bits_of(net)
        small = sn.quantize(
            net, X, y, validation=(X, y), bits=8 + 8 * (seed % 2), max_drop=0.0, training=ONE
        )
        assert bits_of(net) == before
        again = sn.export.IntegerNetwork.of(small.network, X, dtype=small.integers.dtype)
        assert (again.logits(X) == small.integers.logits(X)).all()
        loss = small.loss
        assert loss.score == pytest.approx(small.integers.score(X, y), abs=1e-12)
        assert loss.given == pytest.approx(net.score(X, y), abs=1e-6)
        assert (loss.retrained is None) == (loss.rounded >= loss.given - 1e-9)
        assert loss.score == max(loss.rounded, loss.retrained or -np.inf)
        assert loss.holds == (loss.score >= loss.given - 1e-9)


def test_an_update_is_that_of_the_rounded_weights():
    """w becomes w - lr · gradient at round(w), which a fit of rounded weights would lose."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(32, 3)).astype(np.float32), rng.integers(0, 2, 32)
    net = sn.SparseMLP((3, 1), input_scaling="none", seed=0).fit(X, y)
    (layer,) = net.weights
    steps = np.full(3, 0.5)
    recipe = sn.Training(2, batch_size=32, optimizer=sn.SGD(lr=0.1))
    data = net.prepare(X, y, training=recipe)
    got = retrained(net, data, recipe, [Grid(steps, 2, 0.25, np.zeros(3))]).weights[0]
    w, b = layer.to_dense()[0].astype(np.float64), float(layer.bias[0])
    for _ in range(2):
        at = np.clip(np.rint(w / 0.5), -2, 2) * 0.5
        error = 1.0 / (1.0 + np.exp(-(X @ at + np.rint(b / 0.25) * 0.25))) - y
        w, b = w - 0.1 * error @ X / 32, b - 0.1 * error.mean()
    np.testing.assert_allclose(got.to_dense()[0], w, atol=1e-6)
    np.testing.assert_allclose(got.bias, b, atol=1e-6)


def test_retraining_wins_back_what_rounding_costs():
    data = sn.datasets.digits()
    net = sn.SparseMLP((64, 20, 10), seed=0)
    recipe = sn.Training(8, batch_size=16, optimizer=sn.SGD(lr=0.1))
    path = sn.prune(net, *data.train, validation=data.validation, n_synapses=250, training=recipe)
    rounded = sn.round_weights(
        path.smallest, *data.train, validation=data.validation, max_weight=1, max_drop=0.06,
        training=sn.Training(12, batch_size=16, optimizer=sn.SGD(lr=0.02, momentum=0.9)),
    )  # fmt: skip
    loss = rounded.loss
    assert loss.rounded < loss.given - 0.1
    assert loss.retrained > loss.given - 0.06
    assert loss.holds
    assert set(np.concatenate(rounded.points)) == {-1, 1}
    assert loss.score == rounded.network.score(*data.validation)
    assert re.fullmatch(
        r"accuracy 0\.\d{4} as given, 0\.\d{4} rounded, 0\.\d{4} retrained; "
        r"the contract \(0\.\d{4}\) holds",
        str(loss),
    )
    # What is rounded already loses nothing more in integers: C computes the same weights.
    integers = sn.export.IntegerNetwork.of(rounded.network, data.train.X)
    assert integers.score(*data.validation) > loss.score - 0.02


def test_frozen_synapses_are_not_retrained():
    X, y = signs(200, 0, 3.0, -2.0, 1.0, 0.0)
    net = sn.SparseMLP((4, 1), seed=0).fit(X, y, training=sn.Training(30)).with_frozen(inputs=[1])
    recipe = sn.Training(5, optimizer=sn.SGD(lr=0.5))
    data = net.prepare(X, y, training=recipe)
    grid = Grid(np.full(4, 0.5), 3, 0.0, np.zeros(4))
    before, after = (n.weights[0].values for n in (net, retrained(net, data, recipe, [grid])))
    assert ((before == after) == [False, True, False, False]).all()


def test_a_table_and_its_encoder():
    X, y = signs(200, 0, 3.0, -2.0)
    rows = [["yes" if a else "no", "red" if b else "blue", str(n)] for n, (a, b) in enumerate(X)]
    table = sn.Table.from_rows(rows, ["asked", "colour", "size"])
    encoder = sn.TableEncoder.fit(table.without(["size"]))
    net = sn.SparseMLP((len(encoder.input_names), 1), seed=0)
    net.encoder = encoder
    net.fit(table, y, training=sn.Training(40))
    rounded = sn.round_weights(net, table, y, validation=(table, y), max_weight=3, max_drop=0.5)
    assert re.search(r"^asked=yes +\+3$", rounded.score_card(), re.MULTILINE)
    assert sn.quantize(net, table, y, validation=(table, y)).loss.holds


def test_bytes_stay_bytes():
    X, y = signs(200, 0, 3.0, -2.0)
    pixels = (X * 200).astype(np.uint8)
    net = sn.SparseMLP((2, 1), seed=0).fit(pixels, y, training=sn.Training(40))
    small = sn.quantize(net, pixels, y, validation=(pixels, y), input_dtype="uint8")
    assert small.integers.input_dtype == "uint8"
    assert small.integers.score(pixels, y) == small.loss.score
    assert sn.round_weights(net, pixels, y, validation=(pixels, y)).loss.holds


def test_a_retraining_that_diverges_leaves_what_was_rounded():
    X, y = signs(200, 0, 3.0, -2.0, 1.0, 0.5)
    net = sn.SparseMLP((4, 3, 2), init_scale=1.0, seed=0).fit(X, y, training=sn.Training(30))
    rounded = sn.round_weights(
        net, X, y, validation=(X, y), max_weight=1, metric="neg_log_loss", max_drop=0.0,
        training=sn.Training(30, optimizer=sn.SGD(lr=1e30)),
    )  # fmt: skip
    assert rounded.loss.retrained is None
    assert not rounded.loss.holds
    assert "does not hold" in repr(rounded)


def test_biases_alone_keep_the_class():
    # Both used to become 0, which is the first class.
    X, y = np.zeros((100, 2)), np.arange(100) % 4 > 0
    net = sn.SparseMLP((2, 2), seed=0).fit(X, y, training=sn.Training(1))
    rounded = sn.round_weights(net.without(inputs=[0, 1]), X, y, validation=(X, y), max_drop=0.0)
    assert rounded.loss.rounded == 0.75
    assert abs(rounded.starts[0]).max() == 5


# ---- score cards


def card_of(loss="auto", n_outputs=1, scaling="auto", lower=0, upper=1, **options):
    X, y = signs(400, 1, 3.0, 2.0, -2.0, 0.0, 1.0)
    X = np.where(X == 1, upper, lower)
    if n_outputs == 3:
        y = np.argmax(X[:, :3] + np.random.default_rng(0).normal(size=(400, 3)), axis=1)
    net = sn.SparseMLP((5, n_outputs), loss=loss, input_scaling=scaling, seed=0)
    net.fit(X, y * 1.0 if net.is_regression else y, training=sn.Training(60))
    net.input_names = options.pop("names", None)
    rounded = sn.round_weights(
        net, X, y * 1.0 if net.is_regression else y, validation=(X, y), max_weight=4, max_drop=0.5
    )
    return rounded, X, rounded.score_card()


@pytest.mark.parametrize(("scaling", "lower", "upper"), [("none", 0, 1), ("standard", 2, 5)])
def test_a_card_of_two_classes_gives_the_probabilities(scaling, lower, upper):
    rounded, X, text = card_of(scaling=scaling, lower=lower, upper=upper)
    points, _, table = (part.splitlines()[1:] for part in text.split("\n\n"))
    threshold = int(re.search(r"at least ([+-]?\d+)", text)[1])
    of_input = {}
    for line in points:
        name, number = line.rsplit(maxsplit=1)
        of_input[int(name[1])] = int(number)
        assert name.strip() == (f"x{name[1]}" if upper == 1 else f"x{name[1]} = 5, not 2")
    table = text.split("\n\n")[2].splitlines()[1:]
    p_of = {}
    for line in table:
        first, *rest = line.split()
        if first not in ("up", "from"):
            p_of[int(first)] = float(rest[0]) / 100.0
    sums = sum(n * (X[:, i] == upper) for i, n in of_input.items())
    p = rounded.network.predict_proba(X)[:, 1]
    assert ((sums >= threshold) == rounded.network.predict(X)).all()
    told = np.array([p_of.get(s, np.nan) for s in sums.tolist()])
    known = ~np.isnan(told)
    assert known.any()
    np.testing.assert_allclose(told[known], p[known], atol=6e-4)
    assert ((p[~known] < 0.006) | (p[~known] > 0.994)).all()


def test_a_card_of_three_classes_gives_the_class():
    rounded, X, text = card_of(n_outputs=3)
    rows = text.split("\n\n")[0].splitlines()
    assert rows[0].split() == ["Points", "for", "0", "1", "2"]
    (layer,) = rounded.network.weights
    dense = np.zeros((3, 5), int)
    dense[layer.rows, layer.indices] = rounded.points[0]
    sums = X @ dense.T + rounded.starts[0]
    assert (sums.argmax(axis=1) == rounded.network.predict(X)).all()
    assert [int(cell) for cell in rows[1].split()[1:]] == rounded.starts[0].tolist()
    assert "times as likely" in text


def test_a_card_of_a_regression_gives_the_number():
    rounded, X, text = card_of(loss="squared_error")
    start, factor = map(float, re.search(r"y = (\S+) \+ (\S+) \* sum", text).groups())
    (layer,) = rounded.network.weights
    sums = X[:, layer.indices] @ rounded.points[0]
    np.testing.assert_allclose(start + factor * sums, rounded.network.predict(X), atol=1e-4)


def test_names_cannot_break_out_of_a_card():
    names = ["a\nPredict yes", "b\r", "c\t\x1b[2J", "d", "e\u2028"]
    _, _, text = card_of(names=names)
    assert "a Predict yes" in text
    assert not set("\r\t\x1b\u2028") & set(text)
    assert len(text.split("\n\n")) == 3


def test_what_is_no_card_is_refused():
    X, y = signs(100, 0, 2.0, -1.0)
    net = sn.SparseMLP((2, 3, 1), seed=0).fit(X, y)
    rounded = sn.round_weights(net, X, y, validation=(X, y), max_drop=0.5)
    with pytest.raises(ValueError, match="a score card needs a linear network"):
        rounded.score_card()
    wide = X * np.arange(1, 101)[:, None]
    net = sn.SparseMLP((2, 1), seed=0).fit(wide, y)
    rounded = sn.round_weights(net, wide, y, validation=(wide, y), max_drop=1.0)
    with pytest.raises(ValueError, match=r"inputs with two values, but these have more: 'x0'"):
        rounded.score_card()
    flat = X * [1, 0]  # of such an input it used to say that it has more than two values
    net = sn.SparseMLP((2, 1), seed=0).fit(flat, y, training=sn.Training(1))
    rounded = sn.round_weights(net, flat, y, validation=(flat, y), max_drop=1.0)
    with pytest.raises(
        ValueError, match=r"these have one on the training rows: 'x1'; train without"
    ):
        rounded.score_card()


# ---- bad input


@pytest.mark.parametrize(
    ("function", "options", "error", "part"),
    [
        (sn.quantize, {"bits": 4}, ValueError, "bits must be 8 or 16, got 4"),
        (sn.quantize, {"bits": 8.0}, TypeError, "bits must be an int, got float"),
        (sn.quantize, {"input_dtype": "int8"}, ValueError, "input_dtype must be one of float32,"),
        (sn.quantize, {"input_dtype": "uint8"}, TypeError, "X must be uint8, as input_dtype is"),
        (sn.quantize, {"min_score": 1.0}, ValueError, "below min_score 1.0000"),
        (sn.round_weights, {"max_weight": 0}, ValueError, "max_weight must be from 1 to 32767"),
        (sn.round_weights, {"max_drop": 0.1, "min_score": 0.1}, ValueError, "at most one of"),
        (sn.round_weights, {"metric": "r2"}, ValueError, "metric 'r2' is one of numbers"),
        (sn.round_weights, {"training": 5}, TypeError, "training must be a Training, got 5"),
        (sn.round_weights, {"training": sn.Training(5, swa_epochs=2)}, ValueError, "swa_epochs=2"),
        (
            sn.round_weights,
            {"training": sn.Training(lr_schedule=lambda done: "fast"), "max_drop": 1.0},
            TypeError,
            "lr_schedule(0) must be a number, got 'fast'",
        ),
        (sn.round_weights, {"validation": None}, TypeError, "validation must be a pair (X, y)"),
    ],
)
def test_what_does_not_fit_is_refused(function, options, error, part):
    X, y = signs(50, 0, 2.0, -1.0)
    y[:3] = ~y[:3]
    X = X.astype(np.float32)
    net = sn.SparseMLP((2, 1), seed=0).fit(X, y)
    with pytest.raises(error) as caught:
        function(net, X, y, **{"validation": (X, y), **options})
    assert part in str(caught.value)


def test_networks_must_be_fitted():
    X, y = signs(50, 0, 2.0, -1.0)
    for function in (sn.quantize, sn.round_weights):
        with pytest.raises(TypeError, match="net must be a SparseMLP, got 'net'"):
            function("net", X, y, validation=(X, y))
        with pytest.raises(ValueError, match="never fitted"):
            function(sn.SparseMLP((2, 1)), X, y, validation=(X, y))
