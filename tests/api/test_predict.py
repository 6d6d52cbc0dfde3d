"""`SparseMLP`: what a fitted network predicts, and that threads change none of it."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import synaprune as sn
from synaprune.arrays import as_inputs

EPS = float(np.finfo(np.float32).eps)

# --- what is refused ----------------------------------------------------------------------------


def test_an_unfitted_network_predicts_nothing(data):
    net = sn.SparseMLP((4, 3, 1))
    asks = (net.predict, net.predict_proba, lambda X: net.score(X, data[1]), lambda X: net.classes)
    for ask in asks:
        with pytest.raises(ValueError, match=r"the network was never fitted.*call fit"):
            ask(data[0])


def test_predict_refuses_bad_threads(data, trained):
    net = trained()
    for ask in (net.predict, net.predict_proba, lambda X, **k: net.score(X, data[1], **k)):
        with pytest.raises(ValueError, match=r"^threads must be from 1 to .*, got 0$"):
            ask(data[0], threads=0)
        with pytest.raises(TypeError, match=r"^threads must be an int, got str$"):
            ask(data[0], threads="2")


# --- learning -----------------------------------------------------------------------------------

PROBLEMS = [
    (2, 1, "auto"),
    (2, 1, "sigmoid"),
    (2, 1, "squared"),
    (2, 2, "auto"),
    (2, 2, "softmax"),
    (2, 2, "squared"),
    (3, 3, "auto"),
    (3, 3, "softmax"),
    (3, 3, "squared"),
    (6, 6, "auto"),
]


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize(("n_classes", "n_out", "loss"), PROBLEMS)
def test_fit_learns_blobs(activation, n_classes, n_out, loss, blobs):
    X, y = blobs(n_classes, n=120)
    net = sn.SparseMLP((4, 12, n_out), activation=activation, loss=loss, init_scale=1.0)
    assert net.loss == (loss if loss != "auto" else "sigmoid" if n_out == 1 else "softmax")
    assert net.fit(X, y, training=sn.Training(150, batch_size=8, optimizer=sn.SGD(lr=0.3))) is net
    assert net.score(X, y) >= 0.95
    p = net.predict_proba(X)
    assert p.shape == (len(X), n_classes)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=4 * n_classes * EPS)
    assert (net.classes[p.argmax(axis=1)] == net.predict(X)).all()
    assert net.score(X, y) == np.mean(net.predict(X) == y)


@pytest.mark.parametrize("layers", [(4, 1), (4, 2), (4, 8, 6, 1)])
def test_fit_learns_at_any_depth(layers, data):
    net = sn.SparseMLP(layers, init_scale=1.0)
    assert (
        net.fit(*data, training=sn.Training(60, batch_size=8, optimizer=sn.SGD(lr=0.2))).score(
            *data
        )
        == 1.0
    )


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ([0, 1, 2], "i"),
        ([-7, 3, 2**40], "i"),
        (np.array([3, 200, 255], np.uint8), "u"),
        (np.array([1, 2**62, 2**63 + 1], np.uint64), "u"),
        ([False, True], "b"),
        (["ant", "bee", "wasp"], "U"),
        (np.array(["", "ä", "日本"], object), "U"),
    ],
    ids=str,
)
def test_predict_speaks_in_the_labels_of_fit(names, kind, blobs):
    names = np.array(names)
    X, codes = blobs(len(names))
    net = sn.SparseMLP((4, 10, len(names)), init_scale=1.0)
    net.fit(X, names[codes], training=sn.Training(60, batch_size=8, optimizer=sn.SGD(lr=0.1)))
    labels = net.predict(X)
    assert labels.shape == (len(X),)
    assert labels.dtype.kind == net.classes.dtype.kind == kind
    assert net.classes.tolist() == sorted(names.tolist())
    assert net.score(X, names[codes]) == np.mean(labels == names[codes]) >= 0.95


def test_predict_gives_the_first_of_equally_likely_classes(blobs):
    for n_out in (1, 2, 3):
        n_classes = max(n_out, 2)
        X, y = blobs(n_classes)
        net = sn.SparseMLP((4, n_out)).fit(X, y + 5)
        net.set_weights([replace(w, values=0 * w.values, bias=0 * w.bias) for w in net.weights])
        assert (net.predict(X) == 5).all()
        np.testing.assert_allclose(net.predict_proba(X), 1 / n_classes, rtol=2 * EPS)


def test_a_single_sample_and_a_single_batch(data, trained):
    X, _ = data
    net = trained()
    one = [net.predict_proba(X[i : i + 1])[0].tolist() for i in range(len(X))]
    assert one == net.predict_proba(X).tolist()


def test_outputs_that_overflow_are_an_error_not_nan():
    X = np.array([[1.0, -1.0], [-1.0, 1.0], [0.5, -0.5], [0.0, 1.0]])
    net = sn.SparseMLP((2, 6, 3), init_scale=50.0).fit(
        X / 1e3, [0, 1, 2, 1], training=sn.Training(1)
    )
    assert np.isfinite(net.predict_proba(X)).all()
    with pytest.raises(ValueError, match=r"X holds values so large that .* outputs overflow"):
        net.predict_proba(X * 3e38)


@pytest.mark.parametrize("bias", [-500.0, 500.0])
def test_squared_probabilities_of_far_off_outputs_are_no_nan(bias, blobs):
    X, y = blobs(3)
    net = sn.SparseMLP((4, 3), loss="squared").fit(X, y)
    w = net.weights[0]
    net.set_weights([replace(w, bias=np.full(3, bias, np.float32))])
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1.0, atol=12 * EPS)


# --- threads ------------------------------------------------------------------------------------


def test_the_number_of_threads_changes_no_bit(tmp_path):
    """512·256 synapses · 64 samples are enough work to be shared."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (160, 512), np.uint8)
    y = rng.integers(0, 10, 160)
    y[:10] = range(10)
    files, outputs = set(), set()
    for threads in (1, 2, 7):
        net = sn.SparseMLP((512, 256, 10), seed=4)
        net.fit(
            X, y, training=sn.Training(2, optimizer=sn.SGD(0.05, momentum=0.5)), threads=threads
        )
        net.save(tmp_path / "net.npz")
        files.add((tmp_path / "net.npz").read_bytes())
        p = net.predict_proba(X, threads=threads)
        score = net.score(X, y, threads=threads)
        outputs.add((p.tobytes(), net.predict(X, threads=threads).tobytes(), score))
    assert len(files) == len(outputs) == 1


def test_predicting_while_another_thread_fits(data, bits):
    X, y = data
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0).fit(X, y, training=sn.Training(1))
    expected = net.copy().fit(X, y, training=sn.Training(300, batch_size=8))
    faults, counts, done = [], [0, 0], threading.Event()

    def predict(i):
        try:
            while not done.is_set() or counts[i] == 0:
                p = net.predict_proba(X)
                assert np.allclose(p.sum(axis=1), 1.0)
                assert set(net.predict(X)) <= {0, 1}
                assert net.n_synapses == 30
                net.copy().score(X, y)
                counts[i] += 1
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=predict, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    try:
        net.fit(X, y, training=sn.Training(300, batch_size=8))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert faults == []
    assert min(counts) > 0
    assert bits(net) == bits(expected)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("hidden", [(20,), (), (30, 20), (3000,)])
def test_a_sample_alone_has_the_bits_that_it_has_among_others(dtype, activation, hidden):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (70, 300)).astype(dtype), np.arange(70) % 3
    net = sn.SparseMLP((300, *hidden, 3), activation=activation, init_scale=1.0)
    net.fit(X, y, training=sn.Training(1, optimizer=sn.SGD(lr=1e-4)))
    together, labels = net.predict_proba(X), net.predict(X)
    for i in (0, 33, 64, 69):
        assert net.predict_proba(X[i : i + 1]).tobytes() == together[i].tobytes()
        assert net.predict(X[i : i + 1]) == labels[i]


@pytest.mark.parametrize("n", [1, 200])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_named_wherever_they_are(trained, data, n, bad):
    net = trained()
    X = np.repeat(data[0][:1], n, axis=0)
    X[n - 1, 3] = bad
    for call in (net.predict, net.predict_proba, lambda X: net.score(X, np.zeros(n, int))):
        with pytest.raises(ValueError, match=f"finite in float32, got {bad} in row {n - 1}, colu"):
            call(X)


def test_memory_maps_are_read_where_they_lie(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (500, 40), dtype=np.uint8), np.arange(500) % 2
    X.tofile(tmp_path / "X.bin")
    mapped = np.memmap(tmp_path / "X.bin", np.uint8, "r", shape=X.shape)
    nets = [
        sn.SparseMLP((40, 5, 1)).fit(samples, y, training=sn.Training(2)) for samples in (X, mapped)
    ]
    assert (nets[0].predict_proba(X) == nets[1].predict_proba(mapped)).all()
    assert np.shares_memory(as_inputs(mapped), mapped)


def test_an_overflow_inside_is_not_hidden_by_relu():
    """This used to give a label: infinity less infinity is NaN, which relu took for 0."""
    one, w = np.array([0, 1]), np.array([2.0], np.float32)
    up = sn.SparseLayer(
        1, np.array([0, 1, 2]), np.array([0, 0]), *2 * [np.repeat(w, 2)], np.zeros(2)
    )
    both = np.array([1.0, -1.0], np.float32)
    cross = sn.SparseLayer(2, np.array([0, 2]), np.array([0, 1]), both, both, np.zeros(1))
    top = sn.SparseLayer(1, one, np.array([0]), w, w, np.zeros(1))
    net = sn.SparseMLP((1, 2, 1, 1), input_scaling="none")
    net.fit(np.array([[0.0], [1.0]], np.float32), [0, 1], training=sn.Training(1))
    net.set_weights([up, cross, top])
    for n in (1, 20):
        with pytest.raises(ValueError, match="outputs overflow"):
            net.predict(np.full((n, 1), 3e38, np.float32))
