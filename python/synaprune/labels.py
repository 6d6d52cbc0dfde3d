"""`LabelEncoder`: the labels of a network and their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import (
    Labels,
    as_labels,
    as_probabilities,
    as_weights,
    is_soft,
    of_mean_one,
)
from synaprune.checks import check_float, shown
from synaprune.distributed import AllRows

_NUMBERS = [np.dtype(f"{kind}{n}") for kind in "iu" for n in (1, 2, 4, 8)]
_DTYPES = {"str", "bool", "|b1"} | {s for d in _NUMBERS for s in (d.name, d.str, d.str[1:])}
_DTYPES |= {f">{d.str[1:]}" for d in _NUMBERS}  # of labels in files
_LARGEST = 2**30  # bytes of labels in files: one long label makes all of them as long

Targets: TypeAlias = NDArray[np.int32] | NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LabelEncoder:
    """The classes that a network knows; a label's number is its position among them.

    Attributes
    ----------
    classes : ndarray of ints, bools or strings, shape (n_classes,)
        Sorted, unique and read-only.

    Examples
    --------
    >>> encoder = LabelEncoder.fitted(np.array(["no", "yes", "no"]), n_outputs=1)
    >>> encoder.encode(np.array(["yes", "no"])).tolist()
    [1, 0]
    """

    classes: Labels

    def __post_init__(self) -> None:
        classes = self.classes.copy()
        classes.flags.writeable = False
        object.__setattr__(self, "classes", classes)

    def __reduce__(self) -> tuple[type[Self], tuple[Labels]]:
        return type(self), (self.classes,)  # since a copied array would be writable

    @classmethod
    def fitted(cls, labels: Labels, n_outputs: int) -> Self:
        """Return an encoder of the labels that occur.

        Parameters
        ----------
        labels : ndarray, shape (n,)
        n_outputs : int
            Outputs of the network.

        Raises
        ------
        ValueError
            If the network cannot tell so many classes apart.
        """
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(f"y must hold at least two classes, got only {brief(classes)}")
        if len(classes) != max(n_outputs, 2):
            wanted = "two classes" if n_outputs == 1 else f"{n_outputs} classes"
            raise ValueError(
                f"a network with {n_outputs} output{'s' * (n_outputs > 1)} needs {wanted}, "
                f"got {len(classes)}: {brief(classes)}"
            )
        return cls(classes)

    @classmethod
    def saved(cls, labels: Sequence[object], dtype: str, n_outputs: int) -> Self:
        """Return the encoder of a saved network.

        Parameters
        ----------
        labels : sequence
            Python values of the classes.
        dtype : str
            Their NumPy dtype.
        n_outputs : int

        Raises
        ------
        ValueError
            If they are not what a network can hold.
        """
        longest = max((len(label) for label in labels if isinstance(label, str)), default=0)
        width = re.fullmatch(r"[<>]U(\d{1,9})", dtype)
        if 4 * len(labels) * max(longest, int(width[1]) if width else 0) > _LARGEST:
            raise ValueError(f"labels must take {_LARGEST} bytes or less, got {shown(labels)}")
        if not width and dtype not in _DTYPES:
            raise ValueError(f"the dtype of labels is {shown(dtype)}")
        try:
            classes = np.array(labels, dtype)
        except OverflowError:
            raise ValueError(f"labels must be within {dtype}, got {shown(labels)}") from None
        if classes.dtype.kind not in "iubU" or classes.tolist() != labels:
            raise ValueError(f"labels must be ints, bools or strings, got {shown(labels)}")
        encoder = cls.fitted(classes, n_outputs)
        if encoder.classes.tolist() != labels:
            raise ValueError(f"labels must be sorted, got {shown(labels)}")
        return encoder

    def encode(self, y: Labels, name: str = "y") -> NDArray[np.int32]:
        """Return the numbers of labels.

        Parameters
        ----------
        y : ndarray, shape (n,)
            As `as_labels` returns them.
        name : str
            What errors call the argument.

        Returns
        -------
        ndarray of int32, shape (n,)

        Raises
        ------
        TypeError
            If labels and classes are of different kinds, such as strings and ints.
        ValueError
            If a label is not among the classes.
        """
        classes = self.classes
        if (y.dtype.kind == "U") != (classes.dtype.kind == "U"):
            raise TypeError(
                f"{name} holds {y.dtype} labels, but the network was fitted with "
                f"{classes.dtype} labels"
            )
        labels = y if y.dtype.kind == "U" else y.astype(classes.dtype)  # may wrap around
        codes: NDArray[np.int32] = np.searchsorted(classes, labels).astype(np.int32)
        np.minimum(codes, len(classes) - 1, out=codes)
        unknown = classes[codes] != labels
        if labels.dtype != y.dtype:
            unknown |= (labels.astype(y.dtype) != y) | ((labels < 0) != (y < 0))
        if unknown.any():
            raise ValueError(
                f"{name} holds the label {shown(y[unknown][0].item())}, which is not among the "
                f"classes {brief(classes)}"
            )
        return codes

    def check(self, y: Any, n: int, name: str = "y") -> NDArray[np.int32]:
        """Return the numbers of labels that a user gives.

        Parameters
        ----------
        y : array_like, shape (n,)
        n : int
            Samples.
        name : str
            What errors call the argument.

        Returns
        -------
        ndarray of int32, shape (n,)

        Raises
        ------
        TypeError, ValueError
            If they do not fit.
        """
        return self.encode(as_labels(y, n, name), name)

    def check_same(self, classes: Any) -> None:
        """Raise unless these are the classes, in any order.

        Parameters
        ----------
        classes : array_like

        Raises
        ------
        TypeError, ValueError
            If they are no labels, or others.
        """
        given = np.unique(as_classes(classes))
        if not np.array_equal(given, self.classes):
            raise ValueError(
                f"classes must be those of the first call, {brief(self.classes)}, "
                f"got {brief(given)}"
            )

    def sample_weights(
        self,
        targets: Targets,
        sample_weight: Any,
        class_weight: Any,
        rows: AllRows | None = None,
    ) -> NDArray[np.float32] | None:
        """Return how much each sample counts.

        Parameters
        ----------
        targets : ndarray of int32, shape (n,), or of float32, shape (n, n_classes)
            Class numbers, or a probability of each class.
        sample_weight, class_weight
            As in `SparseMLP.fit`.
        rows : AllRows, optional
            Of which data set they are the rows; all are here if left out.

        Returns
        -------
        ndarray of float32, shape (n,), or None
            Weights of mean 1; None if all are equal.

        Raises
        ------
        TypeError, ValueError
            If weights are not finite, below 0, all 0, or name an unknown class.
        """
        if sample_weight is None and class_weight is None:
            return None
        n = len(targets)
        rows = rows or AllRows(n)
        weights, name = np.ones(n), "sample_weight"
        if sample_weight is not None:
            weights = as_weights(sample_weight, n, all_here=rows.all_here)
        if class_weight is not None:
            by_class = self._class_weights(self.counts(targets, rows), rows.n, class_weight)
            weights = weights * (targets @ by_class if targets.ndim == 2 else by_class[targets])
            name = "class_weight"
            as_weights(weights, n, name, all_here=rows.all_here)
        return of_mean_one(weights, rows, name)

    def counts(self, targets: Targets, rows: AllRows) -> NDArray[Any]:
        """Return how often each class occurs in all rows, of probabilities their sums.

        Parameters
        ----------
        targets : ndarray
            As in `sample_weights`.
        rows : AllRows
            Of which data set they are the rows.

        Returns
        -------
        ndarray, shape (n_classes,)
        """
        soft, n_classes = targets.ndim == 2, len(self.classes)
        counts: NDArray[Any] = rows.sum(
            lambda some: (
                targets[some].sum(axis=0)
                if soft
                else np.bincount(targets[some], minlength=n_classes)
            )
        )
        return counts

    def weights_by_class(
        self, counts: NDArray[Any], n: int, class_weight: Any
    ) -> NDArray[np.float64]:
        """Return how much a sample of each class counts, so that all samples weigh 1 on average.

        Parameters
        ----------
        counts : ndarray, shape (n_classes,)
            As `counts` returns them, of all samples.
        n : int
            Samples.
        class_weight
            As in `Training`.

        Returns
        -------
        ndarray of float64, shape (n_classes,)

        Raises
        ------
        TypeError, ValueError
            As `sample_weights`.
        """
        by_class = self._class_weights(counts, n, class_weight)
        as_weights(by_class * counts, len(counts), "class_weight")
        mean_one: NDArray[np.float64] = by_class * (n / (by_class @ counts))
        return mean_one

    def _class_weights(self, counts: NDArray[Any], n: int, given: Any) -> NDArray[np.float64]:
        n_classes = len(self.classes)
        if isinstance(given, str) and given == "balanced":
            balanced: NDArray[np.float64] = n / (n_classes * np.maximum(counts, 1e-9))
            return balanced
        if not isinstance(given, Mapping):
            raise TypeError(f"class_weight must be 'balanced' or a dict, got {shown(given)}")
        weights = np.ones(n_classes)
        for label, weight in given.items():
            where = np.flatnonzero(self.classes == label)
            if len(where) != 1:
                raise ValueError(
                    f"class_weight names {shown(label)}, which is not among the classes "
                    f"{brief(self.classes)}"
                )
            name = f"class_weight of {shown(label)}"
            weights[where[0]] = check_float(name, weight, 0.0)
        return weights


def as_targets(
    y: Any, n: int, encoder: LabelEncoder | None, classes: Any, n_outputs: int, name: str = "y"
) -> tuple[LabelEncoder, Targets]:
    """Return what the core trains towards, and the encoder of the labels.

    Parameters
    ----------
    y : array_like, shape (n,), or of float, shape (n, n_classes)
        Labels, or soft targets.
    n : int
        Samples.
    encoder : LabelEncoder or None
        What the network knows already.
    classes : array_like or None
        All labels that will ever come, if the caller says so.
    n_outputs : int
        Outputs of the network.
    name : str
        What errors call y.

    Returns
    -------
    (LabelEncoder, ndarray)
        The second of int32, shape (n,), or of float32, shape (n, n_classes).

    Raises
    ------
    TypeError, ValueError
        If y or classes do not fit each other or the network.
    """
    soft = as_probabilities(y, n, name) if is_soft(y) else None
    labels = as_labels(y, n, name) if soft is None else np.arange(soft.shape[1])
    if encoder is None:
        first = labels if classes is None else as_classes(classes)
        encoder = LabelEncoder.fitted(first, n_outputs)
    elif classes is not None:
        encoder.check_same(classes)
    if soft is None:
        return encoder, encoder.encode(labels, name)
    known = encoder.classes
    if soft.shape[1] != len(known):
        raise ValueError(
            f"{name} must have a column for each of the {len(known)} classes {brief(known)}, "
            f"got {soft.shape[1]}"
        )
    return encoder, soft


def as_classes(classes: Any) -> Labels:
    """Return the labels that a caller lists, or raise if they are none."""
    if np.ndim(classes) == 0:
        raise TypeError(f"classes must be a sequence of labels, got {shown(classes)}")
    return as_labels(classes, len(classes), "classes")


def brief(classes: Labels) -> str:
    """Return the labels as text, the first ten of many."""
    labels = [shown(label) for label in classes[:10].tolist()]
    more = f", … {len(classes)} in all" if len(classes) > 10 else ""
    return f"[{', '.join(labels)}{more}]"


def class_number(classes: Labels, label: Any) -> int:
    """Return the position of one label among the classes of a network.

    Parameters
    ----------
    classes : ndarray, shape (n_classes,)
    label
        An int, bool or string.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the label is not among the classes.

    Examples
    --------
    >>> class_number(np.array(["no", "yes"]), "yes")
    1
    """
    where = np.flatnonzero(classes == label)
    if len(where) != 1:
        raise ValueError(f"label must be one of {brief(classes)}, got {shown(label)}")
    return int(where[0])
