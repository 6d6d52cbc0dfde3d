"""The estimators of scikit-learn: its own checks, and what these leave out."""

import copy
import os
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn

pytest.importorskip("sklearn", exc_type=ImportError)
import joblib
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification, make_friedman1
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.utils.estimator_checks import check_estimator
from synaprune.sklearn import NetworkSelector, PrunedMLPClassifier, PrunedMLPRegressor, _halves

DOC = (Path(__file__).resolve().parents[2] / "docs" / "sklearn.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.long
QUICK = {"hidden_layer_sizes": 0, "max_updates": 60, "random_state": 0}
REASON = "mini-batches and folds of repeated rows are others than those of weighted rows"
EXPECTED = {
    f"check_sample_weight_equivalence_on_{kind}_data": REASON for kind in ("dense", "sparse")
}


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def fitted(iris):
    return PrunedMLPClassifier(hidden_layer_sizes=4, max_updates=500, random_state=0).fit(*iris)


@pytest.mark.parametrize(
    "estimator",
    [
        PrunedMLPClassifier(**QUICK),
        PrunedMLPRegressor(**QUICK),
        NetworkSelector(**QUICK),
        NetworkSelector(0.5, hidden_layer_sizes=4, max_updates=60, random_state=0),
        NetworkSelector(1, n_resamples=2, hidden_layer_sizes=4, max_updates=60, random_state=0),
    ],
)
def test_the_checks_of_scikit_learn_pass(estimator, monkeypatch):
    monkeypatch.setattr(sn.search._task, "_REPEATS", 1)  # of folds, in some hundred searches
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # among them that nothing was learned of random numbers
        check_estimator(estimator, expected_failed_checks=EXPECTED, on_skip=None)


def test_arrays_go_through_array_api_dispatch():
    code = (
        "from sklearn.utils.estimator_checks import check_array_api_input\n"
        "from synaprune.sklearn import NetworkSelector, PrunedMLPClassifier\n"
        f"for kind in (NetworkSelector, PrunedMLPClassifier):\n    estimator = kind(**{QUICK})\n"
        "    check_array_api_input(kind.__name__, estimator, array_namespace='numpy', "
        "expect_only_array_outputs=False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_examples_of_the_page_run(capsys):
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", DOC, re.M | re.S))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of folds that learn nothing in so few updates
        exec(compile(code, "docs/sklearn.md", "exec"), {})
    assert "synapses" not in capsys.readouterr().err


# ---- data of any kind


def test_equal_numbers_give_equal_networks_in_any_dtype_and_form():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 200, (60, 4)).astype(np.uint8)
    y = X[:, 0] > X[:, 1]
    kinds = [X, X.astype(np.int64), X.astype(np.float64), np.asfortranarray(X.astype(np.float32))]
    kinds += [scipy.sparse.csr_array(X.astype(np.float64)), scipy.sparse.csc_matrix(X)]
    before = [pickle.dumps(kind) for kind in kinds]
    fitted = [PrunedMLPClassifier(**QUICK).fit(kind, y) for kind in kinds]
    proba = [f.predict_proba(kind) for f in fitted for kind in kinds]
    assert all((p == proba[0]).all() for p in proba)
    assert [pickle.dumps(kind) for kind in kinds] == before


def test_a_sparse_x_is_dense_only_where_the_network_looks(monkeypatch):
    X = scipy.sparse.random_array((300, 40), density=0.3, rng=0, format="csr")
    y = X[:, [3]].toarray().ravel() > X[:, [5]].toarray().ravel()
    classifier = PrunedMLPClassifier(**QUICK).fit(X, y)
    expected = classifier.predict_proba(X.toarray())
    monkeypatch.setattr(sys.modules["synaprune.sklearn"], "_CELLS", 100)
    made = []
    toarray = scipy.sparse.csr_array.toarray
    monkeypatch.setattr(
        scipy.sparse.csr_array, "toarray", lambda self: made.append(self.shape) or toarray(self)
    )
    assert (classifier.predict_proba(X) == expected).all()
    assert {columns for _, columns in made} == {len(classifier.network_.used_inputs)}
    assert len(made) > 1


@pytest.mark.parametrize(
    "labels", [["a", "b", "c"], [1.0, 2.0, 5.0], [-1, 7, 9], np.array(["x", "y", "zz"], object)]
)
def test_labels_of_any_kind_come_back(iris, labels):
    y = np.asarray(labels)[iris[1]]
    weights = dict(zip(labels, (2.0, 1, 1), strict=True))
    classifier = PrunedMLPClassifier(**QUICK, class_weight=weights)
    assert set(classifier.fit(iris[0], y).predict(iris[0])) <= set(labels)
    assert classifier.predict(iris[0]).dtype == y.dtype
    assert classifier.classes_.tolist() == list(labels)


def test_names_are_those_of_the_frame(iris, fitted):
    X, _ = iris
    assert "feature_names_in_" in vars(fitted)
    assert fitted.feature_names_in_.tolist() == list(X.columns)
    assert fitted.network_.input_names == tuple(X.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(X[X.columns[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X.to_numpy())


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_selector_returns_frames(iris, library):
    frames = pytest.importorskip(library)
    X, y = iris
    selector = NetworkSelector(2, max_updates=100, random_state=0).set_output(transform=library)
    told = selector.fit_transform(X, y)
    assert isinstance(told, frames.DataFrame)
    kept = X.columns[selector.get_support()].tolist()
    assert list(told.columns) == kept == selector.get_feature_names_out().tolist()
    back = selector.inverse_transform(X[kept].to_numpy())
    assert (back[:, selector.support_] == X[kept].to_numpy()).all()
    assert (back[:, ~selector.support_] == 0).all()


# ---- what a fitted estimator tells


def test_coefficients_apply_to_x_as_it_is(iris, fitted):
    X = iris[0].to_numpy()
    (first, second), (b1, b2) = fitted.coefs_, fitted.intercepts_
    assert first.shape == (4, 4)
    assert np.count_nonzero(first) + np.count_nonzero(second) == fitted.n_synapses_
    logits = np.maximum(X @ first + b1, 0.0) @ second + b2
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(iris[0]), p, atol=1e-5)


def test_the_other_attributes(fitted):
    assert fitted.feature_importances_.sum() == pytest.approx(1.0)
    assert np.flatnonzero(fitted.feature_importances_).tolist() == (
        fitted.network_.used_inputs.tolist()
    )
    assert fitted.structure_ == fitted.network_.structure
    assert fitted.path_.smallest.n_synapses == fitted.n_synapses_
    assert fitted.n_iter_ == len(fitted.loss_curve_)
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    assert min(point.n_synapses for point in fitted.curve_) <= fitted.n_synapses_
    assert fitted.metric_ == "accuracy"


def test_the_drawing_shows_the_network_and_escapes_names(iris):
    X, y = iris
    named = X.rename(columns={X.columns[2]: "<b>long"})
    names = np.array(["<i>", "b", "c"])
    classifier = PrunedMLPClassifier(**QUICK)
    assert "<svg" not in classifier._repr_html_()
    classifier.fit(named, names[y])
    shown = classifier._repr_html_()
    assert "<svg" in classifier._repr_mimebundle_()["text/html"]
    svg = re.search(r"<svg.*</svg>", shown, re.S)[0]
    assert svg.count("<line") == classifier.n_synapses_
    assert "&lt;i&gt;" in svg
    assert "<i>" not in svg
    assert "<b>" not in svg


def test_a_missing_attribute_is_a_not_fitted_error():
    for name in ("coefs_", "intercepts_", "feature_importances_", "structure_", "n_synapses_"):
        with pytest.raises(NotFittedError):
            getattr(PrunedMLPClassifier(), name)
        assert not hasattr(PrunedMLPClassifier(), name)


def test_copies_are_equal(iris, fitted, tmp_path):
    X = iris[0]
    joblib.dump(fitted, tmp_path / "net.joblib")
    twins = [copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))]
    twins.append(joblib.load(tmp_path / "net.joblib"))
    for twin in twins:
        assert (twin.predict_proba(X) == fitted.predict_proba(X)).all()
        assert len(twin.path_) == len(fitted.path_)
    assert clone(fitted).get_params() == fitted.get_params()


def test_skops_keeps_them(iris, fitted):
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(fitted)
    twin = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    assert (twin.predict_proba(iris[0]) == fitted.predict_proba(iris[0])).all()


# ---- training


def test_threads_change_nothing_and_seeds_do(iris):
    first, same = (PrunedMLPClassifier(**QUICK, n_jobs=n).fit(*iris) for n in (None, 2))
    assert (first.predict_proba(iris[0]) == same.predict_proba(iris[0])).all()
    other = PrunedMLPClassifier(**QUICK | {"random_state": np.random.RandomState(5)}).fit(*iris)
    assert (first.predict_proba(iris[0]) != other.predict_proba(iris[0])).any()


def test_rows_of_weight_0_are_as_if_they_were_not_there(iris):
    X, y = iris[0].to_numpy(), iris[1].to_numpy()
    weights = np.ones(150)
    weights[::4] = 0.0
    kept = weights > 0
    weighted = PrunedMLPClassifier(**QUICK).fit(X, y, sample_weight=weights)
    removed = PrunedMLPClassifier(**QUICK).fit(X[kept], y[kept])
    np.testing.assert_allclose(weighted.predict_proba(X), removed.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1_macro", "roc_auc"])
def test_weights_move_the_decision(metric):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 1)), rng.integers(0, 2, 200)
    X[:, 0] += y
    weights = np.where(y == 1, 5.0, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = PrunedMLPClassifier(**QUICK, metric=metric).fit(X, y)
        weighted = PrunedMLPClassifier(**QUICK, metric=metric).fit(X, y, sample_weight=weights)
    assert plain.metric_ == weighted.metric_ == metric
    if metric != "balanced_accuracy":  # which weighs classes equally again
        assert weighted.predict(X).mean() > plain.predict(X).mean()


def test_warm_start_keeps_the_structure(iris):
    X, y = iris
    classifier = PrunedMLPClassifier(**QUICK, warm_start=True).fit(X, y)
    structure, before, curve = classifier.structure_, classifier.predict_proba(X), classifier.curve_
    assert classifier.fit(X[::2], y[::2]).structure_ == structure
    assert classifier.curve_ is curve
    assert (classifier.predict_proba(X) != before).any()
    assert classifier.n_iter_ == len(classifier.loss_curve_)
    with pytest.raises(ValueError, match="same classes as in the previous call"):
        classifier.fit(X[:100], y[:100])


def test_partial_fit_begins_with_a_full_network_and_goes_on_with_a_pruned_one(iris, fitted):
    X, y = iris
    classifier = PrunedMLPClassifier(hidden_layer_sizes=6, random_state=0)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier.partial_fit(X, y)
    for _ in range(40):
        classifier.partial_fit(X[50:], y[50:], classes=[2, 0, 1]).partial_fit(X[:50], y[:50])
    assert classifier.structure_ == "4-6-3"
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 80
    with pytest.raises(ValueError, match="is not the same as on last call"):
        classifier.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="not supported for partial_fit"):
        PrunedMLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    more = copy.deepcopy(fitted).partial_fit(X, y)
    assert more.structure_ == fitted.structure_
    assert more.n_iter_ == fitted.n_iter_ + 1


def test_rows_that_judge_replace_the_folds(iris):
    X, y = iris
    classifier = PrunedMLPClassifier(**QUICK)
    classifier.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert classifier.expected_.method.startswith("75 rows held out")
    with pytest.raises(ValueError, match="X_val is provided, but y_val was not provided"):
        classifier.fit(X, y, X_val=X)
    with pytest.raises(ValueError, match=r"y_val contains labels that y does not: \[2\]"):
        classifier.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.fit(X, y, X_val=X[X.columns[::-1]], y_val=y)


def test_a_limit_holds():
    X, y = make_classification(200, n_informative=6, random_state=0)
    classifier = PrunedMLPClassifier(**QUICK, max_synapses=3, max_drop=0.0).fit(X, y)
    assert 1 <= classifier.n_synapses_ <= 3


@pytest.mark.parametrize(("n", "expected"), [(1, 1), (7, 7), (20, 20), (0.25, 5), (0.01, 1)])
def test_a_selector_keeps_exactly_so_many(n, expected):
    X, y = make_classification(100, random_state=0)
    selector = NetworkSelector(n, max_updates=50, random_state=0).fit(X, y)
    assert selector.n_features_ == expected == selector.get_support().sum()
    assert selector.transform(scipy.sparse.csr_array(X)).shape == (100, expected)


# ---- groups and costs


@pytest.fixture(scope="module")
def grouped():
    """Two words of several columns each and two numbers; one of each kind counts."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, 4, (400, 2))
    X = np.column_stack([np.eye(4)[words[:, 0]], np.eye(4)[words[:, 1]], rng.normal(size=(400, 2))])
    y = np.isin(words[:, 0], [1, 2]) * 2.0 + X[:, 9] > 1.0
    return X, y, ["a"] * 4 + ["b"] * 4 + ["c", "d"]


def test_a_group_is_kept_or_dropped_as_a_whole(grouped):
    X, y, groups = grouped
    selector = NetworkSelector(2, groups=groups, max_updates=1000, random_state=0).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [0, 1, 2, 3, 9]
    assert selector.groups_.tolist() == groups
    assert selector.transform(X).shape == (400, 5)
    assert selector.set_params(groups=None).fit(X, y).n_features_ == 2
    assert not hasattr(selector, "groups_")


def test_groups_may_be_a_dict_of_names_and_positions(grouped):
    pandas = pytest.importorskip("pandas")
    X, y, groups = grouped
    frame = pandas.DataFrame(X, columns=[f"{g}{i}" for i, g in enumerate(groups)])
    named = {name: name[0] for name in frame if name[0] in "ab"}
    by_position = {i: groups[i] for i in range(8)}
    lists = [NetworkSelector(0.5, groups=groups, max_updates=300, random_state=0).fit(X, y)]
    for table, given in ((frame, named), (X, by_position), (frame, pandas.Series(groups))):
        lists.append(clone(lists[0]).set_params(groups=given).fit(table, y))
    assert len({selector.support_.tobytes() for selector in lists}) == 1
    assert lists[1].groups_.tolist() == ["a"] * 4 + ["b"] * 4 + ["c8", "d9"]
    assert lists[1].get_feature_names_out()[0] == "a0"


def test_a_search_keeps_whole_groups(grouped):
    X, y, groups = grouped
    alone = NetworkSelector(max_drop=0.05, **QUICK).fit(X, y)
    whole = clone(alone).set_params(groups=groups).fit(X, y)
    kept = {groups[i] for i in alone.get_support(indices=True)}
    assert [groups[i] in kept for i in range(10)] == whole.support_.tolist()
    assert alone.network_.used_inputs.tolist() == whole.network_.used_inputs.tolist()


def test_the_cheap_one_of_two_equal_columns_is_kept():
    X = np.random.default_rng(0).normal(size=(300, 4))
    y, X[:, 3] = X[:, 0] + X[:, 1] > 0, X[:, 0]
    for cheap, dear in ((0, 3), (3, 0)):
        costs = np.ones(4)
        costs[dear] = 2.0
        selector = NetworkSelector(2, costs=costs, max_updates=600, random_state=0).fit(X, y)
        assert selector.get_support(indices=True).tolist() == sorted([1, cheap])


def test_a_cost_is_kept(grouped):
    X, y, groups = grouped
    prices = {"a": 3.0, "b": 3.0, "c": 1.0, "d": 1.0}
    for most, kept in ((4.0, "ad"), (2.0, "cd"), (1.5, "d")):
        selector = NetworkSelector(
            groups=groups, costs=prices, max_cost=most, max_updates=600, random_state=0
        ).fit(X, y)
        assert set(selector.groups_[selector.support_]) == set(kept)
    listed = clone(selector).set_params(costs=[prices[g] for g in groups]).fit(X, y)
    assert (listed.support_ == selector.support_).all()
    both = clone(selector).set_params(n_features_to_select=1, max_cost=4.0).fit(X, y)
    assert set(both.groups_[both.support_]) == {"d"}


def test_parameters_survive_copies(grouped):
    X, y, groups = grouped
    selector = NetworkSelector(
        1, groups=np.array(groups), costs=dict.fromkeys("abcd", 2.0), n_resamples=2, max_updates=60
    )
    again = pickle.loads(pickle.dumps(clone(selector).fit(X, y)))
    assert again.groups.tolist() == groups
    assert clone(again).get_params()["costs"] == selector.costs
    assert again.transform(X).shape[1] == again.n_features_


# ---- stability


@pytest.fixture(scope="module")
def friedman():
    return make_friedman1(300, n_features=10, noise=1.0, random_state=0)


def test_frequencies_separate_what_counts(friedman):
    """Friedman's first function is of the first five of ten inputs."""
    selector = NetworkSelector(5, n_resamples=20, max_updates=600, random_state=0).fit(*friedman)
    assert selector.frequencies_[:5].min() > selector.frequencies_[5:].max() + 0.5
    assert selector.get_support(indices=True).tolist() == [0, 1, 2, 3, 4]
    assert selector.frequencies_.sum() == pytest.approx(5.0)
    assert selector.pfer_bound_ == pytest.approx(25 / (0.2 * 10))
    assert selector.network_.used_inputs.tolist() == [0, 1, 2, 3, 4]
    assert selector.network_.score(*friedman) > 0.5


def test_neither_threads_nor_a_second_fit_change_anything(friedman):
    fits = [
        NetworkSelector(
            3, n_resamples=6, threshold=0.5, max_updates=100, random_state=seed, n_jobs=n
        ).fit(*friedman)
        for seed, n in [
            (0, 1),
            (0, 2),
            (np.random.RandomState(3), 2),
            (np.random.RandomState(3), 1),
        ]
    ]
    for a, b in (fits[:2], fits[2:]):
        assert a.frequencies_.tobytes() == b.frequencies_.tobytes()
        assert (
            a.network_.predict(friedman[0]).tobytes() == b.network_.predict(friedman[0]).tobytes()
        )
    assert fits[0].pfer_bound_ == np.inf
    with joblib.parallel_config("loky", n_jobs=2):  # halves stay in threads
        again = clone(fits[0]).set_params(n_jobs=None).fit(*friedman)
    assert again.frequencies_.tobytes() == fits[0].frequencies_.tobytes()
    again.set_params(n_resamples=None, threshold=0.6).fit(*friedman)
    assert not hasattr(again, "frequencies_")


def test_halves_are_complementary_and_stratified():
    y = np.array(["b", "a", "b", "c"] * 9 + ["a"])
    halves = list(_halves(y, len(y), 6, np.random.default_rng(0)))
    assert len({half.tobytes() for half in halves}) == 6
    for one, other in zip(halves[::2], halves[1::2], strict=True):
        assert sorted([*one, *other]) == list(range(len(y)))
        for label in "abc":
            counts = [np.count_nonzero(y[half] == label) for half in (one, other)]
            assert abs(counts[0] - counts[1]) <= 1
    one, other = _halves(None, 7, 2, np.random.default_rng(0))
    assert (len(one), len(other)) == (4, 3)


def test_groups_and_weights_are_resampled_too(grouped):
    X, y, groups = grouped
    weights = np.ones(len(y))
    weights[::7] = 0.0
    selector = NetworkSelector(2, groups=groups, n_resamples=6, max_updates=300, random_state=0)
    selector.fit(X, y, weights)
    assert selector.frequencies_[[0, 9]].tolist() == [1.0, 1.0]
    assert len(set(selector.frequencies_[4:8])) == 1
    assert selector.pfer_bound_ == pytest.approx(2**2 / (0.2 * 4))
    counted = clone(selector).fit(X[weights > 0], y[weights > 0])
    assert counted.frequencies_.tobytes() == selector.frequencies_.tobytes()


def test_nothing_may_be_stable():
    X = np.random.default_rng(0).normal(size=(60, 30))
    y = np.arange(60) % 2
    selector = NetworkSelector(1, n_resamples=4, threshold=1.0, max_updates=50, random_state=0)
    assert selector.fit(X, y).n_features_ == 0
    assert selector.network_.n_synapses == 0
    with pytest.warns(UserWarning, match="No features were selected"):
        assert selector.transform(X).shape == (60, 0)


# ---- errors


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.linspace(0.0, 1.0, 150), "Unknown label type: .*PrunedMLPRegressor takes numbers"),
        (np.zeros(150, int), "at least two classes"),
        (np.full(150, np.nan), "contains NaN"),
        (None, "requires y to be passed"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(iris, y, message):
    estimators = [PrunedMLPClassifier(), NetworkSelector(), NetworkSelector(2)]
    for estimator in estimators[:1] if "Unknown" in message else estimators:
        with pytest.raises(ValueError, match=f"(?s){message}"):
            estimator.fit(iris[0].to_numpy(), y)


def test_a_column_as_target_warns(iris):
    with pytest.warns(DataConversionWarning):
        PrunedMLPClassifier(**QUICK).fit(iris[0], iris[1].to_numpy()[:, None])


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        ({"max_drop": 2.0}, ValueError, "max_drop"),
        ({"metric": "auc"}, ValueError, "metric must be one of"),
        ({"max_updates": 0}, ValueError, "max_updates"),
        ({"max_synapses": 1.5}, TypeError, "max_synapses"),
        ({"hidden_layer_sizes": (3, 0)}, ValueError, "each of hidden_layer_sizes"),
        ({"hidden_layer_sizes": "3"}, TypeError, "hidden_layer_sizes"),
        ({"class_weight": "even"}, ValueError, "class_weight"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(iris, parameters, kind, message):
    with pytest.raises(kind, match=message):
        PrunedMLPClassifier(**parameters).fit(*iris)


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({"n_features_to_select": 5}, ValueError),
        ({"n_features_to_select": 1.5}, ValueError),
        ({"n_features_to_select": "all"}, TypeError),
        ({"n_features_to_select": 2, "max_drop": 0.1}, ValueError),
        ({"n_features_to_select": 2, "metric": "f1_macro"}, ValueError),
    ],
)
def test_a_selection_that_does_not_fit_is_refused(iris, parameters, kind):
    with pytest.raises(kind, match=r"n_features_to_select"):
        NetworkSelector(**parameters).fit(*iris)


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        ({"costs": [1, 1, 1, 1]}, ValueError, "costs apply only with n_features_to_select or max_"),
        ({"max_cost": 1.0}, ValueError, "max_cost needs costs, got max_cost=1.0 alone"),
        ({"max_cost": 0.5, "costs": [1, 1, 1, 1]}, ValueError, "max_cost must be at least 1, the"),
        ({"max_cost": "1", "costs": [1, 1, 1, 1]}, TypeError, "max_cost must be a number"),
        ({"max_cost": 1, "costs": [1, 1, 1, 1], "max_drop": 0.1}, ValueError,
         "max_drop and metric do not apply if max_cost is given"),
        ({"threshold": 0.9}, ValueError, "threshold applies only with n_resamples, got thresho"),
        ({"n_resamples": 3}, ValueError, "n_resamples must be even, as .*, got 3"),
        ({"n_resamples": 0}, ValueError, "n_resamples must be from 2"),
        ({"n_resamples": 2.0}, TypeError, "n_resamples must be an int"),
        ({"n_resamples": 2, "threshold": 1.5}, ValueError, "threshold must be"),
        ({"groups": [0, 0]}, ValueError, "groups must have an entry for each of the 4 inputs, got"),
        ({"groups": {"leaf": 0}}, ValueError, "groups: X has no column 'leaf'"),
        ({"groups": 3}, TypeError, "groups must be a sequence"),
        ({"groups": np.eye(4), "costs": {}, "max_cost": 1}, ValueError, "groups must hold a label"),
        ({"groups": [0, 0, 1, 1], "n_features_to_select": 3}, ValueError,
         "n_features_to_select must be from 1 to 2, got 3"),
        ({"costs": {"leaf": 1}, "n_features_to_select": 3}, ValueError,
         r"costs: no cost of column 'sepal length \(cm\)'"),
        ({"costs": {0: 1, 1: 2, 2: 3}, "groups": [0, 0, 1, 1], "n_features_to_select": 1},
         ValueError, "costs: X has no group '2'"),
        ({"costs": [1, 2, 3, 3], "groups": [0, 0, 1, 1], "n_features_to_select": 1}, ValueError,
         "costs must be equal within a group"),
        ({"costs": [1, 2, 3, -1], "n_features_to_select": 1}, ValueError, "each of costs must be"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(iris, monkeypatch, parameters, kind, message):
    monkeypatch.setattr(sn.SparseMLP, "fit", None)  # before any training
    with pytest.raises(kind, match=message):
        NetworkSelector(**parameters).fit(*iris)


def test_halves_need_enough_rows(iris):
    X, y = (part.to_numpy() for part in iris)
    for parameters, rows, message in [
        ({}, slice(48, 56), "n_resamples needs 10 rows or more, 5 in each half, got n_samples = 8"),
        ({}, slice(47, 62), "n_resamples needs two classes of 4 rows or more"),
        ({"n_features_to_select": 1}, slice(49, 60), "n_resamples needs two classes of 2 rows"),
    ]:
        with pytest.raises(ValueError, match=message):
            NetworkSelector(n_resamples=2, **parameters).fit(X[rows], y[rows])
    with pytest.raises(ValueError, match="X_val and y_val do not apply if n_resamples is given"):
        NetworkSelector(n_resamples=2).fit(X, y, X_val=X, y_val=y)


def test_weights_that_do_not_fit_are_refused(iris):
    for weights, message in [
        (np.ones(3), "sample_weight.shape"),
        (-np.ones(150), "Negative values"),
        (np.full(150, np.inf), "infinity"),
    ]:
        with pytest.raises(ValueError, match=message):
            PrunedMLPClassifier(**QUICK).fit(*iris, sample_weight=weights)


def test_a_missing_scikit_learn_is_named():
    code = (
        "import sys; sys.modules['sklearn'] = None\nimport synaprune\n"
        "try:\n    import synaprune.sklearn\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert 'pip install "synaprune[sklearn]"' in done.stdout, done.stderr


# ---- what was added to smallest_network for them


def test_candidates_and_validation_are_checked_before_any_training(iris):
    X, y = (part.to_numpy() for part in iris)

    def refused(kind, message, **options):
        with pytest.raises(kind, match=message):
            sn.smallest_network(X, y, **options)

    refused(TypeError, "candidates must hold Candidate", candidates=[1])
    refused(ValueError, "at least one Candidate", candidates=[])
    refused(TypeError, r"validation must be \(X, y\)", validation=X)
    refused(ValueError, "validation X must have 4 columns", validation=(X[:, :3], y))
    refused(ValueError, "validation y holds the label 5", validation=(X, np.full(150, 5)))
    refused(ValueError, "max_synapses", max_synapses=0)
    refused(
        ValueError, "sample_weight does not go with a callable", sample_weight=np.ones(150),
        metric=lambda a, b: 0.0,
    )  # fmt: skip


# ---- numbers


@pytest.fixture(scope="module")
def curved():
    X = np.random.default_rng(0).normal(size=(300, 4))
    return X, 100.0 + 10.0 * abs(X[:, 1])


@pytest.fixture(scope="module")
def regressor(curved):
    regressor = PrunedMLPRegressor(hidden_layer_sizes=8, max_updates=2000, random_state=0)
    return regressor.fit(*curved)


def test_numbers_are_predicted_in_their_units(regressor, curved):
    X, y = curved
    assert regressor.score(X, y) > 0.95
    assert regressor.metric_ == "r2"
    assert regressor.feature_importances_[1] > 0.9
    X = scipy.sparse.csr_array(X)
    np.testing.assert_allclose(regressor.predict(X), regressor.predict(curved[0]), rtol=1e-6)
    hidden = np.maximum(0.0, curved[0] @ regressor.coefs_[0] + regressor.intercepts_[0])
    outputs = (hidden @ regressor.coefs_[1] + regressor.intercepts_[1])[:, 0]
    np.testing.assert_allclose(
        outputs * y.std() + y.mean(), regressor.predict(curved[0]), rtol=1e-4
    )
    assert "<svg" in regressor._repr_html_()
    again = pickle.loads(pickle.dumps(regressor))
    assert again.predict(curved[0]).tobytes() == regressor.predict(curved[0]).tobytes()


def test_several_numbers_and_rows_that_judge(curved):
    X, y = curved
    both = np.column_stack([y, X[:, 2]])
    regressor = PrunedMLPRegressor(hidden_layer_sizes=8, max_updates=1500, random_state=0)
    regressor.fit(X[:200], both[:200], X_val=X[200:], y_val=both[200:])
    assert regressor.predict(X).shape == both.shape
    assert regressor.score(X[200:], both[200:]) > 0.8
    assert "100 rows held out" in regressor.expected_.method


def test_a_regressor_goes_on(regressor, curved):
    X, y = curved
    warm = copy.deepcopy(regressor).set_params(warm_start=True).fit(X, y)
    assert warm.structure_ == regressor.structure_
    assert warm.score(X, y) > 0.95
    passes = copy.deepcopy(regressor).partial_fit(X, y)
    assert passes.n_iter_ == regressor.n_iter_ + 1
    with pytest.raises(ValueError, match=r"as many outputs as in the previous call .*, 1, got 2"):
        warm.fit(X, np.column_stack([y, y]))


def test_an_error_may_be_the_metric(curved):
    regressor = PrunedMLPRegressor(
        metric="neg_mean_absolute_error", max_drop=0.1, hidden_layer_sizes=4, max_updates=300,
        random_state=0,
    ).fit(*curved)  # fmt: skip
    assert regressor.expected_.value < 0.0
    with pytest.raises(ValueError, match="is one of classes, but numbers are predicted"):
        PrunedMLPRegressor(metric="accuracy").fit(*curved)


@pytest.mark.parametrize("n", [None, 1])
def test_inputs_are_selected_for_numbers(curved, n):
    X, y = curved
    noisy = y + np.random.default_rng(1).normal(size=len(y))
    selector = NetworkSelector(n, hidden_layer_sizes=20, max_updates=3000, random_state=0)
    assert selector.fit(X, noisy).get_support(indices=True).tolist() == [1]
    with pytest.raises(ValueError, match="class_weight does not apply"):
        selector.set_params(class_weight="balanced").fit(*curved)


def test_a_metric_of_the_other_kind_is_refused(curved):
    X, y = curved
    with pytest.raises(ValueError, match="is one of numbers, but classes are predicted"):
        PrunedMLPClassifier(metric="r2").fit(X, y > 105.0)
    worst = PrunedMLPRegressor(metric=lambda y, p: -float(abs(y - p).max()), **QUICK)
    assert worst.fit(X, np.round(y)).network_.is_regression  # whole numbers are numbers here


@pytest.mark.parametrize("seed", range(3))
def test_noise_that_is_learned_by_heart_is_not_selected(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 6))
    y = X[:, 0] + X[:, 1] + 0.5 * rng.normal(size=400) > 0
    selector = NetworkSelector(2, max_updates=1000, random_state=seed).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [0, 1]


@pytest.mark.parametrize("seed", [0, 2])
def test_rare_values_do_not_make_the_selection_diverge(seed, monkeypatch):
    """This used to be trained twice, the second time at a quarter of the learning rate."""
    rates = []
    train = NetworkSelector._trained
    monkeypatch.setattr(
        NetworkSelector, "_trained", lambda self, lr, *a: rates.append(lr) or train(self, lr, *a)
    )
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((1000, 300)) < 0.002, rng.exponential(50, (1000, 300)), 0)
    X[:, :3] = rng.normal(size=(1000, 3))
    y = X[:, :3].sum(axis=1) + 0.5 * rng.normal(size=1000)
    selector = NetworkSelector(3, max_updates=1000, random_state=seed).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [0, 1, 2]
    assert rates == [0.05]


def test_rows_of_weight_0_have_no_class():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y, weight = np.arange(60) % 3, np.ones(60)
    weight[y == 2] = 0.0
    selector = NetworkSelector(2, max_updates=50, random_state=0).fit(X, y, weight)
    assert selector.classes_.tolist() == [0, 1]
