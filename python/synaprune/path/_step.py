"""`PathStep`: one accepted network, its figures and what makes it up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RECORD = (
    "step", "n_synapses", "n_inputs", "n_removed", "structure", "criterion", "epochs",
    "accuracy_before", "accuracy", "p_value", "bound",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class PathStep:
    """One accepted network, and how it came about.

    Attributes
    ----------
    step : int
        0 is the full network.
    n_synapses, n_inputs : int
        What lives.
    n_removed : int
        Synapses that this step removed, clean-up of dead neurons included.
    structure : str
        Such as "465-20-10".
    criterion : str
        What ranked the synapses.
    epochs : int
        Epochs trained after the cut.
    accuracy_before, accuracy : float
        On the validation split, right after the cut and at the end of the step. If `prune` was
        given another ``metric``, these are that metric.
    p_value : float
        McNemar's exact test of this network against step 0 on the validation split: how likely a
        difference as large would be by chance if both were equally accurate.
    bound : float or None
        What a `prune` with ``confidence`` is sure of: with ``max_drop`` the upper bound of the
        drop in accuracy from step 0, with ``min_accuracy`` the lower bound of the accuracy.
    living : ndarray of int32, shape (n_synapses,)
        Positions of the living synapses among those of step 0, ascending (int64 if step 0 has
        2**31 or more).
    values : ndarray of float32, shape (n_synapses,)
        Their weights.
    biases : ndarray of float32, shape (n_biases,)
        Biases of all layers, one after another.
    rng_state : int
        The random state, from which training goes on.
    optimizer_state : (str, int, ndarray of float32) or None
        Kind, updates so far, and what momentum (1 row) or Adam (2 rows) remembers, shape
        (rows, n_synapses + n_biases), layer by layer, synapses and then biases. None for plain SGD.
    """

    step: int
    n_synapses: int
    n_inputs: int
    n_removed: int
    structure: str
    criterion: str
    epochs: int
    accuracy_before: float
    accuracy: float
    p_value: float
    bound: float | None = None
    living: NDArray[np.int32] | NDArray[np.int64] = field(repr=False)
    values: NDArray[np.float32] = field(repr=False)
    biases: NDArray[np.float32] = field(repr=False)
    rng_state: int = field(repr=False)
    optimizer_state: tuple[str, int, NDArray[np.float32]] | None = field(default=None, repr=False)

    @property
    def n_bytes(self) -> int:
        """Bytes of its arrays: 8 a synapse, 4 a bias, and 4 for each by momentum, 8 by Adam."""
        moments = 0 if self.optimizer_state is None else self.optimizer_state[2].nbytes
        return self.living.nbytes + self.values.nbytes + self.biases.nbytes + moments

    def record(self) -> dict[str, Any]:
        """Return the figures as JSON values, without the network."""
        return {name: getattr(self, name) for name in _RECORD}
