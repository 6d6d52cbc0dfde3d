"""``synaprune prune FILE`` without a recipe: what `smallest_network` makes of a file."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from synaprune import __version__, metrics
from synaprune.arrays import Inputs
from synaprune.checkpoint import CheckpointFile
from synaprune.datasets import Rows
from synaprune.metrics import Metric
from synaprune.network import SparseMLP
from synaprune.search import SearchResult, smallest_network
from synaprune.tables import Table, TableEncoder
from synaprune.threads import Threads

# All others belong to the job of `prune`.
OPTIONS = ("n_synapses", "max_drop", "metric", "class_weight")


def is_search(given: Collection[str]) -> bool:
    """Return whether options ask for a search, with one goal at most, and for no recipe."""
    return set(given) <= set(OPTIONS) and not {"n_synapses", "max_drop"} <= set(given)


@dataclass(frozen=True, eq=False)
class Found:
    """A file's rows and the smallest network for them.

    Attributes
    ----------
    rows : Rows
    inputs : ndarray of float32 or uint8, shape (n, n_inputs)
        The rows as the network sees them.
    result : SearchResult
    record : dict
        JSON values; the keys are a promise to users.
    chose_metric : bool
        Whether the metric is balanced accuracy though nobody asked for it.
    """

    rows: Rows
    inputs: Inputs
    result: SearchResult
    record: dict[str, Any]
    chose_metric: bool


def find(
    rows: Rows,
    options: Mapping[str, Any],
    *,
    keep: Iterable[str],
    seed: int,
    threads: Threads,
    callback: Callable[[int, int], object] | None,
    checkpoint: CheckpointFile | None = None,
    time_limit: float | None = None,
) -> Found:
    """Return the smallest network of a file's rows.

    Parameters
    ----------
    rows : Rows
    options : mapping
        Arguments of `smallest_network`.
    keep : iterable of str
        As in `TableEncoder.fit`.
    seed, threads, callback, checkpoint, time_limit
        As in `smallest_network`.

    Raises
    ------
    TypeError, ValueError
        As `smallest_network`.
    """
    begin = time.perf_counter()
    chosen: dict[str, Any] = {"encoder": None, "input_names": rows.input_names}
    inputs = rows.X
    if isinstance(rows.X, Table):
        encoder = TableEncoder.fit(rows.X, keep=keep)
        chosen = {"encoder": encoder, "input_names": None}
        inputs = encoder.transform(rows.X)
    elif keep:
        raise ValueError("--keep does not apply to arrays")
    with warnings.catch_warnings():  # what is shown before the figures is not said again below
        warnings.filterwarnings("ignore", ".*No network that was tried has a better")
        result = smallest_network(
            rows.X, rows.y, seed=seed, threads=threads, callback=callback, checkpoint=checkpoint,
            time_limit=time_limit, **chosen, **options,
        )  # fmt: skip
    metric: Metric = options.get("metric", "auto")
    asked = {"metric": metric} | dict(options)
    if result.max_drop is not None:
        asked["max_drop"] = result.max_drop
    result.path.options.update({"dataset": rows.name, "target": rows.target, **asked})

    def measured(net: SparseMLP) -> dict[str, Any]:
        parts = {"train": net.check_data(inputs, rows.y)}
        if rows.test is not None:
            parts["test"] = net.check_data(*rows.test)
        kinds = {"accuracy": None if net.is_regression else "accuracy", "score": result.metric}
        return {
            kind: {} if of is None else {
                name: metrics.of_network(of, net, data, threads) for name, data in parts.items()
            }
            for kind, of in kinds.items()
        }  # fmt: skip

    def counted(net: SparseMLP) -> dict[str, Any]:
        return {
            "structure": net.structure,
            "n_synapses": net.n_synapses,
            "n_inputs": net.n_used_inputs,
        }

    net, full = result.network, result.full
    untrained: dict[str, Any] = {"accuracy": {}, "score": {}}
    record = {
        "dataset": rows.name,
        "seed": seed,
        "options": asked,
        "start": {
            **counted(result.path.network(0) if full is None else full),
            **(untrained if full is None else measured(full)),
        },
        "final": {
            **counted(net),
            **measured(net),
            "inputs": [net.input_name(i) for i in net.used_inputs.tolist()],
            "columns": net.used_columns,
        },
        **result.record(),
        "left_out": {} if net.encoder is None else dict(net.encoder.left_out),
        "notes": [*rows.notes, *(() if net.encoder is None else net.encoder.notes)],
        "epochs": result.path.epochs,
        "seconds": round(time.perf_counter() - begin, 3),
        "version": __version__,
        "stop_reason": result.path.stop_reason,
        "path": [step.record() for step in result.path],
    }
    chose = metric == "auto" and result.metric == "balanced_accuracy"
    return Found(rows, inputs, result, record, chose)
