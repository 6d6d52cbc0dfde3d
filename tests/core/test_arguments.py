"""What the core refuses, and with what words."""

import numpy as np
import pytest
from core.dense_model import from_mask
from core.networks import bits, data, sgd
from synaprune import _core

# --- arguments ----------------------------------------------------------------------------------

X3, Y3 = data(6, 3, 2)
CALLS = {
    "train_epoch": {"X": X3, "y": Y3, "batch_size": 2, "optimizer": sgd(0.1), "threads": 1},
    "evaluate": {"X": X3, "y": Y3, "threads": 1},
    "outputs": {"X": X3, "threads": 1},
    "classify": {"X": X3, "threads": 1},
    "gradients": {"X": X3, "y": Y3, "threads": 1},
}
calls = pytest.mark.parametrize("method", CALLS)
labelled_calls = pytest.mark.parametrize("method", [m for m in CALLS if "y" in CALLS[m]])


def call(method, net=None, **changed):
    net = net or _core.Network([3, 4, 2], "relu", "softmax", 1.0, 0)
    return getattr(net, method)(**(CALLS[method] | changed))


@calls
def test_good_arguments_pass(method):
    call(method)


@calls
@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (X3[:, :2].copy(), ValueError, "at least one row and 3 columns, got float32 .*6, 2"),
        (np.ones((6, 4), np.uint8), ValueError, "at least one row and 3 columns, got uint8 .*6, 4"),
        (
            X3[:0],
            ValueError,
            r"at least one row and 3 columns, got float32 array of shape \(0, 3\)",
        ),
        (X3[0], ValueError, r"C-ordered with 2 axes, got float32 array of shape \(3,\)"),
        (X3[None], ValueError, "C-ordered with 2 axes"),
        (np.asfortranarray(X3), ValueError, "C-ordered with 2 axes"),
        (X3[::2], ValueError, "C-ordered with 2 axes"),
        (X3.astype(np.float64), TypeError, "X must be float32, got float64"),
        (X3.astype(np.int32), TypeError, "X must be float32, got int32"),
        (X3.astype(">f4"), TypeError, "X must be float32, got >f4"),
        (X3 > 0, TypeError, "X must be float32, got bool"),
        (X3.tolist(), TypeError, "incompatible function arguments"),
    ],
)
def test_wrong_samples_are_refused(method, X, error, message):
    with pytest.raises(error, match=message):
        call(method, X=X)


@labelled_calls
@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (Y3[:5].copy(), ValueError, "y must have 6 entries, got 5"),
        (np.zeros(7, np.int32), ValueError, "y must have 6 entries, got 7"),
        (Y3[:, None], ValueError, "y must be aligned and C-ordered with 1 axes"),
        (np.repeat(Y3, 2)[::2], ValueError, "y must be aligned and C-ordered with 1 axes"),
        (Y3 + np.int32(1), ValueError, "class numbers from 0 to 1, got 2"),
        (Y3 - np.int32(1), ValueError, "class numbers from 0 to 1, got -1"),
        (Y3.astype(np.int64), TypeError, "y must be int32, got int64"),
        (Y3.astype(np.float32), TypeError, "y must be int32, got float32"),
        (Y3.tolist(), TypeError, "incompatible function arguments"),
    ],
)
def test_wrong_labels_are_refused(method, y, error, message):
    with pytest.raises(error, match=message):
        call(method, y=y)


@labelled_calls
def test_one_output_takes_two_classes(method):
    net = _core.Network([3, 4, 1], "relu", "sigmoid", 1.0, 0)
    call(method, net, y=Y3)
    with pytest.raises(ValueError, match="class numbers from 0 to 1, got 2"):
        call(method, net, y=np.full(6, 2, np.int32))


@calls
@pytest.mark.parametrize("threads", [0, -1, -(2**31)])
def test_threads_below_one_are_refused(method, threads):
    with pytest.raises(ValueError, match=f"threads must be at least 1, got {threads}"):
        call(method, threads=threads)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batch_size_below_one_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {batch_size}"):
        call("train_epoch", batch_size=batch_size)


def test_refused_calls_change_nothing():
    net = _core.Network([3, 4, 2], "relu", "softmax", 1.0, 0)
    before = bits(net)
    for changed in ({"threads": 0}, {"batch_size": 0}, {"y": Y3 + np.int32(1)}, {"X": X3[:0]}):
        with pytest.raises(ValueError):
            call("train_epoch", net, **changed)
    assert bits(net) == before


@pytest.mark.parametrize(
    ("sizes", "activation", "loss", "message"),
    [
        ([3], "relu", "softmax", "at least inputs and outputs, got 1"),
        ([], "relu", "softmax", "at least inputs and outputs, got 0"),
        ([3, 0, 2], "relu", "softmax", "sizes must be at least 1, got 0"),
        ([-3, 2], "relu", "softmax", "sizes must be at least 1, got -3"),
        ([3, 2], "gelu", "softmax", "activation must be one of 'relu', .*, got 'gelu'"),
        ([3, 2], "relu", "hinge", "loss must be one of 'softmax', .*, got 'hinge'"),
    ],
)
def test_wrong_construction_is_refused(sizes, activation, loss, message):
    with pytest.raises(ValueError, match=message):
        _core.Network(sizes, activation, loss, 1.0, 0)


@pytest.mark.parametrize(("loss", "n_out"), [("softmax", 1), ("sigmoid", 3)])
def test_loss_that_does_not_fit_the_outputs_is_refused(loss, n_out):
    """Softmax over one output would write past its row for class 1; sigmoid reads one row only."""
    with pytest.raises(ValueError, match=loss):
        _core.Network([3, n_out], "relu", loss, 1.0, 0)
    layer = from_mask(np.random.default_rng(0), np.ones((n_out, 3), bool))
    with pytest.raises(ValueError, match=loss):
        _core.Network.from_layers([layer], "relu", loss, 0)


LAYER = from_mask(np.random.default_rng(0), np.array([[1, 0, 1], [0, 1, 0]], bool))
FIELDS = ("n_in", "indptr", "indices", "values", "initial", "bias")


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("n_in", 0, ValueError, "layer 0: sizes must be at least 1"),
        ("n_in", -1, ValueError, "layer 0: sizes must be at least 1"),
        (
            "n_in",
            2,
            ValueError,
            r"layer 0 is not canonical CSR: column 2 in row 0 is not in \[0, 2",
        ),
        ("n_in", "three", TypeError, "n_in"),
        ("indptr", np.array([0, 2]), ValueError, "indptr must have 3 entries, got 2"),
        ("indptr", np.zeros(0, np.int64), ValueError, "indptr must have 3 entries, got 0"),
        ("indptr", np.array([0, 4, 3]), ValueError, "indptr falls or leaves the array at row 0"),
        ("indptr", np.array([1, 2, 3]), ValueError, "indptr must start at 0, got 1"),
        ("indptr", np.array([0, 2, 3], "i4"), TypeError, "indptr must be int64, got int32"),
        ("indices", np.array([2, 0, 1], "i4"), ValueError, "columns of row 0 are not ascending"),
        ("indices", np.array([0, 0, 1], "i4"), ValueError, "columns of row 0 are not ascending"),
        ("indices", np.array([0, 2, -1], "i4"), ValueError, "column -1 in row 1"),
        ("indices", np.array([0, 2], "i4"), ValueError, "indptr must end at .* synapses 2, got 3"),
        ("indices", np.array([0, 2, 1]), TypeError, "indices must be int32, got int64"),
        ("values", np.ones(2, "f4"), ValueError, "values must have 3 entries"),
        ("initial", np.ones(4, "f4"), ValueError, "initial must have one entry a synapse"),
        ("values", np.ones(3), TypeError, "values must be float32, got float64"),
        ("values", np.array([1, np.nan, 1], "f4"), ValueError, "weights and biases must be finite"),
        ("initial", np.array([1, np.inf, 1], "f4"), ValueError, "must be finite"),
        ("bias", np.array([1, -np.inf], "f4"), ValueError, "must be finite"),
        ("bias", np.zeros(0, "f4"), ValueError, "layer 0: sizes must be at least 1"),
        ("bias", np.zeros(3, "f4"), ValueError, "indptr must have 4 entries, got 3"),
        (
            "bias",
            np.zeros((2, 1), "f4"),
            ValueError,
            "bias must be aligned and C-ordered with 1 axes",
        ),
    ],
)
def test_wrong_layers_are_refused(field, value, error, message):
    layer = tuple(value if name == field else a for name, a in zip(FIELDS, LAYER, strict=True))
    with pytest.raises(error, match=message):
        _core.Network.from_layers([layer], "relu", "softmax", 0)


def test_layers_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="layer 1: takes 3 inputs, which is not the layer below"):
        _core.Network.from_layers([LAYER, LAYER], "relu", "softmax", 0)
    with pytest.raises(ValueError, match="at least one layer"):
        _core.Network.from_layers([], "relu", "softmax", 0)
    with pytest.raises(ValueError, match="a layer is"):
        _core.Network.from_layers([LAYER[:5]], "relu", "softmax", 0)


@pytest.mark.parametrize(
    ("transform", "error", "message"),
    [
        ((np.zeros(2, "f4"), np.ones(3, "f4")), ValueError, "must have 3 entries, got 2 and 3"),
        ((np.zeros(3, "f4"), np.ones(4, "f4")), ValueError, "must have 3 entries, got 3 and 4"),
        ((np.array([0, 0, np.nan], "f4"), np.ones(3, "f4")), ValueError, "must be finite"),
        ((np.zeros(3, "f4"), np.array([1, 1, np.inf], "f4")), ValueError, "must be finite"),
        ((np.zeros(3), np.ones(3, "f4")), TypeError, "shift must be float32, got float64"),
        ((np.zeros(3, "f4"), np.ones(3)), TypeError, "scale must be float32, got float64"),
        (
            (np.zeros((3, 1), "f4"), np.ones(3, "f4")),
            ValueError,
            "shift must be aligned and C-ordered",
        ),
        ((np.zeros(3, "f4"),), TypeError, "incompatible function arguments"),
    ],
)
def test_wrong_input_transform_is_refused_and_changes_nothing(transform, error, message):
    net = _core.Network([3, 2], "relu", "softmax", 1.0, 0)
    before = bits(net)
    with pytest.raises(error, match=message):
        net.input_transform = transform
    assert bits(net) == before


def test_unknown_optimizers_and_hyperparameters_are_refused():
    known = ", ".join(map(repr, _core.OPTIMIZERS))
    with pytest.raises(ValueError, match=f"optimizer must be one of {known}, got 'newton'"):
        _core.Optimizer("newton", 0.1)
    with pytest.raises(ValueError, match=r"hyperparameter must be one of 'lr', .*, got 'momentum'"):
        _core.Optimizer("adam", 0.1, momentum=0.9)  # this used to be ignored


def test_default_threads_is_what_the_build_says():
    assert _core.default_threads() == _core.build_info()["threads"] >= 1


# --- all_finite ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 15, 16, 17, 4095, 4096, 4097, 10000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_all_finite_finds_one_bad_number_anywhere(n, bad):
    largest = np.finfo(np.float32).max
    a = np.full(n, largest, np.float32)  # whose sum is not finite
    assert _core.all_finite(a)
    for position in {0, n // 2, n - 1, max(n - 2, 0)}:
        a[position] = bad
        assert not _core.all_finite(a)
        a[position] = largest


def test_all_finite_takes_any_axes_of_float32():
    assert _core.all_finite(np.zeros(0, np.float32))
    assert not _core.all_finite(np.full((2, 3), np.nan, np.float32))
    with pytest.raises(TypeError, match="a must be float32, got float64"):
        _core.all_finite(np.zeros(3))
    with pytest.raises(ValueError, match="a must be aligned and C-ordered"):
        _core.all_finite(np.zeros((4, 4), np.float32).T[1:])
