"""Paths in model files: steps as JSON values and arrays, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core, io
from synaprune.network import SparseMLP
from synaprune.path._places import smallest_dtype
from synaprune.path._step import PathStep

_ARRAYS = ("living", "values", "biases")
UNFIT = (KeyError, TypeError, ValueError, IndexError)  # of parts that do not fit each other


def write_path(
    file: str | os.PathLike[str],
    start: SparseMLP,
    smallest: SparseMLP,
    steps: Sequence[PathStep],
    facts: Mapping[str, Any],
) -> None:
    """Write a model file with the smallest network, the start, all steps and JSON values."""
    network_header, network = smallest.state()
    start_header, first = start.state()
    records, arrays = pack(steps)
    parts = {"network": network, "start": first, "path": arrays}
    io.write_model(
        file,
        {
            "version": _core.__version__,
            "network": network_header,
            "start": start_header,
            "path": records,
            **facts,
        },
        {f"{part}/{name}": a for part, named in parts.items() for name, a in named.items()},
    )


def read_path(
    file: str | os.PathLike[str],
) -> tuple[SparseMLP, list[PathStep], dict[str, Any]]:
    """Read start, steps and JSON values that `write_path` wrote; raises as `PruningPath.load`."""
    header, arrays = io.read_model(file)
    if "path" not in header:
        raise io.ModelFileError(f"{file} holds a network without a path; use SparseMLP.load")
    try:
        start = SparseMLP.from_state(header["start"], _below("start/", arrays))
        steps = unpack(header["path"], _below("path/", arrays), start.n_synapses)
    except UNFIT as error:
        raise no_path(file, error) from error
    return start, steps, header


def no_path(file: str | os.PathLike[str], error: Exception) -> io.ModelFileError:
    """Return the error that says why a file does not describe a path."""
    return io.ModelFileError(f"{file} does not describe a path: {error}")


def _below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def pack(steps: Sequence[PathStep]) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    """Return the steps' JSON values, and their arrays, those of all steps end to end.

    What a file need not hold is left out: a step of plain SGD has no entry ``optimizer``, and a
    path of such steps no array ``moments``.
    """
    records, moments = [], []
    for s in steps:
        record = {**s.record(), "rng_state": s.rng_state}
        if s.optimizer_state is not None:
            kind, updates, rows = s.optimizer_state
            record["optimizer"] = [kind, updates, len(rows)]
            moments.append(rows.reshape(-1))
        records.append(record)
    arrays = {name: np.concatenate([getattr(s, name) for s in steps]) for name in _ARRAYS}
    if moments:
        arrays["moments"] = np.concatenate(moments)
    return records, arrays


def unpack(
    records: Sequence[dict[str, Any]], arrays: Mapping[str, NDArray[Any]], n_synapses: int
) -> list[PathStep]:
    """Return the steps that `pack` took apart, of a network that began with ``n_synapses``.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the parts do not fit each other.
    """
    counts = [record["n_synapses"] for record in records]
    living, values = arrays["living"], arrays["values"]
    if not counts or {len(living), len(values)} != {sum(counts)}:
        raise ValueError("its steps do not fit its arrays")
    if living.dtype.kind not in "iu" or (living.size and _outside(living, n_synapses)):
        raise ValueError(f"its positions are not ints from 0 to {n_synapses - 1}")
    biases = np.split(arrays["biases"], len(records))
    n_biases = len(biases[0])
    states = [record.get("optimizer") for record in records]
    sizes = [
        0 if state is None else state[2] * (n + n_biases)
        for n, state in zip(counts, states, strict=True)
    ]
    moments = arrays.get("moments", np.empty(0, np.float32))
    if len(moments) != sum(sizes):
        raise ValueError("its optimiser states do not fit its arrays")
    ends = np.cumsum(counts)[:-1]
    parts = zip(
        records,
        np.split(living.astype(smallest_dtype(n_synapses)), ends),
        np.split(values, ends),
        biases,
        np.split(moments, np.cumsum(sizes)[:-1]),
        strict=True,
    )
    return [
        PathStep(
            **{name: value for name, value in record.items() if name != "optimizer"},
            living=where,
            values=what,
            biases=bias,
            optimizer_state=_state(record.get("optimizer"), rows),
        )
        for record, where, what, bias, rows in parts
    ]


def _state(
    saved: Sequence[Any] | None, moments: NDArray[np.float32]
) -> tuple[str, int, NDArray[np.float32]] | None:
    if saved is None:
        return None
    kind, updates, rows = saved
    return kind, updates, moments.reshape(rows, -1)


def _outside(positions: NDArray[Any], n: int) -> bool:
    return bool(positions.min() < 0 or positions.max() >= n)
