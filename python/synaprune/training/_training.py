"""`Training`: the recipe of one training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from synaprune.checks import check_callable, check_float, check_int, shown
from synaprune.options import option, set_fields
from synaprune.training._data import ShiftImages, check_augment
from synaprune.training._lr_schedules import LRSchedule
from synaprune.training._rewire import Rewiring, check_rewire
from synaprune.training.optimizers import SGD, Optimizer, check_optimizer


@dataclass(frozen=True)
class Training:
    """How a network is trained: what `SparseMLP.fit` and `prune` share.

    Parameters
    ----------
    epochs : int, optional
        Passes over the data. Left out: 20 in `SparseMLP.fit`, 60 with `Gradual`. `Iterative` has
        its own `retrain_epochs` and refuses epochs.
    batch_size : int
        Samples an update.
    optimizer : Optimizer
        Such as `SGD`, which is the default, or `Adam`.
    lr_schedule : callable, optional
        Takes the share of the epochs done, in [0, 1), and returns a factor on the learning rate;
        asked for all epochs before the first one.
    class_weight : dict or "balanced", optional
        How much each class counts, by label, 1 where left out; "balanced": inversely to how often
        it occurs. Multiplies `sample_weight`.
    label_smoothing : float
        Share of each target, in [0, 1), that is spread evenly over all classes (Szegedy et al.,
        2016).
    augment : ShiftImages, optional
        How samples are varied, anew in each epoch.
    input_dropout : float
        Probability, in [0, 1), that an input is dropped, anew for each sample and epoch: the
        network sees 0 in its place, which after scaling is its mean, and the other inputs divided
        by 1 - probability (Srivastava et al., 2014). Helps where a network learns its training data
        by heart and inputs are redundant.
    max_gradient_norm : float, optional
        Gradient clipping: a batch's gradient of a larger norm, over all weights and biases, is
        scaled down to this one (Pascanu et al., 2013).
    swa_epochs : int
        Stochastic weight averaging (Izmailov et al., 2018, arXiv 1803.05407): the network ends with
        the mean of its weights after each of so many last epochs; 1 averages nothing.
    rewire : SET or RigL, optional
        Prune-and-regrow at a constant number of synapses while `SparseMLP.fit` trains. A second
        network would not fit into the memory that such networks need: if the training diverges, or
        is interrupted, the network is as it was after the last exchange or epoch.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> Training(epochs=5, optimizer=SGD(lr=0.1)).batch_size
    64
    >>> Training(epochs=5, swa_epochs=6)
    Traceback (most recent call last):
        ...
    ValueError: swa_epochs must be from 1 to 5, the epochs, got 6
    """

    epochs: int | None = option(
        None, "epochs of the full network, and of gradual pruning", metavar="N"
    )
    batch_size: int = option(64, "samples an update", metavar="N")
    optimizer: Optimizer = field(default_factory=SGD)
    lr_schedule: LRSchedule | None = None
    class_weight: Mapping[Any, float] | str | None = option(
        None, "make classes count inversely to how often they occur", choices=("balanced",)
    )
    label_smoothing: float = option(
        0.0, "share of a target that is spread over all classes", metavar="S"
    )
    augment: ShiftImages | None = None
    input_dropout: float = option(
        0.0, "probability that an input is dropped, anew for each sample and epoch", metavar="P"
    )
    max_gradient_norm: float | None = option(
        None, "scale gradients of a larger norm down to this one", metavar="R"
    )
    swa_epochs: int = option(1, "average the weights over so many last epochs", metavar="N")
    rewire: Rewiring | None = None

    def __post_init__(self) -> None:
        if self.epochs is not None:
            set_fields(self, epochs=check_int("epochs", self.epochs, 1))
        check_callable("lr_schedule", self.lr_schedule)
        if self.max_gradient_norm is not None:
            norm = check_float("max_gradient_norm", self.max_gradient_norm, 0.0, open_low=True)
            set_fields(self, max_gradient_norm=norm)
        set_fields(
            self,
            batch_size=check_int("batch_size", self.batch_size, 1),
            optimizer=check_optimizer(self.optimizer),
            class_weight=_checked_class_weight(self.class_weight),
            label_smoothing=check_float("label_smoothing", self.label_smoothing, 0.0, 1 - 2**-10),
            augment=check_augment(self.augment),
            input_dropout=check_float("input_dropout", self.input_dropout, 0.0, 1 - 2**-10),
            swa_epochs=check_int("swa_epochs", self.swa_epochs, 1),
            rewire=check_rewire(self.rewire),
        )
        if self.epochs is not None and self.swa_epochs > self.epochs:
            raise ValueError(
                f"swa_epochs must be from 1 to {self.epochs}, the epochs, got {self.swa_epochs}"
            )

        if self.rewire is not None and self.swa_epochs > 1:
            raise ValueError(
                f"swa_epochs must be 1 with rewire, as synapses change, got {self.swa_epochs}"
            )

    def with_epochs(self, default: int) -> Training:
        """Return the recipe with its number of epochs, the default if it has none.

        Parameters
        ----------
        default : int

        Returns
        -------
        Training
        """
        return self if self.epochs is not None else dataclasses.replace(self, epochs=default)

    def refuse(self, *names: str, by: str) -> None:
        """Raise a ValueError if a field is set that the caller cannot follow.

        Parameters
        ----------
        *names : str
            Fields that do not apply.
        by : str
            The caller, and what it has instead.
        """
        for own in dataclasses.fields(self):
            value = getattr(self, own.name)
            if own.name in names and value != own.default:
                raise ValueError(f"training.{own.name}={value!r} does not apply to {by}")


def check_training(training: Training | None) -> Training:
    """Return the recipe, the default one for None, or raise a TypeError."""
    if training is None:
        return Training()
    if not isinstance(training, Training):
        raise TypeError(f"training must be a Training, got {shown(training)}")
    return training


def _checked_class_weight(given: object) -> dict[Any, float] | str | None:
    """Return a copy; labels are compared with the data's when these are known."""
    if given is None or (isinstance(given, str) and given == "balanced"):
        return given
    if not isinstance(given, Mapping):
        raise TypeError(f"class_weight must be 'balanced' or a dict, got {shown(given)}")
    return {
        label: check_float(f"class_weight of {label!r}", weight, 0.0)
        for label, weight in given.items()
    }
