"""Soft targets, weights, smoothing, moved images and averages, as users ask for them."""

import numpy as np
import pytest
import synaprune as sn


def softened(y, n_classes=3):
    soft = np.full((len(y), n_classes), 0.1 / (n_classes - 1))
    soft[np.arange(len(y)), y] = 0.9
    return soft


def fitted(X, y, net=None, **options):
    net = net or sn.SparseMLP((5, 6, 3), init_scale=1.0, seed=3)
    weight = options.pop("sample_weight", None)
    training = sn.Training(3, batch_size=8, optimizer=sn.SGD(0.1), **options)
    return net.fit(X, y, weight, training=training)


@pytest.fixture
def samples(trained3):
    _, X, y = trained3()
    return X, np.unique(y, return_inverse=True)[1]


# --- soft targets -------------------------------------------------------------------------------


def test_certain_probabilities_train_as_labels_do(samples):
    X, y = samples
    hard, soft = fitted(X, y), fitted(X, np.eye(3)[y])
    for a, b in zip(hard.weights, soft.weights, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-3, atol=1e-5)
    assert soft.classes.tolist() == [0, 1, 2]


def test_columns_are_the_classes_that_the_network_knows(samples):
    X, y = samples
    names = np.array(["ant", "bee", "cat"])
    net = fitted(X, names[y])
    fitted(X, softened(y), net)
    assert net.classes.tolist() == names.tolist()
    assert net.score(X, names[y]) > 0.5


def test_a_large_network_teaches_a_small_one(samples):
    X, y = samples
    teacher = sn.SparseMLP((5, 60, 3), init_scale=1.0).fit(
        X, y, training=sn.Training(60, optimizer=sn.SGD(0.3))
    )
    taught = teacher.predict_proba(X)
    small = sn.SparseMLP((5, 8, 3), init_scale=1.0, seed=1)
    small.fit(X, taught, training=sn.Training(200, batch_size=8, optimizer=sn.SGD(0.3)))
    assert abs(small.predict_proba(X) - taught).mean() < 0.1
    path = sn.prune(small, X, taught, validation=(X, y), n_synapses=30, training=sn.Training(5))
    assert path.smallest.n_synapses <= 30


def test_two_classes_and_one_output_take_two_columns(data):
    X, y = data
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    net.fit(X, softened((y == y.max()).astype(int), 2), training=sn.Training(2))
    assert net.classes.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:-1], "y must have one row a sample, .*, got"),
        (lambda y: y[:, :2] / 0.5, "y must hold probabilities, each row of sum 1"),
        (lambda y: y * 1.01, "y must hold probabilities, each row of sum 1, got .* in row 0"),
        (lambda y: y - 0.5, "y must hold probabilities"),
        (lambda y: y * np.nan, "y must hold probabilities"),
        (lambda y: y * 1e300, "y must hold probabilities"),
        (lambda y: np.hstack([y / 2, y / 2]), "needs 3 classes, got 6"),
    ],
)
def test_wrong_probabilities_are_named(change, message, samples, bits):
    X, y = samples
    net = sn.SparseMLP((5, 6, 3), init_scale=1.0)
    before = bits(net)
    with pytest.raises(ValueError, match=message):
        net.fit(X, change(softened(y)))
    assert bits(net) == before
    net.fit(X, np.array(["a", "b", "c"])[y])
    with pytest.raises(ValueError, match="y must have a column for each of the 3 classes"):
        net.fit(X, np.full((len(y), 2), 0.5))


# --- weights ------------------------------------------------------------------------------------


def test_only_ratios_of_weights_matter(samples, bits):
    X, y = samples
    w = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    assert bits(fitted(X, y, sample_weight=w)) == bits(fitted(X, y, sample_weight=4.0 * w))
    assert bits(fitted(X, y, sample_weight=w)) != bits(fitted(X, y))


def test_a_class_weight_is_that_of_its_samples(samples, bits):
    X, y = samples
    by_class = {0: 3.0, 2: 0.5}
    w = np.array([3.0, 1.0, 0.5])[y]
    assert bits(fitted(X, y, class_weight=by_class)) == bits(fitted(X, y, sample_weight=w))
    both = fitted(X, y, class_weight=by_class, sample_weight=np.arange(1.0, len(y) + 1))
    assert bits(both) == bits(fitted(X, y, sample_weight=w * np.arange(1.0, len(y) + 1)))
    one_hot = fitted(X, np.eye(3)[y], class_weight=by_class)
    assert bits(one_hot) == bits(fitted(X, np.eye(3)[y], sample_weight=w))


def test_balanced_classes_count_alike(samples, bits):
    X, y = samples
    keep = np.concatenate([np.flatnonzero(y == 0)[:5], np.flatnonzero(y != 0)])
    X, y = X[keep], y[keep]
    counts = np.bincount(y)
    balanced = fitted(X, y, class_weight="balanced")
    assert bits(balanced) == bits(fitted(X, y, sample_weight=(len(y) / (3 * counts))[y]))
    rare = y == 0
    assert (balanced.predict(X[rare]) == 0).mean() >= (fitted(X, y).predict(X[rare]) == 0).mean()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sample_weight": [1.0]}, ValueError, r"sample_weight must have shape \(\d+,\)"),
        ({"sample_weight": "no"}, TypeError, "sample_weight must hold a number for each sample"),
        ({"class_weight": {7: 1.0}}, ValueError, "class_weight names 7, which is not among"),
        ({"class_weight": {0: 0.0, 1: 0.0, 2: 0.0}}, ValueError, "class_weight must hold finite"),
        ({"augment": sn.ShiftImages(2, 3)}, ValueError, r"2 \* 3 pixels, but .* 5 inputs"),
        ({"lr_schedule": lambda done: "fast"}, TypeError, r"lr_schedule\(0\) must be a number"),
    ],
)
@pytest.mark.parametrize("call", ["fit", "prune"])
def test_options_that_do_not_fit_are_named_and_change_nothing(
    call, options, error, message, samples, bits
):
    X, y = samples
    net = fitted(X, y)
    before = bits(net)
    weight = options.get("sample_weight")
    training = sn.Training(8, **{k: v for k, v in options.items() if k != "sample_weight"})
    calls = {
        "fit": lambda: net.fit(X, y, weight, training=training),
        "prune": lambda: sn.prune(
            net, X, y, weight, validation=(X, y), n_synapses=20, training=training
        ),
    }
    with pytest.raises(error, match=message):
        calls[call]()
    assert bits(net) == before


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0])
def test_a_wrong_weight_is_named(weight, samples):
    X, y = samples
    w = np.ones(len(y))
    w[3] = weight
    with pytest.raises(ValueError, match="sample_weight must hold finite numbers of at least 0"):
        fitted(X, y, sample_weight=w)


# --- smoothing, images, averages ----------------------------------------------------------------


def test_smoothing_keeps_outputs_from_certainty(samples):
    X, y = samples

    def sure(smoothing):
        net = sn.SparseMLP((5, 20, 3), init_scale=1.0)
        net.fit(
            X,
            y,
            training=sn.Training(
                150, batch_size=8, optimizer=sn.SGD(0.3), label_smoothing=smoothing
            ),
        )
        return net.predict_proba(X).max(axis=1).mean()

    assert sure(0.0) > sure(0.3)


def test_shifted_images_train_for_shifted_images():
    rng = np.random.default_rng(0)
    prototypes = rng.integers(0, 256, (4, 6, 6))
    y = rng.integers(0, 4, 400)
    X = prototypes[y].reshape(-1, 36).astype(np.uint8)
    moved = np.pad(prototypes, ((0, 0), (1, 0), (0, 0)))[:, :6][y].reshape(-1, 36).astype(np.uint8)

    def accuracy(augment):
        net = sn.SparseMLP((36, 40, 4), init_scale=1.0, seed=1)
        net.fit(
            X, y, training=sn.Training(100, batch_size=16, optimizer=sn.SGD(0.2), augment=augment)
        )
        return net.score(moved, y)

    assert accuracy(sn.ShiftImages(6, 6)) == 1.0 > accuracy(None)
    assert (moved != X).any()


@pytest.mark.parametrize(
    "arguments",
    [(0, 3), (3, 2**16), (3, 3, 0), (3, 3, 4), (3, 3, 1, 1.5), (3.0, 3), (3, 3, 1, "p")],
)
def test_wrong_shifts_are_named(arguments):
    with pytest.raises((TypeError, ValueError), match=r"^(height|width|pixels|probability) must"):
        sn.ShiftImages(*arguments)


def test_the_average_is_that_of_the_last_epochs(samples):
    X, y = samples
    seen = []
    net = sn.SparseMLP((5, 6, 3), init_scale=1.0, seed=3)
    plain = net.copy()
    plain.fit(X, y, training=sn.Training(6), callback=lambda p: seen.append(plain.weights) or None)
    net.fit(X, y, training=sn.Training(6, swa_epochs=4))
    for layer, w in enumerate(net.weights):
        values = np.mean([weights[layer].values for weights in seen[2:]], axis=0)
        np.testing.assert_allclose(w.values, values, rtol=1e-5, atol=1e-8)
        bias = np.mean([weights[layer].bias for weights in seen[2:]], axis=0)
        np.testing.assert_allclose(w.bias, bias, rtol=1e-5, atol=1e-8)
        assert (w.initial == plain.weights[layer].initial).all()
    assert net._core.rng_state == plain._core.rng_state


def test_pruning_averages_what_comes_after_the_last_cut(samples):
    X, y = samples
    net = fitted(X, y)
    a, b = (
        sn.prune(net, X, y, validation=(X, y), n_synapses=20, training=training).smallest
        for training in (sn.Training(10, swa_epochs=3), sn.Training(10))
    )
    assert a.structure == b.structure
    assert all((v.indices == w.indices).all() for v, w in zip(a.weights, b.weights, strict=True))
    assert any((v.values != w.values).any() for v, w in zip(a.weights, b.weights, strict=True))


def test_pruning_trains_by_the_whole_recipe(samples, bits):
    X, y = samples
    net = fitted(X, y)

    def pruned(weight=None, **options):
        training = sn.Training(4, **options)
        return bits(
            sn.prune(
                net, X, y, weight, validation=(X, y), n_synapses=20, training=training
            ).smallest
        )

    plain = pruned()
    assert pruned(np.arange(1.0, len(y) + 1)) != plain
    for extra in (
        {"class_weight": {0: 2.0}},
        {"label_smoothing": 0.2},
        {"augment": sn.ShiftImages(1, 5)},
        {"input_dropout": 0.2},
        {"lr_schedule": lambda done: 0.5},
        {"batch_size": 7},
        {"swa_epochs": 2},
    ):
        assert pruned(**extra) != plain, extra
