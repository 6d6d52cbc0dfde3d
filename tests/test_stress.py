"""Short runs of what is run for minutes by hand: everything at once, and memory that stays."""

import subprocess
import sys

import leaks
import pytest
import stress


def test_threads_and_processes_compute_what_one_thread_alone_does():
    done, faults = stress.run(1.0, n_threads=8, ways=("spawn",))
    assert not faults, faults[0]
    assert sum(done.values()) >= 8


def test_a_wrong_result_is_told(monkeypatch):
    monkeypatch.setitem(stress.WORK, "predict", lambda subject, file: object())
    _, faults = stress.run(20.0, n_threads=2)  # ends at the first
    assert "predict gave" in faults[0]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.limits
def test_memory_stays_as_it_is():
    """In a process of its own, which other tests have not filled with what they keep."""
    done = subprocess.run(
        [sys.executable, leaks.__file__, "--scale", "0.01"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
