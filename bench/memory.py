"""``python -m bench.memory SYNAPSES BATCH THREADS``: bytes that training takes, by itself.

Prints by how much the resident memory of a process grows, from data loaded to the peak of one
epoch. The epoch is the core's: `fit` keeps a copy of the network besides, to roll back to.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.data import SGD
from bench.scaling import network, samples


def main(synapses: int, batch_size: int, threads: int) -> None:
    """Train one epoch of two batches and print bytes."""
    X, y = samples(2 * batch_size)
    before = resident("VmRSS")
    net = network(synapses)
    data = net.prepare(X, y)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of construction
    data.train_epoch(net._core, batch_size, SGD.to_core(SGD.lr), threads)
    print(resident("VmHWM") - before)


def resident(field: str) -> int:
    """Bytes of a field of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    raise SystemExit(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
