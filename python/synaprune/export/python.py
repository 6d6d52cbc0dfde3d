"""A network as one Python module that imports math alone, for some columns re or datetime, too."""

from __future__ import annotations

import os

from synaprune.export._columns import Gap, Number, Part, TableColumn, Word
from synaprune.export._module import write_module
from synaprune.export._text import LARGEST, SPLIT, filled, head, number, numbers
from synaprune.network import SparseMLP
from synaprune.program import Program
from synaprune.python_text import ACTIVATIONS, PROBABILITIES
from synaprune.tables import ADORNED, APART, AROUND, MISSING

__all__ = ["to_python"]


def to_python(
    net: SparseMLP, path: str | os.PathLike[str] | None = None, *, name: str = "network"
) -> str:
    """Return a network as a Python module; `SparseMLP.to_python` documents the arguments."""
    return write_module(net, path, name, _render)


_FLOAT32 = f'''def _float32(x):
    """Return a number rounded to the 24 bits of float32."""
    c = x * {number(SPLIT)}
    return c - (c - x)'''

_ROW_OF_NUMBERS = f'''def _inputs(row):
    """Return the inputs that the network uses, scaled."""
    if len(row) != N_FEATURES:
        raise ValueError(f"row must hold {{N_FEATURES}} numbers, got {{len(row)}}")
    x = [float(value) for value in row]
    if not all(abs(value) <= {number(LARGEST)} for value in x):
        raise ValueError("row must hold finite numbers within the range of float32")
    used = [x[i] for i in _INPUTS]
    return [(_float32(v) - shift) * scale for v, shift, scale in zip(used, _SHIFT, _SCALE)]'''

_CELLS = f'''# Cells that stand for a missing value.
_MISSING = {{
{filled(", ".join(map(ascii, sorted(MISSING))), "    ", "    ")}
}}


def _text(cell):
    """Return a cell as the text of a CSV file."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2.0**53:
        cell = int(cell)
    elif hasattr(cell, "isoformat"):
        cell = cell.isoformat()
    return str(cell).strip()


def _word(cell):
    """Return the category of a cell."""
    text = " ".join(_text(cell).split())
    return "missing" if text in _MISSING else text


def _number(cell, read=float):
    """Return the number of a cell; None if it is missing, infinite or no number."""
    try:
        value = cell if isinstance(cell, float) else read(_text(cell))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _limited(value, low, high, at_low, at_high, at_missing, offset):
    """Return the input of a number, which is cut off at `low` and `high`."""
    if value is None:
        return at_missing
    if value < low:
        return at_low
    if value > high:
        return at_high
    return value - offset'''

_ADORNED = f'''# A number may stand among a currency, per cent and spaces; thousands may be apart.
_AROUND = re.compile({AROUND.pattern!a})
_APART = re.compile({APART.pattern!a})
_POINT = re.compile({ADORNED["point"][0].pattern!a})
_COMMA = re.compile({ADORNED["comma"][0].pattern!a})


def _adorned(text, form, thousands):
    """Return the number of a text such as "$1,200" or "12 %"."""
    around = _AROUND.fullmatch(text)
    bare = _APART.sub("", around[1] + around[2]) if around else ""
    if bare.startswith("(") and bare.endswith(")"):  # a negative amount in bookkeeping
        bare = "-" + bare[1:-1]
    if not form.fullmatch(bare):
        raise ValueError("no number")
    return float(bare.replace(thousands, "").replace(",", "."))


def _with_point(text):
    return _adorned(text, _POINT, {ADORNED["point"][1]!a})


def _with_comma(text):
    return _adorned(text, _COMMA, {ADORNED["comma"][1]!a})'''

_DATES = '''def _date(cell, form):
    """Return the parts of a date, in UTC; None if it is missing or has another form."""
    text = _text(cell)
    try:
        if form == "time":
            read = datetime.combine(datetime(1970, 1, 1), time.fromisoformat(text), timezone.utc)
        elif form == "iso":
            read = datetime.fromisoformat(text)
        else:
            read = datetime.strptime(text, form)
        utc = timezone.utc
        moment = read.replace(tzinfo=utc) if read.tzinfo is None else read.astimezone(utc)
    except (OverflowError, ValueError):
        return None
    return {
        "days": moment.timestamp() / 86400.0,
        "month": moment.month,
        "weekday": moment.weekday(),
        "hour": moment.hour + moment.minute / 60.0 + moment.second / 3600.0,
    }'''

_SUMS = '''def _sums(row):
    """Return the sums of the last layer."""
    x = _inputs(row)
    for activation, begin, column, weight, bias in _LAYERS:
        z = [
            bias[r] + sum(weight[k] * x[column[k]] for k in range(begin[r], begin[r + 1]))
            for r in range(len(bias))
        ]
        x = z if activation is None else [activation(value) for value in z]
    return x'''


def _render(program: Program, columns: tuple[TableColumn, ...] | None, name: str) -> str:
    given = f"a row of {program.n_features} numbers"
    if columns is not None:
        given = "a dict from the names of a table's columns to their cells"
    places = [
        f"row[{i}]" if columns is None else f"input {k}"
        for k, i in enumerate(program.inputs.tolist())
    ]
    lines = [f"# {line}".rstrip() for line in head(program, name, given, places)]
    needed = {program.activation}
    if program.activation == "silu" or program.output.startswith("sigmoid"):
        needed.add("sigmoid")
    imports, cells = ["import math"], [_CELLS]
    if any(column.form in ADORNED for column in columns or ()):
        imports.append("import re")
        cells.append(_ADORNED)
    if any(column.kind == "dates" for column in columns or ()):
        imports.append("from datetime import datetime, time, timezone")
        cells.append(_DATES)
    sections = [
        "\n".join([*lines, "", *imports]),
        *(text for known, text in ACTIVATIONS.items() if known in needed),
        _FLOAT32,
        _tables(program, columns),
        *([_ROW_OF_NUMBERS] if columns is None else [*cells, _encoder(columns)]),
        _SUMS,
        _NUMBERS if program.classes is None else _CLASSES.format(PROBABILITIES[program.output]),
    ]
    return "\n\n\n".join(sections) + "\n"


def _tables(program: Program, columns: tuple[TableColumn, ...] | None) -> str:
    """Return the numbers of the network, and its labels."""
    lines = []
    if columns is None:
        lines += [f"N_FEATURES = {program.n_features}", f"_INPUTS = {numbers(program.inputs)}"]
    lines += [f"_SHIFT = {numbers(program.shift)}", f"_SCALE = {numbers(program.scale)}"]
    if program.classes is not None:
        labels = ", ".join(map(ascii, program.classes.tolist()))
        lines.append(f"CLASSES = [{labels}]")
    elif program.targets is not None:
        lines.append(f"_UNIT = {numbers(program.targets.scale)}")
        lines.append(f"_MEAN = {numbers(program.targets.mean)}")
    # Labels are not wrapped: that would change the spaces in them.
    lines = [line if line.startswith("CLASSES") else filled(line, "", "    ") for line in lines]
    lines += [
        "# Of each layer: activation, where the synapses of a neuron begin, their columns and",
        "# weights, and the biases.",
        "_LAYERS = [",
    ]
    for layer in program.layers:
        activation = "None" if layer.activation == "identity" else f"_{layer.activation}"
        lines += ["    (", f"        {activation},"]
        for values in (layer.indptr, layer.indices, layer.values, layer.bias):
            lines.append(filled(numbers(values) + ",", "        ", "         "))
        lines.append("    ),")
    return "\n".join([*lines, "]"])


def _encoder(columns: tuple[TableColumn, ...]) -> str:
    """Return the function that makes inputs of a table's row."""
    lines = ["    x = []"]
    for column in columns:
        cell = f"row[{column.name!a}]"
        if column.kind == "dates":
            read = f"_date({cell}, {column.form!a})"
        elif column.kind == "numbers":
            read = f"_number({cell}, _with_{column.form})"
            if column.form == "plain":
                read = f"_number({cell})"
        else:
            read = f"_word({cell})"
        lines.append(f"    cell = {read}")
        for made in column.inputs:
            if isinstance(made, Number):
                limits = (made.low, made.high, made.at_low, made.at_high, made.at_missing)
                arguments = ", ".join(map(number, (*limits, made.offset)))
                value = f"_limited(cell, {arguments})"
            elif isinstance(made, Gap):
                value = "1.0 if cell is None else 0.0"
            elif isinstance(made, Part):
                part = f"cell[{made.part!a}] - ({number(made.offset)})"
                value = f"0.0 if cell is None else {part}"
            elif isinstance(made, Word):
                value = f"1.0 if cell == {made.category!a} else 0.0"
            else:
                known = ", ".join(map(ascii, made.categories))
                value = f"0.0 if cell in [{known}] else 1.0"
            lines.append(f"    x.append({value})")
    body = "\n".join(lines)
    return f'''def _inputs(row):
    """Return the inputs that the network uses, as the table's encoder makes them, scaled."""
{body}
    return [(_float32(v) - shift) * scale for v, shift, scale in zip(x, _SHIFT, _SCALE)]'''


_CLASSES = '''def predict_proba(row):
    """Return the probability of each of CLASSES."""
    z = _sums(row)
{}


def predict(row):
    """Return the class of a row; of equally likely ones the first."""
    z = _sums(row)
    return CLASSES[int(z[0] > 0.0) if len(z) == 1 else z.index(max(z))]'''

_NUMBERS = '''def predict(row):
    """Return the number that the network predicts; a list if it predicts several."""
    y = [z * unit + mean for z, unit, mean in zip(_sums(row), _UNIT, _MEAN)]
    return y[0] if len(y) == 1 else y'''
