"""`PreparingNetwork`: how a user's data become what the core takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import (
    Inputs,
    Labels,
    as_inputs,
    as_labels,
    as_probabilities,
    as_weights,
    distinct,
    encode,
    is_soft,
)
from synaprune.checks import check_float
from synaprune.network._checks import brief, check_classes, transform_for
from synaprune.network._saved import SavedNetwork
from synaprune.training import ShiftImages, TrainingSet, check_augment


class PreparingNetwork(SavedNetwork):
    """A network that fixes its labels and its input transform at the first data it sees.

    The public class is `SparseMLP`, which adds training and prediction.
    """

    def prepare(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        *,
        sample_weight: Any = None,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        augment: ShiftImages | None = None,
    ) -> TrainingSet:
        """Fix classes and input transform, if no call has yet; return what the core trains on.

        Parameters
        ----------
        X, y, sample_weight, class_weight, label_smoothing, augment
            As in `SparseMLP.fit`.
        classes : array_like, optional
            All labels that will ever come, if y lacks some.

        Returns
        -------
        TrainingSet

        Raises
        ------
        TypeError, ValueError
            If the data do not fit; nothing has changed then.
        """
        inputs = as_inputs(X, self.layers[0])
        smoothing = check_float("label_smoothing", label_smoothing, 0.0, 1.0 - 2**-10)
        augment = check_augment(augment, self.layers[0])
        known, targets = self._targets(y, len(inputs), classes)
        weights = _weights(targets, known, sample_weight, class_weight)
        if self._classes is None:
            if isinstance(self.input_scaling, str):
                self._set_transform(*transform_for(inputs, self.input_scaling))
            known.flags.writeable = False
            self._classes = known
        return TrainingSet(inputs, targets, weights, smoothing, augment)

    def _targets(
        self, y: Any, n: int, classes: Any
    ) -> tuple[Labels, NDArray[np.int32] | NDArray[np.float32]]:
        """Return the classes and what the core trains towards."""
        soft = as_probabilities(y, n) if is_soft(y) else None
        labels = as_labels(y, n) if soft is None else np.arange(soft.shape[1])
        if classes is None and self._classes is not None:
            known = self._classes
        elif classes is not None and np.ndim(classes) == 0:
            raise TypeError(f"classes must be a sequence of labels, got {classes!r}")
        else:
            given = labels if classes is None else as_labels(classes, len(classes), "classes")
            known = check_classes(distinct(given), self.layers[-1])
            if self._classes is not None and not np.array_equal(known, self._classes):
                raise ValueError(
                    f"classes must be those of the first call, {brief(self._classes)}, "
                    f"got {brief(known)}"
                )
        if soft is None:
            return known, encode(labels, known)
        if soft.shape[1] != len(known):
            raise ValueError(
                f"y must have a column for each of the {len(known)} classes {brief(known)}, "
                f"got {soft.shape[1]}"
            )
        return known, soft

    def check_data(self, X: Any, y: Any, name: str = "") -> tuple[Inputs, NDArray[np.int32]]:
        """Return samples and class numbers of further data; raises as `fit` does.

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
        y : array_like, shape (n,)
        name : str
            What errors call the data, such as "validation".
        """
        X_name, y_name = (f"{name} X", f"{name} y") if name else ("X", "y")
        inputs = as_inputs(X, self.layers[0], X_name)
        return inputs, encode(as_labels(y, len(inputs), y_name), self.classes, y_name)

    def check_validation(
        self, validation: Any, name: str = "validation"
    ) -> tuple[Inputs, NDArray[np.int32]]:
        """Return samples and class numbers of a split; raises as `fit` does.

        Parameters
        ----------
        validation : (X, y)
        name : str
            What errors call it.
        """
        if isinstance(validation, np.ndarray | str) or not hasattr(validation, "__iter__"):
            raise TypeError(f"{name} must be a pair (X, y), got {type(validation).__name__}")
        parts = tuple(validation)
        if len(parts) != 2:
            raise ValueError(f"{name} must be a pair (X, y), got {len(parts)} parts")
        return self.check_data(*parts, name)

    @contextmanager
    def _restored_on(self, *errors: type[Exception]) -> Iterator[None]:
        """Put everything back as it was if one of the errors passes."""
        core, classes = self.core.copy(), self._classes
        try:
            yield
        except errors:
            self.core.assign(core)
            self._classes = classes
            raise


def _weights(
    targets: NDArray[np.int32] | NDArray[np.float32],
    classes: Labels,
    sample_weight: Any,
    class_weight: Any,
) -> NDArray[np.float32] | None:
    """Weights of mean 1, or None for equal ones."""
    if sample_weight is None and class_weight is None:
        return None
    n = len(targets)
    weights = np.ones(n) if sample_weight is None else as_weights(sample_weight, n)
    if class_weight is not None:
        by_class = _class_weights(targets, classes, class_weight)
        weights = weights * (targets @ by_class if targets.ndim == 2 else by_class[targets])
        as_weights(weights, n, "class_weight")
    mean_one: NDArray[np.float32] = (weights * (n / weights.sum())).astype(np.float32)
    return mean_one


def _class_weights(
    targets: NDArray[np.int32] | NDArray[np.float32], classes: Labels, given: Any
) -> NDArray[np.float64]:
    if isinstance(given, str) and given == "balanced":
        soft = targets.ndim == 2
        counts = targets.sum(axis=0) if soft else np.bincount(targets, minlength=len(classes))
        return len(targets) / (len(classes) * np.maximum(counts, 1e-9))
    if not isinstance(given, Mapping):
        raise TypeError(f"class_weight must be 'balanced' or a dict, got {given!r}")
    weights = np.ones(len(classes))
    for label, weight in given.items():
        where = np.flatnonzero(classes == label)
        if len(where) != 1:
            raise ValueError(
                f"class_weight names {label!r}, which is not among the classes {brief(classes)}"
            )
        weights[where[0]] = check_float(f"class_weight of {label!r}", weight, 0.0)
    return weights
