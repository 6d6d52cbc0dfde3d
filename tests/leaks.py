"""Memory that stays: many fits, predictions and loads, while the resident set should not grow.

``python -m leaks``, with ``tests`` on PYTHONPATH. Each kind of work is done a tenth as often first,
so that pools and caches are filled; after that the process may grow by less than 1 MB. Prints the
growth, and ends with status 1 where it is more.
"""

import argparse
import gc
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import synaprune as sn

TIMES = {"fits": 10_000, "predictions": 1_000_000, "loads": 1_000, "copies": 10_000}
LIMIT = 1 << 20


def resident():
    """The bytes of this process that are in memory now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def growth(scale=1.0):
    """Do each kind of work; returns by how many bytes the process has grown after each."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 8)).astype(np.float32)
    y = X[:, 0] > 0
    net = sn.SparseMLP((8, 6, 2), seed=0)
    recipe = sn.Training(1, batch_size=16, optimizer=sn.Adam(lr=0.01))
    net.fit(X, y, training=recipe)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "net.npz")
        net.save(file)
        work = {
            "fits": lambda: sn.SparseMLP((8, 6, 2), seed=0).fit(X, y, training=recipe, threads=2),
            "predictions": lambda: net.predict(X[:1]),
            "loads": lambda: sn.SparseMLP.load(file),
            "copies": lambda: net.copy().without(neurons=[0]),
        }
        grown = {}
        for name, once in work.items():
            times = max(10, int(scale * TIMES[name]))
            for _ in range(times // 10):
                once()
            before = resident()
            for _ in range(times):
                once()
            grown[name] = resident() - before
    return grown


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="of how often all is done")
    args = parser.parse_args()
    grown = growth(args.scale)
    for name, n in grown.items():
        print(f"{int(args.scale * TIMES[name])} {name}: {n / 1024:+.0f} KB")
    return 1 if max(grown.values()) >= LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
