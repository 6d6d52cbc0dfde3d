"""What `_core` used to answer wrongly, though no input was to blame."""

import numpy as np
import pytest
import synaprune as sn
from core.networks import ablated, data, sgd
from core.processes import run_alone
from synaprune import _core


@pytest.mark.parametrize("threads", [0, -1])
@pytest.mark.parametrize("size", [8, 1 << 21])
def test_all_finite_refuses_to_work_on_no_thread(size, threads):
    """This used to be True of an array of NaN: no thread looked at it."""
    with pytest.raises(ValueError, match=f"threads must be at least 1, got {threads}"):
        _core.all_finite(np.full(size, np.nan, np.float32), threads)


def test_a_training_that_diverges_ends_alike_on_any_threads():
    """This used to be a race between two threads: some runs went a step further than others."""
    X, y = data(640, 784, 10)
    ends = set()
    for run in range(150):
        net = _core.Network([784, 20, 10], "relu", "softmax", 1.0, 0)
        loss = net.train_epoch(X, y, 64, sgd(1e25), 1 if run == 0 else 2 + run % 2)
        assert not np.isfinite(loss)
        ends.add(b"".join(a.tobytes() for layer in net.layers() for a in layer[3:]))
    assert len(ends) == 1


def test_ablation_equals_removal_where_one_input_is_large():
    """This used to take w * x off a float32 sum, which lost what small inputs had added."""
    indptr, indices = np.array([0, 2, 4]), np.array([0, 1, 0, 1], np.int32)
    values = np.array([10.0, 1.0, 10.0, -1.0], np.float32)
    layer = (2, indptr, indices, values, values, np.zeros(2, np.float32))
    net = _core.Network.from_layers([layer], "relu", "softmax", 0)
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(1e6, 1e8, 2000), rng.uniform(-1.0, 1.0, 2000)])
    X = X.astype(np.float32)
    y = (X[:, 1] < 0.0).astype(np.int32)
    before = net.classify(X, 1) == y
    for part, masks in (
        ("columns", [[0, 1, 0, 1], [1, 0, 1, 0]]),
        ("synapses", [[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]),
    ):
        lost, won = ablated(net, X, y, 0, part, 2)
        for i, keep in enumerate(masks):
            cut = net.copy()
            cut.remove(np.array(keep, np.uint8))
            after = cut.classify(X, 1) == y
            for c in (0, 1):
                assert lost[i, c] == (before & ~after & (y == c)).sum()
                assert won[i, c] == (~before & after & (y == c)).sum()


def test_a_layer_may_write_over_the_samples_that_it_reads():
    """This used to be wrong by any amount, in silence; now it is as numpy's `out=`."""
    linear = sn.SparseLinear(sn.SparseMLP((48, 48, 2), seed=0).weights[0])
    memory = np.random.default_rng(0).random((49, 64), np.float32)
    for first in (0, 1):
        buffer = memory.copy()
        out = linear.forward(buffer[:48], out=buffer[first : first + 48])
        assert out.tobytes() == linear.forward(memory[:48]).tobytes()


def test_sizes_are_checked_against_the_network_that_is_used():
    """This used to corrupt the heap: `assign` came between the check and its use."""
    code = """
import threading
import numpy as np
from synaprune import _core
small = _core.Network([4, 8, 2], "relu", "softmax", 1.0, 0)
large = _core.Network([4, 8, 3000], "relu", "softmax", 1.0, 0)
net, X, y, done = small.copy(), np.zeros((64, 4), np.float32), np.full(64, 1, np.int32), []
def flip():
    while not done:
        net.assign(large)
        net.assign(small)
thread = threading.Thread(target=flip, daemon=True)
thread.start()
seen, rounds = set(), 0
while rounds < 150 or len(seen) < 2:
    rounds += 1
    p = net.outputs(X, 1)
    seen.add(p.shape)
    assert abs(p.sum(1) - 1.0).max() < 1e-3
    loss, _ = net.evaluate(X, y, 1)
    assert np.isfinite(loss)
    assert _core.activations(net, X, 1, 1).shape in {(64, 2), (64, 3000)}
done.append(True)
thread.join()
print(sorted(seen))
"""
    result = run_alone(code)
    assert result.stdout == "[(64, 2), (64, 3000)]\n", result.stdout + result.stderr


def test_moments_are_flushed_to_zero_and_the_callers_numbers_are_not():
    """Moments of idle synapses used to stay denormal for ever, and training got ever slower."""
    net = _core.Network([20, 30, 3], "relu", "softmax", 1.0, 0)
    X, y = data(640, 20, 3)
    optimizers = _core.Optimizer("sgd", 0.01, momentum=0.9), _core.Optimizer("adam", 0.01)
    for optimizer in optimizers:
        for threads in (1, 2):
            trained = net.copy()
            trained.train_epoch(X, y, 64, optimizer, threads)
            for _ in range(150):  # all hidden neurons are idle at inputs of 0 and biases below 0
                trained.train_epoch(np.zeros_like(X), y, 64, optimizer, threads)
            _, _, moments = trained.optimizer_state
            tiny = np.finfo(np.float32).tiny
            assert (moments == 0.0).any()
            assert not ((moments != 0.0) & (abs(moments) < tiny)).any()
            denormal = np.array([1e-40], np.float32)
            assert (denormal * np.float32(1.0) == denormal).all()
