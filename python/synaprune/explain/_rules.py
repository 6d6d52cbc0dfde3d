"""Rules: exact formulas for networks of yes-or-no inputs, short approximate ones for others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import as_inputs
from synaprune.checks import check_float, check_int
from synaprune.explain._boolean import formula
from synaprune.explain._energy import activations
from synaprune.explain._seen import at_zero
from synaprune.extras import require
from synaprune.network import SparseMLP
from synaprune.threads import Threads

MOST_INPUTS = 10  # 1024 rows of a truth table


@dataclass(frozen=True, eq=False)
class Formula:
    """When a neuron is active, or a class predicted, exactly.

    Attributes
    ----------
    name : str
        "hidden 1, neuron 3" or "class 'a'".
    text : str
        In the inputs' names, such as "x0 xor x1".
    table : ndarray of bool, shape (2**n,)
        Entry k is the value where the i-th of ``inputs`` is bit i of k.
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
    """Return what a network of yes-or-no inputs computes, neuron by neuron, as formulas.

    Every combination of the used inputs is run through the network; the formula is the simplest
    that Quine and McCluskey's method finds for what comes out, exclusive or where that is all.

    Parameters
    ----------
    net : SparseMLP
        Using at most 10 inputs.
    low, high : float
        What "no" and "yes" are, 0 and 1 unless given.
    threads : int or "auto", optional

    Returns
    -------
    list of Formula
        Living hidden neurons layer by layer (active as in `groups`), then each class.

    Raises
    ------
    ValueError
        If the network was never fitted or uses more than 10 inputs.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> net = sn.SparseMLP((2, 1), seed=0).fit(X, [0, 1, 1, 1], epochs=300, batch_size=4,
    ...                                        optimizer=sn.SGD(1.0))
    >>> for rule in sn.explain.truth_tables(net):
    ...     print(rule)
    class 0: not x0 and not x1
    class 1: x0 or x1
    """
    used = net.used_inputs.tolist()
    if len(used) > MOST_INPUTS:
        raise ValueError(
            f"a truth table takes at most {MOST_INPUTS} inputs, the network uses {len(used)}; "
            "class_rules finds short rules that need not be exact"
        )
    k = np.arange(1 << len(used))
    X = np.full((len(k), net.layers[0]), low, np.float32)
    for i, column in enumerate(used):
        X[(k >> i & 1) == 1, column] = high
    names = [net.input_name(column) for column in used]
    tables: list[tuple[str, NDArray[np.bool_]]] = []
    weights = net.weights
    for layer in range(len(weights) - 1):
        active = activations(net, X, layer, threads=threads) > at_zero(net)
        tables += [
            (f"hidden {layer + 1}, neuron {j}", active[:, j])
            for j in np.unique(weights[layer + 1].indices).tolist()
        ]
    predicted = net.predict(X, threads=threads)
    tables += [(f"class {label!r}", predicted == label) for label in net.classes.tolist()]
    return [Formula(name, formula(t, names), t, tuple(used)) for name, t in tables]


@dataclass(frozen=True)
class ClassRules:
    """Short rules that say most of what a network does on some samples.

    Attributes
    ----------
    rules : dict of str to tuple of str
        For each predicted class the conditions under which the rules say it, best covered first.
    fidelity : float
        Share of other samples on which rules and network agree, in [0, 1].
    short : bool
        Whether the fidelity is what was asked for: if not, no rule this short says what the network
        does.
    """

    rules: dict[Any, tuple[str, ...]]
    fidelity: float
    short: bool

    def __str__(self) -> str:
        agree = f"rules and network agree on {self.fidelity:.1%} of the samples held out"
        if not self.short:
            return f"No short rule exists: the best ones of this size only say so much; {agree}."
        lines = [f"{label}: {' or '.join(rules)}" for label, rules in self.rules.items()]
        return "\n".join([*lines, f"({agree})"])


def class_rules(
    net: SparseMLP,
    X: Any,
    *,
    most: int = 8,
    min_fidelity: float = 0.9,
    threads: Threads = None,
) -> ClassRules:
    """Find a short readable rule for each class, and say how often it agrees with the network.

    A decision tree of at most `most` leaves learns what the network predicts, from the inputs that
    the network uses and nothing else (a surrogate, as Craven & Shavlik, 1996); it grows on two
    thirds of the samples and is judged on the third. Needs scikit-learn:
    ``pip install "synaprune[sklearn]"``.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features)
        At least 10 samples; labels are not needed.
    most : int
        Leaves, that is rules over all classes.
    min_fidelity : float
        In [0, 1]: agreement below which no short rule is claimed.
    threads : int or "auto", optional

    Returns
    -------
    ClassRules

    Raises
    ------
    ImportError
        If scikit-learn is missing.
    TypeError, ValueError
        If an argument does not fit, or the network was never fitted.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (600, 2)).astype(np.float32)
    >>> net = sn.SparseMLP((2, 4, 1), seed=0).fit(X, X[:, 0] > 0, epochs=50)
    >>> rules = sn.explain.class_rules(net, X, most=2)
    >>> rules.short, [len(r) for r in rules.rules.values()]
    (True, [1, 1])
    """
    tree = require("sklearn.tree", "sklearn")
    most = check_int("most", most, 2)
    check_float("min_fidelity", min_fidelity, 0.0, 1.0)
    inputs = as_inputs(X, net.layers[0])
    if len(inputs) < 10:
        raise ValueError(f"X must have at least 10 rows to learn rules from, got {len(inputs)}")
    codes = np.searchsorted(net.classes, net.predict(inputs, threads=threads))
    used = net.used_inputs
    names = [net.input_name(column) for column in used.tolist()]
    seen = inputs[:, used] if len(used) else np.zeros((len(inputs), 1), np.float32)
    order = np.random.default_rng(0).permutation(len(inputs))
    fit, held = order[len(order) // 3 :], order[: len(order) // 3]
    model = tree.DecisionTreeClassifier(max_leaf_nodes=most, random_state=0)
    model.fit(seen[fit], codes[fit])
    fidelity = float((model.predict(seen[held]) == codes[held]).mean())
    rules: dict[Any, list[tuple[int, str]]] = {}
    for conditions, label, n in _leaves(model.tree_, model.classes_.tolist()):
        text = _conjunction(conditions, names, seen)
        rules.setdefault(net.classes[label].item(), []).append((n, text))
    return ClassRules(
        {
            label: tuple(text for _, text in sorted(found, key=lambda r: -r[0]))
            for label, found in sorted(rules.items(), key=lambda r: str(r[0]))
        },
        fidelity,
        fidelity >= min_fidelity,
    )


def _leaves(tree: Any, classes: list[int]) -> list[tuple[list[tuple[int, bool, float]], int, int]]:
    """Return the conditions, the class and the samples of each leaf."""
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
    conditions: list[tuple[int, bool, float]], names: list[str], seen: NDArray[Any]
) -> str:
    """Write conditions, the tightest of each kind for each input, as one text."""
    tightest: dict[tuple[int, bool], float] = {}
    for column, above, threshold in conditions:
        key = column, above
        known = tightest.get(key, threshold)
        tightest[key] = max(known, threshold) if above else min(known, threshold)
    parts = [
        f"{names[column]} {'>' if above else '≤'} {_shortest(threshold, seen[:, column])}"
        for (column, above), threshold in sorted(tightest.items())
    ]
    text = " and ".join(parts) or "always"
    return f"({text})" if len(parts) > 1 else text


def _shortest(threshold: float, values: NDArray[Any]) -> str:
    """Write a threshold with as few digits as split the values as it does."""
    side = values <= threshold
    texts = (f"{threshold:.{digits}g}" for digits in range(3, 17))
    return next((t for t in texts if ((values <= float(t)) == side).all()), repr(threshold))
