"""Open a network, find what confuses two classes, change that, and see what it gained and cost.

    python examples/confused_pair.py                                 digits, some seconds
    python examples/confused_pair.py mnist --data-dir DIR            MNIST with 38 synapses

The validation split finds the pair and the training split chooses the change; what is said about
the change in the end is of the test split, which had no part in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import synaprune as sn
from numpy.typing import NDArray
from synaprune import explain

FACTORS = (0.0, 0.5, 0.8, 1.25, 2.0)  # of a weight
STEPS = (-0.4, -0.2, -0.1, 0.1, 0.2, 0.4)  # of a bias
MAY_COST = 0.002  # accuracy over all classes, on the training split

Change = tuple[str, sn.SparseMLP]


def main() -> None:
    """Prune a network, then open it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="digits", choices=("digits", "mnist"))
    parser.add_argument("--data-dir", help="folder that holds mnist/")
    parser.add_argument("--synapses", type=int, default=38)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    data = sn.datasets.load(args.dataset, data_dir=args.data_dir)
    net = small_network(data, args.synapses, args.seed)
    print(f"{net}: {net.score(*data.validation):.1%} on the validation split")
    a, b, n = most_confused(net, data.validation)
    first, second = net.classes[[a, b]].tolist()
    print(f"Most confused: {first} and {second}, {n} times.")
    for line in parts_behind(net, data.validation, a, b):
        print(f"  {line}")
    name, changed = targeted_change(net, data.train, a, b)
    print(f"The change: {name}. On the test split, which had no part in choosing it:")
    print(explain.compare(net, changed, *data.test))
    before, after = (confusions(each, data.test, a, b) for each in (net, changed))
    print(f"{first} and {second} are confused {after} times, {before} before.")


def small_network(data: sn.datasets.Dataset, n_synapses: int, seed: int) -> sn.SparseMLP:
    """Train and prune d-20-c to so many synapses."""
    classes = len(np.unique(data.train.y))
    net = sn.SparseMLP((data.n_inputs, 20, classes), input_scaling="center", seed=seed)
    path = sn.prune(
        net, *data.train, validation=tuple(data.validation), n_synapses=n_synapses, n_inputs=20,
        criterion="wsf_fisher", epochs=60, effort=1, optimizer=sn.SGD(lr=0.2),
    )  # fmt: skip
    return path.smallest


def confusions(net: sn.SparseMLP, split: sn.datasets.Split, a: int, b: int) -> int:
    """Count the samples of each of two classes that are taken for the other."""
    matrix = explain.confusion_matrix(net, *split)
    return int(matrix[a, b] + matrix[b, a])


def most_confused(net: sn.SparseMLP, split: sn.datasets.Split) -> tuple[int, int, int]:
    """Return the two classes that are most often taken for each other, and how often."""
    matrix = explain.confusion_matrix(net, *split)
    both = np.triu(matrix + matrix.T, 1)
    a, b = np.unravel_index(both.argmax(), both.shape)
    return int(a), int(b), int(both[a, b])


def parts_behind(net: sn.SparseMLP, split: sn.datasets.Split, a: int, b: int) -> Iterator[str]:
    """Say which neurons serve the two, by proof, and what pulls the confused samples over."""
    pair = net.classes[[a, b]].tolist()
    neurons = explain.ablate(net, *split, kinds=["neuron"])
    for label, lost in zip(explain.label_parts(neurons), neurons.loss, strict=True):
        if set(label.classes) & set(pair):
            serves = ", ".join(map(str, label.classes))
            yield (
                f"neuron {label.part.index} serves {serves}: without it {pair[0]} loses "
                f"{lost[a]:.0%} and {pair[1]} {lost[b]:.0%}"
            )
    X, y = split
    predicted = net.predict(X)
    for true, taken in ((a, b), (b, a)):
        which = (y == net.classes[true]) & (predicted == net.classes[taken])
        if not which.any():
            continue
        wrong = pull(net, X[which], taken) - pull(net, X[which], true)
        inputs = [i for i in np.argsort(-wrong)[:3] if wrong[i] > 0]
        names = ", ".join(f"{net.input_name(int(i))} ({wrong[i]:+.2f})" for i in inputs)
        yield (
            f"{net.classes[true]} is taken for {net.classes[taken]} {which.sum()} times; what "
            f"speaks most for {net.classes[taken]} there: {names}"
        )


def pull(net: sn.SparseMLP, X: NDArray[np.generic], code: int) -> NDArray[np.float64]:
    """Return what each input adds to a class's logit, on average."""
    mean: NDArray[np.float64] = explain.contributions(net, X, net.classes[code]).values.mean(axis=0)
    return mean


def changes(net: sn.SparseMLP, a: int, b: int) -> Iterator[Change]:
    """Yield what could be changed: a weight or the bias that leads to one of the two classes."""
    layer = len(net.layers) - 2
    last = net.weights[layer]
    for row in (a, b):
        label = net.classes[row]
        for step in STEPS:
            yield (
                f"the bias of {label} by {step:+.1f}",
                net.with_bias(layer, row, float(last.bias[row]) + step),
            )
        for k in range(last.indptr[row], last.indptr[row + 1]):
            source, weight = int(last.indices[k]), float(last.values[k])
            for factor in FACTORS:
                name = f"the weight from neuron {source} to {label} times {factor:g}"
                yield name, net.with_weight(layer, row, source, factor * weight)


def targeted_change(net: sn.SparseMLP, split: sn.datasets.Split, a: int, b: int) -> Change:
    """Return the change that leaves fewest confusions of the two, among those that cost little."""
    best, least = ("none", net), confusions(net, split, a, b)
    floor = net.score(*split) - MAY_COST
    for name, changed in changes(net, a, b):
        n = confusions(changed, split, a, b)
        if n < least and changed.score(*split) >= floor:
            best, least = (name, changed), n
    return best


if __name__ == "__main__":
    main()
