"""Size against score, one dot per table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.tables.runs import Record
from bench.tables.summary import by_table, have, points, relative_size

_PLACES = [(6, 3), (6, -10), (-6, 3), (-6, -10), (0, 8), (0, -15)]  # of labels, in points
_PLACES += [(x, y) for y in (16, -23, 26, -33) for x in (6, -6, 0)]


def draw(records: Sequence[Record], file: Path) -> None:
    """Write a PNG: what is lost against MLP(100), or the full network, over relative size."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    other, name = ("mlp", "MLP(100)") if have(records, "mlp") else ("full", "the full network")
    sizes = relative_size(records)
    ahead = by_table(records, lambda r: points(r, "pruned", other))
    least = by_table(records, lambda r: 1 / r.weights["mlp"])  # an empty network counts as one
    x = [max(sizes[table], least[table]) for table in ahead]
    with mpl.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(8.4, 5.6), dpi=150, layout="constrained")
        ax = figure.subplots()
        ax.axhline(0.0, color="#777777", linewidth=1)
        ax.axvline(1.0, color="#777777", linewidth=1, linestyle=":")
        ax.scatter(x, list(ahead.values()), s=36, color="#0072B2", zorder=4)
        ax.set(
            xscale="log",
            xlabel="weights of the pruned network / weights of MLP(100)",
            ylabel=f"better than {name}, points of the test metric",
        )
        ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        ax.margins(0.08, 0.08)
        ax.grid(alpha=0.25)
        ax.set_title(f"The smallest network and {name}: size and fresh data")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # places the axes, which the labels need
        _label(
            ax,
            canvas.get_renderer(),
            dict(zip(ahead, zip(x, ahead.values(), strict=True), strict=True)),
        )
        figure.savefig(file)


def _label(ax: Any, renderer: Any, dots: dict[str, tuple[float, float]]) -> None:
    """Write each name beside its dot, where it covers as few names and dots as can be."""
    from matplotlib.patheffects import withStroke

    pixels = ax.transData.transform(list(dots.values()))
    halo = [withStroke(linewidth=2, foreground="white")]  # lines end at it
    taken: list[Any] = []
    for (name, at), own in zip(dots.items(), pixels, strict=True):
        best, fewest = None, None
        for place in _PLACES:
            text = ax.annotate(
                name, at, xytext=place, textcoords="offset points", fontsize=9, color="#333333",
                path_effects=halo,
                ha="left" if place[0] > 0 else "right" if place[0] < 0 else "center",
            )  # fmt: skip
            box = text.get_window_extent(renderer).padded(2)
            hits = sum(box.overlaps(other) for other in taken)
            hits += sum(box.contains(*dot) for dot in pixels if dot is not own)
            hits += not ax.bbox.padded(4).contains(*box.p0) or not ax.bbox.contains(*box.p1)
            if fewest is None or hits < fewest:
                if best is not None:
                    best.remove()
                best, fewest = text, hits
            else:
                text.remove()
            if not hits:
                break
        assert best is not None
        taken.append(best.get_window_extent(renderer))
