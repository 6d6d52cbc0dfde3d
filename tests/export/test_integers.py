"""Integers: C and Python compute the same bytes, and little is lost."""

import subprocess

import numpy as np
import pytest
import synaprune as sn
from export.compiling import (
    C99,
    CPP,
    FAST,
    SANITIZED,
    compile_file,
    header,
    needs_gcc,
    run,
)
from export.networks import given, random_network
from synaprune.program import Program


def bytes_of(X):
    """Rows as bytes, some of them at both ends."""
    rows = np.clip(np.rint(30.0 * X + 100.0), 0.0, 255.0).astype(np.uint8)
    rows[0], rows[1] = 0, 255
    return rows


def far(X):
    """Rows with some numbers far beyond those of calibration."""
    rows = X.copy()
    rows[:4] *= np.float32(30.0)
    rows[4] = np.finfo(np.float32).max
    rows[5] = -np.finfo(np.float32).max
    return rows


@needs_gcc
@pytest.mark.parametrize(
    ("first", "dtype", "layout", "compiler"),
    [
        (0, "int8", "csr", SANITIZED),
        (50, "int16", "csr", FAST),
        (100, "int8", "unrolled", CPP),
        (150, "int16", "unrolled", SANITIZED),
    ],
)
def test_c_computes_the_same_integers(first, dtype, layout, compiler, tmp_path):
    headers, expected, tied = [], [], 0
    for seed in range(first, first + 30):
        net, X = random_network(seed)
        X = np.abs(X) if seed % 4 == 1 else X  # whose integers are unsigned
        as_bytes = seed % 3 == 0
        options = {"dtype": dtype, "input_dtype": "uint8" if as_bytes else "float32"}
        rows = bytes_of(X) if as_bytes else X
        integers = sn.export.IntegerNetwork.of(net, rows, **options)
        rows = rows if as_bytes else far(X)
        z = integers.logits(rows)
        expected.append((net, z, integers.predict(rows).reshape(len(rows), -1)))
        used = seed % 2 == 0
        told = header(
            net, rows, f"n{seed}", layout=layout, calibration=rows if as_bytes else X,
            inputs="used" if used else "all", **options,
        )  # fmt: skip
        if used:
            told = (*told[:2], rows[:, Program.of(net).inputs], *told[3:])
        headers.append(told)
        tied += z.size
    results = run(headers, tmp_path, compiler, integers=True)
    for (net, z, said), found in zip(expected, results, strict=True):
        assert np.array_equal(found["z"], z)
        if net.is_regression:
            np.testing.assert_allclose(found["y"], said, rtol=1e-5, atol=1e-5)
        else:
            assert np.array_equal(net.classes[found["number"]], said[:, 0])
    assert tied > 1000


@needs_gcc
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_probabilities_are_those_of_the_integers(dtype, tmp_path):
    for seed in (2, 5, 6, 11):
        net, X = random_network(seed, loss=("softmax", "sigmoid", "squared")[seed % 3])
        integers = sn.export.IntegerNetwork.of(net, X, dtype=dtype)
        z = integers.logits(X) * np.float64(integers.unit)
        if net.loss == "softmax":
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
        else:
            p = 1.0 / (1.0 + np.exp(-z))
            p = np.hstack([1.0 - p, p]) if z.shape[1] == 1 else p / p.sum(axis=1, keepdims=True)
        (found,) = run([header(net, X, "net", dtype=dtype, calibration=X)], tmp_path)
        np.testing.assert_allclose(found["y"], p, rtol=0, atol=2e-6)


def test_sixteen_bits_are_close_to_the_network():
    for seed in range(60):
        net, X = random_network(seed)
        said, program = given(net, X), Program.of(net)
        wide = sn.export.IntegerNetwork.of(net, X, dtype="int16")
        z, told = wide.logits(X) * np.float64(wide.unit), program.forward(X)[-1][0]
        assert (np.abs(z - told) <= 0.004 * np.abs(told).max() + 1e-3).all(), seed
        if not net.is_regression:
            two = np.sort(said, axis=1)[:, -2:]
            clear = two[:, 1] - two[:, 0] > 0.05
            assert (wide.predict(X) == net.predict(X))[clear].all()


def inputs_of(net, X):
    """How the inputs become integers, and the largest error of any of them, in scaled units."""
    entry, program = sn.export.IntegerNetwork.of(net, X)._entry, Program.of(net)
    x = np.asarray(X, np.float32)
    told = entry.integers(x) * entry.units(program.scale)
    exact = (x.astype(np.float64) - entry.offset) * program.scale
    return entry, np.abs(told - exact).max(axis=0)


def test_inputs_share_a_unit_where_that_costs_little():
    """This used to take a factor and a shift for each input, 8 bytes of flash each."""
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0.0, 1.0, (200, 6)).astype(np.float32)
    pixels[:, 0] *= 0.1
    net = sn.SparseMLP((6, 3, 2), input_scaling="center", seed=0).fit(pixels, np.arange(200) % 2)
    entry, error = inputs_of(net, pixels)
    assert entry.dtype == np.uint8
    assert not entry.offset.any()
    assert (entry.factor == entry.factor[0]).all()
    assert error.max() <= 0.5 / 255 * 1.001
    text = net.to_c(dtype="int8", calibration=pixels, layout="csr")
    assert "factor" not in text
    assert "offset" not in text


def test_inputs_of_different_ranges_keep_their_own_units():
    rng = np.random.default_rng(0)
    X = np.stack([rng.uniform(0.0, 1e6, 200), rng.uniform(-1.0, 1.0, 200)], axis=1)
    net = sn.SparseMLP((2, 3, 2), input_scaling="standard", seed=0).fit(X, np.arange(200) % 2)
    entry, error = inputs_of(net, X)
    assert entry.dtype == np.int8
    assert not entry.offset.any()
    assert error.max() <= 2.0 * 0.5 * 1.8 / 127
    far = X + np.array([1e7, 0.0])  # a small spread beside a large mean needs an offset
    net = sn.SparseMLP((2, 3, 2), input_scaling="standard", seed=0).fit(far, np.arange(200) % 2)
    entry, error = inputs_of(net, far)
    assert entry.offset[0] > 1e7
    assert error.max() <= 0.5 * 1.8 / 127


@pytest.fixture(scope="module")
def digits():
    data = sn.datasets.digits()
    net = sn.SparseMLP((64, 20, 10), seed=0)
    recipe = sn.Training(20, batch_size=16, optimizer=sn.SGD(lr=0.1))
    path = sn.prune(net, *data.train, validation=data.validation, n_synapses=250, training=recipe)
    return path.smallest, data


@pytest.mark.parametrize(("dtype", "most"), [("int8", 0.012), ("int16", 0.003)])
def test_digits_lose_little(digits, dtype, most):
    net, data = digits
    integers = sn.export.IntegerNetwork.of(net, data.train.X, dtype=dtype)
    assert net.score(*data.test) - integers.score(*data.test) <= most
    assert repr(integers) == f"IntegerNetwork({net.structure}, {dtype})"


def test_regression_keeps_its_shape_and_score():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)).astype(np.float32)
    recipe = sn.Training(60, optimizer=sn.SGD(lr=0.1))
    for y in (40.0 + 5.0 * abs(X[:, 1]), np.stack([X[:, 0], 9.0 - X[:, 2]], axis=1)):
        net = sn.SparseMLP((3, 8, 1 if y.ndim == 1 else 2), loss="squared_error", seed=0)
        net.fit(X, y, training=recipe)
        for dtype, most in (("int8", 0.02), ("int16", 0.001)):
            integers = sn.export.IntegerNetwork.of(net, X, dtype=dtype)
            assert integers.predict(X).shape == y.shape
            assert net.score(X, y) - integers.score(X, y) < most


def test_a_layer_that_is_silent_on_the_calibration_rows_still_has_a_unit():
    net = sn.SparseMLP((1, 1, 1), input_scaling="none")
    net.prepare(np.zeros((2, 1), np.float32), [0, 1])
    net = net.with_weight(0, 0, 0, 1.0).with_weight(1, 0, 0, 1.0)
    integers = sn.export.IntegerNetwork.of(net, [[-1.0], [-0.5]])
    assert integers.logits([[-1.0], [1.0]])[0, 0] == 0
    assert integers.logits([[-1.0], [1.0]])[1, 0] > 0


def test_weights_too_large_for_a_unit_make_it_larger():
    """Sums stay below 2^30, however the calibration rows were chosen."""
    net = sn.SparseMLP((2, 2, 1), input_scaling="none")
    net.prepare(np.zeros((2, 2), np.float32), [0, 1])
    net = net.with_weight(0, 0, 0, 1e6).with_weight(0, 0, 1, -1e6).with_bias(0, 0, 1e7)
    for dtype in ("int8", "int16"):
        integers = sn.export.IntegerNetwork.of(net, [[1.0, 1.0], [-1.0, -1.0]], dtype=dtype)
        z = integers.logits([[1e9, -1e9], [-1e9, 1e9]])
        assert (np.abs(z) < 2**30).all()


@needs_gcc
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_the_self_test_compares_integers(dtype, tmp_path):
    net, X = random_network(5)
    net.to_c(tmp_path / "net.h", name="net", dtype=dtype, calibration=X, self_test=X)
    compile_file(tmp_path / "net.h", tmp_path / "test", (*C99, "-DNET_SELF_TEST"))
    done = subprocess.run([tmp_path / "test"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"0 of {len(X)} rows differ\n")


def test_bytes_need_no_float():
    net, X = random_network(5)
    text = net.to_c(dtype="int8", calibration=bytes_of(X), input_dtype="uint8", layout="csr")
    assert "float" not in text.split("_logits(const")[0].split("#include <stdint.h>")[1]


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"dtype": "int4"}, ValueError, "dtype must be one of float32, int8, int16, got 'int4'"),
        ({"dtype": "int8"}, ValueError, "dtype 'int8' needs calibration"),
        ({"calibration": [[1.0, 2.0]]}, ValueError, "calibration must be left out"),
        ({"dtype": "int8", "calibration": [[1.0]]}, ValueError, "calibration must have 2 columns"),
        (
            {"dtype": "int8", "calibration": [[1.0, 2.0]], "input_dtype": "uint8"},
            TypeError,
            "calibration must be uint8, as input_dtype is, got float32",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, error, part):
    net = sn.SparseMLP((2, 1))
    net.prepare(np.ones((2, 2), np.float32), [0, 1])
    with pytest.raises(error) as caught:
        net.to_c(**options)
    assert part in str(caught.value)


def test_rounding_refuses_what_does_not_fit():
    net = sn.SparseMLP((2, 1))
    with pytest.raises(ValueError, match="never fitted"):
        sn.export.IntegerNetwork.of(net, [[1.0, 2.0]])
    net.prepare(np.ones((2, 2), np.float32), [0, 1])
    with pytest.raises(ValueError, match="dtype must be one of int8, int16, got 'float32'"):
        sn.export.IntegerNetwork.of(net, [[1.0, 2.0]], dtype="float32")
    net = sn.SparseMLP((2, 1), input_scaling=(0.0, [1e38, 1.0]))
    net.prepare(np.ones((2, 2), np.float32), [0, 1])
    with pytest.raises(ValueError, match="varies too little"):
        sn.export.IntegerNetwork.of(net, [[1e-44, 1.0]])
