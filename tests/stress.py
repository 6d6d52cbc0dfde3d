"""Everything at once: fits, predictions, copies, saves and edits of one network from many threads.

``python -m stress --minutes 10``, with ``tests`` on PYTHONPATH. Each result is held against what
the same call gives alone. Meanwhile processes are started in every way there is, and compute the
same. Prints what was done, and ends with status 1 at the first fault. ThreadSanitizer knows
no threads that are started after a fork: ``--ways spawn forkserver loky dask``.
"""

import argparse
import contextlib
import hashlib
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import synaprune as sn
from synaprune import explain

SIZES = (20, 16, 4)
WAYS = ["fork", "spawn", "forkserver", "loky", "dask"]
RECIPE = sn.Training(2, batch_size=50, optimizer=sn.SGD(lr=0.1, momentum=0.5))
ONE_PASS = sn.Training(optimizer=sn.Adam(lr=0.001))


def samples():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, SIZES[0])).astype(np.float32)
    return X, (X[:, :4] + 0.3 * rng.normal(size=(2000, 4))).argmax(axis=1)


def digest(*parts):
    """A hash of arrays and of all else by its text."""
    told = hashlib.sha256()
    for part in parts:
        told.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return told.hexdigest()


def bits(net):
    arrays = [a for w in net.weights for a in (w.indptr, w.indices, w.values, w.initial, w.bias)]
    return digest(net.structure, *arrays)


class Subject:
    """A trained network, its data, and what each kind of work on it gives where it is alone."""

    def __init__(self, folder):
        self.X, self.y = samples()
        self.folder = Path(folder)
        self.net = sn.SparseMLP(SIZES, seed=0).fit(self.X, self.y, training=RECIPE)
        self.expected = {name: work(self, self.folder / "alone.npz") for name, work in WORK.items()}

    def check(self, name, file):
        found = WORK[name](self, file)
        assert found == self.expected[name], f"{name} gave {found}, alone {self.expected[name]}"


def fit(subject, file):
    return bits(sn.SparseMLP(SIZES, seed=3).fit(subject.X, subject.y, training=RECIPE))


def fit_on(subject, file):
    return bits(subject.net.copy().fit(subject.X, subject.y, training=RECIPE))


def prune(subject, file):
    X, y = subject.X[:500], subject.y[:500]
    path = sn.prune(subject.net, X, y, validation=(X, y), n_synapses=60, training=RECIPE)
    return bits(path.smallest)


def predict(subject, file):
    threads = 1 + threading.get_ident() % 3
    return digest(subject.net.predict_proba(subject.X, threads=threads))


def predict_one(subject, file):
    return digest(*(subject.net.predict(subject.X[i : i + 1]) for i in range(50)))


def copy(subject, file):
    return bits(subject.net.copy())


def save_and_load(subject, file):
    subject.net.save(file)
    return digest(file.read_bytes()) + bits(sn.SparseMLP.load(file))


def edit(subject, file):
    net = subject.net.without(inputs=[3], neurons=[1]).with_weight(0, 0, 5, 0.25)
    return bits(net) + digest(net.predict(subject.X))


def understand(subject, file):
    X, y = subject.X[:200], subject.y[:200]
    ablation = explain.ablate(subject.net, X, y, threads=2)
    return digest(ablation.changes, explain.feature_energy(subject.net, X))


WORK = {
    work.__name__: work
    for work in (
        fit, fit_on, prune, predict, predict_one, copy, save_and_load, edit, understand,
    )
}  # fmt: skip


def shared_writes(net, X, y, rng):
    """Change a network that other threads read and change; only that it stays whole is known."""
    step = rng.randrange(4)
    if step == 0:
        net.fit(X[:200], y[:200], training=RECIPE)
    elif step == 1:
        p = net.predict_proba(X)
        assert np.isfinite(p).all()
        assert (abs(p.sum(axis=1) - 1.0) < 1e-5).all()
    elif step == 2:
        twin = net.copy()
        assert sum(len(w.values) for w in twin.weights) == twin.n_synapses
    else:
        net.partial_fit(X[:100], y[:100], training=ONE_PASS)


def in_process(names, queue):
    """Do some work in a process of its own, and send what it gave."""
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject.__new__(Subject)
        subject.X, subject.y = samples()
        subject.net = sn.SparseMLP(SIZES, seed=0).fit(subject.X, subject.y, training=RECIPE)
        queue.put([WORK[name](subject, Path(folder, "x.npz")) for name in names])


def in_joblib(subject, how, names):
    """Do some work in processes of loky, or of a Dask cluster that is made for it."""
    import joblib

    def work(name):
        return WORK[name](subject, subject.folder / f"{how}{os.getpid()}.npz")

    with contextlib.ExitStack() as stack:
        options = {"n_jobs": 2}
        if how == "dask":
            import distributed

            cluster = distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
            )
            client = distributed.Client(stack.enter_context(cluster), set_as_default=False)
            options = {"client": stack.enter_context(client)}
        with joblib.parallel_config(how, **options):
            return joblib.Parallel()(joblib.delayed(work)(name) for name in names)


def start_processes(subject, how, names):
    if how in ("loky", "dask"):
        found = in_joblib(subject, how, names)
    else:
        context = multiprocessing.get_context(how)
        queue = context.Queue()
        process = context.Process(target=in_process, args=(names, queue))
        process.start()
        found = queue.get(timeout=120)
        process.join(120)
        assert process.exitcode == 0, f"{how}: exit status {process.exitcode}"
    expected = [subject.expected[name] for name in names]
    assert found == expected, f"{how}: {names} gave {found}, alone {expected}"


def run(seconds, *, n_threads=8, ways=(), seed=0):
    """Stress for so many seconds; returns how often each kind of work was done, and the faults."""
    done, faults = Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(folder)
        shared = subject.net.copy()
        end = time.monotonic() + seconds

        def worker(number):
            rng = random.Random(seed * 1000 + number)
            file = subject.folder / f"{number}.npz"
            while time.monotonic() < end and not faults:
                name = rng.choice([*WORK, "shared_writes"])
                try:
                    if name == "shared_writes":
                        shared_writes(shared, subject.X, subject.y, rng)
                    else:
                        subject.check(name, file)
                except BaseException:
                    faults.append(traceback.format_exc())
                done[name] += 1

        def starter():
            rng = random.Random(seed)
            while ways and time.monotonic() < end and not faults:
                how = rng.choice(ways)
                try:
                    start_processes(subject, how, rng.sample(list(WORK), 3))
                except BaseException:
                    faults.append(traceback.format_exc())
                done[how] += 1

        threads = [threading.Thread(target=worker, args=(i,)) for i in range(n_threads)]
        threads.append(threading.Thread(target=starter))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        still = [name for name, work in WORK.items() if work(subject, subject.folder / "end.npz")
                 != subject.expected[name]]  # fmt: skip
    if still and not faults:
        faults.append(f"the network that all read was changed: {still}")
    return done, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", nargs="*", default=WAYS)
    args = parser.parse_args()
    done, faults = run(60 * args.minutes, n_threads=args.threads, ways=args.ways, seed=args.seed)
    print(f"{sum(done.values())} calls in {args.minutes} minutes: {dict(sorted(done.items()))}")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
