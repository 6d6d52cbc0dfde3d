"""Which synapses matter least: scores by name, or by a user's function."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_bool, check_float
from synaprune.layers import SparseLayer
from synaprune.network import SparseMLP
from synaprune.threads import Threads, check_threads
from synaprune.training import SGD, Optimizer, TrainingSet

Criterion: TypeAlias = str | Callable[[list[SparseLayer]], Sequence[Any]]

CRITERIA = {
    "wsf": "weight significance factor |w - w(0)| (Bulín & Šmídl 2017; `movement` of Zhou et al. "
    "2019, arXiv 1905.01067)",
    "magnitude": "|w|",
    "magnitude_increase": "|w| - |w(0)| (Zhou et al. 2019)",
    "movement_magnitude": "|w - w(0)|·|w|",
    "fisher": "w²·E[g²] (optimal brain damage, LeCun et al. 1990, its curvature estimated by the "
    "squared gradients of single samples)",
    "wsf_fisher": "|w - w(0)|·√E[g²]",
    "taylor": "|w·E[g]| (Molchanov et al. 2017, arXiv 1611.06440)",
    "random": "uniform random numbers, the baseline",
}
WITH_GRADIENTS = ("fisher", "wsf_fisher", "taylor")
SMALL_START = 0.1  # of Glorot's range; below it, decay pulls idle synapses back to w(0)


def check_criterion(
    criterion: Criterion, optimizer: Optimizer | None = None, init_scale: float = 1.0
) -> Criterion:
    """Return the criterion; raise if unknown, warn if the training spoils it.

    Adam moves all synapses about as far. Weight decay and L1 move idle synapses by |w(0)|, towards
    zero, which buries WSF unless the start was small.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if callable(criterion):
        return criterion
    if not isinstance(criterion, str) or criterion not in CRITERIA:
        raise ValueError(
            f"criterion must be one of {', '.join(CRITERIA)}, or a callable, got {criterion!r}"
        )
    if criterion in ("wsf", "wsf_fisher") and optimizer is not None:
        spoilers = [] if isinstance(optimizer, SGD) else ["an adaptive optimiser"]
        if init_scale > SMALL_START:
            spoilers += [name for name in ("weight_decay", "l1") if getattr(optimizer, name) != 0.0]
        if spoilers:
            warnings.warn(
                f"with {' and '.join(spoilers)} synapses move for other reasons than the data, "
                f"and {criterion!r} ranks poorly; use plain SGD, or criterion='magnitude'",
                UserWarning,
                stacklevel=3,
            )
    return criterion


@dataclass(frozen=True)
class Ranking:
    """In which order synapses go.

    Parameters
    ----------
    criterion : str or callable
        As in `prune`.
    per_layer : bool
        Rank within each layer, so that a cut takes the same share of each; else all together.
    concentration : float
        Scores are multiplied by (f·f')^concentration, f and f' the share of synapses that the
        synapse's two neurons still have of the most in their layer (1 for outputs), so that inputs
        and neurons that are nearly empty are emptied. 0 is off.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> Ranking("fisher", concentration=0.25)
    Ranking(criterion='fisher', per_layer=False, concentration=0.25)
    """

    criterion: Criterion = "wsf"
    per_layer: bool = False
    concentration: float = 0.0

    def __post_init__(self) -> None:
        check_criterion(self.criterion)
        check_bool("per_layer", self.per_layer)
        check_float("concentration", self.concentration, 0.0, 100.0)

    @property
    def name(self) -> str:
        """The criterion's name."""
        if isinstance(self.criterion, str):
            return self.criterion
        return getattr(self.criterion, "__name__", type(self.criterion).__name__)

    def scores(self, net: SparseMLP, data: TrainingSet | None, threads: int) -> NDArray[np.float32]:
        """Return one score a synapse, layers one after another; the lowest go first.

        "random" advances the network's random state.
        """
        if not isinstance(self.criterion, str):
            return _of_user(self.criterion, net)
        moments = None
        if self.criterion in WITH_GRADIENTS:
            if data is None:
                raise ValueError(f"criterion {self.criterion!r} needs data: give X and y")
            moments = data.gradient_moments(net._core, threads)
        return net._core.score(self.criterion, moments)

    def cut(
        self, net: SparseMLP, n: int, spared: int, data: TrainingSet | None, threads: int
    ) -> int:
        """Remove the n synapses of lowest score but for the `spared` lowest; returns how many went.

        More go than n if that leaves neurons dead.
        """
        scores = self.scores(net, data, threads)
        return net._core.cut(scores, n, spared, self.per_layer, self.concentration)

    def cut_inputs(self, net: SparseMLP, n: int, data: TrainingSet | None, threads: int) -> int:
        """Remove n of the inputs that live, those with the lowest sums of scores.

        Inputs with a frozen synapse stay. Returns how many synapses went.
        """
        scores = self.scores(net, data, threads)
        first = net.weights[0].indices
        sums = np.bincount(first, scores[: len(first)].astype(np.float64), net.layers[0])
        living = np.setdiff1d(net.used_inputs, first[net.frozen_synapses[0]])
        lowest = living[np.argsort(sums[living], kind="stable")[:n]]
        keep = np.ones(len(scores), np.uint8)
        keep[: len(first)] = ~np.isin(first, lowest)
        return net._core.remove(keep)

    def cut_neuron(
        self, net: SparseMLP, spared: int, data: TrainingSet | None, threads: int
    ) -> int:
        """Remove the living hidden neuron of the lowest sum of scores but for the `spared` lowest.

        What counts is the scores of its synapses, in and out. Neurons with a frozen synapse stay.
        Returns how many synapses went.
        """
        scores = self.scores(net, data, threads)
        weights, frozen = net.weights, net.frozen_synapses
        ends = np.cumsum([len(w.values) for w in weights])
        parts = np.split(scores.astype(np.float64), ends[:-1])
        neurons: list[tuple[float, int, int]] = []  # sum of scores, layer, row
        for layer, (below, above) in enumerate(itertools.pairwise(weights)):
            sums = np.bincount(below.rows, parts[layer], above.n_in).astype(np.float64)
            sums += np.bincount(above.indices, parts[layer + 1], above.n_in)
            living = np.diff(below.indptr) > 0
            living[below.rows[frozen[layer]]] = False
            living[above.indices[frozen[layer + 1]]] = False
            neurons += [(sums[row], layer, row) for row in np.flatnonzero(living).tolist()]
        if spared >= len(neurons):
            return 0
        _, layer, row = sorted(neurons)[spared]
        below = weights[layer]
        keep = np.ones(len(scores), np.uint8)
        keep[ends[layer] - len(below.values) :][below.indptr[row] : below.indptr[row + 1]] = 0
        return net._core.remove(keep)


def _of_user(
    criterion: Callable[[list[SparseLayer]], Sequence[Any]], net: SparseMLP
) -> NDArray[np.float32]:
    weights = net.weights
    layers = [np.asarray(layer) for layer in criterion(weights)]
    got, wanted = [a.shape for a in layers], [w.values.shape for w in weights]
    if got != wanted:
        raise ValueError(f"criterion must return arrays of shapes {wanted}, got {got}")
    flat = np.concatenate(layers)
    if flat.dtype.kind not in "fiub" or np.isnan(flat).any():
        raise ValueError("criterion must return numbers, none of them NaN")
    scores: NDArray[np.float32] = np.ascontiguousarray(flat, np.float32)
    return scores


def score(
    net: SparseMLP,
    criterion: Criterion = "wsf",
    X: Any = None,
    y: Any = None,
    *,
    threads: Threads = None,
) -> list[NDArray[np.float32]]:
    """Score of every synapse; pruning removes the lowest first.

    Parameters
    ----------
    net : SparseMLP
        The network; it is not changed.
    criterion : str or callable
        "wsf" is |w - w(0)|, the weight significance factor of Bulín & Šmídl (2017), also known as
        `movement` (Zhou et al., 2019). See `CRITERIA` for the other names. A callable takes the
        list of the layers' `SparseLayer` and returns an array of scores for each, in the order of
        ``values``.
    X, y : array_like, optional
        Data as in `SparseMLP.fit`, for the criteria that need gradients ("fisher", "wsf_fisher",
        "taylor"): E[·] is the mean over at most 10000 of the samples, evenly spaced, g the gradient
        of one sample's loss.
    threads : int or "auto", optional
        Results do not depend on it.

    Returns
    -------
    list of ndarray of float32
        One array a layer, in the order of ``net.weights[l].values``.

    Raises
    ------
    TypeError, ValueError
        If the criterion is unknown, needs data that are not given, or returns something else than
        scores; if the data do not fit.

    Examples
    --------
    >>> net = SparseMLP((2, 3, 1), seed=0)
    >>> [s.tolist() for s in score(net)]  # nothing has moved yet
    [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    twin = net.copy()
    data = None if X is None else twin.prepare(X, y)
    flat = Ranking(criterion).scores(twin, data, check_threads(threads))
    ends = np.cumsum([len(layer[2]) for layer in net._core.layers()])
    return np.split(flat, ends[:-1])
