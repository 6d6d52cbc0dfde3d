"""Networks that predict numbers: fit, predict, score, prune, files, and what is refused."""

import pickle
import warnings

import numpy as np
import pytest
import synaprune as sn
from synaprune import _core
from synaprune.stats import paired_mean_test, r2_score

LOSSES = _core.REGRESSION_LOSSES
RECIPE = sn.Training(60, batch_size=16, optimizer=sn.SGD(0.05, momentum=0.9))
UNITS = 1e6  # of y, far from those that a network has
X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
Y = UNITS * (5.0 + X[:, 0] + np.abs(X[:, 1])).astype(np.float64)
BOTH = np.column_stack([Y, X[:, 2]])


def network(loss="squared_error", n_outputs=1, **options):
    options = {"init_scale": 0.3, "input_scaling": "standard", "seed": 1} | options
    return sn.SparseMLP((4, 12, n_outputs), loss=loss, **options)


@pytest.fixture(scope="module")
def fitted():
    return network().fit(X, Y, training=RECIPE)


@pytest.mark.parametrize("loss", LOSSES)
def test_numbers_are_learned_in_their_units(loss):
    net = network(loss).fit(X, Y, training=RECIPE)
    predicted = net.predict(X)
    assert predicted.dtype == np.float64
    assert predicted.shape == Y.shape
    assert net.score(X, Y) == r2_score(Y[:, None], predicted[:, None]) > 0.95
    assert net.is_regression
    assert "regression" in repr(net)


def test_several_numbers_have_units_of_their_own():
    net = network(n_outputs=2).fit(X, BOTH, training=RECIPE)
    predicted = net.predict(X)
    assert predicted.shape == BOTH.shape
    of_each = [r2_score(BOTH[:, [k]], predicted[:, [k]]) for k in range(2)]
    assert min(of_each) > 0.98
    assert net.score(X, BOTH) == pytest.approx(np.mean(of_each))


def test_one_column_stays_a_column():
    net = network().fit(X, Y[:, None], training=RECIPE)
    assert net.predict(X).shape == (300, 1)
    assert net.predict(X)[:, 0].tolist() == network().fit(X, Y, training=RECIPE).predict(X).tolist()


def test_units_change_nothing_but_units(fitted):
    other = network().fit(X, 3.0 * Y - 7.0 * UNITS, training=RECIPE)
    np.testing.assert_allclose(
        other.predict(X), 3.0 * fitted.predict(X) - 7.0 * UNITS, rtol=1e-4, atol=0.05 * UNITS
    )


def test_a_large_mean_with_a_small_spread():
    y = 1e9 + X[:, 0].astype(np.float64)
    net = network().fit(X, y, training=RECIPE)
    assert net.score(X, y) > 0.98


def test_a_constant_is_learned_without_a_word(recwarn):
    net = network().fit(X, np.full(300, 4.0), training=RECIPE.with_epochs(100))
    np.testing.assert_allclose(net.predict(X), 4.0, atol=0.05)
    assert not recwarn


def test_a_training_that_ends_in_one_number_is_warned_of():
    with pytest.warns(UserWarning, match="says .* to every one of 300 training samples"):
        network(init_scale=1e-20).fit(
            X, Y, training=sn.Training(60, batch_size=16, optimizer=sn.SGD(1e-20))
        )


@pytest.mark.parametrize("write", ["files", "pickle", "copy"])
def test_all_of_it_is_kept(fitted, write, tmp_path):
    if write == "files":
        fitted.save(tmp_path / "net.npz")
        other = sn.SparseMLP.load(tmp_path / "net.npz")
    else:
        other = pickle.loads(pickle.dumps(fitted)) if write == "pickle" else fitted.copy()
    assert other.predict(X).tobytes() == fitted.predict(X).tobytes()
    more = [n.copy().fit(X, Y, training=RECIPE).predict(X).tobytes() for n in (fitted, other)]
    assert more[0] == more[1]


def test_weights_count():
    bent = np.where(X[:, 3] > 0, Y, -Y)
    weight = np.where(X[:, 3] > 0, 1.0, 0.0)
    net = network().fit(X, bent, weight, training=RECIPE)
    kept = X[:, 3] > 0
    assert net.score(X[kept], bent[kept]) > 0.95


def test_validation_is_told_as_r2():
    told = []
    network().fit(X, Y, training=RECIPE, validation=(X, Y), callback=lambda p: told.append(p.score))
    assert told[0] < told[-1]
    assert told[-1] > 0.98


def test_partial_fit_keeps_the_first_units():
    net = network()
    for _ in range(60):
        net.partial_fit(
            X, Y, training=sn.Training(batch_size=16, optimizer=sn.SGD(0.05, momentum=0.9))
        )
    assert net.score(X, Y) > 0.98


@pytest.mark.parametrize(
    "metric", [None, "neg_root_mean_squared_error", lambda y, p: -abs(y - p).max()]
)
def test_pruning_keeps_the_contract(fitted, metric):
    drop = {None: 0.01, "neg_root_mean_squared_error": 0.2}.get(metric, 0.1 * UNITS)
    training = sn.Training(batch_size=16, optimizer=sn.SGD(0.02, momentum=0.9))
    path = sn.prune(
        fitted, X[:200], Y[:200], validation=(X[200:], Y[200:]), max_drop=drop, metric=metric,
        criterion="taylor2", training=training, strategy=sn.Iterative(search_budget=0),
    )  # fmt: skip
    first, last = path.steps[0], path.steps[-1]
    allowed = drop * -first.score if isinstance(metric, str) else drop
    assert last.score >= first.score - allowed - 1e-9
    assert last.n_synapses < 30
    assert path.smallest.used_inputs.tolist() == [0, 1]
    if metric is None:
        assert last.score == path.smallest.score(X[200:], Y[200:])
        assert first.p_value == 1.0


def test_pruning_to_a_count(fitted):
    path = sn.prune(
        network(), X, Y, validation=(X, Y), n_synapses=12, criterion="taylor2", training=RECIPE
    )
    assert path.smallest.n_synapses <= 12
    assert path.steps[-1].score > 0.7


def test_checked_data_know_what_they_are_for(fitted):
    data = fitted.check_data(X, Y)
    assert data.classes is None
    assert "1 numbers" in repr(data)
    assert fitted.score(data) == fitted.score(X, Y)
    classifier = sn.SparseMLP((4, 1)).fit(X, Y.mean() < Y)
    with pytest.raises(ValueError, match="checked for 1 numbers a sample, got the classes"):
        fitted.score(classifier.check_data(X, Y.mean() < Y))
    with pytest.raises(ValueError, match=r"checked for the classes .* got 1 numbers a sample"):
        classifier.score(data)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (Y[:5], ValueError, r"y must have shape \(300,\) or \(300, 1\), got \(5,\)"),
        (BOTH, ValueError, r"y must have shape \(300,\) or \(300, 1\), got \(300, 2\)"),
        (np.where(Y.mean() < Y, np.nan, Y), ValueError, "y must be finite, got nan in row"),
        (Y.astype(str), TypeError, "y must hold numbers, got dtype"),
    ],
)
def test_other_targets_are_refused(y, error, message):
    net = network()
    with pytest.raises(error, match=message):
        net.fit(X, y)
    assert "not fitted" in repr(net)


def test_what_belongs_to_classes_is_refused(fitted):
    for recipe, message in (
        (sn.Training(label_smoothing=0.1), "label_smoothing does not apply"),
        (sn.Training(class_weight="balanced"), "class_weight does not apply"),
    ):
        with pytest.raises(ValueError, match=message):
            network().fit(X, Y, training=recipe)
    with pytest.raises(ValueError, match="classes must be left out"):
        network().partial_fit(X, Y, classes=[0, 1])
    for ask in (lambda: fitted.classes, lambda: fitted.predict_proba(X)):
        with pytest.raises(ValueError, match="predicts numbers, not classes"):
            ask()
    for metric in ("accuracy", "roc_auc", sn.OnProbabilities(lambda y, p: 0.0)):
        with pytest.raises(ValueError, match="is one of classes, but numbers are predicted"):
            sn.prune(fitted, X, Y, validation=(X, Y), metric=metric)
    classifier = sn.SparseMLP((4, 1)).fit(X, Y.mean() < Y)
    with pytest.raises(ValueError, match="is one of numbers, but classes are predicted"):
        sn.prune(classifier, X, Y.mean() < Y, validation=(X, Y.mean() < Y), metric="r2")


def test_statistics_are_those_of_others():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    y, p = rng.normal(size=(2, 50, 3))
    assert r2_score(y, p) == pytest.approx(metrics.r2_score(y, p))
    y[:, 1] = 2.0
    assert r2_score(y, p) == pytest.approx(metrics.r2_score(y, p))
    assert paired_mean_test(np.zeros(4)) == 1.0
    assert paired_mean_test(np.ones(4)) == 0.0
    assert 0.5 < paired_mean_test(np.array([1.0, -1.1, 1.0, -1.0])) < 1.0


@pytest.mark.parametrize("size", [1e-100, 1e-39, 1.0, 1e100])
def test_units_of_any_size_are_kept_in_files(size, tmp_path):
    y = size * (1.0 + X[:, 0].astype(np.float64))
    net = network().fit(X, y, training=RECIPE)
    assert abs(net.predict(X) - y).mean() < 0.2 * size
    net.save(tmp_path / "net.npz")
    assert sn.SparseMLP.load(tmp_path / "net.npz").predict(X).tolist() == net.predict(X).tolist()


def test_large_whole_numbers_with_a_small_spread():
    y = 2**62 + (10_000 * X[:, 0]).astype(np.int64)
    assert network().fit(X, y, training=RECIPE).score(X, y) > 0.9


def test_numbers_without_a_square_are_refused(quick):
    with pytest.raises(ValueError, match=r"y must hold numbers of at most 1e\+150 in size"):
        network().fit(X, 1e150 * Y)
    with pytest.raises(ValueError, match=r"y must hold numbers of at most 1e\+150 in size"):
        network().fit(X, [10**400, *Y[1:]])
    with pytest.raises(ValueError, match="input_scaling must have a shift of one number or 2"):
        sn.SparseMLP((2, 1), input_scaling=([10**400, 1], 1.0))
    with pytest.raises(ValueError, match="different numbers of each output, more than 1e-150"):
        sn.smallest_network(X, 1e-170 * X[:, 0].astype(np.float64))


def test_rows_of_weight_0_scale_nothing():
    odd = X.copy()
    odd[0] = 1e6
    y, weight = Y.copy(), np.ones(len(Y))
    y[0], weight[0] = 1e12, 0.0
    net = network().fit(odd, y, weight, training=RECIPE)
    np.testing.assert_allclose(net.input_transform.shift, X[1:].mean(axis=0), atol=1e-5)
    assert net.score(X[1:], Y[1:]) > 0.98


# ---- the search


def test_few_fractions_are_numbers_too(quick):
    ratings = np.clip(np.round(X[:, 0].astype(np.float64)) / 2, -1.0, 1.0)
    assert sn.smallest_network(X, ratings).metric == "r2"
    assert sn.smallest_network(X, np.round(2 * ratings)).metric == "accuracy"
    assert sn.smallest_network(X, np.round(2 * ratings), as_numbers=True).metric == "r2"
    with pytest.raises(ValueError, match="is one of classes, but numbers are predicted"):
        sn.smallest_network(X, ratings, as_numbers=True, metric="accuracy")


def test_rows_that_judge_say_their_own_r2(quick):
    rng = np.random.default_rng(2)
    V = rng.normal(0.0, 0.1, (200, 4)).astype(np.float32)
    v = (5.0 + V[:, 0] + abs(V[:, 1])) * UNITS + UNITS * rng.normal(0.0, 0.5, 200)
    result = sn.smallest_network(X, NOISY, validation=(V, v))
    assert abs(result.expected.value - result.network.score(V, v)) < 0.1
    with pytest.raises(ValueError, match="validation y must have as many axes and outputs as y"):
        sn.smallest_network(X, NOISY, validation=(V, v[:, None]))


def test_a_constant_is_judged_by_its_weighted_median(quick):
    rng = np.random.default_rng(3)
    y = np.concatenate([rng.normal(0.0, 0.1, 180), rng.normal(100.0, 0.1, 120)])
    weight = np.concatenate([np.full(180, 0.01), np.ones(120)])
    with pytest.warns(UserWarning, match="No network that was tried has a better"):
        sn.smallest_network(X, y, weight, metric="neg_mean_absolute_error")


NOISY = Y + UNITS * np.random.default_rng(5).normal(0.0, 0.3, len(Y))


@pytest.mark.long
def test_the_smallest_network_of_numbers():
    result = sn.smallest_network(X, NOISY, max_drop=0.01)
    assert result.metric == "r2"
    assert result.network.used_inputs.tolist() == [0, 1]
    assert result.network.n_synapses < 30
    assert result.expected.low <= 0.95 <= result.expected.high + 0.03


@pytest.mark.parametrize("metric", ["neg_root_mean_squared_error", "neg_mean_absolute_error"])
def test_a_search_by_an_error(metric, quick):
    result = sn.smallest_network(X, NOISY, metric=metric, max_drop=0.1)
    errors = NOISY - result.network.predict(X)
    size = np.sqrt((errors**2).mean()) if "root" in metric else abs(errors).mean()
    expected = result.expected
    assert expected.low <= expected.value <= expected.high <= 0.0
    assert 0.8 < -expected.value / size < 1.5
    best = max(point.score for point in result.curve)
    assert result.chosen.score >= 1.15 * best
    assert result.record()["metric"] == metric


def test_a_search_with_a_metric_of_ones_own(quick):
    result = sn.smallest_network(
        X, BOTH, metric=lambda y, p: -np.abs((y - p) / BOTH.std(axis=0)).mean(), max_drop=0.05
    )
    assert result.network.predict(X).shape == BOTH.shape
    assert set(result.network.used_inputs.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_success(quick, seed):
    y = np.random.default_rng(seed).normal(size=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        remark = sn.smallest_network(X, y).remark
    assert "better than one that always says the same" in remark.replace(
        "a better r2 than", "better than"
    )


def test_what_a_search_refuses(quick):
    for y, options, message in (
        (np.full(300, 0.5), {"metric": "r2"}, "y must hold different numbers"),
        (Y, {"class_weight": "balanced"}, "class_weight does not apply"),
        (Y, {"metric": "accuracy"}, "y must hold ints, bools, strings or whole floats, got"),
        (BOTH, {"metric": "neg_root_mean_squared_error"}, "goes with one output"),
    ):
        with pytest.raises(ValueError, match=message):
            sn.smallest_network(X, y, **options)
