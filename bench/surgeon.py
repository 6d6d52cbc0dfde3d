"""Optimal brain surgeon beside the other criteria, each with and without its update.

    python -m bench.surgeon --data-dir DIR                   all parts, seeds 1001-1003
    python -m bench.surgeon --data-dir DIR --only oneshot    one part
    python -m bench.surgeon --data-dir DIR --records FILE    keep runs there, and go on with them

"+" behind a criterion is `Criterion(..., compensate=True)`: what stays makes up for each cut. All
figures are of the validation split; nothing looks at the test split. Runs take one thread each. A
run of all parts writes bench/results/surgeon.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import synaprune as sn

from bench.final import RESULTS, commit
from bench.leaderboard.rows import DEEP_BASE, PLAIN
from bench.machine import cpu_model
from bench.report import Report

SALIENCIES = ("wsf", "wsf_fisher", "fisher", "magnitude", "taylor2", "obs")
VARIANTS = tuple(name + plus for name in SALIENCIES for plus in ("", "+"))
SEEDS = (1001, 1002, 1003)
SHARES = (0.5, 0.25, 0.1)  # of the synapses that a one-shot cut leaves
STEPS = {"at once": 1, "in ten": 10}
DROP = 0.01  # that `Iterative` may cost
_BRIEF, _LONG = sn.Training(60, batch_size=16), sn.Training(100, batch_size=16)
_EXPONENTIAL = sn.Gradual()


@dataclass(frozen=True)
class Task:
    """A dataset, and the network that is trained on it and cut.

    Attributes
    ----------
    counts : tuple of int
        Synapses that `Gradual` ends with.
    gradual : Gradual
    gradual_training : Training
        Of `Gradual`; `training` is of the networks that are cut afterwards.
    """

    data: str
    hidden: tuple[int, ...]
    counts: tuple[int, ...]
    init_scale: float = 0.05
    input_scaling: str = "auto"
    training: sn.Training = _BRIEF
    gradual: sn.Gradual = _EXPONENTIAL
    gradual_training: sn.Training = _LONG

    @property
    def start(self) -> str:
        """Dataset and hidden neurons, such as "mnist 100-40"."""
        return f"{self.data} {'-'.join(map(str, self.hidden))}"

    def network(self, data: sn.datasets.Dataset, seed: int) -> sn.SparseMLP:
        """Return a fresh network."""
        outputs = len(set(data.train.y.tolist()))
        return sn.SparseMLP(
            (data.n_features, *self.hidden, 1 if outputs == 2 else outputs),
            init_scale=self.init_scale,
            input_scaling=self.input_scaling,
            seed=seed,
        )


SHALLOW = Task(
    "mnist", (20,), (PLAIN.n_synapses,), PLAIN.init_scale, PLAIN.input_scaling,
    replace(PLAIN.training, epochs=15), PLAIN.strategy, PLAIN.training,
)  # fmt: skip
_DEEP = replace(DEEP_BASE, epochs=100, shift=0.0)
DEEP = Task(
    "mnist", _DEEP.hidden, (500, 1259), _DEEP.init_scale, _DEEP.input_scaling,
    replace(_DEEP.training, epochs=10), _DEEP.strategy, _DEEP.training,
)  # fmt: skip
SMALL = (
    Task("digits", (20,), (200,)),
    Task("ionosphere", (20,), (30,), input_scaling="standard"),
    Task("crop", (20,), (100,), input_scaling="standard"),
)


class Cuts(sn.Strategy):
    """Cut a network to shares of its synapses without training, and note the scores.

    Parameters
    ----------
    steps : int
        Of equal shares, each ranked anew, in which each cut is made.
    """

    def __init__(self, steps: int) -> None:
        self.steps, self.scores = steps, [0.0 for _ in SHARES]

    def run(self, session: sn.pruning.Session) -> str:
        """Cut; nothing but the network as it came is accepted."""
        full, n = session.snapshot(), session.net.n_synapses
        judged = session.judge()
        session.accept(judged, epochs=0, score_after_cut=judged.score)
        for i, share in enumerate(SHARES):
            session.restore(full)
            for step in range(1, self.steps + 1):
                excess = session.net.n_synapses - round(n * share ** (step / self.steps))
                if excess > 0:
                    session.cut(excess)
            self.scores[i] = session.judge().score
        session.restore(full)
        return "all cuts are made"


def _criterion(variant: str) -> sn.Criterion:
    return sn.Criterion(variant.removesuffix("+"), compensate=variant.endswith("+"))


_networks: dict[tuple[Task, int], sn.SparseMLP] = {}


def _trained(task: Task, data: sn.datasets.Dataset, seed: int) -> sn.SparseMLP:
    if (task, seed) not in _networks:
        net = task.network(data, seed).fit(*data.train, training=task.training, threads=1)
        _networks[task, seed] = net
    return _networks[task, seed]


def oneshot(task: Task, data: sn.datasets.Dataset, variant: str, seed: int) -> list[float]:
    """Return the scores at each share, cut at once and in steps; nothing is retrained."""
    net, scores = _trained(task, data, seed), []
    for steps in STEPS.values():
        cuts = Cuts(steps)
        sn.prune(
            net, *data.train, validation=data.validation, n_synapses=net.n_synapses // 2,
            strategy=cuts, criterion=_criterion(variant), threads=1,
        )  # fmt: skip
        scores += cuts.scores
    return scores


def iterative(task: Task, data: sn.datasets.Dataset, variant: str, seed: int) -> list[float]:
    """Return the share of synapses left under a contract, three epochs after each cut."""
    net = _trained(task, data, seed)
    path = sn.prune(
        net, *data.train, validation=data.validation, max_drop=DROP, max_epochs=100,
        strategy=sn.Iterative(3, 2, 3, 0.0), criterion=_criterion(variant), threads=1,
        training=replace(task.training, epochs=None),
    )  # fmt: skip
    return [path.smallest.n_synapses / net.n_synapses]


def gradual(task: Task, data: sn.datasets.Dataset, variant: str, seed: int) -> list[float]:
    """Return the scores at each count, trained from scratch; WSF always starts small."""
    if "wsf" in variant:
        task = replace(task, init_scale=0.05)
    scores = []
    for n in task.counts:
        path = sn.prune(
            task.network(data, seed), *data.train, validation=data.validation, n_synapses=n,
            strategy=task.gradual, training=task.gradual_training,
            criterion=_criterion(variant), threads=1,
        )  # fmt: skip
        scores.append(path.smallest.score(*data.validation, threads=1))
    return scores


Job = Callable[[Task, sn.datasets.Dataset, str, int], list[float]]
Key = tuple[str, str, str, int]


class Runs:
    """Runs, of which those in a file are not done again."""

    def __init__(self, data_dir: Path, file: Path | None) -> None:
        self.data_dir, self.file = data_dir, file
        self._done: dict[Key, tuple[list[float], float]] = {}
        self._data: dict[str, sn.datasets.Dataset] = {}
        for line in file.read_text().splitlines() if file and file.exists() else ():
            job, start, variant, seed, values, seconds = json.loads(line)
            self._done[job, start, variant, seed] = values, seconds

    def of(self, job: Job, task: Task, variant: str, seeds: Iterable[int]) -> list[list[float]]:
        """Return what a job gives for each seed."""
        results = []
        for seed in seeds:
            key = job.__name__, task.start, variant, seed
            if key not in self._done:
                begin = time.process_time()
                values = job(task, self._load(task.data), variant, seed)
                self._done[key] = values, time.process_time() - begin
                if self.file is not None:
                    with self.file.open("a") as file:
                        file.write(json.dumps([*key, *self._done[key]]) + "\n")
            results.append(self._done[key][0])
        return results

    def seconds(self, job: Job, task: Task, variant: str) -> float:
        """Return what a run of a job takes of a core, on average over seeds."""
        key = job.__name__, task.start, variant
        return statistics.fmean(s for k, (_, s) in self._done.items() if k[:3] == key)

    @property
    def minutes(self) -> float:
        """What all runs took of a core."""
        return sum(seconds for _, seconds in self._done.values()) / 60

    def _load(self, name: str) -> sn.datasets.Dataset:
        if name not in self._data:
            if name in ("mnist", "digits"):
                folder = self.data_dir if name == "mnist" else None
                self._data[name] = sn.datasets.load(name, data_dir=folder)
            else:
                self._data[name] = sn.datasets.load(self.data_dir / "tables" / f"{name}.csv.gz")
        return self._data[name]


@dataclass(frozen=True)
class Column:
    """What one task gives in one part, for each variant a value a seed.

    Attributes
    ----------
    sign : int
        1 if more is better, else -1.
    """

    title: str
    values: dict[str, list[float]]
    sign: int = 1

    def cell(self, variant: str) -> str:
        """Mean and standard deviation; "-" if it was not run."""
        values = self.values.get(variant)
        if values is None:
            return "-"
        return f"{100 * statistics.fmean(values):.1f} ± {100 * statistics.stdev(values):.1f}"

    def verdict(self) -> str:
        """Say which variant is best, and where WSF and the surgeon stand to it."""
        means = {v: self.sign * statistics.fmean(x) for v, x in self.values.items()}
        best = max(means, key=lambda v: means[v])
        told = []
        for other in ("wsf", "obs", "obs+"):
            if other in means and other != best:
                pairs = zip(self.values[other], self.values[best], strict=True)
                points = [100 * (a - b) for a, b in pairs]
                error = statistics.stdev(points) / len(points) ** 0.5
                told.append(f"{other} {statistics.fmean(points):+.1f} ± {error:.1f}")
        return f"{self.title}: {best} is the best; against it {', '.join(told)}"


def _column(
    runs: Runs, job: Job, task: Task, i: int, title: str, *,
    variants: Sequence[str] = VARIANTS, seeds: Sequence[int] = SEEDS, sign: int = 1,
) -> Column:  # fmt: skip
    values = {v: [x[i] for x in runs.of(job, task, v, seeds)] for v in variants}
    return Column(title, values, sign)


def _told(
    report: Report, columns: Sequence[Column], more: dict[str, list[str]] | None = None
) -> None:
    more = more or {}
    report.table(
        ["criterion", *(c.title for c in columns), *more],
        [
            [v, *(c.cell(v) for c in columns), *(cells[i] for cells in more.values())]
            for i, v in enumerate(VARIANTS)
        ],
    )
    report.text("\n".join(f"- {c.verdict()}" for c in columns))


def _oneshot(report: Report, runs: Runs) -> None:
    report.text(
        "## Cut without retraining\n\nAccuracy in per cent of trained networks, cut to a share of "
        "their synapses at once, and in ten steps each of which ranks (and makes up) anew. Below "
        "a table: differences in points, with the standard error of the paired difference."
    )
    titles = [f"{way} {share:.0%}" for way in STEPS for share in SHARES]
    for task in (SHALLOW, DEEP, *SMALL):
        seeds = SEEDS[:2] if task is DEEP else SEEDS
        report.text(f"### {task.start}")
        columns = [_column(runs, oneshot, task, i, t, seeds=seeds) for i, t in enumerate(titles)]
        _told(report, columns)


def _iterative(report: Report, runs: Runs) -> None:
    report.text(
        f"## Iterative, at most three epochs after each cut\n\nSynapses left, in per cent of all, "
        f"where the accuracy may drop by {DROP:g}; at most 100 epochs in all. Fewer are better."
    )
    tasks = (SHALLOW, *SMALL)
    _told(report, [_column(runs, iterative, task, 0, task.start, sign=-1) for task in tasks])


def _gradual(report: Report, runs: Runs) -> None:
    report.text(
        f"## Gradual, 100 epochs from scratch\n\nAccuracy in per cent at the count, and seconds of "
        f"a core that both deep runs take. MNIST {SHALLOW.start[6:]}: {PLAIN.text()}. MNIST "
        f"{DEEP.start[6:]}: {replace(_DEEP, criterion='wsf').text()}, WSF after a small start, "
        f"seeds {SEEDS[0]} and {SEEDS[1]}."
    )
    columns = [
        _column(runs, gradual, task, 0, f"{task.start} to {task.counts[0]}")
        for task in (SHALLOW, *SMALL)
    ]
    columns += [
        _column(runs, gradual, DEEP, i, f"{DEEP.start} to {n}", seeds=SEEDS[:2])
        for i, n in enumerate(DEEP.counts)
    ]
    seconds = {"seconds": [f"{runs.seconds(gradual, DEEP, v):.0f}" for v in VARIANTS]}
    _told(report, columns, seconds)


PARTS = {"oneshot": _oneshot, "iterative": _iterative, "gradual": _gradual}


def main() -> None:
    """Run the parts that are asked for and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of mnist/, tables/")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), help="parts")
    parser.add_argument("--records", type=Path, help="file of runs to keep, and to go on with")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # that wsf and L1 do not go together, say
    report, runs = Report(), Runs(args.data_dir, args.records)
    report.text(
        f"`python -m bench.surgeon`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit "
        f"{commit()}, {cpu_model()}, ISA {sn.build_info()['isa']}, one thread. Validation split, "
        f"mean ± standard deviation over seeds {SEEDS[0]} to {SEEDS[-1]}. A plus is "
        "`compensate=True`: the weights that stay make up for each cut."
    )
    for name in args.only or PARTS:
        PARTS[name](report, runs)
    report.text(f"All runs took {runs.minutes:.0f} minutes of one core.")
    if not args.only:
        title = "Optimal brain surgeon beside the other criteria"
        (RESULTS / "surgeon.md").write_text(f"# {title}\n\n{report.markdown()}")


if __name__ == "__main__":
    main()
