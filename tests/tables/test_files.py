"""Files as people have them: containers, encodings, separators, headers."""

import bz2
import gzip
import io
import json
import lzma
import sys
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
    with pytest.raises(ValueError, match=r"cannot be read \([\w ]+\)$"):
        sn.read_table(tmp_path)
    for wrong in ("::", "", 1):
        with pytest.raises(ValueError, match=f"^separator must be one character, got {wrong!r}$"):
            sn.read_table(tmp_path, separator=wrong)
    with pytest.raises(TypeError, match=r"^file must be a path or a binary file object, got 3$"):
        sn.read_table(3)
    with pytest.raises(TypeError, match=r"^file must give bytes, got 'a,b'$"):
        sn.read_table(io.StringIO("a,b"))


def test_messages_call_the_table_by_its_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(PLAIN)
    for file in (path, str(path)):
        assert sn.read_table(file).source == str(path)
    with path.open("rb") as file:
        assert sn.read_table(file).source == str(path)
    records = json.dumps([dict(zip(NAMES, row, strict=True)) for row in ROWS])
    arff = "@relation r\n@attribute size real\n@data\n1\n2\n"
    for content in (PLAIN, gzip.compress(PLAIN), zipped(("a", PLAIN)), records, arff):
        assert read(content).source == "data"


REFUSED = {
    b"\xd0\xcf\x11\xe0": "an old Excel or other Office file; save it as .xlsx or .csv",
    b"%PDF": "a PDF; a table in it has to be copied",
    b"SQLite format 3": "an SQLite database; export",
    b"ARROW1": "an Arrow or Feather file; write it as .parquet",
    b"\x89HDF": "an HDF5 file; write",
    b"\x89PNG": "a picture;",
    b"\xff\xd8\xff": "a picture;",
    b"\x80\x04": "a pickle, which is not read since it may run any code",
    b"\x80\x05": "a pickle, which is not read since it may run any code",
    b"\x93NUMPY": "a single NumPy array; save arrays X and y by numpy.savez",
    b"ORC": "an ORC file; write it as .parquet",
    b"Rar!": "a RAR archive; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
}


@pytest.mark.parametrize("mark", REFUSED)
def test_formats_that_are_not_read_are_called_by_their_names(mark):
    for content in (mark, mark + b"...", gzip.compress(mark)):
        with pytest.raises(ValueError, match=rf"^data is {REFUSED[mark]}"):
            read(content)
    with pytest.raises(ValueError, match=r"^data(:| is) (a|neither)"):
        read(b"\0\0\0\x01" + mark)


@pytest.mark.parametrize("begin", ["<html>", "<HTML>", "<!DocType html>", "\n <?xml ?>"])
def test_web_pages_are_no_tables(begin):
    with pytest.raises(ValueError, match=r"^data is a web page or XML; download the table itself"):
        read(f"{begin}\na,b\n1,2\n")
    assert read("<none>,b\n1,2\n3,4\n").names == ("<none>", "b")


def test_archives():
    content = PLAIN
    for pack in (gzip.compress, lzma.compress, lambda inner: zipped(("a.csv", inner))):
        content = pack(content)
        assert cells(read(content)) == ROWS
    with pytest.raises(ValueError, match=r"^data: an archive in an archive, 4 times over; unpack"):
        read(gzip.compress(content))
    folded = zipped(("__MACOSX/a.csv", b"?"), ("folder/", b""), ("folder/a.csv", PLAIN))
    assert cells(read(folded)) == ROWS
    assert read(zipped(("a.csv", b"1,2\n3,4\n")), header=True).names == ("1", "2")
    assert read(gzip.compress(b"a;b,c\n1;2,3\n"), separator=",").names == ("a;b", "c")
    many = zipped(*((f"{i}.csv", PLAIN) for i in range(6)))
    for archive, message in (
        (many, r"6 files, 0\.csv, 1\.csv, 2\.csv, 3\.csv, 4\.csv; unpack it and name one of them$"),
        (zipped(("x" * 300, PLAIN), ("b", PLAIN)), r"2 files, x{200}; unpack"),
        (zipped(("__MACOSX/a.csv", PLAIN)), "0 files"),
    ):
        with pytest.raises(ValueError, match=rf"^data is an archive of {message}"):
            read(archive)
    with pytest.raises(ValueError, match=r"^data is an archive of NumPy arrays; name it \.npz$"):
        read(zipped(("a.txt", b""), ("X.npy", b"")))


def test_encodings_that_are_not_said():
    told = "имя,б\n1,2\n3,4\n5,x\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        table = read(told.encode(encoding))
        assert table.names == ("имя", "б")
        assert table.columns["б"].tolist() == ["2", "4", "x"]
        assert table.notes == ()
    assert read(b"\xfe\xff" + told.encode("utf-16-be")).names == ("имя", "б")
    odd = read(b"a,b\n\x81\xe9,2\n3,4\n")  # Windows has no character 81
    assert odd.columns["a"].tolist() == ["\ufffdé", "3"]
    for content in (b"a,b\n1,2\n\0,3\n" * 9, b"a\0,\0b\n1,2\n" * 9 + b"\0\0"):
        with pytest.raises(ValueError, match=r"^data: neither text nor a table format"):
            read(content)


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
    assert read("a,b\n1,2,\n3,4,x\n").names == ("row", "a", "b")
    assert read("a,b\nr1,1,2\n").names == ("row", "a", "b")
    assert read("a,b\nr1,1,2\nr2,3,4\n").names == ("row", "a", "b")  # as R writes it


def test_names_that_repeat_are_changed_and_said():
    table = read("a,a,a.1,,a\n1,2,3,4,5\n6,7,8,9,x\n")
    assert table.names == ("a", "a.1'", "a.1", "unnamed 3", "a.4")
    assert table.notes == (
        """column 1 is called "a.1'", as another is called 'a'""",
        "column 4 is called 'a.4', as another is called 'a'",
    )
    assert not table.headerless


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        # Rows that count.
        ("1,2,3,4,5\n0.5,1.5,1,2,3\n", True),
        ("1,2,3,4\n0.5,1.5,1,2\n", False),
        ("1,2,3,4,6\n0.5,1.5,1,2,3\n", False),
        ("0,1\n0.5,1.5\n", False),
        ("0,1,2\n0.5,1.5,3\n", True),
        ("2,3,4,5,6,7\n0.5,1.5,1,2,3,4\n", False),
        (",0\n7,0.5\n8,1.5\n", True),
        (",1,2,3,4,5\n0,0.5,1,2,3,4\n", True),
        # A word over numbers or dates, though it holds a digit.
        ("x1,x2\n1,2\n3,4\n", True),
        ("day1,x\n2024-01-01,a\n2024-01-02,b\n", True),
        ("at,x\n03.02.2024 10:30,a\n04.02.2024 11:30,a\n", True),
        ("a,x\n$1,y\n12 %,y\n", True),
        ("a;x\n1.234,5;y\n2,5;y\n", True),
        # Votes: words that repeat below, and do not hold the first, against the others.
        ("p,q,r,yes\na,c,e,yes\na,d,e,no\nb,c,f,yes\nb,d,f,no\n", True),
        ("p,yes\na,yes\na,no\nb,yes\nb,no\n", False),
        ("p,q,yes\na,c,yes\na,d,no\nb,c,yes\nb,d,no\n", True),
        ("7,q\na,c\na,d\nb,c\nb,d\n", False),
        ("7,q,r,s\na,c,c,c\na,d,d,d\nb,c,c,c\nb,d,d,d\n", True),
        # No votes: names are different words.
        ("p,q\nu,v\nw,x\n", True),
        ("p,p\nu,v\nw,x\n", False),
        ("5,q\n,v\n,x\n", False),
        ("?,q\n1,v\n2,x\n", True),
        ("p,q\n", False),
        # The first 200 rows below decide.
        ("a\n" + "1\n" * 200 + "x\n", True),
        ("a\n" + "1\n" * 199 + "x\na\n", True),
        ("a\n" + "1\n" * 198 + "a\nx\n", False),
    ],
)
def test_what_the_first_row_is(rows, header):
    if rows.count("\n") > 1:
        assert read(rows).headerless is not header
    else:
        with pytest.raises(ValueError, match=r"^data: no rows under the header$"):
            read(rows)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("#c\n# d\n1,2\n#,3\n", [["1", "2"], ["#", "3"]]),
        ("1,2\n# d\n", None),
        ("1,2\n\n  \n3,4\n", [["1", "2"], ["3", "4"]]),
        (" 1 ,2 \n3, 4\n", [["1", "2"], ["3", "4"]]),
        ("1 2\t\t3\n4 5\t\t6\n", [["1 2", "", "3"], ["4 5", "", "6"]]),
        ('"1\n2";3\n4;5\n', [["1\n2", "3"], ["4", "5"]]),
        ("'1;2';3\n'4';5\n", [["1;2", "3"], ["4", "5"]]),
        ("it's;1\nit's;2\n", [["it's", "1"], ["it's", "2"]]),
        ("1,2;3\n1;2,3\n", [["1,2", "3"], ["1", "2,3"]]),
        ("1|2\n1|2\n1|2\n", [["1", "2"]] * 3),
        ("1;2\n1;2\n1,5\n", None),
        ("a\nb\nc d\n", [["a"], ["b"], ["c d"]]),
        ("'a b' 1\n'c  d'  2\n", [["a b", "1"], ["c  d", "2"]]),
        ("1,2,\n3,4,\n", [["1", "2"], ["3", "4"]]),
        ("1,\n3,\n", [["1"], ["3"]]),
        ('"1;""a;b"""\n"2;c"\n', [["1", "a;b"], ["2", "c"]]),
    ],
)
def test_cells_of_text(content, rows):
    if rows is None:
        with pytest.raises(ValueError, match=r"^data: rows must have equally many cells"):
            read(content, header=False)
    else:
        assert cells(read(content, header=False)) == rows


def test_lines_that_differ_are_counted_as_in_the_file():
    rows = "a,b\n\n1,2\n1\n1,2\n1\n1,2,3\n1,2\n1,2\n1,2\n"
    expected = (
        r"^data: rows must have equally many cells, 2 as most of them: "
        r"line 4 has 1, line 6 has 1, line 7 has 3"
    )
    with pytest.raises(ValueError, match=rf"{expected}$"):
        read(rows)
    with pytest.raises(ValueError, match=rf"{expected} and 1 more lines differ$"):
        read(rows + "9\n")
    with pytest.raises(ValueError, match=r"^data, line 3: unexpected end of data$"):
        read('a,b\n"1,2\n3,4\n')


def test_long_lines_and_rows_beyond_those_that_decide():
    names = ["a" * 100_000, "b" * 100_000, "c"]
    assert read(";".join(names) + "\n1;2;3\n4;5;6\n").names == tuple(names)
    rows = "1;2\n" * 200 + "1,2,3\n" * 300
    with pytest.raises(ValueError, match=r"equally many cells, 1 as .* line 1 has 2"):
        read(rows)  # semicolons: those of the first 200 rows


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
    assert cells(read('{"a": 1, "b": "x"}')) == [["1", "x"]]
    assert cells(read(' \n{"a": 1}\n\n{"b": 2}\n')) == [["1", ""], ["", "2"]]
    assert cells(read('[{"a": 1e15, "b": 1e16}, {"a": -2.0, "b": 9007199254740992.0}]')) == [
        ["1000000000000000", "1e+16"],
        ["-2", "9007199254740992.0"],
    ]
    table = read('[{"a": NaN, "b": Infinity}, {"a": 1, "b": -Infinity}, {"a": 2, "b": 3}]')
    assert cells(table) == [["nan", "inf"], ["1", "-inf"], ["2", "3"]]
    assert read("[a],b\n1,2\n"[1:]).names == ("a]", "b")


HOLDS = r'JSON must hold records, such as \{"size": 2\.5\}, in a list or one a line'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", HOLDS),
        ("{}", HOLDS),  # this used to be of lists that are not equally long
        ("[{}, {}]", HOLDS),  # this used to be a table without columns
        ('{"a": []}', HOLDS),
        ('[{"a": 1}, 2]', HOLDS),
        ('{"a": 1}\n[2]', HOLDS),
        ('{"a": [1, 2], "b": [1]}', "the lists of its columns must be equally long"),
        (
            '[{"a": 1, "b": 2, "c": 3}, {"b": [1], "c": {"d": 1}}]',
            "records must be flat, but there are lists or records in 'b', 'c'",
        ),
        ('{"a": 1}\nx\n', r"JSON that cannot be read \(Expecting value: .*\)"),
        ('[{"a": 1, "a": 2}]', r"JSON that cannot be read \(an object has several 'a'\)"),
        ("[" * 100_000, r"JSON that cannot be read \(it is nested too deeply .*\)"),
    ],
)
def test_json_that_holds_no_table(content, message):
    with pytest.raises(ValueError, match=f"^data: {message}$"):
        read(content)


def test_records_of_other_keys_each_are_refused():
    records = ",".join(f'{{"k{i}":1}}' for i in range(3000))
    with pytest.raises(ValueError, match=r"^data: a file of \d+ bytes .* 72000000; few of its"):
        read(f"[{records}]")


def test_arff():
    table = read(
        "% iris\n@RELATION iris\n\n@attribute 'sepal length' REAL\n@ATTRIBUTE class {a,b}\n\n"
        "@DATA\n5.1,a\n% between\n?,b\n'4.9',a\n"
    )
    assert table.names == ("sepal length", "class")
    assert cells(table) == [["5.1", "a"], ["?", "b"], ["4.9", "a"]]
    table = read(
        ' @attribute a real\n\t@Attribute "b c" {x, y}\n@attribute a string\n @DATA % of today\n'
        "1,x,'p,q'\n"
    )
    assert table.names == ("a", "b c", "a.2")
    assert table.notes == ("column 2 is called 'a.2', as another is called 'a'",)
    assert cells(table) == [["1", "x", "p,q"]]
    head = "@relation r\n@attribute a real\n@attribute b real\n"
    for body, message in (
        ("@data\n1,2,3\n", "2 attributes, but 3 cells a row"),
        ("@data\n{0 1}\n", r"a sparse ARFF file, which is not read; write it as \.csv"),
        ("@data\n \n% 1,2\n", "an ARFF file without attributes or data"),
        ("1,2\n", "an ARFF file without attributes or data"),
    ):
        with pytest.raises(ValueError, match=f"^data: {message}$"):
            read(head + body)
    with pytest.raises(ValueError, match=r"^data: an ARFF file without attributes or data$"):
        read("@relation r\n@data\n1,2\n")


def test_libsvm():
    pytest.importorskip("sklearn")
    table = read("+1 1:0.5 3:2\n-1 2:1\n")
    assert table.names == ("target", "f1", "f2", "f3")
    assert cells(table) == [[1, 0.5, 0, 2], [-1, 0, 1, 0]]
    assert table.source == "data"
    assert not table.headerless
    assert table.notes == ("a libsvm file: the label is the column 'target', inputs are f1, f2, …",)
    for content, message in (
        ("1 1:1 99999999:1\n", r".*would become 799999992; its largest index is too large"),
        ("1 1:1\n1 1:x\n", "could not convert .*"),
    ):
        with pytest.raises(ValueError, match=rf"^data: a libsvm file .* read \({message}\)$"):
            read(content)


def test_a_parquet_file_beyond_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "t.parquet"
    duckdb.execute(
        f"copy (select range as a, 2 * range as b, 'x' as c from range(1000)) to '{path}' "
        "(format parquet)"
    )
    monkeypatch.setattr("synaprune.unpacking.free_memory", lambda: 100_000)
    told = r"this takes about 0.0 GB of memory, and 0.0 GB are free; .*sn.Blocks.from_arrow"
    with pytest.raises(ValueError, match=told):
        sn.read_table(path)
    monkeypatch.setattr("synaprune.unpacking.free_memory", lambda: 120_000)
    assert len(sn.read_table(path)) == 1000
    monkeypatch.undo()
    free = sn.unpacking.free_memory()
    assert free is None or free > 2**20


@pytest.mark.parametrize("name", ["a[1].parquet", "a*.parquet", "a'b.parquet"])
def test_a_parquet_file_may_have_any_name(tmp_path, name):
    duckdb = pytest.importorskip("duckdb")
    for i, file in enumerate(("plain.parquet", "a1.parquet")):
        duckdb.execute(f"copy (select {i} as a, 1 as b) to '{tmp_path / file}' (format parquet)")
    (tmp_path / "plain.parquet").rename(tmp_path / name)
    assert sn.read_table(tmp_path / name).columns["a"].tolist() == [0.0]


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
    assert table.source == str(path)


@pytest.fixture
def parquet(tmp_path):
    """The Parquet file of a query, as a function."""
    duckdb = pytest.importorskip("duckdb")

    def write(query):
        path = tmp_path / "t.parquet"
        duckdb.execute(f"copy ({query}) to '{path}' (format parquet, compression zstd)")
        return path.read_bytes()

    return write


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # These used to be refused: "Invalid byte encountered in STRING -> BLOB conversion".
        ("select 'é' as c", ["é"]),
        (r"select 'a\x4' as c", [r"a\x4"]),
        # This used to be the text bytearray(b'red').
        ("select 'red'::blob as c", ["red"]),
        ("""select '{"a": 1}'::json as c""", ['{"a": 1}']),
        ("select unnest([1, null, 3])::tinyint as c", [1, None, 3]),
        ("select interval 36 hours as c", [1.5]),
        ("select timestamptz '2024-01-02 03:04:05+01' as c", ["2024-01-02T02:04:05"]),
        ("select null as c", [""]),
    ],
)
def test_types_of_parquet(query, expected, parquet):
    column = read(parquet(f'select c as "a ""c""", 7 as b from ({query})')).columns['a "c"']
    assert [None if value != value else value for value in column.tolist()] == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "select map {'a': 1} as m, [1] as l, {'x': 1} as s, [1, 2]::int[2] as a, 2 as i",
            "records must be flat, but there are lists or records in 'm', 'l', 's', 'a'$",
        ),
        ("select 1 as i where false", "no rows$"),
        (r"select '\xff\x00'::blob as b", "a Parquet file that cannot be read .* not valid UTF8"),
        (
            "select i, i as j from (select 1 as i from range(5000000))",
            "a file .* become 80000000; c",
        ),
        ("select repeat('é', 1000000) as b from range(35)", "a file .* become 70000000; convert"),
        # This used to take the memory.
        ("select concat('7', repeat('0', 999999))::json as b from range(70)", "a file .* 70000000"),
    ],
)
def test_parquet_that_is_refused(query, message, parquet):
    with pytest.raises(ValueError, match=rf"^data: {message}"):
        read(parquet(query))


def sheet(*tables):
    """A workbook of sheets, as few bytes of XML as Excel would take."""
    sheets = [
        "".join(
            "<row>"
            + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row)
            + "</row>"
            for row in rows
        )
        for rows in tables
    ]
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
            + "".join(
                f'<sheet name="Data {i}" sheetId="{i}" r:id="r{i}"/>'
                for i, _ in enumerate(sheets, 1)
            )
            + "</sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">'
            + "".join(
                f'<Relationship Id="r{i}" Type="{office}/worksheet" '
                f'Target="worksheets/sheet{i}.xml"/>'
                for i, _ in enumerate(sheets, 1)
            )
            + "</Relationships>",
        ),
        *(
            (
                f"xl/worksheets/sheet{i}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
            )
            for i, cells in enumerate(sheets, 1)
        ),
    )


def test_excel():
    pytest.importorskip("python_calamine")
    table = read(sheet([NAMES, *ROWS]))
    assert table.names == tuple(NAMES)
    assert cells(table) == ROWS
    assert table.source == "data"
    assert table.notes == ()
    gaps = [["", *row[:1], "", *row[1:]] for row in [NAMES, *ROWS]]
    wide = [["x"] * 5, ["", ""], ["1"] * 2]
    table = read(sheet(wide, [["", ""], *gaps, ["", "", ""]], [["a"]]))
    assert table.names == tuple(NAMES)
    assert cells(table) == ROWS
    assert table.notes == ("read from sheet 'Data 2' of 3",)
    for content in (sheet([]), sheet([[""]], [])):
        with pytest.raises(ValueError, match=r"^data: no rows$"):
            read(content)
    for broken in (zipped(("xl/workbook.xml", b"<a/>")), zipped(("mimetype", b""))):
        with pytest.raises(ValueError, match=r"^data: a spreadsheet that cannot be read \(.+\)$"):
            read(broken)
    with pytest.raises(ValueError, match=r"^data: a spreadsheet of two kinds$"):
        read(zipped(("xl/workbook.xml", b"<a/>"), ("xl/workbook.bin", b"")))


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


@pytest.mark.parametrize(
    ("package", "content", "extra"),
    [
        ("duckdb", b"PAR1", "tables"),
        ("python_calamine", sheet(ROWS), "tables"),
        ("sklearn.datasets", b"1 1:2\n", "sklearn"),
    ],
)
def test_packages_that_a_format_needs_are_named(package, content, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"synaprune\[{extra}\]"):
        read(content)


def test_a_spreadsheet_may_lack_a_header_but_has_no_separator():
    pytest.importorskip("python_calamine")
    assert read(sheet(ROWS), header=False).names == ("c0", "c1", "c2")
    with pytest.raises(ValueError, match=r"^separator must be left out: data is a spreadsheet$"):
        read(sheet(ROWS), separator=";")


# --- tables by hand -----------------------------------------------------------------------------


def test_rows_of_other_values_become_text():
    """These used to raise an AttributeError later, when the table was encoded."""
    table = sn.Table.from_rows([[1.5, "a", None], [2.0, "b", True]], ["x", "kind", "flag"])
    assert cells(table) == [["1.5", "a", ""], ["2", "b", "True"]]
    assert sn.TableEncoder.fit(table.without(["kind", "flag"])).input_names == ("x",)
    columns = {"x": np.arange(2), "kind": np.array(["a", "b"]), "y": np.array([None, 2], object)}
    assert cells(sn.Table(columns)) == [[0.0, "a", ""], [1.0, "b", "2"]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sn.Table.from_rows([["a"]], ["x", "y"]), "row 0 must hold 2 cells, got"),
        (lambda: sn.Table.from_rows([["a", "b"], ["c"]], ["x", "y"]), "row 1 must hold 2 cells"),
        (lambda: sn.Table.from_rows(["ab"], ["x", "y"]), "row 0 must hold 2 cells, got 'ab'"),
        (lambda: sn.Table.from_rows([["a", "b"]], ["x", "x"]), "names must be unique, got 'x'"),
        (lambda: sn.Table.from_rows([["a", "b"]], "xy"), "names must be a sequence of strings"),
        (lambda: sn.Table([["a"]]), "columns must be a Mapping, got"),
        (lambda: sn.Table({1: np.zeros(2)}), "the name of a column must be a str, got 1"),
        (lambda: sn.Table({"x": [1.0]}), "column 'x' must be a 1-D array, got"),
        (lambda: sn.Table({"x": np.zeros((2, 1))}), "column 'x' must be a 1-D array, got"),
        (lambda: sn.Table({"x": np.zeros(2), "y": np.zeros(3)}), "columns must be equally long"),
    ],
)
def test_a_table_that_is_none_is_refused(make, message):
    """Some of these used to repeat a cell in all columns, or to fail much later."""
    with pytest.raises((TypeError, ValueError), match=message):
        make()
