"""A network as JSON, and back.

`network.schema.json`, beside this module, is the JSON Schema of the text; docs/export.md shows how
another program computes with it.
"""

from __future__ import annotations

import json
import os
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Labels
from synaprune.checks import check_int, listing, shown
from synaprune.io import ModelFileError, check_target, write_atomically
from synaprune.layers import CSR
from synaprune.network import SparseMLP
from synaprune.scaling import TargetScaler
from synaprune.unpacking import parse_json

__all__ = ["FORMAT", "VERSION", "from_json", "to_json"]

Net = TypeVar("Net", bound=SparseMLP)

FORMAT, VERSION = "synaprune network", 1
KEYS = (
    "format", "version", "producer", "n_inputs", "input_names", "shift", "scale", "activation",
    "layers", "loss", "classes", "label_type", "targets", "init_scale", "encoder",
)  # fmt: skip
LABEL_TYPES = {
    "str": str, "bool": bool,
    **{f"{sign}int{bits}": int for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip


def to_json(net: SparseMLP, path: str | os.PathLike[str] | None) -> str:
    """Return the text; `SparseMLP.to_json` documents the arguments."""
    net.check_fitted()
    if path is not None:
        check_target(path)
    shift, scale = net.input_transform
    targets, encoder, names = net._targets, net.encoder, net.input_names
    classes = None if net.is_regression else net.classes
    values = {
        "format": FORMAT,
        "version": VERSION,
        "producer": f"synaprune {_core.__version__}",
        "n_inputs": net.n_features,
        "input_names": None if names is None else list(names),
        "shift": shift.tolist(),
        "scale": scale.tolist(),
        "activation": net.activation,
        "layers": [{name: getattr(w, name).tolist() for name in CSR} for w in net.weights],
        "loss": net.loss,
        "classes": None if classes is None else classes.tolist(),
        "label_type": None if classes is None else _label_type(classes),
        "targets": targets.record() if isinstance(targets, TargetScaler) else None,
        "init_scale": net.init_scale,
        "encoder": None if encoder is None else encoder.record(),
    }
    text = json.dumps(values, allow_nan=False)
    text = text.replace("<", "\\u003c") + "\n"  # in strings alone: no script of a page ends there
    if path is not None:
        write_atomically(path, text.encode("ascii"))
    return text


def from_json(kind: type[Net], text: str | bytes) -> Net:
    """Return the network of a text; `SparseMLP.from_json` documents the arguments."""
    if not isinstance(text, str | bytes):
        raise TypeError(f"text must be a string or bytes, got {shown(text)}")
    try:
        return kind.from_state(*_state(_parsed(text)))
    except KeyError as error:
        raise ModelFileError(f"text does not describe a network: it lacks {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"text does not describe a network: {error}") from error


def _parsed(text: str | bytes) -> dict[str, Any]:
    """Return the values, if they are of this format and version."""
    try:
        values = parse_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"it is no JSON, got {shown(text)} ({error}); of a file give the text, not the name"
        ) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f"it must be an object of the format {FORMAT!r}, got {shown(values)}")
    if values.get("version") != VERSION:
        raise ValueError(
            f"it has version {shown(values.get('version'))}, this version reads {VERSION} alone"
        )
    return values


def _state(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what `SparseMLP.from_state` takes; each array is as long as its list in the text."""
    _check_keys("it", values, KEYS)
    sizes = [check_int("n_inputs", values["n_inputs"], 1)]
    arrays: dict[str, NDArray[Any]] = {
        f"input_{name}": _floats(name, values[name], sizes[0]) for name in ("shift", "scale")
    }
    for i, layer in enumerate(_items("layers", values["layers"], dict)):
        place = f"layers[{i}]"
        _check_keys(place, layer, CSR)
        bias = _floats(f"{place}.bias", layer["bias"])
        indices = _ints(f"{place}.indices", layer["indices"], np.int32)
        parts = (
            _ints(f"{place}.indptr", layer["indptr"], np.int64, len(bias) + 1),
            indices,
            *(_floats(f"{place}.{k}", layer[k], len(indices)) for k in ("values", "initial")),
            bias,
        )
        arrays |= {f"layer{i}_{name}": part for name, part in zip(CSR, parts, strict=True)}
        sizes.append(len(bias))
    if len(sizes) < 2:
        raise ValueError("layers must hold one or more, got none")
    header = {
        "layers": sizes,
        "input_scaling": "given",
        "seed": 0,
        "rng_state": 0,
        "optimizer": None,
        "numbers": _targets(values["targets"]),
        "labels": None,
    }
    header |= {k: values[k] for k in ("activation", "loss", "classes", "init_scale", "encoder")}
    names, classes, encoder = values["input_names"], values["classes"], values["encoder"]
    header["input_names"] = None if names is None else _items("input_names", names, str)
    if encoder is not None:
        _check_keys("encoder", encoder, ("columns", "left_out", "order", "notes"))
    if (classes is None) == (header["numbers"] is None):
        raise ValueError("it must have classes or targets, and not both")
    if classes is not None:
        name = values["label_type"]
        if not isinstance(name, str) or name not in LABEL_TYPES:
            raise ValueError(f"label_type must be of {', '.join(LABEL_TYPES)}, got {shown(name)}")
        _items("classes", classes, LABEL_TYPES[name])
        header["labels"] = name
    elif values["label_type"] is not None:
        raise ValueError("label_type must be null where there are no classes")
    return header, arrays


def _targets(record: Any) -> dict[str, Any] | None:
    if record is None:
        return None
    _check_keys("targets", record, ("mean", "scale", "one_axis"))
    for name in ("mean", "scale"):
        _items(f"targets.{name}", record[name], float, int)
    checked: dict[str, Any] = record
    return checked


def _label_type(classes: Labels) -> str:
    return "str" if classes.dtype.kind == "U" else classes.dtype.name


def _check_keys(place: str, given: Any, keys: tuple[str, ...]) -> None:
    """Raise unless an object has exactly these keys."""
    if not isinstance(given, dict):
        raise TypeError(f"{place} must be an object, got {shown(given)}")
    if missing := [key for key in keys if key not in given]:
        raise ValueError(f"{place} lacks {listing(missing)}")
    if unknown := [key for key in given if key not in keys]:
        raise ValueError(f"{place} has unknown keys: {listing(unknown)}")


def _items(place: str, given: Any, *kinds: type, n: int | None = None) -> list[Any]:
    """Return a list of items of exactly these types, n of them if that is said."""
    if not isinstance(given, list):
        raise TypeError(f"{place} must be an array, got {shown(given)}")
    if n is not None and len(given) != n:
        raise ValueError(f"{place} must hold {n} items, got {len(given)}")
    for item in given:
        if type(item) not in kinds:  # a bool is an int
            what = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"{place} must hold {what}, got {shown(item)}")
    return given


def _floats(place: str, given: Any, n: int | None = None) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        array = np.array(_items(place, given, float, int, n=n), np.float64).astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{place} holds a number that float32 cannot")
    return array


def _ints(place: str, given: Any, dtype: Any, n: int | None = None) -> NDArray[Any]:
    array = np.array(_items(place, given, int, n=n), np.int64)
    if len(array) and not 0 <= array.min() <= array.max() <= np.iinfo(dtype).max:
        raise ValueError(f"{place} must hold numbers from 0 to {np.iinfo(dtype).max}")
    return array.astype(dtype)
