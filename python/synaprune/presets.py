"""How each dataset is trained and pruned unless flags say otherwise.

The values were chosen on validation splits, with seeds from 1000 on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from synaprune.criteria import Criterion
from synaprune.job import Architecture
from synaprune.pruning import Iterative, Strategy
from synaprune.training import SGD, ShiftImages, Training


@dataclass(frozen=True)
class Preset:
    """The parts of a `Job` that belong to a dataset; each option is a flag of the console.

    Attributes
    ----------
    architecture, training, criterion, stop_at
        As in `Job`.
    strategies : tuple of Strategy
        Those of which some option is not the default.
    """

    architecture: Architecture = field(default_factory=Architecture)
    training: Training = field(default_factory=Training)
    criterion: Criterion = field(default_factory=Criterion)
    strategies: tuple[Strategy, ...] = ()
    stop_at: float | None = None

    def strategy(self, kind: type[Strategy]) -> Strategy:
        """Return the strategy of a kind."""
        return next((s for s in self.strategies if type(s) is kind), None) or kind()


PRESETS = {
    "xor": Preset(
        Architecture((100,), activation="sigmoid", init_scale=0.02),
        Training(20000, batch_size=4, optimizer=SGD(2.0)),
        Criterion(structured_bias=2.0),
        (Iterative(retrain_epochs=1000, patience=300, n_candidates=6),),
        stop_at=1.0,
    ),
    "digits": Preset(training=Training(100, batch_size=16, optimizer=SGD(0.1))),
    "mnist": Preset(
        Architecture(input_scaling="center"),
        Training(400, optimizer=SGD(0.4, l1=1e-4), augment=ShiftImages(28, 28)),
        Criterion("wsf_fisher"),
    ),
}
SEARCHED = ("digits",)  # of which `smallest_network` is asked unless flags say otherwise
COUNTED = (*SEARCHED, "mnist")  # and with a count alone
TABLE = Preset(training=Training(100, batch_size=16, optimizer=SGD(0.05)))


def preset_for(dataset: str) -> Preset:
    """Return the preset of a named dataset, or the one of files."""
    return PRESETS.get(dataset, TABLE)
