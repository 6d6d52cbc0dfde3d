"""Several runs of the main job: one after another, or side by side in processes of their own."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from typing import Any

from synaprune.datasets import Dataset
from synaprune.job import Job
from synaprune.threads import Threads

_task: tuple[Dataset, Job, Threads]  # what a process works at, sent to it once


def run_side_by_side(
    data: Dataset, job: Job, seeds: Sequence[int], *, jobs: int, threads: Threads
) -> Iterator[dict[str, Any]]:
    """Yield the record of each run, in the order of the seeds; equal to that of a run alone.

    Processes are started afresh, not forked, since a fork of a process with threads may hang. If
    the caller stops early, by Ctrl-C or for another reason, they are ended. Their warnings are
    given here.

    Raises
    ------
    OSError
        If a process dies.
    """
    ours = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(data, job, threads)
    )
    waiting = iter(seeds)
    pending: deque[Future[tuple[dict[str, Any], list[str]]]] = deque()
    try:
        with _interrupts_ignored():  # which the processes, all started here, inherit
            for seed in itertools.islice(waiting, 2 * jobs):
                pending.append(pool.submit(_record, seed))
        while pending:
            record, texts = pending.popleft().result()
            for seed in itertools.islice(waiting, 1):
                pending.append(pool.submit(_record, seed))
            for text in texts:
                warnings.warn(text, UserWarning, stacklevel=2)
            yield record
    except BaseException as error:
        for child in set(multiprocessing.active_children()) - ours:
            child.terminate()
        pool.shutdown()  # waited for: Python's exit fails on a pool that ends at the same moment
        if isinstance(error, BrokenExecutor):
            raise OSError("a process of --jobs ended unexpectedly; out of memory?") from error
        raise
    pool.shutdown()


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl-C on a terminal, or its end, goes to all processes; it is the parent's to handle."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _begin(*task: Any) -> None:
    global _task
    _task = task
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process once its parent has gone, as by SIGKILL; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _record(seed: int) -> tuple[dict[str, Any], list[str]]:
    """Return the record of a run, and what it warned of."""
    data, job, threads = _task
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        record = job.run(data, seed=seed, threads=threads).record()
    return record, [str(w.message) for w in caught]
