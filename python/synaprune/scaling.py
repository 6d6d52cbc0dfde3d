"""`InputTransform` and `TargetScaler`: how a network shifts and scales numbers on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs, as_numbers, as_weights, of_mean_one
from synaprune.checks import shown
from synaprune.distributed import ALL, AllRows

INPUT_SCALINGS = ("auto", "center", "standard", "none")


class InputTransform(NamedTuple):
    """What a network makes of its inputs: (x - shift)·scale.

    Attributes
    ----------
    shift, scale : ndarray of float32, shape (n_features,)
    """

    shift: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def given(cls, pair: object, n_features: int) -> InputTransform:
        """Return a pair (shift, scale) that a user gave, as copied arrays.

        Parameters
        ----------
        pair : (array_like, array_like)
            Each a number, or one number per feature.
        n_features : int

        Raises
        ------
        TypeError, ValueError
            If it is no pair, or a shape does not fit.
        """
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(
                f"input_scaling must be a name or a pair (shift, scale), got {shown(pair)}"
            )
        return cls(_full("shift", pair[0], n_features), _full("scale", pair[1], n_features))

    @classmethod
    def fitted(
        cls, inputs: Inputs, scaling: str, rows: AllRows, counted: Any = ALL
    ) -> InputTransform:
        """Return the transform of a named input scaling, fitted to the first training data.

        Parameters
        ----------
        inputs : ndarray of float32 or uint8, shape (n, n_features)
        scaling : {"auto", "center", "standard", "none"}
        rows : AllRows
            Of which data set they are the rows.
        counted : slice or ndarray of int
            Those that count.

        Raises
        ------
        ValueError
            If the spread of an input is too small for "standard".
        """
        mean, spread = np.zeros(inputs.shape[1]), None
        if scaling in ("center", "standard"):
            n = rows.count(counted)
            mean = rows.sum(lambda some: inputs[some].sum(axis=0, dtype=np.float64), counted) / n
        if scaling == "standard":
            spread = np.sqrt(rows.sum(lambda some: _squares(inputs[some], mean), counted) / n)
        return cls.of_moments(mean, spread, inputs.dtype, scaling)

    @classmethod
    def of_moments(
        cls,
        mean: NDArray[np.float64],
        spread: NDArray[np.float64] | None,
        dtype: np.dtype[Any],
        scaling: str,
    ) -> InputTransform:
        """Return the transform of a named input scaling, from what it takes of the data.

        Parameters
        ----------
        mean : ndarray of float64, shape (n_features,)
            For "none" and "auto" only its shape counts.
        spread : ndarray of float64, shape (n_features,), or None
            Standard deviations, which "standard" needs.
        dtype : dtype
            Of the inputs: float32 or uint8.
        scaling : {"auto", "center", "standard", "none"}

        Raises
        ------
        ValueError
            If the spread of an input is too small for "standard".
        """
        n = len(mean)
        if scaling == "none":
            return cls.given((0.0, 1.0), n)
        if scaling == "auto":
            return cls.given((0.0, _unit(dtype)), n)
        if scaling == "center":
            return cls.given((mean, _unit(dtype)), n)
        assert spread is not None
        constant = spread <= 1e-7 * np.abs(mean)  # to float32's rounding
        with np.errstate(over="ignore"):
            scale = (1.0 / np.where(constant, 1.0, spread)).astype(np.float32)
        if not np.isfinite(scale).all():
            raise ValueError(
                "X has an input whose spread is too small for input_scaling='standard'"
            )
        return cls.given((mean, scale), n)

    def apply(self, inputs: Inputs) -> NDArray[np.float64]:
        """Return the scaled inputs, as the first layer sees them.

        Parameters
        ----------
        inputs : ndarray of float32 or uint8, shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n, n_features)
        """
        scaled: NDArray[np.float64] = ((inputs - self.shift) * self.scale).astype(np.float64)
        return scaled


@dataclass(frozen=True, eq=False)
class TargetScaler:
    """How the numbers that a network predicts are standardised: it learns (y - mean) / scale.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (n_outputs,)
    one_axis : bool
        Whether y has shape (n,), not (n, n_outputs).

    Examples
    --------
    >>> scaler = TargetScaler.fitted(np.array([1.0, 3.0]))
    >>> scaler.encode(np.array([[3.0]])).tolist(), scaler.decode(np.array([[-1.0]])).tolist()
    ([[1.0]], [1.0])
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    one_axis: bool

    classes: ClassVar[None] = None  # as a `LabelEncoder` has them

    @classmethod
    def fitted(
        cls, y: NDArray[np.float64], rows: AllRows | None = None, counted: Any = ALL
    ) -> Self:
        """Return the scaler of some numbers; of constant ones the scale is 1.

        Parameters
        ----------
        y : ndarray of float64, shape (n,) or (n, n_outputs)
        rows, counted
            As in `InputTransform.fitted`; all rows are here if left out.
        """
        columns = y.reshape(len(y), -1)
        rows = rows or AllRows(len(y))
        n = rows.count(counted)
        mean = rows.sum(lambda some: columns[some].sum(axis=0), counted) / n
        squares = rows.sum(lambda some: np.square(columns[some] - mean).sum(axis=0), counted)
        spread = np.sqrt(squares / n)
        ends = rows.largest(
            lambda some: np.stack([columns, -columns])[:, some].max(axis=1, initial=-np.inf),
            counted,
        )
        varies = (ends.sum(axis=0) > 0.0) & (spread > 0.0)
        return cls(mean, np.where(varies, spread, 1.0), y.ndim == 1)

    @classmethod
    def saved(cls, record: dict[str, Any], n_outputs: int) -> Self:
        """Return the scaler that `record` described.

        Parameters
        ----------
        record : dict
        n_outputs : int

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is not what a network can hold.
        """
        try:
            mean, scale = (np.array(record[name], np.float64) for name in ("mean", "scale"))
        except OverflowError:
            raise ValueError("mean and scale must be within float64") from None
        for name, values in (("mean", mean), ("scale", scale)):
            if values.shape != (n_outputs,):
                raise ValueError(f"{name} must hold {n_outputs} numbers, got {shown(values)}")
            if not np.isfinite(values).all() or (name == "scale" and (values <= 0.0).any()):
                raise ValueError(f"{name} must be finite, and a scale above 0, got {shown(values)}")
        if not isinstance(record["one_axis"], bool) or (record["one_axis"] and n_outputs != 1):
            raise ValueError(f"one_axis must be a bool, got {shown(record['one_axis'])}")
        return cls(mean, scale, record["one_axis"])

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "mean": self.mean.tolist(), "scale": self.scale.tolist(), "one_axis": self.one_axis
        }  # fmt: skip

    def check(self, y: Any, n: int, name: str = "y") -> NDArray[np.float64]:
        """Return numbers that a user gives, one row a sample.

        Parameters
        ----------
        y : array_like, shape (n,) or (n, n_outputs)
        n : int
            Samples.
        name : str
            What errors call the argument.

        Returns
        -------
        ndarray of float64, shape (n, n_outputs)

        Raises
        ------
        TypeError, ValueError
            If they do not fit.
        """
        return as_numbers(y, n, len(self.mean), name).reshape(n, -1)

    def encode(self, y: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return numbers of shape (n, n_outputs) as the network learns them."""
        return np.ascontiguousarray((y - self.mean) / self.scale, np.float32)

    def decode(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return outputs of shape (n, n_outputs) as numbers of y's shape and units."""
        y: NDArray[np.float64] = outputs * self.scale + self.mean
        return y[:, 0] if self.one_axis else y

    def sample_weights(
        self,
        targets: NDArray[Any],
        sample_weight: Any,
        class_weight: Any,
        rows: AllRows | None = None,
    ) -> NDArray[np.float32] | None:
        """Return how much each sample counts, of mean 1; None if all count the same.

        Parameters
        ----------
        targets : ndarray, shape (n, n_outputs)
        sample_weight : array_like, shape (n,), or None
        class_weight : None
        rows : AllRows, optional
            Of which data set they are the rows; all are here if left out.

        Raises
        ------
        ValueError
            If they are no weights, or classes are weighted, which there are none of.
        """
        if class_weight is not None:
            raise ValueError("class_weight does not apply to a network that predicts numbers")
        if sample_weight is None:
            return None
        rows = rows or AllRows(len(targets))
        return of_mean_one(as_weights(sample_weight, len(targets), all_here=rows.all_here), rows)


class Moments:
    """Mean and standard deviation of rows that come block by block, in float64.

    The mean has the bits of `numpy.mean` over all rows, whatever the blocks; the deviation is
    merged from those of the blocks (Chan, Golub & LeVeque, 1983), and so equal to rounding.

    Parameters
    ----------
    spread : bool
        Whether the deviation is asked for, too.

    Examples
    --------
    >>> moments = Moments()
    >>> for block in ([[1.0], [2.0]], [[6.0]]):
    ...     moments.add(np.array(block))
    >>> moments.mean.tolist(), moments.sum_of_squares.tolist()
    ([3.0], [14.0])
    """

    def __init__(self, spread: bool = True) -> None:
        self.n = 0
        self.sum_of_squares: NDArray[np.float64] = np.zeros(0)  # of what differs from the mean
        self._sum: NDArray[np.float64] = np.zeros(0)
        self._spread = spread

    def add(self, rows: NDArray[Any]) -> None:
        """Add rows of shape (m, n_columns), which is the same in all calls."""
        step = 1 + 2**17 // max(1, rows.shape[1])  # so that what is converted stays in the cache
        for first in range(0, len(rows), step):
            piece = rows[first : first + step].astype(np.float64)
            if self._spread:
                self._merge(piece)
            # One sum in the order of the rows, which numpy adds up one after the other.
            before = [self._sum[None]] if self.n else []
            self._sum = np.concatenate([*before, piece]).sum(axis=0)
            self.n += len(piece)

    def _merge(self, piece: NDArray[np.float64]) -> None:
        mean = piece.mean(axis=0)
        squares = np.square(piece - mean).sum(axis=0)
        if self.n:
            n, m = self.n, len(piece)
            squares += self.sum_of_squares + np.square(mean - self.mean) * (n * m / (n + m))
        self.sum_of_squares = squares

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of each column."""
        return self._sum / self.n

    @property
    def spread(self) -> NDArray[np.float64]:
        """Standard deviation of each column."""
        spread: NDArray[np.float64] = np.sqrt(self.sum_of_squares / self.n)
        return spread


def _unit(dtype: np.dtype[Any]) -> np.float32:
    """Return the scale that brings pixels to [0, 1] and leaves other numbers alone."""
    return np.float32(1.0) / np.float32(255.0 if dtype == np.uint8 else 1.0)


def _full(name: str, given: Any, n: int) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # infinity is refused by the core, by name
            return np.broadcast_to(np.asarray(given, np.float32), (n,)).copy()
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"input_scaling must have a {name} of one number or {n}, "
            f"got shape {np.shape(given)}: {shown(given)}"
        ) from None


def _squares(inputs: Inputs, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of the squared distances of each input, from a few rows at a time."""
    rows = 1 + 2**20 // inputs.shape[1]
    total = np.zeros(inputs.shape[1])
    for first in range(0, len(inputs), rows):
        total += np.square(inputs[first : first + rows] - mean).sum(axis=0)
    return total
