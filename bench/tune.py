"""``python -m bench.tune [NAME …]``: find the constants of ``tuning.hpp`` again.

Builds the core once per candidate value, in a temporary folder, and times the jobs that the
constant is for against the core as it is, in turns. Prints the ratio of the medians, below 1 where
the candidate is faster; it changes nothing. Needs cmake, ninja, pybind11 and a compiler; a minute a
candidate.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = "cpp/include/synaprune/tuning.hpp"
TURNS = 15


@dataclass(frozen=True)
class Constant:
    """A constant's candidates, and the jobs of `_JOBS` that it matters to."""

    candidates: tuple[str, ...]
    jobs: tuple[str, ...]


SMALL, LARGE, PREDICT = ("full", "sparse", "batch 10"), ("deep",), ("predict", "predict floats")
CONSTANTS = {
    "narrow_block": Constant(("96.0", "128.0", "224.0"), ("full", *LARGE)),
    "wide_block": Constant(("208.0", "400.0"), ("full", "sparse", *LARGE)),
    "min_row_synapses": Constant(("10.0", "40.0"), ("sparse", "predict")),
    "good_row_synapses": Constant(("24.0", "60.0"), ("sparse", "predict")),
    "panel_synapses": Constant(("1 << 15", "1 << 19"), ("deep", "layer")),
    "transposed_piece": Constant(("1 << 12", "1 << 16"), (*LARGE, "layer")),
    "group_synapses": Constant(("1024", "4096"), SMALL),
    "most_groups": Constant(("2", "4"), SMALL),
    "column_cost": Constant(("1.0", "4.0"), SMALL),
    "neuron_above_cost": Constant(("5.0", "20.0"), SMALL),
    "synapse_above_cost": Constant(("0.75", "3.0"), SMALL),
    "small_lower": Constant(("1 << 20", "1 << 24"), (*SMALL, *LARGE)),
    "small_upper": Constant(("1 << 15", "1 << 19"), (*SMALL, *LARGE)),
    "worth_a_team": Constant(("1 << 18", "1 << 22"), (*SMALL, *PREDICT)),
    "worth_a_team_once": Constant(("1 << 17", "1 << 21"), ("layer",)),
    "worth_barriers": Constant(("1 << 12", "1 << 16"), SMALL),
    "gradient_piece": Constant(("1 << 18", "1 << 22"), LARGE),
    "pauses": Constant(("100", "2000"), (*SMALL, *LARGE)),
}

_JOBS = """
import sys, time
import numpy as np
sys.path.insert(0, sys.argv[1])
import _core
rng = np.random.default_rng(0)
X = rng.integers(0, 256, (12800, 784), dtype=np.uint8)
X[rng.random(X.shape) < 0.8] = 0
floats, y = X.astype(np.float32), rng.integers(0, 10, len(X)).astype(np.int32)
step, threads = _core.Optimizer("sgd", 1e-4), _core.default_threads()
def network(*sizes, synapses=None):
    net = _core.Network(list(sizes), "relu", "softmax", 0.05, 1)
    net.input_transform = np.zeros(784, np.float32), np.full(784, 1 / 255, np.float32)
    if synapses:
        net.cut(rng.random(net.n_synapses).astype(np.float32), net.n_synapses - synapses)
    return net
full, sparse = network(784, 20, 10), network(784, 20, 10, synapses=1259)
deep = network(784, 300, 100, 10)
mask = rng.random((1024, 1024)) < 0.1
layer = _core.Linear(1024, np.r_[0, mask.sum(1).cumsum()], np.nonzero(mask)[1].astype(np.int32),
                     rng.normal(size=mask.sum()).astype(np.float32), np.zeros(1024, np.float32))
block = rng.normal(size=(1024, 256)).astype(np.float32)
jobs = {
    "full": lambda: full.train_epoch(X, y, 64, step, threads),
    "sparse": lambda: sparse.train_epoch(X, y, 64, step, threads),
    "sparse floats": lambda: sparse.train_epoch(floats, y, 64, step, threads),
    "batch 10": lambda: sparse.train_epoch(X, y, 10, step, threads),
    "deep": lambda: deep.train_epoch(X[:3200], y[:3200], 64, step, threads),
    "predict": lambda: sparse.classify(X, threads),
    "predict floats": lambda: sparse.classify(floats, threads),
    "layer": lambda: [layer.forward(block, threads), layer.backward(block, block, threads)],
}
for name in sys.stdin:
    job = jobs[name.strip()]
    job()
    begin = time.perf_counter()
    job()
    print(time.perf_counter() - begin, flush=True)
"""


def changed(header: str, name: str, value: str) -> str:
    """Return the header with another value of a constant."""
    text, n = re.subn(rf"\b{name} = [^,;]+", f"{name} = {value}", header)
    if n != 1:
        raise SystemExit(f"{HEADER} does not define {name} once")
    return text


def build(folder: Path, name: str | None = None, value: str = "") -> Path:
    """Build the core in a folder, with a constant changed, and return where the module is."""
    for part in ("cpp", "CMakeLists.txt", "CMakePresets.json"):
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    if name is not None:
        header = folder / HEADER
        header.write_text(changed(header.read_text(), name, value))
    pybind = subprocess.check_output([sys.executable, "-m", "pybind11", "--cmakedir"], text=True)
    options = [f"-Dpybind11_DIR={pybind.strip()}", f"-DPython_EXECUTABLE={sys.executable}"]
    options += ["-GNinja", "-DSYNAPRUNE_PYTHON=ON"]
    target = folder / "build"
    for command in (["cmake", "-S", folder, "-B", target, *options], ["cmake", "--build", target]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return target


def ratio(old: subprocess.Popen[str], new: subprocess.Popen[str], job: str) -> float:
    """Return the new median over the old one, of turns that alternate."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS):
        for process, taken in zip((old, new), times, strict=True):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(job + "\n")
            process.stdin.flush()
            taken.append(float(process.stdout.readline()))
    return statistics.median(times[1]) / statistics.median(times[0])


def runner(module: Path) -> subprocess.Popen[str]:
    """Start a process that runs jobs with a module."""
    return subprocess.Popen(
        [sys.executable, "-c", _JOBS, str(module)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def main() -> None:
    """Try the candidates of the constants that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench.tune", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="constants; all if left out")
    names = parser.parse_args().names or list(CONSTANTS)
    if unknown := set(names) - CONSTANTS.keys():
        parser.error(f"unknown constant {', '.join(sorted(unknown))}: {', '.join(CONSTANTS)}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "as it is").mkdir()
        old = runner(build(root / "as it is"))
        for name in names:
            for value in CONSTANTS[name].candidates:
                place = root / f"{name} {value}".replace("<<", "shifted")
                place.mkdir()
                new = runner(build(place, name, value))
                found = {job: ratio(old, new, job) for job in CONSTANTS[name].jobs}
                new.kill()
                ratios = ", ".join(f"{job} {r:.2f}" for job, r in found.items())
                print(f"{name} = {value}: {ratios}", flush=True)
        old.kill()


if __name__ == "__main__":
    main()
