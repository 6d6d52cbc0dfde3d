"""What a person sees: a live bar on stderr, tables on stdout (rich)."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from types import TracebackType
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from synaprune import training
from synaprune.datasets import Dataset
from synaprune.job import Result
from synaprune.network import SparseMLP

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
            total=progress.epochs,
            completed=progress.epoch,
            figures=f"epoch {progress.epoch} · {score}· {progress.n_synapses} synapses"
            f" · {progress.threads} thread{'s' * (progress.threads > 1)}",
        )


def show_result(result: Result, data: Dataset) -> None:
    """Print the table of before and after, and what the run says in one line."""
    columns = [result.start, result.final]
    nets = [result.full, result.path.smallest]
    table = Table()
    table.add_column("")
    for name in ("before", "after"):
        table.add_column(name, justify="right")

    def row(name: str, values: list[str]) -> None:
        table.add_row(name, *values)

    row("structure", [c.structure for c in columns])
    row("synapses", [str(c.n_synapses) for c in columns])
    row("inputs used", [str(c.n_inputs) for c in columns])
    for split in ("train", "validation", "test"):
        row(f"accuracy, {split}", [f"{c.accuracy[split]:.2%}" for c in columns])
    row("bytes", [str(net.n_bytes) for net in nets])
    times = [_predict_seconds(net, data.test.X) for net in nets]
    row(f"predict {len(data.test)} rows", [_duration(t) for t in times])
    console = _stdout()
    console.print(f"{result.dataset}, seed {result.seed}")
    console.print(table)
    n, kept = (c.n_synapses for c in columns)
    gained = columns[1].accuracy["validation"] - columns[0].accuracy["validation"]
    verb = "removed" if result.job.goal.counted else "redundant"
    console.print(f"{1 - kept / n:.1%} of the synapses were {verb}: {n} → {kept}.")
    console.print(f"Validation accuracy changed by {100 * gained:+.2f} points.")
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
    for split in ("validation", "test"):
        values = [r["final"]["accuracy"][split] for r in results]
        spread = f" ± {statistics.stdev(values):.2%}" if len(values) > 1 else ""
        console.print(f"accuracy, {split}: {statistics.fmean(values):.2%}{spread}")
    console.print(f"{sum(r['epochs'] for r in results)} epochs in {_duration(seconds)}.")


def _predict_seconds(net: SparseMLP, X: np.ndarray[Any, Any]) -> float:
    """Return the median time of predicting X once, over several calls after a warm-up."""
    times = []
    for _ in range(8):
        begin = time.perf_counter()
        net.predict(X)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def _stdout() -> Console:
    return Console(highlight=False, markup=False)


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."


def _duration(seconds: float) -> str:
    if seconds >= 1.0:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} µs"
