"""`Split` and `Dataset`: what every loader returns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.tables import TableEncoder


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Inputs and labels of one part of a dataset; ``X, y = split`` unpacks it.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Inputs, one row per example. Kept as a read-only view.
    y : ndarray, shape (n,)
        Labels: integers, booleans or strings; or float64, numbers to predict. Kept as a read-only
        view.

    Raises
    ------
    ValueError
        If `X` is not two-dimensional or `y` does not hold one label per row.

    Examples
    --------
    >>> from synaprune import datasets
    >>> X, y = datasets.xor().train
    >>> y
    array([0, 1, 1, 0])
    """

    X: NDArray[Any]
    y: NDArray[Any]

    def __post_init__(self) -> None:
        """Check the shapes and make the arrays read-only, without a copy."""
        for name in ("X", "y"):
            view = np.asarray(getattr(self, name)).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if self.X.ndim != 2 or self.y.shape != self.X.shape[:1]:
            raise ValueError(
                f"X and y: expected shapes (n, d) and (n,), got {self.X.shape} and {self.y.shape}"
            )

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yield `X`, then `y`."""
        return iter((self.X, self.y))

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.y)

    def __repr__(self) -> str:
        """Shapes and dtypes."""
        return f"Split(X {self.X.shape} {self.X.dtype}, y {self.y.shape} {self.y.dtype})"


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Three splits of a problem, classes or numbers to predict, and the names of its inputs.

    Parameters
    ----------
    name : str
        ``"mnist"``, or the file name of a table.
    train, validation, test : Split
        For training, for decisions, and for the final report.
    input_names : tuple of str
        One name per column of `X`.
    input_scaling : {"auto", "standard"}
        ``"standard"``: shift and scale each input to mean 0 and standard deviation 1 over the
        training split. ``"auto"``: scale uint8 by 1/255, leave other types unchanged.
    image_shape : (int, int), optional
        Rows and columns, if the inputs are an image.
    encoder : TableEncoder, optional
        What made the inputs of a table's columns.

    Raises
    ------
    ValueError
        If a split has another number of columns than `input_names`, or `input_scaling` is unknown.

    Examples
    --------
    >>> from synaprune import datasets
    >>> datasets.xor()
    Dataset('xor': 2 inputs, 2 classes; 4 train, 4 validation, 4 test rows)
    """

    name: str
    train: Split
    validation: Split
    test: Split
    input_names: tuple[str, ...]
    input_scaling: str
    image_shape: tuple[int, int] | None = None
    encoder: TableEncoder | None = None

    def __post_init__(self) -> None:
        """Check that splits and names fit together."""
        if self.input_scaling not in ("auto", "standard"):
            raise ValueError(
                f"input_scaling: expected 'auto' or 'standard', got {self.input_scaling!r}"
            )
        widths = [split.X.shape[1] for split in self._splits]
        if set(widths) != {self.n_features}:
            raise ValueError(
                f"input_names: {self.n_features} names for splits with {widths} input columns"
            )

    @property
    def _splits(self) -> tuple[Split, Split, Split]:
        return self.train, self.validation, self.test

    @property
    def n_features(self) -> int:
        """Number of input columns."""
        return len(self.input_names)

    @property
    def is_regression(self) -> bool:
        """Whether numbers are to be predicted, not classes."""
        return bool(self.train.y.dtype.kind == "f")

    @property
    def n_classes(self) -> int:
        """Number of distinct labels over all splits."""
        return len(self.classes)

    @cached_property
    def classes(self) -> NDArray[Any]:
        """Sorted unique labels over all splits, shape (n_classes,)."""
        classes = np.unique(np.concatenate([split.y for split in self._splits]))
        classes.flags.writeable = False
        return classes

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the contents: equal data have equal digests, whatever their source.

        It covers dtype, shape and little-endian bytes of `X`, and kind and text of the labels,
        of all three splits. Names and scaling are not part of it.
        """
        digest = hashlib.sha256()
        for X, y in self._splits:
            X = np.ascontiguousarray(X, dtype=X.dtype.newbyteorder("<"))
            labels = [str(label) for label in y.tolist()]
            digest.update(json.dumps([X.dtype.str, X.shape, y.dtype.kind, labels]).encode())
            digest.update(X.reshape(-1).data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        """Name and sizes."""
        train, validation, test = map(len, self._splits)
        targets = "numbers" if self.is_regression else f"{self.n_classes} classes"
        return (
            f"Dataset({self.name!r}: {self.n_features} inputs, {targets}; "
            f"{train} train, {validation} validation, {test} test rows)"
        )
