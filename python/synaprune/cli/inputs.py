"""Saved models, and rows for them from a file of any format that ``prune`` reads."""

from __future__ import annotations

from typing import Any, BinaryIO

from synaprune.datasets import load_columns, load_inputs
from synaprune.io import ModelFileError
from synaprune.network import SparseMLP
from synaprune.path import PruningPath


def load_model(file: str) -> PruningPath | SparseMLP:
    """Read a pruning path, or a network that has none."""
    try:
        path = PruningPath.load(file)
    except ModelFileError:
        return SparseMLP.load(file)
    return path if path.steps else SparseMLP.load(file)


def inputs_for(net: SparseMLP, source: str | BinaryIO) -> Any:
    """Return the rows of a file as a network's inputs; columns are found by their names."""
    if net.encoder is None:
        return load_inputs(source, net.input_names)
    return net.as_inputs(load_columns(source, net.encoder.order))
