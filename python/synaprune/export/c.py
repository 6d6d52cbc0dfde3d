"""A network as one C99 header, which C++ and Arduino compile, too."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Inputs
from synaprune.checks import check_choice, shown
from synaprune.export._c_table import CTable
from synaprune.export._c_text import (
    Tables,
    c_type,
    literal,
    smallest_unsigned,
    string,
)
from synaprune.export._columns import table_columns
from synaprune.export._integers import DTYPES as INTEGERS
from synaprune.export._integers import (
    INPUT_DTYPES,
    IntegerNetwork,
    check_rows,
)
from synaprune.export._text import check_identifier, comment, filled
from synaprune.frames import is_frame
from synaprune.io import check_target, write_atomically
from synaprune.network import SparseMLP
from synaprune.program import Program
from synaprune.tables import Table

__all__ = ["DTYPES", "INPUTS", "INPUT_DTYPES", "LAYOUTS", "Footprint", "footprint", "to_c"]

LAYOUTS = ("auto", "csr", "unrolled")
DTYPES = ("float32", *INTEGERS)
INPUTS = ("all", "used", "raw")
# Bytes of `predict` on a Cortex-M0, of gcc -Os: what there is without any layer, and for a layer in
# CSR form; for a synapse, a neuron and an input that are written out, their constants included.
_CODE, _CODE_OF_LAYER = 100, 80
_CODE_WRITTEN_OUT = {"float32": (22, 16, 0), "int32": (9, 24, 20)}


@dataclass(frozen=True, eq=False)
class CLayer:
    """One layer as C computes it.

    Attributes
    ----------
    indptr, indices, values, bias : ndarray
        In CSR form; values and bias in the dtype that C computes in.
    dtype : dtype
        Of what it gives to the next layer.
    finish : str
        What becomes of a neuron's ``{sum}``; other names in braces are those of `per_row`.
    per_row : mapping of str to ndarray
        More numbers of each neuron.
    table : ndarray or None
        What ``{table}`` in `finish` stands for.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[Any]
    values: NDArray[Any]
    bias: NDArray[Any]
    dtype: Any
    finish: str
    per_row: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    table: NDArray[Any] | None = None


@dataclass(frozen=True)
class Footprint:
    """What a header needs, as its head comment tells it.

    Attributes
    ----------
    layout : str
        "csr" or "unrolled".
    n_tables, n_code : int
        Bytes of flash: of tables exactly, of code roughly, with gcc -Os for a Cortex-M0.
    n_ram : int
        Bytes of buffers on the stack.
    n_multiplies : int
        Multiplications for a row, apart from activations.
    """

    layout: str
    n_tables: int
    n_code: int
    n_ram: int
    n_multiplies: int


@dataclass(frozen=True, eq=False)
class CNetwork:
    """How C computes a network, whatever the layout.

    Attributes
    ----------
    program : Program
    arithmetic : str
        One line for the head comment.
    x_dtype : dtype
        Of the rows that C is given.
    n_x : int
        Their length.
    positions : ndarray of int, shape (n_inputs,)
        Where in a row the inputs stand.
    dtype : dtype
        Of the inputs of the first layer.
    enter : str or None
        What becomes of the number ``{x}`` of a row; other names in braces are those of
        `per_input`. None if the first layer reads the row itself.
    per_input : mapping of str to ndarray
    helpers : sequence of str
        Functions that `enter` and `finish` call; "{name}" is the network's.
    layers : tuple of CLayer
    unit : float32 or None
        What one step of an integer sum of the last layer is worth; None if it is a float.
    table : CTable or None
        How C reads raw cells, which then become the row of `x_dtype`; None if it is given that.
    """

    program: Program
    arithmetic: str
    x_dtype: Any
    n_x: int
    positions: NDArray[np.int64]
    dtype: Any
    enter: str | None
    per_input: Mapping[str, NDArray[Any]]
    helpers: Sequence[str]
    layers: tuple[CLayer, ...]
    unit: np.float32 | None = None
    table: CTable | None = None

    @property
    def given(self) -> str:
        """What C calls the row that functions are given: inputs, or raw cells."""
        return "x" if self.table is None else "row"

    @property
    def parameter(self) -> str:
        """The row as the parameter of a function."""
        kind = c_type(self.x_dtype) if self.table is None else f"{self.table.name}_row"
        return f"const {kind} *{self.given}"

    @property
    def sum_dtype(self) -> Any:
        """Of sums and biases."""
        return self.layers[-1].bias.dtype


def to_c(
    net: SparseMLP,
    path: str | os.PathLike[str] | None = None,
    *,
    name: str = "network",
    dtype: str = "float32",
    calibration: Any = None,
    layout: str = "auto",
    inputs: str = "all",
    input_dtype: str = "float32",
    self_test: Any = None,
) -> str:
    """Return a network as a C99 header; `SparseMLP.to_c` documents the arguments."""
    check_identifier(name)
    for what, value, known in (
        ("dtype", dtype, DTYPES),
        ("layout", layout, LAYOUTS),
        ("inputs", inputs, INPUTS),
        ("input_dtype", input_dtype, INPUT_DTYPES),
    ):
        check_choice(what, value, known)
    if (calibration is None) != (dtype == "float32"):
        raise ValueError(
            f"calibration must be left out, as dtype is {dtype!r}"
            if dtype == "float32"
            else f"dtype {dtype!r} needs calibration: rows such as the network will see"
        )
    program = Program.of(net)
    table = _table(net, program, name, input_dtype) if inputs == "raw" else None
    if path is not None:
        check_target(path)
    rows = None if self_test is None else check_rows(net, self_test, "self_test", input_dtype)
    cells = None if rows is None or table is None else _cells(net, self_test)
    test = None
    if dtype == "float32":
        network = float_network(program, inputs, input_dtype)
        if rows is not None:
            said = net.predict(rows).reshape(len(rows), -1)
            test = (rows, said if net.is_regression else net.predict_proba(rows))
    else:
        integers = IntegerNetwork.of(net, calibration, dtype=dtype, input_dtype=input_dtype)
        network = integer_network(integers, inputs)
        if rows is not None:
            test = (rows, integers.logits(rows))
    text = render(replace(network, table=table), name, layout, test, cells)
    if path is not None:
        write_atomically(path, text.encode("ascii"))
    return text


def _table(net: SparseMLP, program: Program, name: str, input_dtype: str) -> CTable:
    """Return how C reads raw cells, or raise if it cannot."""
    if net.encoder is None:
        raise ValueError("inputs must be 'all' or 'used', as the network has no table's encoder")
    if input_dtype != "float32":
        raise ValueError(f"inputs='raw' does not go with input_dtype {input_dtype!r}")
    if not len(program.inputs):
        raise ValueError("inputs must be 'all' or 'used', as no output depends on any column")
    return CTable(table_columns(net, program), name)


def _cells(net: SparseMLP, rows: Any) -> Mapping[str, Any]:
    """Return what raw rows hold, or raise if they are inputs already."""
    if not (isinstance(rows, Table) or is_frame(rows)):
        raise TypeError(
            f"self_test must be a Table or DataFrame, as inputs is 'raw', got {shown(rows)}"
        )
    assert net.encoder is not None
    return net.encoder.read(rows, net.used_inputs.tolist())


def footprint(net: SparseMLP, *, dtype: str = "float32", inputs: str = "all") -> Footprint:
    """Return what the header of a network needs, in the smaller layout.

    Parameters
    ----------
    net : SparseMLP
    dtype : str
        A name in `DTYPES`. Integers are told from made-up rows, which change few bytes.
    inputs : str
        A name in `INPUTS`.

    Raises
    ------
    TypeError, ValueError
        If `to_c` cannot write the network.
    """
    program = Program.of(net)
    if dtype == "float32":
        network = float_network(program, inputs, "float32")
    else:
        rng = np.random.default_rng(0)
        made_up = rng.normal(size=(64, net.n_features))
        shift, scale = net.input_transform
        with np.errstate(over="ignore"):
            rows = (made_up / scale + shift).astype(np.float32)
        network = integer_network(IntegerNetwork.of(net, rows, dtype=dtype), inputs)
    if inputs == "raw":
        network = replace(network, table=_table(net, program, "network", "float32"))
    _answers(network, "network")  # raises if C cannot hold labels or numbers
    return _footprint(network, *_smaller(network, "network", "auto"))


def _footprint(net: CNetwork, layout: str, body: _Body) -> Footprint:
    n_scaled = len(net.positions) if net.enter is not None and "*" in net.enter else 0
    n_code, n_ram = body.n_code, body.n_ram
    if net.table is not None:
        n_code += net.table.n_code
        n_ram += net.n_x * net.x_dtype.itemsize
    n_multiplies = net.program.n_synapses + n_scaled
    return Footprint(layout, body.tables.n_bytes, n_code, n_ram, n_multiplies)


# ---- float32


_FLOAT_HELPERS = {
    "relu": """static inline float {name}_relu(float z) {{ return z <= 0.0f ? 0.0f : z; }}""",
    "leaky_relu": """static inline float {name}_leaky_relu(float z) {{
  return z <= 0.0f ? 0.01f * z : z;
}}""",
    "sigmoid": """/* At least e^-87, which is no denormal. */
static inline float {name}_sigmoid(float z) {{
  return 1.0f / (1.0f + expf(z < -87.0f ? 87.0f : -z));
}}""",
    "tanh": """static inline float {name}_tanh(float z) {{ return tanhf(z); }}""",
    "silu": """static inline float {name}_silu(float z) {{ return z * {name}_sigmoid(z); }}""",
}
_NEEDS = {"silu": ("sigmoid", "silu")}


def float_network(program: Program, inputs: str, input_dtype: str) -> CNetwork:
    """Return a network that computes in float32, in the order of the core."""
    f = program.activation
    enter, per_input = "{x}", {}
    if program.shift.any():
        enter, per_input["shift"] = f"({enter} - {{shift}})", program.shift
    if (program.scale != 1.0).any():
        enter, per_input["scale"] = f"{enter} * {{scale}}", program.scale
    positions, n_x = _positions(program, inputs)
    of_sums = set() if f is None else {*_NEEDS.get(f, (f,))}
    if program.output.startswith("sigmoid"):
        of_sums.add("sigmoid")
    bytes_come = input_dtype == "uint8"
    return CNetwork(
        program=program,
        arithmetic="float32",
        x_dtype=np.dtype(input_dtype),
        n_x=n_x,
        positions=positions,
        dtype=np.dtype(np.float32),
        enter=None if enter == "{x}" and not bytes_come else enter,
        per_input=per_input,
        helpers=[text for known, text in _FLOAT_HELPERS.items() if known in of_sums],
        layers=tuple(
            CLayer(
                layer.indptr,
                layer.indices,
                layer.values,
                layer.bias,
                np.dtype(np.float32),
                "{sum}" if layer.activation == "identity" else f"{{name}}_{f}({{sum}})",
            )
            for layer in program.layers
        ),
    )


# ---- integers

_ENTER = """/* The nearest integer of half steps, half away from zero, from {least} to {most}. */
static inline {q} {{name}}_enter(float half_steps) {{{{
  int32_t n;
  if (!(half_steps > {twice_least}.0f)) {{{{
    return {least};
  }}}}
  if (half_steps > {twice_most}.0f) {{{{
    return {most};
  }}}}
  n = (int32_t)half_steps;
  return ({q})({rounded});
}}}}"""
_ROUNDED = {"u": "(n + 1) / 2", "i": "n >= 0 ? (n + 1) / 2 : (n - 1) / 2"}
_RELU = """/* A sum divided by 2^shift, half up, from 0 to {limit}. */
static inline {q} {{name}}_relu(int32_t sum, uint8_t shift) {{{{
  int32_t z;
  if (sum <= 0) {{{{
    return 0;
  }}}}
  z = (sum + (int32_t)(((uint32_t)1 << shift) >> 1)) >> shift;
  return z > {limit} ? {limit} : ({q})z;
}}}}"""
# Nothing negative is shifted to the right, which C leaves to the compiler.
_SHIFTED = """/* A sum divided by 2^shift, half away from zero, from -{beyond} to {limit}. */
static inline int32_t {{name}}_shifted(int32_t sum, uint8_t shift) {{{{
  const int32_t half = (int32_t)(((uint32_t)1 << shift) >> 1);
  const int32_t z = sum >= 0 ? (sum + half) >> shift : -((half - sum) >> shift);
  return z > {limit} ? {limit} : z < -{beyond} ? -{beyond} : z;
}}}}"""
_TABLE = """/* {f} of a sum, which is rounded to 8 bits. */
static inline {q} {{name}}_table(int32_t sum, uint8_t shift, const {q} *table) {{{{
  return table[{{name}}_shifted(sum, shift) + 128];
}}}}"""
_LINES = """/* {f} of a sum, which is rounded to 16 bits; lines between the numbers of the table. */
static inline {q} {{name}}_table(int32_t sum, uint8_t shift, const {q} *table) {{{{
  const int32_t z = {{name}}_shifted(sum, shift) + 32768;
  const int32_t at = z >> 8, between = z & 255;
  const int32_t low = (int32_t)table[at]{lift}, high = (int32_t)table[at + 1]{lift};
  return ({q})(((low * (256 - between) + high * between + 128) >> 8){lower});
}}}}"""


def integer_network(net: IntegerNetwork, inputs: str) -> CNetwork:
    """Return a network that computes in integers, as `IntegerNetwork.logits` does."""
    program, f = net._program, net._program.activation
    weights, hidden = np.dtype(net.dtype), net._layers[0].dtype
    limit = int(np.iinfo(weights).max)
    helpers, enter = [], None
    per_input: dict[str, NDArray[Any]] = {}
    if (entry := net._entry) is not None:
        enter, per_input["factor"] = "{name}_enter({x} * {factor})", entry.factor
        if entry.offset.any():
            enter, per_input["offset"] = "{name}_enter(({x} - {offset}) * {factor})", entry.offset
        least, most = entry.limits
        helpers.append(
            _ENTER.format(
                q=c_type(entry.dtype), least=least, most=most, twice_least=2 * least,
                twice_most=2 * most, rounded=_ROUNDED[entry.dtype.kind],
            )
        )  # fmt: skip
    if f == "relu":
        helpers.append(_RELU.format(q=c_type(hidden), limit=np.iinfo(hidden).max))
    elif f is not None:
        signed = hidden.kind == "i"
        helpers.append(_SHIFTED.format(limit=limit, beyond=limit + 1))
        helpers.append(
            (_TABLE if net.dtype == "int8" else _LINES).format(
                q=c_type(hidden), f=f, lift=" + 32768" * signed, lower=" - 32768" * signed
            )
        )
    if program.output.startswith("sigmoid"):
        helpers.append(_FLOAT_HELPERS["sigmoid"])
    positions, n_x = _positions(program, inputs)
    finish = (
        "{name}_relu({sum}, {shift})" if f == "relu" else "{name}_table({sum}, {shift}, {table})"
    )
    return CNetwork(
        program=program,
        arithmetic=f"{net.dtype} weights, {weights.itemsize * 8}-bit inputs and neurons, "
        "32-bit sums",
        x_dtype=np.dtype(net.input_dtype),
        n_x=n_x,
        positions=positions,
        dtype=np.dtype(np.uint8) if entry is None else entry.dtype,
        enter=enter,
        per_input=per_input,
        helpers=helpers,
        layers=tuple(
            CLayer(
                layer.indptr,
                layer.indices,
                layer.weights,
                layer.bias,
                layer.dtype,
                "{sum}" if layer.shift is None else finish,
                {} if layer.shift is None else {"shift": layer.shift},
                layer.table,
            )
            for layer in net._layers
        ),
        unit=net.unit,
    )


def _positions(program: Program, inputs: str) -> tuple[NDArray[np.int64], int]:
    """Return where in a row the inputs stand, and how long it is."""
    if inputs != "all":
        return np.arange(len(program.inputs)), len(program.inputs)
    return program.inputs, program.n_features


# ---- layouts


class _Numbers:
    """Numbers in code: table cells of CSR, literals of what is written out or all the same."""

    def __init__(self, name: str, unrolled: bool) -> None:
        self.tables = Tables(name)
        self.unrolled = unrolled
        self._added: dict[str, str] = {}

    def cell(self, what: str, values: NDArray[Any], at: int | str, *, uniform: bool = True) -> str:
        """Return number `at` of some values; in CSR `at` is a variable."""
        if self.unrolled:
            return literal(values[int(at)])
        if uniform and (values == values[0]).all():
            return literal(values[0])
        return f"{self.table(what, values)}[{at}]"

    def table(self, what: str, values: NDArray[Any]) -> str:
        """Return the name of a table, which is added once."""
        if what not in self._added:
            self._added[what] = self.tables.add(what, values)
        return self._added[what]


@dataclass(frozen=True)
class _Body:
    """The function that computes the sums of the last layer, and what it stands on."""

    lines: list[str]
    functions: list[str]
    tables: Tables
    n_code: int
    n_ram: int

    @property
    def n_flash(self) -> int:
        """Bytes of tables and, roughly, of code."""
        return self.tables.n_bytes + self.n_code


def _csr(net: CNetwork, name: str) -> _Body:
    """Return loops over tables."""
    numbers = _Numbers(name, unrolled=False)
    functions: dict[str, str] = {}
    buffers: dict[tuple[int, Any], int] = {}
    index = _index_type(net)

    def buffer(level: int, dtype: Any, n: int) -> str:
        key = (level % 2, np.dtype(dtype))
        buffers[key] = max(n, buffers.get(key, 0))
        return f"{'ab'[level % 2]}_{key[1].name}"

    lines: list[str] = []
    below = "x"
    below_dtype = net.x_dtype
    n_inputs = len(net.positions)
    if net.enter is not None:
        below, below_dtype = buffer(0, net.dtype, n_inputs), net.dtype
        at = "r"
        if not np.array_equal(net.positions, np.arange(n_inputs)):
            places = net.positions.astype(smallest_unsigned(int(net.positions[-1])))
            at = numbers.cell("input", places, "r", uniform=False)
        lines += _loop(n_inputs, f"{below}[r] = {_entered(net, numbers, at, 'r')};")
    for at_layer, layer in enumerate(net.layers):
        n_out = len(layer.bias)
        columns = net.positions[layer.indices] if below == "x" else layer.indices
        columns = columns.astype(smallest_unsigned(int(columns.max())))
        dot = f"{name}_dot_{columns.dtype.name}_{np.dtype(below_dtype).name}"
        functions[dot] = _dot(dot, index, columns.dtype, layer, below_dtype)
        begin = numbers.table(
            f"begin_{at_layer}", layer.indptr.astype(smallest_unsigned(int(layer.indptr[-1])))
        )
        column = numbers.table(f"column_{at_layer}", columns)
        weight = numbers.table(f"weight_{at_layer}", layer.values)
        bias = numbers.cell(f"bias_{at_layer}", layer.bias, "r")
        total = f"{bias} + {dot}({begin}[r], {begin}[r + 1u], {column}, {weight}, {below})"
        is_last = layer is net.layers[-1]
        to = "z" if is_last else buffer(at_layer + 1, layer.dtype, n_out)
        lines += _loop(n_out, f"{to}[r] = {_finished(layer, numbers, total, at_layer, 'r')};")
        below, below_dtype = to, layer.dtype
    declared = [
        f"  {c_type(dtype)} {'ab'[side]}_{dtype.name}[{n}];" for (side, dtype), n in buffers.items()
    ]
    return _Body(
        [*declared, f"  {index} r;", *lines],
        list(functions.values()),
        numbers.tables,
        _CODE + _CODE_OF_LAYER * (len(net.layers) + (net.enter is not None)),
        sum(n * dtype.itemsize for (_, dtype), n in buffers.items()),
    )


def _entered(net: CNetwork, numbers: _Numbers, place: int | str, at: int | str) -> str:
    """Return what becomes of x[place], which is input `at`."""
    assert net.enter is not None
    cast = "" if net.x_dtype == np.float32 else "(float)"
    cells = {k: numbers.cell(k, v, at) for k, v in net.per_input.items()}
    return net.enter.format(name=numbers.tables.name, x=f"{cast}x[{place}]", **cells)


def _finished(layer: CLayer, numbers: _Numbers, total: str, at_layer: int, row: int | str) -> str:
    """Return what becomes of the sum of a row."""
    cells = {k: numbers.cell(f"{k}_{at_layer}", v, row) for k, v in layer.per_row.items()}
    if layer.table is not None:
        cells["table"] = numbers.table(f"table_{at_layer}", layer.table)
    return layer.finish.format(name=numbers.tables.name, sum=total, **cells)


def _loop(n: int, statement: str) -> list[str]:
    return [f"  for (r = 0u; r < {n}u; ++r) {{", filled(statement, "    ", "        "), "  }"]


def _dot(name: str, index: str, column: Any, layer: CLayer, x: Any) -> str:
    total = c_type(layer.bias.dtype)
    zero, cast = ("0.0f", "") if total == "float" else ("0", f"({total})")
    return f"""/* The sum of weight[k] x[column[k]], k from the first up to `end`. */
static inline {total} {name}(
    {index} k, {index} end, const {c_type(column)} *column,
    const {c_type(layer.values.dtype)} *weight, const {c_type(x)} *x) {{
  {total} sum = {zero};
  for (; k < end; ++k) {{
    sum += {cast}weight[k] * {cast}x[column[k]];
  }}
  return sum;
}}"""


def _unrolled(net: CNetwork, name: str) -> _Body:
    """Return one statement for each neuron, weights in the code."""
    numbers = _Numbers(name, unrolled=True)
    total = c_type(net.sum_dtype)
    lines = []
    below = []
    for i, place in enumerate(net.positions.tolist()):
        value = f"x[{place}]" if net.enter is None else _entered(net, numbers, place, i)
        lines.append(filled(f"const {total} i{i} = {value};", "  ", "      "))
        below.append(f"i{i}")
    if not below:
        lines.append("  (void)x;")
    for at_layer, layer in enumerate(net.layers):
        is_last = layer is net.layers[-1]
        above = []
        for r in range(len(layer.bias)):
            of_row = range(int(layer.indptr[r]), int(layer.indptr[r + 1]))
            terms = [f"{literal(layer.values[k])} * {below[layer.indices[k]]}" for k in of_row]
            value = literal(layer.bias[r]) + (f" + ({' + '.join(terms)})" if terms else "")
            to = f"z[{r}]" if is_last else f"const {total} n{at_layer}_{r}"
            value = _finished(layer, numbers, value, at_layer, r)
            lines.append(filled(f"{to} = {value};", "  ", "      "))
            above.append(f"n{at_layer}_{r}")
        below = above
    sizes = [len(net.positions), *(len(layer.bias) for layer in net.layers[:-1])]
    return _Body(
        lines,
        [],
        numbers.tables,
        _written_out(net),
        net.sum_dtype.itemsize * sum(sorted(sizes)[-2:]),
    )


def _index_type(net: CNetwork) -> str:
    largest = max(
        net.n_x,
        *(n for layer in net.layers for n in (len(layer.bias) + 1, len(layer.values))),
    )
    return "uint_fast16_t" if largest < 2**16 - 1 else "uint_fast32_t"


# ---- the header


def render(
    net: CNetwork,
    name: str,
    layout: str,
    test: tuple[Inputs, NDArray[Any]] | None,
    cells: Mapping[str, Any] | None = None,
) -> str:
    """Return the header's text.

    Parameters
    ----------
    net : CNetwork
    name : str
        What all names begin with.
    layout : str
        A name in `LAYOUTS`. A network of constants has no synapses that tables could hold.
    test : (ndarray, ndarray) or None
        Rows of X, and the probabilities or numbers that they give.
    cells : mapping or None
        What the raw cells of these rows hold, if the network reads raw cells.
    """
    chosen, body = _smaller(net, name, layout)
    program, upper = net.program, name.upper()
    x, z = c_type(net.x_dtype), c_type(net.sum_dtype)
    sizes, told, lines = {"N_INPUTS": net.n_x}, f"x[{upper}_N_INPUTS]", body.lines
    if net.table is not None:
        sizes, told = {}, "a row of the table"
        lines = [f"  {x} x[{net.n_x}];", f"  {name}_encode(row, x);", *lines]
    sizes["N_OUTPUTS"] = program.n_outputs
    if program.classes is not None:
        sizes["N_CLASSES"] = len(program.classes)
    sections = [
        _head(net, name, chosen, body),
        f"#ifndef {upper}_H\n#define {upper}_H",
        "\n".join((["#include <math.h>"] if _needs_math(net) else []) + ["#include <stdint.h>"]),
        "\n".join(f"#define {upper}_{key} {n}" for key, n in sizes.items()),
        *([] if net.table is None else net.table.sections()),
        "\n".join(body.tables.lines),
        *(helper.format(name=name) for helper in net.helpers),
        *body.functions,
        f"/* The sums of the last layer: z[{upper}_N_OUTPUTS] from {told}. */\n"
        f"static inline void {name}_logits({net.parameter}, {z} *z) {{\n"
        + "\n".join(lines)
        + "\n}",
        *_answers(net, name),
        *([] if test is None else [_self_test(net, name, *test, cells)]),
        f"#endif /* {upper}_H */",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _needs_math(net: CNetwork) -> bool:
    return net.program.output != "numbers" or any("expf" in h or "tanhf" in h for h in net.helpers)


def _smaller(net: CNetwork, name: str, layout: str) -> tuple[str, _Body]:
    """Return the layout that is asked for, of "auto" the smaller one, and what it gives."""
    if layout == "unrolled" or not len(net.positions):
        return "unrolled", _unrolled(net, name)
    csr = _csr(net, name)
    tables = sum(layer.table.nbytes for layer in net.layers if layer.table is not None)
    if layout == "csr" or csr.n_flash <= _written_out(net) + tables:
        return "csr", csr
    return "unrolled", _unrolled(net, name)


def _written_out(net: CNetwork) -> int:
    """Return, roughly, the bytes of code of the network written out."""
    n_neurons = sum(len(layer.bias) for layer in net.layers)
    counts = (net.program.n_synapses, n_neurons, len(net.positions) * (net.enter is not None))
    of_each = _CODE_WRITTEN_OUT[net.sum_dtype.name]
    return sum(n * code for n, code in zip(counts, of_each, strict=True))


def _head(net: CNetwork, name: str, layout: str, body: _Body) -> str:
    program, x = net.program, c_type(net.x_dtype)
    needs = _footprint(net, layout, body)
    facts = {
        "network": f"{program.structure}: {program.n_synapses} synapses, "
        + (f"{program.activation}, " if program.activation else "")
        + program.output.replace("_", " "),
        "arithmetic": f"{net.arithmetic}, "
        + ("loops over tables (CSR)" if layout == "csr" else "written out"),
        "input": f"x[{net.n_x}], {x}: " + _told_inputs(net)
        if net.table is None
        else f"{name}_row: raw cells of {len(net.table.columns)} columns of the table",
        "flash": f"{needs.n_tables} bytes of tables, and some {needs.n_code} of code, "
        "with gcc -Os for a Cortex-M0",
        "RAM": f"{needs.n_ram} bytes of buffers on the stack",
        "multiplies": f"{needs.n_multiplies} for a row, apart from activations",
    }
    if net.unit is not None:
        facts["logits"] = f"integers, of which one step is worth {literal(net.unit)}"
    lines = [f"{name}.h, made by synaprune {_core.__version__}. Do not edit.", ""]
    lines += [f"{key:<11} {text}" for key, text in facts.items()]
    if program.classes is not None:
        lines += ["", "classes:"]
        lines += [f"  {k}: {comment(str(c))}" for k, c in enumerate(program.classes.tolist())]
    if program.input_names is not None and net.table is None:
        lines += ["", "inputs that the network uses:"]
        places = zip(net.positions.tolist(), program.input_names, strict=True)
        lines += [f"  x[{place}]: {comment(known)}" for place, known in places]
    return "/* " + "\n".join(f" * {line}".rstrip() for line in lines)[3:] + "\n */"


def _told_inputs(net: CNetwork) -> str:
    which = "the inputs that are used" if net.n_x < net.program.n_features else "all inputs"
    if net.program.encoded:
        return f"{which} as the table's encoder makes them of the columns"
    return f"{which} in their own units"


def _unit(net: CNetwork, value: str) -> str:
    """Return a sum of the last layer as a float."""
    return value if net.unit is None else f"(float){value} * {literal(net.unit)}"


def _answers(net: CNetwork, name: str) -> list[str]:
    """Return the functions that make classes, or numbers, of the sums of the last layer."""
    return _regression(net, name) if net.program.classes is None else _classes(net, name)


def _classes(net: CNetwork, name: str) -> list[str]:
    program, upper = net.program, name.upper()
    assert program.classes is not None
    z = c_type(net.sum_dtype)
    n = program.n_outputs
    zero = literal(net.sum_dtype.type(0))
    if n == 1:
        choice = f"  return z[0] > {zero} ? 1u : 0u;"
    else:
        choice = f"""  for (r = 1u; r < {n}u; ++r) {{
    if (z[r] > z[best]) {{
      best = r;
    }}
  }}
  return best;"""
    index = "uint16_t" if n < 2**16 else "uint32_t"
    names = ",\n".join(f"      {string(str(label))}" for label in program.classes.tolist())
    buffer = "p" if net.unit is None else "z"
    own = "" if net.unit is None else f"  {z} z[{n}];\n"
    return [
        f"""/* The number of the class of {net.given}; of equally likely ones the first. */
static inline {index} {name}_predict({net.parameter}) {{
  {z} z[{n}];
{"" if n == 1 else f"  {index} best = 0u, r;{chr(10)}"}  {name}_logits({net.given}, z);
{choice}
}}""",
        f"""/* The probability of each class: p[{upper}_N_CLASSES]. */
static inline void {name}_predict_proba({net.parameter}, float *p) {{
{own}{_PROBABILITIES[program.output](net, name, n, buffer, index)}
}}""",
        f"""/* The label of a class, in UTF-8. */
static inline const char *{name}_class_name({index} number) {{
  static const char *const names[{len(program.classes)}] = {{
{names}}};
  return number < {len(program.classes)}u ? names[number] : "";
}}""",
    ]


def _softmax(net: CNetwork, name: str, n: int, z: str, index: str) -> str:
    return f"""  {c_type(net.sum_dtype)} largest;
  float sum = 0.0f;
  {index} r;
  {name}_logits({net.given}, {z});
  largest = {z}[0];
  for (r = 1u; r < {n}u; ++r) {{
    largest = {z}[r] > largest ? {z}[r] : largest;
  }}
  for (r = 0u; r < {n}u; ++r) {{
    p[r] = expf({_unit(net, f"({z}[r] - largest)")});
    sum += p[r];
  }}
  for (r = 0u; r < {n}u; ++r) {{
    p[r] /= sum;
  }}"""


def _sigmoid(net: CNetwork, name: str, n: int, z: str, index: str) -> str:
    return f"""  {name}_logits({net.given}, {z});
  p[1] = {name}_sigmoid({_unit(net, f"{z}[0]")});
  p[0] = 1.0f - p[1];"""


def _sigmoid_shares(net: CNetwork, name: str, n: int, z: str, index: str) -> str:
    return f"""  float sum = 0.0f;
  {index} r;
  {name}_logits({net.given}, {z});
  for (r = 0u; r < {n}u; ++r) {{
    p[r] = {name}_sigmoid({_unit(net, f"{z}[r]")});
    sum += p[r];
  }}
  for (r = 0u; r < {n}u; ++r) {{
    p[r] /= sum;
  }}"""


_PROBABILITIES = {"softmax": _softmax, "sigmoid": _sigmoid, "sigmoid_shares": _sigmoid_shares}


def _regression(net: CNetwork, name: str) -> list[str]:
    program = net.program
    assert program.targets is not None
    scale, mean = program.targets.scale, program.targets.mean
    with np.errstate(over="ignore", under="ignore"):
        unit = (scale * (1.0 if net.unit is None else float(net.unit))).astype(np.float32)
        offset = mean.astype(np.float32)
    if not np.isfinite(unit * np.float32(6.0) + np.abs(offset)).all() or (unit < 2.0**-126).any():
        raise ValueError(
            "the numbers that the network predicts are beyond the range of C's float: mean "
            f"{shown(mean.tolist())}, scale {shown(scale.tolist())}; train with y in other units"
        )
    z = c_type(net.sum_dtype)
    n = program.n_outputs
    own, buffer, cast = ("", "y", "") if net.unit is None else (f"  {z} z[{n}];\n", "z", "(float)")
    lines = "\n".join(
        f"  y[{r}] = {cast}{buffer}[{r}] * {literal(unit[r])} + {literal(offset[r])};"
        for r in range(n)
    )
    return [
        f"""/* The numbers that are predicted: y[{name.upper()}_N_OUTPUTS]. */
static inline void {name}_predict({net.parameter}, float *y) {{
{own}  {name}_logits({net.given}, {buffer});
{lines}
}}"""
    ]


def _self_test(
    net: CNetwork,
    name: str,
    rows: Inputs,
    expected: NDArray[Any],
    cells: Mapping[str, Any] | None,
) -> str:
    """Return a main that compares rows with what they gave in Python: integers exactly."""
    program, upper = net.program, name.upper()
    tables = Tables(name)
    row = "0"
    if net.table is not None:
        assert cells is not None
        told = ",\n".join(f"  {net.table.row(cells, i)}" for i in range(len(rows)))
        tables.lines.append(f"static const {name}_row {name}_test_row[{len(rows)}] = {{\n{told}}};")
        row = f"{name}_test_row + i"
    else:
        read = rows if net.n_x == program.n_features else rows[:, program.inputs]
        read = np.ascontiguousarray(read, net.x_dtype)
        if read.size:
            row = f"{tables.add('test_x', read.reshape(-1))} + i * {net.n_x}u"
    expected = expected.astype(np.float32 if net.unit is None else np.int32)
    y = tables.add("test_y", expected.reshape(-1))
    n, n_y = expected.shape
    call, differs = f"{name}_logits", f"y[j] != {y}[i * {n_y}ul + j]"
    if net.unit is None:
        limits = np.full(n_y, 1e-5, np.float32)
        call = f"{name}_predict_proba"
        if program.targets is not None:
            call = f"{name}_predict"
            limits = 1e-5 * (np.abs(expected).max(axis=0) + program.targets.scale)
        limit = tables.add("test_limit", limits.astype(np.float32))
        error = f"y[j] - {y}[i * {n_y}ul + j]"
        differs = f"!({error} <= {limit}[j] && {error} >= -{limit}[j])"
    return f"""#ifdef {upper}_SELF_TEST
{"" if net.table is None else "#include <math.h>" + chr(10)}#include <stdio.h>

{chr(10).join(tables.lines)}

/* Compares {n} rows with what Python predicted; returns 0 if all agree. */
int main(void) {{
  unsigned long i, j, wrong = 0ul;
  for (i = 0ul; i < {n}ul; ++i) {{
    {c_type(expected.dtype)} y[{n_y}];
    int agrees = 1;
    {call}({row}, y);
    for (j = 0ul; j < {n_y}ul; ++j) {{
      if ({differs}) {{
        agrees = 0;
      }}
    }}
    if (agrees == 0) {{
      ++wrong;
    }}
  }}
  printf("%lu of {n} rows differ\\n", wrong);
  return wrong == 0ul ? 0 : 1;
}}
#endif /* {upper}_SELF_TEST */"""
