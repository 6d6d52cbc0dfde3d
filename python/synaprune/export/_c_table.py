"""What C reads of a table: a struct of raw cells, names of categories, and the encoder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synaprune.export._c_text import c_type, literal, smallest_unsigned, string
from synaprune.export._columns import Gap, Made, Number, Other, Part, TableColumn, Word
from synaprune.export._text import LARGEST, comment, number

_LONGEST = 30  # of what names of columns and categories become
# Of C and C++, and object-like macros that compilers and libraries are known to have.
_WORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class co_await
    co_return co_yield compl complex concept const const_cast consteval constexpr constinit
    continue decltype default delete do double dynamic_cast else enum errno explicit export extern
    false float for friend goto i386 if imaginary inline int linux long mutable namespace new
    noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires restrict return short signed signgam sizeof static static_assert
    static_cast stderr stdin stdout struct switch template this thread_local throw true try
    typedef typeid typename typeof union unix unsigned using virtual void volatile wchar_t while
    xor xor_eq
"""
_TAKEN = frozenset(_WORDS.split())
_PARTS = {
    "days": "days since 1970 in UTC", "month": "month, from 1", "hour": "hour with fractions, UTC",
    "weekday": "weekday, 0 for Monday",
}  # fmt: skip
# Bytes of functions and of an input by the type of its field, as measured.
_CODE, _CODE_OF_WORD = {"float": (90, 35), "double": (180, 60)}, 18
# T is float or, where a mean is subtracted, double; f is what ends a literal.
_CUT = """/* Whether a number is missing: NAN, or beyond float. */
static inline int {name}_lacks_{T}({T} value) {{
  return !(value >= -{largest}{f} && value <= {largest}{f});
}}

/* A number from `low` to `high`, less `offset`; `missing` if there is none. */
static inline float {name}_cut_{T}(
    {T} value, {T} low, {T} high, {T} offset, float missing) {{
  if ({name}_lacks_{T}(value)) {{
    return missing;
  }}
  return (float)((value < low ? low : value > high ? high : value) - offset);
}}"""
_SAME = """/* Whether two texts are the same. */
static inline int {name}_same(const char *a, const char *b) {{
  while (*a != '\\0' && *a == *b) {{
    ++a;
    ++b;
  }}
  return *a == *b;
}}"""


@dataclass(frozen=True)
class _Field:
    """One field of the struct, and what becomes of it.

    Attributes
    ----------
    name, c_type, told : str
        Told is what the comment says.
    column : TableColumn
    part : str or None
        Of a date.
    """

    name: str
    c_type: str
    told: str
    column: TableColumn
    part: str | None = None


class CTable:
    """How C reads a row of raw cells.

    Parameters
    ----------
    columns : sequence of TableColumn
        At least one.
    name : str
        What all names begin with.
    """

    def __init__(self, columns: Sequence[TableColumn], name: str) -> None:
        self.columns, self.name = columns, name
        self._used = set(_TAKEN)
        upper = name.upper()
        self._constants = {
            f"{upper}_{what}" for what in ("H", "N_OUTPUTS", "N_CLASSES", "SELF_TEST")
        }
        self.fields = [field for column in columns for field in self._fields(column)]
        worded = [column for column in columns if column.kind == "categories"]
        self.categories = {column.name: tuple(_categories(column)) for column in worded}

    @property
    def n_code(self) -> int:
        """Bytes of code of the encoder, roughly, with gcc -Os for a Cortex-M0."""
        kinds = {field.c_type for field in self.fields} & set(_CODE)
        n = sum(_CODE[kind][0] for kind in kinds)
        for field in self.fields:
            n_inputs = 1 if field.part else len(field.column.inputs)
            n += n_inputs * _CODE.get(field.c_type, (0, _CODE_OF_WORD))[1]
        return n

    def sections(self) -> list[str]:
        """Return the struct and all functions, the last of which is ``{name}_encode``."""
        types = dict.fromkeys(f.c_type for f in self.fields if f.c_type in ("float", "double"))
        helpers = [
            _CUT.format(
                name=self.name, T=kind, f="f" * (kind == "float"),
                largest=literal(np.float32(LARGEST)).removesuffix("f"),
            )
            for kind in types
        ]  # fmt: skip
        if self.categories:
            helpers.append(_SAME.format(name=self.name))
        named = [self._category(f) for f in self.fields if f.column.kind == "categories"]
        return [*self._enums(), self._struct(), *helpers, *(text for t in named for text in t),
                self._encoder()]  # fmt: skip

    def row(self, cells: Mapping[str, Any], at: int) -> str:
        """Return a struct of the cells of a row, as `TableEncoder.read` returned them."""
        found = []
        for field in self.fields:
            told = cells[field.column.name]
            if field.column.kind == "categories":
                known = self.categories[field.column.name]
                word = told[at]
                found.append(f"{known.index(word) if word in known else len(known)}u")
                continue
            value = float((told if field.part is None else told[field.part])[at])
            if field.c_type == "float":
                with np.errstate(over="ignore"):
                    value32 = np.float32(value)
                found.append(literal(value32) if np.isfinite(value32) else "NAN")
            else:
                found.append(number(value) if np.isfinite(value) else "(double)NAN")
        return "{" + ", ".join(found) + "}"

    def _fields(self, column: TableColumn) -> Iterator[_Field]:
        base = _identifier(column.name)
        if column.kind == "dates":
            for part in [made.part for made in column.inputs if isinstance(made, Part)]:
                told = f"{comment(column.name)}: {_PARTS[part]}; NAN if missing"
                yield _Field(self._unique(f"{base}_{part}"), "double", told, column, part)
            return
        name, told = self._unique(base), comment(column.name)
        if column.kind == "categories":
            told += f": {self.name.upper()}_{name.upper()}_..., any other number for others"
            most = smallest_unsigned(len(_categories(column)))
            yield _Field(name, c_type(most), told, column)
            return
        shifted = any(made.offset != 0.0 for made in column.inputs if isinstance(made, Number))
        yield _Field(name, "double" if shifted else "float", f"{told}; NAN if missing", column)

    def _unique(self, name: str) -> str:
        found, n = name if name not in _TAKEN else f"{name}_column", 1
        while found in self._used:
            n += 1
            found = f"{name}_{n}"
        self._used.add(found)
        return found

    def _struct(self) -> str:
        lines = [f"  {f.c_type} {f.name}; /* {f.told} */" for f in self.fields]
        return (
            "/* A row of the table: raw cells of the columns that the network uses. */\n"
            "typedef struct {\n" + "\n".join(lines) + f"\n}} {self.name}_row;"
        )

    def _enums(self) -> list[str]:
        found = []
        for field in self.fields:
            if field.column.kind != "categories":
                continue
            prefix = f"{self.name}_{field.name}".upper()
            lines = []
            for k, category in enumerate(self.categories[field.column.name]):
                constant = self._constant(f"{prefix}_{_identifier(category, 'value').upper()}")
                lines.append(f"  {constant} = {k}, /* {comment(category)} */")
            lines.append(f"  {self._constant(f'{prefix}_OTHERS')} = {len(lines)}")
            told = f"/* Categories of {comment(field.column.name)}. */"
            found.append("\n".join([told, "enum {", *lines, "};"]))
        return found

    def _constant(self, name: str) -> str:
        found, n = name, 1
        while found in self._constants:
            n += 1
            found = f"{name}_{n}"
        self._constants.add(found)
        return found

    def _category(self, field: _Field) -> list[str]:
        """Return the functions that name a category, and find one."""
        known, name, told = self.categories[field.column.name], self.name, field.column.name
        names = ",\n".join(f"      {string(category)}" for category in known)
        empty = ""
        if "missing" in known:
            empty = f"""  if (text[0] == '\\0') {{
    return {known.index("missing")}u;
  }}
"""
        return [
            f"""/* A category of {comment(told)}, in UTF-8; "" for others. */
static inline const char *{name}_name_of_{field.name}({field.c_type} number) {{
  static const char *const names[{len(known)}] = {{
{names}}};
  return number < {len(known)}u ? names[number] : "";
}}""",
            f"""/* The number of a category of {comment(told)}, in UTF-8; "" if missing. */
static inline {field.c_type} {name}_find_{field.name}(const char *text) {{
  {field.c_type} k = 0u;
{empty}  while (k < {len(known)}u && !{name}_same(text, {name}_name_of_{field.name}(k))) {{
    ++k;
  }}
  return k;
}}""",
        ]  # fmt: skip

    def _encoder(self) -> str:
        """Return the function that makes inputs of a row."""
        by_column: dict[str, list[_Field]] = {}
        for field in self.fields:
            by_column.setdefault(field.column.name, []).append(field)
        lines: list[str] = []
        for column in self.columns:
            own = {field.part: field for field in by_column[column.name]}
            for made in column.inputs:
                field = own[made.part if isinstance(made, Part) else None]
                lines.append(f"  x[{len(lines)}] = {self._input(field, made)};")
        body = "\n".join(lines)
        return f"""/* The inputs of a row: gaps filled, numbers cut off, categories as 0 and 1. */
static inline void {self.name}_encode(const {self.name}_row *row, float *x) {{
{body}
}}"""

    def _input(self, field: _Field, made: Made) -> str:
        cell, kind = f"row->{field.name}", field.c_type
        if isinstance(made, Gap):
            return f"{self.name}_lacks_{kind}({cell}) ? 1.0f : 0.0f"
        if isinstance(made, Word):
            k = self.categories[field.column.name].index(made.category)
            return f"{cell} == {k}u ? 1.0f : 0.0f"
        if isinstance(made, Other):
            return f"{cell} < {len(made.categories)}u ? 0.0f : 1.0f"
        low, high, missing = -LARGEST, LARGEST, 0.0
        if isinstance(made, Number):
            low, high, missing = made.low, made.high, made.at_missing
        limits = [low, high, made.offset]
        told = [literal(np.float32(v)) if kind == "float" else number(v) for v in limits]
        return f"{self.name}_cut_{kind}({cell}, {', '.join(told)}, {literal(np.float32(missing))})"


def _categories(column: TableColumn) -> Sequence[str]:
    """Return the categories that inputs tell apart: all, if one stands for all others."""
    for made in column.inputs:
        if isinstance(made, Other):
            return made.categories
    return [made.category for made in column.inputs if isinstance(made, Word)]


def _identifier(text: str, what: str = "column") -> str:
    """Return lower-case letters, digits and single underscores, a letter first."""
    found = re.sub("[^a-z0-9]+", "_", text.lower())[:_LONGEST].strip("_")
    return found if found[:1].isalpha() else f"{what}_{found}".rstrip("_")
