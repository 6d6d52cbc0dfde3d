"""Synapses against test error, ours beside the published."""

from __future__ import annotations

import statistics
from pathlib import Path

from bench.leaderboard.rows import PUBLISHED
from bench.leaderboard.runs import Outcome

_LABELS = {"sparse variational dropout": (7, -12), "Han et al.": (-16, 8)}  # apart from others


def draw(ours: dict[str, list[Outcome]], file: Path) -> None:
    """Write a PNG; `ours` maps the names of rows to their runs."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.2, 4.8), dpi=150, layout="constrained")
        ax = figure.subplots()
        for name, (synapses, error) in PUBLISHED.items():
            ax.plot(synapses, 100 * error, "s", color="#777777", markersize=7)
            ax.annotate(
                name, (synapses, 100 * error), xytext=_LABELS.get(name, (7, 4)),
                textcoords="offset points",
                color="#555555", fontsize=9,
            )  # fmt: skip
        for marker, color, label, shifted in (
            ("o", "#0072B2", "synaprune", True),
            ("^", "#D55E00", "synaprune, images not shifted", False),
        ):
            chosen = [
                runs
                for name, runs in ours.items()
                if ("unshifted" in name) != shifted and runs[0].n_synapses > 500
            ]
            points = sorted(
                (
                    statistics.fmean(r.n_synapses for r in runs),
                    100 - 100 * statistics.fmean(r.test for r in runs),
                    100 * statistics.stdev([r.test for r in runs]) if len(runs) > 1 else 0.0,
                )
                for runs in chosen
            )
            if points:
                x, y, sd = zip(*points, strict=True)
                ax.errorbar(x, y, sd, fmt=marker, color=color, label=label, capsize=3, markersize=8)
        ax.set(xscale="log", xlabel="synapses", ylabel="test error, %")
        ax.set_xticks([500, 1000, 2000, 5000, 10000, 20000])
        ax.set_xticklabels(["500", "1000", "2000", "5000", "10000", "20000"])
        ax.minorticks_off()
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.25)
        ax.legend(frameon=False)
        ax.set_title("Multilayer perceptrons on MNIST: size and final test error")
        figure.savefig(file)
