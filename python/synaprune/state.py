"""The state of a network's core as JSON values and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.checks import check_int, shown
from synaprune.layers import CSR, SparseLayer

Transform: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
# Kind, updates so far, and the moments of all parameters, as `_core.Network.optimizer_state`.
OptimizerState: TypeAlias = tuple[str, int, NDArray[np.float32]] | None


def instance_attributes(instance: object) -> dict[str, Any]:
    """Return all attributes of an object, those in slots of a subclass included."""
    found: Any = object.__getstate__(instance)
    named, slots = found if isinstance(found, tuple) else (found, {})
    return {**named, **slots}


def build_core(
    layers: Sequence[SparseLayer],
    *,
    activation: str,
    loss: str,
    rng_state: int,
    input_transform: Transform,
    frozen: NDArray[np.uint8] | None = None,
    optimizer_state: OptimizerState = None,
) -> _core.Network:
    """Return a core network with all of its state.

    Parameters
    ----------
    layers : sequence of SparseLayer
    activation, loss : str
    rng_state : int
    input_transform : (ndarray, ndarray)
        Shift and scale, float32, each of shape (n_features,).
    frozen : ndarray of uint8, optional
    optimizer_state : (str, int, ndarray of float32), optional

    Raises
    ------
    TypeError, ValueError
        If the parts do not fit each other.
    """
    core = _core.Network.from_layers(
        [layer.to_core() for layer in layers], activation, loss, rng_state
    )
    core.input_transform = input_transform
    core.frozen = frozen
    core.optimizer_state = optimizer_state
    return core


def core_state(core: _core.Network) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return (JSON values, arrays) from which `core_from_state` makes an equal core."""
    shift, scale = core.input_transform
    arrays: dict[str, NDArray[Any]] = {"input_shift": shift, "input_scale": scale}
    for i, layer in enumerate(core.layers()):
        parts: tuple[NDArray[Any], ...] = layer[1:]
        arrays |= {f"layer{i}_{name}": a for name, a in zip(CSR, parts, strict=True)}
    if (frozen := core.frozen) is not None:
        arrays["frozen"] = frozen
    optimizer, moments = pack_optimizer(core.optimizer_state)
    if optimizer is not None:
        arrays["moments"] = moments
    return {"rng_state": core.rng_state, "optimizer": optimizer}, arrays


def core_from_state(
    sizes: Sequence[int],
    activation: str,
    loss: str,
    values: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
) -> _core.Network:
    """Return the core that `core_state` took apart.

    Parameters
    ----------
    sizes : sequence of int
        Neurons of each level, inputs first.
    activation, loss : str
    values, arrays : mapping
        As `core_state` returned them.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the parts do not fit each other.
    """
    shift, scale = arrays["input_shift"], arrays["input_scale"]
    if not sizes or shift.shape != (sizes[0],):  # before the core takes memory for so many inputs
        raise ValueError(
            f"a shift of {shift.shape} inputs does not fit layers {shown(list(sizes))}"
        )
    for i, n_out in enumerate(sizes[1:]):
        if arrays[f"layer{i}_bias"].shape != (n_out,):
            raise ValueError(
                f"a bias of {arrays[f'layer{i}_bias'].shape} does not fit {n_out} neurons"
            )
    return build_core(
        [
            SparseLayer(n_in, *(arrays[f"layer{i}_{name}"] for name in CSR))
            for i, n_in in enumerate(sizes[:-1])
        ],
        activation=activation,
        loss=loss,
        rng_state=values["rng_state"],
        input_transform=(shift, scale),
        frozen=arrays.get("frozen"),
        optimizer_state=unpack_optimizer(values["optimizer"], arrays.get("moments")),
    )


def pack_optimizer(state: OptimizerState) -> tuple[list[Any] | None, NDArray[np.float32]]:
    """Return the optimiser's state as JSON values, [kind, updates, rows], and flat moments."""
    if state is None:
        return None, np.empty(0, np.float32)
    kind, updates, moments = state
    return [kind, updates, len(moments)], moments.reshape(-1)


def unpack_optimizer(
    values: Sequence[Any] | None, moments: NDArray[np.float32] | None
) -> OptimizerState:
    """Return the state that `pack_optimizer` took apart; raises a ValueError if parts miss."""
    if values is None:
        return None
    kind, updates, rows = values
    if moments is None:
        raise ValueError("the moments of its optimiser are missing")
    return kind, updates, moments.reshape(check_int("rows of moments", rows, 0), -1)
