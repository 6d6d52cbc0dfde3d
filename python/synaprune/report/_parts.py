"""The network as it is drawn, and the proof of what its parts do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.explain import (
    Ablation,
    ablate,
    confirm,
    confusion_matrix,
    label_parts,
    path_energy,
)
from synaprune.layout import strongest_synapses, vertical_places
from synaprune.network import SparseMLP

_MOST_NEURONS = 2000  # drawn of a level
_MOST_SYNAPSES = 20000  # up to which each is ablated
_MOST_CLASSES = 60  # of a confusion matrix
SHARE = 0.9  # of an output's energy
Shown = list[NDArray[np.bool_]]


def network_facts(net: SparseMLP, most: int) -> tuple[dict[str, Any], Shown]:
    """Return what is drawn, and which synapses that are.

    Parameters
    ----------
    net : SparseMLP
    most : int
        Synapses at most.

    Returns
    -------
    dict
        "levels": of each, inputs first, its neurons as {"id", "y", "name", "energy"} with a share
        per output; "synapses": {"level", "from", "to", "weight", "energy"}; "left_out": how many
        synapses are not drawn; "neurons_left_out": how many neurons; "serving" and "leading": per
        output, how many synapses carry nine tenths of its energy, and how many lead to it.
    list of ndarray of bool, shape (nnz,)
        The synapses that are drawn.
    """
    energy = path_energy(net)
    kept = strongest_synapses(net, most)
    places = vertical_places(net)
    last = len(places) - 1
    levels, drawn = [], []
    for level, ys in enumerate(places):
        shares = energy.neurons[level] if level < last else np.eye(len(energy.total))
        ids = sorted(ys, key=lambda j: (-float(shares[j].sum()), j))[:_MOST_NEURONS]
        drawn.append(set(ids))
        levels.append([
            {"id": j, "y": short(ys[j]), "name": _name(net, level, j), "energy": shorts(shares[j])}
            for j in sorted(ids)
        ])  # fmt: skip
    synapses = []
    for level, (w, chosen) in enumerate(zip(net.weights, kept, strict=True)):
        rows, columns = w.rows, w.indices
        ends = np.isin(columns, list(drawn[level])) & np.isin(rows, list(drawn[level + 1]))
        chosen &= ends
        synapses += [
            {
                "level": level,
                "from": int(columns[k]),
                "to": int(rows[k]),
                "weight": short(float(w.values[k])),
                "energy": shorts(energy.synapses[level][k]),
            }
            for k in np.flatnonzero(chosen).tolist()
        ]
    facts = {
        "levels": levels,
        "synapses": synapses,
        "left_out": net.n_synapses - len(synapses),
        "neurons_left_out": sum(map(len, places)) - sum(map(len, levels)),
        "serving": [
            sum(int(chosen.sum()) for chosen in energy.subnetwork(o, SHARE))
            for o in range(len(energy.total))
        ],
        "leading": np.diff(net.weights[-1].indptr).tolist(),
    }
    return facts, kept


def proof_facts(
    net: SparseMLP, known: dict[str, Any], shown: Shown, threads: int
) -> dict[str, Any] | None:
    """Return labels, what is lost without each part, and the confusion matrix.

    Parameters
    ----------
    net : SparseMLP
    known : dict
        "validation" and "test" to (X, y), one or both; labels are given on the first and proven
        again on the second.
    shown : list of ndarray of bool
        Which synapses get a label.
    threads : int

    Returns
    -------
    dict or None
        None without samples.
    """
    if not known:
        return None
    kinds = ["input", "neuron"] + ["synapse"] * (net.n_synapses <= _MOST_SYNAPSES)
    first, *others = known
    ablation = ablate(net, *known[first], kinds=kinds, threads=threads)
    fresh = ablate(net, *known[others[0]], kinds=kinds, threads=threads) if others else None
    parts, confirmed = {}, {}
    for kind in kinds:
        of_kind = ablation.only(kind)
        labels = label_parts(of_kind)
        rows = (
            np.concatenate(shown).nonzero()[0].tolist() if kind == "synapse" else range(len(labels))
        )
        parts[kind] = [_part(of_kind, labels, row) for row in rows]
        confirmed[kind] = None if fresh is None else str(confirm(labels, fresh.only(kind)))
    last = others[0] if others else first
    return {
        "labelled_on": first,
        "confirmed_on": others[0] if others else None,
        "n": ablation.n.tolist(),
        "parts": parts,
        "confirmed": confirmed,
        "confusion": None
        if len(net.classes) > _MOST_CLASSES
        else confusion_matrix(net, *known[last], threads=threads).tolist(),
        "confusion_on": last,
    }


def _part(ablation: Ablation, labels: list[Any], row: int) -> dict[str, Any]:
    part, label = ablation.parts[row], labels[row]
    codes = {c: i for i, c in enumerate(ablation.classes.tolist())}
    return {
        "layer": part.layer,
        "id": part.index,
        "from": part.source,
        "verdict": label.verdict,
        "serves": [codes[c] for c in label.classes],
        "p": short(label.p_value),
        "loss": shorts(ablation.loss[row]),
        "total": short(float(ablation.total_loss[row])),
    }


def _name(net: SparseMLP, level: int, j: int) -> str:
    if level == 0:
        return net.input_name(j)
    if level == len(net.layers) - 1:
        return f"class {net.classes[1 if net.layers[-1] == 1 else j]}"
    several = len(net.layers) > 3
    return f"neuron {j}" + f" of layer {level}" * several


def short(x: float) -> float:
    """Round to four significant digits."""
    return float(f"{x:.4g}")


def shorts(values: NDArray[np.floating[Any]]) -> list[float]:
    """Round each to four significant digits."""
    return [short(x) for x in values.tolist()]
