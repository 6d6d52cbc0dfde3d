"""The bare kernels at every ISA level, against the naive reference; exp, tanh, sigmoid."""

import os
import subprocess
import sys

import numpy as np
import pytest
from core.dense_model import EPS, C
from synaprune import _core

K = _core.kernels
LEVELS = _core.build_info()["available_isa"]
BATCHES = [1, 7, 8, 9, 16, 17, 33, 48, 63, 64, 65, 144]
MATRICES = {  # name: (n_out, n_in, density)
    "sparse": (13, 37, 0.3),
    "full": (9, 21, 1.0),
    "no synapse": (5, 7, 0.0),
    "one row": (1, 50, 0.5),
    "one column": (50, 1, 0.5),
    "one synapse": (1, 1, 1.0),
    "long rows": (3, 700, 0.9),  # several blocks of columns
    "full long rows": (10, 500, 1.0),  # four rows at a time, and two left over
    "many rows": (300, 30, 0.2),  # several blocks of the transpose
}


class Matrix:
    """W in CSR and dense form, with bias [n_out], X [n_in, n] and D [n_out, n] to go with it."""

    def __init__(self, n_out, n_in, density, n, integers=False):
        rng = np.random.default_rng([n_out, n_in, n])

        def draw(*shape):
            return (rng.integers(-8, 9, shape) if integers else rng.normal(size=shape)).astype("f4")

        mask = rng.random((n_out, n_in)) < density
        if n_out > 2 and density < 1.0:
            mask[[0, n_out // 2, -1]] = False  # empty rows: first, inside, last
        self.n_in = n_in
        self.rows, self.indices = np.nonzero(mask)
        self.indices = self.indices.astype(np.int32)
        self.indptr = np.concatenate([[0], mask.sum(1).cumsum()]).astype(np.int64)
        self.values = draw(len(self.indices))
        self.bias, self.X, self.D = draw(n_out), draw(n_in, n), draw(n_out, n)
        self.dense = np.zeros((n_out, n_in))
        self.dense[mask] = self.values

    def absolute(self):
        """The same with |.| of every number: the reference then gives the sums of |terms|."""
        twin = object.__new__(Matrix)
        twin.__dict__.update(self.__dict__)
        for name in ("values", "bias", "X", "D", "dense"):
            setattr(twin, name, abs(getattr(self, name)))
        return twin

    def spmm(self, isa):
        return K.spmm(isa, self.indptr, self.indices, self.values, self.bias, self.X)

    def gradients(self, isa):
        return K.gradients(isa, self.indptr, self.indices, self.values, self.X, self.D)

    def grad_weights(self, isa):
        return np.concatenate(self.gradients(isa)[:2])

    def grad_inputs(self, isa):
        return self.gradients(isa)[2]

    def dense_spmm(self):
        return self.dense @ self.X.astype(float) + self.bias[:, None]

    def dense_grad_weights(self):
        D = self.D.astype(float)
        return np.concatenate([(D @ self.X.astype(float).T)[self.rows, self.indices], D.sum(1)])

    def dense_grad_inputs(self):
        return self.dense.T @ self.D.astype(float)


kernels = pytest.mark.parametrize("kernel", ["spmm", "grad_weights", "grad_inputs"])
levels = pytest.mark.parametrize("isa", LEVELS)
batches = pytest.mark.parametrize("n", BATCHES)
matrices = pytest.mark.parametrize("shape", MATRICES.values(), ids=MATRICES)


@kernels
@matrices
@pytest.mark.parametrize("n", BATCHES)
def test_reference_is_the_dense_product(kernel, shape, n):
    case = Matrix(*shape, n)
    result = getattr(case, kernel)("reference")
    assert result.dtype == np.float64
    magnitude = getattr(case.absolute(), f"dense_{kernel}")()
    # numpy may sum in another order, so a double's eps for each of up to 700 terms
    allowed = 700 * np.finfo(float).eps * abs(magnitude)
    assert (abs(result - getattr(case, f"dense_{kernel}")()) <= allowed).all()


@kernels
@levels
@batches
@matrices
def test_level_is_the_reference_to_rounding(kernel, isa, n, shape):
    case = Matrix(*shape, n)
    result = getattr(case, kernel)(isa)
    expected = getattr(case, kernel)("reference")
    terms = getattr(case.absolute(), kernel)("reference")
    assert result.dtype == np.float32
    assert result.shape == expected.shape
    assert (abs(result - expected) <= C * EPS * terms).all()


@kernels
@levels
@batches
@matrices
def test_small_integers_are_exact(kernel, isa, n, shape):
    case = Matrix(*shape, n, integers=True)
    np.testing.assert_array_equal(getattr(case, kernel)(isa), getattr(case, f"dense_{kernel}")())


@pytest.mark.skipif(not {"avx2", "avx512"} <= set(LEVELS), reason="needs AVX2 and AVX-512")
@kernels
@batches
@matrices
def test_avx2_and_avx512_give_equal_bits(kernel, n, shape):
    case = Matrix(*shape, n)
    assert getattr(case, kernel)("avx2").tobytes() == getattr(case, kernel)("avx512").tobytes()


@levels
@matrices
def test_a_sample_has_the_same_bits_in_any_company(isa, shape):
    case = Matrix(*shape, 65)
    together = case.spmm(isa)
    for s in (0, 16, 63, 64):
        alone = K.spmm(
            isa, case.indptr, case.indices, case.values, case.bias, case.X[:, s : s + 1].copy()
        )
        assert alone.tobytes() == together[:, s : s + 1].tobytes()


@levels
@pytest.mark.parametrize("shape", [(0, 5, 16), (4, 0, 16), (4, 5, 0)], ids=str)
def test_empty_sides(isa, shape):
    n_out, n_in, n = shape
    case = Matrix(n_out, n_in, 0.5, n, integers=True)
    np.testing.assert_array_equal(case.spmm(isa), case.dense_spmm().astype(np.float32))
    np.testing.assert_array_equal(case.grad_inputs(isa), np.zeros((n_in, n), np.float32))
    np.testing.assert_array_equal(case.grad_weights(isa), case.dense_grad_weights().astype("f4"))


# --- gather -------------------------------------------------------------------------------------


@levels
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("d", [1, 3, 4, 15, 16, 63, 64, 65, 130])
@pytest.mark.parametrize("n", [1, 15, 16, 17, 64, 65])
def test_gather_is_numpy(isa, dtype, d, n):
    rng = np.random.default_rng([d, n])
    X = rng.integers(0, 256, (40, d)).astype(dtype)
    X += np.float32(0.5) if dtype == np.float32 else 0
    order = rng.integers(0, 40, n)
    shift, scale = rng.normal(size=(2, d)).astype(np.float32)
    for columns in (np.arange(d), np.flatnonzero(rng.random(d) < 0.3), np.array([d - 1])):
        for s in (shift, 0.0 * shift):
            got = K.gather(isa, X, order, columns.astype(np.int32), s, scale)
            expected = (X[order].astype(np.float32) - s) * scale
            assert got.tobytes() == np.ascontiguousarray(expected[:, columns].T).tobytes()


@levels
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_gather_reads_nothing_behind_the_last_sample(isa, dtype):
    """A process of its own, since it would end: the samples end where readable memory does."""
    name, size = np.dtype(dtype).name, np.dtype(dtype).itemsize
    code = f"""
import ctypes, mmap, numpy as np
from synaprune import _core
page = mmap.PAGESIZE
memory = mmap.mmap(-1, 2 * page)
X = np.frombuffer(memory, "{name}", count=page // {size})
address = X.ctypes.data + page
libc = ctypes.CDLL(None, use_errno=True)
assert libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(page), 0) == 0
X = X[-3 * 13 :].reshape(3, 13)
columns, ones = np.arange(13, dtype=np.int32), np.ones(13, np.float32)
got = _core.kernels.gather("{isa}", X, np.array([0, 1, 2]), columns, 0 * ones, ones)
print(got.sum())
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.strip() == "0.0", result.stderr


# --- the levels ---------------------------------------------------------------------------------


def isa_of_a_process(forced):
    code = "from synaprune import _core; print(_core.build_info()['isa'])"
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path, "SYNAPRUNE_ISA": forced},
        capture_output=True,
        text=True,
        timeout=60,
    )


@levels
def test_environment_forces_a_level(isa):
    assert isa_of_a_process(isa).stdout.strip() == isa


def test_environment_with_an_unknown_level_raises():
    result = isa_of_a_process("mmx")
    assert result.returncode == 1
    assert "ValueError: SYNAPRUNE_ISA: isa must be one of 'baseline'" in result.stderr


@levels
def test_set_isa_forces_a_level_and_takes_it_back(isa):
    before = _core.build_info()["isa"]
    try:
        _core.set_isa(isa)
        assert _core.build_info()["isa"] == isa
        with pytest.raises(ValueError, match="isa must be one of 'baseline'"):
            _core.set_isa("mmx")
        assert _core.build_info()["isa"] == isa
    finally:
        _core.set_isa("")
    assert _core.build_info()["isa"] == before


def test_empty_environment_takes_the_strongest_level():
    assert isa_of_a_process("").stdout.strip() == LEVELS[-1]


# --- 64-bit offsets -----------------------------------------------------------------------------

ROWS, N = 2**25 + 1, 64  # the last row begins past 2^31; never touched but there


@pytest.fixture(scope="module")
def tall():
    try:
        array = np.zeros((ROWS, N), np.float32)  # 8.6 GB, of which one page is ever backed
    except MemoryError:
        pytest.skip("no room for 8.6 GB of virtual memory")
    array[-1] = np.arange(N) + 1
    return array


@pytest.mark.parametrize("isa", ["reference", *LEVELS])
def test_offsets_past_int32_in_spmm(tall, isa):
    indptr, indices = np.array([0, 1]), np.array([ROWS - 1], np.int32)
    bias = np.array([5.0], np.float32)
    Y = K.spmm(isa, indptr, indices, np.array([3.0], np.float32), bias, tall)
    np.testing.assert_array_equal(Y, 3.0 * tall[-1:] + 5.0)


# --- arguments ----------------------------------------------------------------------------------

GOOD = {
    "isa": "baseline",
    "indptr": np.array([0, 2, 3], np.int64),
    "indices": np.array([0, 3, 1], np.int32),
    "values": np.ones(3, np.float32),
    "bias": np.ones(2, np.float32),
    "X": np.ones((4, 16), np.float32),
    "D": np.ones((2, 16), np.float32),
}
ARGUMENTS = {
    "spmm": ("isa", "indptr", "indices", "values", "bias", "X"),
    "gradients": ("isa", "indptr", "indices", "values", "X", "D"),
}


def call(kernel, **changed):
    arguments = GOOD | changed
    return getattr(K, kernel)(**{name: arguments[name] for name in ARGUMENTS[kernel]})


@pytest.mark.parametrize("kernel", ARGUMENTS)
def test_good_arguments_pass(kernel):
    call(kernel)


each_array = pytest.mark.parametrize(
    ("kernel", "name"),
    [(k, n) for k, names in ARGUMENTS.items() for n in names if isinstance(GOOD[n], np.ndarray)],
)


@each_array
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, ">f4", ">i4", ">i8", object])
def test_wrong_dtype_is_a_type_error(kernel, name, dtype):
    wanted = GOOD[name].dtype
    message = f"{name} must be {wanted}, got .* array of shape"
    with pytest.raises(TypeError, match=message):
        call(kernel, **{name: GOOD[name].astype(dtype)})


@each_array
def test_what_is_no_array_is_a_type_error(kernel, name):
    with pytest.raises(TypeError, match="incompatible function arguments"):
        call(kernel, **{name: GOOD[name].tolist()})


@each_array
def test_wrong_number_of_axes_is_a_value_error(kernel, name):
    message = f"{name} must be aligned and C-ordered with {GOOD[name].ndim} axes, got"
    with pytest.raises(ValueError, match=message):
        call(kernel, **{name: GOOD[name][None]})
    with pytest.raises(ValueError, match=message):
        call(kernel, **{name: np.array(1, GOOD[name].dtype)})


@each_array
def test_strided_array_is_a_value_error(kernel, name):
    strided = np.repeat(GOOD[name], 2, axis=0)[::2]
    np.testing.assert_array_equal(strided, GOOD[name])
    with pytest.raises(ValueError, match=f"{name} must be aligned and C-ordered"):
        call(kernel, **{name: strided})


@pytest.mark.parametrize(("kernel", "name"), [("spmm", "X"), ("gradients", "D")])
def test_fortran_order_is_a_value_error(kernel, name):
    with pytest.raises(ValueError, match=f"{name} must be aligned and C-ordered"):
        call(kernel, **{name: np.asfortranarray(GOOD[name])})


@pytest.mark.parametrize(
    ("kernel", "name", "shape"),
    [
        ("spmm", "values", 2),
        ("spmm", "values", 4),
        ("spmm", "bias", 1),
        ("spmm", "bias", 3),
        ("gradients", "values", 2),
        ("gradients", "values", 4),
        ("gradients", "D", (2, 32)),
        ("gradients", "D", (3, 16)),
        ("gradients", "D", (16, 2)),
    ],
)
def test_wrong_shape_is_a_value_error(kernel, name, shape):
    with pytest.raises(ValueError, match=f"{name} must have"):
        call(kernel, **{name: np.ones(shape, np.float32)})


@pytest.mark.parametrize("kernel", ARGUMENTS)
@pytest.mark.parametrize(
    ("indptr", "indices", "why"),
    [
        ([1, 2, 3], [0, 3, 1], "indptr must start at 0, got 1"),
        ([-1, 2, 3], [0, 3, 1], "indptr must start at 0, got -1"),
        ([0, 2, 2], [0, 3, 1], "indptr must end at the number of synapses 3, got 2"),
        ([0, 2, 4], [0, 3, 1], "indptr must end at the number of synapses 3, got 4"),
        ([0, 2, 1, 3], [0, 3, 1], "indptr falls or leaves the array at row 1"),
        ([0, -1, 3], [0, 3, 1], "indptr falls or leaves the array at row 0"),
        ([0, 4, 3], [0, 3, 1], "indptr falls or leaves the array at row 0"),
        ([0, 2**62, 3], [0, 3, 1], "indptr falls or leaves the array at row 0"),
        ([0, 2, 3], [0, 4, 1], r"column 4 in row 0 is not in \[0, 4\)"),
        ([0, 2, 3], [-1, 3, 1], r"column -1 in row 0 is not in \[0, 4\)"),
        ([0, 2, 3], [0, 3, 2**31 - 1], "column 2147483647 in row 1"),
        ([0, 2, 3], [3, 0, 1], "columns of row 0 are not ascending and unique"),
        ([0, 1, 3], [0, 2, 2], "columns of row 1 are not ascending and unique"),
        ([], [], "indptr"),
    ],
)
@pytest.mark.parametrize("isa", ["baseline", "reference"])
def test_not_canonical_csr_is_a_value_error(kernel, isa, indptr, indices, why):
    csr = {"indptr": np.array(indptr, np.int64), "indices": np.array(indices, np.int32)}
    with pytest.raises(ValueError, match=f"W is not canonical CSR: {why}"):
        call(kernel, isa=isa, **csr)


@pytest.mark.parametrize("kernel", ARGUMENTS)
def test_unknown_level_is_a_value_error(kernel):
    with pytest.raises(ValueError, match=r"isa must be one of 'baseline'.*, got 'sse9'"):
        call(kernel, isa="sse9")


# --- exp, tanh, sigmoid -------------------------------------------------------------------------

TINY = np.geomspace(1e-45, 1.0, 20001)
FUNCTIONS = {  # name: (exact, arguments, ulp allowed)
    "exp": (np.exp, np.concatenate([np.linspace(-87.0, 88.0, 400001), TINY, -TINY]), 2.0),
    "tanh": (np.tanh, np.concatenate([np.linspace(-20.0, 20.0, 400001), TINY, -TINY]), 3.0),
    "sigmoid": (
        lambda x: 1.0 / (1.0 + np.exp(-x)),
        np.concatenate([np.linspace(-87.0, 40.0, 400001), TINY, -TINY]),
        3.0,
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_within_its_ulps(name):
    exact, x, ulps = FUNCTIONS[name]
    x = x.astype(np.float32)
    expected = exact(x.astype(float))
    got = getattr(K, name)(x)
    ulp = np.spacing(abs(expected).astype(np.float32)).astype(float)
    off = abs(got - expected) / ulp
    assert off.max() <= ulps, f"{off.max()} ulp at {x[off.argmax()]}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_of_nan_is_nan(name):
    assert np.isnan(getattr(K, name)(np.array([np.nan], np.float32))).all()


def test_functions_at_zero_and_at_the_extremes():
    x = np.array([0.0, -0.0, 1e30, -1e30, np.inf, -np.inf], np.float32)
    assert K.exp(x)[:2].tolist() == [1.0, 1.0]
    ends = K.exp(np.array([88.0, -87.0], np.float32)).tolist()
    assert K.exp(x)[2:].tolist() == ends * 2  # arguments are clamped, so finite and above zero
    assert K.tanh(x).tolist() == [0.0, 0.0, 1.0, -1.0, 1.0, -1.0]
    assert np.signbit(K.tanh(x)).tolist() == [False, True] * 3
    low = K.sigmoid(np.array([-88.0], np.float32))[0]
    assert np.finfo(np.float32).tiny <= low < 2e-38  # no denormal, which would count as 0
    assert K.sigmoid(x).tolist() == [0.5, 0.5, 1.0, low, 1.0, low]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_wants_one_axis_of_float32(name):
    with pytest.raises(TypeError, match="x must be float32, got float64"):
        getattr(K, name)(np.zeros(3))
    with pytest.raises(ValueError, match="x must be aligned and C-ordered with 1 axes"):
        getattr(K, name)(np.zeros((3, 1), np.float32))
    assert getattr(K, name)(np.zeros(0, np.float32)).shape == (0,)


@levels
@pytest.mark.parametrize(
    ("n", "zeros"),
    [
        (10, "none"),
        (37, "none"),
        (64, "some columns"),
        (144, "none"),
        (144, "some columns"),
        (144, "all of the first tile"),
    ],
)
@pytest.mark.parametrize("n_in", [16, 21, 157, 500])
def test_full_rows_have_the_bits_of_rows_on_their_own(isa, n_in, n, zeros):
    case = Matrix(11, n_in, 1.0, n)
    if zeros == "some columns":  # others in each tile
        for tile in range(0, n, 64):
            case.X[np.random.default_rng(tile).random(n_in) < 0.6, tile : tile + 64] = 0.0
    if zeros == "all of the first tile":
        case.X[:, :64] = 0.0
    Y, (gradients, _, dX) = case.spmm(isa), case.gradients(isa)
    for r in range(11):
        W = np.array([0, n_in]), case.indices[:n_in], case.values[r * n_in :][:n_in]
        alone = K.spmm(isa, *W, case.bias[r : r + 1], case.X)
        np.testing.assert_array_equal(alone[0], Y[r])
        found = K.gradients(isa, *W, case.X, case.D[r : r + 1])[0]
        np.testing.assert_array_equal(found, gradients[r * n_in :][:n_in])
    for c in range(0, n_in, 7):
        W = np.arange(12), np.zeros(11, np.int32), case.values[c::n_in].copy()
        found = K.gradients(isa, *W, case.X[c : c + 1], case.D)[2]
        np.testing.assert_array_equal(found[0], dX[c])
