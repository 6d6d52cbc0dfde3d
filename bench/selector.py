"""Feature selection by LassoNet's protocol: 50 pixels of MNIST, judged by extremely random trees.

    python -m bench.selector --data-dir DIR               development seeds, other training rows
    python -m bench.selector --data-dir DIR --final       announced seeds, the test split

Each seed draws 10000 of the training rows; `NetworkSelector(50)` chooses the pixels from these, and
`ExtraTreesClassifier` is trained on the same rows, these pixels alone. ``--final`` writes
bench/results/selector.md and appends the use to bench/results/final_log.md.
"""

from __future__ import annotations

import time

import numpy as np
import sklearn
import synaprune as sn
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from synaprune.sklearn import NetworkSelector

from bench.data import training_images
from bench.final import commit, parse_arguments, write_results
from bench.machine import cpu_model
from bench.report import Report

PIXELS, ROWS, TREES, SEEDS = 50, 10_000, 300, 5
PUBLISHED = 0.892


def main() -> None:
    """Run all seeds and print Markdown."""
    args = parse_arguments(__doc__.splitlines()[0])
    data = sn.datasets.mnist(args.data_dir)
    X, y = training_images(data, quick=False)
    first = 11 if args.final else 1011
    rows, all_pixels = [], []
    for seed in range(first, first + SEEDS):
        order = np.random.default_rng(seed).permutation(len(y))
        train, other = order[:ROWS], order[ROWS : 2 * ROWS]
        judged = (data.test.X, data.test.y) if args.final else (X[other], y[other])
        start = time.perf_counter()
        selector = NetworkSelector(PIXELS, random_state=seed, n_jobs=-1).fit(X[train], y[train])
        seconds = time.perf_counter() - start
        every = np.ones(X.shape[1], bool)
        chosen, full = (
            _accuracy(X[train][:, pixels], y[train], judged[0][:, pixels], judged[1], seed)
            for pixels in (selector.get_support(), every)
        )
        all_pixels.append(full)
        rows.append([seed, selector.n_features_, chosen, seconds, full])
    command = "python -m bench.selector" + " --final" * args.final
    report = Report()
    part = "test split" if args.final else f"{ROWS} other training rows"
    report.text(
        f"`{command}`, commit {commit()}, {cpu_model()}, scikit-learn {sklearn.__version__}. "
        f"{PIXELS} pixels chosen from {ROWS} rows; accuracy of {TREES} extremely random trees on "
        f"the {part}."
    )
    report.table(
        ["seed", "pixels", "accuracy", "seconds of the selector", "accuracy with all pixels"],
        [[str(a), str(b), f"{c:.2%}", f"{d:.1f}", f"{e:.2%}"] for a, b, c, d, e in rows],
    )
    accuracies = np.array([row[2] for row in rows])
    report.text(
        f"Mean {accuracies.mean():.2%}, standard deviation {accuracies.std(ddof=1):.2%}; with all "
        f"pixels {np.mean(all_pixels):.2%}. LassoNet's published figure is {PUBLISHED:.1%}."
    )
    if args.final:
        write_results("selector", "50 pixels of MNIST", command, report.markdown())


def _accuracy(
    X: NDArray[np.uint8], y: NDArray[np.int64], X_judged: NDArray[np.uint8],
    y_judged: NDArray[np.int64], seed: int,
) -> float:  # fmt: skip
    trees = ExtraTreesClassifier(TREES, n_jobs=-1, random_state=seed).fit(X, y)
    return float(trees.score(X_judged, y_judged))


if __name__ == "__main__":
    main()
