"""`AcceptedNetworks`: the networks of a run, kept in little room and given back bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.checks import check_int
from synaprune.network import SparseMLP, carried
from synaprune.path._places import Places
from synaprune.path._step import PathStep


class AcceptedNetworks:
    """The full network and the steps that followed; the public class is `PruningPath`.

    Parameters
    ----------
    start : SparseMLP
        The network that step 0 is; copied.
    """

    def __init__(self, start: SparseMLP) -> None:
        self._start = start.copy()
        self._places = Places(self._start.weights)
        self.steps: list[PathStep] = []

    def add(self, net: SparseMLP, **record: Any) -> PathStep:
        """Append the network as the next step.

        Parameters
        ----------
        net : SparseMLP
            Its synapses must be among those of the start.
        **record
            The figures of `PathStep` that the network cannot tell itself: criterion, epochs,
            accuracy_before, accuracy, p_value, and bound, if there is one.

        Returns
        -------
        PathStep
        """
        now = net.weights
        step = PathStep(
            step=len(self.steps),
            n_synapses=net.n_synapses,
            n_inputs=net.n_inputs,
            n_removed=self.steps[-1].n_synapses - net.n_synapses if self.steps else 0,
            structure=net.structure,
            living=self._places.of(now),
            values=np.concatenate([w.values for w in now]),
            biases=np.concatenate([w.bias for w in now]),
            rng_state=net.core.rng_state,
            optimizer_state=net.core.optimizer_state,
            **record,
        )
        self.steps.append(step)
        return step

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[PathStep]:
        return iter(self.steps)

    def network(self, step: int) -> SparseMLP:
        """Return the network of a step, bit for bit as it was accepted.

        Weights, initial weights, biases, the random and the optimiser's state are those of that
        time, so that training goes on as it would have then.

        Parameters
        ----------
        step : int
            From 0, the full network; negative numbers count from the smallest.

        Returns
        -------
        SparseMLP

        Raises
        ------
        IndexError
            If there is no such step.
        """
        s = self.steps[step]
        layers = self._places.layers(s.living, s.values, s.biases)
        net = self._start.copy()
        net.core = _core.Network.from_layers(
            [w.to_core() for w in layers], net.activation, net.loss, s.rng_state
        )
        net.core.input_transform = self._start.input_transform
        if (frozen := self._start.core.frozen) is not None:
            net.core.frozen = carried(frozen, self._places.weights, layers)
        net.core.optimizer_state = s.optimizer_state
        return net

    @property
    def smallest(self) -> SparseMLP:
        """The network of the last step."""
        return self.network(-1)

    def undo(self, steps: int = 1) -> SparseMLP:
        """Drop the last steps; what they removed is back.

        What is told of the whole run, such as its epochs, goes on telling of it.

        Parameters
        ----------
        steps : int
            How many; step 0 always stays.

        Returns
        -------
        SparseMLP
            The network that is the last one then, as `network` gives it.

        Raises
        ------
        TypeError, ValueError
            If there are not that many; nothing has changed then.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 6, 1), seed=0)
        >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
        ...                 training=sn.Training(10))
        >>> path.undo(len(path) - 1).n_synapses
        18
        """
        steps = check_int("steps", steps, 1)
        if steps >= len(self.steps):
            raise ValueError(
                f"steps must be less than the {len(self.steps)} of the path, got {steps}"
            )
        del self.steps[-steps:]
        return self.smallest

    def removed(self, step: int) -> list[NDArray[np.int32]]:
        """Return which synapses a step removed, clean-up of dead neurons included.

        Parameters
        ----------
        step : int
            As in `network`. Step 0 removed nothing.

        Returns
        -------
        list of ndarray of int32, shape (n, 2)
            One array a layer, a row a synapse: the neuron that it led to, and the neuron (or input)
            below that it came from, both counted as in `SparseMLP.weights`; ascending.

        Raises
        ------
        IndexError
            If there is no such step.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 6, 1), seed=0)
        >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
        ...                 training=sn.Training(10))
        >>> sum(len(pairs) for pairs in path.removed(1)) == path.steps[1].n_removed
        True
        """
        s = self.steps[step]
        before = self.steps[max(s.step - 1, 0)]
        gone = np.setdiff1d(before.living, s.living, assume_unique=True)
        return self._places.rows_and_columns(gone)
