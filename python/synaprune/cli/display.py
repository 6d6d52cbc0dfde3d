"""What a person sees: a live bar on stderr, tables on stdout (rich)."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from synaprune import metrics, training
from synaprune.cli.found import Found
from synaprune.job import Result
from synaprune.network import SparseMLP
from synaprune.options import name_of
from synaprune.search import CurvePoint, SearchResult

_STAGES = {"train": "training", "retrain": "retraining", "accepted": "pruning"}


class ProgressBar:
    """A live bar; called with each `synaprune.Progress`. Shows nothing if stderr is no terminal."""

    def __init__(self, *, quiet: bool, runs: int) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=None, figures="")
        self._runs = runs
        self._run = 0
        self._drawn = 0.0

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def next_run(self) -> None:
        """Show that the next run begins."""
        self._run += 1
        if self._runs > 1 and not self._bar.disable:
            self._bar.update(self._task, description=f"run {self._run}/{self._runs} training")

    def trained(self, done: int, total: int) -> None:
        """Draw how many of the trainings of `smallest_network` are done."""
        if not self._bar.disable:
            run = f"run {self._run}/{self._runs} " if self._runs > 1 else ""
            what = f"{run}training networks on folds of the rows"
            self._bar.update(
                self._task,
                description=what,
                total=total + 1,  # a full bar's clock stops
                completed=done,
                figures=f"{done} of {total}",
            )

    def __call__(self, progress: training.Progress) -> None:
        """Draw the state, at most 20 times a second."""
        now = time.monotonic()
        if self._bar.disable or now - self._drawn < 0.05:
            return
        self._drawn = now
        score = "" if progress.score is None else f"{progress.score:.2%} "
        run = f"run {self._run}/{self._runs} " if self._runs > 1 else ""
        self._bar.update(
            self._task,
            description=run + _STAGES.get(progress.stage, "pruning"),
            total=None
            if progress.epochs is None
            else progress.epochs + 1,  # a full bar's clock stops
            completed=progress.epoch,
            figures=f"epoch {progress.epoch} · {score}· {progress.n_synapses} synapses"
            f" · {progress.threads} thread{'s' * (progress.threads > 1)}",
        )


def show_found(found: Found, next_step: str) -> None:
    """Print what `smallest_network` made of a file: what would surprise first, then the figures."""
    rows, result, record = found.rows, found.result, found.record
    console = _stdout()
    console.print(
        f"{rows.name}: {len(rows.y)} rows, {len(rows.input_names)} columns, target "
        f"{rows.target!r} {_answers(rows.y)}; seed {record['seed']}"
    )
    for note in rows.notes:
        console.print(f"- {note}")
    encoder = result.network.encoder
    if encoder is not None:
        for note in encoder.notes:
            console.print(f"- {note}")
        if encoder.left_out:
            told = [f"{name!r} ({why})" for name, why in encoder.left_out.items()]
            console.print(f"- left out: {_some(told, 10)}")
    if result.remark:
        console.print(f"\n{result.remark}")
    name = str(record["metric"]).replace("_", " ")
    why = " (one class has most of the rows)" if found.chose_metric else ""
    console.print(f"\nAsked: {_asked(result, name + why)}.")
    console.print(_ends(found, name))
    smaller = _front(result)
    if len(smaller) > 1:
        console.print(_smaller(result, smaller, name))
        console.print(f"For one of the smaller: --synapses {smaller[-2].n_synapses}.")
    of_both = "Both networks are" if result.full is not None else "The network is"
    console.print(
        f"Fresh data: estimated by {result.expected.method}. {of_both} trained on all rows."
    )
    ends = [record["start"], record["final"]]
    n, kept = (end["n_synapses"] for end in ends)
    console.print(f"{1 - kept / n:.1%} of the synapses were removed: {n} → {kept}.")
    used = result.network.used_columns
    console.print(f"Columns used, {len(used)} of {len(rows.input_names)}: {_some(used, 10)}")
    console.print(f"{_duration(record['seconds'])}. {next_step}")


def _answers(y: np.ndarray[Any, Any]) -> str:
    """Return what a target is: its classes and their rows, or the range of its numbers."""
    if y.dtype.kind == "f":
        return f"from {y.min():.6g} to {y.max():.6g}"
    labels, counts = np.unique(y, return_counts=True)
    some = list(zip(labels.tolist(), counts.tolist(), strict=True))[:6]
    more = ", …" if len(labels) > 6 else ""
    return f"of {len(labels)} classes ({', '.join(f'{label} {n}' for label, n in some)}{more})"


def _columns(*heads: str) -> tuple[Table, Callable[[str, list[str]], None]]:
    """Return a table with a column a network, and what adds a row to it."""
    table = Table()
    table.add_column("")
    for head in heads:
        table.add_column(head, justify="right")
    return table, lambda name, values: table.add_row(name, *values)


def _asked(result: SearchResult, name: str) -> str:
    """Return what was asked for, in words."""
    drop = result.max_drop
    if drop is None:
        return f"the best {name} with at most {result.chosen.n_synapses} synapses"
    lost = f"{drop:g}"
    if result.metric in metrics.RELATIVE:
        lost = f"{drop:.3g} of its size"
    elif result.expected.in_percent:
        lost = f"{100 * drop:g} point{'s' * (drop != 0.01)}"
    return f"the {name} may fall {lost} below that of the best full network"


def _ends(found: Found, name: str) -> Table:
    """Return the table of the full network, where there is one, and the smallest."""
    result = found.result
    in_percent = result.expected.in_percent
    both = result.full is not None
    shown = [
        (result.network, result.expected, found.record["final"], ("network", "smallest")[both])
    ]
    if result.full is not None and result.expected_full is not None:
        shown.insert(0, (result.full, result.expected_full, found.record["start"], "full network"))
    nets, estimates, ends, heads = zip(*shown, strict=True)
    table, row = _columns(*heads)
    row("structure", [end["structure"] for end in ends])
    row("synapses", [str(end["n_synapses"]) for end in ends])
    row("inputs used", [str(end["n_inputs"]) for end in ends])
    row(f"{name}, fresh data", [_figure(e.value, e.in_percent) for e in estimates])
    row(
        "90 % interval",
        [f"{_figure(e.low, e.in_percent)} to {_figure(e.high, e.in_percent)}" for e in estimates],
    )
    for part, what in (("train", "all rows"), ("test", "test rows")):
        if part in found.record["final"]["score"]:
            row(f"{name}, {what}", [_figure(end["score"][part], in_percent) for end in ends])
    row("bytes", [str(net.n_bytes) for net in nets])
    times = [_predict_seconds(net, found.inputs) for net in nets]
    row(f"predict {len(found.inputs)} rows", [_duration(t) for t in times])
    return table


def _front(result: SearchResult) -> list[CurvePoint]:
    """Return what was chosen and, of the smaller ones on the front, each at most half the next."""
    shown = [result.chosen]
    for point in reversed(result.front):
        if 2 * point.n_synapses <= shown[-1].n_synapses:
            shown.append(point)
    return shown[::-1]


def _smaller(result: SearchResult, points: Sequence[CurvePoint], name: str) -> Table:
    """Return what fewer synapses would cost."""
    table = Table()
    for column in ("synapses (* chosen)", f"drop of {name} on rows left out", "its standard error"):
        table.add_column(column, justify="right")
    for point in points:
        mark = " *" if point is result.chosen else ""
        shown = (_figure(x, result.expected.in_percent) for x in (point.drop, point.standard_error))
        table.add_row(f"{point.n_synapses}{mark}", *shown)
    return table


def _some(names: Sequence[str], limit: int) -> str:
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(f"{name:.60}" for name in names[:limit]) + more


def _figure(value: float, in_percent: bool) -> str:
    return f"{value:.2%}" if in_percent else f"{value:.4g}"


def show_result(result: Result) -> None:
    """Print the table of before and after, and what the run says in one line."""
    data = result.data
    columns = [result.start, result.final]
    nets = [result.full, result.path.smallest]
    table, row = _columns("before", "after")
    row("structure", [c.structure for c in columns])
    row("synapses", [str(c.n_synapses) for c in columns])
    row("inputs used", [str(c.n_inputs) for c in columns])
    metric = result.job.goal.metric
    name = name_of(metric).replace("_", " ")
    kinds = [] if result.full.is_regression else [("accuracy", [c.accuracy for c in columns])]
    if metric != "accuracy":
        kinds.append((name, [c.score for c in columns]))
    for kind, scores in kinds:
        percent = kind in ("accuracy", "balanced accuracy")
        for split in ("train", "validation", "test"):
            row(f"{kind}, {split}", [_figure(of[split], percent) for of in scores])
    row("bytes", [str(net.n_bytes) for net in nets])
    times = [_predict_seconds(net, data.test.X) for net in nets]
    row(f"predict {len(data.test)} rows", [_duration(t) for t in times])
    console = _stdout()
    train, validation, test = map(len, (data.train, data.validation, data.test))
    console.print(
        f"{result.dataset}, seed {result.seed}: {train} training, {validation} validation, {test} "
        f"test rows. Asked: {result.job.goal}; validation rows judge."
    )
    console.print(table)
    n, kept = (c.n_synapses for c in columns)
    before, after = kinds[-1][1]
    gained = {split: after[split] - before[split] for split in before}
    console.print(f"{1 - kept / n:.1%} of the synapses were removed: {n} → {kept}.")
    shown = _points if metric in ("accuracy", "balanced_accuracy") else "{:+.4f}".format
    on = [f"{shown(gained[split])} on {split} rows" for split in ("validation", "test")]
    console.print(f"{name.capitalize()} changed by {' and by '.join(on)}.")
    console.print(f"Ended because {_sentence(result.path.stop_reason)}")
    console.print(f"{result.epochs} epochs in {_duration(result.seconds)}.")


def show_runs(results: list[dict[str, Any]], seconds: float) -> None:
    """Print how often each structure came out of several runs, and the means."""
    first = results[0]
    last_seed = first["seed"] + len(results) - 1
    table = Table()
    for name in ("structure", "synapses", "runs"):
        table.add_column(name, justify="right")
    ends = Counter((r["final"]["structure"], r["final"]["n_synapses"]) for r in results)
    shown = ends.most_common(20)
    for (structure, synapses), count in shown:
        table.add_row(structure, str(synapses), str(count))
    if len(ends) > len(shown):
        table.add_row("others", "", str(len(results) - sum(count for _, count in shown)))
    console = _stdout()
    seeds = f"seeds {first['seed']} to {last_seed}"
    console.print(f"{first['dataset']}, {len(results)} runs, {seeds}")
    console.print(table)
    kind = "accuracy" if first["final"]["accuracy"] else "score"
    for split in first["final"][kind]:
        values = [r["final"][kind][split] for r in results]
        percent = kind == "accuracy"
        spread = f" ± {_figure(statistics.stdev(values), percent)}" if len(values) > 1 else ""
        console.print(f"{kind}, {split}: {_figure(statistics.fmean(values), percent)}{spread}")
    console.print(f"{sum(r['epochs'] for r in results)} epochs in {_duration(seconds)}.")


def _predict_seconds(net: SparseMLP, X: np.ndarray[Any, Any]) -> float:
    """Return the median time of predicting X once, over several calls after a warm-up."""
    times = []
    for _ in range(8):
        begin = time.perf_counter()
        net.predict(X)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def _points(gained: float) -> str:
    text = f"{100 * gained:+.2f}"
    return f"{'0.00' if float(text) == 0 else text} points"


def _stdout() -> Console:
    return Console(highlight=False, markup=False)


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."


def _duration(seconds: float) -> str:
    if seconds >= 1.0:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} µs"
