"""What is lost, class by class, when a part of a network is removed and nothing trained anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Labels, finite
from synaprune.network import SparseMLP
from synaprune.threads import Threads, check_threads

KINDS = ("input", "neuron", "synapse")


@dataclass(frozen=True)
class Part:
    """A part of a network.

    Attributes
    ----------
    kind : {"input", "neuron", "synapse"}
    layer : int
        Of a hidden neuron its layer, 0 the first hidden one; of a synapse the layer of
        ``net.weights`` that holds it; 0 for inputs.
    index : int
        The input; the neuron within its layer; or the neuron that the synapse leads to.
    source : int
        The neuron (or input) that a synapse comes from, else -1.
    """

    kind: str
    layer: int
    index: int
    source: int = -1


@dataclass(frozen=True, eq=False)
class Ablation:
    """What each part is worth on some samples: how many are lost and won without it.

    Attributes
    ----------
    parts : tuple of Part
        Living inputs, hidden neurons layer by layer, synapses layer by layer.
    classes : ndarray, shape (n_classes,)
    n : ndarray of int64, shape (n_classes,)
        Samples of each class.
    right : ndarray of int64, shape (n_classes,)
        How many of them the whole network gets right.
    lost, won : ndarray of int64, shape (n_parts, n_classes)
        How many are right with the whole network and wrong without the part, and the other way
        round.
    """

    parts: tuple[Part, ...]
    classes: Labels
    n: NDArray[np.int64]
    right: NDArray[np.int64]
    lost: NDArray[np.int64]
    won: NDArray[np.int64]

    @property
    def loss(self) -> NDArray[np.float64]:
        """Accuracy lost by class, shape (n_parts, n_classes); negative where it is gained."""
        return (self.lost - self.won) / np.maximum(self.n, 1)

    @property
    def total_loss(self) -> NDArray[np.float64]:
        """Accuracy lost over all samples, shape (n_parts,)."""
        gone: NDArray[np.float64] = (self.lost - self.won).sum(axis=1) / self.n.sum()
        return gone

    def only(self, kind: str) -> Ablation:
        """Return the rows of one kind of part.

        Parameters
        ----------
        kind : {"input", "neuron", "synapse"}

        Returns
        -------
        Ablation

        Raises
        ------
        ValueError
            If there is no such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        rows = [i for i, part in enumerate(self.parts) if part.kind == kind]
        parts = tuple(self.parts[i] for i in rows)
        return Ablation(parts, self.classes, self.n, self.right, self.lost[rows], self.won[rows])

    def __len__(self) -> int:
        return len(self.parts)


def ablate(
    net: SparseMLP,
    X: Any,
    y: Any = None,
    *,
    kinds: Sequence[str] = KINDS,
    threads: Threads = None,
) -> Ablation:
    """Remove every living input, hidden neuron and synapse, one at a time, and count what is lost.

    What a part said is then 0, for inputs in the units that the network sees (so that a centred
    input is set to its mean); nothing is trained anew. The figures are those of
    ``net.without(...)`` on the same samples, but where outputs are equal up to rounding. The core
    keeps the sums of the whole network, so that a part costs what lies above it only.

    Parameters
    ----------
    net : SparseMLP
        Trained; it is not changed.
    X, y : array_like, shapes (n, n_features) and (n,), or a CheckedData alone
        Samples that the network was not trained on, if the figures are to say what is lost on new
        ones.
    kinds : sequence of str
        Which kinds of parts, of "input", "neuron" and "synapse".
    threads : int or "auto", optional
        Results do not depend on it.

    Returns
    -------
    Ablation

    Raises
    ------
    TypeError, ValueError
        If the data do not fit, or the network was never fitted.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, epochs=20)
    >>> ablation = sn.explain.ablate(net, *data.validation)
    >>> len(ablation.only("neuron")), ablation.loss.shape[1]
    (8, 10)
    """
    net = net.copy()  # who else may cut it meanwhile does not matter
    data = net.check_data(X, y)
    inputs, codes = data.X, data.y
    n_threads = check_threads(threads)
    n_classes = len(net.classes)
    predicted = finite(net._core.classify(inputs, n_threads))
    parts: list[Part] = []
    lost: list[NDArray[np.int64]] = []
    won: list[NDArray[np.int64]] = []
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"kinds must be among {', '.join(KINDS)}, got {kind!r}")
        for layer, rows, named in _rows(net, kind):
            part = "synapses" if kind == "synapse" else "columns"
            counts = finite(_core.ablate(net._core, inputs, codes, layer, part, n_threads))
            parts += named
            lost.append(counts[0][rows])
            won.append(counts[1][rows])
    return Ablation(
        tuple(parts),
        net.classes,
        np.bincount(codes, minlength=n_classes),
        np.bincount(codes[predicted == codes], minlength=n_classes),
        np.concatenate(lost) if lost else np.zeros((0, n_classes), np.int64),
        np.concatenate(won) if won else np.zeros((0, n_classes), np.int64),
    )


def _rows(net: SparseMLP, kind: str) -> Iterator[tuple[int, Any, list[Part]]]:
    """Yield the core's layer, its rows of counts, and the parts that these are."""
    weights = net.weights
    for layer, w in enumerate(weights):
        if kind == "synapse":
            pairs = zip(w.rows.tolist(), w.indices.tolist(), strict=True)
            yield layer, slice(None), [Part(kind, layer, row, source) for row, source in pairs]
        elif (kind == "input") == (layer == 0):
            living = np.unique(w.indices)
            below = layer - 1 if layer else 0
            yield layer, living, [Part(kind, below, j) for j in living.tolist()]
