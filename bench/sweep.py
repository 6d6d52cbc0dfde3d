"""Many runs on Dask, loky and Ray: a worker is killed, all bytes compared, the overhead measured.

    python -m bench.sweep --write
    python -m bench.sweep --engines ray --write

The serial sweep is the reference. Each engine has two workers: Dask a scheduler and two workers as
processes of their own, loky and Ray two processes. One worker gets SIGKILL at a random moment of
the sweep; the results have to be there, with equal bytes but for the times, or the status is 1.
The overhead of a run is wall time times workers, minus the seconds that the runs measure
themselves, by the number of runs; of a sweep that nobody disturbs, and of one whose runs take
next to no time. ``--write`` makes bench/results/sweep.md, or
sweep_ray.md for other engines than Dask and loky. Needs POSIX.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import synaprune as sn

from bench.final import RESULTS, commit
from bench.machine import cpu_model
from bench.report import Report

WORKERS = 2
TURNS = 3  # of each measurement without a kill
SWEEP = {"synapses": [30, 60], "lr": [0.1, 0.2], "hidden": [(20,)], "epochs": [20]}
TRIVIAL = {"synapses": [2], "hidden": [(1,)], "epochs": [2]}
Pids = Callable[[], list[int]]


def rows() -> sn.datasets.Dataset:
    """Return a problem of 2000 rows that takes a run some tenths of a second."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 20)).astype(np.float32)
    return sn.datasets.from_arrays(X, (X[:, 0] * X[:, 1] > 0.2).astype(int))


def digest(result: sn.SweepResult) -> str:
    """Return a digest of all that came out, but for the times."""
    told = hashlib.sha256()
    for i, record in enumerate(result.records):
        header, arrays = result.network(i).state()
        told.update(json.dumps([{**record, "seconds": 0}, header], default=str).encode())
        for name in sorted(arrays):
            told.update(arrays[name].tobytes())
    return told.hexdigest()


@contextlib.contextmanager
def dask() -> Iterator[Pids]:
    """Start a scheduler and two workers, and tell joblib."""
    import distributed

    command = [sys.executable, "-m", "dask"]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        file = Path(folder, "scheduler.json")
        at = ["--scheduler-file", str(file)]
        scheduler = [
            *command,
            "scheduler",
            "--port",
            "0",
            "--no-dashboard",
            *at,
            "--idle-timeout",
            "90",
        ]
        worker = [
            *command,
            "worker",
            "--nthreads",
            "1",
            "--no-dashboard",
            *at,
            "--death-timeout",
            "60",
        ]
        for part in (scheduler, *[worker] * WORKERS):
            process = subprocess.Popen(
                part, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        while not file.exists():
            time.sleep(0.1)
        client = stack.enter_context(distributed.Client(scheduler_file=str(file)))
        client.wait_for_workers(WORKERS)
        stack.enter_context(joblib.parallel_config("dask", client=client))
        yield lambda: [*client.run(os.getpid).values()]


@contextlib.contextmanager
def loky() -> Iterator[Pids]:
    """Tell joblib to use its own processes."""
    from joblib.externals.loky import reusable_executor

    with joblib.parallel_config("loky", n_jobs=WORKERS):
        yield lambda: [*reusable_executor._executor._processes]
    reusable_executor._executor.shutdown(kill_workers=True)


@contextlib.contextmanager
def ray() -> Iterator[Pids]:
    """Start Ray on this machine, and tell joblib."""
    import psutil
    import ray
    from ray.util.joblib import register_ray

    def pids() -> list[int]:
        children = psutil.Process().children(recursive=True)
        found = [child.pid for child in children if "PoolActor" in child.name()]
        return found or [child.pid for child in children if "ray::" in "".join(child.cmdline())]

    ray.init(num_cpus=WORKERS, include_dashboard=False, logging_level="CRITICAL")
    register_ray()
    with joblib.parallel_config("ray", n_jobs=WORKERS):
        yield pids
    ray.shutdown()


ENGINES = {"dask": (dask, "distributed"), "loky": (loky, "joblib"), "ray": (ray, "ray")}
USUAL = ["dask", "loky"]


def timed(grid: dict[str, Any], data: sn.datasets.Dataset, runs: int) -> tuple[Any, float]:
    """Return a sweep, and how long it took."""
    begin = time.perf_counter()
    combinations = int(np.prod([len(values) for values in grid.values()]))
    result = sn.sweep(grid, data, seeds=-(-runs // combinations))
    return result, time.perf_counter() - begin


def killed(
    data: sn.datasets.Dataset, runs: int, pids: Pids, moment: float
) -> tuple[Any, float, bool]:
    """Return a sweep in which a worker is killed at a moment, and whether one was."""
    hit = threading.Event()

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(pids()), signal.SIGKILL)
            hit.set()

    timer = threading.Timer(moment, kill)
    timer.start()
    result, seconds = timed(SWEEP, data, runs)
    timer.join()
    return result, seconds, hit.is_set()


def overhead(result: sn.SweepResult, seconds: float) -> float:
    """Return the milliseconds a run that no run worked."""
    spent = sum(result.columns["seconds"])
    return 1e3 * (seconds * WORKERS - spent) / len(result)


def overheads(turns: list[tuple[Any, float]]) -> str:
    """Return the median, and the least: what others do on the machine only adds to it."""
    each = sorted(overhead(*turn) for turn in turns)
    return f"{each[len(each) // 2]:.1f} ms ({each[0]:.1f})"


def main() -> int:
    """Measure what is asked for; returns 1 unless all results are equal."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=USUAL)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of kills")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    random.seed(args.seed)
    warnings.simplefilter("ignore")  # of networks that say one thing, as trivial runs do
    data, xor = rows(), sn.datasets.xor()
    reference, serial = timed(SWEEP, data, args.runs)
    expected, trivial = digest(reference), digest(timed(TRIVIAL, xor, args.runs)[0])
    table, equal = [], True
    for name in args.engines:
        with ENGINES[name][0]() as pids:
            timed(TRIVIAL, xor, args.runs)  # starts what starts late
            whole = [timed(SWEEP, data, args.runs) for _ in range(TURNS)]
            quick = [timed(TRIVIAL, xor, args.runs) for _ in range(3 * TURNS)]
            moment = random.uniform(0.1, 0.9) * min(seconds for _, seconds in whole)
            result, seconds, hit = killed(data, args.runs, pids, moment)
        same = hit and {digest(r) for r, _ in whole} | {digest(result)} == {expected}
        same &= {digest(r) for r, _ in quick} == {trivial}
        equal &= same
        table.append([
            name,
            importlib.metadata.version(ENGINES[name][1]),
            f"{sorted(s for _, s in whole)[TURNS // 2]:.1f} s",
            overheads(whole),
            overheads(quick),
            f"{moment:.1f} s" if hit else "not hit",
            f"{seconds:.1f} s",
            "yes" if same else "NO",
        ])  # fmt: skip
    report = Report()
    others = "" if args.engines == USUAL else f" --engines {' '.join(args.engines)}"
    command = f"python -m bench.sweep{others} --runs {args.runs}"
    load = os.getloadavg()[0]
    each = 1e3 * np.median(reference.columns["seconds"])
    report.text(
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit "
        f"{commit()}, {cpu_model()}, {os.cpu_count()} cores, load {load:.1f} at the end; joblib "
        f"{joblib.__version__}. {len(reference)} runs, median {each:.0f} ms each; one "
        f"after another in {serial:.1f} s. {WORKERS} workers, one thread each. Medians of {TURNS} "
        f"sweeps, {3 * TURNS} of trivial runs, and the least in brackets."
    )
    report.table(
        ["engine", "version", "sweep", "overhead a run", "of trivial runs", "worker killed after",
         "that sweep", "all bytes equal"],
        table,
    )  # fmt: skip
    report.text(
        "The overhead is wall time times workers, minus the seconds that the runs measure "
        "themselves, by the number of runs. It includes the start of a sweep (sending the data, "
        "asking workers for their version) and what other processes take of the cores while a run "
        "waits for its worker. The sweeps of each engine without a kill, those of trivial runs and "
        "the one with a kill are all compared with the serial ones."
    )
    if args.write:
        name = "_".join(["sweep", *args.engines]) if others else "sweep"
        (RESULTS / f"{name}.md").write_text(f"# Many runs\n\n{report.markdown()}")
    return int(not equal)


if __name__ == "__main__":
    sys.exit(main())
