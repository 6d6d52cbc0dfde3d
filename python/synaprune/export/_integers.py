"""A network in 8- or 16-bit integers, as the C header of that dtype computes it.

Inputs and outputs of neurons are integers of a few bits, and each stands for a real number: q times
a unit. A neuron's sum is

    sum = bias + Σ weight · input                       in 32 bits, |sum| < 2^30 by construction

and its unit is that of the layer's outputs divided by 2^shift, so that a rounded shift to the right
is all that brings it there. `shift` is the largest for which the neuron's weights fit their bits.
Rounding is half away from zero. relu cuts off at 0; every other activation is a table over the
shifted sum, of 256 outputs with 8 bits, and with 16 bits of 257 between which lines are drawn. The
last layer has one unit for all of its sums, which are what `logits` returns.

The largest outputs on calibration rows choose the units; what lies beyond is cut off. Inputs of
float32 become integers first, in the only step that is not integer; see `Entry`. Inputs of uint8
are taken as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs, Labels
from synaprune.checks import check_choice
from synaprune.network import SparseMLP
from synaprune.program import ACTIVATIONS, Array, Program, ProgramLayer
from synaprune.stats import r2_score

DTYPES = ("int8", "int16")
INPUT_DTYPES = ("float32", "uint8")
_LARGEST_SUM = 2**30 - 1
_MOST_SHIFTED = 30
_ROWS = 4096  # at a time
_COARSER = 2.0  # what rounded inputs may cost more, as errors of sums, where tables are smaller
# Sums beyond, of which these are their limits to five digits.
_SATURATED = {"sigmoid": 10.0, "tanh": 5.0}


@dataclass(frozen=True, eq=False)
class Entry:
    """How inputs of float32 become integers: (x - offset)·factor / 2, rounded and cut off.

    Attributes
    ----------
    offset, factor : ndarray of float32, shape (n_inputs,)
        All the same where the inputs share one unit, which takes no tables.
    dtype : dtype
        Of the integers: unsigned where no input was negative.
    """

    offset: NDArray[np.float32]
    factor: NDArray[np.float32]
    dtype: Any

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the largest integer."""
        largest = int(np.iinfo(self.dtype).max)
        return (0 if self.dtype.kind == "u" else -largest), largest

    def units(self, scale: NDArray[np.float32]) -> Array:
        """Return what a step of each input is worth to the first layer."""
        units = np.ones(len(scale))
        np.divide(2.0 * scale, self.factor, units, where=self.factor != 0.0)
        return units

    def integers(self, x: Inputs) -> NDArray[np.int64]:
        """Return the integers of each row, half of a step away from zero."""
        least, largest = self.limits
        with np.errstate(over="ignore"):
            half_steps = (x.astype(np.float32) - self.offset) * self.factor
        inside = np.where(half_steps > 2 * least, np.minimum(half_steps, 2 * largest), 2 * least)
        twice = inside.astype(np.int64)
        nearest: NDArray[np.int64] = np.sign(twice) * ((np.abs(twice) + 1) // 2)
        return nearest


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """One layer in CSR form.

    Attributes
    ----------
    indptr : ndarray of int64, shape (n_out + 1,)
    indices : ndarray of int32, shape (n_synapses,)
    weights : ndarray of int8 or int16, shape (n_synapses,)
    bias : ndarray of int32, shape (n_out,)
    shift : ndarray of uint8, shape (n_out,), or None
        None of the last layer.
    table : ndarray or None
        Outputs of the activation, evenly spaced over the range of the shifted sum.
    dtype : dtype
        Of the outputs.
    steps : ndarray of float64, shape (n_synapses,)
        What one step of each weight is worth, in the network's own weights; 0 where nothing is.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weights: NDArray[Any]
    bias: NDArray[np.int32]
    shift: NDArray[np.uint8] | None
    table: NDArray[Any] | None
    dtype: Any
    steps: Array

    def sums(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the sums of each row of x."""
        rows = np.repeat(np.arange(len(self.bias)), np.diff(self.indptr))
        dense = np.zeros((len(self.bias), x.shape[1]), np.int64)
        dense[rows, self.indices] = self.weights
        sums: NDArray[np.int64] = x @ dense.T + self.bias
        assert (np.abs(sums) <= _LARGEST_SUM).all()
        return sums

    def outputs(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what a hidden layer gives to the next one."""
        assert self.shift is not None
        half = (1 << self.shift.astype(np.int64)) >> 1
        z = np.sign(sums) * ((np.abs(sums) + half) >> self.shift)
        y: NDArray[np.int64]
        if self.table is None:
            y = np.clip(z, 0, np.iinfo(self.dtype).max)
            return y
        table = self.table.astype(np.int64)
        if len(table) == 256:
            y = table[np.clip(z, -128, 127) + 128]
            return y
        z = np.clip(z, -32768, 32767) + 32768
        at, between = z >> 8, z & 255
        low = int(np.iinfo(self.dtype).min)  # so that what is shifted is never negative
        line = (table[at] - low) * (256 - between) + (table[at + 1] - low) * between
        y = ((line + 128) >> 8) + low
        return y


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A network in integers; `of` and `synaprune.quantize` make it.

    Attributes
    ----------
    dtype : str
        Of its weights: "int8" or "int16".
    input_dtype : str
        Of the rows that it takes: "float32" or "uint8".
    unit : float32
        What one step of `logits` is worth.
    """

    dtype: str
    input_dtype: str
    unit: np.float32
    _network: SparseMLP
    _program: Program
    _entry: Entry | None
    _layers: tuple[IntegerLayer, ...]

    @classmethod
    def of(
        cls, net: SparseMLP, calibration: Any, *, dtype: str = "int8", input_dtype: str = "float32"
    ) -> IntegerNetwork:
        """Return a network rounded to integers, which computes what `SparseMLP.to_c` writes.

        Nothing is trained. `synaprune.quantize` does the same under a contract.

        Parameters
        ----------
        net : SparseMLP
        calibration : array_like, shape (n, n_features), DataFrame or Table
            Rows such as the network will see, without labels; training rows will do. What is larger
            than anything that happens on them is cut off.
        dtype : {"int8", "int16"}
            Of the weights. Inputs and outputs of neurons have as many bits.
        input_dtype : {"float32", "uint8"}
            Of the rows. Those of uint8 are used as they are, without any arithmetic in float32.

        Returns
        -------
        IntegerNetwork

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit, or the network was never fitted.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.digits()
        >>> net = sn.SparseMLP((64, 20, 10), seed=0).fit(*data.train)
        >>> small = sn.export.IntegerNetwork.of(net, data.train.X)
        >>> abs(small.score(*data.test) - net.score(*data.test)) < 0.01
        True
        """
        check_choice("dtype", dtype, DTYPES)
        check_choice("input_dtype", input_dtype, INPUT_DTYPES)
        program = Program.of(net)
        rows = check_rows(net, calibration, "calibration", input_dtype)
        bits = np.iinfo(dtype)
        entry, first = None, program.layers[0]
        offset, units, largest = np.zeros(first.n_in), program.scale.astype(np.float64), 255
        if input_dtype == "float32":
            entry = _entry(program, rows, bits)
            offset, units = entry.offset.astype(np.float64), entry.units(program.scale)
            largest = entry.limits[1]
        at_zero = (offset - program.shift) * program.scale
        reads = _Reads(units, largest, first.sums(at_zero[None])[0])
        reached, layers = _reached(program, rows), []
        for layer, above, seen in zip(program.layers, program.layers[1:], reached, strict=False):
            made, unit = _hidden(layer, reads, *seen, bits)
            layers.append(made)
            units, largest = np.full(layer.n_out, unit), int(np.iinfo(made.dtype).max)
            reads = _Reads(units, largest, above.bias.astype(np.float64))
        last, unit = _last(program.layers[-1], reads, bits)
        every = (*layers, last)
        return cls(dtype, input_dtype, np.float32(unit), net.copy(), program, entry, every)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._program.structure}, {self.dtype})"

    def logits(self, X: Any) -> NDArray[np.int32]:
        """Return the integer sums of the last layer, as ``NAME_logits`` has them in C.

        Parameters
        ----------
        X : array_like, shape (n, n_features), DataFrame or Table

        Returns
        -------
        ndarray of int32, shape (n, n_outputs)

        Raises
        ------
        TypeError, ValueError
            If X does not fit, or is not uint8 where `input_dtype` is.
        """
        rows = check_rows(self._network, X, "X", self.input_dtype)
        sums = []
        for first in range(0, len(rows), _ROWS):
            x = self._entered(rows[first : first + _ROWS])
            for layer in self._layers[:-1]:
                x = layer.outputs(layer.sums(x))
            sums.append(self._layers[-1].sums(x).astype(np.int32))
        return np.concatenate(sums)

    def predict(self, X: Any) -> Labels:
        """Label of each row; of equally likely classes the first. Of a regression, the numbers.

        Parameters
        ----------
        X : array_like, shape (n, n_features), DataFrame or Table

        Returns
        -------
        ndarray, shape (n,), or of a regression shaped as y was

        Raises
        ------
        TypeError, ValueError
            If X does not fit, or is not uint8 where `input_dtype` is.
        """
        z, program = self.logits(X), self._program
        if program.targets is not None:
            return program.targets.decode(z.astype(np.float32) * self.unit)
        assert program.classes is not None
        labels: Labels = program.classes[(z[:, 0] > 0) * 1 if z.shape[1] == 1 else z.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Probability of each class for each row, as C computes it of the integers.

        Parameters
        ----------
        X : array_like, shape (n, n_features), DataFrame or Table

        Returns
        -------
        ndarray of float32, shape (n, n_classes)

        Raises
        ------
        TypeError, ValueError
            If X does not fit, is not uint8 where `input_dtype` is, or numbers are predicted.
        """
        output = self._program.output
        if output == "numbers":
            raise ValueError("the network predicts numbers, not classes")
        z = self.logits(X).astype(np.float64) * self.unit
        if output == "softmax":
            p = np.exp(z - z.max(axis=1, keepdims=True))
        else:
            p = ACTIVATIONS["sigmoid"](z)
        if output == "sigmoid":
            p = np.hstack([1.0 - p, p])
        shares: NDArray[np.float32] = (p / p.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares

    def score(self, X: Any, y: Any) -> float:
        """Accuracy, or R² of a regression, as `SparseMLP.score` has it.

        Parameters
        ----------
        X : array_like, shape (n, n_features), DataFrame or Table
        y : array_like, shape (n,), or of a regression (n, n_outputs); or str
            Of a network of a table also the name of its column.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            If X or y do not fit.
        """
        data = self._network.check_data(X, y)
        told, predicted = data.y, self.predict(data.X)
        if self._program.targets is not None:
            return r2_score(told, predicted.reshape(told.shape))
        return float(np.mean(predicted == self._network.classes[told]))

    def _entered(self, X: Inputs) -> NDArray[np.int64]:
        """Return the inputs of the first layer."""
        x = X[:, self._program.inputs]
        return x.astype(np.int64) if self._entry is None else self._entry.integers(x)


def check_rows(net: SparseMLP, X: Any, name: str, input_dtype: str) -> Inputs:
    """Return rows of the network's inputs; they must be bytes if it is to be given bytes."""
    rows = net.as_inputs(X, name)
    if input_dtype == "uint8" and rows.dtype != np.uint8:
        raise TypeError(f"{name} must be uint8, as input_dtype is, got {rows.dtype}")
    return rows


class _Reads(NamedTuple):
    """What a layer reads.

    Attributes
    ----------
    units : ndarray of float64, shape (n_in,)
        What a step of each input is worth.
    largest : int
        The largest input.
    bias : ndarray of float64, shape (n_out,)
        Of the layer's neurons.
    """

    units: Array
    largest: int
    bias: Array


def _reached(program: Program, rows: Inputs) -> list[tuple[float, float]]:
    """Return the largest size of the sums and of the outputs of each layer."""
    layers = [(0.0, 0.0)] * len(program.layers)
    for first in range(0, len(rows), _ROWS):
        found = program.forward(rows[first : first + _ROWS])
        sizes = [(float(np.abs(z).max()), float(np.abs(y).max())) for z, y in found]
        layers = [(max(z, a), max(y, b)) for (z, y), (a, b) in zip(layers, sizes, strict=True)]
    return layers


def _entry(program: Program, rows: Inputs, bits: Any) -> Entry:
    """Return how inputs become integers: of what is fine enough that with the smallest tables.

    One factor and no offset for all, as pixels need; a factor for each input; or an offset, too.
    Fine enough is where rounded inputs make the error of no neuron's sum more than `_COARSER` times
    as large as the finest way does.
    """
    low, high = (end(rows, axis=0)[program.inputs].astype(np.float32) for end in (np.min, np.max))
    none = np.zeros_like(program.shift)
    every = np.ones_like(none)
    lowest, highest = low.min(initial=np.inf) * every, high.max(initial=-np.inf) * every
    ways = [
        _spanning(*ends, bits)
        for ends in ((none, lowest, highest), (none, low, high), (program.shift, low, high))
    ]
    layer = program.layers[0]
    rows_of = np.repeat(np.arange(layer.n_out), np.diff(layer.indptr))
    errors = np.zeros((len(ways), layer.n_out))  # squared, to a factor
    for way, error in zip(ways, errors, strict=True):
        off = layer.values * way.units(program.scale)[layer.indices]
        np.add.at(error, rows_of, np.square(off))
    most = _COARSER**2 * errors.min(axis=0)
    entry = next(way for way, error in zip(ways, errors, strict=True) if (error <= most).all())
    if not np.isfinite(entry.factor).all():
        raise ValueError("calibration has an input that varies too little for float32")
    return entry


def _spanning(
    offset: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32], bits: Any
) -> Entry:
    """Return the way in which integers of so many bits span inputs from low to high."""
    below, above = low.astype(np.float64) - offset, high.astype(np.float64) - offset
    dtype = np.dtype(f"u{bits.dtype.name}") if (below >= 0.0).all() else bits.dtype
    reach = np.maximum(np.abs(below), np.abs(above))
    reach[reach == 0.0] = 1.0
    with np.errstate(over="ignore"):
        factor: NDArray[np.float32] = (2.0 * np.iinfo(dtype).max / reach).astype(np.float32)
    return Entry(offset, factor, dtype)


def _hidden(
    layer: ProgramLayer, reads: _Reads, largest_sum: float, largest_output: float, bits: Any
) -> tuple[IntegerLayer, float]:
    """Return a hidden layer in integers, and the unit of its outputs."""
    f = layer.activation
    unsigned = np.dtype(f"u{bits.dtype.name}")
    if f == "relu":
        reached, n_steps = largest_output, int(np.iinfo(unsigned).max)
    else:
        reached, n_steps = min(largest_sum, _SATURATED.get(f, np.inf)), int(bits.max)
    unit = (reached or 1.0) / n_steps  # 0 where a layer is silent on the calibration rows
    while (made := _with_unit(layer, reads, unit, bits, _MOST_SHIFTED)) is None:
        unit *= 2.0
    weights, bias, shift, steps = made
    table, dtype = None, unsigned
    if f != "relu":
        places = np.arange(-128, 128) if bits.bits == 8 else np.arange(-(2**15), 2**15 + 1, 256)
        outputs = ACTIVATIONS[f](places.astype(np.float64) * unit)
        dtype = bits.dtype if outputs.min() < 0.0 else unsigned
        unit = float(np.abs(outputs).max()) / int(np.iinfo(dtype).max)
        table = np.rint(outputs / unit).astype(dtype)
    made_layer = IntegerLayer(
        layer.indptr, layer.indices, weights, bias, shift, table, dtype, steps
    )
    return made_layer, unit


def _last(layer: ProgramLayer, reads: _Reads, bits: Any) -> tuple[IntegerLayer, float]:
    """Return the last layer in integers, and the unit of its sums."""
    heaviest = float(np.abs(layer.values * reads.units[layer.indices]).max(initial=0.0))
    unit = heaviest / int(bits.max) or float(np.abs(reads.bias).max()) / 2**20 or 1.0
    while (made := _with_unit(layer, reads, unit, bits, 0)) is None:
        unit *= 1.25
    weights, bias, _, steps = made
    dtype = np.dtype(np.int32)
    made_layer = IntegerLayer(layer.indptr, layer.indices, weights, bias, None, None, dtype, steps)
    return made_layer, unit


def _with_unit(
    layer: ProgramLayer, reads: _Reads, unit: float, bits: Any, most_shifted: int
) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.uint8], Array] | None:
    """Return weights, biases, shifts and steps of a layer; None if the unit is too small for it."""
    worth = reads.units[layer.indices]
    real = layer.values.astype(np.float64) * worth
    rows = np.repeat(np.arange(layer.n_out), np.diff(layer.indptr))
    shift = np.full(layer.n_out, most_shifted)
    while True:
        steps = unit * 0.5**shift
        weights, bias = np.rint(real / steps[rows]), np.rint(reads.bias / steps)
        largest: Array = np.abs(bias).astype(np.float64)
        np.add.at(largest, rows, np.abs(weights) * reads.largest)
        heaviest = np.zeros(layer.n_out)
        np.maximum.at(heaviest, rows, np.abs(weights))
        wrong = (largest > _LARGEST_SUM) | (heaviest > bits.max)
        if not wrong.any():
            of_weights = np.divide(steps[rows], worth, np.zeros_like(worth), where=worth != 0.0)
            told = weights.astype(bits.dtype), bias.astype(np.int32), shift.astype(np.uint8)
            return *told, of_weights
        if (shift[wrong] == 0).any():
            return None
        shift[wrong] -= 1
