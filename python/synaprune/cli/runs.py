"""``--runs``: several runs of one command, side by side by ``--jobs`` or on a ``--scheduler``."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from synaprune.cli.found import find
from synaprune.datasets import Dataset, Rows
from synaprune.extras import require
from synaprune.job import Job
from synaprune.sweeping import Run, until_cancelled
from synaprune.threads import Threads

_SECONDS = 5  # in which a scheduler has to answer


@contextlib.contextmanager
def on_workers(scheduler: str | None) -> Iterator[None]:
    """Let runs go to the workers of a Dask scheduler, if there is one.

    Raises
    ------
    ImportError
        If distributed is missing.
    OSError, ValueError
        If the scheduler cannot be reached, or its address is none.
    """
    if scheduler is None:
        yield
        return
    distributed = require("distributed", "dask")
    joblib = require("joblib", "dask")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # errors are one line of ours
    try:
        distributed.comm.get_address_host_port(scheduler)  # a client of no address ends late
        client = distributed.Client(scheduler, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        told = " ".join(str(error).split())
        raise OSError(f"--scheduler: {scheduler} cannot be reached ({told})") from error
    with client, joblib.parallel_config(backend="dask", client=client):
        yield


def run_job(
    seed: int,
    shared: tuple[Dataset, Job],
    *,
    threads: Threads,
    callback: Callable[..., object] | None = None,
) -> Run:
    """Return the record of a run of the job."""
    data, job = shared
    callback = callback or until_cancelled()
    return Run(job.run(data, seed=seed, threads=threads, callback=callback).record(), {})


def run_search(
    seed: int,
    shared: tuple[Rows, dict[str, Any], list[str]],
    *,
    threads: Threads,
    callback: Callable[..., object] | None = None,
) -> Run:
    """Return the record of a search for the smallest network."""
    rows, asked, keep = shared
    callback = callback or until_cancelled()
    found = find(rows, asked, keep=keep, seed=seed, threads=threads, callback=callback)
    return Run(found.record, {})
