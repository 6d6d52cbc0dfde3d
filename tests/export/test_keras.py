"""Networks of models of Keras say what those say."""

import os

import numpy as np
import pytest
import synaprune as sn
from export.dense import close, softmax

os.environ.setdefault("KERAS_BACKEND", "numpy")  # which imports fastest
pytest.importorskip("keras")

import keras
from keras import layers

# NumPy 2 asks variables of Keras for an argument that they lack.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

X = np.random.default_rng(0).normal(size=(1000, 12)).astype(np.float32)


@pytest.fixture(autouse=True)
def same_weights():
    keras.utils.set_random_seed(0)


def said(model, X):
    return keras.ops.convert_to_numpy(model(X, training=False)).astype(np.float64)


def sequential(*parts, n_in=12):
    return keras.Sequential([layers.Input((n_in,)), *parts])


def two_layers(activation, *end, n_out=3):
    """12-9-n_out."""
    return sequential(
        layers.Dense(9, activation=activation), layers.Dropout(0.5), layers.Dense(n_out), *end
    )


def random_statistics(model):
    """Fill what has no random weights: biases and normalisations; some scales are 0."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        shape = weight.shape
        if "variance" in weight.path:
            weight.assign(rng.uniform(0.1, 2.0, shape))
        elif len(shape) == 1:
            values = rng.normal(size=shape)
            weight.assign(np.where(np.arange(len(values)) == 2, 0.0, values))
    return model


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "silu", "swish"])
def test_a_classifier_keeps_its_probabilities(activation):
    for model in (
        two_layers(activation, layers.Softmax()),
        two_layers(activation, layers.Activation("softmax")),
        sequential(
            layers.Dense(9), layers.Activation(activation), layers.Dense(3, activation="softmax")
        ),
    ):
        net = sn.SparseMLP.from_keras(random_statistics(model))
        assert close(net.predict_proba(X), said(model, X))
        assert net.layers == (12, 9, 3)
        assert net.classes.tolist() == [0, 1, 2]


@pytest.mark.parametrize("activation", [layers.ReLU, lambda: layers.LeakyReLU(0.01)])
def test_activations_may_be_layers(activation):
    for model in (
        sequential(layers.Dense(9), activation(), layers.Dense(3)),
        sequential(layers.Dense(9, activation=activation()), layers.Dense(3)),
    ):
        net = sn.SparseMLP.from_keras(model)
        assert close(net.predict_proba(X), softmax(said(model, X)))


def test_functional_and_nested_models():
    rows, first = keras.Input((12,)), layers.Dense(9)
    inner = keras.Sequential([layers.Dense(7), layers.BatchNormalization(), layers.ReLU()])
    x = layers.Identity()(layers.GaussianNoise(0.1)(layers.ReLU()(first(rows))))
    x = layers.Dense(4)(inner(x))
    model = random_statistics(keras.Model(rows, x))
    net = sn.SparseMLP.from_keras(model)
    assert net.layers == (12, 9, 7, 4)
    assert close(net.predict_proba(X), softmax(said(model, X)))
    part = keras.Model(rows, first(rows))  # a layer that two models share
    assert close(sn.SparseMLP.from_keras(part, loss="huber").predict(X), said(part, X))


def test_a_sequential_that_was_built_by_a_call():
    model = keras.Sequential([layers.Dense(5, activation="tanh"), layers.Dense(2)])
    with pytest.raises(ValueError, match="model must be built"):
        sn.SparseMLP.from_keras(model)
    model(X)
    net = sn.SparseMLP.from_keras(model)
    assert close(net.predict_proba(X), softmax(said(model, X)))


def test_the_end_and_the_loss_say_what_the_outputs_are():
    model = two_layers("relu", n_out=1)
    z = said(model, X)
    p = 1.0 / (1.0 + np.exp(-z))
    net = sn.SparseMLP.from_keras(model, loss="sigmoid", classes=["no", "yes"])
    assert close(net.predict_proba(X)[:, 1:], p)
    net = sn.SparseMLP.from_keras(two_layers("relu", layers.Activation("sigmoid"), n_out=1))
    assert net.loss == "sigmoid"
    net = sn.SparseMLP.from_keras(model, loss="squared_error")
    assert close(net.predict(X), z[:, 0])
    model = two_layers("relu", n_out=2)
    net = sn.SparseMLP.from_keras(model, loss="absolute_error")
    assert close(net.predict(X), said(model, X))
    model = two_layers("relu", layers.Activation("sigmoid"))
    shares = said(model, X)
    net = sn.SparseMLP.from_keras(model, loss="squared")
    assert close(net.predict_proba(X), shares / shares.sum(axis=1, keepdims=True))


def test_normalisations_become_part_of_the_layers():
    mean, variance = np.arange(12.0), np.linspace(0.0, 3.0, 12)
    for places in range(1, 32):
        parts = [layers.Dense(9), layers.Activation("tanh"), layers.Dense(3)]
        norms = [
            [layers.Rescaling(0.5, offset=-1.0), layers.Normalization(-1, mean, variance)],
            [layers.BatchNormalization(scale=places % 2 == 0)],
            [layers.BatchNormalization(center=places % 2 == 0)],
            [layers.Normalization(invert=True, mean=1.0, variance=4.0)],
            [layers.Activation("softmax")],
        ]
        mixed = []
        for at, norm in enumerate(norms):
            mixed += norm if places >> at & 1 else []
            mixed += parts[at : at + 1]
        model = random_statistics(sequential(*mixed))
        net = sn.SparseMLP.from_keras(model)
        expected = said(model, X)
        assert close(net.predict_proba(X), expected if places >> 4 else softmax(expected)), places
        assert net.layers == (12, 9, 3)


@pytest.mark.parametrize(
    "norm",
    [
        lambda: layers.Rescaling(1.0 / 255.0),
        lambda: layers.Rescaling([1.0, 2.0, 3.0], offset=[0.0, 1.0, 2.0]),
        lambda: layers.Normalization(axis=None, mean=1.0, variance=2.0),
        lambda: layers.Normalization(axis=-1, mean=[1.0, 2.0, 3.0], variance=[1.0, 2.0, 3.0]),
        lambda: layers.Normalization(axis=(1, 2), mean=np.ones((4, 5)), variance=np.eye(4, 5)),
        lambda: layers.BatchNormalization(),
        lambda: layers.BatchNormalization(axis=1),
    ],
)
def test_images_are_scaled_and_flattened(norm):
    images = np.random.default_rng(0).normal(size=(50, 4, 5, 3)).astype(np.float32)
    model = random_statistics(
        keras.Sequential([layers.Input((4, 5, 3)), norm(), layers.Flatten(), layers.Dense(3)])
    )
    net = sn.SparseMLP.from_keras(model)
    assert close(net.predict_proba(images.reshape(50, -1)), softmax(said(model, images)))


def test_an_adapted_normalisation_becomes_the_input_transform():
    far = 2000.0 + X
    norm = layers.Normalization()
    norm.adapt(far)
    model = random_statistics(sequential(norm, layers.Dense(3)))
    net = sn.SparseMLP.from_keras(model)
    shift = net.input_transform.shift
    np.testing.assert_array_equal(shift, keras.ops.convert_to_numpy(norm.mean)[0])
    assert close(net.predict_proba(far), softmax(said(model, far)))


def test_initial_weights_are_those_of_a_model_before_training():
    model = two_layers("relu")
    before = keras.models.clone_model(model)
    before.set_weights(model.get_weights())
    kernel = model.layers[0].kernel
    kernel.assign(keras.ops.convert_to_numpy(kernel) + np.eye(12, 9, dtype=np.float32))
    net = sn.SparseMLP.from_keras(model, initial=before)
    score = sn.saliency(net)
    np.testing.assert_allclose(score[0].reshape(9, 12), np.eye(9, 12), atol=1e-6)
    assert not score[1].any()
    wsf, magnitude = (sn.saliency(sn.SparseMLP.from_keras(model), c) for c in ("wsf", "magnitude"))
    assert all(np.array_equal(a, b) for a, b in zip(wsf, magnitude, strict=True))


def test_zeros_are_no_synapses_unless_asked_for():
    model = two_layers("relu")
    kernel = keras.ops.convert_to_numpy(model.layers[0].kernel).copy()
    kernel[3] = 0.0
    model.layers[0].kernel.assign(kernel)
    assert sn.SparseMLP.from_keras(model).n_used_inputs == 11
    assert sn.SparseMLP.from_keras(model, keep_zeros=True).n_used_inputs == 12


class Mine(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(x)


@keras.saving.register_keras_serializable()
class Doubled(layers.Dense):
    def call(self, x):
        return 2.0 * super().call(x)


class Chained(keras.Model):
    """A functional model whose call does something else."""

    def call(self, x, training=None, mask=None):
        return 2.0 * super().call(x)


def functional(build, kind=keras.Model):
    def make():
        rows = keras.Input((12,))
        return kind(rows, build(rows))

    return make


def dense(*parts):
    return lambda: sequential(layers.Dense(3), *(part() for part in parts))


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (lambda: layers.Dense(3), TypeError, "model must be a keras.Sequential or keras.Model"),
        (Mine, TypeError, "a Sequential or functional model, got a Mine"),
        (
            functional(lambda x: layers.Dense(3)(x), Chained),
            TypeError,
            "a Sequential or functional model, got a Chained",
        ),
        (dense(layers.LayerNormalization), TypeError, "cannot hold a LayerNormalization, only Act"),
        (dense(layers.PReLU), TypeError, "cannot hold a PReLU"),
        (lambda: sequential(Doubled(3)), TypeError, "cannot hold a Doubled"),
        (functional(lambda x: keras.ops.relu(layers.Dense(3)(x))), TypeError, "cannot hold a Relu"),
        (
            functional(lambda x: layers.add([layers.Dense(3)(x), layers.Dense(3)(x)])),
            TypeError,
            "'add.*' has 2 inputs, a layer has one",
        ),
        (
            functional(lambda x: [layers.Dense(3)(x), layers.Dense(3)(x)]),
            ValueError,
            "model must have one output, got 2",
        ),
        (
            functional(lambda x: layers.Dense(3)(layers.Dropout(0.1)(x, training=True))),
            ValueError,
            "Dropout is called with training=True",
        ),
        (
            lambda: keras.Sequential([layers.Input((4, 5)), layers.Dense(3)]),
            ValueError,
            r"Dense must be given rows of numbers, got shape \(4, 5\)",
        ),
        (
            lambda: sequential(layers.Dense(3, activation="gelu"), layers.Dense(3)),
            ValueError,
            "cannot have the activation gelu, only relu, ",
        ),
        (
            lambda: sequential(layers.Dense(3, activation="leaky_relu"), layers.Dense(3)),
            ValueError,
            "cannot have the activation leaky_relu",
        ),
        (dense(layers.LeakyReLU), ValueError, "must have the slope 0.01, got 0.3"),
        (dense(lambda: layers.ReLU(max_value=6.0)), ValueError, "ReLU must have no max_value"),
        (
            lambda: sequential(layers.Dense(3, activation=layers.ReLU(6.0))),
            ValueError,
            "ReLU must have no max_value",
        ),
        (dense(lambda: layers.Softmax(axis=0)), ValueError, "Softmax must have the axis -1, got 0"),
        (dense(layers.ReLU), ValueError, "only Softmax or Sigmoid may stand last, got ReLU"),
        (dense(layers.Softmax, layers.BatchNormalization), ValueError, "got BatchNormalization"),
        (dense(lambda: layers.Dense(3)), ValueError, "an activation must stand here, got Dense"),
        (
            lambda: sequential(layers.ReLU(), layers.Dense(3)),
            ValueError,
            "a Dense layer must stand before ReLU",
        ),
        (lambda: sequential(layers.Dropout(0.1)), ValueError, "model must have a Dense layer"),
        (
            lambda: sequential(
                layers.Dense(3, activation="relu"), layers.Dense(3, activation="tanh"),
                layers.Dense(3),
            ),
            ValueError,
            "model must have one activation, got relu, tanh",
        ),
        (lambda: sequential(layers.Dense(1)), ValueError, "one output and no Sigmoid after it"),
        (
            lambda: keras.Sequential(
                [layers.Input((4, 5, 3)), layers.Flatten("channels_first"), layers.Dense(3)]
            ),
            ValueError,
            "data_format 'channels_last'",
        ),
    ],
)  # fmt: skip
def test_models_that_no_network_is_are_refused(model, error, message):
    with pytest.raises(error, match=message):
        sn.SparseMLP.from_keras(model())


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="initial must have the shapes"):
        sn.SparseMLP.from_keras(two_layers("relu"), initial=two_layers("relu", n_out=2))
    with pytest.raises(ValueError, match="needs 3 classes, got 2"):
        sn.SparseMLP.from_keras(two_layers("relu"), classes=["a", "b"])
    with pytest.raises(ValueError, match="classes must be left out"):
        sn.SparseMLP.from_keras(two_layers("relu"), loss="huber", classes=["a", "b", "c"])
