"""Ctrl-C, SIGTERM and SIGHUP: exit status 128 + signal, one line, what was accepted is saved."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import synaprune as sn
from console.process import environment, flowers, run

pty = pytest.importorskip("pty", reason="no terminals on this system")

# Says "ready" when all is imported and the run is about to begin.
READY = """
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup may run these tests
from synaprune.cli import display, main
print("ready", flush=True)
sys.exit(main())
"""
# A descent that is long only towards its end, where it tries every synapse that is left.
LONG_DESCENT = ("--retrain-epochs", 300, "--patience", 300, "--candidates", 1000)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@contextlib.contextmanager
def started(args, stderr):
    command = [sys.executable, "-c", READY, *map(str, args)]
    process = subprocess.Popen(
        command, env=environment(TERM="xterm"), stdout=subprocess.PIPE, stderr=stderr,
        start_new_session=True,  # so that it leads a group of its own
    )  # fmt: skip
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def to_one(process):
    process.send_signal(signal.SIGINT)


def to_all(process):
    """Interrupt its children too, as a terminal does."""
    os.killpg(process.pid, signal.SIGINT)


def signal_of(number):
    return lambda process: process.send_signal(number)


def interrupt(args, seconds=1.0, send=to_one):
    """Send SIGINT after so many seconds of work; returns status, stdout and stderr."""
    with started(args, subprocess.PIPE) as process:
        time.sleep(seconds)
        assert process.poll() is None
        send(process)
        out, err = process.communicate(timeout=20)
        return process.returncode, out.decode(), err.decode()


def interrupt_when(pattern, args, send=to_one):
    """Send SIGINT when the bar on a terminal shows `pattern`; returns status, stdout, stderr."""
    ours, theirs = pty.openpty()
    shown = ""
    sent = False
    try:
        with started(args, theirs) as process:
            os.close(theirs)
            end = time.monotonic() + 60
            while time.monotonic() < end:
                if not select.select([ours], [], [], 0.1)[0]:
                    continue
                try:
                    new = os.read(ours, 65536)
                except OSError:  # how Linux says that the other side is closed
                    break
                if not new:
                    break
                shown += new.decode()
                if not sent and re.search(pattern, ESCAPES.sub("", shown)):
                    send(process)
                    sent = True
            assert sent, shown[-500:]
            out, _ = process.communicate(timeout=20)
            return process.returncode, out.decode(), shown
    finally:
        os.close(ours)


def left_on_screen(shown):
    """The lines that are no bar (which ends in its elapsed time) and not empty."""
    lines = (line.strip() for line in re.split(r"[\r\n]+", ESCAPES.sub("", shown)))
    return [line for line in lines if line and not re.search(r"\d:\d\d:\d\d$", line)]


def test_many_runs():
    status, out, err = interrupt(["prune", "xor", "--runs", "10000"])
    assert (status, out) == (130, "")
    assert re.fullmatch(r"synaprune: .*interrupted.*\n", err)


SIDE_BY_SIDE = ("prune", "xor", "--runs", "10000", "--jobs", "2")
AT_WORK = r"run \d\d+/10000"  # shown when ten runs are done: both processes work


def test_many_runs_side_by_side_leave_no_process_behind():
    pids = []

    def send(process):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            pytest.skip("this system does not list the children of a process")
        pids.extend(children.read_text().split())
        to_one(process)

    status, out, shown = interrupt_when(AT_WORK, SIDE_BY_SIDE, send)
    assert len(pids) >= 2
    assert (status, out) == (130, "")
    [line] = left_on_screen(shown)
    assert re.fullmatch(r"synaprune: .*interrupted.*", line)
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_ctrl_c_on_a_terminal_while_processes_start_prints_one_line():
    status, out, err = interrupt(SIDE_BY_SIDE, 0.3, to_all)
    assert (status, out) == (130, "")
    assert re.fullmatch(r"synaprune: .*interrupted.*\n", err)


def test_ctrl_c_on_a_terminal_while_processes_work_prints_one_line():
    """This used to end in a traceback, one time in thirty: Python's exit met a pool's own end."""
    status, out, shown = interrupt_when(AT_WORK, SIDE_BY_SIDE, to_all)
    assert (status, out) == (130, "")
    [line] = left_on_screen(shown)
    assert re.fullmatch(r"synaprune: .*interrupted.*", line)


def test_training_of_the_full_network(tmp_path):
    # Nothing is accepted yet, so there is nothing to save, and an older file stays.
    out = tmp_path / "model.npz"
    out.write_bytes(b"older")
    source = flowers(tmp_path)
    args = ["prune", source, "--target", "kind", "--epochs", 10**9, "--out", out]
    assert interrupt(args) == (130, "", "synaprune: interrupted\n")
    assert out.read_bytes() == b"older"
    assert sorted(tmp_path.iterdir()) == [source, out]


def test_iterative_pruning_saves_what_was_accepted(tmp_path):
    pytest.importorskip("sklearn")
    model = tmp_path / "model.npz"
    args = ["prune", "digits", *LONG_DESCENT, "--max-drop", 0.02, "--out", model]
    # One cut takes 75 % of 1480 at most, so what has less than 370 comes after one.
    status, out, shown = interrupt_when(r"retraining.* (\d\d|[12]\d\d) synapses", args)
    assert (status, out) == (130, "")
    [line] = left_on_screen(shown)
    accepted = re.fullmatch(
        rf"synaprune: .* interrupted after (\d+) accepted networks; .* saved in {model}", line
    )
    path = sn.PruningPath.load(model)
    assert path.stop_reason == "interrupted"
    assert len(path) == int(accepted[1]) > 1
    data = sn.datasets.digits()
    net = sn.SparseMLP.load(model)
    assert net.n_synapses == path.steps[-1].n_synapses < path.steps[0].n_synapses
    assert net.score(*data.validation) == path.steps[-1].score
    assert path.steps[-1].score >= path.steps[0].score - 0.02 - 1e-9
    assert list(tmp_path.iterdir()) == [model]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_signals_that_end_a_run_save_what_was_accepted(name, tmp_path):
    """These used to end the process at once, and all was lost."""
    pytest.importorskip("sklearn")
    number, model = getattr(signal, name), tmp_path / "model.npz"
    args = ["prune", "digits", *LONG_DESCENT, "--max-drop", 0.02, "--out", model]
    send = signal_of(number)
    status, out, shown = interrupt_when(r"retraining.* (\d\d|[12]\d\d) synapses", args, send)
    assert (status, out) == (128 + number, "")
    [line] = left_on_screen(shown)
    assert line.endswith(f"saved in {model}")
    assert len(sn.PruningPath.load(model)) > 1
    assert list(tmp_path.iterdir()) == [model]


def test_a_terminated_run_leaves_no_process_behind():
    status, out, shown = interrupt_when(AT_WORK, SIDE_BY_SIDE, signal_of(signal.SIGTERM))
    assert (status, out) == (128 + signal.SIGTERM, "")
    [line] = left_on_screen(shown)
    assert re.fullmatch(r"synaprune: .*interrupted.*", line)


def test_signals_are_handled_as_before_once_a_run_has_ended():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    assert run("prune", "xor").returncode == 0
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_hangup_that_is_ignored_stays_ignored():
    """As nohup has it."""
    code = READY.replace("SIG_DFL", "SIG_IGN")
    with subprocess.Popen(
        [sys.executable, "-c", code, "prune", "xor", "--runs", "10000"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.3)
            process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
            assert process.returncode == 128 + signal.SIGTERM
        finally:
            process.kill()


def test_gradual_pruning_saves_what_was_accepted(tmp_path):
    model = tmp_path / "model.npz"
    source = flowers(tmp_path)
    args = ["prune", source, "--target", "kind", "--synapses", 10, "--hidden", 300]
    args += ["--batch-size", 1, "--epochs", 3000, "--out", model]
    status, out, shown = interrupt_when(r"epoch \d+ · [\d.]+% · [1-8]\d\d synapses", args)
    assert (status, out) == (130, "")
    [line] = left_on_screen(shown)
    assert line.endswith(f"saved in {model}")
    path = sn.PruningPath.load(model)
    assert len(path) > 1
    assert path.smallest.n_synapses < 900


def test_bar_is_drawn_on_a_terminal_and_cleared():
    # The bar goes to stderr, and nothing of it to stdout.
    status, out, shown = interrupt_when(r"run \d+/10000", ["prune", "xor", "--runs", "10000"])
    assert (status, out) == (130, "")
    assert len(left_on_screen(shown)) == 1
    assert shown.rstrip().endswith(left_on_screen(shown)[0])


def test_prediction(tmp_path):
    # Reading a FIFO that nobody writes to takes for ever.
    net = sn.SparseMLP((2, 2), seed=0)
    data = sn.datasets.xor()
    net.fit(*data.train, training=sn.Training(1)).save(tmp_path / "model.npz")
    os.mkfifo(tmp_path / "rows.csv")
    args = ["predict", tmp_path / "model.npz", tmp_path / "rows.csv"]
    assert interrupt(args, 0.3) == (130, "", "synaprune: interrupted\n")
