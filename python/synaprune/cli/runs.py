"""Several runs of the main job: one after another, or side by side in processes of their own."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from synaprune.cli.job import Options, run_job
from synaprune.datasets import Dataset
from synaprune.training import Threads

_task: tuple[Dataset, Options, Threads]  # what a process works at, sent to it once


def run_side_by_side(
    data: Dataset, options: Options, seeds: Sequence[int], *, jobs: int, threads: Threads
) -> Iterator[dict[str, Any]]:
    """Yield the record of each run, in the order of the seeds; equal to that of a run alone.

    Processes are started afresh, not forked, since a fork of a process with threads may hang. If
    the caller stops early, by Ctrl-C or for another reason, they are ended.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(data, options, threads)
    )
    try:
        yield from pool.map(_record, seeds)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    pool.shutdown()


def _begin(*task: Any) -> None:
    global _task
    _task = task
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle


def _record(seed: int) -> dict[str, Any]:
    data, options, threads = _task
    return run_job(data, options, seed=seed, threads=threads).record()
