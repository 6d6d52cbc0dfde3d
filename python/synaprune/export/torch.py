"""Networks of torch.nn.Sequential, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_bool, shown
from synaprune.export._dense import dense, whole_program
from synaprune.export._trained import Net, network_of
from synaprune.extras import require
from synaprune.network import REGRESSION_LOSSES, SparseMLP
from synaprune.program import Program
from synaprune.scaling import InputTransform

torch = require("torch", "torch")
nn = torch.nn
_Module: Any = nn.Module
pruning = require("torch.nn.utils.prune", "torch")

__all__ = ["Scaling", "from_torch", "to_torch"]

_ACTIVATIONS = {
    nn.ReLU: "relu", nn.LeakyReLU: "leaky_relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid",
    nn.SiLU: "silu",
}  # fmt: skip
_AT_END = {nn.Softmax: "softmax", nn.LogSoftmax: "softmax", nn.Sigmoid: "sigmoid"}
_SKIPPED = (nn.Dropout, nn.Identity)
_KNOWN = (nn.Linear, nn.Flatten, *_ACTIVATIONS, nn.Softmax, nn.LogSoftmax, *_SKIPPED)
# Which losses fit a model that ends so; any fits one that ends with a Linear layer.
_LOSSES = {"softmax": ("softmax",), "sigmoid": ("sigmoid", "squared")}


class Scaling(_Module):
    """(x - shift)·scale, the input scaling of a network.

    Parameters
    ----------
    transform : InputTransform
    """

    def __init__(self, transform: InputTransform) -> None:
        super().__init__()
        self.register_buffer("shift", torch.from_numpy(transform.shift.copy()))
        self.register_buffer("scale", torch.from_numpy(transform.scale.copy()))

    def forward(self, x: Any) -> Any:
        """Return the scaled inputs.

        Parameters
        ----------
        x : torch.Tensor, shape (n, n_features)
        """
        return (x - self.shift) * self.scale


class _Parsed(NamedTuple):
    """What a Sequential consists of."""

    weights: list[NDArray[np.float64]]
    biases: list[NDArray[np.float64]]
    activation: str
    end: str | None


def from_torch(
    kind: type[Net], model: Any, *, classes: Any, loss: str, initial: Any, keep_zeros: bool
) -> Net:
    """Return the network of a model; `SparseMLP.from_torch` documents the arguments."""
    parsed = _parse("model", model)
    return network_of(
        kind,
        parsed.weights,
        parsed.biases,
        initial=None if initial is None else _parse("initial", initial).weights,
        keep_zeros=keep_zeros,
        activation=parsed.activation,
        loss=_loss(loss, parsed.end, len(parsed.biases[-1])),
        classes=classes,
    )


def to_torch(net: SparseMLP, *, compact: bool, masks: bool) -> Any:
    """Return a Sequential; `SparseMLP.to_torch` documents the arguments."""
    check_bool("compact", compact)
    check_bool("masks", masks)
    program = Program.of(net)
    network = dense(program if compact else whole_program(net), np.arange(net.n_features))
    activations = {name: module for module, name in _ACTIVATIONS.items()}
    modules = [] if network.transform is None else [Scaling(network.transform)]
    for layer in network.layers:
        n_out, n_in = layer.weights.shape
        linear = nn.utils.skip_init(nn.Linear, n_in, n_out)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(layer.weights))
            linear.bias.copy_(torch.from_numpy(layer.bias))
        if masks:
            pruning.custom_from_mask(linear, "weight", torch.from_numpy(layer.synapses))
        modules.append(linear)
        if layer.activation != "identity":
            modules.append(activations[layer.activation]())
    return nn.Sequential(*modules)


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
    if loss not in _LOSSES[end]:
        raise ValueError(
            f"model ends with a {end} over {n_outputs} output{'s' * (n_outputs > 1)}: loss must be "
            f"{' or '.join(map(repr, _LOSSES[end]))}, got {shown(loss)}"
        )
    return loss


def _parse(name: str, model: Any) -> _Parsed:
    """Return the parts of a Sequential, or raise naming the module that no network has."""
    if not _is(model, nn.Sequential):
        raise TypeError(f"{name} must be a torch.nn.Sequential, got {type(model).__name__}")
    modules = [pair for pair in _modules(name, model) if not isinstance(pair[1], _SKIPPED)]
    if modules and isinstance(modules[0][1], nn.Flatten):
        flatten = modules.pop(0)[1]
        if (flatten.start_dim, flatten.end_dim) != (1, -1):
            raise ValueError(f"{name} must begin with Flatten(1, -1), got {flatten}")
    if not modules:
        raise ValueError(f"{name} must have a Linear layer")
    end = None
    if not isinstance(modules[-1][1], nn.Linear):
        place, last = modules.pop()
        end = next((what for kind, what in _AT_END.items() if isinstance(last, kind)), None)
        if end is None:
            raise ValueError(f"{place}: only Softmax or Sigmoid may stand last, got {last}")
        if end == "softmax" and last.dim not in (1, -1):
            raise ValueError(f"{place}: {last} must have dim 1 or -1")
    for number, (at, module) in enumerate(modules):
        if isinstance(module, nn.Linear) != (number % 2 == 0):
            wanted = "an activation" if number % 2 else "a Linear layer"
            raise ValueError(f"{at}: {wanted} must stand here, got {module}")
    if len(modules) % 2 == 0:
        raise ValueError(f"{place}: a Linear layer must stand before {last}")
    linear = [module for _, module in modules[::2]]
    for (at, module), below in zip(modules[2::2], linear, strict=False):
        if module.in_features != below.out_features:
            raise ValueError(f"{at}: {module} must have {below.out_features} inputs")
    return _Parsed(
        [_parameter(module, "weight") for module in linear],
        [_parameter(module, "bias") for module in linear],
        _activation(name, modules[1::2]),
        end,
    )


def _activation(name: str, modules: list[tuple[str, Any]]) -> str:
    """Return the one activation that stands between layers."""
    found = set()
    for place, module in modules:
        kinds = _ACTIVATIONS.items()
        activation = next((what for kind, what in kinds if isinstance(module, kind)), None)
        if activation is None:
            raise ValueError(f"{place}: only an activation may stand between layers, got {module}")
        if activation == "leaky_relu" and module.negative_slope != 0.01:
            raise ValueError(f"{place}: {module} must have the slope 0.01")
        found.add(activation)
    if len(found) > 1:
        raise ValueError(f"{name} must have one activation, got {', '.join(sorted(found))}")
    return found.pop() if found else "relu"


def _modules(name: str, model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the place and module of all that a Sequential consists of, if a network can hold it."""
    for key, module in model.named_children():
        place = f"{name}[{key}]"
        if _is(module, nn.Sequential):
            yield from _modules(place, module)
            continue
        if not any(_is(module, kind) for kind in _KNOWN):
            raise TypeError(
                f"{place}: a network cannot hold a {type(module).__name__}, only "
                f"{', '.join(sorted(kind.__name__ for kind in _KNOWN))}"
            )
        own = (isinstance(h, pruning.BasePruningMethod) for h in module._forward_pre_hooks.values())
        if module._forward_hooks or not all(own):
            raise TypeError(f"{place}: {module} has hooks, which a network cannot have")
        yield place, module


def _is(module: Any, kind: Any) -> bool:
    """Return whether a module computes what this kind of module does."""
    return isinstance(module, kind) and type(module).forward is kind.forward


def _parameter(linear: Any, name: str) -> NDArray[np.float64]:
    """Return a weight matrix or a bias, with torch's mask applied."""
    values = getattr(linear, name)
    if values is None:
        return np.zeros(linear.out_features)
    if hasattr(linear, f"{name}_mask"):  # else `values` may be older than the parameter
        values = getattr(linear, f"{name}_orig") * getattr(linear, f"{name}_mask")
    array: NDArray[np.float64] = values.detach().cpu().double().numpy()
    return array
