"""Hostile files for every reader, and hostile names for every exporter.

    PYTHONPATH=python:tests python -m fuzz.readers --count 100000

An execution changes a sound file in a few places, below its checksum and its compression where it
has them, and reads it. It must succeed, and what was read must work, or raise what the reader
documents, within `running.SECONDS` and `running.MEMORY`.
"""

import argparse
import ast
import bz2
import functools
import gzip
import io
import json
import lzma
import os
import struct
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
import synaprune as sn
from export.texts import HOSTILE
from fuzz.mutate import TOKENS, mutated_bytes, mutated_value, mutated_xml
from fuzz.running import add_arguments, main
from synaprune.datasets import load_inputs, load_rows, read_idx
from synaprune.io import _digest, _json
from synaprune.tables import find_target, read_target
from synaprune.unpacking import zip_members

CSV = b"size,colour,day,kind\n" + b"".join(
    b"%d.5,%s,2024-0%d-11,%s\n" % (i, b"red blue".split()[i % 2], 1 + i % 9, b"ab"[i % 2 :][:1])
    for i in range(24)
)
EURO = "Größe;Preis;Art\n".encode("cp1252") + b'1,5;"1.200,5 \x80";"a ""b"" c"\n2,5;;x\n' * 9
JSON = json.dumps([{"a": i, "b": "x y"[i % 3], "c": None} for i in range(12)]).encode()
LINES = b"".join(b'{"a": %d, "b": "w"}\n' % i for i in range(9))
COLUMNS = b'{"a": [1, 2, 3], "b": ["x", "y", "x"]}'
ARFF = (
    b"@relation r\n@attribute 'a b' numeric\n@attribute c {x,y}\n@data\n" + b"1.5,x\n2,y\n?,x\n" * 4
)
LIBSVM = b"1 1:0.5 3:2\n-1 2:1e3\n1 1:1 2:2 3:3\n" * 4
TEXTS = [
    CSV,
    EURO,
    JSON,
    LINES,
    COLUMNS,
    ARFF,
    LIBSVM,
    CSV.decode().encode("utf-16"),
    b"'a' 'b c' 3\n'd' 'e' 4\n" * 9,
    b"a\tb\n1\t$2,000\n" * 9,
    CSV.replace(b",", b"|"),
]
IDX = [
    bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 7, 9]),
    bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(12)]),
]
DTYPES = ["<f4", ">f4", "<f8", "<i8", "<i4", "|u1", "|b1", "<c8", "<U3", "|S2", "<M8[s]", "<f2"]


def place(content, name="file"):
    """Write content to a file of this process that the next execution overwrites."""
    path = _folder() / name
    path.write_bytes(content)
    return path


@functools.cache
def _folder():
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.TemporaryDirectory(prefix="fuzz-", dir=shared)
    _folder.kept = folder  # removed as the process ends
    return Path(folder.name)


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    """Return a zip archive; `zipfile` takes as long as the reader that is to be tried."""
    files, entries, at = [], [], 0
    for name, content in members.items():
        packed = zlib.compress(content, 1, -15) if compression else content
        sizes = zlib.crc32(content), len(packed), len(content), len(name.encode()), 0
        fields = struct.pack("<5H3I2H", 20, 0x800, compression, 0, 33, *sizes)  # names are UTF-8
        files.append(b"PK\3\4" + fields + name.encode() + packed)
        place = struct.pack("<3H2I", 0, 0, 0, 0, at)
        entries.append(b"PK\1\2\x14\0" + fields + place + name.encode())
        at += len(files[-1])
    counts = len(files), len(files), sum(map(len, entries)), at, 0
    return b"".join((*files, *entries, b"PK\5\6", struct.pack("<4H2IH", 0, 0, *counts)))


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def any_array(rng):
    """Return an array of any dtype and few dimensions."""
    shape = [rng.choice((0, 1, 2, 3, 7, 24, 40)) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3)))]
    raw = np.array([rng.choice((0, 1, -1, 2, 2.5, 1e39, np.nan, np.inf))] * int(np.prod(shape)))
    with np.errstate(all="ignore"):
        return raw.astype(rng.choice(DTYPES)).reshape(shape, order=rng.choice("CF"))


ARRAYS = {
    "X": npy(np.arange(24, dtype="f4").reshape(12, 2)),
    "y": npy(np.arange(12) % 3),
    "input_names": npy(np.array(["a", "b"])),
}


@functools.cache
def models():
    """Return headers and members of sound model files."""
    data = sn.datasets.xor()
    files = []
    table = sn.read_table(io.BytesIO(CSV))
    target = find_target(table, "kind")
    inputs = table.without([target])
    encoder = sn.TableEncoder.fit(inputs)
    words = sn.SparseMLP((len(encoder.input_names), 3, 1), seed=0, input_scaling="standard")
    words.fit(encoder.transform(inputs), table.columns[target].astype(str))
    words.encoder = encoder
    numbers = sn.SparseMLP((2, 3, 2), loss="squared_error", seed=0)
    numbers.fit(np.eye(2), np.array([[1.0, 2.0], [3.0, 5.0]]), training=sn.Training(2))
    net = sn.SparseMLP((2, 6, 1), seed=0, init_scale=1.0).fit(*data.train, training=sn.Training(3))
    recipe = sn.Training(4, optimizer=sn.SGD(0.1, momentum=0.9))
    path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6, training=recipe)
    path.expected = path.expected_full = {"value": 1.0, "low": 0.5, "high": 1.0, "method": "folds"}
    frozen = net.with_frozen(inputs=[0])
    for thing in (words, numbers, frozen, path):
        file = _folder() / "model.npz"
        thing.save(file)
        members = zip_members(io.BytesIO(file.read_bytes()))
        header = json.loads(members.pop("header.json"))
        del header["sha256"]
        files.append((header, members, file.read_bytes()))
    return files


def model(rng):
    """Model files, altered inside and outside of their checksum."""
    header, members, content = rng.choice(models())
    how = rng.randrange(10)
    if how == 0:
        content = mutated_bytes(rng, content)
    else:
        members = dict(members)
        if how < 6:
            part = rng.choice(("network", "start", "path", None))
            part = part if part in header else None
            node = header if part is None else header[part]
            value = mutated_value(rng, node)
            header = value if part is None else {**header, part: value}
        if how > 4:
            name = rng.choice(list(members))
            if rng.random() < 0.5:
                members[name] = mutated_bytes(rng, members[name])
            else:
                members[name] = npy(any_array(rng))
            if rng.random() < 0.05:
                del members[name]
        try:
            signed = {**header, "sha256": _digest(header, members)}
            members["header.json"] = _json(signed)
        except (TypeError, ValueError):  # no object, or a lone surrogate
            members["header.json"] = json.dumps(header).encode()
        content = zipped(members, zipfile.ZIP_STORED)
    file = place(content, "model.npz")
    kind = rng.choice((sn.SparseMLP, sn.PruningPath))
    loaded = kind.load(file)
    _use(loaded, rng.random() < 0.1)


def _use(loaded, saving=False):
    """Hold that what was loaded works."""
    try:
        _used(loaded, saving)
    except ValueError as error:  # of sums that overflow, which a call may find out
        if "overflow" not in str(error):
            raise AssertionError("what was loaded does not work") from error


def _used(loaded, saving):
    repr(loaded)
    if saving:
        loaded.save(_folder() / "again.npz")
        assert repr(type(loaded).load(_folder() / "again.npz")) == repr(loaded)
    if isinstance(loaded, sn.PruningPath):
        loaded.table(), loaded.to_json()
        loaded.removed(len(loaded) - 1)
        loaded = loaded.smallest
    _ = loaded.structure, loaded.used_inputs, loaded.used_columns, loaded.weights
    loaded.predict(np.zeros((1, loaded.n_features), np.float32)) if loaded._targets else None
    if loaded.encoder:
        _ = loaded.encoder.meanings


def from_json(rng):
    """Texts for `SparseMLP.from_json`."""
    text, value = rng.choice(_texts())
    if rng.random() < 0.5:
        given = mutated_bytes(rng, text)
    else:
        given = json.dumps(mutated_value(rng, value))
    _use(sn.SparseMLP.from_json(given), rng.random() < 0.1)


@functools.cache
def _texts():
    nets = []
    for header, members, _ in models():
        arrays = {n.removesuffix(".npy"): np.load(io.BytesIO(m)) for n, m in members.items()}
        arrays = {n.split("/")[1]: a for n, a in arrays.items() if n.startswith("network/")}
        nets.append(sn.SparseMLP.from_state(header["network"], arrays))
    return [(net.to_json().encode(), json.loads(net.to_json())) for net in nets]


def encoder(rng):
    """Records of encoders."""
    record = models()[0][0]["network"]["encoder"]
    made = sn.TableEncoder.from_record(mutated_value(rng, record))
    _ = repr(made), made.input_names, made.meanings
    assert sn.TableEncoder.from_record(made.record()).record() == made.record()
    try:
        X = made.transform(_inputs())
    except ValueError:  # of columns that the table has not, or of another kind
        return
    assert np.isfinite(X).all()


@functools.cache
def _inputs():
    return sn.read_table(io.BytesIO(CSV)).without(["kind"])


def idx(rng):
    """IDX files, plain and gzipped."""
    content = mutated_bytes(rng, rng.choice(IDX), IDX)
    if rng.random() < 0.3:
        content = gzip.compress(content, 1, mtime=0)
        if rng.random() < 0.5:
            content = mutated_bytes(rng, content)
    assert read_idx(place(content)).dtype == np.uint8


def npz(rng):
    """NPZ tables."""
    arrays = dict(ARRAYS)
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(list(arrays))
        change = rng.random()
        if change < 0.1:
            del arrays[name]
            arrays["z"] = b""
        elif change < 0.5:
            arrays[name] = npy(any_array(rng))
        else:
            arrays[name] = mutated_bytes(rng, arrays[name], list(arrays.values()))
    content = zipped({f"{n}.npy": a for n, a in arrays.items()}, rng.choice((0, 8)))
    if rng.random() < 0.3:
        content = mutated_bytes(rng, content)
    file = place(content, "table.npz")
    if rng.random() < 0.5:
        load_rows(file, rng.choice((None, "y", "X", "z")), as_numbers=rng.choice((None, True)))
    else:
        X = load_inputs(file, rng.choice((None, ["b"], ["a", "b"])))
        assert np.isfinite(X).all()


def text_table(rng):
    """Tables of text, as bytes."""
    _read_table(rng, mutated_bytes(rng, rng.choice(TEXTS), TEXTS))


def _read_table(rng, content):
    hints = {}
    if rng.random() < 0.2:
        hints = {"separator": rng.choice(",; \t|'\"\n\0"), "header": rng.choice((True, False))}
    table = sn.read_table(io.BytesIO(content), **hints)
    assert len({len(column) for column in table.columns.values()}) == 1
    repr(table)
    if rng.random() < 0.1:
        name = find_target(table, rng.choice((None, 0, -1)))
        read_target(table, name)
    if rng.random() < 0.1:
        made = sn.TableEncoder.fit(table)
        assert np.isfinite(made.transform(table)).all()


PACKS = (
    lambda rng, content: gzip.compress(content, 1),
    lambda rng, content: bz2.compress(content, 1),
    lambda rng, content: lzma.compress(content, preset=0),  # the usual one takes 3 ms for a row
    lambda rng, content: zipped({rng.choice(("t.csv", "../t", "/t", "")): content}),
)


def packed_table(rng):
    """Compressed tables and archives."""
    content = mutated_bytes(rng, rng.choice(TEXTS)) if rng.random() < 0.3 else rng.choice(TEXTS)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        content = rng.choice(PACKS)(rng, content)
    if rng.random() < 0.8:
        content = mutated_bytes(rng, content)
    _read_table(rng, content)


def sheet(rng):
    """Workbooks of Excel and OpenDocument, altered inside of their archive."""
    members = dict(rng.choice(_workbooks()))
    name = max(members, key=lambda name: len(members[name]) * (rng.random() < 0.7))
    if rng.random() < 0.7:
        members[name] = mutated_xml(rng, members[name])
    else:
        members[name] = mutated_bytes(rng, members[name], list(members.values()))
    content = zipped(members, rng.choice((0, 8)))
    if rng.random() < 0.2:
        content = mutated_bytes(rng, content)
    _read_table(rng, content)


@functools.cache
def _workbooks():
    main = "http://schemas.openxmlformats.org/"
    rel = f"{main}officeDocument/2006/relationships"
    rows = "".join(
        f'<row r="{r}"><c r="A{r}"><v>{r}.5</v></c><c r="B{r}" t="s"><v>{r % 2}</v></c>'
        f'<c r="C{r}" t="inlineStr"><is><t>w{r}</t></is></c></row>'
        for r in range(1, 9)
    )
    xlsx = {
        "[Content_Types].xml": f'<Types xmlns="{main}package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{main}package/2006/relationships"><Relationship '
        f'Id="rId1" Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}spreadsheetml/2006/main" xmlns:r="{rel}">'
        '<sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{main}package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{rel}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{rel}/sharedStrings" Target="sharedStrings.xml"/>'
        "</Relationships>",
        "xl/sharedStrings.xml": f'<sst xmlns="{main}spreadsheetml/2006/main" count="2">'
        "<si><t>red</t></si><si><t>blue</t></si></sst>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}spreadsheetml/2006/main">'
        f'<dimension ref="A1:C8"/><sheetData>{rows}</sheetData></worksheet>',
    }
    space = "urn:oasis:names:tc:opendocument:xmlns"
    number = 'office:value-type="float" office:value="1"><text:p>1</text:p></table:table-cell>'
    twice = 'table:number-columns-repeated="2"><text:p>a b</text:p></table:table-cell>'
    row = (
        f'<table:table-row table:number-rows-repeated="3"><table:table-cell {number}'
        f'<table:table-cell office:value-type="string" {twice}'
        '<table:table-cell table:number-columns-repeated="9"/></table:table-row>'
    )
    ods = {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{space}:manifest:1.0"/>',
        "content.xml": f'<office:document-content xmlns:office="{space}:office:1.0" '
        f'xmlns:table="{space}:table:1.0" xmlns:text="{space}:text:1.0"><office:body>'
        f'<office:spreadsheet><table:table table:name="a">{row * 4}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>",
    }
    return [{n: t.encode() for n, t in members.items()} for members in (xlsx, ods)]


def parquet(rng):
    """Parquet files; duckdb reads them."""
    contents, database = _parquets()
    content = rng.choice(contents)
    end = len(content) - 8
    begin = end - int.from_bytes(content[end : end + 4], "little")
    how = rng.randrange(3)
    if how == 0:  # pages, which stay where the footer says
        body = mutated_bytes(rng, content[4:begin], contents)[: begin - 4].ljust(begin - 4, b"\0")
        content = b"PAR1" + body + content[begin:]
    elif how == 1:
        footer = mutated_bytes(rng, content[begin:end], contents)
        content = content[:begin] + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    else:
        content = mutated_bytes(rng, content, contents)
    with mock.patch("duckdb.connect", database.cursor):  # a new database takes 25 ms of 30
        _read_table(rng, content)


@functools.cache
def _parquets():
    import duckdb

    contents = []
    query = "select i, i / 2 as half, 'w' || i % 3 as word from range(30) t(i)"
    for options in ("compression snappy", "compression zstd", "compression uncompressed"):
        file = _folder() / "made.parquet"
        duckdb.sql(f"copy ({query}) to '{file}' (format parquet, {options})")
        contents.append(file.read_bytes())
    return contents, duckdb.connect()


def names(rng):
    """Hostile names and labels for the exporters."""
    n = rng.choice((2, 3))
    made = [rng.choice(HOSTILE) for _ in range(2 * n)]
    for i, name in enumerate(made):
        raw = mutated_bytes(rng, name.encode(), [h.encode() for h in HOSTILE] + TOKENS)
        made[i] = raw.decode("utf-8", rng.choice(("surrogateescape", "replace", "ignore")))
    labels, inputs = made[:n], made[n:]
    net = sn.SparseMLP((n, n) if n > 2 else (n, 1), input_scaling="none", seed=0)
    net.prepare(np.eye(n, dtype=np.float32), np.array(labels))
    net.input_names = inputs
    export = rng.choice(("json", "python", "js", "c", "sql"))
    if export == "json":
        again = sn.SparseMLP.from_json(net.to_json())
        assert again.input_names == net.input_names
        assert again.classes.tolist() == net.classes.tolist()
    elif export == "python":
        tree = ast.parse(net.to_python())
        assert not any(isinstance(n, ast.Name) and n.id == "injected" for n in ast.walk(tree))
    elif export == "js":
        text = net.to_js()
        assert "</script" not in text
        assert "\u2028" not in text
    elif export == "c":
        for line in net.to_c().splitlines():
            assert line.isprintable() or "\t" in line, line
    else:
        net.to_sql(table="t", dialect=rng.choice(("sqlite", "postgresql", "duckdb")))


MODEL = (sn.ModelFileError,)
TARGETS = {
    "model": (model, MODEL, models),
    "from_json": (from_json, MODEL, _texts),
    "encoder": (encoder, (KeyError, TypeError, ValueError), models),
    "idx": (idx, (ValueError,)),
    "npz": (npz, (ValueError,)),
    "text_table": (text_table, (ValueError,)),
    "packed_table": (packed_table, (ValueError,)),
    "sheet": (sheet, (ValueError,), _workbooks),
    "parquet": (parquet, (ValueError,), _parquets),
    "names": (names, (ValueError,)),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, TARGETS)
    sys.exit(bool(main(TARGETS, parser.parse_args())))
