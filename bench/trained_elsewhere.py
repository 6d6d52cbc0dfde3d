"""``python -m bench.trained_elsewhere --data-dir DIR``: what torch trained on MNIST, pruned here.

A 784-300-100-10 network, trained by Adam, goes through `from_torch` and is pruned to 5 % of its
synapses, which may cost at most half a point.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.data import check
from bench.final import commit, parse_arguments, write_results
from bench.machine import cpu_model
from bench.peers import optional
from bench.report import Report

LEFT = 0.05  # of the synapses
LOSS_MOST = 0.005


def main() -> None:
    """Train, take over, prune, compare."""
    args = parse_arguments(__doc__.splitlines()[0])
    torch = optional("torch")
    if torch is None:
        raise SystemExit("torch is not installed")
    seed = 11 if args.final else 1000
    data = sn.datasets.mnist(Path(args.data_dir))
    train, validation = ((pixels(X), y) for X, y in (data.train, data.validation))
    judged = (pixels(data.test.X), data.test.y) if args.final else validation
    model = trained(*train, seed)
    net = sn.SparseMLP.from_torch(model)
    logits = model(torch.from_numpy(judged[0])).detach()
    expected = torch.softmax(logits, 1).numpy()
    difference = float(np.abs(expected - net.predict_proba(judged[0])).max())
    check(difference <= 1e-5, f"probabilities differ by {difference}")
    path = sn.prune(
        net, *train, validation=validation, n_synapses=int(LEFT * net.n_synapses),
        training=sn.Training(12, batch_size=64, optimizer=sn.SGD(lr=0.1)), threads=1,
    )  # fmt: skip
    small = path.smallest
    before, after = net.score(*judged), small.score(*judged)
    report = Report()
    command = f"python -m bench.trained_elsewhere{' --final' if args.final else ''}"
    report.text(
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, "
        f"{cpu_model()}."
    )
    report.text(
        f"{net.structure}, trained by torch {torch.__version__}: {net.n_synapses} "
        f"synapses, {100 * before:.2f} % of {len(judged[1])} "
        f"{'test' if args.final else 'validation'} images. Pruned: {small.structure}, "
        f"{small.n_synapses} synapses ({100 * small.n_synapses / net.n_synapses:.1f} %), "
        f"{100 * after:.2f} %. Probabilities of the unpruned network differ by {difference:.1e}."
    )
    if args.final:
        write_results("trained_elsewhere", "What torch trained, pruned", command, report.markdown())
    check(before - after <= LOSS_MOST, f"pruning cost {100 * (before - after):.2f} points")


def pixels(X: NDArray[Any]) -> NDArray[np.float32]:
    """Return images in [0, 1]."""
    return X.astype(np.float32) / np.float32(255.0)


def trained(X: NDArray[np.float32], y: NDArray[Any], seed: int) -> Any:
    """Return a model that torch trained for 8 epochs."""
    torch = optional("torch")
    nn = torch.nn
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = nn.Sequential(
        nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.125, total_iters=7)
    images, labels = torch.from_numpy(X), torch.from_numpy(y.astype(np.int64))
    for _ in range(8):
        for rows in torch.randperm(len(images)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
        schedule.step()
    return model


if __name__ == "__main__":
    main()
