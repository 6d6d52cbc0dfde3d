"""What tells one run from another: options and arrays as JSON values that can be compared."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import shown


def described(value: Any) -> Any:
    """Return what tells an option or an array from another, as JSON values."""
    if isinstance(value, np.ndarray):
        return digest(value)
    if isinstance(value, np.generic):
        return described(value.item())
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): described(v) for key, v in value.items()}
    if isinstance(value, Sequence):
        return [described(v) for v in value]
    if hasattr(value, "__qualname__"):  # functions and classes: their code is not compared
        return f"{value.__module__}.{value.__qualname__}"
    fields = (
        {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        if dataclasses.is_dataclass(value)
        else getattr(value, "__dict__", {})
    )
    return {"": type(value).__qualname__} | {k: described(v) for k, v in fields.items()}


def digest(array: NDArray[Any]) -> str:
    """Return dtype, shape and a digest of an array's content."""
    content: Any
    if array.dtype.hasobject:
        content = json.dumps(array.tolist(), default=str).encode()
    else:
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    hashed = hashlib.sha256(content).hexdigest()
    return f"{array.dtype} of shape {array.shape} with digest {hashed[:16]}"


def flat(values: Any, name: str = "") -> dict[str, Any]:
    """Return nested mappings as one, {"a": {"b": 1}} as {"a.b": 1}."""
    if not isinstance(values, Mapping):
        return {name: values}
    joined: dict[str, Any] = {}
    for key, value in values.items():
        joined |= flat(value, f"{name}.{key}" if name and key else name or key)
    return joined


def told(values: Mapping[str, Any], name: str) -> str:
    """Return one of such values as text, "left out" if it is not there."""
    if name not in values:
        return "left out"
    value = values[name]
    return value if isinstance(value, str) else shown(value)
