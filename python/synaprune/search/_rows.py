"""What a user gives as X and y: rows that train, rows that judge, and what is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune import metrics
from synaprune.arrays import Inputs, as_inputs, as_weights
from synaprune.checks import check_names, shown
from synaprune.datasets import read_answers
from synaprune.frames import Frame, is_frame
from synaprune.labels import LabelEncoder
from synaprune.metrics import Metric
from synaprune.streams import refuse_blocks
from synaprune.tables import Table, TableEncoder, find_target, read_target
from synaprune.targets import ClassTargets, NumberTargets, Targets

_IMBALANCED = 0.8  # share of one class from which "auto" is balanced accuracy
_LEAST_SPREAD = 1e-150  # of numbers, whose squares are not 0
_Weights: TypeAlias = NDArray[np.float64] | None


class Rows(NamedTuple):
    """Rows that train or judge: inputs, labels or float64 numbers, and weights above 0."""

    inputs: Inputs
    answers: NDArray[Any]
    weights: _Weights


def read(
    X: Any,
    y: Any,
    sample_weight: Any,
    encoder: TableEncoder | None,
    input_names: Sequence[str] | None,
    numbers: bool | None,
) -> tuple[Rows, TableEncoder | None, Sequence[str] | None]:
    """Return the rows, the encoder of a table and names of the inputs."""
    refuse_blocks(X, "X")
    frame = Frame.of(X) if is_frame(X) else None
    if frame is not None:
        X = Table.from_dataframe(frame)
    if not isinstance(X, Table):
        if encoder is not None:
            raise TypeError(f"encoder goes with a Table, but X is of type {type(X).__name__}")
        inputs = as_inputs(X)
        if input_names is not None:
            input_names = check_names("input_names", input_names, inputs.shape[1])
        return (
            _weighted(inputs, read_answers(y, len(inputs), numbers), sample_weight),
            None,
            input_names,
        )
    if input_names is not None:
        raise TypeError("input_names must be left out with a Table, which has names of its own")
    if isinstance(y, str):
        name = find_target(X, y)
        target = read_target(X, name, numbers)
        if sample_weight is not None:
            sample_weight = as_weights(sample_weight, len(X))[target.rows]
        X, y = X.without([name]).take(target.rows), target.values
        if frame is not None and y.dtype.kind != "f":  # its labels keep their type
            y = frame.array(name)[target.rows]
    answers = read_answers(y, len(X), numbers)
    encoder = TableEncoder.fit(X) if encoder is None else encoder
    # The encoder names the inputs.
    return _weighted(encoder.transform(X), answers, sample_weight), encoder, None


def _weighted(
    inputs: Inputs, answers: NDArray[Any], sample_weight: Any, name: str = "sample_weight"
) -> Rows:
    """Return rows of a weight above 0, and their weights."""
    if sample_weight is None:
        return Rows(inputs, answers, None)
    weights = as_weights(sample_weight, len(answers), name)
    if not weights.all():
        some = np.flatnonzero(weights)
        inputs, answers, weights = inputs[some], answers[some], weights[some]
    return Rows(inputs, answers, weights)


def read_validation(
    validation: Any, rows: Rows, encoder: TableEncoder | None, names: Sequence[str] | None
) -> Rows:
    """Return the rows that judge in place of folds."""
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        raise TypeError(
            f"validation must be (X, y) or (X, y, sample_weight), got {shown(validation)}"
        )
    X, y, *weights = validation
    sample_weight = weights[0] if weights else None
    numbers = rows.answers.dtype.kind == "f"
    if encoder is not None:
        if not (isinstance(X, Table) or is_frame(X)):
            raise TypeError(f"validation X must be a Table, as X is, got {type(X).__name__}")
        judges = read(X, y, sample_weight, encoder, None, numbers)[0]
    else:
        given = as_inputs(X, rows.inputs.shape[1], "validation X", names=names)
        inputs = _of_type(given, rows.inputs.dtype)
        answers = read_answers(y, len(inputs), numbers, "validation y")
        judges = _weighted(inputs, answers, sample_weight, "validation sample_weight")
    if judges.answers.shape[1:] != rows.answers.shape[1:]:
        raise ValueError(
            f"validation y must have as many axes and outputs as y, of shape {rows.answers.shape}, "
            f"got {judges.answers.shape}"
        )
    return judges


def _of_type(given: Inputs, dtype: np.dtype[Any]) -> Inputs:
    """Return the inputs of rows that judge in the type of those that train."""
    with np.errstate(invalid="ignore"):  # of numbers that no uint8 is, which are refused
        inputs: Inputs = given.astype(dtype, copy=False)
    if (inputs != given).any():
        raise ValueError(
            "validation X must hold whole numbers from 0 to 255, as X does, which is uint8"
        )
    return inputs


def joined(rows: Any, judges: Any) -> Any:
    """Return an array with those of the rows that judge, if there are any, at its end."""
    return rows if judges is None else np.concatenate([rows, judges])


def targets_of(rows: Rows, judges: Rows | None, metric: Metric) -> Targets:
    """Return what is predicted and by which metric that is judged, or raise if it cannot be."""
    answers, weights = rows.answers, rows.weights
    n_judges = 0 if judges is None else len(judges.answers)
    if judges is not None and (weights is not None or judges.weights is not None):
        pairs = ((part.weights, len(part.answers)) for part in (rows, judges))
        weights = np.concatenate([np.ones(n) if w is None else w for w, n in pairs])
    if answers.dtype.kind == "f":
        metric = "r2" if metric == "auto" else metric
        metrics.check_task(metric, None)
        if not (np.ptp(answers, axis=0) > _LEAST_SPREAD).all():
            raise ValueError(
                f"y must hold different numbers of each output, more than {_LEAST_SPREAD:g} apart"
            )
        if metric == "neg_root_mean_squared_error" and answers.ndim == 2 and answers.shape[1] > 1:
            raise ValueError(f"metric {metric!r} goes with one output; use 'r2' for several")
        every = joined(answers, judges and judges.answers)
        return NumberTargets(metric, weights, every, n_judges=n_judges)
    classes, codes, counts = np.unique(answers, return_inverse=True, return_counts=True)
    if (counts >= 2).sum() < 2:
        raise ValueError(
            f"y must hold at least two classes of two rows each, got {len(classes)} classes, the "
            f"largest of {counts.max()} rows"
        )
    if metric == "auto":
        shares = np.bincount(codes, rows.weights)
        rare = shares.max() <= _IMBALANCED * shares.sum()
        metric = "accuracy" if rare else "balanced_accuracy"
    metrics.check_task(metric, len(classes))
    encoded = LabelEncoder(classes)
    more = None if judges is None else encoded.encode(judges.answers, "validation y")
    every = joined(codes.astype(np.int32), more)
    return ClassTargets(metric, weights, classes, every, n_judges=n_judges)
