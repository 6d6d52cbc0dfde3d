"""Pipelines of scikit-learn with our estimators say in onnxruntime what they say themselves."""

import functools

import numpy as np
import pytest
from export.dense import close

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")
pytest.importorskip("sklearn", exc_type=ImportError)

import onnxruntime
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from synaprune.sklearn import (
    NetworkSelector,
    PrunedMLPClassifier,
    PrunedMLPRegressor,
    register_skl2onnx,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(3.0, 2.0, (300, 6)).astype(np.float32)
QUICK = {"hidden_layer_sizes": 5, "max_updates": 60, "random_state": 0}
PLAIN = {"zipmap": False}


@pytest.fixture(autouse=True, scope="module")
def registered():
    register_skl2onnx()
    register_skl2onnx()  # which changes nothing


def run(model, rows):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: rows}), strict=True))


@functools.cache
def classifier(labels):
    """A classifier of the labels."""
    y = np.array(labels)[X[:, : len(labels)].argmax(axis=1)]
    return PrunedMLPClassifier(**QUICK).fit(X, y)


def assert_agrees(model, found, rows):
    label, p = found.values()
    assert close(p, model.predict_proba(rows))
    two = np.sort(p, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 1e-5
    assert np.array_equal(label[clear], model.predict(rows)[clear])
    assert clear.mean() > 0.9


LABELS = [("no", "yes"), (3, -7, 5), (False, True), ("b", "č\n", "a"), (1.0, 2.0)]


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_are_those_of_other_classifiers(labels, dtype):
    model = classifier(labels)
    rows = X[:50].astype(dtype)
    found = run(to_onnx(model, rows[:1], options=PLAIN), rows)
    assert_agrees(model, found, rows)
    peer = MLPClassifier((2,), max_iter=1).fit(X, np.array(labels)[np.arange(300) % len(labels)])
    theirs = run(to_onnx(peer, rows[:1], options=PLAIN), rows)
    for name in theirs:
        assert (found[name].dtype, found[name].shape) == (theirs[name].dtype, theirs[name].shape)


def test_options_mean_what_they_mean_for_other_classifiers():
    model, rows = classifier(("b", "č\n", "a")), X[:20]
    p = model.predict_proba(rows)
    (label, maps) = run(to_onnx(model, rows[:1]), rows).values()
    assert label.tolist() == model.predict(rows).tolist()
    assert list(maps[0]) == ["a", "b", "č\n"]
    assert close(np.array([list(one.values()) for one in maps]), p)
    found = run(to_onnx(model, rows[:1], options={"zipmap": "columns"}), rows)
    assert [len(values) for values in found.values()] == [20] * 4
    options = {id(model): {"zipmap": False, "output_class_labels": True}}
    assert list(run(to_onnx(model, rows[:1], options=options), rows).values())[2].tolist() == [
        "a", "b", "č\n",
    ]  # fmt: skip
    options = {id(model): {"zipmap": False, "nocl": True}}
    label = next(iter(run(to_onnx(model, rows[:1], options=options), rows).values()))
    assert label.tolist() == p.argmax(axis=1).tolist()


def test_whole_numbers_are_inputs():
    rows = X[:50].astype(np.int64)
    model = classifier((3, -7, 5))
    assert_agrees(model, run(to_onnx(model, rows[:1], options=PLAIN), rows), rows)


@pytest.mark.parametrize("n_outputs", [0, 3])
def test_a_regressor_keeps_its_numbers(n_outputs):
    y = 50.0 + 10.0 * (X[:, 0] if n_outputs == 0 else X[:, :n_outputs])
    model = PrunedMLPRegressor(**QUICK).fit(X, y)
    for dtype in (np.float32, np.float64):
        rows = X[:50].astype(dtype)
        (found,) = run(to_onnx(model, rows[:1]), rows).values()
        assert found.dtype == dtype
        assert close(found, model.predict(rows).reshape(50, -1))


def test_pipelines():
    y = np.where(X[:, 0] > X[:, 1], "up", "down")
    first = ColumnTransformer(
        [("s", StandardScaler(), [1, 4]), ("m", MinMaxScaler(), [0]), ("p", "passthrough", [3])]
    )
    for steps in (
        [StandardScaler(), PrunedMLPClassifier(**QUICK)],
        [first, PrunedMLPClassifier(**QUICK)],
        [StandardScaler(), NetworkSelector(2, **QUICK), MLPClassifier((3,), max_iter=5)],
    ):
        model = make_pipeline(*steps).fit(X, y)
        for rows in (X[:50], X[:50].astype(np.float64)):
            onnx_model = to_onnx(model, rows[:1], options=PLAIN)
            assert_agrees(model, run(onnx_model, rows), rows)


@pytest.mark.parametrize("keep", [0, 5])
def test_a_selector_keeps_its_columns_and_their_type(keep):
    model = NetworkSelector(1, **QUICK).fit(X, X[:, keep] > 3.0)
    assert model.get_support(indices=True).tolist() == [keep]
    for dtype in (np.float32, np.float64, np.int64):
        rows = (10 * X[:20]).astype(dtype)
        (found,) = run(to_onnx(model, rows[:1]), rows).values()
        assert found.dtype == dtype
        assert np.array_equal(found, rows[:, [keep]])


def test_what_cannot_be_converted_says_why():
    selector = NetworkSelector(1, **QUICK).fit(X, X[:, 0] > 3.0)
    selector.support_[:], selector.n_features_ = False, 0
    with pytest.raises(ValueError, match="must keep a column or more, got none"):
        to_onnx(selector, X[:1])
    large = PrunedMLPClassifier(**QUICK).fit(X, np.where(X[:, 0] > 3.0, 2**63, 1).astype(np.uint64))
    with pytest.raises(ValueError, match="label must fit int64"):
        to_onnx(large, X[:1])
    for kind in (PrunedMLPRegressor, NetworkSelector):  # skl2onnx itself refuses classifiers
        with pytest.raises(NotFittedError, match=f"This {kind.__name__} instance is not fitted"):
            to_onnx(kind(), X[:1])
