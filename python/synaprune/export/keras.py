"""Networks of models of Keras 3, whatever its backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import shown
from synaprune.export._trained import (
    Activation,
    Affine,
    Chain,
    Dense,
    Net,
    Part,
    chain,
    network_of_model,
)
from synaprune.extras import require

keras = require("keras", "keras")
layers, functions = keras.layers, keras.activations

__all__ = ["from_keras"]

_FUNCTIONS = {
    functions.relu: "relu", functions.tanh: "tanh", functions.sigmoid: "sigmoid",
    functions.silu: "silu", functions.softmax: "softmax",
}  # fmt: skip
_SKIPPED = (
    layers.InputLayer, layers.Dropout, layers.AlphaDropout, layers.GaussianDropout,
    layers.GaussianNoise, layers.Identity,
)  # fmt: skip
_ACTIVATIONS = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Softmax)
_AFFINE = (layers.BatchNormalization, layers.Normalization, layers.Rescaling)
_KNOWN = (layers.Dense, layers.Flatten, *_AFFINE, *_ACTIVATIONS, *_SKIPPED)


def from_keras(kind: type[Net], model: Any, **options: Any) -> Net:
    """Return the network of a model; `SparseMLP.from_keras` documents the arguments."""
    return network_of_model(kind, _parse, model, **options)


def _parse(name: str, model: Any) -> Chain:
    """Return the parts of a model, or raise naming the layer that no network has."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"{name} must be a keras.Sequential or keras.Model, got {shown(model)}")
    parts: list[Part] = []
    for place, layer, shape in _calls(name, model):
        if isinstance(layer, layers.Dense):
            parts += _dense(place, layer, shape)
        elif isinstance(layer, layers.Flatten):
            if layer.data_format == "channels_first" and len(shape) > 1:
                raise ValueError(f"{place}: Flatten must have the data_format 'channels_last'")
        elif isinstance(layer, _ACTIVATIONS):
            parts += _activation(place, layer, shape)
        elif not isinstance(layer, _SKIPPED):
            parts.append(_affine(place, layer, shape))
    return chain(name, "Dense", parts)


def _calls(name: str, model: Any) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """Yield place, layer and shape of a row for all calls of a model, the first one first."""
    if not _is_a_chain(model):
        raise TypeError(
            f"{name} must be a Sequential or functional model, got a {type(model).__name__}"
        )
    if not model.built:
        raise ValueError(f"{name} must be built: give it an Input, or call it on some rows")
    for what, tensors in (("input", model.inputs), ("output", model.outputs)):
        if len(tensors) != 1:
            raise ValueError(f"{name} must have one {what}, got {len(tensors)}")
    tensor, calls = model.outputs[0], []
    while tensor is not model.inputs[0]:
        layer, index, _ = tensor._keras_history
        node = layer._inbound_nodes[index]
        if len(node.input_tensors) != 1:
            inputs = len(node.input_tensors)
            raise TypeError(f"{name}: {shown(layer.name)} has {inputs} inputs, a layer has one")
        calls.append((layer, node))
        tensor = node.input_tensors[0]
    for layer, node in reversed(calls):
        place = f"{name}[{layer.name!r}]"
        if isinstance(layer, keras.Model):
            yield from _calls(place, layer)
            continue
        if not any(isinstance(layer, k) and type(layer).call is k.call for k in _KNOWN):
            raise TypeError(
                f"{place}: a network cannot hold a {type(layer).__name__}, only "
                f"{', '.join(sorted(kind.__name__ for kind in _KNOWN))}"
            )
        if node.arguments.kwargs.get("training"):
            raise ValueError(f"{place}: {type(layer).__name__} is called with training=True")
        yield place, layer, tuple(node.input_tensors[0].shape[1:])


def _is_a_chain(model: Any) -> bool:
    """Return whether a model computes what its layers say, as Sequential and functional ones do."""
    known = (kind for kind in type(model).__mro__ if kind.__module__.startswith("keras."))
    kind: Any = next(kind for kind in known if "call" in vars(kind))
    return kind.__name__ in ("Sequential", "Functional") and type(model).call is kind.call


def _dense(place: str, layer: Any, shape: tuple[int, ...]) -> list[Part]:
    """Return a layer and its activation."""
    if len(shape) != 1:
        raise ValueError(f"{place}: Dense must be given rows of numbers, got shape {shape}")
    if layer.quantization_mode is not None or layer.lora_enabled:
        raise ValueError(f"{place}: Dense must be neither quantised nor have adapters (LoRA)")
    weights = _array(layer.kernel).T
    bias = np.zeros(len(weights)) if layer.bias is None else _array(layer.bias)
    what = f"Dense({len(weights)})"
    return [Dense(place, what, weights, bias), *_named(place, layer.activation)]


def _activation(place: str, layer: Any, shape: tuple[int, ...]) -> list[Part]:
    """Return what a layer does that has no weights; none if it does nothing."""
    if isinstance(layer, layers.Activation):
        return _named(place, layer.activation)
    what = type(layer).__name__
    if isinstance(layer, layers.ReLU):
        if (layer.max_value, layer.negative_slope, layer.threshold) != (None, 0.0, 0.0):
            raise ValueError(f"{place}: ReLU must have no max_value, negative_slope or threshold")
        return [Activation(place, what, "relu")]
    if isinstance(layer, layers.LeakyReLU):
        if abs(layer.negative_slope - 0.01) > 1e-9:
            raise ValueError(
                f"{place}: LeakyReLU must have the slope 0.01, got {layer.negative_slope}"
            )
        return [Activation(place, what, "leaky_relu")]
    if layer.axis not in (-1, len(shape)):
        raise ValueError(f"{place}: Softmax must have the axis -1, got {shown(layer.axis)}")
    return [Activation(place, what, "softmax")]


def _named(place: str, activation: Any) -> list[Part]:
    """Return what a function, or a layer that stands for one, does; none if it is linear."""
    if activation is None or activation is functions.linear:
        return []
    if isinstance(activation, _ACTIVATIONS) and not isinstance(activation, layers.Activation):
        return _activation(place, activation, (0,))
    for function, name in _FUNCTIONS.items():
        if activation is function:
            return [Activation(place, name, name)]
    called = getattr(activation, "__name__", type(activation).__name__)
    raise ValueError(
        f"{place}: a network cannot have the activation {called}, only "
        f"{', '.join(sorted(_FUNCTIONS.values()))}, or a LeakyReLU of the slope 0.01"
    )


def _affine(place: str, layer: Any, shape: tuple[int, ...]) -> Affine:
    """Return what a layer does that shifts and scales each number."""
    if None in shape:
        raise ValueError(f"{place}: {type(layer).__name__} must be given a shape, got {shape}")
    shift, scale, offset = np.zeros(()), np.ones(()), np.zeros(())
    if isinstance(layer, layers.Rescaling):
        scale, offset = np.asarray(layer.scale, float), np.asarray(layer.offset, float)
        if scale.ndim and len(shape) > 1 and keras.config.image_data_format() == "channels_first":
            raise ValueError(f"{place}: Rescaling must have one scale, or channels that come last")
    elif isinstance(layer, layers.Normalization):
        mean, variance = (_array(v)[0] for v in (layer.mean, layer.variance))
        spread = np.maximum(np.sqrt(variance), keras.config.epsilon())
        if layer.invert:
            scale, offset = spread, mean
        else:
            shift, scale = mean, 1.0 / spread
    else:
        along = [1] * len(shape)
        along[layer.axis - (layer.axis > 0)] = -1
        scale = 1.0 / np.sqrt(_array(layer.moving_variance) + layer.epsilon)
        if layer.scale:
            scale = scale * _array(layer.gamma)
        scale, shift = (a.reshape(along) for a in (scale, _array(layer.moving_mean)))
        if layer.center:
            offset = _array(layer.beta).reshape(along)
    full = (np.broadcast_to(a, shape).reshape(-1) for a in (shift, scale, offset))
    return Affine(place, type(layer).__name__, *full)


def _array(tensor: Any) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)
    return array
