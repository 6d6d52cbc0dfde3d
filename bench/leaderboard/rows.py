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
    teacher : tuple of int
        Hidden neurons of a network whose probabilities are the targets; () is none.
    all_images : bool
        Trained on all 60000 training images, the validation split included, from which then
        nothing is read off.
    """

    hidden: tuple[int, ...]
    n_synapses: int
    n_inputs: int | None = None
    criterion: str = "wsf"
    concentration: float = 0.0
    init_scale: float = 0.05
    input_scaling: str = "auto"
    epochs: int = 150
    lr: float = 0.1
    l1: float = 0.0
    weight_decay: float = 0.0
    momentum: float = 0.0
    batch_size: int = 64
    shift: float = 0.0
    label_smoothing: float = 0.0
    average_last: int = 1
    teacher: tuple[int, ...] = ()
    effort: float = 0.0
    all_images: bool = False

    @property
    def optimizer(self) -> sn.SGD:
        """SGD with the recipe's numbers."""
        return sn.SGD(self.lr, self.momentum, self.weight_decay, self.l1)

    @property
    def final_optimizer(self) -> sn.SGD:
        """The same without L1, for what comes after the last cut."""
        return replace(self.optimizer, l1=0.0)

    def text(self) -> str:
        """Return what differs from the defaults, to read beside a figure."""
        default = Recipe((), 0)
        told = ("hidden", "n_synapses")
        return ", ".join(
            f"{name} {value}"
            for name, value in self.__dict__.items()
            if name not in told and value != getattr(default, name)
        )


_BIG = Recipe((60,), 1259, shift=0.5, lr=0.15, epochs=300, all_images=True)
ROWS = {
    "800": replace(_BIG, n_synapses=800),
    "1259": _BIG,
    "2000": replace(_BIG, hidden=(100,), n_synapses=2000),
    "3000": replace(_BIG, hidden=(100,), n_synapses=3000),
    "3000-unshifted": replace(_BIG, hidden=(100,), n_synapses=3000, shift=0.0),
    "20-hidden": Recipe((20,), 1259, shift=0.5, epochs=300),
    "38": Recipe(
        (20,),
        38,
        n_inputs=20,
        criterion="wsf_fisher",
        input_scaling="center",
        lr=0.2,
        l1=1e-4,
        shift=0.5,
        epochs=150,
        effort=6.0,
    ),
}
# Multilayer perceptrons on MNIST: weights, final test error.
PUBLISHED = {
    "RigL+": (3070, 0.0169),
    "sparse variational dropout": (3800, 0.0192),
    "dynamic network surgery": (4800, 0.0199),
    "Han et al.": (22000, 0.0159),
    "Bulín & Šmídl": (1259, 0.03),
}
COMPARISON = Recipe((20,), 1259, epochs=60)  # criteria and options take turns in it
OPTIONS = {
    "nothing": COMPARISON,
    "shifts": replace(COMPARISON, shift=0.5),
    "label smoothing": replace(COMPARISON, label_smoothing=0.05),
    "mean of the last 10 epochs": replace(COMPARISON, average_last=10),
    "a teacher of 200 neurons": replace(COMPARISON, teacher=(200,)),
    "L1": replace(COMPARISON, l1=2e-4),
    "Glorot's scale": replace(COMPARISON, init_scale=1.0),
    "five times the epochs": replace(COMPARISON, epochs=300),
}
