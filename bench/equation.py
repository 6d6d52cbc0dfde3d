"""Formulas of small networks, and the interactions of Friedman's first function.

    python -m bench.equation --data-dir DIR             development seeds, from 1000 on
    python -m bench.equation --data-dir DIR --final     announced seeds, 11 to 20

The formulas of XOR's 2-2-1 and of a network of the penguins (DIR/tables) have to fit on one line
per class, and say what the networks say. Friedman's first function (1991), 10 sin(π x0 x1) + 20 (x2
- 0.5)² + 10 x3 + 5 x4 with noise of standard deviation 1, has one interaction. ``--final`` writes
bench/results/equation.md and appends the use to bench/results/final_log.md.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import synaprune as sn
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1
from synaprune import explain

from bench.data import check
from bench.final import commit, parse_arguments, write_results
from bench.machine import cpu_model
from bench.report import Report

RUNS = 10
ROWS = 500
DIFFERENCE_MOST = 1e-6
SHARE = 0.01  # of the variance, below which an interaction is called small
ADDITIVE = ("x2", "x3", "x4")


def main() -> None:
    """Write formulas and a table of interactions."""
    args = parse_arguments(__doc__.splitlines()[0])
    first = 11 if args.final else 1000
    command = f"python -m bench.equation{' --final' if args.final else ''}"
    report = Report()
    report.text(
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, "
        f"{cpu_model()}, scikit-learn {sklearn.__version__}."
    )
    xor(report, first)
    penguins(report, Path(args.data_dir), first)
    friedman(report, range(first, first + RUNS))
    if args.final:
        write_results("equation", "Formulas and interactions", command, report.markdown())


def xor(report: Report, seed: int) -> None:
    """Write the formula of the first 2-2-1 network that learns the exclusive or."""
    X, y = sn.datasets.xor().train
    recipe = sn.Training(2000, batch_size=4, optimizer=sn.SGD(lr=1.0))
    tried = 0
    while True:
        net = sn.SparseMLP((2, 2, 1), init_scale=1.0, seed=seed + tried)
        net.fit(X, y, training=recipe)
        tried += 1
        if net.score(X, y) == 1.0:
            break
    report.text(f"## XOR\n\nThe first 2-2-1 network of relu that learned it, of {tried}.")
    show(report, net, X, lines=1)


def penguins(report: Report, folder: Path, seed: int) -> None:
    """Write the formula of the penguins' species."""
    table = sn.read_table(folder / "tables" / "penguins.csv.gz")
    net = sn.smallest_network(table, "target", seed=seed, threads=1).network
    report.text(f'## Penguins\n\n`smallest_network(table, "target")`: {net}.')
    show(report, net, table, lines=len(net.classes) + 1)


def show(report: Report, net: sn.SparseMLP, X: Any, lines: int) -> None:
    """Write a formula with all digits and with three, and check what is said of it."""
    exact, short = explain.equation(net), explain.equation(net, X, digits=3)
    report.text(f"```\n{exact.text}\n```")
    check(len(exact.text.split("\n")) == lines, f"the formula takes more than {lines} lines")
    inputs = net.as_inputs(X)
    told = net.predict_proba(inputs)
    difference = float(np.abs(exact.evaluate(inputs) - told).max())
    space: dict[str, Any] = {}
    exec(exact.python("formula"), space)
    columns = [i.feature for i in exact.inputs]
    rows = inputs[:, columns].astype(np.float64).tolist()
    in_python = np.array([space["formula"](*row) for row in rows])
    in_python_difference = float(np.abs(in_python - told).max())
    report.text(
        f"Probabilities differ from the network's by at most {difference:.1e} on {len(rows)} rows, "
        f"those of the text in Python by {in_python_difference:.1e}. With three digits:"
    )
    report.text(f"```\n{short!r}\n```")
    check(max(difference, in_python_difference) <= DIFFERENCE_MOST, "the formula differs")


def friedman(report: Report, seeds: range) -> None:
    """Find the interactions of Friedman's first function."""
    report.text(
        "## Friedman's first function\n\n"
        f"`smallest_network` on {ROWS} rows, and `explain.interactions` on the same rows. Total "
        'interaction indices as shares of the variance of y. "Alone" are inputs of x2, x3 and x4 '
        "that share no neuron with any other."
    )
    rows, found, apart = [], 0, 0
    for seed in seeds:
        X, y = make_friedman1(ROWS, noise=1.0, random_state=seed)
        net = sn.smallest_network(X, y, seed=seed, threads=1).network
        pairs = explain.interactions(net, X).pairs()
        true = {(a, b): share for a, b, share in pairs}.get(("x0", "x1"), 0.0)
        other = max((share for a, b, share in pairs if (a, b) != ("x0", "x1")), default=0.0)
        alone = [i for i in ADDITIVE if (i,) in explain.equation(net).groups]
        found += true > SHARE >= other
        apart += len(alone) == len(ADDITIVE)
        rows.append([
            str(seed), net.structure, str(net.n_synapses), f"{true:.2%}", f"{other:.2%}",
            ", ".join(alone) or "none",
        ])  # fmt: skip
    report.table(["seed", "network", "synapses", "x0 and x1", "largest other pair", "alone"], rows)
    report.text(
        f"The function itself, on a million rows: {truth():.2%} for x0 and x1, 0 for all others. "
        f"x0 and x1 interact by more than {SHARE:.0%} and no other pair does in {found} of "
        f"{len(seeds)} networks; x2, x3 and x4 share no neuron with any input in {apart}."
    )


def truth() -> float:
    """Return the share of the interaction in the variance of the function without noise."""

    def said(X: NDArray[np.float64]) -> NDArray[np.float64]:
        y: NDArray[np.float64] = (
            10 * np.sin(np.pi * X[:, 0] * X[:, 1])
            + 20 * (X[:, 2] - 0.5) ** 2
            + 10 * X[:, 3]
            + 5 * X[:, 4]
        )
        return y

    rng = np.random.default_rng(0)
    X, other = rng.uniform(size=(2, 1_000_000, 5))
    one, two, both = X.copy(), X.copy(), X.copy()
    one[:, 0], two[:, 1], both[:, :2] = other[:, 0], other[:, 1], other[:, :2]
    d = said(X) - said(one) - said(two) + said(both)
    return float(np.square(d).mean() / 4 / said(X).var())


if __name__ == "__main__":
    main()
