"""Networks of torch.nn.Sequential, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_bool
from synaprune.export._dense import dense, whole_program
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
from synaprune.network import SparseMLP
from synaprune.program import Program
from synaprune.scaling import InputTransform

torch = require("torch", "torch")
nn = torch.nn
_Module: Any = nn.Module
pruning = require("torch.nn.utils.prune", "torch")

__all__ = ["Scaling", "from_torch", "to_torch"]

_ACTIVATIONS = {
    nn.ReLU: "relu", nn.LeakyReLU: "leaky_relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid",
    nn.SiLU: "silu", nn.Softmax: "softmax", nn.LogSoftmax: "softmax",
}  # fmt: skip
_SKIPPED = (nn.Dropout, nn.Identity)


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


_KNOWN = (nn.Linear, nn.BatchNorm1d, nn.Flatten, *_ACTIVATIONS, *_SKIPPED, Scaling)


def from_torch(kind: type[Net], model: Any, **options: Any) -> Net:
    """Return the network of a model; `SparseMLP.from_torch` documents the arguments."""
    return network_of_model(kind, _parse, model, **options)


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


def _parse(name: str, model: Any) -> Chain:
    """Return the parts of a Sequential, or raise naming the module that no network has."""
    if not _is(model, nn.Sequential):
        raise TypeError(f"{name} must be a torch.nn.Sequential, got {type(model).__name__}")
    parts: list[Part] = []
    for place, module in _modules(name, model):
        if isinstance(module, nn.Flatten):
            if parts or (module.start_dim, module.end_dim) != (1, -1):
                raise ValueError(f"{place}: {name} may begin with Flatten(1, -1), got {module}")
        elif not isinstance(module, _SKIPPED):
            parts.append(_part(place, module))
    return chain(name, "Linear", parts)


def _part(place: str, module: Any) -> Part:
    """Return what a module computes when nothing is trained."""
    what = str(module)
    if isinstance(module, nn.Linear):
        return Dense(place, what, _parameter(module, "weight"), _parameter(module, "bias"))
    if isinstance(module, Scaling):
        shift, scale = _array(module.shift), _array(module.scale)
        return Affine(place, what, shift, scale, np.zeros_like(shift))
    if isinstance(module, nn.BatchNorm1d):
        if module.running_mean is None:
            raise ValueError(f"{place}: {module} must have running statistics")
        scale = 1.0 / np.sqrt(_array(module.running_var) + module.eps)
        offset = np.zeros_like(scale)
        if module.affine:
            scale, offset = scale * _array(module.weight), _array(module.bias)
        return Affine(place, what, _array(module.running_mean), scale, offset)
    if isinstance(module, nn.LeakyReLU) and module.negative_slope != 0.01:
        raise ValueError(f"{place}: {module} must have the slope 0.01")
    if isinstance(module, nn.Softmax | nn.LogSoftmax) and module.dim not in (1, -1):
        raise ValueError(f"{place}: {module} must have dim 1 or -1")
    return Activation(place, what, next(n for k, n in _ACTIVATIONS.items() if _is(module, k)))


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
    return _array(values)


def _array(tensor: Any) -> NDArray[np.float64]:
    array: NDArray[np.float64] = tensor.detach().cpu().double().numpy()
    return array
