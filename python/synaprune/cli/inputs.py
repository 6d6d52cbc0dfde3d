"""Rows for a saved model, from a file of any format that ``prune`` reads."""

from __future__ import annotations

from typing import Any, BinaryIO

from synaprune.datasets import load_columns, load_inputs
from synaprune.network import SparseMLP


def inputs_for(net: SparseMLP, source: str | BinaryIO) -> Any:
    """Return the rows of a file as a network's inputs; columns are found by their names."""
    if net.encoder is None:
        return load_inputs(source, net.input_names)
    return net.as_inputs(load_columns(source, net.encoder.order))
