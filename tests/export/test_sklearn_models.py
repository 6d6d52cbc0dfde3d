"""Networks of scikit-learn's models predict the same, and can be trained and pruned."""

import numpy as np
import pytest
import synaprune as sn
from export.dense import close

pytest.importorskip("sklearn", exc_type=ImportError)

from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(1000, 12)).astype(np.float32)
LABELS = np.array(["a", "b", "c"])


def classifier(n_classes=3, **options):
    options = {"hidden_layer_sizes": (9, 5), "max_iter": 3, "random_state": 0} | options
    return MLPClassifier(**options).fit(X, LABELS[X[:, :n_classes].argmax(axis=1)])


def regressor(y, **options):
    options = {"hidden_layer_sizes": (9,), "max_iter": 3, "random_state": 0} | options
    return MLPRegressor(**options).fit(X, y)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sizes", [(9,), (9, 5, 4), ()])
def test_a_classifier_keeps_its_probabilities(activation, n_classes, sizes):
    model = classifier(n_classes, activation=activation, hidden_layer_sizes=sizes)
    net = sn.SparseMLP.from_sklearn(model)
    assert close(net.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(net.predict(X), model.predict(X))
    assert net.classes.tolist() == LABELS[:n_classes].tolist()
    assert net.layers == (12, *sizes, 1 if n_classes == 2 else 3)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_regressor_keeps_its_numbers(activation, n_outputs):
    y = 100.0 + 50.0 * (X[:, 0] if n_outputs == 1 else X[:, :2])
    model = regressor(y, activation=activation, max_iter=30)
    net = sn.SparseMLP.from_sklearn(model)
    assert close(net.predict(X), model.predict(X))
    net.fit(X, y, training=sn.Training(1, optimizer=sn.SGD(lr=1e-4)))
    assert np.isfinite(net.predict(X)).all()


def test_a_pipeline_keeps_its_scaling():
    for options in ({}, {"with_mean": False}, {"with_std": False}):
        model = make_pipeline(StandardScaler(**options), MLPClassifier((5,), max_iter=3))
        model.fit(3.0 * X + 7.0, LABELS[X[:, :3].argmax(axis=1)])
        net = sn.SparseMLP.from_sklearn(model)
        assert close(net.predict_proba(3.0 * X + 7.0), model.predict_proba(3.0 * X + 7.0))


def test_names_of_features_are_kept():
    pandas = pytest.importorskip("pandas")
    names = [f"column {i}" for i in range(12)]
    frame = pandas.DataFrame(X, columns=names)
    model = MLPClassifier((4,), max_iter=2).fit(frame, X[:, 0] > 0.0)
    net = sn.SparseMLP.from_sklearn(model)
    assert net.input_names == tuple(names)
    assert net.classes.tolist() == [False, True]
    assert np.array_equal(net.predict(frame[names[::-1]]), model.predict(frame))


def test_a_trained_model_is_pruned_to_five_percent_of_its_synapses():
    data = sn.datasets.digits()
    model = MLPClassifier((100,), max_iter=15, random_state=0).fit(*data.train)
    net = sn.SparseMLP.from_sklearn(model)
    assert net.n_synapses == 7400
    recipe = sn.Training(60, batch_size=16, optimizer=sn.SGD(lr=0.1))
    path = sn.prune(net, *data.train, validation=data.validation, n_synapses=370, training=recipe)
    assert path.smallest.n_synapses <= 370
    assert path.smallest.score(*data.test) > model.score(*data.test) - 0.02


def test_without_initial_weights_wsf_is_the_magnitude():
    model = classifier()
    net = sn.SparseMLP.from_sklearn(model)
    for wsf, magnitude in zip(sn.saliency(net), sn.saliency(net, "magnitude"), strict=True):
        assert np.array_equal(wsf, magnitude)
    initial = [np.ones_like(w) for w in model.coefs_]
    moved = sn.saliency(sn.SparseMLP.from_sklearn(model, initial=initial))
    for wsf, w in zip(moved, model.coefs_, strict=True):
        np.testing.assert_array_equal(wsf, np.abs(w.T.astype(np.float32) - 1.0).reshape(-1))


def test_zeros_are_no_synapses_unless_asked_for():
    model = classifier()
    model.coefs_[0][3] = 0.0
    net = sn.SparseMLP.from_sklearn(model)
    assert net.n_used_inputs == 11
    assert close(net.predict_proba(X), model.predict_proba(X))
    full = sn.SparseMLP.from_sklearn(model, keep_zeros=True)
    assert full.n_used_inputs == 12


def test_subclasses_make_their_own_kind(tmp_path):
    class Mine(sn.SparseMLP):
        pass

    net = Mine.from_sklearn(regressor(X[:, 0]))
    assert type(net) is Mine
    net.save(tmp_path / "net.npz")
    assert np.array_equal(Mine.load(tmp_path / "net.npz").predict(X), net.predict(X))


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (lambda: LogisticRegression(), TypeError, "MLPClassifier or MLPRegressor, got Logistic"),
        (lambda: MLPClassifier(), ValueError, "must be fitted"),
        (lambda: make_pipeline(StandardScaler(), MLPClassifier()), ValueError, "must be fitted"),
        (lambda: classifier(activation="identity"), ValueError, "activation 'identity', which no"),
        (
            lambda: MLPClassifier((3,), max_iter=2).fit(X, (X[:, :2] > 0.0).astype(int)),
            ValueError,
            "several labels a sample",
        ),
        (
            lambda: make_pipeline(MinMaxScaler(), MLPClassifier((3,))).fit(X[:20], X[:20, 0] > 0),
            TypeError,
            "a StandardScaler, got MinMaxScaler",
        ),
    ],
)  # fmt: skip
def test_models_that_no_network_is_are_refused(model, error, message):
    with pytest.raises(error, match=message):
        sn.SparseMLP.from_sklearn(model())


def test_initial_weights_of_other_shapes_are_refused():
    model = classifier()
    with pytest.raises(ValueError, match="initial must have the shapes of the model"):
        sn.SparseMLP.from_sklearn(model, initial=model.coefs_[:1])
    with pytest.raises(TypeError, match="initial must be a sequence of arrays"):
        sn.SparseMLP.from_sklearn(model, initial=1.0)
