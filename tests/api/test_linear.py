"""`SparseLinear`: forward and backward against a dense product, and what it refuses."""

import copy
import pickle
import threading

import numpy as np
import pytest
import synaprune as sn

EPS = float(np.finfo(np.float32).eps)


def weights(n_out, n_in, density, seed=0):
    rng = np.random.default_rng([n_out, n_in, seed])
    mask = rng.random((n_out, n_in)) < density
    indptr = np.concatenate([[0], mask.sum(1).cumsum()])
    values = rng.normal(size=mask.sum()).astype(np.float32)
    bias = rng.normal(size=n_out).astype(np.float32)
    return sn.SparseLayer(n_in, indptr, np.nonzero(mask)[1], values, values, bias)


def arrays(w, n):
    rng = np.random.default_rng(n)
    n_out, n_in = w.shape
    return (rng.normal(size=(rows, n)).astype(np.float32) for rows in (n_in, n_out))


def assert_close(got, expected, terms):
    assert got.dtype == np.float32
    assert (abs(got - expected) <= 4.0 * EPS * terms).all()


@pytest.mark.parametrize(
    ("shape", "density"), [((7, 30), 0.4), ((20, 784), 0.08), ((300, 500), 0.3), ((64, 260), 1.0)]
)
@pytest.mark.parametrize("n", [1, 10, 64, 65, 130, 256])
def test_it_is_the_dense_product_and_its_gradients(shape, density, n):
    w = weights(*shape, density)
    X, D = arrays(w, n)
    layer = sn.SparseLinear(w)
    W, x, d, bias = (a.astype(float) for a in (w.to_dense(), X, D, w.bias))
    Y = layer.forward(X)
    assert_close(Y, W @ x + bias[:, None], abs(W) @ abs(x) + abs(bias)[:, None])
    g = layer.backward(X, D)
    rows = np.repeat(np.arange(shape[0]), np.diff(w.indptr))
    assert_close(g.values, (d @ x.T)[rows, w.indices], (abs(d) @ abs(x).T)[rows, w.indices])
    assert_close(g.bias, d.sum(1), abs(d).sum(1))
    assert_close(g.X, W.T @ d, abs(W).T @ abs(d))


@pytest.mark.parametrize("n", [10, 64, 200])  # fewer tiles than threads, and more
def test_threads_do_not_change_a_bit(n):
    w = weights(300, 400, 0.4)
    X, D = arrays(w, n)
    layer = sn.SparseLinear(w)

    def results(threads):
        g = layer.backward(X, D, threads=threads)
        arrays = [layer.forward(X, threads=threads), g.values, g.bias, g.X]
        return [a.tobytes() for a in arrays]

    one = results(1)
    for threads in (2, 3, 7, "auto", None):
        assert results(threads) == one


def test_what_an_earlier_call_left_behind_the_last_sample_is_not_summed():
    w = weights(50, 60, 0.5)
    used, fresh = sn.SparseLinear(w), sn.SparseLinear(w)
    used.backward(*(1e9 * a for a in arrays(w, 130)))
    X, D = arrays(w, 97)
    for name in ("values", "bias", "X"):
        a, b = (getattr(layer.backward(X, D), name) for layer in (used, fresh))
        assert a.tobytes() == b.tobytes()


def test_what_is_no_array_is_named():
    layer = sn.SparseLinear(weights(7, 30, 0.4))
    X, rows = np.zeros((30, 4), np.float32), [np.zeros(4, np.float32)] * 7
    for call, name in (
        (lambda: layer.forward(X.tolist()), "X"),
        (lambda: layer.forward(X, out=rows), "out"),
        (lambda: layer.backward(X, rows), "D"),
    ):
        with pytest.raises(TypeError, match=f"^{name} must be an array of float32, got list"):
            call()


def test_out_is_written_and_returned():
    w = weights(7, 30, 0.4)
    X, _ = arrays(w, 20)
    layer = sn.SparseLinear(w)
    out = np.full((7, 20), np.nan, np.float32)
    assert layer.forward(X, out=out) is out
    np.testing.assert_array_equal(out, layer.forward(X))


def test_it_reads_no_more_than_it_is_given_and_writes_to_nothing_else():
    w = weights(7, 30, 0.4)
    X, D = arrays(w, 20)
    for a in (X, D, w.values, w.bias):
        a.flags.writeable = False
    before = [a.tobytes() for a in (X, D, w.values, w.bias)]
    layer = sn.SparseLinear(w)
    layer.forward(X)
    layer.backward(X, D)
    assert [a.tobytes() for a in (X, D, w.values, w.bias)] == before
    with pytest.raises(ValueError, match="not writeable"):
        layer.forward(X, out=D)


def test_repr_says_what_it_is():
    w = weights(7, 30, 0.4)
    layer = sn.SparseLinear(w)
    assert repr(layer) == f"SparseLinear(30 to 7, {len(w.values)} synapses)"
    assert (layer.shape, layer.n_synapses) == ((7, 30), len(w.values))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((30, 4)), TypeError, "X must be float32, got float64"),
        (np.zeros((29, 4), "f4"), ValueError, r"X must have shape \(30, samples\)"),
        (np.zeros((30, 0), "f4"), ValueError, r"X must have shape \(30, samples\)"),
        (np.zeros(30, "f4"), ValueError, "X must be aligned and C-ordered with 2 axes"),
        (np.zeros((4, 30), "f4").T, ValueError, "X must be aligned and C-ordered"),
    ],
)
def test_wrong_arrays_are_refused(X, error, message):
    layer = sn.SparseLinear(weights(7, 30, 0.4))
    with pytest.raises(error, match=message):
        layer.forward(X)
    with pytest.raises(error, match=message):
        layer.backward(X, np.zeros((7, 4), np.float32))


def test_arrays_that_do_not_fit_together_are_refused():
    layer = sn.SparseLinear(weights(7, 30, 0.4))
    X = np.zeros((30, 4), np.float32)
    with pytest.raises(ValueError, match=r"D must have shape \(7, 4\)"):
        layer.backward(X, np.zeros((7, 5), np.float32))
    with pytest.raises(ValueError, match=r"out must have shape \(7, 4\)"):
        layer.forward(X, out=np.zeros((4, 7), np.float32))
    with pytest.raises(TypeError, match="out must be float32"):
        layer.forward(X, out=np.zeros((7, 4)))
    with pytest.raises(TypeError, match="threads must be an int"):
        layer.forward(X, threads=1.5)


def test_weights_that_are_no_csr_are_refused():
    w = weights(7, 30, 0.4)
    wrong = sn.SparseLayer(5, w.indptr, w.indices, w.values, w.initial, w.bias)
    with pytest.raises(ValueError, match="W is not canonical CSR: column"):
        sn.SparseLinear(wrong)
    short = sn.SparseLayer(30, w.indptr, w.indices, w.values[1:], w.initial, w.bias)
    with pytest.raises(ValueError, match=f"values must have {len(w.values)} entries"):
        sn.SparseLinear(short)


def test_several_threads_may_use_one_layer():
    w = weights(100, 200, 0.5)
    layer = sn.SparseLinear(w)
    cases = [next(arrays(w, n)) for n in (5, 64, 130)]
    expected = [layer.forward(X, threads=1) for X in cases]
    failures = []

    def use(k):
        for _ in range(30):
            if not np.array_equal(layer.forward(cases[k], threads=2), expected[k]):
                failures.append(k)

    threads = [threading.Thread(target=use, args=(k,)) for k in (0, 1, 2, 0, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


class Named(sn.SparseLinear):
    """A subclass with an attribute."""

    def __init__(self, weights, name):
        super().__init__(weights)
        self.name = name


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))]
)
def test_a_layer_can_be_copied_and_pickled(copied):
    """It used to end in "cannot pickle '_core.Linear' object"."""
    w = weights(40, 30, 0.4)
    layer = Named(w, ["a"])
    twin = copied(layer)
    X, _ = arrays(w, 17)
    assert type(twin) is Named
    assert (twin.name, twin.shape, twin.n_synapses) == (["a"], layer.shape, layer.n_synapses)
    np.testing.assert_array_equal(twin.forward(X), layer.forward(X))


def test_a_layer_keeps_its_own_weights():
    w = weights(7, 30, 0.4)
    layer = sn.SparseLinear(w)
    X, _ = arrays(w, 5)
    before = layer.forward(X)
    w.values[:] = 0.0
    np.testing.assert_array_equal(layer.forward(X), before)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(layer)).forward(X), before)
    with pytest.raises(ValueError, match="read-only"):
        layer.weights.values[:] = 0.0


@pytest.mark.parametrize("shared", ["the same", "a part"])
def test_an_output_may_be_the_input(shared):
    """`forward(X, out=X)` used to read what it had already overwritten."""
    layer = sn.SparseLinear(weights(64, 64, 0.5))
    buffer = np.random.default_rng(0).random((96, 64)).astype(np.float32)
    X, out = buffer[:64], buffer[:64] if shared == "the same" else buffer[32:]
    expected = layer.forward(X.copy())
    assert layer.forward(X, out=out) is out
    np.testing.assert_array_equal(out, expected)
    beside = np.empty((64, 64), np.float32)
    X = np.ones((64, 64), np.float32)
    np.testing.assert_array_equal(layer.forward(X, out=beside), layer.forward(X))
