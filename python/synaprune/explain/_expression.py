"""`Expression`: a network as sums of inputs and neurons, simplified, in float64.

Layers are gone: a sum may hold inputs and neurons of any layer, since a relu neuron that is always
on is replaced by its sum.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.program import ACTIVATIONS, Program, ProgramLayer

Floats: TypeAlias = NDArray[np.float64]
Terms: TypeAlias = Mapping[int, float]

# The slope below 0 of the activations that consist of two straight lines through 0.
SLOPE_BELOW_ZERO = {"relu": 0.0, "leaky_relu": 0.01}


@dataclass(frozen=True)
class Sum:
    """A constant, plus coefficients times inputs and neurons.

    Attributes
    ----------
    constant : float
    inputs : mapping of int to float
        Coefficients of columns of X; none is 0.
    neurons : mapping of int to float
        Coefficients of neurons, by their numbers; none is 0.
    """

    constant: float
    inputs: Terms
    neurons: Terms

    @classmethod
    def of(cls, constant: float, inputs: Terms, neurons: Terms) -> Sum:
        """Return a sum without terms that are 0, sorted."""
        used = ({k: v for k, v in sorted(t.items()) if v != 0.0} for t in (inputs, neurons))
        return cls(constant, *used)

    @property
    def n_terms(self) -> int:
        """Inputs and neurons."""
        return len(self.inputs) + len(self.neurons)

    def times(self, factor: float) -> Sum:
        """Return the sum multiplied by a number that is not 0."""
        return self._changed(lambda v: v * factor)

    def over(self, divisor: float) -> Sum:
        """Return the sum divided by a number that is not 0."""
        return self._changed(lambda v: v / divisor)

    def rounded(self, digits: int) -> Sum:
        """Return the sum with all its numbers rounded to some significant digits."""
        return self._changed(lambda v: float(f"{v:.{digits}g}"))

    def _changed(self, change: Callable[[float], float]) -> Sum:
        inputs = {i: change(v) for i, v in self.inputs.items()}
        neurons = {k: change(v) for k, v in self.neurons.items()}
        return Sum.of(change(self.constant), inputs, neurons)

    @property
    def first(self) -> float:
        """The coefficient of the first term."""
        return next(iter((*self.inputs.values(), *self.neurons.values())))

    def substituted(self, known: Mapping[int, Sum]) -> Sum:
        """Return the sum with some neurons replaced by sums."""
        constants = [self.constant]
        inputs = dict(self.inputs)
        neurons = {k: v for k, v in self.neurons.items() if k not in known}
        for k, factor in self.neurons.items():
            if k in known:
                part = known[k].times(factor)
                constants.append(part.constant)
                _add(inputs, part.inputs)
                _add(neurons, part.neurons)
        return Sum.of(math.fsum(constants), inputs, neurons)

    def value(self, X: Floats, neurons: Mapping[int, Floats]) -> Floats:
        """Return the sum for each row of X, given the neurons' outputs."""
        z = X[:, list(self.inputs)] @ np.array(list(self.inputs.values()), np.float64)
        for k, v in self.neurons.items():
            z += v * neurons[k]
        z += self.constant
        return z


@dataclass(frozen=True)
class Expression:
    """What a network computes before softmax or sigmoid, or the numbers it predicts.

    Attributes
    ----------
    activation : str
        Of all neurons.
    neurons : mapping of int to Sum
        What each neuron applies the activation to, in an order in which none needs a later one.
    outputs : tuple of Sum
    """

    activation: str
    neurons: Mapping[int, Sum]
    outputs: tuple[Sum, ...]

    @classmethod
    def of(cls, program: Program) -> Expression:
        """Return the formula of a program: input scaling and units of targets are folded in."""
        neurons: dict[int, Sum] = {}
        columns = program.inputs.tolist()
        shift, scale = program.shift.tolist(), program.scale.tolist()
        below: list[Sum] = [
            Sum.of(-shift[i] * scale[i], {column: scale[i]}, {}) for i, column in enumerate(columns)
        ]
        sums: list[Sum] = []
        for at, layer in enumerate(program.layers):
            first = len(neurons)
            sums = [
                Sum(float(bias), {}, weights).substituted(dict(enumerate(below)))
                for bias, weights in _rows(layer)
            ]
            if at < len(program.layers) - 1:
                neurons |= dict(enumerate(sums, first))
                below = [Sum(0.0, {}, {k: 1.0}) for k in range(first, len(neurons))]
        if program.targets is not None:
            mean, unit = program.targets.mean.tolist(), program.targets.scale.tolist()
            sums = [
                Sum(m, {}, {0: u}).substituted({0: z})
                for m, u, z in zip(mean, unit, sums, strict=True)
            ]
        return cls(program.activation or "identity", neurons, tuple(sums))

    # ---- what it says

    def evaluate(self, X: Floats) -> tuple[Floats, dict[int, Floats]]:
        """Return the outputs, shape (n, n_outputs), and the sum of each neuron, shape (n,)."""
        sums: dict[int, Floats] = {}
        made: dict[int, Floats] = {}
        for k, z in self.neurons.items():
            sums[k] = z.value(X, made)
            made[k] = ACTIVATIONS[self.activation](sums[k])
        return np.stack([z.value(X, made) for z in self.outputs], axis=1), sums

    def ranges(self, low: Floats, high: Floats) -> dict[int, tuple[float, float]]:
        """Return the least and the greatest sum of each neuron that bounds allow, or wider ones.

        Interval arithmetic: neurons are taken to vary independently, and the activation to grow.
        """
        found: dict[int, tuple[float, float]] = {}
        made: dict[int, tuple[float, float]] = {}
        for k, z in self.neurons.items():
            limits = {i: (float(low[i]), float(high[i])) for i in z.inputs}
            parts = [product(v, limits[i]) for i, v in z.inputs.items()]
            parts += [product(v, made[j]) for j, v in z.neurons.items()]
            found[k] = (
                z.constant + sum(a for a, _ in parts),
                z.constant + sum(b for _, b in parts),
            )
            a, b = ACTIVATIONS[self.activation](np.array(found[k])).tolist()
            made[k] = (a, b)
        return found

    def dependencies(self) -> dict[int, frozenset[int]]:
        """Return the inputs that each neuron depends on."""
        found: dict[int, frozenset[int]] = {}
        for k, z in self.neurons.items():
            found[k] = frozenset(z.inputs).union(*(found[j] for j in z.neurons))
        return found

    def leading_to(self, output: int) -> set[int]:
        """Return the neurons that an output depends on."""
        return self._below([self.outputs[output]])

    @property
    def inputs(self) -> list[int]:
        """The columns of X that it depends on, ascending."""
        sums = [*self.neurons.values(), *self.outputs]
        return sorted({i for z in sums for i in z.inputs})

    @property
    def uses(self) -> Counter[int]:
        """In how many sums each neuron stands."""
        sums = [*self.neurons.values(), *self.outputs]
        return Counter(k for z in sums for k in z.neurons)

    @property
    def is_finite(self) -> bool:
        """Whether all its numbers are."""
        sums = [*self.neurons.values(), *self.outputs]
        return all(
            math.isfinite(v)
            for z in sums
            for v in (z.constant, *z.inputs.values(), *z.neurons.values())
        )

    # ---- what is simpler and says the same

    def simplified(self, states: Mapping[int, str]) -> Expression:
        """Return it without neurons that are "on" or "off", constant, or lead nowhere.

        Parameters
        ----------
        states : mapping of int to str
            Of neurons that are always "on" or "off", where the formula has to hold.
        """
        known: dict[int, Sum] = {}
        kept: dict[int, Sum] = {}
        for k, given in self.neurons.items():
            z = given.substituted(known)
            if not z.n_terms:
                (value,) = ACTIVATIONS[self.activation](np.array([z.constant])).tolist()
                known[k] = Sum(value, {}, {})
            elif k not in states:
                kept[k] = z
            elif states[k] == "on":
                known[k] = z
            else:
                slope = SLOPE_BELOW_ZERO[self.activation]
                known[k] = z.times(slope) if slope else Sum(0.0, {}, {})
        outputs = tuple(z.substituted(known) for z in self.outputs)
        formula = replace(self, neurons=kept, outputs=outputs)
        needed = formula._below(outputs)
        return replace(formula, neurons={k: z for k, z in kept.items() if k in needed})

    def normalised(self) -> Expression:
        """Return it with fewer coefficients, if the activation allows a·f(z) = f(a·z) for a > 0.

        A neuron of one term gets the coefficient 1 or -1 within, which shows where it switches:
        relu(x - 0.3). One of several terms that is used once gets it without.
        """
        if self.activation not in SLOPE_BELOW_ZERO:
            return self
        neurons, outputs, uses = dict(self.neurons), list(self.outputs), self.uses
        for k in list(neurons):
            if neurons[k].n_terms == 1:
                factor = abs(
                    next(iter((*neurons[k].inputs.values(), *neurons[k].neurons.values())))
                )
                _move(k, factor, neurons, outputs)
        for k in reversed(list(neurons)):
            if neurons[k].n_terms > 1 and uses[k] == 1:
                (used,) = (z.neurons[k] for z in (*neurons.values(), *outputs) if k in z.neurons)
                _move(k, 1.0 / abs(used), neurons, outputs)
        return replace(self, neurons=neurons, outputs=tuple(outputs))

    def rounded(self, digits: int) -> Expression:
        """Return it with all numbers rounded to some significant digits."""
        return replace(
            self,
            neurons={k: z.rounded(digits) for k, z in self.neurons.items()},
            outputs=tuple(z.rounded(digits) for z in self.outputs),
        )

    def centred(self) -> Expression:
        """Return it with the mean of all outputs subtracted, which a softmax does not see."""
        constant = math.fsum(z.constant for z in self.outputs) / len(self.outputs)
        inputs = _means([z.inputs for z in self.outputs])
        neurons = _means([z.neurons for z in self.outputs])
        outputs = tuple(
            Sum.of(
                z.constant - constant,
                {i: z.inputs.get(i, 0.0) - v for i, v in inputs.items()},
                {k: z.neurons.get(k, 0.0) - v for k, v in neurons.items()},
            )
            for z in self.outputs
        )
        formula = replace(self, outputs=outputs)
        needed = formula._below(outputs)
        return replace(formula, neurons={k: z for k, z in self.neurons.items() if k in needed})

    def _below(self, sums: Iterable[Sum]) -> set[int]:
        needed: set[int] = set()
        waiting = [k for z in sums for k in z.neurons]
        while waiting:
            k = waiting.pop()
            if k not in needed:
                needed.add(k)
                waiting += self.neurons[k].neurons
        return needed


def product(factor: float, limits: tuple[float, float]) -> tuple[float, float]:
    """Return the range of a factor, which is not 0, times a number within limits."""
    a, b = factor * limits[0], factor * limits[1]
    return (a, b) if factor > 0 else (b, a)


def groups(members: Iterable[int], sets: Iterable[Iterable[int]]) -> list[tuple[int, ...]]:
    """Return the members, those together that are in one set, or in sets that overlap.

    Examples
    --------
    >>> groups([0, 1, 2, 3], [{0, 2}, {3}])
    [(0, 2), (1,), (3,)]
    """
    found = [{i} for i in members]
    for together in map(set, sets):
        met = [g for g in found if g & together]
        found = [g for g in found if not g & together] + ([set().union(*met)] if met else [])
    return sorted(tuple(sorted(g)) for g in found)


def _means(terms: Sequence[Terms]) -> dict[int, float]:
    """Return the mean of each coefficient; of equal ones of float32 it is exactly that."""
    keys = {k for some in terms for k in some}
    return {k: math.fsum(some.get(k, 0.0) for some in terms) / len(terms) for k in keys}


def _add(terms: dict[int, float], others: Terms) -> None:
    for k, v in others.items():
        terms[k] = terms.get(k, 0.0) + v


def _rows(layer: ProgramLayer) -> list[tuple[float, dict[int, float]]]:
    """Return the bias and the weights of each neuron of a layer."""
    indices, values = layer.indices.tolist(), layer.values.astype(np.float64).tolist()
    return [
        (bias, dict(zip(indices[a:b], values[a:b], strict=True)))
        for bias, (a, b) in zip(layer.bias.tolist(), pairwise(layer.indptr.tolist()), strict=True)
    ]


def _move(k: int, factor: float, neurons: dict[int, Sum], outputs: list[Sum]) -> None:
    """Take a factor out of a neuron's sum, and multiply it where the neuron is used."""

    def scaled(z: Sum) -> Sum:
        return replace(z, neurons={j: v * factor if j == k else v for j, v in z.neurons.items()})

    neurons[k] = neurons[k].over(factor)
    for j, z in neurons.items():
        if k in z.neurons:
            neurons[j] = scaled(z)
    outputs[:] = [scaled(z) if k in z.neurons else z for z in outputs]
