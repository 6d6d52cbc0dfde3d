"""Optimisers: plain numbers that the core's optimiser is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from synaprune import _core
from synaprune.checks import check_float


@dataclass(frozen=True)
class SGD:
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

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> SGD(lr=0.1)
    SGD(lr=0.1, momentum=0.0, weight_decay=0.0, l1=0.0)
    """

    lr: float = 0.05
    momentum: float = 0.0
    weight_decay: float = 0.0
    l1: float = 0.0

    def __post_init__(self) -> None:
        check_float("lr", self.lr, 0.0, open_low=True)
        check_float("momentum", self.momentum, 0.0, 1.0)
        check_float("weight_decay", self.weight_decay, 0.0)
        check_float("l1", self.l1, 0.0)

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
        return _core.Optimizer(
            "sgd", lr, momentum=self.momentum, weight_decay=self.weight_decay, l1=self.l1
        )


@dataclass(frozen=True)
class Adam:
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

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    l1: float = 0.0

    def __post_init__(self) -> None:
        check_float("lr", self.lr, 0.0, open_low=True)
        for name in ("beta1", "beta2"):
            check_float(name, getattr(self, name), 0.0, 1.0 - 2**-24)
        check_float("epsilon", self.epsilon, 0.0, open_low=True)
        check_float("weight_decay", self.weight_decay, 0.0)
        check_float("l1", self.l1, 0.0)

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
        return _core.Optimizer(
            "adam",
            lr,
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
            l1=self.l1,
        )


Optimizer: TypeAlias = SGD | Adam


def check_optimizer(optimizer: Optimizer | None, name: str = "optimizer") -> Optimizer:
    """Return the optimiser, plain SGD for None, or raise a TypeError."""
    if optimizer is None:
        return SGD()
    if not isinstance(optimizer, SGD | Adam):
        raise TypeError(f"{name} must be an SGD or an Adam, got {optimizer!r}")
    return optimizer
