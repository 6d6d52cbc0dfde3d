"""A network of scikit-learn's MLPClassifier or MLPRegressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from synaprune.checks import shown
from synaprune.export._trained import Net, network_of
from synaprune.extras import require

__all__ = ["from_sklearn"]

_ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}


def from_sklearn(kind: type[Net], model: Any, *, initial: Any, keep_zeros: bool) -> Net:
    """Return the network of a model; `SparseMLP.from_sklearn` documents the arguments."""
    neural_network = require("sklearn.neural_network", "sklearn")
    mlp, scaling = _without_scaler(model)
    if not isinstance(mlp, neural_network.MLPClassifier | neural_network.MLPRegressor):
        raise TypeError(f"model must be an MLPClassifier or MLPRegressor, got {shown(mlp)}")
    if not hasattr(mlp, "coefs_"):
        raise ValueError(f"model must be fitted, got {shown(mlp)}")
    deep = len(mlp.coefs_) > 1
    if deep and mlp.activation not in _ACTIVATIONS:
        raise ValueError(
            f"model has the hidden activation {mlp.activation!r}, which no network has; "
            f"it must be one of {', '.join(_ACTIVATIONS)}"
        )
    is_classifier = isinstance(mlp, neural_network.MLPClassifier)
    one_output = mlp.n_outputs_ == 1
    output = {(True, True): "logistic", (True, False): "softmax"}.get(
        (is_classifier, one_output), "identity"
    )
    if mlp.out_activation_ != output:
        what = "several labels a sample" if is_classifier else f"{mlp.out_activation_} of its sums"
        raise ValueError(f"model predicts {what}, which no network does")
    if initial is not None and not isinstance(initial, Sequence):
        raise TypeError(f"initial must be a sequence of arrays, as coefs_, got {shown(initial)}")
    net = network_of(
        kind,
        [w.T for w in mlp.coefs_],
        mlp.intercepts_,
        initial=None if initial is None else [np.asarray(w).T for w in initial],
        keep_zeros=keep_zeros,
        activation=_ACTIVATIONS[mlp.activation] if deep else "relu",
        loss="auto" if is_classifier else "squared_error",
        classes=mlp.classes_ if is_classifier else None,
        input_scaling=scaling,
    )
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        net.input_names = names.tolist()
    return net


def _without_scaler(model: Any) -> tuple[Any, str | tuple[Any, Any]]:
    """Return the last step of a pipeline, and the input scaling that the step before it does."""
    pipeline = require("sklearn.pipeline", "sklearn")
    if not isinstance(model, pipeline.Pipeline):
        return model, "none"
    *before, last = [step for _, step in model.steps if step not in (None, "passthrough")]
    if not before:
        return last, "none"
    scaler = require("sklearn.preprocessing", "sklearn").StandardScaler
    if len(before) > 1 or not isinstance(before[0], scaler):
        raise TypeError(
            "model may have one step before the network, a StandardScaler, "
            f"got {', '.join(type(step).__name__ for step in before)}"
        )
    step = before[0]
    if not hasattr(step, "n_features_in_"):
        raise ValueError(f"model must be fitted, got {shown(step)}")
    shift = step.mean_ if step.with_mean else 0.0
    return last, (shift, 1.0 / step.scale_ if step.with_std else 1.0)
