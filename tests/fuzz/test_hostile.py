"""What hostile files and bad calls used to do. Each test is one kind of fault, found by `fuzz`."""

import bz2
import gzip
import io
import json
import lzma
import tracemalloc
import zipfile

import numpy as np
import pytest
import synaprune as sn
from fuzz import boundary, calls, readers
from fuzz.running import execute
from synaprune import _core, datasets, unpacking
from synaprune.io import read_model, write_model
from synaprune.tables import _files
from synaprune.tables._cells import cell_of
from synaprune.unpacking import npy_array, parse_json, unpack, zip_members

# --- sizes that a file only claims --------------------------------------------------------------

PLENTY = 2**20


@pytest.fixture
def peak(monkeypatch):
    """Lets files ask for 1 MB, not 64, and fails if over 30 MB are taken, numpy's included."""
    monkeypatch.setattr(unpacking, "PLENTY", PLENTY)
    tracemalloc.start()
    yield
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 30e6


PACKS = (gzip.compress, lzma.compress, bz2.compress)
BOMBS = {pack: pack(bytes(9 * PLENTY)) for pack in PACKS}


@pytest.mark.parametrize("pack", PACKS)
def test_a_compressed_table_that_becomes_much_larger_is_refused(pack, peak):
    """This used to take all the memory that it asked for."""
    with pytest.raises(ValueError, match=r"data: a file of \d+ bytes may become 1048576, but"):
        sn.read_table(io.BytesIO(BOMBS[pack]))


@pytest.mark.parametrize("pack", PACKS)
def test_streams_one_after_another_are_read_and_truncated_ones_are_not(pack):
    for whole in (pack(b"a,b\n1,2\n"), pack(b"a,b\n") + pack(b"1,2\n")):
        assert unpack(whole) == b"a,b\n1,2\n"
        with pytest.raises(ValueError, match="damaged compressed file"):
            unpack(whole[:-5])


def test_a_gzipped_idx_that_becomes_much_larger_is_refused(tmp_path, peak):
    (tmp_path / "bomb").write_bytes(gzip.compress(bytes(9 * PLENTY)))
    with pytest.raises(ValueError, match=r"bomb: corrupt gzip file: a file of \d+ bytes may becom"):
        datasets.read_idx(tmp_path / "bomb")


def zipped(members, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def zip_bomb():
    return zipped([("X.npy", bytes(9 * PLENTY))])


def test_a_zip_bomb_is_refused_by_every_reader(zip_bomb, tmp_path, peak):
    """These used to be unpacked whole."""
    file = tmp_path / "bomb.npz"
    file.write_bytes(zip_bomb)
    with pytest.raises(sn.ModelFileError, match="may become 1048576, but would become 9437184"):
        sn.SparseMLP.load(file)
    for read in (datasets.load_inputs, datasets.load_rows, sn.read_table):
        with pytest.raises(ValueError, match="may become 1048576, but would become 9437184"):
            read(file)


def test_a_member_larger_than_it_says_is_refused(zip_bomb):
    lies = zip_bomb.replace((9 * PLENTY).to_bytes(4, "little"), (9).to_bytes(4, "little"))
    assert lies != zip_bomb
    with pytest.raises(ValueError, match="zip archive that cannot be read"):
        zip_members(io.BytesIO(lies))


def test_two_members_of_one_name_are_refused():
    """The last of them used to count, so that two programs could read two networks of one file."""
    with pytest.warns(UserWarning, match="Duplicate"):
        content = zipped([("a", b"1"), ("a", b"2")])
    with pytest.raises(ValueError, match="two members 'a'"):
        zip_members(io.BytesIO(content))


def test_a_network_that_compresses_too_well_is_stored_and_loads(tmp_path, monkeypatch):
    """Bounds must never refuse what `save` has written."""
    monkeypatch.setattr(unpacking, "PLENTY", PLENTY)
    n = 600
    zeros = sn.SparseLayer.from_dense(np.zeros((n, n // 2)), keep_zeros=True)
    net = sn.SparseMLP((n // 2, n), loss="squared_error").set_weights([zeros])
    net.save(tmp_path / "net.npz")
    assert (tmp_path / "net.npz").stat().st_size > 2e6
    assert sn.SparseMLP.load(tmp_path / "net.npz").n_synapses == net.n_synapses


def header_only(descr, shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header_only("<f4", (2**40,)), "has 0 bytes"),
        (header_only("<f4", (-1, -1)) + b"1234", "has 4 bytes"),
        (header_only("|S0", (2**40,)), "which is not read"),
        (header_only([("a", "<f4")], (1,)) + b"1234", "which is not read"),
        (header_only("|O", (1,)) + b"12345678", "allow_pickle=False"),
        (header_only("<U1", (1,)) + b"\xff\xff\xff\xff", "characters that there are not"),
        (b"\x93NUMPY\x09\x00", "no array of numpy.save"),
        (b"", "no array of numpy.save"),
    ],
)
def test_an_array_that_is_not_what_its_header_says_is_refused(content, message, peak):
    """numpy used to make room for what the header said; strings of no characters a SystemError."""
    with pytest.raises(ValueError, match=message):
        npy_array(content)


def test_nothing_is_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return exec, ("raise SystemExit('ran')",)

    evil = np.array([Evil()], object)
    np.savez(tmp_path / "evil.npz", X=evil, y=evil)
    for read in (datasets.load_inputs, datasets.load_rows, sn.SparseMLP.load, sn.PruningPath.load):
        with pytest.raises(ValueError, match=r"evil\.npz"):
            read(tmp_path / "evil.npz")


# --- models -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The header and arrays of a path."""
    readers.models()
    file = tmp_path_factory.mktemp("saved") / "path.npz"
    file.write_bytes(readers.models()[-1][2])
    return read_model(file)


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        # a core of 2**31 inputs used to take 32 GB before it was refused
        ("network", "layers", [2**31 - 64, 6, 1], "a shift of"),
        # 8 GB of blanks
        ("network", "labels", "<U999999999", "labels must take"),
        ("network", "labels", "(999999,)i4", "the dtype of labels"),
        # an OverflowError
        ("network", "classes", [0, 10**30], "labels must be within"),
        ("network", "numbers", {"mean": [10**400], "scale": [1], "one_axis": True}, "128 bits"),
    ],
)
def test_a_signed_model_that_asks_for_too_much_is_refused(
    part, key, value, message, saved, tmp_path
):
    header, arrays = saved
    write_model(tmp_path / "bent.npz", {**header, part: {**header[part], key: value}}, arrays)
    with pytest.raises(sn.ModelFileError, match=message):
        sn.SparseMLP.load(tmp_path / "bent.npz")


def test_outputs_are_those_of_the_last_layer(tmp_path):
    """This used to load, and predictions failed."""
    file = tmp_path / "net.npz"
    file.write_bytes(readers.models()[1][2])
    header, arrays = read_model(file)
    header["network"] |= {"layers": [2, 3, 3], "numbers": None}
    write_model(file, header, arrays)
    with pytest.raises(sn.ModelFileError, match="does not fit 3 neurons"):
        sn.SparseMLP.load(file)


def test_numbers_beyond_float64_in_a_model_are_refused():
    """This used to raise an OverflowError."""
    record = {"mean": [10**400], "scale": [1.0], "one_axis": True}
    with pytest.raises(ValueError, match="within float64"):
        sn.network.TargetScaler.saved(record, 1)


def test_ints_of_over_128_bits_in_a_header_are_refused(saved, tmp_path):
    """Steps with such scores were read, and then could not be shown: OverflowError."""
    header, arrays = saved
    for i, key in enumerate(("accuracy", "bound", "epochs")):
        steps = [{**header["path"][0], key: 2**128}, *header["path"][1:]]
        write_model(tmp_path / f"{i}.npz", {**header, "path": steps}, arrays)
        with pytest.raises(
            sn.ModelFileError, match="more than 128 bits: 3402823669209384634633746"
        ):
            sn.PruningPath.load(tmp_path / f"{i}.npz")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stop_reason", 5),
        ("options", []),
        ("epochs", True),
        ("metric", None),
        ("expected", "high"),
        ("data_sha256", 1),
    ],
)
def test_facts_of_a_path_have_their_types(key, value, saved, tmp_path):
    """`synaprune info` used to end in a traceback."""
    header, arrays = saved
    write_model(tmp_path / "bent.npz", {**header, key: value}, arrays)
    with pytest.raises(sn.ModelFileError, match=f"does not describe a path: {key} is"):
        sn.PruningPath.load(tmp_path / "bent.npz")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", 7),
        ("structure", "9-9"),
        ("structure", 5),
        ("score", "high"),
        ("n_synapses", -1),
        ("bound", []),
    ],
)
def test_figures_of_a_step_are_those_of_its_network(key, value, saved, tmp_path):
    header, arrays = saved
    first, *others = header["path"]
    key = {"score": "accuracy"}.get(key, key)
    write_model(tmp_path / "x.npz", {**header, "path": [{**first, key: value}, *others]}, arrays)
    with pytest.raises(sn.ModelFileError, match="does not describe a path"):
        sn.PruningPath.load(tmp_path / "x.npz")


def test_positions_of_a_step_ascend(saved, tmp_path):
    header, arrays = saved
    living = arrays["path/living"].copy()
    living[[0, 1]] = living[[1, 0]]
    write_model(tmp_path / "bent.npz", header, {**arrays, "path/living": living})
    with pytest.raises(sn.ModelFileError, match="ascending and unique"):
        sn.PruningPath.load(tmp_path / "bent.npz")


def test_a_name_that_utf8_has_not_survives(tmp_path):
    """`save` used to raise a UnicodeEncodeError."""
    net = sn.SparseMLP((2, 1))
    net.input_names = ("\ud800", "b")
    net.save(tmp_path / "net.npz")
    assert sn.SparseMLP.load(tmp_path / "net.npz").input_names == net.input_names


# --- JSON ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10**5, "nested too deeply"),
        ('{"a":' * 10**5, "nested too deeply"),
        ('{"a": 1, "a": 2}', "several 'a'"),
        ("9" * 5000, "digits"),
        ("[NaN]", "no number NaN"),
        (b"\xff\xfe\xff", "decode|truncated|column"),
    ],
)
def test_json_bombs_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


BENT_COLUMNS = [
    {"low": 2.0, "high": 1.0},
    {"fill": float("inf")},
    {"fill": 10**400},
    {"offset": float("inf")},
]


@pytest.mark.parametrize("change", BENT_COLUMNS, ids=str)
def test_an_encoder_that_would_make_nan_is_refused(change):
    """Inputs used to be NaN or infinite; an int beyond float64 was an OverflowError."""
    table = sn.Table.from_rows([["1"], ["2"], ["4"]], ["a"])
    record = sn.TableEncoder.fit(table).record()
    record["columns"][0] |= change
    with pytest.raises(ValueError, match="must be"):
        sn.TableEncoder.from_record(record)
    record = sn.TableEncoder.fit(table).record()
    record["columns"] *= 2
    with pytest.raises(ValueError, match="several 'a'"):  # whose inputs took minutes to name
        sn.TableEncoder.from_record(record)


# --- tables -------------------------------------------------------------------------------------

SLOW = {
    "blanks": b"a b" + b" " * 10**5 + b"c\nd e f\n",
    "blank lines of ARFF": b"@relation x\n" + b"\n" * 10**5,
    "columns of one name": b",".join([b"a"] * 20000) + b"\n" + b",".join([b"1"] * 20000) + b"\n",
    "a line of 300 KB": b"a" * 3 * 10**5,
    "currencies": b"a,b\n1," + b"$" * 10**5 + b'"1\n2"\n2,3\n',
}


@pytest.mark.parametrize("kind", SLOW)
def test_no_text_takes_minutes(kind):
    """Each of these used to take time with the square of its size, or an error without a name."""
    ends, failures = execute(
        kind,
        (lambda rng: sn.read_table(io.BytesIO(SLOW[kind])), (ValueError,)),
        0,
        0,
        1,
    )
    assert not failures
    assert sum(ends.values()) == 1


def test_records_of_which_each_has_keys_of_its_own_are_refused(peak):
    """A file of 6 MB used to ask for 10**11 cells."""
    text = "\n".join(json.dumps({f"a{i}": 1}) for i in range(600))
    with pytest.raises(ValueError, match="few of its records have the same keys"):
        sn.read_table(io.BytesIO(text.encode()))


def test_a_libsvm_file_with_a_huge_index_is_refused(peak):
    pytest.importorskip("sklearn")
    with pytest.raises(ValueError, match="its largest index is too large"):
        sn.read_table(io.BytesIO(b"1 1:1 999999999:1\n0 2:1\n"))


def test_an_archive_that_holds_itself_ends():
    content = b"a,b\n1,2\n"
    for _ in range(5):
        content = gzip.compress(content)
    with pytest.raises(ValueError, match="an archive in an archive"):
        sn.read_table(io.BytesIO(content))


@pytest.mark.parametrize("place", ["XFD1048576", "ZZZZZZZ99999999999"])
def test_a_workbook_with_a_far_cell_is_refused(place):
    """python-calamine used to end the process: memory allocation of 549755813888 bytes failed."""
    pytest.importorskip("python_calamine")
    xlsx = dict(readers._workbooks()[0])
    name = "xl/worksheets/sheet1.xml"
    xlsx[name] = xlsx[name].replace(b'r="A8"', f'r="{place}"'.encode())
    with pytest.raises(ValueError, match=r"convert it to a \.csv file"):
        sn.read_table(io.BytesIO(zipped(xlsx.items())))


def test_cells_of_blank_rows_are_not_read_one_by_one(monkeypatch):
    pytest.importorskip("python_calamine")
    ods = dict(readers._workbooks()[1])
    before = sn.read_table(io.BytesIO(zipped(ods.items())))
    row = b'<table:table-row table:number-rows-repeated="'
    blank = row + b'100000"><table:table-cell/></table:table-row>'
    ods["content.xml"] = ods["content.xml"].replace(row, blank + row, 1)
    read = []
    monkeypatch.setattr(_files, "cell_of", lambda value: read.append(value) or cell_of(value))
    table = sn.read_table(io.BytesIO(zipped(ods.items())))
    assert table.columns.keys() == before.columns.keys()
    assert len(table) == len(before)
    assert len(read) < 1000


def test_a_truncated_sheet_ends():
    """python-calamine used to read this for ever."""
    pytest.importorskip("python_calamine")
    ods = dict(readers._workbooks()[1])
    ods["content.xml"] = ods["content.xml"][:-80]
    with pytest.raises(ValueError, match=r"content\.xml: (no element found|unclosed token)"):
        sn.read_table(io.BytesIO(zipped(ods.items())))


def test_entities_of_a_sheet_are_refused():
    pytest.importorskip("python_calamine")
    xlsx = dict(readers._workbooks()[0])
    xlsx["xl/workbook.xml"] = b'<!DOCTYPE a [<!ENTITY b "c">]>' + xlsx["xl/workbook.xml"]
    with pytest.raises(ValueError, match="defines entities"):
        sn.read_table(io.BytesIO(zipped(xlsx.items())))


def test_a_parquet_file_that_repeats_a_value_is_refused(tmp_path, peak):
    duckdb = pytest.importorskip("duckdb")
    for query, message in (
        ("select 1 as a from range(300000)", "would become 2400000"),
        ("select repeat('x', 40000) as a from range(300)", "would become 12000000"),
        ("select [1, 2] as a", "must be flat"),
    ):
        file = tmp_path / "table.parquet"
        duckdb.sql(f"copy ({query}) to '{file}' (format parquet, compression zstd)")
        with pytest.raises(ValueError, match=message):
            sn.read_table(file)


def test_a_device_is_no_file():
    """This used to read for ever."""
    for read in (sn.read_table, datasets.read_idx):
        with pytest.raises(ValueError, match="is a device and no file"):
            read("/dev/zero")
    with pytest.raises(OSError, match="is a device"):
        sn.SparseMLP.load("/dev/zero")


# --- the core -----------------------------------------------------------------------------------


def test_gather_checks_shift_and_scale():
    """This used to read beyond their ends, and crashed."""
    X, order, columns = np.ones((4, 3), np.float32), np.arange(4), np.arange(3, dtype=np.int32)
    three, none = np.ones(3, np.float32), np.ones(0, np.float32)
    for shift, scale in ((three, none), (none, three)):
        with pytest.raises(ValueError, match="must have 3 entries, got 0"):
            _core.kernels.gather("reference", X, order, columns, shift, scale)


@pytest.mark.parametrize("classes", [np.arange(1), np.arange(0), None, [0, 1]])
def test_labels_checks_classes(classes):
    """This used to be an IndexError, for some inputs alone."""
    net = _core.Network([3, 2], "relu", "softmax", 1.0, 0)
    with pytest.raises(ValueError, match="classes must be an array of 2 labels"):
        net.labels(np.ones((4, 3), np.float32), classes, 1)


# --- a short run of each harness ----------------------------------------------------------------

SHORT = {
    **dict.fromkeys(("idx", "from_json", "encoder", "npz", "text_table"), 60),
    "model": 30,
    "packed_table": 30,
    "sheet": 30,
    "names": 6,
    "parquet": 2,
    "boundary": 200,
    "api": 80,
    "console": 6,
}
NEEDS = {"sheet": "python_calamine", "parquet": "duckdb", "api": "matplotlib"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SHORT)
def test_a_short_run_finds_nothing(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    targets = {**readers.TARGETS, **boundary.TARGETS, **calls.TARGETS}
    ends, failures = execute(name, targets[name], 1, 0, SHORT[name])
    assert not failures, failures[0]
    assert sum(ends.values()) == SHORT[name]
