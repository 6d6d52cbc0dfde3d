"""Rules: exact formulas for networks with binary inputs, short approximate ones for others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_float, check_int, check_type
from synaprune.explain._activations import activation_at_zero, hidden_activations
from synaprune.explain._boolean import formula
from synaprune.extras import require
from synaprune.network import SparseMLP
from synaprune.threads import Threads, check_threads

MAX_TABLE_INPUTS = 10  # 1024 rows of a truth table
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Formula:
    """An exact Boolean formula for when a neuron is active or a class is predicted.

    Attributes
    ----------
    name : str
        "neuron 3 of layer 0" or "class 'a'".
    text : str
        The formula, in the inputs' names, such as "x0 xor x1".
    table : ndarray of bool, shape (2**n,)
        Truth table: entry k is the value where the i-th of ``inputs`` is bit i of k.
    inputs : tuple of int
        The inputs that the network uses.
    """

    name: str
    text: str
    table: NDArray[np.bool_]
    inputs: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


def truth_tables(
    net: SparseMLP, *, low: float = 0.0, high: float = 1.0, threads: Threads = None
) -> list[Formula]:
    """Return Boolean formulas for the neurons and classes of a network with binary inputs.

    The network is evaluated for every combination of the used inputs. Quine and McCluskey's method
    then finds a short formula for each truth table; an exclusive or is written as such.

    Parameters
    ----------
    net : SparseMLP
        It must use at most 10 inputs.
    low, high : float
        The input values that mean "false" and "true".
    threads : int or "auto", optional

    Returns
    -------
    list of Formula
        Hidden neurons layer by layer (active as in `activation_patterns`), then each class.

    Raises
    ------
    TypeError, ValueError
        If the network was never fitted, predicts numbers or uses more than 10 inputs, or an
        argument does not fit.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> net = sn.SparseMLP((2, 1), seed=0)
    >>> recipe = sn.Training(300, batch_size=4, optimizer=sn.SGD(1.0))
    >>> _ = net.fit(X, [0, 1, 1, 1], training=recipe)
    >>> for rule in sn.explain.truth_tables(net):
    ...     print(rule)
    class 0: not x0 and not x1
    class 1: x0 or x1
    """
    check_type("net", net, SparseMLP)
    classes = net.classes
    low, high = (
        check_float(name, value, -_LARGEST, _LARGEST)
        for name, value in (("low", low), ("high", high))
    )
    if low == high:
        raise ValueError(f"low and high must differ, got {low} for both")
    n_threads = check_threads(threads)
    used = net.used_inputs.tolist()
    if len(used) > MAX_TABLE_INPUTS:
        raise ValueError(
            f"net must use at most {MAX_TABLE_INPUTS} inputs for a truth table, it uses "
            f"{len(used)}; class_rules finds short approximate rules for any network"
        )
    k = np.arange(1 << len(used))
    X = np.full((len(k), net.n_features), low, np.float32)
    for i, column in enumerate(used):
        X[(k >> i & 1) == 1, column] = high
    names = [net.input_name(column) for column in used]
    tables: list[tuple[str, NDArray[np.bool_]]] = []
    at_zero, weights = activation_at_zero(net), net.weights
    for layer, outputs in enumerate(hidden_activations(net, X, n_threads)):
        tables += [
            (f"neuron {j} of layer {layer}", outputs[:, j] > at_zero)
            for j in np.unique(weights[layer + 1].indices).tolist()
        ]
    predicted = net.predict(X, threads=n_threads)
    tables += [(f"class {label!r}", predicted == label) for label in classes.tolist()]
    return [Formula(name, formula(t, names), t, tuple(used)) for name, t in tables]


@dataclass(frozen=True)
class ClassRules:
    """Short rules that approximate a network.

    Attributes
    ----------
    rules : dict of label to tuple of str
        The conditions that predict each class, in descending order of the samples they cover.
    fidelity : float
        Share of held-out samples on which the rules agree with the network, in [0, 1].
    sufficient : bool
        Whether the fidelity reaches `min_fidelity`; if not, rules of this size do not describe the
        network.
    """

    rules: dict[Any, tuple[str, ...]]
    fidelity: float
    sufficient: bool

    def __str__(self) -> str:
        agree = f"the rules agree with the network on {self.fidelity:.1%} of held-out samples"
        if not self.sufficient:
            return f"No rules of this size describe the network: {agree}."
        lines = [f"{label}: {' or '.join(rules)}" for label, rules in self.rules.items()]
        return "\n".join([*lines, f"({agree})"])


def class_rules(
    net: SparseMLP,
    X: Any,
    *,
    max_leaf_nodes: int = 8,
    min_fidelity: float = 0.9,
    threads: Threads = None,
) -> ClassRules:
    """Approximate a network by short rules, and measure how often they agree with it.

    A decision tree is fitted to the predictions of the network on two thirds of the samples, from
    the inputs that the network uses (a surrogate model, as Craven & Shavlik, 1996). Its fidelity is
    measured on the other third. Needs scikit-learn: ``pip install "synaprune[sklearn]"``.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features)
        At least 10 samples; labels are not needed.
    max_leaf_nodes : int
        Maximum number of leaves of the tree, that is of rules over all classes; at least 2.
    min_fidelity : float
        In [0, 1]: the fidelity from which on the rules count as sufficient.
    threads : int or "auto", optional

    Returns
    -------
    ClassRules

    Raises
    ------
    ImportError
        If scikit-learn is missing.
    TypeError, ValueError
        If an argument does not fit, or the network was never fitted or predicts numbers.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (600, 2)).astype(np.float32)
    >>> net = sn.SparseMLP((2, 4, 1), seed=0).fit(X, X[:, 0] > 0, training=sn.Training(50))
    >>> rules = sn.explain.class_rules(net, X, max_leaf_nodes=2)
    >>> rules.sufficient, [len(r) for r in rules.rules.values()]
    (True, [1, 1])
    """
    check_type("net", net, SparseMLP)
    classes = net.classes
    tree = require("sklearn.tree", "sklearn")
    max_leaf_nodes = check_int("max_leaf_nodes", max_leaf_nodes, 2)
    min_fidelity = check_float("min_fidelity", min_fidelity, 0.0, 1.0)
    inputs = net.as_inputs(X)
    if len(inputs) < 10:
        raise ValueError(f"X must have at least 10 rows to fit rules to, got {len(inputs)}")
    codes = np.searchsorted(classes, net.predict(inputs, threads=threads))
    used = net.used_inputs
    names = [net.input_name(column) for column in used.tolist()]
    columns = inputs[:, used] if len(used) else np.zeros((len(inputs), 1), np.float32)
    order = np.random.default_rng(0).permutation(len(inputs))
    fit, held = order[len(order) // 3 :], order[: len(order) // 3]
    model = tree.DecisionTreeClassifier(max_leaf_nodes=max_leaf_nodes, random_state=0)
    model.fit(columns[fit], codes[fit])
    fidelity = float((model.predict(columns[held]) == codes[held]).mean())
    rules: dict[Any, list[tuple[int, str]]] = {}
    for conditions, label, n in _leaves(model.tree_, model.classes_.tolist()):
        text = _conjunction(conditions, names, columns)
        rules.setdefault(classes[label].item(), []).append((n, text))
    return ClassRules(
        {
            label: tuple(text for _, text in sorted(found, key=lambda r: -r[0]))
            for label, found in sorted(rules.items(), key=lambda r: str(r[0]))
        },
        fidelity,
        fidelity >= min_fidelity,
    )


def _leaves(tree: Any, classes: list[int]) -> list[tuple[list[tuple[int, bool, float]], int, int]]:
    """Return the conditions, the class and the number of samples of each leaf."""
    leaves = []
    stack: list[tuple[int, list[tuple[int, bool, float]]]] = [(0, [])]
    while stack:
        node, conditions = stack.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left < 0:
            label = classes[int(tree.value[node][0].argmax())]
            leaves.append((conditions, label, int(tree.n_node_samples[node])))
            continue
        column, threshold = int(tree.feature[node]), float(tree.threshold[node])
        stack.append((left, [*conditions, (column, False, threshold)]))
        stack.append((right, [*conditions, (column, True, threshold)]))
    return leaves


def _conjunction(
    conditions: list[tuple[int, bool, float]], names: list[str], columns: NDArray[Any]
) -> str:
    """Write a conjunction of conditions, keeping only the tightest bounds of each input."""
    tightest: dict[tuple[int, bool], float] = {}
    for column, above, threshold in conditions:
        key = column, above
        known = tightest.get(key, threshold)
        tightest[key] = max(known, threshold) if above else min(known, threshold)
    parts = [
        f"{names[column]} {'>' if above else '≤'} {_shortest(threshold, columns[:, column])}"
        for (column, above), threshold in sorted(tightest.items())
    ]
    text = " and ".join(parts) or "always"
    return f"({text})" if len(parts) > 1 else text


def _shortest(threshold: float, values: NDArray[Any]) -> str:
    """Write a threshold with the fewest digits that split the values in the same way."""
    side = values <= threshold
    texts = (f"{threshold:.{digits}g}" for digits in range(3, 17))
    return next((t for t in texts if ((values <= float(t)) == side).all()), repr(threshold))
