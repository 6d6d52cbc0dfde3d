"""`_core.Network` amid signals, threads that never end, forks, full memory and a held GIL.

Each scenario is a script in a process of its own, since what is tested for is a crash or a hang.
"""

import os
import sys

import pytest
from core.processes import run_alone
from synaprune import _core

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and processes")
linux = pytest.mark.skipif(sys.platform != "linux", reason="what a thread did is read from /proc")

# Calls of these take a minute or so where nobody interrupts.
LONG = """
import os, signal, sys, threading, time
import numpy as np
from synaprune import _core
net = _core.Network([64, 1024, 1024, 3], "tanh", "softmax", 1.0, 0)
X, y = np.zeros((2**22, 64), np.uint8), np.zeros(2**22, np.int32)
sgd = _core.Optimizer("sgd", 1e-6)
"""

# --- signal handlers -----------------------------------------------------------------------------

READS = {
    "outputs": "net.outputs(X, 1)",
    "evaluate": "net.evaluate(X, y, 2)",
    "gradient_moments": "net.gradient_moments(X, y, 1)",
}
WRITES = {
    "frozen": "net.frozen = None",
    "assign": "net.assign(other)",
    "cut": 'net.cut(net.score("magnitude"), 1000)',
    "train_epoch": "net.train_epoch(X[:64], y[:64], 64, sgd, 1)",
}
HANDLER = """
other = net.copy()
other.cut(other.score("magnitude"), 1000)
def handler(signum, frame):
    if signum == signal.SIGALRM:
        {handle}
        print("handled")
        signal.signal(signal.SIGVTALRM, handler)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.05)  # the call goes on, and is then ended
    else:
        raise KeyboardInterrupt
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", net.n_synapses == other.n_synapses)
"""


def handle_signal(handle, call):
    result = run_alone(LONG + HANDLER.format(handle=handle, call=call))
    assert result.returncode == 0, result.stderr
    return result.stdout.split("\n")[:-1]


@pytest.mark.parametrize("read", READS)
def test_a_signal_handler_may_write_what_its_own_thread_reads(read):
    """This used to wait for ever: handlers ran inside the reader's lock."""
    assert handle_signal(WRITES["assign"], READS[read]) == ["handled", "interrupted True"]


@pytest.mark.parametrize("write", WRITES)
def test_a_signal_handler_may_write_in_any_way(write):
    """This used to wait for ever: handlers ran inside the reader's lock."""
    done = handle_signal(WRITES[write], READS["outputs"])
    assert done == ["handled", f"interrupted {write in ('assign', 'cut')}"]


@pytest.mark.parametrize("read", ["net.layers()", "net.copy()", "net.outputs(X[:9], 2)"])
def test_a_signal_handler_may_read_what_its_own_thread_trains(read):
    """This used to fail with "Resource deadlock avoided": a checkpoint on SIGTERM was lost."""
    done = handle_signal(read, "net.train_epoch(X, y, 64, sgd, 2)")
    assert done == ["handled", "interrupted False"]


def test_a_checkpoint_in_a_signal_handler_is_whole(tmp_path):
    """This used to fail with "Resource deadlock avoided", and the checkpoint was lost."""
    code = """
import os, signal, sys
import numpy as np
import synaprune as sn
X = np.random.default_rng(0).random((200_000, 64), np.float32)
net = sn.SparseMLP((64, 256, 3), seed=0)
def handler(signum, frame):
    net.save(sys.argv[1])
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    net.fit(X, np.arange(len(X)) % 3)
except KeyboardInterrupt:
    saved = sn.SparseMLP.load(sys.argv[1])
    print(saved.structure == net.structure, np.isfinite(saved.predict_proba(X[:9])).all())
"""
    result = run_alone(code, tmp_path / "checkpoint.npz")
    assert result.stdout == "True True\n", result.stderr


@linux
@pytest.mark.limits
def test_ctrl_c_ends_gradients():
    """This used to be heard at the end of the call only. Both are told by CPU time."""
    code = """
import signal, time
import numpy as np
from synaprune import _core
net = _core.Network([784, 256, 256, 10], "relu", "softmax", 1.0, 0)
X, y = np.ones((15_000, 784), np.uint8), np.zeros(15_000, np.int32)
def seconds():
    start = time.process_time()
    try:
        net.gradients(X, y, 1)
    except KeyboardInterrupt:
        print("interrupted")
    return time.process_time() - start
seconds()  # the first call makes the buffers
whole = seconds()
signal.signal(signal.SIGPROF, signal.default_int_handler)
signal.setitimer(signal.ITIMER_PROF, whole / 20)
print(seconds() < whole / 2)
"""
    result = run_alone(code)
    assert result.stdout == "interrupted\nTrue\n", result.stderr


# --- threads -------------------------------------------------------------------------------------

FOREVER = {
    "one long training": "net.train_epoch(X, y, 64, sgd, threads)",
    "trainings": "while True: net.train_epoch(X[:640], y[:640], 64, sgd, threads)",
    "one long prediction": "net.outputs(X, threads)",
    "predictions": "while True: net.outputs(X[:640], threads)",
    "one long gradient_moments": "net.gradient_moments(X, y, threads)",
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("work", FOREVER)
def test_a_daemon_thread_lets_the_interpreter_exit(work, threads):
    """This used to abort: "terminate called", or "FATAL: exception not rethrown"."""
    code = f"""
threads = int(sys.argv[1])
def work():
    {FOREVER[work]}
threading.Thread(target=work, daemon=True).start()
time.sleep(0.3)  # inside the call by now
sys.exit(7)
"""
    result = run_alone(LONG + code, threads)
    assert (result.returncode, result.stderr) == (7, "")


def test_writers_do_not_starve():
    """This used to wait for as long as readers overlapped. Counted in reads, not in seconds."""
    code = """
import threading
import numpy as np
from synaprune import _core
net = _core.Network([64, 128, 128, 10], "relu", "softmax", 1.0, 0)
X, reads, waited, most = np.zeros((4000, 64), np.float32), [], [], 800
started = threading.Barrier(5)
def reader():
    started.wait()
    while len(reads) < most and len(waited) < 5:
        net.outputs(X, 1)
        reads.append(None)
readers = [threading.Thread(target=reader) for _ in range(4)]
for thread in readers:
    thread.start()
started.wait()
for _ in range(5):
    before = len(reads)
    net.frozen = None
    waited.append(len(reads) - before)
for thread in readers:
    thread.join()
print(len(reads) < most and max(waited) < 60, waited)
"""
    result = run_alone(code)
    assert result.stdout.startswith("True"), result.stdout + result.stderr


@linux
@pytest.mark.parametrize("threads", [1, 2])
def test_training_in_the_background_needs_no_gil(threads):
    """This used to stand still while the main thread held the GIL.

    The main thread sleeps with the GIL held: a training that wanted it would get no CPU time then,
    where one that does not want it gets some on the busiest machine.
    """
    code = """
import ctypes
threads = int(sys.argv[1])
def train():
    net.train_epoch(X, y, 64, sgd, threads)
thread = threading.Thread(target=train, daemon=True)
thread.start()
time.sleep(0.2)  # inside the call by now
clock = time.pthread_getcpuclockid(thread.ident)
trained = time.clock_gettime(clock)
ctypes.PyDLL(None).usleep(2_000_000)  # PyDLL, other than CDLL, keeps the GIL
trained = time.clock_gettime(clock) - trained
print(trained > 0.1, trained)
sys.stdout.flush()
os._exit(0)
"""
    result = run_alone(LONG + code, threads)
    assert result.stdout.startswith("True"), result.stdout + result.stderr


# --- fork ----------------------------------------------------------------------------------------

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

CHILD = """
def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            if os.path.isdir("/proc/self/task"):
                assert len(os.listdir("/proc/self/task")) == 1, "the child has threads"
            os._exit(0)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
    deadline = time.monotonic() + 50.0
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return "hangs"
    return "done" if ended[1] == 0 else "failed"
"""


@needs_fork
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", ["train_epoch(X, y, 64, sgd, threads)", "evaluate(X, y, threads)"])
def test_a_child_forked_during_a_call_works_on(call, threads):
    """This used to hang: the child waited for a lock that a thread of its parent holds."""
    code = f"""
threads = int(sys.argv[1])
threading.Thread(target=lambda: net.{call}, daemon=True).start()
time.sleep(0.3)  # inside the call by now
def work():
    twin = net.copy()
    for each in (twin, net):
        assert each.n_synapses == 64 * 1024 + 1024 * 1024 + 1024 * 3
        each.outputs(X[:300], 2)
        each.train_epoch(X[:300], y[:300], 64, sgd, 2)
    assert twin.layers()[0][3].tobytes() == net.layers()[0][3].tobytes()
    net.frozen = None
    net.assign(twin)
print(child(work), flush=True)
os._exit(0)
"""
    result = run_alone(LONG + CHILD + code, threads)
    assert result.stdout == "done\n", result.stdout + result.stderr


@needs_fork
@linux
@pytest.mark.skipif(_core.build_info()["thread_runtime"] != "openmp", reason="built without OpenMP")
@pytest.mark.parametrize("imported", ["before", "after"])
def test_a_child_forked_beside_another_library_with_openmp_works(imported):
    """This used to hang where torch had used libgomp's threads before the fork.

    Nothing of ours ran before, so that nothing of ours could note the fork.
    """
    code = """
import ctypes, os, signal, sys, time
import numpy as np
if sys.argv[1] == "before":
    from synaprune import _core
runtime, libc = ctypes.CDLL("libgomp.so.1", ctypes.RTLD_GLOBAL), ctypes.CDLL(None)
runtime.GOMP_parallel(libc.getpid, None, 2, 0)  # what `#pragma omp parallel` is compiled to
assert len(os.listdir("/proc/self/task")) > 1
def work():
    from synaprune import _core
    net = _core.Network([300, 200, 2], "relu", "softmax", 1.0, 0)
    X, y = np.ones((4096, 300), np.float32), np.zeros(4096, np.int32)
    net.train_epoch(X, y, 64, _core.Optimizer("sgd", 0.1), 2)
    assert net.evaluate(X, y, 2)[1] == 4096
print(child(work))
"""
    result = run_alone(CHILD + code, imported)
    assert result.stdout == "done\n", result.stdout + result.stderr


# --- memory --------------------------------------------------------------------------------------

WRITES_IN_LITTLE_MEMORY = {
    "remove": "net.remove(keep)",
    "cut": "net.cut(scores, 1000)",
    "frozen": "net.frozen = frozen",
    "optimizer_state": "net.optimizer_state = given",
    "train_epoch": 'net.train_epoch(X, y, 64, _core.Optimizer("adam", 0.001), 1)',
    "assign": "net.assign(other)",
}


@linux
@pytest.mark.limits
@pytest.mark.parametrize("write", WRITES_IN_LITTLE_MEMORY)
def test_a_write_that_runs_out_of_memory_changes_nothing(write):
    """This used to corrupt the heap: a cut left layers that no longer fitted the plan of them."""
    code = f"""
import resource
import numpy as np
from synaprune import _core
def used():
    return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
def state(net):
    arrays = [a for layer in net.layers() for a in layer[1:]]
    kind, step, moments = net.optimizer_state
    return [a.tobytes() for a in (*arrays, moments)] + [kind, step, net.frozen, net.rng_state]
def train(net):
    return net.train_epoch(X, y, 64, _core.Optimizer("sgd", 0.001, momentum=0.9), 1)
net = _core.Network([500, 400, 10], "relu", "softmax", 1.0, 0)
X = np.random.default_rng(0).random((256, 500), np.float32)
y = np.arange(256, dtype=np.int32) % 10
train(net)
first, before, unlimited = net.copy(), state(net), resource.getrlimit(resource.RLIMIT_AS)
keep = np.arange(net.n_synapses) % 50 != 0
keep, frozen = keep.astype(np.uint8), np.zeros(net.n_synapses + 410, np.uint8)
kind, step, moments = net.optimizer_state
other, given, scores = net.copy(), (kind, step + 1, moments), net.score("magnitude")
other.remove(keep)
counts = {{"failed": 0, "worked": 0}}
for slack in (0, *(2**k for k in range(15, 26))):
    resource.setrlimit(resource.RLIMIT_AS, (used() + slack, unlimited[1]))
    try:
        {WRITES_IN_LITTLE_MEMORY[write]}
        failed = False
    except MemoryError:
        failed = True
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    counts["failed" if failed else "worked"] += 1
    assert not failed or state(net) == before, "changed"
    assert np.isfinite(train(net))
    net.assign(first)
assert counts["failed"] and counts["worked"], counts
print("done")
"""
    # Each array of some size is asked for from the system alone.
    result = run_alone(code, MALLOC_MMAP_THRESHOLD_="16384")
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr
