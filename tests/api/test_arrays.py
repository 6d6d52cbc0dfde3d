"""What users hand in: every dtype and layout that is fine, and every fault, by its name."""

import numpy as np
import pytest
import synaprune as sn
from synaprune.arrays import as_inputs, as_labels
from synaprune.labels import LabelEncoder

GOOD = np.ones((6, 4), np.float32)

MASKED = np.ma.array(np.ones((6, 4), np.float32))
MASKED[1, 0] = np.ma.masked


def spoiled(value, dtype=np.float64):
    X = np.ones((6, 4), dtype)
    X[1, 2] = value
    X[4, 0] = value
    return X


BAD_INPUTS = {
    "nan": (
        spoiled(np.nan),
        ValueError,
        r"X must be finite in float32, got nan in row 1, column 2",
    ),
    "inf": (
        spoiled(np.inf),
        ValueError,
        r"X must be finite in float32, got inf in row 1, column 2",
    ),
    "-inf": (
        spoiled(-np.inf, np.float32),
        ValueError,
        r"X must be finite.*-inf in row 1, column 2",
    ),
    "overflow": (spoiled(1e39), ValueError, r"X must be finite in float32, got 1e\+39 in row 1"),
    "float16 nan": (spoiled(np.nan, np.float16), ValueError, r"got nan in row 1, column 2"),
    "complex": (GOOD + 1j, TypeError, r"X must hold floats, ints or bools, got dtype complex"),
    "object": (GOOD.astype(object), TypeError, r"X must hold floats.*, got dtype object"),
    "huge ints": ([[2**70] * 4] * 6, TypeError, r"X must hold floats.*, got dtype object"),
    "str": (GOOD.astype(str), TypeError, r"X must hold floats, ints or bools, got dtype <U"),
    "bytes": (GOOD.astype("S"), TypeError, r"X must hold floats, ints or bools, got dtype \|S"),
    "dates": (np.zeros((6, 4), "M8[s]"), TypeError, r"X must hold floats.*, got dtype datetime"),
    "None": (None, TypeError, r"X must hold floats, ints or bools, got dtype object"),
    "1-D": (GOOD[0], ValueError, r"X must have shape .*got \(4,\); .*X.reshape\(1, -1\)"),
    "3-D": (GOOD[None], ValueError, r"X must have shape \(samples, inputs\), got \(1, 6, 4\)"),
    "0-D": (1.0, ValueError, r"X must have shape \(samples, inputs\), got \(\)"),
    "ragged": ([[1.0, 2.0], [3.0]], ValueError, r"X must be a rectangular array of numbers"),
    "no samples": (GOOD[:0], ValueError, r"X must hold at least one sample .*got \(0, 4\)"),
    "no inputs": (GOOD[:, :0], ValueError, r"X must hold at least .* one input, got \(6, 0\)"),
    "empty list": ([], ValueError, r"X must have shape \(samples, inputs\), got \(0,\)"),
    "masked": (MASKED, ValueError, r"X must have no masked values, got 1, the first at \(1, 0\)"),
    "columns": (np.ones((6, 5)), ValueError, r"X must have 4 columns, got 5"),
}

BAD_LABELS = {
    "short": (np.arange(5) % 2, ValueError, r"y must have one label a sample, 6, got 5"),
    "long": (np.arange(7) % 2, ValueError, r"y must have one label a sample, 6, got 7"),
    "empty": (np.zeros(0, int), ValueError, r"y must have one label a sample, 6, got 0"),
    "column": (np.ones((6, 1), int), ValueError, r"y must have shape.*\(6, 1\); .*np.ravel\(y\)"),
    "2-D": (np.ones((6, 2), int), ValueError, r"y must have shape \(samples,\), got \(6, 2\)$"),
    "0-D": (1, ValueError, r"y must have shape \(samples,\), got \(\)"),
    "fractions": (np.arange(6.0) / 2, ValueError, r"y must hold .* whole floats, got 0.5 in row 1"),
    "nan": ([0, 1, np.nan] * 2, ValueError, r"y must hold .* whole floats, got nan in row 2"),
    "huge": (np.arange(6) * 1e30, ValueError, r"y must hold .* whole floats, got 1e\+30 in row 1"),
    "complex": (np.ones(6) * 1j, TypeError, r"y must hold ints.*, got dtype complex128"),
    "mixed": (np.array(["a", 1] * 3, object), TypeError, r"y must hold ints.*, got dtype object"),
    "ints and bools": (
        np.array([0, True] * 3, object),
        TypeError,
        r"y must hold ints.*, got dtype object",
    ),
    "huge ints": ([0, 2**70] * 3, TypeError, r"y must hold ints.*, got dtype object"),
    "None in it": (["a", None] * 3, ValueError, r"y must hold a label in each row, got None in"),
    "None in ints": ([1, 0, None] * 2, ValueError, r"y must hold a label .* None in row 2"),
    "masked": (MASKED[:, 0], ValueError, r"y must have no masked values, got 1, the first at \(1,"),
    "bytes": (np.array([b"a", b"b"] * 3), TypeError, r"y must hold ints.*, got dtype \|S1"),
    "None": (
        None,
        TypeError,
        r"y must hold ints, bools, strings or whole floats, got dtype object",
    ),
    "ragged": ([[0], [1, 1], 0, 1, 0, 1], ValueError, r"^y must"),
}

y6 = np.arange(6) % 2
TAKERS_OF_X = {
    "fit": lambda net, X: net.fit(X, y6),
    "partial_fit": lambda net, X: net.partial_fit(X, y6),
    "predict": lambda net, X: net.predict(X),
    "predict_proba": lambda net, X: net.predict_proba(X),
    "score": lambda net, X: net.score(X, y6),
    "fit validation": lambda net, X: net.fit(GOOD, y6, validation=(X, y6)),
    "prune": lambda net, X: sn.prune(net, X, y6, validation=(GOOD, y6)),
    "prune validation": lambda net, X: sn.prune(net, GOOD, y6, validation=(X, y6)),
}
TAKERS_OF_Y = {
    "fit": lambda net, y: net.fit(GOOD, y),
    "partial_fit": lambda net, y: net.partial_fit(GOOD, y),
    "score": lambda net, y: net.score(GOOD, y),
    "fit validation": lambda net, y: net.fit(GOOD, y6, validation=(GOOD, y)),
    "prune": lambda net, y: sn.prune(net, GOOD, y, validation=(GOOD, y6)),
    "prune validation": lambda net, y: sn.prune(net, GOOD, y6, validation=(GOOD, y)),
}


def refuses(take, net, value, error, message, bits):
    before = bits(net)
    with pytest.raises(error, match=message) as caught:
        take(net, value)
    assert bits(net) == before
    return str(caught.value)


@pytest.mark.parametrize("taker", TAKERS_OF_X)
@pytest.mark.parametrize("fault", BAD_INPUTS)
def test_bad_inputs_are_named(taker, fault, trained, bits):
    message = refuses(TAKERS_OF_X[taker], trained(), *BAD_INPUTS[fault], bits)
    assert message.startswith("validation X " if "validation" in taker else "X ")


@pytest.mark.parametrize("taker", TAKERS_OF_Y)
@pytest.mark.parametrize("fault", BAD_LABELS)
def test_bad_labels_are_named(taker, fault, trained, bits):
    value, error, message = BAD_LABELS[fault]
    name = "validation y" if "validation" in taker else "y"
    message = message.removeprefix("^")
    message = refuses(TAKERS_OF_Y[taker], trained(), value, error, message, bits)
    assert message.startswith(f"{name} ")


def test_scipy_matrices_are_refused_with_the_way_out():
    sparse = pytest.importorskip("scipy.sparse")
    for kind in (sparse.csr_matrix, sparse.coo_array):
        with pytest.raises(
            TypeError, match=rf"X must be a dense array, got {kind.__name__}; .*\.toa"
        ):
            as_inputs(kind(GOOD))


def test_scipy_matrices_are_refused_without_scipy():
    fake = type("csr_array", (), {"__module__": "scipy.sparse._csr"})
    with pytest.raises(TypeError, match=r"X must be a dense array, got csr_array"):
        as_inputs(fake())


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_what_the_core_reads_is_not_copied(dtype):
    X = np.ones((3, 2), dtype)
    assert np.shares_memory(as_inputs(X), X)


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", ">f4", "f8", "g", "i1", "i2", "i8", ">i4", "u1", "u4", "u8", "?"]
)
def test_any_real_dtype_becomes_float32_or_uint8(dtype):
    X = as_inputs(np.array([[0, 1], [1, 0]], dtype))
    assert X.dtype == (np.uint8 if dtype == "u1" else np.float32)
    assert X.dtype.isnative
    assert X.flags.c_contiguous
    assert X.tolist() == [[0, 1], [1, 0]]


def test_float32_extremes_pass():
    top = np.finfo(np.float32).max
    X = as_inputs(np.array([[float(top), -float(top), 5e-324, -0.0]]))
    assert X.tolist() == [[top, -top, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([3, -1], "i"),
        (np.array([1, 2], np.uint8), "u"),
        ([True, False], "b"),
        (["b", "a"], "U"),
        (np.array(["ä", ""], object), "U"),
    ],
)
def test_labels_keep_their_kind(labels, kind):
    got = as_labels(labels, 2)
    assert got.dtype.kind == kind
    assert got.tolist() == list(labels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([1.0, -0.0], np.array([1, 0])),
        (np.array([3, -1], np.float16), np.array([3, -1])),
        (np.array([3, -1], object), np.array([3, -1])),
        (np.array([3.0, np.int8(2)], object), np.array([3, 2])),
        (np.array([True, np.False_], object), np.array([True, False])),
        (np.array(["b", np.str_("ab")], object), np.array(["b", "ab"])),
        (np.ma.array([1, 0], mask=False), np.array([1, 0])),
    ],
)
def test_labels_of_other_types_are_read(labels, expected):
    """Floats, and objects that were no strings, used to be refused."""
    got = as_labels(labels, 2)
    assert type(got) is np.ndarray
    assert got.dtype == expected.dtype
    assert got.tolist() == expected.tolist()


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1 has no StringDType")
def test_labels_of_variable_width():
    kind = np.dtypes.StringDType(na_object=None)
    assert as_labels(np.array(["b", "ab"], kind), 2).dtype == np.dtype("<U2")
    with pytest.raises(ValueError, match="y must hold a label in each row, got None in row 1"):
        as_labels(np.array(["b", None], kind), 2)


def test_masked_weights_probabilities_and_single_samples_are_refused(trained):
    masked = np.ma.array(np.full((6, 2), 0.5), mask=np.eye(6, 2))
    with pytest.raises(ValueError, match=r"sample_weight must have no masked values, got 1, the"):
        trained().fit(GOOD, y6, masked[:, 0])
    with pytest.raises(ValueError, match=r"y must have no masked values, got 2, the first at"):
        trained().fit(GOOD, masked)
    with pytest.raises(ValueError, match=r"X must have no masked values, got 1, the first at"):
        sn.explain.strongest_paths(trained(), MASKED[1])


def encoder(labels, outputs=None):
    """An encoder of the labels that occur."""
    labels = np.asarray(labels)
    return LabelEncoder.fitted(labels, outputs or len(np.unique(labels)))


def test_encode_gives_positions_in_the_sorted_classes():
    codes = encoder(["b", "a", "c"]).encode(np.array(["c", "a", "b", "a"]))
    assert codes.dtype == np.int32
    assert codes.tolist() == [2, 0, 1, 0]
    assert encoder([False, True]).encode(np.array([0, 1])).tolist() == [0, 1]
    assert encoder([0, 1]).encode(np.array([True, False])).tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64])
@pytest.mark.parametrize("spread", [3, 100, 10**6, "all"])
@pytest.mark.parametrize("end", ["min", "max"])
def test_ints_are_encoded_as_numpy_would(dtype, spread, end):
    info, rng = np.iinfo(dtype), np.random.default_rng(5)
    width = info.max - info.min if spread == "all" else min(spread, info.max - info.min)
    low = info.min if end == "min" else info.max - width
    y = np.array([low + int(width * part) for part in (1.0, 0.0, 0.0, 0.5, 1.0)], object)
    y = np.clip(y, info.min, info.max).astype(dtype)[rng.permutation(5)]
    classes, codes = np.unique(y, return_inverse=True)
    got = encoder(y)
    assert got.classes.dtype == dtype
    np.testing.assert_array_equal(got.classes, classes)
    np.testing.assert_array_equal(got.encode(y), codes)


def test_large_ints_of_another_dtype_are_told_apart():
    """These used to be compared as floats, which do not hold all ints beyond 2**53."""
    signed = encoder(np.array([-1, 2**62, 2**62 + 1]))
    assert signed.encode(np.array([2**62 + 1, 2**62], np.uint64)).tolist() == [2, 1]
    with pytest.raises(ValueError, match=r"y holds the label 18446744073709551615, "):
        signed.encode(np.array([2**64 - 1], np.uint64))  # all bits 1, as -1
    with pytest.raises(ValueError, match=r"y holds the label 257, "):
        encoder(np.array([0, 1], np.uint8)).encode(np.array([1, 257]))


@pytest.mark.parametrize("label", [-1, 1, 9, 2**62])
def test_unknown_labels_are_named_with_the_classes(label):
    known = encoder([0, 2, 5])
    with pytest.raises(ValueError, match=rf"y holds the label {label}, .* classes \[0, 2, 5\]"):
        known.encode(np.array([0, label]))
    if label >= 0:
        with pytest.raises(ValueError, match=rf"y holds the label {label}, "):
            known.encode(np.array([0, label], np.uint64))


def test_labels_of_another_kind_are_refused(trained):
    with pytest.raises(TypeError, match=r"y holds <U1 labels, .* fitted with int64 labels"):
        trained().score(GOOD, list("ababab"))
    net = sn.SparseMLP((4, 1)).fit(GOOD, list("ababab"))
    with pytest.raises(TypeError, match=r"y holds int64 labels, .* fitted with <U1 labels"):
        net.fit(GOOD, y6)


# --- equal numbers, equal outputs ---------------------------------------------------------------


def layouts(X, tmp_path):
    """The same numbers, whole and small, in all the ways that they may come."""
    mapped = np.memmap(tmp_path / "X", X.dtype, "w+", shape=X.shape)
    mapped[:] = X
    mapped.flush()
    frozen = X.copy()
    frozen.flags.writeable = False
    wide = np.zeros((2 * len(X), 3 * X.shape[1]), X.dtype)
    wide[::2, ::3] = X
    return {
        "float32": X,
        "float64": X.astype(np.float64),
        "float16": X.astype(np.float16),
        "big-endian": X.astype(">f8"),
        "int64": X.astype(np.int64),
        "Fortran": np.asfortranarray(X),
        "Fortran uint8": np.asfortranarray(X.astype(np.uint8)),
        "uint8": X.astype(np.uint8),
        "strided": wide[::2, ::3],
        "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": frozen,
        "memory-mapped": np.memmap(tmp_path / "X", X.dtype, "r", shape=X.shape),
        "list": X.tolist(),
        **({"bool": X.astype(bool)} if X.max() <= 1 else {}),
    }


@pytest.mark.parametrize("scaling", ["none", "standard", ([1.0, 2.0, 0.5, 0.0], 0.25)])
@pytest.mark.parametrize("top", [1, 255])
def test_equal_numbers_give_equal_networks_and_outputs(scaling, top, tmp_path, bits):
    rng = np.random.default_rng(top)
    X = rng.integers(0, top + 1, (70, 4)).astype(np.float32)
    y = (X[:, 0] > X[:, 1]).astype(np.int64)
    results = {}
    for name, same in layouts(X, tmp_path).items():
        before = np.array(same).tobytes()
        net = sn.SparseMLP((4, 5, 1), input_scaling=scaling)
        net.fit(
            same,
            y,
            validation=(same, y),
            training=sn.Training(2, batch_size=16, optimizer=sn.SGD(1e-3)),
        )
        results[name] = bits(net), net.predict_proba(same).tobytes(), net.score(same, y)
        net.predict(same)
        sn.prune(net, same, y, validation=(same, y), n_synapses=9, training=sn.Training(2))
        assert np.array(same).tobytes() == before
    assert all(result == results["float32"] for result in results.values()), results.keys()


def test_labels_are_not_modified_and_may_be_strided(trained):
    X, y = GOOD, np.array([1, 9, 0, 9, 1, 9, 0, 9, 1, 9, 0, 9])[::2]
    before = y.tobytes()
    trained().fit(X, y, validation=(X, y)).score(X, y)
    assert y.tobytes() == before
