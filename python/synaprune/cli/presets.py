"""How each dataset is trained and pruned unless flags say otherwise: one table.

The values were chosen on validation splits, with seeds from 1000 on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Settings of one dataset; each is an option of the console of the same name.

    ``stop_at`` ends the training of the full network at that validation accuracy (only where the
    rows are all there is, as with xor).
    """

    hidden: tuple[int, ...] = (20,)
    activation: str = "relu"
    loss: str = "auto"
    init_scale: float = 0.05
    input_scaling: str | None = None  # None: the dataset's
    optimizer: str = "sgd"
    lr: float = 0.1
    l1: float = 0.0  # towards a count, until the last cut
    weight_decay: float = 0.0
    batch_size: int = 64
    epochs: int = 60
    criterion: str = "wsf"
    concentration: float = 0.0
    shift: int = 0
    shift_probability: float = 0.5
    label_smoothing: float = 0.0
    retrain_epochs: int = 20
    patience: int = 5
    attempts: int = 10
    effort: float | None = None  # that of `prune`
    stop_at: float | None = None


PRESETS = {
    "xor": Preset(
        hidden=(100,),
        activation="sigmoid",
        init_scale=0.02,
        concentration=2.0,
        lr=2.0,
        batch_size=4,
        epochs=20000,
        retrain_epochs=1000,
        patience=300,
        attempts=6,
        stop_at=1.0,
    ),
    "digits": Preset(lr=0.1, batch_size=16, epochs=100),
    "mnist": Preset(
        criterion="wsf_fisher", input_scaling="center", lr=0.4, l1=1e-4, shift=1, epochs=400
    ),
}
TABLE = Preset(lr=0.05, batch_size=16, epochs=100)


def preset_for(dataset: str) -> Preset:
    """Return the preset of a named dataset, or the one of files."""
    return PRESETS.get(dataset, TABLE)
