"""Metrics are scikit-learn's, ties and weights included; their standard errors are right."""

import itertools

import numpy as np
import pytest
import sklearn.metrics as reference
import synaprune as sn
from synaprune import metrics
from synaprune.resampling import Resampled, RowMeans


def rows(n_classes, n=300, seed=0, steps=None):
    """Truth, probabilities (with ties if they go in steps) and weights."""
    rng = np.random.default_rng([seed, n_classes])
    truth = rng.integers(0, n_classes, n).astype(np.int32)
    logits = rng.normal(size=(n, n_classes)) + 1.5 * np.eye(n_classes)[truth]
    if steps:
        logits = np.round(logits * steps) / steps
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    return truth, p, rng.integers(0, 4, n).astype(float)


def score(metric, truth, p, weights, folds=None):
    classes = np.arange(p.shape[1])
    judged = metrics.told(metric, p)
    return metrics.weighted_scores(metric, classes, truth, judged, weights, folds)


@pytest.mark.parametrize("steps", [None, 1, 3])
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_metrics_are_scikit_learns(n_classes, steps):
    truth, p, weights = rows(n_classes, steps=steps)
    said = p.argmax(axis=1)
    both = np.stack([np.ones(len(truth)), weights])
    for i, w in enumerate([None, weights]):
        macro = reference.f1_score(truth, said, average="macro", sample_weight=w)
        assert score("f1_macro", truth, p, both)[i] == pytest.approx(macro, abs=1e-12)
        if n_classes == 2:
            f1 = reference.f1_score(truth, said, sample_weight=w)
            assert score("f1", truth, p, both)[i] == pytest.approx(f1, abs=1e-12)
            auc = reference.roc_auc_score(truth, p[:, 1], sample_weight=w)
        elif w is None:
            auc = reference.roc_auc_score(truth, p, multi_class="ovr")
        else:  # which scikit-learn has without weights alone
            auc = np.mean([
                reference.roc_auc_score(truth == c, p[:, c], sample_weight=w)
                for c in range(n_classes)
            ])  # fmt: skip
        assert score("roc_auc", truth, p, both)[i] == pytest.approx(auc, abs=1e-12)
        values = metrics.row_values("neg_log_loss", truth, p)
        loss = -reference.log_loss(truth, p, sample_weight=w)
        assert np.average(values, weights=w) == pytest.approx(loss, abs=1e-12)


def test_certain_and_wrong_costs_what_it_does_in_scikit_learn():
    p = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32)
    truth = np.array([0, 0, 1], np.int32)
    mine = metrics.row_values("neg_log_loss", truth, p).mean()
    assert mine == pytest.approx(-reference.log_loss(truth, p), rel=1e-6)


def test_a_class_that_is_neither_there_nor_said_does_not_count():
    truth, p, _ = rows(3)
    p[:, 1] = 0.0
    weights = (truth != 1)[None].astype(float)
    left = truth != 1
    macro = reference.f1_score(truth[left], p[left].argmax(axis=1), average="macro")
    assert score("f1_macro", truth, p, weights)[0] == pytest.approx(macro, abs=1e-12)
    auc = score("roc_auc", truth, p, weights)[0]
    of_each = [
        reference.roc_auc_score(truth[left] == c, p[left, c])
        for c in (0, 2)
    ]  # fmt: skip
    assert auc == pytest.approx(np.mean(of_each), abs=1e-12)
    assert np.isnan(score("roc_auc", truth, p, (truth == 0)[None].astype(float))[0])
    two, q, _ = rows(2)
    q[:] = [1.0, 0.0]
    assert score("f1", two, q, (two == 0)[None].astype(float))[0] == 0.0


def test_the_area_within_folds_compares_rows_of_one_fold_alone():
    truth, p, weights = rows(2, n=60, steps=2)
    folds = np.arange(60) % 3
    won = pairs = 0.0
    for i, j in itertools.product(np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)):
        if folds[i] == folds[j]:
            pairs += weights[i] * weights[j]
            won += weights[i] * weights[j] * (0.5 + 0.5 * np.sign(p[i, 1] - p[j, 1]))
    assert score("roc_auc", truth, p, weights[None], folds)[0] == pytest.approx(won / pairs)
    shifted = p * 0.25 ** folds[:, None]  # networks of different levels
    assert score("roc_auc", truth, shifted, weights[None], folds)[0] == pytest.approx(won / pairs)
    assert score("roc_auc", truth, shifted, weights[None])[0] != pytest.approx(won / pairs)


def test_a_callable_gets_copies_of_rows_as_often_as_they_count():
    truth, p, weights = rows(3)
    seen = []

    def own(y, second):
        seen.append((len(y), second.shape, second.dtype.kind))
        result = float((y == (second.argmax(axis=1) if second.ndim == 2 else second)).mean())
        y[:] = second[:] = 0
        return result

    right = p.argmax(axis=1) == truth
    for metric in (own, sn.OnProbabilities(own)):
        both = score(metric, truth, p, np.stack([np.ones(len(truth)), weights]))
        assert both == pytest.approx([right.mean(), np.average(right, weights=weights)])
    n = int(weights.sum())
    assert seen == [
        (300, (300,), "i"), (n, (n,), "i"), (300, (300, 3), "f"), (n, (n, 3), "f"),
    ]  # fmt: skip


def test_what_takes_no_inputs_has_the_score_of_constants():
    truth = np.repeat([0, 1], [70, 30]).astype(np.int32)
    classes = np.array(["no", "yes"])

    def f1(y, said):
        return reference.f1_score(y, said, pos_label="yes")

    brier = sn.OnProbabilities(lambda y, p: -np.mean(((y == "yes") - p) ** 2))
    for metric, expected in [
        ("roc_auc", 0.5), ("f1", 0.6 / 1.3), (f1, 0.6 / 1.3), ("f1_macro", 0.7 / 1.7),
        (brier, -0.21),
    ]:  # fmt: skip
        assert metrics.of_one_class(metric, classes, truth) == pytest.approx(expected, abs=1e-6)
    means = RowMeans.of("neg_log_loss", np.zeros((1, 100)), truth)
    assert means.of_one_class == pytest.approx(0.7 * np.log(0.7) + 0.3 * np.log(0.3))


def two_networks(seed, n=400):
    """Probabilities of two networks that share a part of their errors."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], [n * 3 // 4, n // 4]).astype(np.int32)
    signal = 1.2 * truth + rng.normal(size=n)
    logits = np.stack([signal + 0.2 * rng.normal(size=n), signal + 0.7 * rng.normal(size=n)])
    p = (1.0 / (1.0 + np.exp(0.6 - logits))).astype(np.float32)
    return truth, p


@pytest.mark.parametrize("metric", ["roc_auc", "f1", "f1_macro"])
def test_the_standard_error_is_that_of_fresh_rows(metric):
    drops, errors = [], []
    for seed in range(120):
        truth, p = two_networks(seed)
        told = p if metric == "roc_auc" else (p > 0.5).astype(np.int32)
        folds = np.zeros((1, len(truth)), np.intp)
        scores = Resampled(metric, np.arange(2), truth, told[None], folds)
        drop, error = scores.drops(0)
        drops.append(drop[1])
        errors.append(error[1])
        assert error[0] == drop[0] == 0.0
    assert np.mean(errors) == pytest.approx(np.std(drops), rel=0.2)


def test_a_bootstrap_of_row_means_agrees_with_the_formula():
    truth, p = two_networks(0)
    right = (p > 0.5) == truth

    def accuracy(y, said):
        return float((y == said).mean())

    folds = np.zeros((1, len(truth)), np.intp)
    drawn = Resampled(accuracy, np.arange(2), truth, (p > 0.5).astype(np.int32)[None], folds)
    by_rows = RowMeans.of("accuracy", right.astype(float), truth)
    assert drawn.all() == pytest.approx(by_rows.all())
    assert drawn.drops(0)[0] == pytest.approx(by_rows.drops(0)[0])
    assert drawn.drops(0)[1][1] == pytest.approx(by_rows.drops(0)[1][1], rel=0.25)
    assert drawn.of_one_class == by_rows.of_one_class == 0.75


def test_repeats_count_alike():
    truth, p = two_networks(3)
    said = (p > 0.5).astype(np.int32)
    folds = np.zeros((2, len(truth)), np.intp)
    scores = Resampled("f1", np.arange(2), truth, said[:, None], folds)
    of_each = [reference.f1_score(truth, one) for one in said]
    assert scores.all() == pytest.approx([np.mean(of_each)])


def test_fewer_draws_where_they_take_long():
    def draws(metric, n, k):
        truth = (np.arange(n) % k).astype(np.int32)
        return Resampled(metric, np.arange(k), truth, truth[None, None], truth[None]).n_draws

    assert draws("roc_auc", 4000, 2) == draws("f1", 4000, 2) == draws("f1_macro", 600, 5) == 200
    assert draws("roc_auc", 4000, 26) == draws(max, 100, 2) == 50


def test_on_probabilities_takes_a_function():
    with pytest.raises(TypeError, match=r"^function must be a callable, got 'f1'$"):
        sn.OnProbabilities("f1")
