"""A network as one SELECT for DuckDB, SQLite or PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from synaprune.checks import check_bool, check_choice, listing, shown, shown_structure
from synaprune.export._columns import (
    Gap,
    Made,
    Number,
    Other,
    TableColumn,
    Word,
    refusal,
    table_columns,
)
from synaprune.export._text import LARGEST, SPLIT, head
from synaprune.export._text import number as plain_number
from synaprune.io import check_target, write_atomically
from synaprune.network import SparseMLP
from synaprune.program import LEAST_SIGMOID, Program, ProgramLayer
from synaprune.tables import MISSING

__all__ = ["DIALECTS", "to_sql"]

_LARGEST_FLOAT64 = float(np.finfo(np.float64).max)
_TERMS = 50  # of a sum or a function: databases limit how deep and long expressions are


@dataclass(frozen=True)
class _Dialect:
    """What differs between databases.

    Attributes
    ----------
    number, text : str
        What reads ``{c}`` as a float64, and as text with single spaces; NULL if it is none.
    greatest : str
        The function that returns the largest of its arguments.
    n_columns, n_bytes : int or None
        Columns of a SELECT, and bytes of its text; None if there is no limit.
    n_bytes_of_name : int or None
    folds_case : bool
        Whether quoted names that differ by case alone are the same.
    escapes : bool
        Whether a backslash may escape in strings.
    """

    number: str
    text: str
    greatest: str
    n_columns: int | None
    n_bytes: int | None
    n_bytes_of_name: int | None
    folds_case: bool
    escapes: bool


_BOOL = "CASE CAST({c} AS VARCHAR) WHEN 'true' THEN 'True' WHEN 'false' THEN 'False' END"
# What str.split takes for spaces.
_SPACES = tuple(c for c in range(0x3001) if chr(c).isspace())
_CLASS = "".join(f"\\x{{{c:X}}}" for c in _SPACES)  # for DuckDB's regular expressions
_CLASS_E = "".join(f"\\\\u{c:04X}" for c in _SPACES)  # for PostgreSQL's, in an E'' string
# Without regular expressions, and only the usual ones, as SQLite limits how deep calls are: a space
# becomes two characters, which Unicode leaves unassigned, and of which those between go.
_ONE_SPACE = "{c}"
for _space in (9, 10, 11, 12, 13, 0x85, 0xA0, 0x2028, 0x2029, 0x3000):
    _ONE_SPACE = f"replace({_ONE_SPACE}, char({_space}), ' ')"
for _old, _new in (
    ("' '", "char(64976, 64977)"),
    ("char(64977, 64976)", "''"),
    ("char(64976, 64977)", "' '"),
):
    _ONE_SPACE = f"replace({_ONE_SPACE}, {_old}, {_new})"
_DIALECTS = {
    "duckdb": _Dialect(
        number="TRY_CAST(trim(CAST({c} AS VARCHAR)) AS DOUBLE)",
        text=f"""CASE typeof({{c}})
      WHEN 'BOOLEAN' THEN {_BOOL}
      WHEN 'DOUBLE' THEN regexp_replace(CAST({{c}} AS VARCHAR), '[.]0$', '')
      WHEN 'FLOAT' THEN regexp_replace(CAST({{c}} AS VARCHAR), '[.]0$', '')
      ELSE trim(regexp_replace(CAST({{c}} AS VARCHAR), '[{_CLASS}]+', ' ', 'g')) END""",
        greatest="greatest",
        n_columns=None,
        n_bytes=None,
        n_bytes_of_name=None,
        folds_case=True,
        escapes=False,
    ),
    # `=` gives text that is a number the affinity of the other side; other text stays unequal.
    "sqlite": _Dialect(
        number="CASE WHEN typeof({c}) IN ('integer', 'real') OR {c} = CAST({c} AS REAL) "
        "THEN CAST({c} AS REAL) END",
        text="CASE WHEN typeof({c}) = 'real' AND {c} = CAST({c} AS INTEGER) "
        "THEN CAST(CAST({c} AS INTEGER) AS TEXT)\n      "
        f"ELSE trim({_ONE_SPACE}) END",
        greatest="max",
        n_columns=2000,
        n_bytes=1_000_000,
        n_bytes_of_name=None,
        folds_case=True,
        escapes=False,
    ),
    "postgresql": _Dialect(
        number="CASE WHEN btrim(CAST({c} AS text), E' \\t\\n\\r') ~ "
        "'^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$' "
        "THEN CAST(CAST({c} AS text) AS double precision) END",
        text=f"""CASE CAST(pg_typeof({{c}}) AS text) WHEN 'boolean' THEN {_BOOL}
      ELSE btrim(regexp_replace(CAST({{c}} AS text), E'[{_CLASS_E}]+', ' ', 'g')) END""",
        greatest="greatest",
        n_columns=1664,
        n_bytes=None,
        n_bytes_of_name=63,
        folds_case=False,
        escapes=True,
    ),
}
DIALECTS = tuple(_DIALECTS)


def to_sql(
    net: SparseMLP,
    path: str | os.PathLike[str] | None = None,
    *,
    table: str | Sequence[str],
    dialect: str = "duckdb",
    keep: Iterable[str] = (),
    probabilities: bool = True,
) -> str:
    """Return a network as a SELECT; `SparseMLP.to_sql` documents the arguments."""
    check_choice("dialect", dialect, DIALECTS)
    check_bool("probabilities", probabilities)
    parts = _strings("table", [table] if isinstance(table, str) else table)
    if not parts:
        raise ValueError("table must have a name")
    if isinstance(keep, str):
        raise TypeError(f"keep must be a sequence of names of columns, got {shown(keep)}")
    kept = _strings("keep", keep)
    program = Program.of(net)
    if program.classes is None and not probabilities:
        raise ValueError("probabilities=False does not apply to a network that predicts numbers")
    columns = _table_columns(net, program) if program.encoded else _plain_columns(net, program)
    if path is not None:
        check_target(path)
    query = _Query(program, columns, _DIALECTS[dialect], parts, kept, probabilities)
    query.check(dialect)
    text = query.render(dialect)
    content = text.encode("utf-8")
    limit = _DIALECTS[dialect].n_bytes
    if limit is not None and len(content) > limit:
        raise ValueError(
            f"the SELECT would have {len(content)} bytes, and {dialect} takes {limit} by default: "
            "prune the network to fewer synapses, or use another dialect"
        )
    if path is not None:
        write_atomically(path, content)
    return text


def _strings(what: str, names: object) -> tuple[str, ...]:
    if not isinstance(names, Iterable):
        raise TypeError(f"{what} must hold strings, got {shown(names)}")
    found = []
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{what} must hold strings, got {shown(name)}")
        found.append(name)
    return tuple(found)


def _table_columns(net: SparseMLP, program: Program) -> tuple[TableColumn, ...]:
    """Return the columns of a network's table, or raise if a database cannot read their cells."""
    columns = table_columns(net, program)
    for column in columns:
        if column.kind == "dates":
            raise refusal(column.name, "dates", "leave it out, or make numbers of it")
        if column.form not in ("", "plain"):
            raise refusal(
                column.name, "numbers that are written with units or thousands",
                "make plain numbers of it",
            )  # fmt: skip
    return columns


def _plain_columns(net: SparseMLP, program: Program) -> tuple[TableColumn, ...]:
    """Return the columns of a network without encoder: one number for each input."""
    whole = Number(-LARGEST, LARGEST, 0.0, 0.0, 0.0, 0.0)
    return tuple(
        TableColumn(net.input_name(i), "numbers", "plain", (whole,))
        for i in program.inputs.tolist()
    )


def number(value: float) -> str:
    """Return a number with an exponent: DuckDB takes others for decimals of a few digits."""
    text = plain_number(value)
    return text if "e" in text else f"{text}e0"


def _signed(value: float) -> str:
    """Return a number that may stand after an operator."""
    text = number(value)
    return f"({text})" if text.startswith("-") else text


def identifier(name: str) -> str:
    """Return a quoted name."""
    return '"' + name.replace('"', '""') + '"'


def _column(name: str) -> str:
    """Return a column of the table. SQLite takes a bare name that no column has for a string."""
    return f"data.{identifier(name)}"


def string(text: str, escapes: bool) -> str:
    """Return a string literal; `escapes` where a backslash may escape, by a setting."""
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if escapes and "\\" in text else quoted


def _in_groups(terms: Sequence[str], joined: Callable[[Sequence[str]], str]) -> str:
    """Return terms joined, many of them in groups of groups, so that no expression is deep."""
    while len(terms) > _TERMS:
        terms = [joined(terms[i : i + _TERMS]) for i in range(0, len(terms), _TERMS)]
    return joined(terms)


def _sum(terms: Sequence[str]) -> str:
    return _in_groups(terms, lambda group: f"({' + '.join(group)})")


# NULL stays NULL in all of them, and no exponential overflows or underflows.
_SIGMOID = (
    f"1.0e0 / (1.0e0 + exp(CASE WHEN {{z}} < -{LEAST_SIGMOID}e0 THEN {LEAST_SIGMOID}e0 "
    "WHEN {z} > 700.0e0 THEN -700.0e0 ELSE -{z} END))"
)
_ACTIVATIONS = {
    "relu": "CASE WHEN {z} <= 0.0e0 THEN 0.0e0 ELSE {z} END",
    "leaky_relu": "CASE WHEN {z} <= 0.0e0 THEN 1e-2 * {z} ELSE {z} END",
    "sigmoid": _SIGMOID,
    "tanh": "tanh({z})",
    "silu": f"{{z}} * {_SIGMOID}",
}


@dataclass(frozen=True)
class _Query:
    """A SELECT: of common table expressions, each of which reads the one before.

    ``cells`` reads the columns, and ``known`` tells which cells are missing; ``inputs`` encodes and
    ``scaled`` scales them; then come ``sums`` and ``outputs`` of each layer. Columns to keep go
    through as k0, k1, …
    """

    program: Program
    columns: tuple[TableColumn, ...]
    dialect: _Dialect
    table: tuple[str, ...]
    keep: tuple[str, ...]
    probabilities: bool

    @property
    def results(self) -> list[str]:
        """Names of the columns of the result, without those that are kept."""
        if self.program.classes is None:
            n = self.program.n_outputs
            return ["y"] if n == 1 else [f"y{r}" for r in range(n)]
        n = len(self.program.classes) if self.probabilities else 0
        return ["class", *(f"p{r}" for r in range(n))]

    # ---- what a database cannot hold

    def check(self, dialect: str) -> None:
        """Raise a ValueError if the database cannot hold the query."""
        names = [column.name for column in self.columns]
        for name in chain(self.table, self.keep, names):
            self._check_text(name, "the name", dialect)
            size = len(name.encode("utf-8"))
            limit = self.dialect.n_bytes_of_name
            if not name:
                raise ValueError(f"{dialect} has no columns and tables with an empty name")
            if limit is not None and size > limit:
                raise ValueError(
                    f"{dialect} cuts names off after {limit} bytes, and {shown(name)} has {size}: "
                    "rename the column before the training, or set net.input_names"
                )
        self._check_distinct(names, dialect)
        self._check_distinct([*self.keep, *self.results], dialect)
        labels = [] if self.program.classes is None else self.program.classes.tolist()
        for label in filter(lambda label: isinstance(label, str), labels):
            self._check_text(label, "the label", dialect)
        for column in self.columns:
            for made in column.inputs:
                words = made.categories if isinstance(made, Other) else ()
                for word in (made.category,) if isinstance(made, Word) else words:
                    self._check_text(word, f"a category of {shown(column.name)},", dialect)
        program = self.program
        widths = [len(program.inputs), len(self.results), *(x.n_out for x in program.layers)]
        if self.probabilities and program.classes is not None:
            widths.append(2 * program.n_outputs + 2)  # sums and shares, the largest and the total
        needed, limit = max(widths) + len(self.keep), self.dialect.n_columns
        if limit is not None and needed > limit:
            raise ValueError(
                f"{dialect} takes {limit} columns in a SELECT, and this network needs {needed} "
                f"({shown_structure(program.structure)}): prune it to fewer inputs and neurons "
                "(prune(n_inputs=...)), or use the dialect duckdb"
            )

    def _check_text(self, text: str, what: str, dialect: str) -> None:
        if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
            raise ValueError(
                f"{what} {shown(text)} holds characters that {dialect} cannot: NUL, or half of a "
                "surrogate pair; rename it before the training"
            )

    def _check_distinct(self, names: list[str], dialect: str) -> None:
        seen: dict[str, str] = {}
        for name in names:
            key = name.lower() if self.dialect.folds_case else name
            if key in seen:
                raise ValueError(
                    f"{dialect} cannot tell the columns {listing([seen[key], name])} apart: "
                    "rename one of them"
                )
            seen[key] = name

    # ---- text

    def render(self, dialect: str) -> str:
        """Return the query, after a comment."""
        name = f"a SELECT for {dialect}"
        given = f"{len(self.columns)} columns of the table"
        places = (f"input {k}" for k in range(len(self.program.inputs)))
        lines = head(self.program, name, given, places)
        prefix = "synaprune"
        while self.table[-1].lower().startswith(prefix):  # no name that is the table's
            prefix += "_"
        below = f"{'.'.join(map(identifier, self.table))} AS data"
        steps: list[str] = []
        for step, columns in self._steps():
            kept = [f"k{i}" for i in range(len(self.keep))]
            if not steps:
                kept = [f"{_column(name)} AS k{i}" for i, name in enumerate(self.keep)]
            select = ",\n    ".join([*kept, *columns] or ["1 AS one"])
            called = f"{prefix}_{step}"
            steps.append(f"{called} AS MATERIALIZED (\n  SELECT\n    {select}\n  FROM {below}\n)")
            below = called
        kept = [f"k{i} AS {identifier(name)}" for i, name in enumerate(self.keep)]
        select = ",\n  ".join([*kept, *self._results()])
        said = "\n".join(f"-- {line}".rstrip() for line in lines)
        parts = ",\n".join(steps)
        return f"{said}\n\nWITH\n{parts}\nSELECT\n  {select}\nFROM {below}\n"

    def _steps(self) -> list[tuple[str, list[str]]]:
        """Return the name and the columns of each common table expression."""
        steps = [
            ("cells", self._cells()),
            ("known", self._known()),
            ("inputs", self._inputs()),
            ("scaled", self._scaled()),
        ]
        for at, layer in enumerate(self.program.layers, 1):
            sums = [f"{self._sum(layer, r)} AS z{r}" for r in range(layer.n_out)]
            steps.append((f"sums_{at}", sums))
            if layer.activation != "identity":
                f = _ACTIVATIONS[layer.activation]
                outputs = [f"{f.format(z=f'z{r}')} AS x{r}" for r in range(layer.n_out)]
                steps.append((f"outputs_{at}", outputs))
        return [*steps, *self._last()]

    def _cells(self) -> list[str]:
        found = []
        for i, column in enumerate(self.columns):
            read = (
                self.dialect.number
                if column.kind == "numbers"
                else f"COALESCE({self.dialect.text}, '')"
            )
            found.append(f"{read.replace('{c}', _column(column.name))} AS c{i}")
        return found

    def _known(self) -> list[str]:
        """Return the cells without infinity and NaN, and with a word for what is missing."""
        largest = number(_LARGEST_FLOAT64 if self.program.encoded else LARGEST)
        missing = ", ".join(map(self._string, sorted(MISSING)))
        return [
            f"CASE WHEN c{i} BETWEEN -{largest} AND {largest} THEN c{i} END AS c{i}"
            if column.kind == "numbers"
            else f"CASE WHEN c{i} IN ({missing}) THEN 'missing' ELSE c{i} END AS c{i}"
            for i, column in enumerate(self.columns)
        ]

    def _inputs(self) -> list[str]:
        found: list[str] = []
        for i, column in enumerate(self.columns):
            for made in column.inputs:
                value = self._input(f"c{i}", made) if self.program.encoded else f"c{i}"
                found.append(f"{value} AS x{len(found)}")
        return found

    def _input(self, c: str, made: Made) -> str:
        """Return an input made of a cell."""
        if isinstance(made, Number):
            return (
                f"CASE WHEN {c} IS NULL THEN {number(made.at_missing)} "
                f"WHEN {c} < {number(made.low)} THEN {number(made.at_low)} "
                f"WHEN {c} > {number(made.high)} THEN {number(made.at_high)} "
                f"ELSE {c} - {_signed(made.offset)} END"
            )
        if isinstance(made, Gap):
            return f"CASE WHEN {c} IS NULL THEN 1.0e0 ELSE 0.0e0 END"
        if isinstance(made, Word):
            return f"CASE WHEN {c} = {self._string(made.category)} THEN 1.0e0 ELSE 0.0e0 END"
        assert isinstance(made, Other)  # dates are refused
        categories = ", ".join(map(self._string, made.categories))
        return f"CASE WHEN {c} IN ({categories}) THEN 0.0e0 ELSE 1.0e0 END"

    def _scaled(self) -> list[str]:
        made = [made for column in self.columns for made in column.inputs]
        split, found = number(SPLIT), []
        for i, (shift, scale) in enumerate(
            zip(self.program.shift, self.program.scale, strict=True)
        ):
            value = f"x{i}"
            if isinstance(made[i], Number):  # rounded to float32
                value = f"({split} * x{i} - ({split} * x{i} - x{i}))"
            if shift != 0.0:
                value = f"({value} - {_signed(shift)})"
            if scale != 1.0:
                value = f"{value} * {_signed(scale)}"
            found.append(f"{value} AS x{i}")
        return found

    def _sum(self, layer: ProgramLayer, r: int) -> str:
        bias = _signed(layer.bias[r])
        of_row = range(int(layer.indptr[r]), int(layer.indptr[r + 1]))
        terms = [f"{_signed(layer.values[k])} * x{layer.indices[k]}" for k in of_row]
        return f"{bias} + {_sum(terms)}" if terms else f"CAST({bias} AS DOUBLE PRECISION)"

    def _last(self) -> list[tuple[str, list[str]]]:
        """Return what is computed of the sums of the last layer before the result."""
        n, output = self.program.n_outputs, self.program.output
        if output == "numbers":
            return []
        z = [f"z{r}" for r in range(n)]
        if output == "sigmoid":
            if not self.probabilities:
                return []
            return [("shares", [*z, f"{_SIGMOID.format(z='z0')} AS e0"])]
        # NULL in one of them makes all NULL, which functions of the largest would pass over.
        largest = z[0]
        if n > 1:
            most = _in_groups(z, lambda group: f"{self.dialect.greatest}({', '.join(group)})")
            largest = f"CASE WHEN {_sum(z)} IS NOT NULL THEN {most} END"
        steps = [("largest", [*z, f"{largest} AS largest"])]
        if self.probabilities:
            share = _SIGMOID
            if output == "softmax":
                share = "CASE WHEN {z} - largest < -700.0e0 THEN 0.0e0 ELSE exp({z} - largest) END"
            shares = [f"{share.format(z=name)} AS e{r}" for r, name in enumerate(z)]
            steps.append(("shares", [*z, "largest", *shares]))
            total = _sum([f"e{r}" for r in range(n)])
            shares = [f"e{r}" for r in range(n)]
            steps.append(("total", [*z, "largest", *shares, f"{total} AS total"]))
        return steps

    def _results(self) -> list[str]:
        """Return the columns of the result."""
        program = self.program
        if program.classes is None:
            assert program.targets is not None
            found = zip(program.targets.scale, program.targets.mean, strict=True)
            values = [
                f"z{r} * {_signed(scale)} + {_signed(mean)}"
                for r, (scale, mean) in enumerate(found)
            ]
        else:
            labels = list(map(self._label, program.classes.tolist()))
            if program.n_outputs == 1:
                cases = [f"WHEN z0 <= 0.0e0 THEN {labels[0]}", f"WHEN z0 > 0.0e0 THEN {labels[1]}"]
            else:
                cases = [f"WHEN z{r} = largest THEN {label}" for r, label in enumerate(labels)]
            values = [f"CASE {' '.join(cases)} END"]
            if self.probabilities and program.output == "sigmoid":
                values += ["1.0e0 - e0", "e0"]
            elif self.probabilities:
                values += [f"e{r} / total" for r in range(len(labels))]
        names = map(identifier, self.results)
        return [f"{value} AS {name}" for value, name in zip(values, names, strict=True)]

    def _string(self, text: str) -> str:
        return string(text, self.dialect.escapes)

    def _label(self, label: object) -> str:
        if isinstance(label, bool):
            return "TRUE" if label else "FALSE"
        return str(label) if isinstance(label, int) else self._string(str(label))
