"""Explanations of networks that predict numbers, and response curves of both kinds."""

import numpy as np
import pytest
import synaprune as sn
from synaprune import explain
from synaprune.stats import r2_score

RECIPE = sn.Training(40, batch_size=16, optimizer=sn.SGD(0.05, momentum=0.9))
X = np.random.default_rng(0).normal(0.5, 1.0, size=(200, 4)).astype(np.float32)
Y = 1e6 * (5.0 + X[:, 0] + np.abs(X[:, 1])).astype(np.float64)
BOTH = np.column_stack([Y, 1e-3 * X[:, 2] * X[:, 0]])


def fitted(y, sizes=(6,), loss="squared_error", activation="relu"):
    layers = (4, *sizes, 1 if y.ndim == 1 else y.shape[1])
    net = sn.SparseMLP(
        layers, loss=loss, activation=activation, init_scale=0.5, input_scaling="standard", seed=1
    )
    net.fit(X, y, training=RECIPE)
    return net.without(synapses=[(0, 0, 1), (0, 2, 3), (len(sizes), 0, 1)], inputs=[3])


@pytest.fixture(scope="module")
def one():
    return fitted(Y)


@pytest.fixture(scope="module")
def two():
    return fitted(BOTH, (6, 5))


# ---- attributions


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_attributions_sum_to_the_prediction_in_its_units(activation):
    net = fitted(BOTH, (6, 5), activation=activation)
    predicted = net.predict(X)
    for k in range(2):
        found = explain.attributions(net, X, output=k)
        terms = abs(found.values).sum(axis=1) + abs(found.bias)
        assert (abs(found.totals - predicted[:, k]) <= 1e-5 * terms).all()
        assert found.labels is None
        assert (found.values[:, 3] == 0).all()


def test_one_number_needs_no_output(one):
    found, named = explain.attributions(one, X), explain.attributions(one, X, output=0)
    assert (found.values == named.values).all()
    terms = abs(found.values).sum(axis=1) + abs(found.bias)
    assert (abs(found.totals - one.predict(X)) <= 1e-5 * terms).all()


def test_paths_are_the_attributions_in_units_of_y(two):
    values = explain.attributions(two, X[:1], output=1).values[0]
    sums = np.zeros(4)
    for term in explain.strongest_paths(two, X[0], output=1, top_k=1000):
        assert term.neurons[-1] == 1
        sums[term.neurons[0]] += term.value
    np.testing.assert_allclose(sums, values, rtol=1e-9, atol=1e-9 * abs(values).max())


def test_the_output_is_asked_for_where_there_are_several(one, two):
    for ask in (
        lambda **o: explain.attributions(two, X, **o),
        lambda **o: explain.strongest_paths(two, X[0], **o),
    ):
        with pytest.raises(ValueError, match=r"^output must say which of 2 numbers to explain$"):
            ask()
        with pytest.raises(ValueError, match=r"^output must be from 0 to 1, got 2$"):
            ask(output=2)
    with pytest.raises(ValueError, match="never fitted"):
        explain.attributions(sn.SparseMLP((4, 1), loss="huber"), X)
    classifier = sn.SparseMLP((4, 1), seed=0).fit(X, Y.mean() < Y)
    with pytest.raises(ValueError, match=r"^output must be left out, as the network predicts cl"):
        explain.attributions(classifier, X, output=0)


# ---- energy and samples


def test_energy_and_patterns_need_no_classes(two):
    energy = explain.feature_energy(two, X)
    assert energy.shape == (4, 2)
    np.testing.assert_allclose(energy.sum(axis=0), 1.0)
    assert energy[3].tolist() == [0.0, 0.0]
    patterns = explain.activation_patterns(two, X)
    assert sum(len(pattern.samples) for pattern in patterns) == len(X)
    outputs = explain.activations(two, X, -1)
    np.testing.assert_allclose(
        outputs * BOTH.std(axis=0) + BOTH.mean(axis=0), two.predict(X), rtol=1e-6, atol=1e-9
    )


# ---- ablation


def without(net, unit):
    part = {
        "input": {"inputs": [unit.index]},
        "neuron": {"neurons": [(unit.layer, unit.index)]},
        "synapse": {"synapses": [(unit.layer, unit.index, unit.source)]},
    }
    return net.without(**part[unit.kind])


def r2_of_each(net, y):
    predicted = net.predict(X[:150]).reshape(y.shape)
    return np.array([r2_score(y[:, [k]], predicted[:, [k]]) for k in range(y.shape[1])])


@pytest.mark.parametrize("loss", sn.network.REGRESSION_LOSSES)
@pytest.mark.parametrize("y", [Y[:, None], BOTH], ids=["one", "two"])
def test_ablation_is_the_drop_in_r2_of_without(loss, y):
    net = fitted(y, (6, 5), loss)
    ablation = explain.ablate(net, X[:150], y[:150])
    whole = r2_of_each(net, y[:150])
    np.testing.assert_allclose(ablation.r2, whole, rtol=1e-12)
    assert len(ablation) == 3 + len(ablation.only("neuron")) + net.n_synapses
    for row, unit in enumerate(ablation.units):
        expected = whole - r2_of_each(without(net, unit), y[:150])
        np.testing.assert_allclose(ablation.loss[row], expected, rtol=1e-4, atol=1e-5)
        assert ablation.total_loss[row] == pytest.approx(expected.mean(), rel=1e-4, abs=1e-5)
    assert abs(ablation.loss).max() > 0.1


def test_only_keeps_one_kind_of_a_regression(two):
    ablation = explain.ablate(two, X, BOTH, threads=2)
    again = explain.ablate(two, two.check_data(X, BOTH), threads=1)
    assert ablation.loss.tobytes() == again.loss.tobytes()
    inputs = ablation.only("input")
    assert [unit.index for unit in inputs.units] == [0, 1, 2]
    assert (inputs.loss == explain.ablate(two, X, BOTH, kinds="input").loss).all()
    with pytest.raises(ValueError, match=r"^kind must be one of input, neuron, synapse, got"):
        ablation.only("layer")


def test_a_constant_has_no_r2_to_lose(two):
    y = np.column_stack([np.full(len(X), 7.0), BOTH[:, 1]])
    ablation = explain.ablate(two, X, y)
    assert (ablation.loss[:, 0] == 0).all()
    assert ablation.r2[0] == 0
    assert abs(ablation.loss[:, 1]).max() > 0.1


def test_bad_samples_are_named(one):
    broken = X.copy()
    broken[0, 0] = np.nan
    for call in (
        lambda: explain.ablate(one, broken, Y),
        lambda: explain.attributions(one, broken),
        lambda: explain.partial_dependence(one, broken, 0),
    ):
        with pytest.raises(ValueError, match="X must be finite"):
            call()
    with pytest.raises(ValueError, match="y must have shape"):
        explain.ablate(one, X, BOTH)


# ---- what is about classes


@pytest.mark.parametrize(
    "ask",
    [
        lambda net: explain.attributions(net, X, 1),
        lambda net: explain.strongest_paths(net, X[0], 1),
        lambda net: explain.annotate_units(explain.ablate(net, X, Y)),
        lambda net: explain.replicate([], explain.ablate(net, X, Y)),
        lambda net: explain.prototypes(net, X, Y),
        lambda net: explain.truth_tables(net),
        lambda net: explain.class_rules(net, X),
        lambda net: explain.compare(net, net, X, Y),
        lambda net: explain.confusion_matrix(net, X, Y),
    ],
)
def test_what_needs_classes_is_refused(ask, one):
    with pytest.raises(ValueError, match=r"^the network predicts numbers, not classes$"):
        ask(one)


# ---- partial dependence


def test_partial_dependence_is_the_mean_over_changed_samples(two):
    curve = explain.partial_dependence(two, X, 1, n_values=7)
    assert curve.feature == 1
    assert curve.values[[0, -1]].tolist() == [X[:, 1].min(), X[:, 1].max()]
    assert np.isin(curve.values, X[:, 1]).all()
    assert len(curve) == 7
    for value, average in zip(curve.values, curve.average, strict=True):
        changed = X.copy()
        changed[:, 1] = value
        np.testing.assert_allclose(average, two.predict(changed).mean(axis=0), rtol=1e-12)


def test_an_unused_input_moves_nothing(one):
    curve = explain.partial_dependence(one, X, 3)
    np.testing.assert_allclose(curve.average, one.predict(X).mean(), rtol=1e-12)


def test_partial_dependence_of_classes_is_their_mean_probability():
    pixels = (X * 20 + 100).clip(0, 255).astype(np.uint8)
    pixels[:, 0] = np.arange(len(X)) % 3 * 100
    net = sn.SparseMLP((4, 6, 3), seed=0, input_scaling="center")
    net.fit(pixels, np.arange(len(X)) % 3, training=RECIPE)
    net.input_names = ["a", "b", "c", "d"]
    before = pixels.copy()
    curve = explain.partial_dependence(net, pixels, "a")
    assert curve.values.tolist() == [0.0, 100.0, 200.0]  # all that there are
    assert curve.average.argmax(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(curve.average.sum(axis=1), 1.0, rtol=1e-6)
    assert (pixels == before).all()


@pytest.mark.parametrize(
    ("feature", "options", "error", "message"),
    [
        (4, {}, ValueError, r"^input must be from 0 to 3, got 4$"),
        ("b", {}, ValueError, r"^no input is called 'b'$"),
        (0.5, {}, TypeError, r"^input must be an int, got float$"),
        (0, {"n_values": 1}, ValueError, r"^n_values must be from 2 to .*, got 1$"),
    ],
)
def test_what_is_no_curve_is_refused(one, feature, options, error, message):
    with pytest.raises(error, match=message):
        explain.partial_dependence(one, X, feature, **options)
