"""What ranks synapses: scores by name, or by a user's function."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.checks import check_bool, check_float, check_type, shown
from synaprune.layers import SparseLayer, split_synapses
from synaprune.network import SparseMLP
from synaprune.options import name_of, option
from synaprune.threads import Threads, check_threads
from synaprune.training import SGD, Optimizer, TrainingBlocks, TrainingSet

Saliency: TypeAlias = str | Callable[..., Sequence[Any]]  # by name, or f(layers) -> scores

CRITERIA = _core.CRITERIA
_ASKS = "gradient_moments"  # the parameter of a callable that asks for them
SMALL_START = 0.1  # of Glorot's range; below it, decay pulls idle synapses back to w(0)


class GradientMoments(NamedTuple):
    """What a criterion may ask for: how one layer's gradients are spread over samples.

    Attributes
    ----------
    mean, square : ndarray of float32, shape (n_synapses,)
        E[g] and E[g²], g being the gradient of one sample's loss, in the order of ``values``.
    """

    mean: NDArray[np.float32]
    square: NDArray[np.float32]


@dataclass(frozen=True)
class Criterion:
    """In which order synapses go.

    Parameters
    ----------
    saliency : str or callable
        What a synapse's score is: a name in `CRITERIA`, or a function, as in `saliency`. The lowest
        scores go first.
    per_layer : bool
        Rank within each layer, so that a cut takes the same share of each; else all together.
    structured_bias : float
        Favours emptying inputs and neurons that are nearly empty, for fewer inputs with as many
        synapses: scores are multiplied by (f·f')^structured_bias, f and f' the share of synapses
        that the synapse's two neurons still have of the most in their layer (1 for outputs). 0 is
        off.
    compensate : bool
        At each cut, whatever ranks it, let the weights that stay make up for those that go, as
        optimal brain surgeon does (Hassibi & Stork, 1993): a neuron's weights and bias w become
        w - F⁻¹[:, S] (F⁻¹[S, S])⁻¹ w[S] if its synapses S go, F being the neuron's block of the
        empirical Fisher matrix as in `saliency`. w(0) stays as it is, so that the WSF of what is
        left changes by its weights alone.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> Criterion("obs", compensate=True)
    Criterion(saliency='obs', per_layer=False, structured_bias=0.0, compensate=True)
    """

    saliency: Saliency = option("wsf", "what ranks synapses", choices=CRITERIA, key="criterion")
    per_layer: bool = option(False, "rank synapses within each layer")
    structured_bias: float = option(
        0.0, "favour emptying inputs and neurons that are nearly empty", metavar="B"
    )
    compensate: bool = option(False, "let weights that stay make up for what a cut takes")

    def __post_init__(self) -> None:
        if not callable(self.saliency) and not (
            isinstance(self.saliency, str) and self.saliency in CRITERIA
        ):
            raise ValueError(
                f"criterion must be one of {', '.join(CRITERIA)}, or a callable, "
                f"got {shown(self.saliency)}"
            )
        check_bool("per_layer", self.per_layer)
        check_float("structured_bias", self.structured_bias, 0.0, 100.0)
        check_bool("compensate", self.compensate)

    @property
    def name(self) -> str:
        """The saliency's name."""
        return name_of(self.saliency)

    @property
    def needs_gradients(self) -> bool:
        """Whether the saliency is computed from gradients, and so from data."""
        if isinstance(self.saliency, str):
            return self.saliency in _core.GRADIENT_CRITERIA + _core.CURVATURE_CRITERIA
        return _asks_for_moments(self.saliency)

    @property
    def needs_curvature(self) -> bool:
        """Whether it asks for blocks of the Fisher matrix, to rank or to compensate."""
        return self.compensate or self.saliency in _core.CURVATURE_CRITERIA

    def scores(
        self, net: SparseMLP, data: TrainingSet | TrainingBlocks | None, threads: int
    ) -> NDArray[np.float32]:
        """Return one score per synapse, layer by layer; the lowest are removed first.

        "random" advances the network's random state.

        Parameters
        ----------
        net : SparseMLP
        data : TrainingSet, TrainingBlocks or None
            Required by criteria that need gradients.
        threads : int

        Returns
        -------
        ndarray of float32, shape (n_synapses,)

        Raises
        ------
        ValueError
            If data are needed and missing, or a function returns something else than scores.
        """
        moments = curvature = None
        if self.needs_gradients:
            if data is None:
                raise ValueError(f"criterion {self.name!r} needs data: give X and y")
            if self.saliency in _core.CURVATURE_CRITERIA:
                curvature = data.at_hand.curvature(net._core, threads)
            else:
                moments = data.at_hand.gradient_moments(net._core, threads)
        if isinstance(self.saliency, str):
            return net._core.score(self.saliency, moments, curvature)
        return _scores_of(self.saliency, net.weights, moments)

    def warn_if_spoiled(self, optimizer: Optimizer, init_scale: float, stacklevel: int) -> None:
        """Warn if the training spoils the ranking.

        Adam moves all synapses about as far. Weight decay and L1 move idle synapses by |w(0)|,
        towards zero, which buries WSF unless the start was small.

        Parameters
        ----------
        optimizer : SGD or Adam
        init_scale : float
            As in `SparseMLP`.
        stacklevel : int
            As in `warnings.warn`, from the caller of this method.
        """
        if self.saliency not in ("wsf", "wsf_fisher"):
            return
        spoilers = [] if isinstance(optimizer, SGD) else ["an adaptive optimiser"]
        if init_scale > SMALL_START:
            spoilers += [name for name in ("weight_decay", "l1") if getattr(optimizer, name) != 0.0]
        if spoilers:
            warnings.warn(
                f"with {' and '.join(spoilers)} synapses move for other reasons than the data, "
                f"and {self.saliency!r} ranks poorly; use plain SGD, or criterion='magnitude'",
                UserWarning,
                stacklevel=stacklevel + 1,
            )


def check_criterion(criterion: Criterion | Saliency) -> Criterion:
    """Return the criterion, made of a name or a callable if it is one, or raise naming it."""
    return criterion if isinstance(criterion, Criterion) else Criterion(criterion)


def _asks_for_moments(saliency: Callable[..., Any]) -> bool:
    try:
        return _ASKS in inspect.signature(saliency).parameters
    except (TypeError, ValueError):  # a builtin that does not tell its parameters
        return False


def _scores_of(
    saliency: Callable[..., Sequence[Any]],
    weights: list[SparseLayer],
    moments: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
) -> NDArray[np.float32]:
    """Call a user's function; returns its scores, layers one after another."""
    if moments is None:
        result = saliency(weights)
    else:
        by_layer = zip(*(split_synapses(part, weights) for part in moments), strict=True)
        result = saliency(weights, **{_ASKS: [GradientMoments(*pair) for pair in by_layer]})
    if not isinstance(result, Iterable):
        raise TypeError(f"criterion must return an array for each layer, got {shown(result)}")
    layers = [np.asarray(layer) for layer in result]
    got, wanted = [a.shape for a in layers], [w.values.shape for w in weights]
    if got != wanted:
        raise ValueError(f"criterion must return arrays of shapes {wanted}, got {got}")
    flat = np.concatenate(layers)
    if flat.dtype.kind not in "fiub" or np.isnan(flat).any():
        raise ValueError("criterion must return numbers, none of them NaN")
    scores: NDArray[np.float32] = np.ascontiguousarray(flat, np.float32)
    return scores


def saliency(
    net: SparseMLP,
    criterion: Saliency = "wsf",
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
        A name in `CRITERIA`:

        - "wsf": |w - w(0)|, the weight significance factor (Bulín & Šmídl, 2017; `movement` of Zhou
          et al., 2019, arXiv 1905.01067)
        - "magnitude": |w|
        - "magnitude_increase": |w| - |w(0)| (Zhou et al., 2019)
        - "movement_magnitude": |w - w(0)|·|w|
        - "fisher": w²·E[g²] (optimal brain damage, LeCun et al., 1990, its curvature estimated by
          the squared gradients of single samples)
        - "wsf_fisher": |w - w(0)|·√E[g²]
        - "taylor": |w·E[g]| (Molchanov et al., 2017, arXiv 1611.06440)
        - "taylor2": w²·E[g²]/2 - w·E[g], the expected change of the loss (LeCun et al., 1990, with
          their term of first order)
        - "obs": w²/(2·[F⁻¹]ₖₖ), the change of the loss if a neuron's other synapses and its bias
          make up for the removal (optimal brain surgeon, Hassibi & Stork, 1993; they do with
          ``Criterion(compensate=True)``). F = E[g·gᵀ] is the empirical Fisher matrix in blocks
          (Singh & Alistarh, 2020, arXiv 2004.14340): at most 128 synapses of one neuron, and its
          bias, with a hundredth of the mean of its diagonal added to the diagonal
        - "random": uniform random numbers, the baseline

        Or a callable, which takes the list of the layers' `SparseLayer` and returns an array of
        scores for each, in the order of ``values``. If it has a parameter ``gradient_moments``, it
        gets a list of the layers' `GradientMoments` there.
    X, y : array_like, optional
        Data as in `SparseMLP.fit`, for the criteria that need gradients ("fisher", "wsf_fisher",
        "taylor", "taylor2", "obs", and callables that ask for ``gradient_moments``): E[·] is the
        mean over at most 10000 of the samples ("obs": 2048), evenly spaced, g the gradient of one
        sample's loss.
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
    >>> from synaprune import datasets
    >>> net = SparseMLP((2, 3, 1), seed=0)
    >>> [s.tolist() for s in saliency(net)]  # nothing has moved yet
    [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]

    A criterion of your own, here optimal brain damage with the noise of the gradient taken off:

    >>> data = datasets.xor()
    >>> def variance(layers, gradient_moments):
    ...     return [w.values**2 * (g.square - g.mean**2)
    ...             for w, g in zip(layers, gradient_moments)]
    >>> [len(s) for s in saliency(net, variance, *data.train)]
    [6, 3]
    """
    check_type("net", net, SparseMLP)
    twin = net.copy()
    data = None if X is None else twin.prepare(X, y)
    flat = Criterion(criterion).scores(twin, data, check_threads(threads))
    return split_synapses(flat, net.weights)
