"""One model on many ranks, here threads that talk through queues: equal bits for any number."""

import os
import queue
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn
from core.dense_model import DenseModel
from core.test_state import splitmix64
from synaprune.distributed import (
    Communicator,
    Exchange,
    RankError,
    Ranks,
    TorchCommunicator,
    rows_of,
)

N = 203  # rows that no number of ranks divides
RECIPE = sn.Training(3, batch_size=48, optimizer=sn.SGD(lr=0.2))


class Queues:
    """A communicator between threads."""

    def __init__(self, rank, size, queues):
        self.rank, self.size, self.queues = rank, size, queues

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return self.size

    def Sendrecv(self, sendbuf, dest, sendtag, recvbuf, source, recvtag):
        self.queues[self.rank, dest].put((sendtag, sendbuf.copy()))
        tag, got = self.queues[source, self.rank].get(timeout=10)
        assert (tag, got.dtype, got.shape) == (recvtag, recvbuf.dtype, recvbuf.shape)
        recvbuf[...] = got


def on_ranks(size, work):
    """Return what work(comm) returned or raised on each rank."""
    queues = {(a, b): queue.SimpleQueue() for a in range(size) for b in range(size)}
    told = [None] * size

    def run(rank):
        try:
            told[rank] = work(Queues(rank, size, queues))
        except BaseException as error:
            told[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def errors_on_ranks(size, work):
    told = on_ranks(size, work)
    assert all(isinstance(error, Exception) for error in told), told
    return told


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, (N, 12)).astype(np.float32)
    return X, np.array(["no", "yes", "maybe"])[(X[:, :3] - X[:, 3:6]).argmax(axis=1)]


def state(net):
    header, arrays = net.state()
    return header, {name: a.tobytes() for name, a in arrays.items()}


def fitted(rows, comm, *, sizes=(12, 9, 3), training=RECIPE, weight=None, threads=1, **options):
    X, y = rows
    part = rows_of(len(X), comm)
    net = sn.SparseMLP(sizes, init_scale=1.0, seed=1, **options)
    weight = None if weight is None else weight[part]
    return net.fit(X[part], y[part], weight, training=training, threads=threads, comm=comm)


VARIANTS = {
    "plain": {},
    "column groups": {"sizes": (12, 500, 3), "threads": 2},
    "rows": {"sizes": (12, 60, 90, 3), "threads": 2},
    "weights of rows and classes": {
        "weight": np.random.default_rng(1).integers(0, 3, N).astype(float),
        "training": replace(RECIPE, class_weight="balanced"),
        "input_scaling": "standard",
    },
    "momentum, clipping, means": {
        "training": replace(
            RECIPE,
            optimizer=sn.Adam(0.01),
            max_gradient_norm=0.5,
            swa_epochs=2,
            label_smoothing=0.1,
        ),
        "input_scaling": "center",
    },
    "moved images": {"training": replace(RECIPE, augment=sn.ShiftImages(3, 4))},
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
def test_any_number_of_ranks_gives_the_bits_of_one(rows, variant):
    (one,) = on_ranks(1, lambda comm: state(fitted(rows, comm, **variant)))
    for size in (2, 4):
        assert on_ranks(size, lambda comm: state(fitted(rows, comm, **variant))) == [one] * size
    (others,) = on_ranks(1, lambda comm: state(fitted(rows, Ranks(comm, 16), **variant)))
    assert others != one  # the shards do matter


@pytest.mark.parametrize("loss", ["squared_error", "sigmoid", "squared"])
def test_other_losses_and_fewer_rows_than_a_batch(loss):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(37, 5)).astype(np.float32)
    y = 40.0 + 3.0 * X[:, 0] if loss == "squared_error" else X[:, 0] > 0.5
    options = {"sizes": (5, 4, 1), "loss": loss, "training": replace(RECIPE, batch_size=128)}
    (one,) = on_ranks(1, lambda comm: state(fitted((X, y), comm, **options)))
    assert on_ranks(4, lambda comm: state(fitted((X, y), comm, **options))) == [one] * 4


def epoch_order(n, n_shards, seed):
    """The rows of each shard, shuffled as the core does, by one word of random state."""
    state, seed = splitmix64(seed)
    orders = []
    for s in range(n_shards):
        order = list(range(n * s // n_shards, n * (s + 1) // n_shards))
        word = splitmix64((seed + s * 0xD1B54A32D192ED03) % 2**64)[1]
        for i in range(len(order) - 1, 0, -1):
            word, drawn = splitmix64(word)
            k = (drawn >> 32) * (i + 1) >> 32
            order[i], order[k] = order[k], order[i]
        orders.append(order)
    return state, orders


@pytest.mark.parametrize("size", [1, 2, 4])
def test_it_is_gradient_descent_on_the_batches(rows, size):
    X, y = rows
    net = sn.SparseMLP((12, 9, 3), activation="tanh", init_scale=1.0, seed=1)
    layers = [(w.n_in, w.indptr, w.indices, w.values, w.initial, w.bias) for w in net.weights]
    model, word = DenseModel(layers, "tanh", "softmax"), net._core.rng_state
    codes = np.unique(y, return_inverse=True)[1]
    for _ in range(RECIPE.epochs):
        word, orders = epoch_order(N, 8, word)
        part, sizes = 48 // 8, []
        for k in range(0, max(map(len, orders)), part):
            batch = [row for order in orders for row in order[k : k + part]]
            model.sgd(X[batch].astype(float), codes[batch], 0.2)
            sizes.append(len(batch))
        assert sizes == [48, 48, 48, 48, N - 4 * 48]
    for got in on_ranks(size, lambda comm: fitted(rows, comm, activation="tanh")):
        for w, expected in zip(got.weights, model.weights, strict=True):
            np.testing.assert_allclose(w.to_dense(), expected.value, rtol=2e-5, atol=2e-6)


def test_all_ranks_know_all_labels_even_if_they_see_one():
    X = np.repeat(np.eye(3, dtype=np.float32), 40, axis=0)
    y = np.repeat(["b", "a", "cc"], 40)
    nets = on_ranks(4, lambda comm: fitted((X, y), comm, sizes=(3, 4, 3)))
    assert [net.classes.tolist() for net in nets] == [["a", "b", "cc"]] * 4
    assert nets[3].classes.dtype == "<U2"


def test_scores_losses_and_the_end_are_the_same_on_all_ranks(rows):
    X, y = rows

    def work(comm, listener):
        part, told = rows_of(N, comm), []

        def callback(progress):
            told.append((progress.loss, progress.score))
            return sn.STOP if progress.epoch == 2 else None

        net = sn.SparseMLP((12, 9, 3), init_scale=1.0, seed=1)
        net.fit(
            X[part], y[part], training=RECIPE, validation=(X[part], y[part]), comm=comm, threads=1,
            callback=callback if comm.Get_rank() == listener else None,
        )  # fmt: skip
        return told, state(net)

    (alone,) = on_ranks(1, lambda comm: work(comm, 0))
    told = on_ranks(4, lambda comm: work(comm, 3))
    assert len(alone[0]) == 2
    assert told[3][0] == alone[0]
    assert [net for _, net in told] == [alone[1]] * 4


PRUNINGS = {
    "gradual": {
        "n_synapses": 40,
        "training": replace(RECIPE, epochs=8),
        "strategy": sn.Gradual(regrow_budget=0.3),
        "criterion": "fisher",
    },
    "iterative": {
        "max_drop": 0.05,
        "training": sn.Training(batch_size=48, optimizer=sn.SGD(lr=0.2)),
        "strategy": sn.Iterative(retrain_epochs=1, n_candidates=1, search_budget=0),
        "metric": "balanced_accuracy",
    },
}


@pytest.mark.parametrize("options", PRUNINGS.values(), ids=list(PRUNINGS))
def test_ranks_prune_along_equal_paths(rows, options):
    X, y = rows

    def work(comm):
        part, net = rows_of(N, comm), fitted(rows, comm)
        judged = rows_of(60, comm)
        path = sn.prune(
            net, X[part], y[part], validation=(X[:60][judged], y[:60][judged]), comm=comm,
            threads=1, **options,
        )  # fmt: skip
        return [(step.n_synapses, step.score, step.p_value) for step in path], state(path.smallest)

    (one,) = on_ranks(1, work)
    assert len(one[0]) > 2
    assert on_ranks(2, work) == [one] * 2


# ---- what does not fit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"training": replace(RECIPE, batch_size=96)},
            r"training.batch_size is 48 on rank 0 and 96",
        ),
        ({"training": replace(RECIPE, lr_schedule=lambda t: 1.0 - t)}, "training.lr_schedule is"),
        ({"sizes": (12, 8, 3)}, r"net.layers is \[12, 9, 3\] on rank 0 and \[12, 8, 3\] on rank 1"),
        ({"seed": 2}, "net.seed is 1 on rank 0 and 2 on rank 1"),
        ({"X": np.uint8}, "dtype of X is float32 on rank 0 and uint8 on rank 1"),
        ({"weight": np.ones(N)}, "sample_weight is left out on rank 0 and given on rank 1"),
        ({"shards": 4}, "n_shards is 8 on rank 0 and 4 on rank 1"),
    ],
)
def test_ranks_that_differ_are_told_alike_before_any_training(rows, change, message):
    X, y = rows

    def work(comm):
        part = rows_of(N, comm)
        own = {"sizes": (12, 9, 3), "seed": 1, "training": RECIPE, "weight": None} | (
            change if comm.Get_rank() == 1 else {}
        )
        net = sn.SparseMLP(own["sizes"], seed=own["seed"])
        weight = None if own["weight"] is None else own["weight"][part]
        X_here = X[part].astype(own.get("X", np.float32))
        net.fit(
            X_here, y[part], weight, training=own["training"],
            comm=Ranks(comm, own.get("shards", 8)),
        )  # fmt: skip

    first, second = errors_on_ranks(2, work)
    assert type(first) is type(second) is ValueError
    assert str(first) == str(second)
    with pytest.raises(ValueError, match="all ranks must train the same: .*" + message):
        raise first


def test_other_rows_than_a_ranks_own_are_refused(rows):
    X, y = rows

    def work(comm):
        n = (N, 91)[comm.Get_rank()]
        sn.SparseMLP((12, 9, 3)).fit(X[:n], y[:n], comm=comm, training=RECIPE)

    for error in errors_on_ranks(2, work):
        assert isinstance(error, ValueError)
        assert "rank 0 must have the rows 0 to 146 of all 294, which are 147, got 203" in str(error)


def test_what_one_rank_cannot_read_ends_all(rows):
    X, y = rows

    def work(comm):
        part = X[rows_of(N, comm)].copy()
        part[0, 0] = np.nan if comm.Get_rank() == 2 else 0.0
        sn.SparseMLP((12, 9, 3)).fit(part, y[rows_of(N, comm)], comm=comm, training=RECIPE)

    told = errors_on_ranks(4, work)
    assert type(told[2]) is ValueError
    for rank in (0, 1, 3):
        assert type(told[rank]) is RankError
        assert str(told[rank]).startswith("rank 2 failed: ValueError: X must be finite")


@pytest.mark.parametrize("where", ["callback", "begin", "batch"])
def test_a_rank_that_raises_between_messages_ends_all(rows, where, monkeypatch):
    X, y = rows

    class Fails:
        def __call__(self, progress):
            if where == "callback" and progress.epoch == 2:
                raise KeyError("mine")

        def on_train_begin(self, net):
            if where == "begin":
                raise KeyError("mine")

    add, left = Exchange.add, [7]

    def failing(self, here):
        """Raise in the middle of an epoch, as a signal would."""
        if self.rank == 1 and where == "batch":
            left[0] -= 1
            if left[0] == 0:
                raise KeyError("mine")
        add(self, here)

    monkeypatch.setattr(Exchange, "add", failing)

    def work(comm):
        part = rows_of(N, comm)
        net = sn.SparseMLP((12, 9, 3), seed=1)
        fails = comm.Get_rank() == 1
        net.fit(X[part], y[part], comm=comm, training=RECIPE, callback=Fails() if fails else None)

    told = errors_on_ranks(4, work)
    assert type(told[1]) is KeyError
    for rank in (0, 2, 3):
        assert type(told[rank]) is RankError, told
        assert str(told[rank]) == "rank 1 failed: KeyError: 'mine'"


def test_a_rank_that_is_gone_is_named(rows):
    class Gone(Queues):
        def Sendrecv(self, *buffers):
            raise OSError("connection reset")

    X, y = rows
    with pytest.raises(RankError, match="rank 1 cannot be reached: OSError: connection reset"):
        sn.SparseMLP((12, 9, 3)).fit(X, y, comm=Gone(0, 2, {}), training=RECIPE)


def test_divergence_is_told_on_all_ranks(rows):
    recipe = replace(RECIPE, optimizer=sn.SGD(lr=3e38))
    for error in errors_on_ranks(4, lambda comm: fitted(rows, comm, training=recipe)):
        assert type(error) is sn.TrainingDiverged


@pytest.mark.parametrize(
    ("comm", "error", "message"),
    [
        (3, TypeError, "comm must have Get_rank, Get_size and Sendrecv, .* got int"),
        (Queues, TypeError, "comm must have Get_rank"),
        (Queues(0, 3, {}), ValueError, "comm must have a power of two of ranks, got 3"),
    ],
)
def test_what_is_no_communicator_is_refused(rows, comm, error, message):
    with pytest.raises(error, match=message):
        sn.SparseMLP((12, 9, 3)).fit(*rows, comm=comm, training=RECIPE)


def test_shards_and_batches_have_to_fit(rows):
    alone = Queues(0, 1, {})
    assert isinstance(alone, Communicator)
    for n in (0, 3, 12):
        with pytest.raises(ValueError, match="n_shards must be"):
            Ranks(alone, n)
    with pytest.raises(
        ValueError, match=r"batch_size must be a multiple of the 8 shards .* got 50"
    ):
        fitted(rows, alone, training=replace(RECIPE, batch_size=50))
    many = errors_on_ranks(4, lambda comm: fitted(rows, Ranks(comm, 2)))
    assert all("n_shards must be a multiple of the 4 ranks, got 2" in str(e) for e in many)
    for name, value in (("checkpoint", "here.npz"), ("time_limit", 3.0)):
        with pytest.raises(ValueError, match=f"{name} does not go with comm"):
            sn.prune(
                fitted(rows, alone), *rows, validation=rows, comm=alone, training=RECIPE,
                **{name: value}, n_synapses=40,
            )  # fmt: skip


def test_rows_are_dealt_out_in_the_order_of_ranks():
    parts = [rows_of(1001, Queues(rank, 4, {})) for rank in range(4)]
    assert np.concatenate([np.arange(1001)[part] for part in parts]).tolist() == list(range(1001))
    assert {len(range(1001)[part]) for part in parts} == {250, 251}


# ---- real communicators

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
PACKAGE = str(Path(sn.__file__).resolve().parents[1])  # from another folder, too


def written(tmp_path, launch, needed):
    """Run the page's example of a library; return the bytes that it writes."""
    (script,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
        if needed in block
    )
    tmp_path.mkdir()
    shorter = script.replace("epochs=20", "epochs=2")  # ranks wait for each other on busy cores
    (tmp_path / "script.py").write_text(shorter, "utf-8")
    done = subprocess.run(
        [*launch, "script.py"], env=os.environ | {"PYTHONPATH": PACKAGE, "OMP_NUM_THREADS": "1"},
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return (tmp_path / "digits.npz").read_bytes()


def test_mpi4py_gives_the_same_bytes_for_any_number_of_ranks(tmp_path):
    pytest.importorskip("mpi4py")
    mpiexec = os.path.join(os.path.dirname(sys.executable), "mpiexec")
    if not os.path.exists(mpiexec):
        pytest.skip("needs mpiexec beside Python: pip install mpich")
    files = [
        written(
            tmp_path / f"{n}", [mpiexec, "-n", f"{n}", sys.executable, "-m", "mpi4py"], "mpi4py"
        )
        for n in (1, 2)
    ]
    assert files[0] == files[1]


def test_torch_gives_the_same_bytes_for_any_number_of_ranks(tmp_path):
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="must be initialised before"):
        TorchCommunicator()
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    files = [written(tmp_path / f"{n}", [*launch, f"{n}"], "init_process_group") for n in (1, 2)]
    assert files[0] == files[1]
