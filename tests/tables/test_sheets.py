"""Workbooks: how many cells they ask for, and those of Excel's binary kind."""

import io
import struct
import zipfile

import pytest
import synaprune as sn
from synaprune.tables._sheets import n_cells

LAST = 1048576 * 16384  # rows and columns of the largest sheet that Excel writes


def xlsx(sheet):
    return n_cells({"xl/workbook.xml": b"<w/>", "xl/sheet.xml": f"<s>{sheet}</s>".encode()})


@pytest.mark.parametrize(
    ("sheet", "cells"),
    [
        ("", 0),
        ("<row><c/><c/></row><row><c/></row>", 2 * 2),
        ("<row><c/><c/><c/></row><row><c/><c/></row>", 2 * 3),
        ('<row r="7"/><row><c/></row>', 8 * 1),
        ('<row r="7"><c/></row><row r="3"><c/><c/></row>', 7 * 2),
        ('<row r=""><c/></row><row r="+5"><c/></row><row r="\u0663"><c/></row>', 3 * 1),
        ('<c r="C2"/><c/>', 2 * 4),
        ('<c r="Z1"/>', 26),
        ('<c r="aa10"/>', 10 * 27),
        ('<c r="BZ1"/>', 78),
        ('<row r="3"><c r="B"/></row>', 3 * 2),
        ('<row r="3"><c r="5"/></row>', 5 * 1),
        ('<row r="2"><c r="D9"/><c/></row>', 9 * 5),
        ('<c r="D9"/><c r="A1"/>', 9 * 4),
        ('<c r="XFD1048576"/>', LAST),
        ('<x:row r="4"><x:c r="B4"/></x:row>', 4 * 2),
        ('<col r="9"/><cell r="B9"/>', 0),
    ],
)
def test_cells_of_xlsx_count_to_the_last(sheet, cells):
    assert xlsx(sheet) == cells


def test_a_place_of_very_many_digits_or_letters_is_large():
    for place in ("A" + "9" * 5000, "Z" * 100000 + "1"):
        assert xlsx(f'<c r="{place}"/>') > 2**50


VALUE = '<a:table-cell office:value-type="string"/>'


@pytest.mark.parametrize(
    ("tables", "cells"),
    [
        (f"<table><table-row>{VALUE}</table-row></table>", 1),
        (f"<a:table><a:table-row>{VALUE * 3}</a:table-row><a:table-row/></a:table>", 3),
        (f"<table><table-row/><table-row>{VALUE}<table-cell/></table-row></table>", 2 * 1),
        (f"<table><table-row>{VALUE * 2}</table-row><table-row>{VALUE}</table-row></table>", 4),
        (f"<table><table-row><table-cell/>{VALUE}</table-row></table>", 2),
        (f"<table><table-row><covered-table-cell/>{VALUE}</table-row></table>", 2),
        ("<table><table-row><covered-table-cell value='1'/></table-row></table>", 1),
        (f'<table><table-row t:number-rows-repeated="5">{VALUE}</table-row></table>', 5),
        (f'<table><table-row><table-cell number-columns-repeated="6"/>{VALUE}'
         "</table-row></table>", 7),
        ('<table><table-row number-rows-repeated="2"><table-cell t:number-columns-repeated="3" '
         'office:value="1"/></table-row></table>', 2 * 3),
        (f'<table><table-row number-rows-repeated=" +03 ">{VALUE}</table-row></table>', 3),
        (f'<table><table-row number-rows-repeated="0">{VALUE}</table-row></table>', 1),
        (f'<table><table-row number-rows-repeated="many">{VALUE}</table-row></table>', 1),
        (f'<table><table-row a:number-rows-repeated="2" b:number-rows-repeated="5">{VALUE}'
         "</table-row></table>", 5),
        # What is empty at the end of a row, or of the table, takes nothing.
        ('<table><table-row><table-cell number-columns-repeated="99"/></table-row></table>', 0),
        (f'<table><table-row>{VALUE}<table-cell number-columns-repeated="99"/></table-row>'
         '<table-row number-rows-repeated="1000"><table-cell/></table-row></table>', 1),
        # Each table begins anew.
        (f"<table><table-row>{VALUE * 2}</table-row></table>" * 3, 2),
    ],
)  # fmt: skip
def test_cells_of_ods_count_as_often_as_they_are_repeated(tables, cells):
    assert n_cells({"mimetype": b"ods", "content.xml": f"<s>{tables}</s>".encode()}) == cells


def test_the_largest_sheet_counts_whatever_the_case_of_its_name():
    sheets = {"a.xml": b'<c r="B2"/>', "b.XML": b'<c r="C3"/>', "c.xml": b'<c r="A1"/>'}
    assert n_cells(sheets) == 9
    assert n_cells({**sheets, "d.Rels": b'<c r="D4"/>'}) == 16
    others = {"thumbnail.png": b"<", "printer.bin": row(9) + cell(9), "xml": b"<"}
    assert n_cells({**sheets, **others}) == 9
    assert n_cells({}) == 0


def relationships(kind, target):
    content = f'<Relationships><Relationship{kind} Target="{target}"/></Relationships>'
    return {"xl/_rels/workbook.rels": content.encode()}


SHEET = ' Type="https://x/worksheet"'


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"xl/workbook.bin": b"", "xl/workbook.xml": b"<a/>"}, "a spreadsheet of two kinds"),
        (
            {"a.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a/>'},
            "a spreadsheet whose XML defines entities",
        ),
        ({"a.xml": b"<a>"}, r"a spreadsheet that cannot be read \(a\.xml: no element .*\)"),
        ({"a.xml": b""}, r"a spreadsheet that cannot be read \(a\.xml: no element .*\)"),
        ({"a.rels": b"<a></b>"}, r"a spreadsheet that cannot be read \(a\.rels: mismatched .*\)"),
        (relationships(SHEET, "a.bin"), "a spreadsheet with a sheet 'a.bin'"),
        (relationships(SHEET, "a/xml"), "a spreadsheet with a sheet 'a/xml'"),
        (
            {"xl/workbook.bin": b"", **relationships(SHEET, "a.xml")},
            "a spreadsheet with a sheet 'a.xml'",
        ),
        (relationships(SHEET, ""), "a spreadsheet with a sheet ''"),
        ({"a.rels": b'<Relationship Type="/worksheet"/>'}, "a spreadsheet with a sheet ''"),
        (relationships(SHEET, "x" * 99), f"a spreadsheet with a sheet '{'x' * 59}"),
    ],
)  # fmt: skip
def test_workbooks_that_would_be_read_otherwise_are_refused(members, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        n_cells(members)


def test_names_of_sheets_that_are_right():
    for members in (
        relationships(SHEET, "SHEET.XML"),
        relationships(' Type="https://x/styles"', "a.bin"),
        relationships("", "a.bin"),
        {"a.rels": b'<Related Type="/worksheet" Target="a.bin"/>'},
        {"xl/workbook.bin": b"", **relationships(SHEET, "Sheet.BIN")},
    ):
        assert n_cells(members) == 0


# --- Excel's binary workbooks: records of type, size and content --------------------------------


def seven_bits(number, least=1):
    """The number as bytes of seven bits each, of which all but the last have the eighth set."""
    digits = []
    while number or len(digits) < least:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits[:-1], digits[-1] & 0x7F])


def record(kind, content=b""):
    return seven_bits(kind) + seven_bits(len(content)) + content


def row(at):
    return record(0, struct.pack("<I", at) + bytes(13))


def cell(at, kind=5, content=bytes(8)):
    return record(kind, struct.pack("<II", at, 0) + content)


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        (b"", 0),
        (row(0) + cell(0), 1),
        (row(4) + cell(2), 5 * 3),
        (row(4) + cell(9) + row(2) + cell(3), 5 * 10),
        (row(1048575) + cell(16383), LAST),
        *[(row(1) + cell(2, kind), 2 * 3) for kind in range(1, 12)],
        (row(1) + cell(2, 12), 0),  # a string of its own list
        (row(1) + cell(2, 128), 0),
        (row(1) + record(3, struct.pack("<I", 6)), 2 * 7),
        (record(0, struct.pack("<I", 1)) + cell(2), 2 * 3),
        (record(0, b"\x05\0\0") + record(1, b"\x05\0\0") + row(1) + cell(2), 2 * 3),
        (b"\x80\x00" + row(1)[1:] + cell(2), 2 * 3),  # a type of two bytes, a row nevertheless
        (b"\x80\x80" + record(1)[1:] + row(1) + cell(2), 2 * 3),  # no more than two bytes
        (b"\x0c" + seven_bits(4, 4) + b"abcd" + row(1) + cell(2), 2 * 3),
        (b"\x0c\x84\x80\x80\x80" + b"abcd" + row(1) + cell(2), 2 * 3),  # no more than four
        # It ends too early.
        (row(1) + cell(2) + b"\x00", 2 * 3),
        (row(1) + cell(2) + b"\x80", 2 * 3),
        (row(1) + cell(2) + b"\x05\x7f\x09", 2 * 10),
    ],
)  # fmt: skip
def test_cells_of_xlsb_count_to_the_last(content, cells):
    assert n_cells({"xl/workbook.bin": b"", "xl/worksheets/SHEET.BIN": content}) == cells


@pytest.mark.parametrize(("kind", "n"), [(12, 1), (127, 7), (128, 8), (0x9C, 900), (0x3FFF, 2**17)])
def test_other_records_are_passed_over_however_long_they_are(kind, n):
    content = record(kind, row(99) * n) + row(1) + record(kind) + cell(2)
    assert n_cells({"xl/workbook.bin": b"", "sheet.bin": content}) == 2 * 3


def text(characters):
    return struct.pack("<I", len(characters)) + characters.encode("utf-16-le")


def xlsb(content):
    """A binary workbook of one sheet, as few bytes as Excel would take."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    sheet = record(0x9C, struct.pack("<II", 0, 1) + text("r1") + text("Data"))
    members = {
        "xl/workbook.bin": record(0x83) + sheet + record(0x90) + record(0x84),
        "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.bin"/></Relationships>',
        "xl/worksheets/sheet1.bin": record(0x81)
        + record(0x94, struct.pack("<IIII", 0, 2, 0, 1))
        + record(0x91)
        + content
        + record(0x92)
        + record(0x82),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return io.BytesIO(buffer.getvalue())


def test_a_binary_workbook_is_read_and_its_size_bounded():
    pytest.importorskip("python_calamine")
    rows = [row(0), cell(0, 6, text("size")), cell(1, 6, text("kind"))]
    for at, (size, kind) in enumerate([(2.5, "plum"), (3.0, "pear")], 1):
        rows += [row(at), cell(0, 5, struct.pack("<d", size)), cell(1, 6, text(kind))]
    table = sn.read_table(xlsb(b"".join(rows)))
    assert table.columns["size"].tolist() == ["2.5", "3"]
    assert table.columns["kind"].tolist() == ["plum", "pear"]
    hostile = b"".join([*rows, row(1048575), cell(16383)])
    with pytest.raises(ValueError, match=rf"^data: a file .* would become {8 * LAST}; convert"):
        sn.read_table(xlsb(hostile))
