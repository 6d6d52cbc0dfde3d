"""One model on many processes: equal bytes, scaling, messages, and what a killed rank does.

    python -m bench.ranks [--rounds N]

Needs mpi4py with mpiexec beside Python (``pip install mpi4py mpich``); with torch, torchrun too. It
writes bench/results/ranks.md. Each rank has one thread. Ways to train take turns, since other
processes may take cores meanwhile: only ratios of neighbouring turns say anything.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import itertools
import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray
from synaprune.distributed import Exchange, Ranks, TorchCommunicator, rows_of

from bench.data import check
from bench.final import RESULTS, commit
from bench.machine import cpu_model
from bench.peers import cores, optional
from bench.report import Report

SIZES = (784, 1000, 1000, 10)
BATCH = 4096
EPOCHS = 3  # of a turn; the first is not timed
LINKS = ((10, 30e-6), (100, 5e-6))  # Gbit/s, and what a message takes to arrive: assumed
NODES = (10, 100, 1000)
THREADS = 16  # of a node: assumed to be as many times as fast as one
FLOAT = 4  # bytes

# ---- what a rank does


class Metered:
    """A communicator that counts what passes through it."""

    def __init__(self, comm: Any) -> None:
        self.comm, self.seconds, self.n, self.n_bytes = comm, 0.0, 0, 0

    def Get_rank(self) -> int:  # noqa: N802 - mpi4py's name
        """Return the rank."""
        return int(self.comm.Get_rank())

    def Get_size(self) -> int:  # noqa: N802
        """Return the number of ranks."""
        return int(self.comm.Get_size())

    def Sendrecv(self, *buffers: Any) -> None:  # noqa: N802
        """Send and receive."""
        begin = time.perf_counter()
        self.comm.Sendrecv(*buffers)
        self.seconds += time.perf_counter() - begin
        self.n += 1
        self.n_bytes += buffers[0].nbytes


def communicator(name: str) -> Any:
    """Return the communicator of a worker."""
    if name == "torch":
        import torch.distributed

        torch.distributed.init_process_group("gloo")
        return TorchCommunicator()
    from mpi4py import MPI

    return MPI.COMM_WORLD


def samples(n: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return rows like those of MNIST, a fifth of them ink, with labels that depend on them."""
    rng = np.random.default_rng(1000)
    X = rng.integers(0, 256, (n, SIZES[0]), np.uint8)
    X[rng.random(X.shape, np.float32) > 0.2] = 0
    blocks = X[:, :780].reshape(n, 10, 78).sum(axis=2)
    return X, blocks.argmax(axis=1)


def fit(comm: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Train on this rank's rows; return seconds of epochs after the first, and messages."""
    X, y = samples(job["rows"])
    part = rows_of(len(X), comm)
    meter, times = Metered(comm), []
    rank = comm.Get_rank()

    def callback(progress: sn.Progress) -> None:
        times.append((time.perf_counter(), meter.seconds, meter.n, meter.n_bytes))
        if rank == 1 and job.get("fails") and progress.epoch == 2:
            Path(job["file"]).write_text(repr(time.time()))
            if job["fails"] == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("this rank raises")

    training = sn.Training(job["epochs"], batch_size=job["batch"], optimizer=sn.SGD(0.05))
    net = sn.SparseMLP(job["sizes"], init_scale=0.3, seed=1000)
    net.fit(X[part], y[part], training=training, comm=meter, threads=1, callback=callback)
    if job.get("prune"):
        path = sn.prune(
            net, X[part], y[part], validation=(X[part], y[part]), n_synapses=job["prune"],
            training=sn.Training(6, batch_size=job["batch"]), comm=comm, threads=1,
        )  # fmt: skip
        path.save(f"{job['file']}.{rank}")
    steps = np.diff(np.array(times), axis=0)
    epoch = np.median(steps, axis=0) if len(steps) else np.zeros(4)
    return {"seconds": steps[:, 0].tolist(), "waits": epoch[1], "n": epoch[2], "bytes": epoch[3]}


def messages(comm: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Return the least seconds of a sum over ranks, by length of the array.

    The least, since a rank that waits for its core spends milliseconds.
    """
    exchange, told = Exchange(Ranks(comm)), {}
    for n in job["lengths"]:
        here, seconds = np.zeros(n, np.float32), []
        for _ in range(job["repeats"]):
            exchange.gather(b"")
            begin = time.perf_counter()
            exchange.add(here)
            seconds.append(time.perf_counter() - begin)
        told[str(n)] = min(seconds)
    return told


def work(name: str, job: dict[str, Any]) -> None:
    """Do a worker's job; the first rank prints what came out."""
    comm = communicator(name)
    told = {"fit": fit, "messages": messages}[job["job"]](comm, job)
    if comm.Get_rank() == 0:
        print(json.dumps(told))


# ---- ranks are started


def command(name: str, size: int, job: dict[str, Any]) -> list[str]:
    """Return the command that does a job on so many ranks."""
    module = ["-m", "bench.ranks", "--worker", name, json.dumps(job)]
    if name == "torch":
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={size}"]
        return [sys.executable, *launch, *module]
    mpiexec = Path(sys.executable).parent / "mpiexec"
    return [str(mpiexec), "-n", str(size), sys.executable, *module]


def start(name: str, size: int, job: dict[str, Any]) -> subprocess.Popen[str]:
    """Start ranks."""
    return subprocess.Popen(
        command(name, size, job), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what the first rank printed."""
    out, err = process.communicate()
    check(process.returncode == 0, f"ranks failed: {err[-2000:]}")
    told: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return told


# ---- what is shown


def bytes_of_files(report: Report, folder: Path) -> None:
    """Show that model files of any number of ranks are equal."""
    report.text("## Equal bytes")
    ways = [("mpi", n) for n in (1, 2, 4)]
    ways += [("torch", n) for n in (1, 2) if optional("torch")]
    rows, digests = [], set()
    for name, size in ways:
        job = {"job": "fit", "rows": 3001, "batch": 256, "epochs": 3, "sizes": (784, 60, 10),
               "prune": 2000, "file": str(folder / f"{name}{size}")}  # fmt: skip
        result(start(name, size, job))
        files = [Path(f"{job['file']}.{rank}").read_bytes() for rank in range(size)]
        found = {hashlib.sha256(file).hexdigest()[:16] for file in files}
        digests |= found
        launcher = "torchrun, gloo" if name == "torch" else "mpiexec"
        rows.append([f"{launcher}, {size} ranks", " ".join(sorted(found))])
    report.text(
        "784-60-10 on 3001 rows, batch 256: `fit`, then `prune` to 2000 synapses; the file of the "
        "pruning path, as each rank wrote it."
    )
    report.table(["ranks", "SHA-256 of all files"], rows)
    check(len(digests) == 1, "files differ")


def scaling(report: Report, rounds: int) -> None:
    """Show strong and weak scaling at two ranks."""
    report.text("## Two ranks")
    job: dict[str, Any] = {
        "job": "fit", "rows": 2 * BATCH, "batch": BATCH, "epochs": EPOCHS, "sizes": SIZES,
    }  # fmt: skip
    wide = {**job, "rows": 4 * BATCH, "batch": 2 * BATCH}
    # What it is called, launcher, ranks, job; the first is what others are compared with.
    ways = [("one rank", "mpi", 1, job)]
    for launcher in ("mpi", "torch") if optional("torch") else ("mpi",):
        name = {"mpi": "mpiexec", "torch": "torchrun"}[launcher]
        ways.append((f"two ranks, {name}, strong scaling", launcher, 2, job))
        ways.append((f"two ranks, {name}, weak scaling", launcher, 2, wide))
    seconds: list[list[float]] = [[] for _ in ways]
    beside: list[float] = []
    told: list[dict[str, Any]] = []
    for _ in range(rounds):
        pair = [result(p)["seconds"] for p in [start("mpi", 1, job) for _ in range(2)]]
        beside += [max(epochs) for epochs in zip(*pair, strict=True)]
        told = [result(start(launcher, size, task)) for _, launcher, size, task in ways]
        for times, of in zip(seconds, told, strict=True):
            times += of["seconds"]

    def row(way: str, task: dict[str, Any], times: list[float], twice: bool = False) -> list[str]:
        more = task["rows"] // job["rows"] * (2 if twice else 1)
        cells = [f"{f(times):.2f} s, {more * f(seconds[0]) / f(times):.2f}×"
                 for f in (statistics.median, min)]  # fmt: skip
        return [way, f"{'twice ' if twice else ''}{task['rows']}, {task['batch']}", *cells]

    report.text(
        f"{'-'.join(map(str, SIZES))}, {job['rows']} rows, batch {BATCH}, one thread a rank; "
        f"seconds of an epoch over {rounds} rounds in which all ways take turns."
    )
    rows = [row(way, task, s) for (way, _, _, task), s in zip(ways, seconds, strict=True)]
    rows.append(row("two trainings of one rank, side by side", job, beside, twice=True))
    report.table(
        ["way", "rows and batch", "median epoch, rows a second against one rank", "the fastest"],
        rows,
    )
    mpi = told[1]
    waits = mpi["waits"] / statistics.median(mpi["seconds"])
    report.text(
        "The last line is what this machine gives two processes that do not talk. A rank of "
        f"mpiexec sent {mpi['bytes'] / 2 / 2**20:.1f} MiB a batch in {mpi['n'] / 2:.0f} messages, "
        f"and spent {waits:.1%} of the epoch in them, waiting for the other rank included."
    )


def failures(report: Report, folder: Path) -> None:
    """Show how long the others live when a rank is killed or raises."""
    report.text("## A rank fails")
    rows = []
    ways = ["mpi", "torch"] if optional("torch") else ["mpi"]
    for name in ways:
        for fails in ("killed", "raises"):
            file = folder / f"{name}-{fails}"
            job = {"job": "fit", "rows": 2 * BATCH, "batch": 512, "epochs": 500, "fails": fails,
                   "sizes": (784, 100, 10), "file": str(file)}  # fmt: skip
            process = start(name, 2, job)
            out, err = process.communicate(timeout=300)
            took = time.time() - float(file.read_text())
            check(process.returncode != 0, "ranks went on without one")
            check(took < 10.0, f"the others ended after {took:.1f} s")
            told = re.search(r"RankError: (rank.*)|EXIT STRING: (.*)", out + err)
            check(told is not None, f"nobody says what happened: {out}{err}")
            assert told is not None
            launcher = "torchrun" if name == "torch" else "mpiexec"
            said = (told[1] or told[2])[:90]
            rows.append([f"{launcher}, rank 1 {fails}", f"{took:.1f} s", said])
    report.table(["what happens", "all have ended after", "what is said of it"], rows)


def cost_model(report: Report, rounds: int) -> None:
    """Fit seconds of computation and of messages, and tell what follows for clusters."""
    report.text("## Cost model")
    sizes = [(784, 300, 10), (784, 1000, 10), SIZES]
    jobs = [
        {"job": "fit", "rows": 2 * b, "batch": b, "epochs": EPOCHS, "sizes": s}
        for s in sizes
        for b in (256, 2048)
    ]
    seconds: list[list[float]] = [[] for _ in jobs]
    for _ in range(rounds):
        for times, job in zip(seconds, jobs, strict=True):
            times += [t / 2 for t in result(start("mpi", 1, job))["seconds"]]
    synapses = np.array([n_synapses(job["sizes"]) for job in jobs])
    batches = np.array([j["batch"] for j in jobs])
    took = np.array([min(t) for t in seconds])
    c, u = fitted(np.stack([synapses * batches, synapses], axis=1) / took[:, None])
    report.text(
        "A batch of B rows on one rank, w synapses: "
        f"**{c * 1e12:.1f} ps · w · B + {u * 1e9:.2f} ns · w** (least squares of relative errors "
        "of the fastest epochs). "
        "The second part is what a batch costs however many rows it has: the sums of the shards' "
        "gradients and the update."
    )
    report.table(
        ["network, batch", "measured", "model"],
        [
            [f"{'-'.join(map(str, j['sizes']))}, {j['batch']}", f"{t * 1e3:.1f} ms",
             f"{(c * w * b + u * w) * 1e3:.1f} ms"]
            for j, t, w, b in zip(jobs, took, synapses, batches, strict=True)
        ],
    )  # fmt: skip
    lengths = [2**k for k in (6, 10, 14, 16, 18, 20, 21)]
    job = {"job": "messages", "lengths": lengths, "repeats": 60}
    rows, shape = [], []
    for size in (2, 4):
        many = [result(start("mpi", size, job)) for _ in range(rounds)]
        best = [min(told[str(n)] for told in many) for n in lengths]
        rows.append([f"{size} ranks", *(f"{t * 1e6:.0f} µs" for t in best)])
        hops, sent = 2 * math.log2(size), 2.0 * (1.0 - 1.0 / size) * FLOAT
        if size <= cores():
            shape += [[hops / t, sent * n / t] for n, t in zip(lengths, best, strict=True)]
    latency, per_byte = fitted(np.array(shape))
    report.text(
        "Sum of n floats over ranks in shared memory, the fastest: "
        "2·log2(R) messages, 8·(1 - 1/R) bytes a float each way. The fit over ranks that have a "
        f"core each: **{latency * 1e6:.0f} µs a message, {1e-9 / per_byte:.2f} GB/s** with the "
        "additions; more ranks than cores wait for each other."
    )
    report.table(["floats", *map(str, lengths)], rows)
    clusters(report, c, u)


def n_synapses(sizes: Sequence[int]) -> int:
    """Return the synapses of full layers."""
    return sum(a * b for a, b in itertools.pairwise(sizes))


def fitted(columns: NDArray[np.float64]) -> list[float]:
    """Return the coefficients, none below 0, whose sum of columns is closest to 1."""
    found = np.linalg.lstsq(columns, np.ones(len(columns)), rcond=None)[0]
    if (found < 0.0).any():
        found = np.array([np.linalg.lstsq(columns[:, :1], np.ones(len(columns)))[0][0], 0.0])
    return [float(a) for a in found]


def clusters(report: Report, c: float, u: float) -> None:
    """Tell what the model says of nodes that are joined by links."""
    w = n_synapses(SIZES)
    report.text(
        f"What that says of {'-'.join(map(str, SIZES))}, w = {w}, on nodes of {THREADS} cores "
        f"(assumed: {THREADS} times as fast as one), a message arriving after "
        + " or ".join(f"{late * 1e6:.0f} µs at {speed} Gbit/s" for speed, late in LINKS)
        + ": seconds of messages a batch, rows that a node needs a batch so that half, or four "
        "fifths, of its time is computation, and how many times as fast as one node R nodes are on "
        "a global batch of 65536 rows."
    )
    rows = []
    for speed, late in LINKS:
        for nodes in NODES:
            talk = messages_seconds(w, nodes, speed, late)
            row_seconds = c * w / THREADS
            step = 65536 * row_seconds + u * w / THREADS
            many = 65536 / nodes * row_seconds + u * w / THREADS + talk
            rows.append(
                [f"{nodes} nodes, {speed} Gbit/s", f"{talk * 1e3:.1f} ms",
                 *(f"{math.ceil(e / (1 - e) * talk / row_seconds)}" for e in (0.5, 0.8)),
                 f"{step / many:.1f}×"]
            )  # fmt: skip
    report.table(["cluster", "messages", "rows, half", "rows, four fifths", "faster"], rows)


def messages_seconds(w: int, nodes: int, speed: float, late: float) -> float:
    """Return what the sum of w gradients over nodes takes."""
    sent = 2.0 * (1.0 - 1.0 / nodes) * FLOAT * w
    return 2.0 * math.ceil(math.log2(nodes)) * late + sent / (speed * 1e9 / 8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way to train")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        work(options.worker[0], json.loads(options.worker[1]))
        return
    report = Report()
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    report.text(
        f"`python -m bench.ranks --rounds {options.rounds}`, "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, {cpu_model()}, "
        f"{cores()} cores{load}, ISA {sn.build_info()['isa']}."
    )
    with tempfile.TemporaryDirectory() as folder:
        bytes_of_files(report, Path(folder))
        scaling(report, options.rounds)
        failures(report, Path(folder))
    cost_model(report, options.rounds)
    (RESULTS / "ranks.md").write_text(f"# One model on many processes\n\n{report.markdown()}")


if __name__ == "__main__":
    main()
