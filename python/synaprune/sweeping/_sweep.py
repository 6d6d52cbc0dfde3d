"""`sweep`: runs of the main job for every combination of options and seeds."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from synaprune.checkpoint import CheckpointFile, opened
from synaprune.checks import check_callable
from synaprune.datasets import Dataset, from_arrays
from synaprune.job import Job
from synaprune.sweeping._grid import Grid, check_grid, check_seeds, jobs_of
from synaprune.sweeping._result import SweepResult, result_of
from synaprune.sweeping._runs import Run, run_all, until_cancelled
from synaprune.threads import Threads, check_threads


def sweep(
    grid: Grid | Sequence[Grid],
    X: Any,
    y: Any = None,
    *,
    validation: Any = None,
    test: Any = None,
    seeds: int | Iterable[int] = 1,
    n_jobs: int | None = None,
    threads: Threads = 1,
    callback: Callable[[int, int], object] | None = None,
    checkpoint: str | os.PathLike[str] | CheckpointFile | None = None,
    resume: bool = False,
) -> SweepResult:
    """Train and prune a network for every combination of options and every seed.

    A run is that of ``synaprune prune`` with the same options. joblib does them side by side: on
    processes of this machine with ``n_jobs=``, or on whatever ``joblib.parallel_config`` says, such
    as a Dask or Ray cluster; see docs/scale.md. Equal seeds give equal bits on all of them.

    Parameters
    ----------
    grid : mapping of str to sequence, or several of them
        Values by option; all combinations are run, those of all grids. An option is called as its
        flag of ``synaprune prune``, such as "synapses", "max_drop", "lr" or "hidden"; values are
        those of a field of `Training`, `Gradual` and so on, and None is the default.
    X : array_like, shape (n, n_features), DataFrame, Table or Dataset
    y : array_like, shape (n,), or str, optional
        Labels or numbers to predict, or the name of their column; left out with a `Dataset`.
    validation, test : (X, y), optional
        Rows that judge, and rows that only the report sees. If both are left out, 60 % of the rows
        train, 20 % judge and 20 % test; that split does not depend on seeds.
    seeds : int or sequence of int
        Runs of each combination, with seeds 0, 1, …; or the seeds themselves.
    n_jobs : int, optional
        Workers, as in joblib: one if left out, unless ``joblib.parallel_config`` says otherwise; -1
        for all cores. A cluster has as many as it has.
    threads : int or "auto"
        Of each run.
    callback : callable, optional
        Called as ``callback(done, total)`` after each run, in this thread.
    checkpoint : path-like, optional
        Where to keep the runs that are finished, so that a sweep that was killed can go on.
    resume : bool
        Go on with the checkpoint, if there is one yet. Data, grid and seeds are to be what they
        were; workers may be others.

    Returns
    -------
    SweepResult
        In the order of the grid, the seeds changing fastest. A run that fails, as one whose
        training diverges, has its error there.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or a combination does not fit the data; before any training. If
        all runs fail, what the first one raised.
    ImportError
        If several workers are asked for and joblib is missing.
    OSError
        If workers are lost again and again. A run whose worker is lost is done again.
    FileExistsError, CheckpointError
        As in `prune`.

    Warns
    -----
    UserWarning
        If runs failed; and as `prune`, but for runs on clusters, whose logs have that.

    Examples
    --------
    >>> import synaprune as sn
    >>> grid = {"synapses": [6, 9], "hidden": [(8,)], "epochs": [20]}
    >>> result = sn.sweep(grid, sn.datasets.xor(), seeds=2)
    >>> result.columns["synapses"], result.columns["seed"]
    ([6, 6, 9, 9], [0, 1, 0, 1])
    >>> [n <= 9 for n in result.columns["n_synapses"]]
    [True, True, True, True]
    """
    data = _dataset(X, y, validation, test)
    chosen = check_seeds(seeds)
    check_threads(threads)
    check_callable("callback", callback)
    grids = check_grid(grid)
    jobs = jobs_of(grids, data)
    runs = [(options, job, seed) for options, job in jobs for seed in chosen]
    done = 0

    def tell(name: str, run: Run) -> None:
        nonlocal done
        done += 1
        if callback is not None:
            callback(done, len(runs))

    with opened(checkpoint, resume) as file:
        if file is not None:
            told = grids[0] if len(grids) == 1 else {str(i): one for i, one in enumerate(grids)}
            options = {"dataset": data.name, "seeds": chosen, "grid": told}
            file.identify("sweep", {"data": data.sha256}, options)
        _ = data.sha256, data.classes  # kept by the dataset, which need not find them in each run
        found = run_all(
            partial(_run, threads=threads),
            {str(i): (job, seed) for i, (_, job, seed) in enumerate(runs)},
            data,
            n_jobs=n_jobs,
            file=file,
            tell=tell,
        )
    failures = [run.record["run"]["error"] for run in found.values() if not run.arrays]
    if len(failures) == len(runs):
        raise ValueError(f"all {len(runs)} runs failed: {failures[0]}")
    if failures:
        text = f"{len(failures)} of {len(runs)} runs failed; the first one: {failures[0]}"
        warnings.warn(text, UserWarning, stacklevel=2)
    rows = [
        (options, seed, run) for (options, _, seed), run in zip(runs, found.values(), strict=True)
    ]
    return result_of(rows)


def _run(task: tuple[Job, int], data: Dataset, *, threads: Threads) -> Run:
    """Return the record and the smallest network of a run, or its error."""
    job, seed = task
    begin = time.perf_counter()
    try:
        result = job.run(data, seed=seed, threads=threads, callback=until_cancelled())
    except (ArithmeticError, ValueError) as error:  # as of a contract that cannot be kept
        seconds = round(time.perf_counter() - begin, 3)
        text = f"{type(error).__name__}: {error}"
        return Run({"run": {"seed": seed, "error": text, "seconds": seconds}}, {})
    header, arrays = result.path.smallest.state()
    return Run({"run": result.record(), "network": header}, arrays)


def _dataset(X: Any, y: Any, validation: Any, test: Any) -> Dataset:
    if not isinstance(X, Dataset):
        return from_arrays(X, y, validation=validation, test=test)
    for name, value in {"y": y, "validation": validation, "test": test}.items():
        if value is not None:
            raise ValueError(f"{name} must be left out with a Dataset, which has its own")
    return X
