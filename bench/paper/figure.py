"""Which pixels a pruned network uses, and accuracy against synapses along its path."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import synaprune as sn

from bench.paper.mnist import pruned
from bench.report import Report


def draw(
    report: Report, data: sn.datasets.Dataset, seed: int, folder: Path, *, quick: bool
) -> None:
    """Write paper.png."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    _, path = pruned(data, seed, 5 if quick else 60)
    small = path.smallest
    uses = np.bincount(small.weights[0].indices, minlength=784).reshape(28, 28)
    with mpl.rc_context({"font.size": 10}):
        figure = Figure(figsize=(8.4, 3.8), dpi=150, layout="constrained")
        left, right = figure.subplots(1, 2)
        shown = np.ma.masked_equal(uses, 0)
        image = left.imshow(shown, cmap="cividis")
        left.set_facecolor("#eeeeee")
        left.set(xticks=[], yticks=[], title=f"{small.n_used_inputs} of 784 pixels are used")
        figure.colorbar(image, ax=left, label="synapses out", shrink=0.85)
        path.plot(right)
        right.set_title(f"784-20-10 to {small.n_synapses} synapses")
        figure.savefig(folder / "paper.png")
    report.text("## Used inputs")
    report.text("![used inputs, and accuracy against synapses](paper.png)")
    print(f"The picture is {folder / 'paper.png'}.", file=sys.stderr)
