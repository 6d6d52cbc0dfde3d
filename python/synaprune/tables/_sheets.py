"""How large the sheets of a workbook are, found out before python-calamine takes memory for them.

calamine makes a dense range from the first to the last cell: a workbook of 1 KB with a cell in its
last row and column would ask for 550 GB, and the failure would end the process. It reads some
sheets that end too early for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers import expat

_CELLS = range(1, 12)  # records of xlsb that stand for a cell; 0 begins a row
_ODS_CELLS = ("table-cell", "covered-table-cell")
_REPEATED = ("number-rows-repeated", "number-columns-repeated")


def n_cells(members: Mapping[str, bytes]) -> int:
    """Return how many cells the largest sheet of a workbook may have, or more.

    Parameters
    ----------
    members : mapping of str to bytes
        Files of an xlsx, xlsb or ods archive.

    Raises
    ------
    ValueError
        If its XML is not well-formed, defines entities, or names files of other kinds as sheets.
    """
    binary = "xl/workbook.bin" in members
    if binary and "xl/workbook.xml" in members:
        raise ValueError("a spreadsheet of two kinds")
    most = 0
    for name, content in members.items():
        if name.lower().endswith((".xml", ".rels")):
            part = _Part(".bin" if binary else ".xml")
            part.read(name, content)
            most = max(most, part.last_row * part.last_column)
        elif binary and name.lower().endswith(".bin"):
            most = max(most, _of_xlsb(content))
    return most


class _Part:
    """One XML file of a workbook, and the last row and column of a cell in it."""

    def __init__(self, sheets: str) -> None:
        self.last_row = self.last_column = 0
        self._sheets = sheets  # how the names of files with sheets end
        self._row = self._column = 0

    def read(self, name: str, content: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EntityDeclHandler = self._refuse_entities
        try:
            parser.Parse(content, True)
        except expat.ExpatError as error:
            raise ValueError(f"a spreadsheet that cannot be read ({name:.60}: {error})") from None

    def _refuse_entities(self, *_: Any) -> None:
        raise ValueError("a spreadsheet whose XML defines entities")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        kind = tag.rpartition(":")[2]
        if kind == "row":
            self._row, self._column = _number(attributes.get("r"), self._row + 1), 0
            self._seen()
        elif kind == "c":  # a cell without a place follows the one before
            place = attributes.get("r", "")
            digits = place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
            letters = place.removesuffix(digits)
            self._column = _column(letters) if letters else self._column + 1
            self._row = _number(digits, self._row)
            self._seen()
        elif kind == "table":
            self._row = self._column = 0
        elif kind == "table-row":
            self._row, self._column = self._row + _repeats(attributes), 0
        elif kind in _ODS_CELLS:
            self._column += _repeats(attributes)
            if any("value" in name for name in attributes):  # empty ones at the end are cut off
                self._seen()
        elif kind == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
            self._check_sheet(attributes.get("Target", ""))

    def _check_sheet(self, target: str) -> None:
        if not target.lower().endswith(self._sheets):
            raise ValueError(f"a spreadsheet with a sheet {target!r:.60}")

    def _seen(self) -> None:
        self.last_row = max(self.last_row, self._row)
        self.last_column = max(self.last_column, self._column)


def _number(text: str | None, otherwise: int) -> int:
    return int(text[:20]) if text and text.isascii() and text.isdigit() else otherwise


def _repeats(attributes: dict[str, str]) -> int:
    given = [text for name, text in attributes.items() if name.endswith(_REPEATED)]
    return max((_number(text.strip().lstrip("+0"), 1) for text in given), default=1)


def _column(letters: str) -> int:
    number = 0
    for letter in letters[:16].upper():
        number = 26 * number + ord(letter) - 64
    return number


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
        kind, at = _of_seven_bits(content, at, 2)
        size, at = _of_seven_bits(content, at, 4)
        yield kind, at, size
        at += size


def _of_seven_bits(content: bytes, at: int, most: int) -> tuple[int, int]:
    """Return a number of up to so many bytes of seven bits each, and where it ends."""
    value = 0
    for i, byte in enumerate(content[at : at + most]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, at + i + 1
    return value, at + most
