"""How long a call takes to notice Ctrl-C: ``python -m bench.interrupts``.

Each call runs in a process of its own and is interrupted at random moments. What is told is the
time from the signal to the KeyboardInterrupt in Python, in milliseconds.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import time

from bench.final import commit
from bench.machine import cpu_model

SETUP = """
import sys, time
import numpy as np
import synaprune as sn
from synaprune import explain
rng = np.random.default_rng(0)
X = rng.random((40_000, 784), np.float32)
y = rng.integers(0, 10, len(X))
small = sn.SparseMLP((784, 20, 10), seed=0).fit(X[:500], y[:500], training=sn.Training(1))
large = sn.SparseMLP((784, 1000, 1000, 10), seed=0)
recipe = sn.Training(1000, batch_size=64)
Xs, ys = X[:2000, :30], y[:2000] % 3
few = sn.SparseMLP((30, 60, 3), seed=0).fit(Xs, ys, training=sn.Training(3))
"""
CALLS = {
    "fit, small batches": "large.fit(X, y, training=recipe)",
    "fit, the whole data a batch": "large.fit(X, y, training=sn.Training(9, batch_size=len(X)))",
    "predict": "large.fit(X[:64], y[:64], training=sn.Training(1)).predict(X)",
    "prune": "sn.prune(small, X, y, validation=(X, y), n_synapses=500, training=recipe)",
    "ablate": "explain.ablate(small, X, y)",
    "path_energy": "explain.path_energy(sn.SparseMLP((3000, 900, 900)))",
    "class_rules": "explain.class_rules(few, Xs, max_leaf_nodes=900)",
    "equation": "explain.equation(few, Xs)",
    "interactions": "explain.interactions(few, Xs)",
    "quantize": "sn.quantize(few, Xs, ys, validation=(Xs, ys), training=recipe)",
    "smallest_network": "sn.smallest_network(Xs, ys)",
    "to_c": "large.fit(X[:64], y[:64], training=sn.Training(1)).to_c()",
    "to_json": "large.fit(X[:64], y[:64], training=sn.Training(1)).to_json()",
    "report": "sn.report.write_report('/dev/null', small, validation=(X, y))",
}
RUN = """
print("ready", flush=True)
begin = time.monotonic()
try:
    while True:
        {call}
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""


def latency(call, wait):
    """Seconds from the signal to the exception; None if the call could not be interrupted."""
    command = [sys.executable, "-W", "ignore", "-c", SETUP + RUN.format(call=call)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        time.sleep(wait)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert out, err
    return float(out) - sent


def main():
    """Measure the calls that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(CALLS))
    args = parser.parse_args()
    print(f"{cpu_model()}, load {os.getloadavg()[0]:.1f}, commit {commit()}")
    rng = random.Random(0)
    for name in args.only:
        try:
            found = [1000 * latency(CALLS[name], rng.uniform(0.2, 2.0)) for _ in range(args.times)]
        except AssertionError as error:
            print(f"{name:<30} {str(error).strip().splitlines()[-1]}", flush=True)
            continue
        print(f"{name:<30} median {statistics.median(found):6.0f} ms, most {max(found):6.0f} ms",
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
