"""Files as people have them: containers, encodings, separators, headers."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pytest
import synaprune as sn
from hypothesis import assume, given
from hypothesis import strategies as st

ROWS = [["2.5", "red", "yes"], ["3", "blue", "no"], ["3.5", "red", "yes"], ["1", "blue", "no"]]
NAMES = ["size", "colour", "kind"]


def text_of(rows, separator=","):
    return "".join(separator.join(row) + "\n" for row in rows)


def read(content, **options):
    content = content.encode() if isinstance(content, str) else content
    return sn.read_table(io.BytesIO(content), **options)


def cells(table):
    return [list(row) for row in zip(*(c.tolist() for c in table.columns.values()), strict=True)]


# --- what holds the text ------------------------------------------------------------------------

PLAIN = text_of([NAMES, *ROWS]).encode()


def zipped(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"\n", b"\n\n"),
        gzip.compress(PLAIN, mtime=0),
        bz2.compress(PLAIN),
        lzma.compress(PLAIN),
        zipped(("table.csv", PLAIN)),
        PLAIN.decode().encode("utf-16"),
        PLAIN.decode().encode("utf-16-le"),
        PLAIN.decode().encode("utf-16-be"),
        b"# made by hand\n" + PLAIN,
    ],
)
def test_containers_and_encodings(content):
    table = read(content)
    assert table.names == tuple(NAMES)
    assert cells(table) == ROWS
    assert not table.headerless


def test_windows_text_is_read_and_said():
    table = read("größe,b\n1,2\n3,4\n".encode("cp1252"))
    assert table.names == ("größe", "b")
    assert table.notes == ("read as Windows-1252",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"a,b\n", "no rows"),
        (zipped(("a.csv", PLAIN), ("b.csv", PLAIN)), r"archive of 2 files, a\.csv, b\.csv"),
        (zipped(("X.npy", b"")), "name it .npz"),
        (gzip.compress(PLAIN, mtime=0)[:-12], "damaged compressed file"),
        (zipped(("a.csv", PLAIN))[:-30], "zip archive that cannot be read"),
        (b"\xd0\xcf\x11\xe0....", "an old Excel"),
        (b"%PDF-1.4", "a PDF"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x80\x04\x95", "a pickle"),
        (b"\x93NUMPY\x01", "numpy.savez"),
        (b"PAR1 and nothing", "a Parquet file that cannot be read"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"abc\0def\0\0\0\0\x01\x02\x03", "neither text nor a table"),
        (b'[{"a": [1, 2]}]', "records must be flat"),
        (b"[1, 2]", "JSON must hold records"),
        (b'{"a": [1, 2], "b": [1]}', "equally long"),
        (b'{"a": ', "JSON that cannot be read"),
        (b"@relation r\n@attribute a numeric\n@data\n{0 1}\n", "a sparse ARFF file"),
        (b"@relation r\n@attribute a numeric\n", "without attributes or data"),
        (
            b"a,b\n1,2\n1\n1\n1,2,3\n1,2\n1,2\n1\n",
            "line 3 has 1, line 4 has 1, line 5 has 3 and 1 more",
        ),
    ],
)
def test_what_cannot_be_read_is_named(content, message):
    with pytest.raises(ValueError, match=message):
        read(content)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.csv: no such file"):
        sn.read_table(tmp_path / "no.csv")
    with pytest.raises(ValueError, match="cannot be read"):
        sn.read_table(tmp_path)
    with pytest.raises(ValueError, match="separator must be one character"):
        sn.read_table(tmp_path, separator="::")


# --- separators and headers ---------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_separators(separator):
    assert cells(read(text_of([NAMES, *ROWS], separator))) == ROWS
    quoted = [[f'"{cell}"' for cell in row] for row in [NAMES, *ROWS]]
    assert cells(read(text_of(quoted, separator))) == ROWS
    assert cells(read(text_of([NAMES, *ROWS], separator), separator=separator)) == ROWS


@given(
    st.lists(
        st.lists(st.text("ab ,;|'\"\n\té€", min_size=1, max_size=4), min_size=3, max_size=3),
        min_size=2,
        max_size=6,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_no_row_is_lost_where_all_cells_are_quoted(rows, separator):
    assume(any(row[-1].strip() for row in rows))  # a last column without cells is none
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows]
    table = read(text_of(quoted, separator), separator=separator, header=False)
    assert cells(table) == [[cell.strip() for cell in row] for row in rows]


def test_a_separator_within_cells():
    assert cells(read('a;b\n1,5;2,5\n"3;5";4,5\n')) == [["1,5", "2,5"], ["3;5", "4,5"]]
    assert cells(read("a,b\n'x, y',1\n'z',2\n")) == [["x, y", "1"], ["z", "2"]]
    assert cells(read('"a,b"\n"1,2"\n"3,4"\n')) == [["1", "2"], ["3", "4"]]
    assert cells(read("  1.0   2.0  3\n 4.0 5.0    6 \n")) == [
        ["1.0", "2.0", "3"],
        ["4.0", "5.0", "6"],
    ]


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ("a,b\n1,2\n3,4\n", True),
        ("1,2\n3,4\n", False),
        ("3.6,8.6,0\n4.5,8.1,0\n3.8,2.6,1\n", False),
        ("?,8.6,x\n4.5,8.1,x\n3.8,2.6,y\n", False),
        ("red,blue,yes\ngreen,blue,no\nred,green,no\n", False),
        ("p,q,y\nred,blue,yes\ngreen,blue,no\nred,blue,no\ngreen,red,yes\n", True),
        ("0,1,2\n0.5,1.5,1\n0.1,0.2,0\n", True),
        (",0,1\n0,0.5,1\n1,0.1,0\n", True),
        ("label,0,1,7\n3,0,0,0\n4,9,0,0\n", True),
        ("2024-01-01,1,x\n2024-01-02,2,y\n", False),
        ("name,age\nBob,\nEve,\n", True),
    ],
)
def test_headers(rows, header):
    assert read(rows).headerless is not header
    assert len(read(rows, header=True)) == rows.count("\n") - 1
    assert len(read(rows, header=False)) == rows.count("\n")


def test_names_of_a_table_without_a_header():
    table = read("1,2\n3,4\n")
    assert table.names == ("c0", "c1")
    assert table.notes == ("no header: columns are called c0 to c1",)


def test_known_names_decide():
    assert not read("a,b\nx,y\n", known=["b"]).headerless
    assert read("a,b\nx,y\n", known=["c"]).headerless


def test_odd_headers():
    assert read("a,a,y\n1,2,3\n4,5,6\n").names == ("a", "a.1", "y")
    assert read(",a,y\n0,2,3\n1,5,6\n").names == ("unnamed 0", "a", "y")
    assert read("a,b,\n1,2,\n3,4,\n").names == ("a", "b")
    assert read("a,b\n1,2,\n3,4,\n").names == ("a", "b")
    assert read("a,b\nr1,1,2\nr2,3,4\n").names == ("row", "a", "b")  # as R writes it


# --- other formats ------------------------------------------------------------------------------


def test_json():
    records = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
    for text in (
        json.dumps(records),
        "\n".join(map(json.dumps, records)),
        json.dumps({name: [r[name] for r in records] for name in NAMES}),
    ):
        table = read(text)
        assert table.names == tuple(NAMES)
        assert cells(table) == ROWS
    assert cells(read('[{"a": 1, "b": null}, {"a": 2.5, "c": true}]')) == [
        ["1", "", ""],
        ["2.5", "", "True"],
    ]


def test_arff():
    table = read(
        "% iris\n@RELATION iris\n\n@attribute 'sepal length' REAL\n@ATTRIBUTE class {a,b}\n\n"
        "@DATA\n5.1,a\n% between\n?,b\n'4.9',a\n"
    )
    assert table.names == ("sepal length", "class")
    assert cells(table) == [["5.1", "a"], ["?", "b"], ["4.9", "a"]]


def test_libsvm():
    pytest.importorskip("sklearn")
    table = read("+1 1:0.5 3:2\n-1 2:1\n")
    assert table.names == ("target", "f1", "f2", "f3")
    assert cells(table) == [[1, 0.5, 0, 2], [-1, 0, 1, 0]]


def test_parquet(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "t.parquet"
    duckdb.execute(
        "copy (select * from (values (1, 'x', true, date '2024-01-02', 1.5), "
        "(null, null, false, null, null)) t(i, s, b, d, f)) "
        f"to '{path}' (format parquet)"
    )
    table = sn.read_table(path)
    assert table.columns["i"].tolist()[0] == 1
    assert np.isnan(table.columns["i"][1])
    assert table.columns["s"].tolist() == ["x", ""]
    assert table.columns["b"].tolist() == ["True", "False"]
    assert table.columns["d"].tolist()[0].startswith("2024-01-02")
    assert table.columns["d"].tolist()[1] == ""
    assert table.columns["f"][0] == 1.5


def sheet(rows):
    """A workbook of one sheet, as few bytes of XML as Excel would take."""
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>"
        for row in rows
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    return zipped(
        (
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="x"/>'
            "</Types>",
        ),
        (
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
            f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        ),
        (
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
            '<sheet name="Data" sheetId="1" r:id="r1"/></sheets></workbook>',
        ),
        (
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
            f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        ),
        (
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
        ),
    )


def test_excel():
    pytest.importorskip("python_calamine")
    table = read(sheet([NAMES, *ROWS]))
    assert table.names == tuple(NAMES)
    assert cells(table) == ROWS


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PAR1", "a Parquet file"),
        ('[{"a": 1}]', "JSON"),
        ("@RELATION r\n@ATTRIBUTE a REAL\n@DATA\n1\n", "an ARFF file"),
        ("+1 1:0.5 3:2\n", "a libsvm file"),
    ],
)
def test_hints_of_text_are_refused_elsewhere(content, what):
    with pytest.raises(ValueError, match=f"^separator must be left out: data is {what}$"):
        read(content, separator=";")
    with pytest.raises(ValueError, match=f"^separator and header must be left out: .* {what}$"):
        read(content, separator=";", header=False)


def test_a_spreadsheet_may_lack_a_header_but_has_no_separator():
    pytest.importorskip("python_calamine")
    assert read(sheet(ROWS), header=False).names == ("c0", "c1", "c2")
    with pytest.raises(ValueError, match=r"^separator must be left out: data is a spreadsheet$"):
        read(sheet(ROWS), separator=";")
