"""The accuracy contract of `prune`: with confidence, with other metrics, and on which samples."""

import dataclasses
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics
import synaprune as sn
from synaprune.io import read_model, write_model
from synaprune.job import Job
from synaprune.pruning import Goal
from synaprune.stats import accuracy_lower_bound, drop_upper_bound

RECIPE = sn.Training(batch_size=16, optimizer=sn.SGD(0.1))
QUICK = {"strategy": sn.Iterative(4, n_candidates=3, search_budget=0), "training": RECIPE}


@pytest.fixture(scope="module")
def large():
    """Make (network, X, y, validation); three overlapping classes, 900 samples to judge by."""
    rng = np.random.default_rng(11)
    centres = rng.normal(0.0, 1.3, (3, 5))
    y = rng.permutation(np.arange(1200) % 3)
    X = (centres[y] + rng.normal(0.0, 1.0, (1200, 5))).astype(np.float32)
    net = sn.SparseMLP((5, 8, 3), init_scale=1.0, seed=1)
    net.fit(X[:300], y[:300], training=sn.Training(40, batch_size=16, optimizer=sn.SGD(0.1)))
    return lambda: (net.copy(), X[:300], y[:300], (X[300:], y[300:]))


def right(net, validation):
    X, y = validation
    return net.predict(X) == y


# --- confidence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.6, 0.9, 0.99])
def test_the_drops_upper_bound_is_kept_in_every_step(confidence, large):
    net, X, y, validation = large()
    options = {"validation": validation, "max_drop": 0.03, **QUICK}
    path = sn.prune(net, X, y, confidence=confidence, **options)
    before = right(net, validation)
    assert len(path) > 2
    for i, step in enumerate(path):
        now = right(path.network(i), validation)
        lost, won = int((before & ~now).sum()), int((now & ~before).sum())
        assert step.bound == drop_upper_bound(lost, won, 900, confidence)
        assert step.bound <= 0.03
        assert before.mean() - now.mean() <= 0.03
    assert path.stop_reason == "no synapse is left" or path.stop_reason.endswith(
        f"or the upper bound of its drop exceed 0.0300, at confidence {confidence:g}"
    )


@pytest.mark.parametrize("confidence", [0.6, 0.99])
def test_the_accuracys_lower_bound_is_kept_in_every_step(confidence, large):
    net, X, y, validation = large()
    least = right(net, validation).mean() - 0.05
    path = sn.prune(
        net, X, y, validation=validation, min_score=least, confidence=confidence, **QUICK
    )
    assert len(path) > 2
    for i, step in enumerate(path):
        n_right = int(right(path.network(i), validation).sum())
        assert step.bound == accuracy_lower_bound(n_right, 900, confidence) >= least
    assert path.stop_reason.endswith(f"or its lower bound would, at confidence {confidence:g}")


def test_confidence_rejects_what_passes_by_the_figures_alone(large):
    """Each cut leaves an accuracy within the contract; only the bound can refuse it."""
    net, X, y, validation = large()
    options = {"validation": validation, "max_drop": 0.03, **QUICK}
    without = sn.prune(net, X, y, **options)
    before = right(net, validation)
    bounds = []
    for i in range(len(without)):
        now = right(without.network(i), validation)
        lost, won = int((before & ~now).sum()), int((now & ~before).sum())
        bounds.append(drop_upper_bound(lost, won, 900, 0.99))
    assert max(bounds) > 0.03  # so that it matters
    assert all(step.bound is None for step in without)
    surer = sn.prune(net, X, y, confidence=0.99, **options)
    assert surer.smallest.n_synapses > without.smallest.n_synapses


def test_bound_stands_in_table_json_and_files(large, tmp_path):
    net, X, y, validation = large()
    path = sn.prune(net, X, y, validation=validation, max_drop=0.03, confidence=0.9, **QUICK)
    head, *lines = path.table().splitlines()
    assert head.split()[-2:] == ["p", "bound"]
    assert len({len(line) for line in (head, *lines)}) == 1
    path.save(tmp_path / "path.npz")
    loaded = sn.PruningPath.load(tmp_path / "path.npz")
    for line, step, other in zip(lines, path, loaded, strict=True):
        assert line.split()[-1] == f"{step.bound:.4f}"
        assert step.record()["bound"] == step.bound == other.bound
    header, arrays = read_model(tmp_path / "path.npz")
    for record in header["path"]:
        del record["bound"]
    write_model(tmp_path / "old.npz", header, arrays)  # as the first version wrote them
    old = sn.PruningPath.load(tmp_path / "old.npz")
    assert {step.bound for step in old} == {None}
    assert old.table() == "\n".join(line[:-8] for line in path.table().splitlines())


def test_too_few_samples_for_the_confidence(data, trained):
    X, y = data
    X, y = X[:50], y[:50]
    message = (
        r"^max_drop=0\.005 with confidence=0\.95 needs more validation samples, at least 539: "
        r"with 50, the upper bound of the drop is 0\.0513 even where no answer changes$"
    )
    with pytest.raises(ValueError, match=message):
        sn.prune(trained(), *data, validation=(X, y), confidence=0.95)
    with pytest.raises(ValueError, match=r"^max_drop=0 with .* needs more validation samples: "):
        sn.prune(trained(), *data, validation=(X, y), max_drop=0, confidence=0.95)
    message = (
        r"^the network has validation accuracy 1\.0000, but its lower bound at confidence=0\.95 is "
        r"0\.9418 on 50 samples, below min_score 0\.9500; train it further first, validate on"
    )
    with pytest.raises(ValueError, match=message):
        sn.prune(trained(), *data, validation=(X, y), min_score=0.95, confidence=0.95)


def test_the_samples_that_are_said_to_be_enough_are(data, trained):
    X, y = (np.resize(a, (n, *a.shape[1:])) for a, n in zip(data, (539, 539), strict=True))
    path = sn.prune(trained(), *data, validation=(X, y), confidence=0.95, **QUICK)
    assert path.steps[0].bound <= 0.005
    with pytest.raises(ValueError, match="at least 539: with 538"):
        sn.prune(trained(), *data, validation=(X[:538], y[:538]), confidence=0.95, **QUICK)


WRONG = [
    ({"confidence": 0.0}, ValueError, r"^confidence must be finite and in \(0\.0, 1\.0\], got 0"),
    ({"confidence": 1.0}, ValueError, r"^confidence must be below 1, got 1\.0$"),
    ({"confidence": 95}, ValueError, r"^confidence must be .*, got 95"),
    ({"confidence": math.nan}, ValueError, r"^confidence must be .*, got nan"),
    ({"confidence": "0.9"}, TypeError, r"^confidence must be a number, got '0\.9'$"),
    ({"confidence": True}, TypeError, r"^confidence must be a number, got True$"),
    ({"confidence": 0.9, "n_synapses": 9}, ValueError, r"min_score, got n_synapses=9$"),
    ({"confidence": 0.9, "metric": "balanced_accuracy"}, ValueError,
     r"^confidence goes with metric 'accuracy' alone, got 'balanced_accuracy'$"),
    ({"confidence": 0.9, "metric": max}, ValueError, r"alone, got 'max'$"),
    ({"metric": "auc"}, ValueError,
     r"^metric must be one of accuracy, .*, neg_log_loss, .* or a callable, got 'auc'$"),
    ({"metric": "roc_auc", "max_drop": 2.0}, ValueError, r"^max_drop must be .*, got 2"),
    ({"metric": "neg_log_loss", "min_score": 0.1}, ValueError, r"^min_score must be .*, got 0.1"),
    ({"metric": 0.5}, TypeError, r"^metric must be a name or a callable, got 0.5$"),
    ({"metric": ["accuracy"]}, TypeError, r"^metric must be a name or a callable, got \["),
    ({"metric": lambda t, p: math.nan}, ValueError, r"^metric must return a finite .* got nan"),
    ({"metric": lambda t, p: -math.inf}, ValueError, r"^metric must return a finite .* got -inf"),
    ({"metric": lambda t, p: None}, TypeError, r"^metric must return a number, got None from"),
    ({"metric": lambda t, p: "0.9"}, TypeError, r"^metric must return a number, got '0\.9' from"),
    ({"metric": lambda t, p: True}, TypeError, r"^metric must return a number, got True from"),
    ({"metric": lambda t, p: np.ones(2)}, TypeError, r"^metric must return a number, got array"),
    ({"metric": lambda t: 0.9}, TypeError, r"positional argument"),
    ({"metric": max, "max_drop": -1.0}, ValueError, r"^max_drop must be .*, got -1"),
    ({"metric": max, "min_score": math.inf}, ValueError, r"^min_score must be .*, got inf"),
    ({"metric": "balanced_accuracy", "max_drop": 2.0}, ValueError, r"^max_drop must be .*, got 2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [pytest.param(*fault, id=f"{'+'.join(fault[0])}-{i}") for i, fault in enumerate(WRONG)],
)
def test_wrong_arguments_are_named(wrong, error, message, data, trained, bits):
    net = trained()
    before = bits(net)
    with pytest.raises(error, match=message):
        sn.prune(net, *data, **{"validation": data, **wrong})
    assert bits(net) == before


# --- one pass a network -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"max_drop": 0.03, "confidence": 0.9, **QUICK},
        {"n_synapses": 12, "training": replace(RECIPE, epochs=10)},
    ],
    ids=["iterative", "gradual"],
)
@pytest.mark.parametrize("watches", [True, False])
def test_every_network_is_judged_by_one_pass(options, watches, large):
    # An accepted network used to pass over the validation split three times.
    net, X, y, validation = large()
    kind = sn.Gradual if "n_synapses" in options else sn.Iterative
    judged = []

    class Watched(kind):
        def run(self, session):
            judge = session.judge

            def once():
                judged.append([w.values.tobytes() for w in session.net.weights])
                return judge()

            session.judge = once
            return super().run(session)

    fields = vars(options.get("strategy", sn.Gradual()))
    told = []
    path = sn.prune(
        net, X, y, validation=validation, callback=told.append if watches else None,
        **{**options, "strategy": Watched(**fields)},
    )  # fmt: skip
    assert len(path) > 2
    assert all(one != other for one, other in itertools.pairwise(judged))
    if watches and kind is sn.Gradual:  # one an epoch, and each cut before and after
        assert len(judged) <= 10 + len(path) - 1


# --- metrics ------------------------------------------------------------------------------------


def balanced(truth, predicted):
    return float(np.mean([(predicted[truth == c] == c).mean() for c in np.unique(truth)]))


@pytest.fixture(scope="module")
def lopsided():
    """Make (network, X, labels, validation): of 700 samples to judge by, 20 are "rare"."""
    rng = np.random.default_rng(3)
    y = rng.permutation(np.repeat([0, 1, 2], [470, 500, 30]))
    X = (rng.normal(0.0, 1.2, (3, 5))[y] + rng.normal(0.0, 0.8, (1000, 5))).astype(np.float32)
    labels = np.array(["a", "b", "rare"])[y]
    net = sn.SparseMLP((5, 8, 3), init_scale=1.0, seed=1)
    net.fit(X[:300], labels[:300], training=sn.Training(60, batch_size=16, optimizer=sn.SGD(0.1)))
    return lambda: (net.copy(), X[:300], labels[:300], (X[300:], labels[300:]))


TARGETS = [
    {"max_drop": 0.03, **QUICK},
    {"min_score": 0.6, **QUICK},
    {"n_synapses": 12, "training": replace(RECIPE, epochs=10)},
]
targets = pytest.mark.parametrize("target", TARGETS, ids=lambda target: next(iter(target)))


@targets
def test_balanced_accuracy_is_what_the_path_keeps(target, lopsided):
    net, X, y, validation = lopsided()
    told = []
    path = sn.prune(
        net, X, y, validation=validation, metric="balanced_accuracy", callback=told.append,
        **target,
    )  # fmt: skip
    full = balanced(validation[1], net.predict(validation[0]))
    least = target.get("min_score", full - target["max_drop"] if "max_drop" in target else 0.0)
    assert len(path) > 2
    for i, step in enumerate(path):
        now = balanced(validation[1], path.network(i).predict(validation[0]))
        assert step.score == pytest.approx(now, abs=1e-12)
        assert step.score >= least - 1e-9
        assert step.bound is None
    assert [p.score for p in told if p.stage == "accepted"] == [s.score for s in path]
    if "n_synapses" not in target:
        assert path.stop_reason.startswith(
            "no cut survives: validation balanced accuracy would fall"
        )


@targets
def test_a_callable_gets_labels_and_decides_as_the_name_does(target, lopsided, bits):
    net, X, y, validation = lopsided()
    seen = []

    def metric(truth, predicted):
        assert (truth == validation[1]).all()
        assert set(predicted) <= {"a", "b", "rare"}
        result = balanced(truth, predicted)
        seen.append(result)
        truth[:] = predicted[:] = "a"  # ours to spoil
        return np.float64(result)

    options = {"validation": validation, **target}
    mine = sn.prune(net, X, y, metric=metric, **options)
    named = sn.prune(net, X, y, metric="balanced_accuracy", **options)
    assert len(seen) > len(mine) > 2
    assert bits(mine.smallest) == bits(named.smallest)
    assert mine.to_json() == named.to_json()


def test_balanced_accuracy_leaves_out_classes_that_no_sample_has(lopsided):
    net, X, y, (Xv, yv) = lopsided()
    two = yv != "rare"
    path = sn.prune(
        net, X, y, validation=(Xv[two], yv[two]), metric="balanced_accuracy", n_synapses=64,
        training=sn.Training(2),
    )  # fmt: skip
    assert path.steps[0].score == pytest.approx(balanced(yv[two], path.smallest.predict(Xv[two])))


def f1(truth, predicted):
    return sklearn.metrics.f1_score(truth, predicted, average="macro")


def auc(truth, proba):
    return sklearn.metrics.roc_auc_score(truth, proba, multi_class="ovr")


def log_loss(truth, proba):
    likely = proba[np.arange(len(truth)), np.searchsorted(["a", "b", "rare"], truth)]
    return float(np.log(likely).mean())


@pytest.mark.parametrize(
    ("name", "own", "max_drop"),
    [
        ("f1_macro", f1, 0.03),
        ("roc_auc", sn.OnProbabilities(auc), 0.03),
        ("neg_log_loss", sn.OnProbabilities(log_loss), 0.1),
    ],
)
def test_names_are_scikit_learns_metrics(name, own, max_drop, lopsided, bits):
    net, X, y, validation = lopsided()
    options = {"validation": validation, "max_drop": max_drop, **QUICK}
    named = sn.prune(net, X, y, metric=name, **options)
    mine = sn.prune(net, X, y, metric=own, **options)
    assert len(named) > 2
    assert bits(named.smallest) == bits(mine.smallest)
    told = [pytest.approx(step.score, abs=1e-6) for step in mine]
    assert [step.score for step in named] == told
    assert min(step.score for step in named) >= named.steps[0].score - max_drop - 1e-9


def test_a_metric_that_does_not_fit_the_classes_is_told(lopsided):
    net, X, y, (Xv, yv) = lopsided()
    with pytest.raises(ValueError, match=r"^metric 'f1' is one of two classes, got 3; use 'f1_m"):
        sn.prune(net, X, y, validation=(Xv, yv), metric="f1")
    with pytest.raises(ValueError, match=r"^metric 'roc_auc' needs validation samples of two cl"):
        sn.prune(net, X, y, validation=(Xv[yv == "a"], yv[yv == "a"]), metric="roc_auc")


def test_a_metric_has_units_of_its_own(lopsided):
    net, X, y, validation = lopsided()

    def profit(truth, predicted):
        return -40 * int((truth != predicted).sum())

    full = profit(validation[1], net.predict(validation[0]))
    path = sn.prune(net, X, y, validation=validation, metric=profit, max_drop=600, **QUICK)
    assert len(path) > 2
    assert path.steps[0].score == full
    assert min(step.score for step in path) >= full - 600
    assert path.stop_reason.startswith("no cut survives: validation profit would fall below -")
    assert path.select(min_accuracy=full - 600).n_synapses == path.smallest.n_synapses
    with pytest.raises(ValueError, match=r"validation profit -?\d+\.0000, below min_score 1\.0"):
        sn.prune(net, X, y, validation=validation, metric=profit, min_score=1, **QUICK)


def test_an_error_of_the_metric_passes_through(data, trained):
    def metric(truth, predicted):
        raise LookupError("from the metric")

    with pytest.raises(LookupError, match="from the metric"):
        sn.prune(trained(), *data, validation=data, metric=metric)


def test_a_metric_is_not_asked_about_outputs_that_overflow(data, trained):
    X, y = data
    big = X.copy()
    big[0] = 3e38
    net = trained()
    net._core.input_transform = (np.zeros(4, np.float32), np.full(4, 1e30, np.float32))
    for metric in ("balanced_accuracy", "accuracy"):
        path = sn.prune(
            net,
            X,
            y,
            validation=(big, y),
            metric=metric,
            min_score=0,
            strategy=sn.Iterative(n_candidates=1, search_budget=0),
        )
        assert 0.0 <= path.steps[0].score <= 1.0
    with pytest.raises(ValueError, match=r"^validation X holds values so large"):
        sn.prune(
            net,
            X,
            y,
            validation=(big, y),
            metric=balanced,
            min_score=0,
            strategy=sn.Iterative(n_candidates=1, search_budget=0),
        )


# --- the test split -----------------------------------------------------------------------------

GOALS = [
    Goal(max_drop=0.02),
    Goal(max_drop=0.05, confidence=0.9),
    Goal(min_score=0.85, confidence=0.9),
    Goal(max_drop=0.02, metric="balanced_accuracy"),
    Goal(n_synapses=150),
]


@pytest.mark.parametrize("goal", GOALS, ids=str)
def test_test_labels_change_nothing_but_the_reported_test_accuracy(goal):
    data = sn.datasets.digits()
    strategy = None if goal.counted else sn.Iterative(5, n_candidates=2)
    job = Job(training=replace(RECIPE, epochs=15), goal=goal, strategy=strategy)
    wrong = np.roll(data.test.y, 1)
    assert (wrong != data.test.y).mean() > 0.8
    altered = dataclasses.replace(data, test=sn.datasets.Split(data.test.X, wrong))
    results = [job.run(d, seed=1001, threads=1) for d in (data, altered)]
    records = [result.record() for result in results]
    for record in records:
        record.pop("seconds")
    reported = [
        [record[end]["accuracy"].pop("test") for end in ("start", "final")] for record in records
    ]
    for record in records:
        for end in ("start", "final"):
            record[end]["score"].pop("test")
    assert records[0] == records[1]
    assert len(records[0]["path"]) > 2
    assert min(reported[0]) > 0.7 > 0.3 > max(reported[1])
    weights = [
        [step.values.tobytes() for step in result.path] + [step.living.tobytes()]
        for result in results
        for step in result.path.steps[-1:]
    ]
    assert weights[0] == weights[1]
