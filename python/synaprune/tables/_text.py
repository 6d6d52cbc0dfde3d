"""Text files of rows: which character separates cells, and whether the first row holds names."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ._cells import DATE_FORMATS, is_missing, number_with_comma, number_with_point, parse_date

_SEPARATORS = ("\t", ";", "|", ",", " ")  # a text with several of them is split at the first
_SAMPLE = 200  # rows that decide


def decode(content: bytes) -> tuple[str, str]:
    """Return a file's text, and what its encoding is called.

    Raises
    ------
    UnicodeDecodeError
        If it is no text.
    """
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding), "UTF-16"
    head = content[:4096]
    if b"\0" in head:
        even, odd = head[::2].count(0), head[1::2].count(0)
        if min(even, odd) > 0 or max(even, odd) < len(head) // 4:
            raise UnicodeDecodeError("utf-8", head, head.index(0), head.index(0) + 1, "no text")
        return content.decode("utf-16-le" if odd else "utf-16-be"), "UTF-16"
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), "Windows-1252"


def read_rows(text: str, source: str, separator: str | None) -> list[list[str]]:
    """Return the cells of each row of a text; blank lines do not count.

    Parameters
    ----------
    text : str
    source : str
        What errors call it.
    separator : str or None
        One character, a blank standing for any number of them; found out if None.

    Raises
    ------
    ValueError
        If rows differ in length; the message names the first such lines.
    """
    if separator is None:
        separator, quote = _dialect(text)
    else:
        quote = _quote(text[:20000], separator)
    lines, rows = _parse(text, separator, quote, source)
    if rows and all(len(row) == 1 for row in rows):  # each row may stand in quotes as a whole
        inner = "\n".join(row[0] for row in rows)
        separator, quote = _dialect(inner)
        again = _parse(inner, separator, quote, source)[1]
        if len(again) == len(rows) and len(again[0]) > 1:
            rows = again
    return _even(rows, lines, source)


def _parse(
    text: str, separator: str, quote: str, source: str, most: int | None = None
) -> tuple[list[int], list[list[str]]]:
    """Return line numbers and cells of the rows, at most so many of them."""
    if separator == " ":
        lines_of = text.split("\n")  # a pattern would go back at each blank of a long row of them
        text = "\n".join(line.strip(" \t") for line in lines_of).replace("\t", " ")
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        quotechar=quote,
        skipinitialspace=True,
        strict=True,  # a quote that never ends would swallow rows
    )
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if not rows and row[0].startswith("#") and len(row) == 1:  # a comment above the table
                continue
            lines.append(reader.line_num)
            rows.append([cell.strip() for cell in row])
            if len(rows) == most:
                break
    except csv.Error as error:
        raise ValueError(f"{source}, line {reader.line_num}: {error}") from None
    return lines, rows


def _dialect(text: str) -> tuple[str, str]:
    """Return the separator and the quote under which most rows are equally long.

    Where all rows are equally long under several separators, the first of them counts: a decimal
    comma may stand in every row of a table with semicolons.
    """
    head = text if len(text) < 200_000 else text[: text.rfind("\n", 0, 200_000) + 1]
    head = head or text
    found: list[tuple[float, int, str, str]] = []
    for rank, separator in enumerate(_SEPARATORS):
        quote = _quote(head[:20000], separator)
        try:
            _, rows = _parse(head, separator, quote, "", _SAMPLE)
        except ValueError:
            continue
        lengths = Counter(map(len, rows))
        if lengths:
            cells, n = lengths.most_common(1)[0]
            if cells > 1:
                found.append((n / len(rows), -rank, separator, quote))
    if not found:
        return ",", '"'
    share, _, separator, quote = max(found)
    return (separator, quote) if share >= 0.5 else (",", '"')


def _quote(head: str, separator: str) -> str:
    """Return the character that cells are quoted by: single quotes, if no double ones are there."""
    edge = re.escape(separator)
    blanks = "" if separator == " " else " *"  # a pattern that knows two ways to go goes back
    single = re.compile(rf"(?m)(^|{edge}){blanks}'[^'\n]*'{blanks}({edge}|$)")
    return "'" if '"' not in head and single.search(head) else '"'


def _even(rows: list[list[str]], lines: list[int], source: str) -> list[list[str]]:
    """Return rows of one length; empty last cells of all rows, or of all but the first, go."""
    widths = Counter(map(len, rows))
    if len(widths) == 2 and len(rows) > 1:
        rest = set(map(len, rows[1:]))
        if rest == {len(rows[0]) + 1}:
            if all(row[-1] == "" for row in rows[1:]):
                rows = [rows[0], *(row[:-1] for row in rows[1:])]
            else:  # R writes no name for the names of rows
                rows = [["row", *rows[0]], *rows[1:]]
            widths = Counter(map(len, rows))
    if len(widths) > 1:
        usual = widths.most_common(1)[0][0]
        wrong = [(n, len(row)) for n, row in zip(lines, rows, strict=True) if len(row) != usual]
        shown = ", ".join(f"line {n} has {cells}" for n, cells in wrong[:3])
        more = f" and {len(wrong) - 3} more lines differ" if len(wrong) > 3 else ""
        raise ValueError(
            f"{source}: rows must have equally many cells, {usual} as most of them: {shown}{more}"
        )
    if rows and len(rows[0]) > 1 and all(row[-1] == "" for row in rows):
        rows = [row[:-1] for row in rows]
    return rows


def has_header(rows: Sequence[Sequence[str]], known: Iterable[str] | None) -> bool:
    """Return whether the first row holds names.

    Parameters
    ----------
    rows : sequence of sequences of str
        Of one length, at least one.
    known : iterable of str or None
        Names that a header would hold, if that is known.
    """
    first, rest = rows[0], rows[1 : _SAMPLE + 1]
    if known is not None:
        return not set(known).isdisjoint(first)
    if _counted(first):
        return True
    votes = 0.0
    for at, cell in enumerate(first):
        below = [row[at] for row in rest if not is_missing(row[at])]
        if is_missing(cell) or not below:
            continue
        amounts = all(_is_amount(other) for other in set(below))
        if amounts and not _is_amount(cell):
            return True  # a word over numbers is a name
        if amounts or _is_amount(cell) or cell in below:
            votes -= 1.0
        elif len(set(below)) <= len(below) / 2:
            votes += 0.5  # the categories below do not hold it
    if votes:
        return votes > 0
    return len(set(first)) == len(first) and not any(map(_is_amount, first))


def _counted(first: Sequence[str]) -> bool:
    """Return whether a row counts: 0, 1, 2, … as pandas names columns, or 1, 2, 3, 4, 5, …."""
    cells = list(first[1:] if first[0] == "" else first)
    least = {"0": 1 if first[0] == "" else 3, "1": 5}.get(cells[0] if cells else "", 2**31)
    return len(cells) >= least and cells == [str(int(cells[0]) + i) for i in range(len(cells))]


def _is_amount(cell: str) -> bool:
    """Return whether a cell holds a number or a date, which names do not."""
    if not (math.isnan(number_with_point(cell)) and math.isnan(number_with_comma(cell))):
        return True
    return any(c.isdigit() for c in cell) and any(
        parse_date(cell, form) is not None for form in DATE_FORMATS
    )
