"""Find the two classes that a network confuses most, change one weight, and measure the effect.

    python examples/confused_pair.py                                 digits, some seconds
    python examples/confused_pair.py mnist --data-dir DIR            MNIST with 38 synapses

The pair is found on the validation split, the change is chosen on the training split, and both
networks are compared on the test split, which is used for nothing else.
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
    """Prune a network, find its most confused classes, and change one weight or bias."""
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
    for line in units_behind(net, data.validation, a, b):
        print(f"  {line}")
    name, changed = targeted_change(net, data.train, a, b)
    print(f"The change: {name}. On the test split, which was not used to choose it:")
    print(explain.compare(net, changed, *data.test))
    before, after = (confusions(each, data.test, a, b) for each in (net, changed))
    print(f"{first} and {second} are confused {after} times, {before} before.")


def small_network(data: sn.datasets.Dataset, n_synapses: int, seed: int) -> sn.SparseMLP:
    """Train and prune a network d-20-c to the given number of synapses."""
    classes = len(np.unique(data.train.y))
    net = sn.SparseMLP((data.n_features, 20, classes), input_scaling="center", seed=seed)
    path = sn.prune(
        net, *data.train, validation=tuple(data.validation), n_synapses=n_synapses, n_inputs=20,
        criterion="wsf_fisher", strategy=sn.Gradual(regrow_budget=1),
        training=sn.Training(60, optimizer=sn.SGD(lr=0.2)),
    )  # fmt: skip
    return path.smallest


def confusions(net: sn.SparseMLP, split: sn.datasets.Split, a: int, b: int) -> int:
    """Count the samples of each of two classes that are predicted as the other."""
    matrix = explain.confusion_matrix(net, *split)
    return int(matrix[a, b] + matrix[b, a])


def most_confused(net: sn.SparseMLP, split: sn.datasets.Split) -> tuple[int, int, int]:
    """Return the two classes that are confused most often, and how often."""
    matrix = explain.confusion_matrix(net, *split)
    both = np.triu(matrix + matrix.T, 1)
    a, b = np.unravel_index(both.argmax(), both.shape)
    return int(a), int(b), int(both[a, b])


def units_behind(net: sn.SparseMLP, split: sn.datasets.Split, a: int, b: int) -> Iterator[str]:
    """Describe the neurons that serve the two classes, and the inputs behind the confusion."""
    pair = net.classes[[a, b]].tolist()
    neurons = explain.ablate(net, *split, kinds=["neuron"])
    for label, lost in zip(explain.annotate_units(neurons), neurons.loss, strict=True):
        if set(label.classes) & set(pair):
            serves = ", ".join(map(str, label.classes))
            yield (
                f"neuron {label.unit.index} serves {serves}: without it {pair[0]} loses "
                f"{lost[a]:.0%} and {pair[1]} {lost[b]:.0%}"
            )
    X, y = split
    predicted = net.predict(X)
    for true, taken in ((a, b), (b, a)):
        which = (y == net.classes[true]) & (predicted == net.classes[taken])
        if not which.any():
            continue
        wrong = mean_attributions(net, X[which], taken) - mean_attributions(net, X[which], true)
        inputs = [i for i in np.argsort(-wrong)[:3] if wrong[i] > 0]
        names = ", ".join(f"{net.input_name(int(i))} ({wrong[i]:+.2f})" for i in inputs)
        yield (
            f"{net.classes[true]} is predicted as {net.classes[taken]} {which.sum()} times; the "
            f"strongest inputs towards {net.classes[taken]}: {names}"
        )


def mean_attributions(net: sn.SparseMLP, X: NDArray[np.generic], code: int) -> NDArray[np.float64]:
    """Return the mean attribution of each input to the logit of a class."""
    mean: NDArray[np.float64] = explain.attributions(net, X, net.classes[code]).values.mean(axis=0)
    return mean


def changes(net: sn.SparseMLP, a: int, b: int) -> Iterator[Change]:
    """Yield changes of one weight or bias that leads to one of the two classes."""
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
    """Return the change with the fewest confusions of the two classes, among those of low cost."""
    best, least = ("none", net), confusions(net, split, a, b)
    floor = net.score(*split) - MAY_COST
    for name, changed in changes(net, a, b):
        n = confusions(changed, split, a, b)
        if n < least and changed.score(*split) >= floor:
            best, least = (name, changed), n
    return best


if __name__ == "__main__":
    main()
