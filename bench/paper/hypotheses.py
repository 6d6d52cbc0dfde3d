"""What WSF says about a synapse: against its loss when removed, and against its magnitude."""

from __future__ import annotations

import statistics
from dataclasses import replace

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.leaderboard.rows import PLAIN
from bench.leaderboard.runs import Outcome, processes, side_by_side
from bench.paper.mnist import pruned
from bench.paper.stats import compared, rank_correlation
from bench.report import Report


def ablation(report: Report, data: sn.datasets.Dataset, seeds: range, *, quick: bool) -> None:
    """Rank correlation of each criterion with the loss caused by removing a synapse alone."""
    report.text("## Does a score tell what a synapse is worth?")
    n = 300 if quick else 3000
    report.text(
        f"Spearman's rank correlation of each score with the rise of the training loss when that "
        f"synapse alone is taken out, and with the size of the change: {n} synapses of a trained "
        f"784-20-10, drawn at random, loss on 2000 training images; mean over {len(seeds)} seeds."
    )
    correlations: dict[str, list[list[float]]] = {name: [] for name in sn.CRITERIA}
    for seed in seeds:
        net, _ = pruned(data, seed, 3 if quick else 30)
        chosen = np.random.default_rng(seed).choice(net.n_synapses, n, replace=False)
        worth = _rises(net, data, chosen)
        for name in sn.CRITERIA:
            scores = np.concatenate(sn.saliency(net, name, *data.train))
            correlations[name].append(
                [rank_correlation(scores[chosen], w) for w in (worth, np.abs(worth))]
            )
    rows = [
        [name, *(f"{mean:+.3f}" for mean in np.mean(values, axis=0))]
        for name, values in correlations.items()
    ]
    rows.sort(key=lambda row: -float(row[2]))
    report.table(["criterion", "with the rise", "with the change"], rows)
    for other in dict.fromkeys(("magnitude", rows[0][0])):
        pairs = zip(correlations["wsf"], correlations[other], strict=True)
        differences = [a[1] - b[1] for a, b in pairs]
        report.text(f"Correlation with the change: {compared('wsf', other, differences)}.")


def _rises(net: sn.SparseMLP, data: sn.datasets.Dataset, chosen: NDArray[np.int64]) -> list[float]:
    X, y = data.train.X[:2000], data.train.y[:2000].astype(np.int32)
    whole = net._core.evaluate(X, y, 1)
    assert whole is not None
    rises = []
    for k in chosen:
        keep = np.ones(net.n_synapses, np.uint8)
        keep[k] = 0
        core = net._core.copy()
        core.remove(keep)
        without = core.evaluate(X, y, 1)
        assert without is not None
        rises.append(without[0] - whole[0])
    return rises


def magnitude(
    report: Report, data: sn.datasets.Dataset, data_dir: object, seeds: range, *, final: bool,
    quick: bool,
) -> None:  # fmt: skip
    """WSF and magnitude at Glorot's scale and at the small start."""
    report.text("## WSF against magnitude")
    splits = ("validation", "test") if final else ("validation",)
    recipes = {
        (scale, criterion): replace(
            PLAIN, init_scale=scale, criterion=criterion, epochs=4 if quick else PLAIN.epochs
        )
        for scale in (1.0, 0.05)
        for criterion in ("wsf", "magnitude")
    }
    jobs = [(recipe, seed) for recipe in recipes.values() for seed in seeds]
    outcomes = list(side_by_side(data_dir, jobs, processes()))  # type: ignore[arg-type]
    runs: dict[tuple[float, str], list[Outcome]] = {
        key: outcomes[i * len(seeds) : (i + 1) * len(seeds)] for i, key in enumerate(recipes)
    }
    rows, sentences = [], []
    epochs = 3 if quick else 30
    for scale in (1.0, 0.05):
        correlations = [_similarity(data, scale, seed, epochs) for seed in seeds]
        cells = [f"{scale:g}", f"{statistics.fmean(correlations):+.3f}"]
        for split in splits:
            for criterion in ("wsf", "magnitude"):
                values = [getattr(r, split) for r in runs[scale, criterion]]
                sd = statistics.stdev(values) if len(values) > 1 else 0.0
                cells.append(f"{statistics.fmean(values):.2%} ± {sd:.2%}")
            pairs = zip(runs[scale, "wsf"], runs[scale, "magnitude"], strict=True)
            differences = [getattr(a, split) - getattr(b, split) for a, b in pairs]
            ahead = compared("WSF", "magnitude", differences)
            sentences.append(f"At {scale:g} of Glorot's range, by {split} accuracy, {ahead}.")
        rows.append(cells)
    columns = [f"{c}, {split}" for split in splits for c in ("WSF", "magnitude")]
    report.text(
        f"784-20-10 to {PLAIN.n_synapses} synapses, {PLAIN.text()}; rank correlation of the two "
        f"scores in a network that was trained for {epochs} epochs, mean over the seeds."
    )
    report.table(["share of Glorot's range", "rank correlation", *columns], rows)
    report.text(" ".join(sentences))


def _similarity(data: sn.datasets.Dataset, scale: float, seed: int, epochs: int) -> float:
    net = sn.SparseMLP((784, 20, 10), init_scale=scale, input_scaling="center", seed=seed)
    net.fit(*data.train, training=sn.Training(epochs, optimizer=sn.SGD(PLAIN.lr)))
    wsf, size = (np.concatenate(sn.saliency(net, name)) for name in ("wsf", "magnitude"))
    return rank_correlation(wsf, size)
