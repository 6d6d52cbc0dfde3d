"""`read_table`: what kind of file this is, and its table."""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from synaprune.checks import listing, shown
from synaprune.extras import require
from synaprune.unpacking import (
    check_memory,
    check_size,
    is_compressed,
    parse_json,
    read_file,
    unpack,
    zip_members,
)

from ._cells import cell_of
from ._sheets import n_cells
from ._table import Table, column_of
from ._text import decode, has_header, read_rows

_DEEPEST = 3  # archives within archives; some hold themselves
_PARQUET = b"PAR1"
_PATTERN = set("*?[]{}")
_NUMBER, _TEXT = 20, 80  # bytes a cell: as read, as a table's and as inputs
_STREAM = "take fewer columns or rows, or train in Python: sn.Blocks.from_arrow, see docs/scale.md"
_REMEDY = "convert it to a .csv file by a program that you trust"
_REFUSED = {
    b"\xd0\xcf\x11\xe0": "an old Excel or other Office file; save it as .xlsx or .csv",
    b"%PDF": "a PDF; a table in it has to be copied into a .csv file",
    b"SQLite format 3": "an SQLite database; export the table, such as by sqlite3 -csv",
    b"ARROW1": "an Arrow or Feather file; write it as .parquet",
    b"\x89HDF": "an HDF5 file; write the table as .parquet or .csv",
    b"\x89PNG": "a picture; synaprune reads tables, and arrays from Python",
    b"\xff\xd8\xff": "a picture; synaprune reads tables, and arrays from Python",
    b"\x80\x04": "a pickle, which is not read since it may run any code; write a .parquet or .csv",
    b"\x80\x05": "a pickle, which is not read since it may run any code; write a .parquet or .csv",
    b"\x93NUMPY": "a single NumPy array; save arrays X and y by numpy.savez",
    b"ORC": "an ORC file; write it as .parquet",
    b"Rar!": "a RAR archive; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
}


def read_table(
    file: str | os.PathLike[str] | BinaryIO,
    *,
    separator: str | None = None,
    header: bool | None = None,
    known: Iterable[str] | None = None,
) -> Table:
    r"""Read a table from a file; its content, not its name, says what it is.

    Text with cells separated by commas, semicolons, tabs, bars or blanks, in UTF-8, UTF-16 or
    Windows-1252; JSON (records, lines); ARFF; libsvm (needs scikit-learn); Excel and OpenDocument
    sheets (need python-calamine); Parquet (needs duckdb); any of them in gzip, bzip2, xz or alone
    in a zip archive. No row is skipped but blank lines and comments (#) above the table.

    Parameters
    ----------
    file : path-like or binary file object
    separator : str, optional
        One character; found out if left out. For text alone.
    header : bool, optional
        Whether the first row holds names; found out if left out. Without names, columns are called
        c0, c1, … by position. For text and spreadsheets alone, the formats without marked names.
    known : iterable of str, optional
        Names of which a header holds at least one; decides whether there is a header.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no table, a hint does not apply to its format, or it would take memory out of
        proportion to its size; the message says what it is, and what to do.
    ImportError
        If a format needs a package that is not installed; the message names the command.

    Examples
    --------
    >>> import io
    >>> import synaprune as sn
    >>> table = sn.read_table(io.BytesIO(b"size;kind\n2,5;plum\n3,5;pear\n"))
    >>> table.names, table.columns["size"].tolist()
    (('size', 'kind'), ['2,5', '3,5'])
    """
    if separator is not None and (not isinstance(separator, str) or len(separator) != 1):
        raise ValueError(f"separator must be one character, got {separator!r}")
    hints = _Hints(separator, header, known)
    if isinstance(file, str | os.PathLike):
        source, path = os.fspath(file), Path(file)
        content = None if _is_parquet(path) else _content(path)
    elif hasattr(file, "read"):
        source, content = str(getattr(file, "name", "data")), file.read()
        if content is None:
            raise TypeError("file must give bytes, got None")
    else:
        raise TypeError(f"file must be a path or a binary file object, got {shown(file)}")
    if content is not None and not isinstance(content, bytes):
        raise TypeError(f"file must give bytes, got {shown(content)}")
    try:
        if content is None:  # duckdb reads the file itself
            return _parquet(source, path.absolute(), hints)
        return _read(source, content, hints)
    except MemoryError:
        raise ValueError(f"{source}: too large for the memory of this machine") from None


class _Hints(NamedTuple):
    """What `read_table` was told of a text, or None."""

    separator: str | None
    header: bool | None
    known: Iterable[str] | None

    def refuse(self, source: str, what: str, *names: str) -> None:
        """Raise if one of these was given, which means nothing for what the file is."""
        given = [name for name in names if getattr(self, name) is not None]
        if given:
            raise ValueError(f"{' and '.join(given)} must be left out: {source} is {what}")


def _is_parquet(path: Path) -> bool:
    """Whether duckdb can read a file by its name, which must not look like a pattern."""
    try:
        if not path.is_file() or not _PATTERN.isdisjoint(str(path.absolute())):
            return False
        with path.open("rb") as file:
            return file.read(len(_PARQUET)) == _PARQUET
    except OSError:
        return False  # reading it says why


def _content(path: Path) -> bytes:
    try:
        return read_file(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None


def _read(
    source: str,
    content: bytes,
    hints: _Hints,
    depth: int = 0,
) -> Table:
    if depth > _DEEPEST:
        raise ValueError(f"{source}: an archive in an archive, {depth} times over; unpack it first")
    if is_compressed(content):
        try:
            inner = unpack(content)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None
        return _read(source, inner, hints, depth + 1)
    for mark, what in _REFUSED.items():
        if content.startswith(mark):
            raise ValueError(f"{source} is {what}")
    if content.startswith(b"PK\x03\x04"):
        return _of_zip(source, content, hints, depth)
    if content.startswith(_PARQUET):
        # duckdb reads files, and this one came out of another, or from a pipe
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "table.parquet")
            path.write_bytes(content)
            return _parquet(source, path, hints)
    try:
        text, encoding = decode(content)
    except UnicodeDecodeError:
        raise ValueError(f"{source}: neither text nor a table format that is known") from None
    if not text.strip():
        raise ValueError(f"{source}: the file is empty")
    begin = text.lstrip()[:2000]
    if re.match(r"(?i)<(!doctype|html|\?xml)", begin):
        raise ValueError(
            f"{source} is a web page or XML; download the table itself, as .csv for example"
        )
    if begin[0] in "[{":
        hints.refuse(source, "JSON", "separator", "header")
        return _json(source, text)
    if re.search(r"(?im)^\s*@relation\b", begin) or re.search(r"(?im)^\s*@attribute\b", begin):
        hints.refuse(source, "an ARFF file", "separator", "header")
        return _arff(source, text)
    if re.match(r"\S+([ \t]+\d+:\S+)+[ \t]*(\r?\n|$)", begin):
        hints.refuse(source, "a libsvm file", "separator", "header")
        return _libsvm(source, content)
    table = _of_rows(source, read_rows(text, source, hints.separator), hints)
    return table.noting(f"read as {encoding}") if encoding == "Windows-1252" else table


def _of_rows(source: str, rows: list[list[str]], hints: _Hints) -> Table:
    """Return rows of text as a table: with names of its own, or with those of positions."""
    if not rows:
        raise ValueError(f"{source}: no rows")
    named = has_header(rows, hints.known) if hints.header is None else hints.header
    names = rows[0] if named else [f"c{i}" for i in range(len(rows[0]))]
    body = rows[1:] if named else rows
    if not body:
        raise ValueError(f"{source}: no rows under the header")
    names, notes = _names(names)
    if not named:
        notes.append(f"no header: columns are called c0 to c{len(names) - 1}")
    return Table.from_rows(body, names, source, not named).noting(*notes)


def _names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return unique names, and notes of those that were changed."""
    given = [name or f"unnamed {at}" for at, name in enumerate(names)]
    notes: list[str] = []
    unique: dict[str, None] = {}  # a list would take a minute for 10**5 names alike
    counts = Counter(given)
    for at, name in enumerate(given):
        if counts[name] > 1 and name in unique:
            renamed = f"{name}.{at}"
            while renamed in counts or renamed in unique:
                renamed += "'"
            notes.append(f"column {at} is called {renamed!r}, as another is called {name!r}")
            name = renamed
        unique[name] = None
    return list(unique), notes


def _of_zip(
    source: str,
    content: bytes,
    hints: _Hints,
    depth: int,
) -> Table:
    try:
        members = zip_members(io.BytesIO(content))
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    if not members.keys().isdisjoint(("xl/workbook.xml", "mimetype", "xl/workbook.bin")):
        hints.refuse(source, "a spreadsheet", "separator")
        try:
            check_size(8 * n_cells(members), len(content), _REMEDY)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None
        return _sheets(source, content, hints)
    names = [n for n in members if not n.startswith("__MACOSX")]
    if any(n.endswith(".npy") for n in names):
        raise ValueError(f"{source} is an archive of NumPy arrays; name it .npz")
    if len(names) != 1:
        raise ValueError(
            f"{source} is an archive of {len(names)} files, {', '.join(names[:5]):.200}; unpack "
            "it and name one of them"
        )
    return _read(source, members[names[0]], hints, depth + 1)


def _sheets(source: str, content: bytes, hints: _Hints) -> Table:
    """Read the sheet with the most cells."""
    calamine = require("python_calamine", "tables")
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # of calamine's own types; its panics are no Exception
        raise ValueError(f"{source}: a spreadsheet that cannot be read ({error})") from None
    name, cells = max(
        sheets.items(), key=lambda item: sum(len(row) - row.count("") for row in item[1])
    )
    rows = [[cell_of(cell) for cell in row] for row in cells if row.count("") < len(row)]
    if not rows:
        raise ValueError(f"{source}: no rows")
    columns = [at for at in range(len(rows[0])) if any(row[at] for row in rows)]
    if len(columns) < len(rows[0]):
        rows = [[row[at] for at in columns] for row in rows]
    table = _of_rows(source, rows, hints)
    return table.noting(f"read from sheet {name!r} of {len(sheets)}") if len(sheets) > 1 else table


def _parquet(source: str, path: Path, hints: _Hints) -> Table:
    hints.refuse(source, "a Parquet file", "separator", "header")
    duckdb = require("duckdb", "tables")
    try:
        with duckdb.connect() as connection:
            connection.execute("set binary_as_string = true")  # texts that are not marked so
            _check_parquet(connection, str(path), path.stat().st_size)
            columns = connection.execute("select * from read_parquet(?)", [str(path)]).fetchnumpy()
    except duckdb.Error as error:
        text = str(error).splitlines()[0]
        raise ValueError(f"{source}: a Parquet file that cannot be read ({text})") from None
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    return _of_columns(source, columns)


def _check_parquet(connection: Any, path: str, packed: int) -> None:
    """Raise a ValueError if columns are nested, or much larger than the file: it may repeat."""
    columns = connection.execute("describe select * from read_parquet(?)", [path]).fetchall()
    kinds = {name: kind for name, kind, *_ in columns}
    nested = [n for n, kind in kinds.items() if kind.startswith(("STRUCT", "MAP")) or "[" in kind]
    if nested:
        raise ValueError(
            f"records must be flat, but there are lists or records in {listing(nested)}"
        )
    counted = connection.execute("select sum(num_rows) from parquet_file_metadata(?)", [path])
    rows = max(0, counted.fetchone()[0])
    check_size(8 * rows * len(kinds), packed, _REMEDY)
    n_texts = sum(kind in ("VARCHAR", "JSON") for kind in kinds.values())
    check_memory(rows * (_NUMBER * (len(kinds) - n_texts) + _TEXT * n_texts), _STREAM)
    quoted = [
        '"' + n.replace('"', '""') + '"' for n, k in kinds.items() if k in ("VARCHAR", "JSON")
    ]
    if quoted:
        total = " + ".join(f"coalesce(sum(strlen({name}::varchar)), 0)" for name in quoted)
        texts = connection.execute(f"select {total} from read_parquet(?)", [path])
        check_size(int(texts.fetchone()[0]), packed, _REMEDY)


def _of_columns(source: str, columns: dict[str, Any]) -> Table:
    """Return arrays of any type, masked or not, as a table."""
    made = {name: column_of(values) for name, values in columns.items()}
    if not made or not len(next(iter(made.values()))):
        raise ValueError(f"{source}: no rows")
    return Table(made, source)


def _json(source: str, text: str) -> Table:
    """Read a list of records, one record a line, or one list per column."""
    try:
        try:
            read = parse_json(text, constants=True)
        except json.JSONDecodeError:
            lines = [line for line in text.splitlines() if line.strip()]
            read = [parse_json(line, constants=True) for line in lines]
    except ValueError as error:
        raise ValueError(f"{source}: JSON that cannot be read ({error})") from None
    if isinstance(read, dict) and read and all(isinstance(v, list) for v in read.values()):
        if len({len(v) for v in read.values()}) != 1:
            raise ValueError(f"{source}: the lists of its columns must be equally long")
        names = list(read)
        read = [dict(zip(names, row, strict=True)) for row in zip(*read.values(), strict=True)]
    elif isinstance(read, dict):
        read = [read]
    if not isinstance(read, list) or not any(read) or not all(isinstance(r, dict) for r in read):
        raise ValueError(
            f'{source}: JSON must hold records, such as {{"size": 2.5}}, in a list or one a line'
        )
    names = list(dict.fromkeys(name for record in read for name in record))
    try:
        check_size(8 * len(names) * len(read), len(text), "few of its records have the same keys")
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    nested = [n for n in names if any(isinstance(r.get(n), dict | list) for r in read)]
    if nested:
        raise ValueError(
            f"{source}: records must be flat, but there are lists or records in {listing(nested)}"
        )
    rows = [[cell_of(record.get(name)) for name in names] for record in read]
    return Table.from_rows(rows, names, source)


def _arff(source: str, text: str) -> Table:
    """Read Weka's format: names of the columns, then rows as in a CSV."""
    head, mark, body = (
        re.split(r"(?im)^([^\S\n]*@data\b.*)$", text, maxsplit=1)
        if re.search(r"(?im)^[^\S\n]*@data\b", text)
        else (text, "", "")
    )
    found = re.findall(r"(?im)^[^\S\n]*@attribute\s+('(?:[^'\\]|\\.)*'|\"[^\"]*\"|\S+)\s", head)
    names, notes = _names([name.strip("'\"") for name in found])
    lines = [line for line in body.splitlines() if line.strip() and not line.startswith("%")]
    if not mark or not names or not lines:
        raise ValueError(f"{source}: an ARFF file without attributes or data")
    if lines[0].lstrip().startswith("{"):
        raise ValueError(f"{source}: a sparse ARFF file, which is not read; write it as .csv")
    rows = read_rows("\n".join(lines), source, ",")
    if len(rows[0]) != len(names):
        raise ValueError(f"{source}: {len(names)} attributes, but {len(rows[0])} cells a row")
    return Table.from_rows(rows, names, source).noting(*notes)


def _libsvm(source: str, content: bytes) -> Table:
    """Read the format of libsvm: a label, then pairs index:value; what is not there is 0."""
    sklearn = require("sklearn.datasets", "sklearn")
    try:
        X, y = sklearn.load_svmlight_file(io.BytesIO(content))
        check_size(8 * X.shape[0] * X.shape[1], len(content), "its largest index is too large")
    except Exception as error:  # of many types
        raise ValueError(f"{source}: a libsvm file that cannot be read ({error})") from None
    columns = {f"f{i + 1}": column for i, column in enumerate(X.toarray().T)}
    notes = ("a libsvm file: the label is the column 'target', inputs are f1, f2, …",)
    return Table({"target": y.astype(np.float64), **columns}, source, False, notes)
