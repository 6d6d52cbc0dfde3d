"""`_core.Network` with more threads than there are, interrupted, and shared."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from core.dense_model import EPS
from core.networks import data, environment, sgd
from core.processes import run_alone
from synaprune import _core

# --- more threads than there are ----------------------------------------------------------------


def test_more_threads_than_the_system_has_do_not_crash():
    """A process of its own: libgomp kills the one that asks for too many."""
    code = """
import numpy as np
from synaprune import _core
net = _core.Network([300, 200, 10], "relu", "softmax", 1.0, 0)
X, y = np.ones((4096, 300), np.float32), np.zeros(4096, np.int32)
threads = 100_000
net.train_epoch(X, y, 4096, _core.Optimizer("sgd", 0.1), threads)
net.gradients(X, y, threads)
print("loss", net.evaluate(X, y, threads)[0])
"""
    result = run_alone(code, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("loss ")


@pytest.mark.skipif(sys.platform != "linux", reason="memory can be limited on Linux alone")
def test_threads_that_cannot_be_started_are_done_without():
    """OpenMP used to end the process: "libgomp: Thread creation failed"."""
    code = """
import os, resource
import numpy as np
from synaprune import _core
net = _core.Network([300, 200, 10], "relu", "softmax", 1.0, 0)
X, y = np.ones((4096, 300), np.float32), np.zeros(4096, np.int32)
expected = net.evaluate(X, y, 1)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
# The stacks of two threads or so: each takes 8 MB, and memory of its own beside.
resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, resource.RLIM_INFINITY))
resource.setrlimit(resource.RLIMIT_AS, (used + (30 << 20), resource.RLIM_INFINITY))
assert net.evaluate(X, y, 64) == expected
print(len(os.listdir("/proc/self/task")) < 16)
"""
    result = run_alone(code, OMP_STACKSIZE="8M", MALLOC_ARENA_MAX="1")
    assert (result.returncode, result.stdout) == (0, "True\n"), result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_works_on():
    """This used to hang: the child waited for threads that only its parent has."""
    code = """
import os
import numpy as np
from synaprune import _core
net = _core.Network([300, 200, 10], "relu", "softmax", 1.0, 0)
X, y = np.ones((4096, 300), np.float32), np.zeros(4096, np.int32)
expected = net.copy()
net.train_epoch(X, y, 256, _core.Optimizer("sgd", 0.1), 2)
child = os.fork()
if child == 0:
    expected.train_epoch(X, y, 256, _core.Optimizer("sgd", 0.1), 2)
    same = expected.layers()[0][3].tobytes() == net.layers()[0][3].tobytes()
    os._exit(0 if same and expected.evaluate(X, y, 2) == net.evaluate(X, y, 2) else 1)
assert os.waitpid(child, 0)[1] == 0
print("done")
"""
    result = run_alone(code)
    assert result.stdout == "done\n", result.stderr


# --- interrupts and concurrency -----------------------------------------------------------------

LONG_CALLS = {  # each takes a minute or so where nobody interrupts
    "train_epoch": 'net.train_epoch(X, y, 64, _core.Optimizer("sgd", 1e-6), threads)',
    "evaluate": "net.evaluate(X, y, threads)",
    "outputs": "net.outputs(X, threads)",
    "classify": "net.classify(X, threads)",
}
LONG_SCRIPT = """
import sys
import numpy as np
from synaprune import _core
threads = int(sys.argv[1])
net = _core.Network([64, 1024, 1024, 3], "tanh", "softmax", 1.0, 0)
X, y = np.zeros((2**22, 64), np.uint8), np.zeros(2**22, np.int32)
print("ready", flush=True)
try:
    {call}
    print("finished")
except KeyboardInterrupt:
    net.evaluate(X[:9], y[:9], 1)  # the network is still of use
    print("interrupted")
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("long_call", LONG_CALLS.values(), ids=LONG_CALLS)
def test_ctrl_c_ends_a_long_call(long_call, threads):
    with subprocess.Popen(
        [sys.executable, "-c", LONG_SCRIPT.format(call=long_call), str(threads)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.4)  # inside the call by now
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=15)
        finally:
            process.kill()
    assert out == "interrupted\n"


TORN_SCRIPT = """
import os, signal
import numpy as np
from synaprune import _core
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # threads wait for each other's core
X, y, lr = np.zeros((200000, 450), np.uint8), np.arange(200000, dtype=np.int32) % 10, 2.0**-20
signal.signal(signal.SIGALRM, signal.default_int_handler)
torn = 0
for trial in range(40):
    net = _core.Network([450, 20, 10], "relu", "softmax", 1.0, 5)
    before = net.layers()[0][3]
    signal.setitimer(signal.ITIMER_REAL, 0.003 + 0.0007 * (trial % 17))
    try:
        while True:
            net.train_epoch(X, y, 64, _core.Optimizer("sgd", lr, l1=1.0), 2)
    except KeyboardInterrupt:
        pass
    steps = np.rint(abs(before - net.layers()[0][3]) / lr)[abs(before) > 0.05]
    torn += len(np.unique(steps)) > 1
print("torn:", torn)
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="threads cannot be put on one core"
)
def test_ctrl_c_leaves_as_many_updates_to_all_weights():
    """On a busy machine, one thread used to leave out the update of the batch that was under way.

    All inputs are 0, so that each update moves a weight by the rate of L1, towards 0.
    """
    result = run_alone(TORN_SCRIPT, timeout=120)
    assert result.stdout == "torn: 0\n", result.stderr


def test_readers_and_a_writer_share_a_network():
    X, y = data(4000, 30, 5)  # enough that evaluation is shared out, too
    net = _core.Network([30, 40, 5], "relu", "softmax", 1.0, 0)
    failures, seen = [], []
    started = threading.Barrier(5)

    def reader():
        try:
            started.wait()
            for _ in range(25):
                p = net.outputs(X, 2)
                assert p.shape == (4000, 5)
                assert (abs(p.sum(1) - 1.0) < 20 * EPS).all()
                mean_loss, n_correct = net.evaluate(X, y, 2)
                assert np.isfinite(mean_loss)
                assert 0 <= n_correct <= 4000
                assert net.classify(X, 1).max() < 5
                # a copy is one moment's whole network
                twin = net.copy()
                assert sum(len(layer[2]) for layer in twin.layers()) == twin.n_synapses
                seen.append(twin.n_synapses)
        except BaseException as error:
            failures.append(error)

    def writer():
        try:
            started.wait()
            for _ in range(15):
                assert np.isfinite(net.train_epoch(X, y, 500, sgd(0.05), 2))
                net.cut(net.score("wsf"), 20)
                net.assign(net.copy())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=f) for f in (reader, reader, reader, reader, writer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(seen) == 4 * 25
    assert net.n_synapses <= 30 * 40 + 40 * 5 - 15 * 20
