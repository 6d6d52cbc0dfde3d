"""What is run: one recipe a row, and the published figures beside them.

All settings were chosen on the validation split, with seeds from 1000 on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import synaprune as sn


@dataclass(frozen=True)
class Recipe:
    """A network to start from, a count to end with, and how it is trained on the way.

    Attributes
    ----------
    shift : float
        Probability that an image is moved by one pixel; 0 is none.
    l1_to_the_end : bool
        Not only until the last cut.
    teacher : tuple of int
        Hidden neurons of a network whose probabilities are the targets; () is none.
    all_images : bool
        Trained on all 60000 training images, the validation split included, from which then
        nothing is read off.
    share_drop : float or None
        What weights that share few values may cost on the validation split, in accuracy; None is
        not to try.
    """

    hidden: tuple[int, ...]
    n_synapses: int
    n_inputs: int | None = None
    criterion: str = "wsf"
    structured_bias: float = 0.0
    activation: str = "relu"
    init_scale: float = 0.05
    input_scaling: str = "auto"
    epochs: int = 150
    lr: float = 0.1
    l1: float = 0.0
    l1_to_the_end: bool = False
    weight_decay: float = 0.0
    momentum: float = 0.0
    batch_size: int = 64
    shift: float = 0.0
    input_dropout: float = 0.0
    label_smoothing: float = 0.0
    swa_epochs: int = 1
    teacher: tuple[int, ...] = ()
    power: float = 2.0
    regrow_budget: float = 0.0
    all_images: bool = False
    share_drop: float | None = None

    @property
    def optimizer(self) -> sn.SGD:
        """SGD with the recipe's numbers."""
        return sn.SGD(self.lr, self.momentum, self.weight_decay, self.l1)

    @property
    def training(self) -> sn.Training:
        """How the network is trained."""
        return sn.Training(
            self.epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            input_dropout=self.input_dropout,
            label_smoothing=self.label_smoothing,
            augment=sn.ShiftImages(28, 28, 1, self.shift) if self.shift else None,
            swa_epochs=self.swa_epochs,
        )

    @property
    def strategy(self) -> sn.Gradual:
        """How it is pruned."""
        last = self.optimizer if self.l1_to_the_end else replace(self.optimizer, l1=0.0)
        return sn.Gradual(power=self.power, final_optimizer=last, regrow_budget=self.regrow_budget)

    def text(self) -> str:
        """Return what differs from the defaults, to read beside a figure."""
        default = Recipe((), 0)
        told = ("hidden", "n_synapses", "share_drop")
        return ", ".join(
            f"{name} {value}"
            for name, value in self.__dict__.items()
            if name not in told and value != getattr(default, name)
        )


SHARE_DROP = 0.001
_SMALL = Recipe(
    (20,),
    1259,
    criterion="wsf_fisher",
    input_scaling="center",
    lr=0.4,
    l1=1e-4,
    shift=0.5,
    epochs=400,
    share_drop=SHARE_DROP,
)
_DEEP = Recipe(
    (100, 40),
    1259,
    criterion="fisher",
    init_scale=1.0,
    input_scaling="center",
    lr=0.04,
    momentum=0.95,
    l1=1e-4,
    shift=0.5,
    epochs=800,
    power=3.0,
    all_images=True,
    share_drop=SHARE_DROP,
)
_DEEPER = replace(_DEEP, hidden=(300, 100), l1=5e-5, shift=0.8, epochs=400)
ROWS = {
    "20-hidden": _SMALL,
    "500": replace(_DEEP, hidden=(60, 20), n_synapses=500, activation="silu", l1=2e-4),
    "800": replace(
        _DEEP, hidden=(100, 30), n_synapses=800, activation="silu", batch_size=24, lr=0.02
    ),
    "1259": replace(_DEEP, hidden=(200, 80), batch_size=24, lr=0.02),
    "2000": replace(_DEEPER, n_synapses=2000),
    "3000": replace(_DEEPER, n_synapses=3000),
    "3000-unshifted": replace(_DEEPER, n_synapses=3000, shift=0.0, input_dropout=0.2),
    "38": replace(
        _DEEP,
        hidden=(30,),
        n_synapses=38,
        n_inputs=20,
        activation="tanh",
        l1=2e-3,
        shift=0.0,
        epochs=300,
        regrow_budget=1.0,
    ),
}
ASKED = (1259,)  # counts that `smallest_network` is asked for
# Multilayer perceptrons on MNIST: weights, final test error.
PUBLISHED = {
    "RigL+": (3070, 0.0169),
    "sparse variational dropout": (3800, 0.0192),
    "dynamic network surgery": (4800, 0.0199),
    "Han et al.": (22000, 0.0159),
    "Bulín & Šmídl": (1259, 0.03),
}
# Criteria and options take turns in these.
PLAIN = Recipe((20,), 1259, input_scaling="center", lr=0.2, epochs=100, power=1.0)
SHIFTED = replace(PLAIN, shift=0.5)
BASE = replace(SHIFTED, l1=1e-4)
LOOPS = {"images as they are": PLAIN, "shifted images": SHIFTED, "shifted images and L1": BASE}
OPTIONS = {
    "the base": BASE,
    "without shifts": replace(BASE, shift=0.0),
    "without L1": SHIFTED,
    "L1 to the end": replace(BASE, l1_to_the_end=True),
    "without centring": replace(BASE, input_scaling="auto"),
    "Glorot's scale": replace(BASE, init_scale=1.0),
    "label smoothing 0.05": replace(BASE, label_smoothing=0.05),
    "mean of the last 10 epochs": replace(BASE, swa_epochs=10),
    "a teacher of 200 neurons": replace(BASE, teacher=(200,)),
    "momentum 0.9, a tenth of the rate": replace(BASE, momentum=0.9, lr=0.02),
    "twice the rate": replace(BASE, lr=0.4),
    "structured bias 0.25": replace(BASE, structured_bias=0.25),
    "regrow budget 1": replace(BASE, regrow_budget=1.0),
    "four times the epochs": replace(BASE, epochs=400),
}
# What depth, schedule and the rest are worth.
DEEP_BASE = replace(_DEEP, epochs=240, all_images=False, share_drop=None)
DEPTH = {
    "the base, 784-100-40-10": DEEP_BASE,
    "784-80-10": replace(DEEP_BASE, hidden=(80,)),
    "784-80-10, WSF after a small start": replace(
        DEEP_BASE, hidden=(80,), init_scale=0.05, criterion="wsf"
    ),
    "784-300-100-10": replace(DEEP_BASE, hidden=(300, 100)),
    "784-100-40-20-10": replace(DEEP_BASE, hidden=(100, 40, 20)),
    "cuts by power 1": replace(DEEP_BASE, power=1.0),
    "cuts by power 2": replace(DEEP_BASE, power=2.0),
    "magnitude": replace(DEEP_BASE, criterion="magnitude"),
    "wsf_fisher": replace(DEEP_BASE, criterion="wsf_fisher"),
    "WSF after a small start": replace(DEEP_BASE, init_scale=0.05, criterion="wsf"),
    "L1 5e-5": replace(DEEP_BASE, l1=5e-5),
    "L1 2e-4": replace(DEEP_BASE, l1=2e-4),
    "L1 to the end": replace(DEEP_BASE, l1_to_the_end=True),
    "four of five images shifted": replace(DEEP_BASE, shift=0.8),
    "label smoothing 0.05": replace(DEEP_BASE, label_smoothing=0.05),
    "a tenth of the inputs dropped": replace(DEEP_BASE, input_dropout=0.1),
    "tanh": replace(DEEP_BASE, activation="tanh"),
    "obs": replace(DEEP_BASE, criterion="obs"),
    "mean of the last 20 epochs": replace(DEEP_BASE, swa_epochs=20),
    "a teacher of 200 neurons": replace(DEEP_BASE, teacher=(200,)),
    "regrow budget 1": replace(DEEP_BASE, regrow_budget=1.0),
    "structured bias 0.25": replace(DEEP_BASE, structured_bias=0.25),
    "four times the epochs": replace(DEEP_BASE, epochs=960),
}
