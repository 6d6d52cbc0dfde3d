"""The drawing of the network, and the ablation of its units."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.data import CheckedData
from synaprune.explain import (
    Ablation,
    RegressionAblation,
    UnitLabel,
    ablate,
    annotate_units,
    confusion_matrix,
    path_energy,
    replicate,
)
from synaprune.explain.graph_layout import node_positions, output_name, strongest_synapses
from synaprune.network import SparseMLP

Drawn: TypeAlias = list[NDArray[np.bool_]]  # per layer, shape (nnz,)

_MAX_NEURONS = 2000  # drawn of one layer
_MAX_ABLATED = 20000  # inputs, neurons or synapses up to which each is ablated
_MAX_CHANGES = 4_000_000  # these times classes
_MAX_CONFUSION = 60  # classes of a confusion matrix
_MAX_FIGURES = 60  # of a unit: those of the classes for which they are largest
_MAX_CARRYING = 20_000_000  # synapses times outputs up to which subnetworks are counted
SHARE = 0.9  # of an output's energy


def network_facts(net: SparseMLP, max_synapses: int) -> tuple[dict[str, Any], Drawn]:
    """Return the facts of the drawing, and which synapses it holds.

    Parameters
    ----------
    net : SparseMLP
    max_synapses : int

    Returns
    -------
    dict
        "columns": from left to right the inputs, then each layer, as lists of {"id", "y", "name",
        "energy"} with a share by output (see `figures`), and of inputs "mean", that of all outputs;
        "synapses": {"layer", "from", "to", "weight", "energy"}, of which layer l leads from column
        l to column l + 1; "synapses_left_out", "neurons_left_out": how many are not drawn;
        "carrying", "leading": per output, how many synapses carry nine tenths of its energy (None
        of large networks), and how many lead to it.
    list of ndarray of bool, shape (nnz,)
        The synapses drawn of each layer.
    """
    energy = path_energy(net)
    drawn = strongest_synapses(net, max_synapses)
    positions = node_positions(net)
    n_outputs = len(energy.total)
    columns, ids_of = [], []
    for layer, (y, share) in enumerate(
        zip(positions, [energy.inputs, *energy.neurons, None], strict=True), start=-1
    ):
        ids = np.array(sorted(y), np.int32)
        total = np.ones(n_outputs) if share is None else share.sum(axis=1)
        ids = np.sort(ids[np.argsort(-total[ids], kind="stable")[:_MAX_NEURONS]])
        ids_of.append(ids)
        columns.append([
            {"id": j, "y": round4(y[j]), "name": _name(net, layer, j),
             "energy": {str(j): 1.0} if share is None else figures(share[j])}
            | ({"mean": round4(float(total[j]) / n_outputs)} if layer < 0 else {})
            for j in ids.tolist()
        ])  # fmt: skip
    synapses = []
    for layer, (w, chosen) in enumerate(zip(net.weights, drawn, strict=True)):
        rows = w.rows
        chosen &= np.isin(w.indices, ids_of[layer]) & np.isin(rows, ids_of[layer + 1])
        synapses += [
            {
                "layer": layer,
                "from": int(w.indices[k]),
                "to": int(rows[k]),
                "weight": round4(float(w.values[k])),
                "energy": figures(energy.of_synapses(layer, slice(k, k + 1))[0]),
            }
            for k in np.flatnonzero(chosen).tolist()
        ]
    countable = net.n_synapses * n_outputs <= _MAX_CARRYING
    facts = {
        "columns": columns,
        "synapses": synapses,
        "synapses_left_out": net.n_synapses - len(synapses),
        "neurons_left_out": sum(map(len, positions)) - sum(map(len, columns)),
        "carrying": [
            sum(int(chosen.sum()) for chosen in energy.subnetwork(o, SHARE))
            for o in range(n_outputs)
        ]
        if countable
        else None,
        "leading": np.diff(net.weights[-1].indptr).tolist(),
    }
    return facts, drawn


def unit_facts(
    net: SparseMLP, splits: dict[str, CheckedData], drawn: Drawn, threads: int
) -> dict[str, Any] | None:
    """Return the labels of the units, the losses without each of them, and a confusion matrix.

    Parameters
    ----------
    net : SparseMLP
    splits : dict
        "validation" and "test", one or both: units are labelled on the first, and the labels are
        tested again on the second.
    drawn : list of ndarray of bool
        The synapses to describe.
    threads : int

    Returns
    -------
    dict or None
        None without samples.
    """
    if not splits:
        return None
    kinds = _ablated(net)
    first, *others = splits
    ablation = ablate(net, splits[first], kinds=kinds, threads=threads)
    fresh = ablate(net, splits[others[0]], kinds=kinds, threads=threads) if others else None
    assert isinstance(ablation, Ablation)
    described, replicated = {}, {}
    for kind in kinds:
        of_kind = ablation.only(kind)
        labels = annotate_units(of_kind)
        rows = _described(of_kind, kind, drawn)
        codes = {c: i for i, c in enumerate(net.classes.tolist())}
        described[kind] = [
            unit | _label(codes, labels[row])
            for row, unit in zip(rows, _units(of_kind, rows), strict=True)
        ]
        replicated[kind] = None if fresh is None else str(replicate(labels, fresh.only(kind)))
    last = others[0] if others else first
    return {
        "labelled_on": first,
        "replicated_on": others[0] if others else None,
        "n": ablation.n.tolist(),
        "units": described,
        "replicated": replicated,
        "confusion": None
        if len(net.classes) > _MAX_CONFUSION
        else confusion_matrix(net, splits[last], threads=threads).tolist(),
        "confusion_on": last,
    }


def regression_unit_facts(
    net: SparseMLP, splits: dict[str, CheckedData], drawn: Drawn, threads: int
) -> dict[str, Any] | None:
    """Return the drops in R² without each unit, of a network that predicts numbers.

    Parameters
    ----------
    net, splits, drawn, threads
        As in `unit_facts`.

    Returns
    -------
    dict or None
        None without samples.
    """
    if not splits:
        return None
    kinds, first = _ablated(net), next(iter(splits))
    ablation = ablate(net, splits[first], kinds=kinds, threads=threads)
    described = {}
    for kind in kinds:
        of_kind = ablation.only(kind)
        described[kind] = _units(of_kind, _described(of_kind, kind, drawn))
    return {"measured_on": first, "units": described}


def _ablated(net: SparseMLP) -> list[str]:
    """Return the kinds of units to ablate: those of which there are not too many."""
    n_neurons = sum(len(np.unique(w.indices)) for w in net.weights[1:])
    counts = {"input": net.n_used_inputs, "neuron": n_neurons, "synapse": net.n_synapses}
    limit = min(_MAX_ABLATED, _MAX_CHANGES // net.layers[-1])
    return [kind for kind, count in counts.items() if count <= limit]


def _described(ablation: Ablation | RegressionAblation, kind: str, drawn: Drawn) -> list[int]:
    """Return the rows of the units of one kind that the page describes."""
    if kind != "synapse":
        return list(range(len(ablation)))
    rows: list[int] = np.flatnonzero(np.concatenate(drawn)).tolist()
    return rows


def _units(ablation: Ablation | RegressionAblation, rows: list[int]) -> list[dict[str, Any]]:
    """Return the facts of some units; "loss" holds `figures` by class or number."""
    total = ablation.total_loss.tolist()
    return [
        {
            "layer": ablation.units[row].layer,
            "id": ablation.units[row].index,
            "from": ablation.units[row].source,
            "loss": figures(
                ablation.loss[row]
                if isinstance(ablation, RegressionAblation)
                else ablation.of_unit(row).loss[0]
            ),
            "total": round4(total[row]),
        }
        for row in rows
    ]


def _label(codes: dict[Any, int], label: UnitLabel) -> dict[str, Any]:
    return {
        "status": label.status,
        "serves": [codes[c] for c in label.classes],
        "p": round4(label.p_value),
    }


def _name(net: SparseMLP, layer: int, j: int) -> str:
    if layer < 0:
        return net.input_name(j)
    if layer == len(net.layers) - 2:
        return "class " * (not net.is_regression) + output_name(net, j)
    several = len(net.layers) > 3
    return f"neuron {j}" + f" of layer {layer}" * several


def round4(x: float) -> float:
    """Round to four significant digits."""
    return float(f"{x:.4g}")


def figures(values: NDArray[np.floating[Any]]) -> dict[str, float]:
    """Return the values by position, without those of 0, and of many the largest alone."""
    where = np.flatnonzero(values)
    if len(where) > _MAX_FIGURES:
        largest = np.argpartition(-abs(values[where]), _MAX_FIGURES)[:_MAX_FIGURES]
        where = np.sort(where[largest])
    return {str(i): round4(float(values[i])) for i in where.tolist()}


def round_all(values: NDArray[np.floating[Any]]) -> list[float]:
    """Round each value to four significant digits."""
    return [round4(x) for x in values.tolist()]
