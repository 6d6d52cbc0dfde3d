"""A network of the dense weights that another library trained.

Readers of models list what stands in them, as `Affine`, `Dense` and `Activation`; `chain` makes
the layers of a network of that, or says what does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import shown
from synaprune.labels import LabelEncoder, as_classes
from synaprune.layers import SparseLayer
from synaprune.network import ACTIVATIONS, REGRESSION_LOSSES, SparseMLP
from synaprune.scaling import TargetScaler

Net = TypeVar("Net", bound=SparseMLP)
Array = NDArray[np.float64]

# Which losses fit a model that ends so; any fits one that ends with the sums of a layer.
_ENDS = {"softmax": ("softmax",), "sigmoid": ("sigmoid", "squared")}


@dataclass(frozen=True, eq=False)
class Affine:
    """(x - shift)·scale + offset, as batch normalisation is when nothing is trained.

    Attributes
    ----------
    place : str
        Where it stands: "model[3]".
    what : str
        What errors call it.
    shift, scale, offset : ndarray of float64, shape (n,)
    """

    place: str
    what: str
    shift: Array
    scale: Array
    offset: Array

    def after(self, first: Affine) -> Affine:
        """Return what does the same as another one and then this one.

        The shift is the x that this one's shift is the image of: centred numbers stay centred.
        """
        constant = first.scale == 0.0
        scale = np.where(constant, 1.0, first.scale)
        shift = np.where(constant, first.shift, first.shift + (self.shift - first.offset) / scale)
        rest = np.where(constant, (first.offset - self.shift) * self.scale, 0.0)
        return Affine(self.place, self.what, shift, first.scale * self.scale, rest + self.offset)


@dataclass(frozen=True, eq=False)
class Dense:
    """weights @ x + bias, of shapes (n_out, n_in) and (n_out,); `place` and `what` as above."""

    place: str
    what: str
    weights: Array
    bias: Array


@dataclass(frozen=True)
class Activation:
    """A name in `ACTIVATIONS`, or "softmax"; `place` and `what` as above."""

    place: str
    what: str
    name: str


Part = Affine | Dense | Activation


@dataclass(frozen=True, eq=False)
class Chain:
    """The layers of a network.

    Attributes
    ----------
    weights, biases : list of ndarray of float64, shapes (n_out, n_in) and (n_out,)
    activation : str
        Of all layers but the last.
    end : "softmax", "sigmoid" or None
        What comes after the last one.
    input_scaling : "none", or (shift, scale)
        What comes before the first one.
    """

    weights: list[Array]
    biases: list[Array]
    activation: str
    end: str | None
    input_scaling: str | tuple[Array, Array]


def chain(name: str, layer: str, parts: Sequence[Part]) -> Chain:
    """Return the layers of a model; what is affine becomes part of them, or the input scaling.

    Parameters
    ----------
    name : str
        What errors call the model.
    layer : str
        What its library calls a dense layer.
    parts : sequence of Affine, Dense and Activation

    Raises
    ------
    ValueError
        Naming the place of what no network has there.
    """
    if not any(isinstance(part, Dense) for part in parts):
        raise ValueError(f"{name} must have a {layer} layer")
    weights: list[Array] = []
    biases: list[Array] = []
    activations: list[Activation] = []
    scaling: str | tuple[Array, Array] = "none"
    before: Affine | None = None  # of the next layer
    width = 0
    for part in parts:
        sums = len(weights) > len(activations)  # whether a layer's sums are what comes in
        if isinstance(part, Activation):
            if not sums:
                raise ValueError(f"{part.place}: a {layer} layer must stand before {part.what}")
            activations.append(part)
            continue
        n_in = part.weights.shape[1] if isinstance(part, Dense) else len(part.shift)
        if width not in (0, n_in):
            raise ValueError(f"{part.place}: {part.what} must have {width} inputs")
        width = len(part.bias) if isinstance(part, Dense) else n_in
        if isinstance(part, Affine) and sums:
            weights[-1] = weights[-1] * part.scale[:, None]
            biases[-1] = (biases[-1] - part.shift) * part.scale + part.offset
        elif isinstance(part, Affine):
            before = part if before is None else part.after(before)
        elif sums:
            raise ValueError(f"{part.place}: an activation must stand here, got {part.what}")
        else:
            w, b = part.weights, part.bias
            if before is not None and not weights:
                scaling = before.shift, before.scale
                b = b + w @ before.offset
            elif before is not None:
                b = b + w @ (before.offset - before.shift * before.scale)
                w = w * before.scale
            before = None
            weights.append(w)
            biases.append(b)
    end = None
    if not isinstance(parts[-1], Dense) and len(activations) == len(weights):
        last = parts[-1]
        if not isinstance(last, Activation) or last.name not in _ENDS:
            raise ValueError(
                f"{last.place}: only Softmax or Sigmoid may stand last, got {last.what}"
            )
        end = activations.pop().name
    for part in activations:
        if part.name not in ACTIVATIONS:
            raise ValueError(
                f"{part.place}: only an activation may stand between layers, got {part.what}"
            )
    found = sorted({part.name for part in activations})
    if len(found) > 1:
        raise ValueError(f"{name} must have one activation, got {', '.join(found)}")
    return Chain(weights, biases, found[0] if found else "relu", end, scaling)


def network_of_model(
    kind: type[Net],
    parse: Callable[[str, Any], Chain],
    model: Any,
    *,
    initial: Any,
    keep_zeros: bool,
    loss: str,
    classes: Any,
) -> Net:
    """Return the network of a model that may end without saying what its outputs are.

    `parse` makes a chain of a model that errors call by a name.
    """
    found = parse("model", model)
    return network_of(
        kind,
        found.weights,
        found.biases,
        initial=None if initial is None else parse("initial", initial).weights,
        keep_zeros=keep_zeros,
        activation=found.activation,
        loss=_loss(loss, found.end, len(found.biases[-1])),
        classes=classes,
        input_scaling=found.input_scaling,
    )


def _loss(loss: str, end: str | None, n_outputs: int) -> str:
    """Return the loss that a model's end means, or raise if they do not fit."""
    if end is None and n_outputs == 1 and loss == "auto":
        raise ValueError(
            "model has one output and no Sigmoid after it: loss must be 'sigmoid' if it tells two "
            f"classes apart, or one of {', '.join(REGRESSION_LOSSES)} if it predicts numbers"
        )
    if end is None:
        return loss
    if loss == "auto" and not (end == "sigmoid" and n_outputs > 1):
        return end
    if loss not in _ENDS[end]:
        raise ValueError(
            f"model ends with a {end} over {n_outputs} output{'s' * (n_outputs > 1)}: loss must be "
            f"{' or '.join(map(repr, _ENDS[end]))}, got {shown(loss)}"
        )
    return loss


def network_of(
    kind: type[Net],
    weights: Sequence[NDArray[Any]],
    biases: Sequence[NDArray[Any]],
    *,
    initial: Sequence[NDArray[Any]] | None,
    keep_zeros: bool,
    activation: str,
    loss: str,
    classes: Any,
    input_scaling: str | tuple[Any, Any] = "none",
) -> Net:
    """Return a network that counts as fitted.

    Parameters
    ----------
    kind : type
        `SparseMLP` or a subclass.
    weights, biases : sequence of ndarray, shapes (n_out, n_in) and (n_out,)
    initial : sequence of ndarray, or None
        Shaped as `weights`.
    keep_zeros : bool
    activation, loss : str
    classes : array_like or None
        The label of each output, or the two of one output; None of a regression, whose numbers are
        not scaled.
    input_scaling : "none", or pair of array_like
    """
    sizes = (weights[0].shape[1], *(len(w) for w in weights))
    if initial is not None:
        shapes = [np.shape(w) for w in initial]
        if shapes != [w.shape for w in weights]:
            raise ValueError(
                f"initial must have the shapes of the model, {[w.shape for w in weights]}, "
                f"got {shapes}"
            )
    net = kind(sizes, activation=activation, loss=loss, input_scaling=input_scaling)
    parts = [list(weights), list(biases), *([] if initial is None else [list(initial)])]
    if net.is_regression:
        if classes is not None:
            raise ValueError("classes must be left out, as the network predicts numbers")
        one = np.ones(sizes[-1])
        net._targets = TargetScaler(0.0 * one, one, sizes[-1] == 1)
    else:
        labels = as_classes(np.arange(max(2, sizes[-1])) if classes is None else classes)
        net._targets = LabelEncoder.fitted(labels, sizes[-1])
        if len(labels) != len(net.classes):
            raise ValueError(f"classes must be unique, got {labels.tolist()}")
        order = np.argsort(labels)
        for part in parts:  # a network sorts its labels
            if len(part[-1]) > 1:
                part[-1] = part[-1][order]
            elif order[0] == 1:  # its one output is the second label
                part[-1] = -part[-1]
    if initial is not None:
        net.init_scale = 1.0  # others start about as wide as Glorot & Bengio; see `Criterion`
    return net.set_weights(
        [
            SparseLayer.from_dense(
                weights, bias, initial=first[0] if first else None, keep_zeros=keep_zeros
            )
            for weights, bias, *first in zip(*parts, strict=True)
        ]
    )
