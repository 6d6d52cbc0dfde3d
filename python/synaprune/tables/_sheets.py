"""How large the sheets of a workbook are, found out before python-calamine takes memory for them.

calamine makes a dense range from the first to the last cell: a workbook of 1 KB with a cell in its
last row and column would ask for 550 GB, and the failure would end the process.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

_INSIDE = rb"""((?:[^>"']|"[^"]*"|'[^']*')*)>"""  # the attributes of a tag
_XLSX = re.compile(rb"<(?:[\w.-]+:)?(row|c)\b" + _INSIDE)
_ODS = re.compile(rb"<(?:[\w.-]+:)?(table-row|table-cell|covered-table-cell)\b" + _INSIDE)
_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)([0-9]*)["']""")  # such as r="B7"
_REPEATED = re.compile(rb"""number-(?:rows|columns)-repeated\s*=\s*["']\s*\+?0*([0-9]+)""")
_CELLS = range(1, 12)  # records of xlsb that stand for a cell; 0 begins a row


def n_cells(members: Mapping[str, bytes]) -> int:
    """Return how many cells the largest sheet of a workbook may have, or more.

    Parameters
    ----------
    members : mapping of str to bytes
        Files of an xlsx, xlsb or ods archive.
    """
    if "content.xml" in members:
        return _of_ods(members["content.xml"])
    sizes = [
        _of_xlsb(content) if name.lower().endswith(".bin") else _of_xlsx(content)
        for name, content in members.items()
    ]
    return max(sizes, default=0)


def _of_xlsx(content: bytes) -> int:
    row = column = last_row = last_column = 0
    for kind, attributes in _tags(_XLSX, content):
        found = _PLACE.search(attributes)
        letters, digits = found.groups() if found else (b"", b"")
        if kind == b"row":
            row, column = int(digits[:20] or row + 1), 0
        else:  # without a place it follows the one before
            column = _column(letters) if letters else column + 1
            row = int(digits[:20] or row)
        last_row, last_column = max(last_row, row), max(last_column, column)
    return last_row * last_column


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters[:16].upper():
        number = 26 * number + letter - 64
    return number


def _tags(tag: re.Pattern[bytes], content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and attributes of each such tag."""
    for kind, attributes in tag.findall(content):
        escaped = b"&" in attributes
        yield kind, html.unescape(attributes.decode("latin-1")).encode() if escaped else attributes


def _of_xlsb(content: bytes) -> int:
    last_row = last_column = 0
    for kind, start, size in _records(content):
        at = int.from_bytes(content[start : start + 4], "little") + 1
        if size >= 4 and kind == 0:
            last_row = max(last_row, at)
        elif size >= 4 and kind in _CELLS:
            last_column = max(last_column, at)
    return last_row * last_column


def _records(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield type, start and size of each record of an xlsb part."""
    at = 0
    while at < len(content):
        kind, at = _number(content, at, 2)
        size, at = _number(content, at, 4)
        yield kind, at, size
        at += size


def _number(content: bytes, at: int, most: int) -> tuple[int, int]:
    """Return a number of up to so many bytes of seven bits each, and where it ends."""
    value = 0
    for i, byte in enumerate(content[at : at + most]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, at + i + 1
    return value, at + most


def _of_ods(content: bytes) -> int:
    rows = columns = column = last = 0
    for kind, attributes in _tags(_ODS, content):
        found = _REPEATED.search(attributes)
        n = int(found[1][:20]) if found else 1
        if kind == b"table-row":
            rows += n
            column = 0
            continue
        column += n
        if b"value" in attributes or not attributes.endswith(b"/"):
            columns, last = max(columns, column), rows  # empty cells at the end are cut off
    return last * columns
