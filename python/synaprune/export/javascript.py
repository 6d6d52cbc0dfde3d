"""A network as one ES module without dependencies, typed by JSDoc."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from datetime import date
from itertools import zip_longest

from synaprune.export._columns import Gap, Number, Part, TableColumn, Word
from synaprune.export._module import write_module
from synaprune.export._text import LARGEST, filled, head, number, numbers
from synaprune.network import SparseMLP
from synaprune.program import LEAST_SIGMOID, Program
from synaprune.tables import ADORNED, APART, AROUND, MISSING

__all__ = ["to_js"]

_LARGEST_EXACT = 2**53 - 1
# In strings: what is not ASCII, or would end the string, a template or a script of a page.
_IN_STRINGS = re.compile(r"[^ -~]|[\"'`\\<>&$]")


def to_js(
    net: SparseMLP, path: str | os.PathLike[str] | None = None, *, name: str = "network"
) -> str:
    """Return a network as an ES module; `SparseMLP.to_js` documents the arguments."""
    return write_module(net, path, name, _render)


def string(text: str) -> str:
    """Return a string literal, in ASCII; odd characters stand as UTF-16 numbers."""

    def escaped(found: re.Match[str]) -> str:
        units = found[0].encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))

    return f'"{_IN_STRINGS.sub(escaped, text)}"'


def _label(label: object) -> str:
    """Return a label: a string, true or false, a number, or a BigInt if no number holds it."""
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, int):
        return str(label) if abs(label) <= _LARGEST_EXACT else f"{label}n"
    return string(str(label))


def _strings(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(string, texts))}]"


_ACTIVATIONS = {
    "relu": "const relu = (z) => (z > 0 ? z : 0);",
    "leaky_relu": "const leaky_relu = (z) => (z > 0 ? z : 0.01 * z);",
    "sigmoid": f"const sigmoid = (z) => 1 / (1 + Math.exp(Math.min(-z, {LEAST_SIGMOID})));",
    "tanh": "const tanh = Math.tanh;",
    "silu": "const silu = (z) => z * sigmoid(z);",
}

_SCALED = "(v, i) => (Math.fround(v) - SHIFT[i]) * SCALE[i]"

_ROW_OF_NUMBERS = f"""/**
 * The inputs that the network uses, scaled.
 * @param {{Row}} row
 * @returns {{number[]}}
 */
function inputs(row) {{
  if (row.length !== N_FEATURES) {{
    throw new RangeError(`row must hold ${{N_FEATURES}} numbers, got ${{row.length}}`);
  }}
  for (let i = 0; i < N_FEATURES; ++i) {{
    if (typeof row[i] !== "number" || !(Math.abs(row[i]) <= {number(LARGEST)})) {{
      throw new RangeError("row must hold finite numbers within the range of float32");
    }}
  }}
  return INPUTS.map((i) => row[i]).map({_SCALED});
}}"""

# \s of JavaScript, but as Python splits: with U+001C to U+001F and U+0085, without U+FEFF.
_SPACE = r"\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CELLS = f"""// Cells that stand for a missing value.
const MISSING = new Set([
{filled(", ".join(map(string, sorted(MISSING))), "  ", "  ")},
]);
const NUMBER = /^[+-]?(\\d(_?\\d)*\\.?(\\d(_?\\d)*)?|\\.\\d(_?\\d)*)(e[+-]?\\d(_?\\d)*)?$/i;

/**
 * A cell of a row as the text of a CSV file.
 * @param {{Row}} row
 * @param {{string}} name
 * @returns {{string}}
 */
function text(row, name) {{
  if (!Object.hasOwn(row, name)) {{
    throw new RangeError(`row has no column ${{JSON.stringify(name)}}`);
  }}
  const cell = row[name];
  if (cell === null || cell === undefined) {{
    return "";
  }}
  if (typeof cell === "boolean") {{
    return cell ? "True" : "False";
  }}
  const told = cell instanceof Date ? cell.toISOString() : String(cell);
  return told.replace(/^[{_SPACE}]+|[{_SPACE}]+$/g, "");
}}

/**
 * The category of a cell.
 * @param {{Row}} row
 * @param {{string}} name
 * @returns {{string}}
 */
function word(row, name) {{
  const cell = text(row, name).replace(/[{_SPACE}]+/g, " ");
  return MISSING.has(cell) ? "missing" : cell;
}}

/** @param {{string}} cell */
const plain = (cell) => (NUMBER.test(cell) ? Number(cell.replaceAll("_", "")) : NaN);

/**
 * The number of a cell; null if it is missing, infinite or no number.
 * @param {{Row}} row
 * @param {{string}} name
 * @param {{(cell: string) => number}} read
 * @returns {{number|null}}
 */
function number(row, name, read) {{
  const cell = text(row, name);
  const value = typeof row[name] === "number" ? row[name] : read(cell);
  return Number.isFinite(value) ? value : null;
}}

/**
 * The input of a number, which is cut off at `low` and `high`.
 * @param {{number|null}} value
 * @param {{number}} low
 * @param {{number}} high
 * @param {{number}} atLow
 * @param {{number}} atHigh
 * @param {{number}} atMissing
 * @param {{number}} offset
 * @returns {{number}}
 */
function limited(value, low, high, atLow, atHigh, atMissing, offset) {{
  if (value === null) {{
    return atMissing;
  }}
  return value < low ? atLow : value > high ? atHigh : value - offset;
}}"""


def _regex(pattern: str) -> str:
    """Return a regular expression of Python's that matches a whole text, as JavaScript's."""
    inside = pattern.replace(r"[\s", f"[{_SPACE}").replace(r"\s]", f"{_SPACE}]")
    return re.sub("[^ -~]", lambda found: f"\\u{ord(found[0]):04x}", inside)


_ADORNED = f"""// A number may stand among a currency, per cent and spaces; thousands may be apart.
const AROUND = /^{_regex(AROUND.pattern)}$/;
const APART = /{_regex(APART.pattern)}/g;
const POINT = /^{_regex(ADORNED["point"][0].pattern)}$/;
const COMMA = /^{_regex(ADORNED["comma"][0].pattern)}$/;

/**
 * The number of a text such as "$1,200" or "12 %"; NaN if it is none.
 * @param {{string}} cell
 * @param {{RegExp}} form
 * @param {{string}} thousands
 * @returns {{number}}
 */
function adorned(cell, form, thousands) {{
  const around = AROUND.exec(cell);
  let bare = around === null ? "" : (around[1] + around[2]).replace(APART, "");
  if (bare.startsWith("(") && bare.endsWith(")")) {{
    bare = "-" + bare.slice(1, -1); // a negative amount in bookkeeping
  }}
  return form.test(bare) ? plain(bare.replaceAll(thousands, "").replaceAll(",", ".")) : NaN;
}}
/** @param {{string}} cell */
const with_point = (cell) => adorned(cell, POINT, "{ADORNED["point"][1]}");
/** @param {{string}} cell */
const with_comma = (cell) => adorned(cell, COMMA, "{ADORNED["comma"][1]}");"""

_MONTHS = [date(2000, month, 1) for month in range(1, 13)]
_TIME = r"(?<H>\d\d)(?:(?<colon>:?)(?<M>\d\d)(?:\k<colon>(?<S>\d\d)(?:[.,](?<f>\d+))?)?)?"
_ZONE = r"(?:Z|(?<sign>[+-])(?<h>\d\d)(?::?(?<min>\d\d)(?::?(?<s>\d\d))?)?)?"
_ISO = {
    "iso": rf"(?<Y>\d{{4}})(?<dash>-?)(?<m>\d\d)\k<dash>(?<d>\d\d)(?:[^]{_TIME}{_ZONE})?",
    "time": rf"T?{_TIME}(?:Z|[+-][\d:.]+)?",
}
_DIRECTIVES = {  # as `datetime.strptime` has them
    "d": r"(?<d>3[01]|[12]\d|0?[1-9]| [1-9])", "m": r"(?<m>1[0-2]|0?[1-9])", "Y": r"(?<Y>\d{4})",
    "y": r"(?<y>\d\d)", "b": f"(?<b>{'|'.join(f'{d:%b}' for d in _MONTHS)})",
    "B": f"(?<b>{'|'.join(f'{d:%B}' for d in _MONTHS)})", "H": r"(?<H>2[0-3]|[01]\d|\d)",
    "I": r"(?<H>1[0-2]|0?[1-9]| [1-9])", "p": "(?<p>[AP]M)", "M": r"(?<M>[0-5]\d|\d)",
    "S": r"(?<S>[0-5]\d|\d)", "f": r"(?<f>\d{1,6})",
}  # fmt: skip


def _date_regex(form: str) -> str:
    """Return the regular expression of a form of dates."""
    if form in _ISO:
        return f"/^{_ISO[form]}$/"
    parts = re.split("%(.)", form)
    literal = [re.sub(r"[/.]", r"\\\g<0>", t).replace(" ", f"[{_SPACE}]+") for t in parts[::2]]
    groups = [_DIRECTIVES[name] for name in parts[1::2]]
    joined = "".join(a + b for a, b in zip_longest(literal, groups, fillvalue=""))
    return f"/^{joined}$/i"


_DATES = f"""const MONTHS = {json.dumps([f"{d:%b}".lower() for d in _MONTHS])};

/**
 * The parts of a date, in UTC; null if it is missing or has another form.
 * @param {{Row}} row
 * @param {{string}} name
 * @param {{RegExp}} form
 * @returns {{{{days: number, month: number, weekday: number, hour: number}}|null}}
 */
function date(row, name, form) {{
  const found = form.exec(text(row, name))?.groups;
  if (found === undefined) {{
    return null;
  }}
  const short = Number(found.y);
  const year = Number(found.Y ?? (found.y ? short + (short < 69 ? 2000 : 1900) : 1970));
  const named = MONTHS.indexOf((found.b ?? "").slice(0, 3).toLowerCase());
  const month = found.b ? named : Number(found.m ?? 1) - 1;
  const day = Number(found.d ?? 1);
  const [minute, second] = [Number(found.M ?? 0), Number(found.S ?? 0)];
  let hour = Number(found.H ?? 0);
  if (found.p) {{
    hour = (hour % 12) + (found.p.toLowerCase() === "pm" ? 12 : 0);
  }}
  const moment = new Date(0);
  moment.setUTCFullYear(year, month, day);
  const exists = moment.getUTCMonth() === month && moment.getUTCDate() === day;
  if (!exists || year < 1 || hour > 23 || minute > 59 || second > 59) {{
    return null;
  }}
  const zone = Number(found.h ?? 0) * 3600 + Number(found.min ?? 0) * 60 + Number(found.s ?? 0);
  moment.setUTCHours(hour, minute, second + (found.sign === "-" ? zone : -zone));
  const fraction = Number(`0.${{(found.f ?? "0").slice(0, 6)}}`);
  return {{
    days: (moment.getTime() / 1000 + fraction) / 86400,
    month: moment.getUTCMonth() + 1,
    weekday: (moment.getUTCDay() + 6) % 7,
    hour: moment.getUTCHours() + moment.getUTCMinutes() / 60 + moment.getUTCSeconds() / 3600,
  }};
}}"""

_SUMS = """/**
 * The sums of the last layer.
 * @param {Row} row
 * @returns {number[]}
 */
function sums(row) {
  let x = inputs(row);
  for (const [activation, begin, column, weight, bias] of LAYERS) {
    x = bias.map((b, r) => {
      let sum = 0;
      for (let k = begin[r]; k < begin[r + 1]; ++k) {
        sum += weight[k] * x[column[k]];
      }
      return activation === null ? b + sum : activation(b + sum);
    });
  }
  return x;
}"""


def _render(program: Program, columns: tuple[TableColumn, ...] | None, name: str) -> str:
    given = f"a row of {program.n_features} numbers"
    row = "ArrayLike<number>"
    if columns is not None:
        given = "an object from the names of a table's columns to their cells"
        row = "Record<string, string|number|bigint|boolean|Date|null|undefined>"
    places = [
        f"row[{i}]" if columns is None else f"input {k}"
        for k, i in enumerate(program.inputs.tolist())
    ]
    lines = [f"// {line}".rstrip() for line in head(program, name, given, places)]
    needed = {program.activation}
    if program.activation == "silu" or program.output.startswith("sigmoid"):
        needed.add("sigmoid")
    functions = [text for known, text in _ACTIVATIONS.items() if known in needed]
    cells = [_CELLS]
    if any(column.form in ADORNED for column in columns or ()):
        cells.append(_ADORNED)
    if any(column.kind == "dates" for column in columns or ()):
        cells.append(_DATES)
    sections = [
        "\n".join(lines),
        f"/** @typedef {{{row}}} Row {given} */",
        *(["\n".join(functions)] if functions else []),
        _tables(program, columns),
        *([_ROW_OF_NUMBERS] if columns is None else [*cells, _encoder(columns)]),
        _SUMS,
        *(_regression(program) if program.classes is None else _classification(program)),
    ]
    return "\n\n".join(sections) + "\n"


def _tables(program: Program, columns: tuple[TableColumn, ...] | None) -> str:
    """Return the numbers of the network."""
    lines = []
    if columns is None:
        lines += [
            f"const N_FEATURES = {program.n_features};",
            f"const INPUTS = {numbers(program.inputs)};",
        ]
    lines += [
        f"const SHIFT = {numbers(program.shift)};",
        f"const SCALE = {numbers(program.scale)};",
    ]
    if program.targets is not None:
        lines.append(f"const UNIT = {numbers(program.targets.scale)};")
        lines.append(f"const MEAN = {numbers(program.targets.mean)};")
    lines = [filled(line, "", "  ") for line in lines]
    lines += [
        "/**",
        " * Of each layer: activation, where the synapses of a neuron begin, their columns and",
        " * weights, and the biases.",
        " * @type {Array<[((z: number) => number)|null, ...number[][]]>}",
        " */",
        "const LAYERS = [",
    ]
    for layer in program.layers:
        activation = "null" if layer.activation == "identity" else layer.activation
        lines += ["  [", f"    {activation},"]
        for values in (layer.indptr, layer.indices, layer.values, layer.bias):
            lines.append(filled(numbers(values) + ",", "    ", "     "))
        lines.append("  ],")
    return "\n".join([*lines, "];"])


def _encoder(columns: tuple[TableColumn, ...]) -> str:
    """Return the function that makes inputs of a table's row."""
    lines = []
    for k, column in enumerate(columns):
        cell = f"row, {string(column.name)}"
        if column.kind == "dates":
            read = f"date({cell}, {_date_regex(column.form)})"
        elif column.kind == "numbers":
            read = f"number({cell}, {'plain' if column.form == 'plain' else f'with_{column.form}'})"
        else:
            read = f"word({cell})"
        lines.append(f"  const c{k} = {read};")
        for made in column.inputs:
            if isinstance(made, Number):
                limits = (made.low, made.high, made.at_low, made.at_high, made.at_missing)
                arguments = ", ".join(map(number, (*limits, made.offset)))
                value = f"limited(c{k}, {arguments})"
            elif isinstance(made, Gap):
                value = f"c{k} === null ? 1 : 0"
            elif isinstance(made, Part):
                value = f"c{k} === null ? 0 : c{k}.{made.part} - ({number(made.offset)})"
            elif isinstance(made, Word):
                value = f"c{k} === {string(made.category)} ? 1 : 0"
            else:
                value = f"{_strings(made.categories)}.includes(c{k}) ? 0 : 1"
            lines.append(f"  x.push({value});")
    body = "\n".join(lines)
    return f"""/**
 * The inputs that the network uses, as the table's encoder makes them, scaled.
 * @param {{Row}} row
 * @returns {{number[]}}
 */
function inputs(row) {{
  /** @type {{number[]}} */
  const x = [];
{body}
  return x.map({_SCALED});
}}"""


_PROBABILITIES = {
    "softmax": """  const z = sums(row);
  const largest = z.reduce((a, b) => Math.max(a, b));
  const p = z.map((value) => Math.exp(value - largest));
  const total = p.reduce((a, b) => a + b);
  return p.map((value) => value / total);""",
    "sigmoid": """  const p = sigmoid(sums(row)[0]);
  return [1 - p, p];""",
    "sigmoid_shares": """  const p = sums(row).map(sigmoid);
  const total = p.reduce((a, b) => a + b);
  return p.map((value) => value / total);""",
}


def _classification(program: Program) -> list[str]:
    assert program.classes is not None
    labels = list(map(_label, program.classes.tolist()))
    kind = "string" if labels[0].startswith('"') else "number"
    if labels[0] in ("true", "false"):
        kind = "boolean"
    elif any(label.endswith("n") for label in labels):
        kind = "number|bigint"
    number_of = "z.indexOf(z.reduce((a, b) => Math.max(a, b)))"
    if program.n_outputs == 1:
        number_of = "z[0] > 0 ? 1 : 0"
    return [
        f"/** The classes. @type {{ReadonlyArray<{kind}>}} */\n"
        f"export const classes = Object.freeze([{', '.join(labels)}]);",
        f"""/**
 * The probability of each of the classes.
 * @param {{Row}} row
 * @returns {{number[]}}
 */
export function predictProba(row) {{
{_PROBABILITIES[program.output]}
}}""",
        f"""/**
 * The class of a row; of equally likely ones the first.
 * @param {{Row}} row
 * @returns {{{kind}}}
 */
export function predict(row) {{
  const z = sums(row);
  return classes[{number_of}];
}}""",
    ]


def _regression(program: Program) -> list[str]:
    several = program.n_outputs > 1
    return [
        f"""/**
 * {"The numbers" if several else "The number"} that the network predicts.
 * @param {{Row}} row
 * @returns {{number{"[]" * several}}}
 */
export function predict(row) {{
  return sums(row).map((z, i) => z * UNIT[i] + MEAN[i]){"" if several else "[0]"};
}}"""
    ]
