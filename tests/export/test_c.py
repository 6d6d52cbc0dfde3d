"""C headers say what the network says; nothing that a label holds breaks out of them."""

import subprocess

import numpy as np
import pytest
import synaprune as sn
from export.compiling import (
    C99,
    CPP,
    CPP_AS_TOLD,
    SANITIZED,
    compile_file,
    header,
    needs_gcc,
    raw_header,
    run,
    run_raw,
)
from export.networks import given, random_network, tolerance
from export.texts import (
    hostile_network,
    odd_table,
    table_network,
    table_of_amounts,
    table_of_dates,
)
from synaprune.program import Program

pytestmark = needs_gcc


def assert_agrees(net, X, found):
    said, program = given(net, X), Program.of(net)
    limit = tolerance(program, X)
    assert (np.abs(found["y"] - said) <= limit).all()
    if not net.is_regression:
        number = np.searchsorted(net.classes, net.predict(X))
        other = found["number"] != number
        two = np.sort(said[other], axis=1)[:, -2:]  # within rounding of a tie
        assert (np.diff(two, axis=1) < 1e-5).all()
        assert other.sum() <= 1


@pytest.mark.parametrize(
    ("first", "layout", "compiler"),
    [(0, "csr", C99), (50, "unrolled", C99), (100, "auto", SANITIZED), (150, "csr", CPP)],
)
def test_random_networks(first, layout, compiler, tmp_path):
    networks = [random_network(seed) for seed in range(first, first + 50)]
    headers = [
        header(net, X, f"n{i}", layout=layout, inputs="all" if i % 2 else "used")
        for i, (net, X) in enumerate(networks)
    ]
    for i in range(0, 50, 2):
        name, text, X, *sizes = headers[i]
        headers[i] = (name, text, X[:, Program.of(networks[i][0]).inputs], *sizes)
    for (net, X), found in zip(networks, run(headers, tmp_path, compiler), strict=True):
        assert_agrees(net, X, found)


@pytest.fixture(scope="module")
def digits():
    """A pruned network of digits, and the test rows as float32 and as bytes."""
    data = sn.datasets.digits()
    net = sn.SparseMLP((64, 20, 10), input_scaling=(0.0, 1.0 / 16.0), seed=0)
    recipe = sn.Training(20, batch_size=16, optimizer=sn.SGD(lr=0.1))
    train, validation = ((16.0 * X, y) for X, y in (data.train, data.validation))
    path = sn.prune(net, *train, validation=validation, n_synapses=250, training=recipe)
    return path.smallest, 16.0 * data.test.X


@pytest.mark.parametrize("layout", ["csr", "unrolled"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_digits_keep_every_class(digits, dtype, layout, tmp_path):
    net, X = digits
    rows = X.astype(dtype)
    assert (rows == X).all()
    told = header(net, rows, "digits", layout=layout, input_dtype=dtype)
    for compiler in (C99, CPP_AS_TOLD):
        (found,) = run([told], tmp_path, compiler)
        assert (net.classes[found["number"]] == net.predict(X)).all()
        np.testing.assert_allclose(found["y"], net.predict_proba(X), rtol=0, atol=1e-6)


def test_a_relu_network_predicts_classes_without_libm(digits, tmp_path):
    net, X = digits
    net.to_c(tmp_path / "digits.h", name="digits")
    (tmp_path / "main.c").write_text(
        f'#include "digits.h"\nint main(void) {{ static const float x[{X.shape[1]}] = {{0.0f}}; '
        "return digits_predict(x) > 9; }"
    )
    compile_file(tmp_path / "main.c", tmp_path / "main", libraries=())
    symbols = subprocess.run(["nm", tmp_path / "main"], capture_output=True, text=True, timeout=60)
    assert "main" in symbols.stdout
    assert "expf" not in symbols.stdout


@pytest.mark.parametrize("seed", [1, 4, 8])
def test_the_self_test_passes_and_can_fail(seed, tmp_path):
    net, X = random_network(seed)
    path = tmp_path / "net.h"
    text = net.to_c(path, name="net", self_test=X)
    assert path.read_text() == text
    flags = (*C99, "-DNET_SELF_TEST")
    compile_file(path, tmp_path / "test", flags)
    done = subprocess.run([tmp_path / "test"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"0 of {len(X)} rows differ\n")
    begin, end = text.split("net_test_y", 1)
    spoilt = tmp_path / "spoilt.h"
    spoilt.write_text(begin + "net_test_y" + end.replace("{\n  ", "{\n  9", 1))
    compile_file(spoilt, tmp_path / "spoilt", flags)
    done = subprocess.run([tmp_path / "spoilt"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout.startswith("1 of ")


HOSTILE = [
    "*/ int injected; /*",
    'quote " and \\',
    "ends with a backslash\\",
    "line\nbreak\\\n",
    "??/ trigraph ??'",
    "%s %n",
    "naïve žluťoučký 猫 \U0001f600",
    "\ud800",
    "</script>",
    "// comment",
    "0123 \t\r\x01\x7f7",
    "",
    "a  long label " + "with many words " * 12,
]


def test_hostile_labels_and_columns_stay_text(tmp_path):
    labels = np.array(HOSTILE)
    n = len(labels)
    X = np.eye(n, dtype=np.float32)
    net = sn.SparseMLP((n, n))
    net.prepare(X, labels)
    net.input_names = HOSTILE
    told = header(net, X, "hostile")
    assert told[1].isascii()
    assert all(not line.endswith("\\") for line in told[1].splitlines())
    for compiler in (C99, CPP, (*C99, "-trigraphs")):
        run([told], tmp_path, compiler)
        # The labels come back byte for byte.
        (tmp_path / "labels.c").write_text(
            '#include <stdio.h>\n#include "hostile.h"\nint main(void) { uint16_t i; for (i = 0; '
            f"i < {n + 1}; ++i) {{ fputs(hostile_class_name(i), stdout); putchar('|'); }} "
            "return 0; }"
        )
        compile_file(tmp_path / "labels.c", tmp_path / "labels", compiler)
        done = subprocess.run([tmp_path / "labels"], capture_output=True, timeout=60)
        expected = "".join(f"{label}|" for label in [*net.classes.tolist(), ""])
        assert done.stdout == expected.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("labels", [[-5, 0, 300000], [False, True]])
def test_labels_that_are_no_strings(labels, tmp_path):
    net = sn.SparseMLP((2, len(labels)))
    X = np.ones((len(labels), 2), np.float32)
    net.prepare(X, labels)
    text = net.to_c(name="net")
    for label in labels:
        assert f'"{label}"' in text
    run([header(net, X, "net")], tmp_path)


def test_a_label_longer_than_c_takes_is_refused():
    net = sn.SparseMLP((2, 1))
    net.prepare(np.ones((2, 2), np.float32), ["a", "b" * 5000])
    with pytest.raises(ValueError, match="5000 bytes, and C takes 4095"):
        net.to_c()


def test_of_a_table_the_encoded_inputs_are_named():
    rows = [["2.5", "red"], ["", "blue"], ["3", "red"], ["4", "blue"]]
    table = sn.Table.from_rows(rows, ["size", "colour */"])
    net = sn.SparseMLP((2, 1))
    net.encoder = sn.TableEncoder.fit(table)
    net.prepare(table, [0, 1, 0, 1])
    text = net.to_c()
    assert "as the table's encoder makes them" in text
    assert 'x[1]: "colour <U+002A>/=red"' in text


def test_numbers_beyond_float32_are_refused():
    X = np.arange(8, dtype=np.float32).reshape(4, 2)
    for y in ([0.0, 1e39, 2e39, 3e39], [0.0, 1e-40, 2e-40, 3e-40]):
        net = sn.SparseMLP((2, 1), loss="squared_error")
        net.prepare(X, y)
        with pytest.raises(ValueError, match="beyond the range of C's float"):
            net.to_c()


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"name": 3}, TypeError, "name must be a string, got 3"),
        ({"name": ""}, ValueError, "name must begin identifiers"),
        ({"name": "a b"}, ValueError, "got 'a b'"),
        ({"name": "_x"}, ValueError, "a letter first"),
        ({"name": "x__y"}, ValueError, "single underscores"),
        ({"name": "x_"}, ValueError, "no underscore last"),
        ({"name": "é"}, ValueError, "ASCII"),
        ({"name": "x\n"}, ValueError, "name must begin"),
        ({"name": "x" * 41}, ValueError, "at most 40"),
        ({"layout": "dense"}, ValueError, "layout must be one of auto, csr, unrolled, got 'dense'"),
        ({"inputs": "some"}, ValueError, "inputs must be one of all, used"),
        ({"input_dtype": "int8"}, ValueError, "input_dtype must be one of float32, uint8"),
        ({"self_test": [[1.0]]}, ValueError, "self_test must have 2 columns"),
        ({"self_test": [[1.0, np.nan]]}, ValueError, "self_test"),
        ({"self_test": [[1.0, 2.0]], "input_dtype": "uint8"}, TypeError, "self_test must be uint8"),
        ({"path": "/no/such/folder/x.h"}, FileNotFoundError, "does not exist"),
    ],
)
def test_what_does_not_fit_is_refused(options, error, part):
    net = sn.SparseMLP((2, 1))
    net.prepare(np.ones((2, 2), np.float32), [0, 1])
    with pytest.raises(error) as caught:
        net.to_c(**options)
    assert part in str(caught.value)


def test_the_head_counts_what_the_tables_hold():
    net, _ = random_network(5)
    lines = net.to_c(layout="csr").splitlines()
    told = next(line for line in lines if "bytes of tables" in line)
    sizes = {"float": 4, "uint8_t": 1, "uint16_t": 2}
    total = 0
    for line in lines:
        if line.startswith("static const "):
            kind, cell = line.split()[2:4]
            total += sizes[kind] * int(cell.split("[")[1].split("]")[0])
    assert f"{total} bytes of tables" in told
    assert total > 0


def test_auto_takes_the_smaller_layout():
    def written_out(net):
        return "written out" in net.to_c()

    small, large = sn.SparseMLP((2, 2, 1)), sn.SparseMLP((64, 20, 1))
    for net in (small, large):
        net.prepare(np.ones((20, net.n_features), np.float32), np.arange(20) % 2)
    assert written_out(small)
    assert not written_out(large)


@pytest.mark.filterwarnings("ignore:table. cells of")
@pytest.mark.parametrize("compiler", [C99, CPP, SANITIZED])
def test_raw_cells(compiler, tables_dir, tmp_path):
    titanic = table_network(sn.read_table(tables_dir / "titanic.csv.gz"), "target")
    cases = {"titanic": titanic, "odd": odd_table(), "amounts": table_of_amounts()}
    headers = [raw_header(net, table, name) for name, (net, table) in cases.items()]
    for (net, table), y in zip(cases.values(), run_raw(headers, tmp_path, compiler), strict=True):
        np.testing.assert_allclose(y, net.predict_proba(table), rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_raw_dates_and_integers(tmp_path):
    net, table = table_of_dates()
    (y,) = run_raw([raw_header(net, table, "dates")], tmp_path)
    limit = tolerance(Program.of(net), net.as_inputs(table))
    assert (np.abs(y - net.predict(table)) <= limit).all()
    net, table = odd_table()
    run_raw([raw_header(net, table, "odd", dtype="int8", calibration=table)], tmp_path, SANITIZED)


def test_a_program_fills_in_raw_cells(tmp_path):
    rows = [[str(i % 7), ("red", "dark  Red!", "")[i % 3], "ab"[i % 7 > 3]] for i in range(210)]
    net, _ = table_network(sn.Table.from_rows(rows, ["int", "class", "target"]), "target")
    (tmp_path / "n.h").write_text(net.to_c(inputs="raw"))
    (tmp_path / "main.c").write_text("""#include <stdio.h>
#include "n.h"
int main(void) {
  const network_row first = {1.0f, NETWORK_CLASS_COLUMN_DARK_RED}, gap = {NAN, 99u};
  network_row other = {0.0f, 0u};
  float p[3][NETWORK_N_CLASSES];
  other.int_column = 2.0f;
  other.class_column = network_find_class_column("");
  network_predict_proba(&first, p[0]);
  network_predict_proba(&gap, p[1]);
  network_predict_proba(&other, p[2]);
  printf("%s %d %d|", network_name_of_class_column(network_find_class_column("red")),
         network_find_class_column("?"), other.class_column == NETWORK_CLASS_COLUMN_MISSING);
  printf("%.6f %.6f %.6f", (double)p[0][0], (double)p[1][0], (double)p[2][0]);
  return 0;
}
""")
    compile_file(tmp_path / "main.c", tmp_path / "main", C99)
    told, p = subprocess.run(
        [tmp_path / "main"], capture_output=True, text=True, check=True
    ).stdout.split("|")
    assert told == "red 3 1"
    asked = sn.Table.from_rows([["1", "dark Red!"], ["", "none"], ["2", ""]], ["int", "class"])
    np.testing.assert_allclose(
        list(map(float, p.split())), net.predict_proba(asked)[:, 0], rtol=0, atol=2e-6
    )


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_raw_cells_need_a_table():
    net, _ = hostile_network()
    with pytest.raises(ValueError, match="inputs must be 'all' or 'used', as the network has no"):
        net.to_c(inputs="raw")
    net, table = table_of_amounts()
    with pytest.raises(ValueError, match="does not go with input_dtype 'uint8'"):
        net.to_c(inputs="raw", input_dtype="uint8")
    with pytest.raises(TypeError, match="self_test must be a Table or DataFrame"):
        net.to_c(inputs="raw", self_test=net.as_inputs(table))
    with pytest.raises(ValueError, match="as no output depends on any column"):
        net.without(inputs=range(net.n_features)).to_c(inputs="raw")
