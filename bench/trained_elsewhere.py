"""``python -m bench.trained_elsewhere --by keras --data-dir DIR``: MNIST as others trained it.

A 784-300-100-10 network, trained by torch, Keras or scikit-learn with Adam, is taken over and
pruned to 5 % of its synapses, which may cost at most half a point.
"""

from __future__ import annotations

import datetime
import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.data import check
from bench.final import commit, parser, write_results
from bench.machine import cpu_model
from bench.peers import optional
from bench.report import Report

LEFT = 0.05  # of the synapses
LOSS_MOST = 0.005
HIDDEN = (300, 100)
EPOCHS, BATCH_SIZE, LR = 8, 128, 1e-3

Images = NDArray[np.float32]
# A network as it was taken over, what trained it, and what that says of images.
Trained = tuple[sn.SparseMLP, str, Callable[[Images], NDArray[Any]]]


def main() -> None:
    """Train, take over, prune, compare."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--by", choices=LIBRARIES, required=True, help="what trains")
    args = arguments.parse_args()
    seed = 11 if args.final else 1000
    data = sn.datasets.mnist(Path(args.data_dir))
    train, validation = ((pixels(X), y) for X, y in (data.train, data.validation))
    judged = (pixels(data.test.X), data.test.y) if args.final else validation
    net, library, ask = LIBRARIES[args.by](*train, seed)
    difference = float(np.abs(ask(judged[0]) - net.predict_proba(judged[0])).max())
    check(difference <= 1e-5, f"probabilities differ by {difference}")
    path = sn.prune(
        net, *train, validation=validation, n_synapses=int(LEFT * net.n_synapses),
        training=sn.Training(12, batch_size=64, optimizer=sn.SGD(lr=0.1)), threads=1,
    )  # fmt: skip
    small = path.smallest
    before, after = net.score(*judged), small.score(*judged)
    report = Report()
    command = f"python -m bench.trained_elsewhere --by {args.by}{' --final' if args.final else ''}"
    report.text(
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, "
        f"{cpu_model()}."
    )
    report.text(
        f"{net.structure}, trained by {library}: {net.n_synapses} "
        f"synapses, {100 * before:.2f} % of {len(judged[1])} "
        f"{'test' if args.final else 'validation'} images. Pruned: {small.structure}, "
        f"{small.n_synapses} synapses ({100 * small.n_synapses / net.n_synapses:.1f} %), "
        f"{100 * after:.2f} %. Probabilities of the unpruned network differ by {difference:.1e}."
    )
    if args.final:
        name = f"trained_elsewhere_{args.by}"
        write_results(name, f"What {args.by} trained, pruned", command, report.markdown())
    check(before - after <= LOSS_MOST, f"pruning cost {100 * (before - after):.2f} points")


def pixels(X: NDArray[Any]) -> Images:
    """Return images in [0, 1]."""
    return X.astype(np.float32) / np.float32(255.0)


def by_torch(X: Images, y: NDArray[Any], seed: int) -> Trained:
    """Train in torch, with a learning rate that falls to an eighth."""
    torch = library_of("torch")
    nn = torch.nn
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    sizes = (X.shape[1], *HIDDEN, 10)
    pairs = itertools.pairwise(sizes)
    modules = [module for n, m in pairs for module in (nn.Linear(n, m), nn.ReLU())]
    model = nn.Sequential(*modules[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.125, total_iters=EPOCHS - 1)
    images, labels = torch.from_numpy(X), torch.from_numpy(y.astype(np.int64))
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH_SIZE):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
        schedule.step()

    def ask(images: Images) -> NDArray[Any]:
        said: NDArray[Any] = torch.softmax(model(torch.from_numpy(images)).detach(), 1).numpy()
        return said

    return sn.SparseMLP.from_torch(model), f"torch {torch.__version__}", ask


def by_keras(X: Images, y: NDArray[Any], seed: int) -> Trained:
    """Train in Keras, with batch normalisation between the layers, which the network takes over."""
    keras = library_of("keras")
    keras.utils.set_random_seed(seed)
    hidden = [
        layer
        for n in HIDDEN
        for layer in (
            keras.layers.Dense(n, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("relu"),
        )
    ]
    last = keras.layers.Dense(10, activation="softmax")
    model = keras.Sequential([keras.layers.Input((X.shape[1],)), *hidden, last])
    model.compile(keras.optimizers.Adam(LR), "sparse_categorical_crossentropy")
    model.fit(X, y.astype(np.int64), batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    library = f"Keras {keras.__version__} on {keras.backend.backend()}, with batch normalisation"
    return sn.SparseMLP.from_keras(model), library, lambda images: model.predict(images, verbose=0)


def by_sklearn(X: Images, y: NDArray[Any], seed: int) -> Trained:
    """Train in scikit-learn."""
    sklearn = library_of("sklearn")
    neural_network = library_of("sklearn.neural_network")
    model = neural_network.MLPClassifier(
        HIDDEN, batch_size=BATCH_SIZE, learning_rate_init=LR, max_iter=EPOCHS, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would like more epochs
        model.fit(X, y)
    return (
        sn.SparseMLP.from_sklearn(model),
        f"scikit-learn {sklearn.__version__}",
        (model.predict_proba),
    )


def library_of(name: str) -> Any:
    """Return a module, or end the script."""
    module = optional(name)
    if module is None:
        raise SystemExit(f"{name} is not installed")
    return module


LIBRARIES = {"torch": by_torch, "keras": by_keras, "sklearn": by_sklearn}

if __name__ == "__main__":
    main()
