"""What each export of a network needs, and which of them cannot hold it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from synaprune.export._dense import dense
from synaprune.export.c import DTYPES, footprint
from synaprune.export.javascript import to_js
from synaprune.export.json import to_json
from synaprune.export.python import to_python
from synaprune.export.sql import DIALECTS, to_sql
from synaprune.network import SparseMLP
from synaprune.program import Program

__all__ = ["Exported", "overview"]

_RAW = "C, raw cells"
_TABLE = "data"  # in a SELECT; its name has few bytes in any case


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One export of a network.

    Attributes
    ----------
    format : str
        Such as "C float32".
    n_flash : int or None
        Bytes of flash on a Cortex-M0, tables and code, as the header estimates them.
    n_ram : int or None
        Bytes of buffers on the stack there.
    n_multiplies : int or None
        Multiplications for a row, apart from activations.
    n_bytes : int or None
        Of the text; of dense matrices and biases, where these are what a format holds.
    refused : str or None
        Why the format cannot hold the network; all numbers are None then.
    """

    format: str
    n_flash: int | None = None
    n_ram: int | None = None
    n_multiplies: int | None = None
    n_bytes: int | None = None
    refused: str | None = None


def overview(net: SparseMLP) -> list[Exported]:
    """Return what each export of a network needs, or why there is none.

    Each text is made, so that a large network takes seconds. Integers of C are estimated from
    made-up rows.

    Parameters
    ----------
    net : SparseMLP

    Returns
    -------
    list of Exported

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train)
    >>> [(e.format, e.n_multiplies) for e in overview(net)][:1]
    [('C float32', 9)]
    """
    made: dict[str, Callable[[], Exported]] = {
        **{f"C {dtype}": partial(_c, net, dtype) for dtype in DTYPES},
        **({} if net.encoder is None else {_RAW: partial(_c, net, "float32", "raw")}),
        "Python": lambda: _text("Python", to_python(net)),
        "JavaScript": lambda: _text("JavaScript", to_js(net)),
        "JSON": lambda: _text("JSON", to_json(net, None)),
        **{f"SQL ({dialect})": partial(_sql, net, dialect) for dialect in DIALECTS},
        "ONNX, torch": partial(_dense, net),
    }
    found = []
    for name, export in made.items():
        try:
            found.append(export())
        except ValueError as error:
            found.append(Exported(format=name, refused=str(error)))
    return found


def _c(net: SparseMLP, dtype: str, inputs: str = "all") -> Exported:
    needs = footprint(net, dtype=dtype, inputs=inputs)
    return Exported(
        format=_RAW if inputs == "raw" else f"C {dtype}", n_ram=needs.n_ram,
        n_flash=needs.n_tables + needs.n_code, n_multiplies=needs.n_multiplies,
    )  # fmt: skip


def _text(name: str, text: str) -> Exported:
    return Exported(format=name, n_bytes=len(text.encode("utf-8")))


def _sql(net: SparseMLP, dialect: str) -> Exported:
    return _text(f"SQL ({dialect})", to_sql(net, table=_TABLE, dialect=dialect))


def _dense(net: SparseMLP) -> Exported:
    layers = dense(Program.of(net), np.arange(net.n_features)).layers
    n_bytes = sum(layer.weights.nbytes + layer.bias.nbytes for layer in layers)
    n_multiplies = sum(layer.weights.size for layer in layers)
    return Exported(format="ONNX, torch", n_multiplies=n_multiplies, n_bytes=n_bytes)
