"""Optimisers: plain numbers that the core's optimiser is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, get_args

import numpy as np

from synaprune import _core
from synaprune.checks import check_bool, check_float, shown
from synaprune.options import option

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "RMSprop",
]  # what users see, re-exported by `training` and by `synaprune`

_LR = "learning rate"
_WEIGHT_DECAY = "L2 penalty on the weights"
_L1 = "L1 penalty on the weights; with gradual pruning, until the last cut"

_BELOW_1 = 1.0 - 2**-24
_RANGES = {  # of every hyperparameter: lowest, highest, whether the lowest itself is excluded
    "lr": (0.0, math.inf, True),
    "momentum": (0.0, 1.0, False),
    "beta1": (0.0, _BELOW_1, False),
    "beta2": (0.0, _BELOW_1, False),
    "rho": (0.0, _BELOW_1, False),
    "epsilon": (0.0, math.inf, True),
    "weight_decay": (0.0, math.inf, False),
    "l1": (0.0, math.inf, False),
}


class _InCore:
    """A frozen dataclass whose fields are those of the core's optimiser of that name."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for field, (low, high, open_low) in _RANGES.items():
            if hasattr(self, field):
                check_float(field, getattr(self, field), low, high, open_low=open_low)

    def to_core(self, lr: float) -> _core.Optimizer:
        """Return the core's optimiser with the learning rate of one epoch.

        Parameters
        ----------
        lr : float
            The rate to use instead of ``self.lr``.

        Returns
        -------
        _core.Optimizer
        """
        return _core.Optimizer(self.name, **{**vars(self), "lr": lr})


@dataclass(frozen=True)
class SGD(_InCore):
    """Stochastic gradient descent, the optimiser that WSF is made for.

    Parameters
    ----------
    lr : float
        Learning rate.
    momentum : float
        v = momentum * v + gradient, w = w - lr * v; 0 keeps no state.
    weight_decay : float
        Added to the gradient as weight_decay * w, for synapses only.
    l1 : float
        Added to the gradient as l1 * sign(w), for synapses only.
    nesterov : bool
        Nesterov's momentum (Sutskever et al., 2013): w = w - lr * (gradient + momentum * v), with
        the new v.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> SGD(lr=0.1)
    SGD(lr=0.1, momentum=0.0, weight_decay=0.0, l1=0.0, nesterov=False)
    """

    name: ClassVar[str] = "sgd"
    lr: float = option(0.05, _LR, metavar="R")
    momentum: float = option(0.0, "share of the last step that is kept", metavar="M")
    weight_decay: float = option(0.0, _WEIGHT_DECAY, metavar="R")
    l1: float = option(0.0, _L1, metavar="R")
    nesterov: bool = option(False, "look ahead along the momentum")

    def __post_init__(self) -> None:
        super().__post_init__()
        if check_bool("nesterov", self.nesterov) and np.float32(self.momentum) == 0.0:
            raise ValueError(f"nesterov=True means nothing with momentum={self.momentum}")
        check_float("weight_decay", self.weight_decay, 0.0)
        check_float("l1", self.l1, 0.0)


@dataclass(frozen=True)
class Adam(_InCore):
    """Adam (Kingma & Ba, 2015). WSF ranks poorly under it: all weights move about as far.

    Parameters
    ----------
    lr : float
        Learning rate.
    beta1, beta2 : float
        Decay rates of the moments, in [0, 1).
    epsilon : float
        Added to the root of the second moment.
    weight_decay, l1 : float
        As in `SGD`: added to the gradient, for synapses only.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> Adam().lr
    0.001
    """

    name: ClassVar[str] = "adam"
    lr: float = option(0.001, _LR, metavar="R")
    beta1: float = option(0.9, "decay rate of the first moment", metavar="B")
    beta2: float = option(0.999, "decay rate of the second moment", metavar="B")
    epsilon: float = option(1e-8, "added to the root of the second moment", metavar="E")
    weight_decay: float = option(0.0, _WEIGHT_DECAY, metavar="R")
    l1: float = option(0.0, _L1, metavar="R")


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter, 2019).

    Each update also takes lr * weight_decay * w off every synapse, which Adam would scale by the
    size of past gradients. WSF ranks poorly under it, as under `Adam`.

    Parameters
    ----------
    lr, beta1, beta2, epsilon
        As in `Adam`.
    weight_decay : float
        Share of a weight, times lr, that each update takes off, for synapses only.
    l1
        As in `Adam`.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> AdamW(lr=0.002).weight_decay
    0.01
    """

    name: ClassVar[str] = "adamw"
    weight_decay: float = option(0.01, _WEIGHT_DECAY, metavar="R")


@dataclass(frozen=True)
class RMSprop(_InCore):
    """RMSprop (Tieleman & Hinton, 2012): each gradient over the root mean square of recent ones.

    WSF ranks poorly under it, as under `Adam`: all weights move about as far.

    Parameters
    ----------
    lr : float
        Learning rate.
    rho : float
        Decay rate of the mean square, in [0, 1).
    epsilon : float
        Added to the root of the mean square.
    weight_decay, l1 : float
        As in `SGD`: added to the gradient, for synapses only.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> RMSprop().rho
    0.99
    """

    name: ClassVar[str] = "rmsprop"
    lr: float = option(0.001, _LR, metavar="R")
    rho: float = option(0.99, "decay rate of the mean square", metavar="B")
    epsilon: float = option(1e-8, "added to the root of the mean square", metavar="E")
    weight_decay: float = option(0.0, _WEIGHT_DECAY, metavar="R")
    l1: float = option(0.0, _L1, metavar="R")


Optimizer: TypeAlias = SGD | Adam | AdamW | RMSprop
OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in get_args(Optimizer)}


def check_optimizer(optimizer: object, name: str = "optimizer") -> Optimizer:
    """Return the optimiser, or raise a TypeError."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"{name} must be an optimizer, such as SGD() or Adam(), got {shown(optimizer)}"
        )
    return optimizer
