"""``synaprune prune --runs N --scheduler ADDRESS``: runs on a Dask cluster, and what is refused."""

import contextlib
import os
import signal
import sys
import threading

import pytest
import synaprune as sn
from console.process import assert_error, flowers, read_json, run, succeed
from synaprune.cli import runs
from synaprune.sweeping import _runs

QUICK = ("--target", "kind", "--epochs", 30, "--retrain-epochs", 5, "--candidates", 2)
RUNS = ("--runs", 6, "--seed", 4)


def records(folder, *args):
    succeed("prune", flowers(folder), *args, "--json", folder / "runs.json")
    record = read_json(folder / "runs.json")
    for timed in (record, *record["runs"]):
        timed.pop("seconds")
    return record


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (("--scheduler", "tcp://127.0.0.1:1"), ["--scheduler goes with several --runs"]),
        (
            (*RUNS, "--jobs", 2, "--scheduler", "tcp://127.0.0.1:1"),
            ["--jobs does not go with --scheduler"],
        ),
    ],
)
def test_what_does_not_go_together_is_refused(args, parts):
    assert_error(run("prune", "xor", *args), *parts)


def test_missing_dask_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = run("prune", "xor", *RUNS, "--scheduler", "tcp://127.0.0.1:1")
    assert_error(done, 'pip install "synaprune[dask]"')


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere"])
def test_a_scheduler_that_cannot_be_reached_is_one_line(address, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(runs, "_SECONDS", 0.3)
    done = run("prune", "xor", *RUNS, "--scheduler", address)
    assert_error(done, f"--scheduler: {address} cannot be reached (")


@contextlib.contextmanager
def cluster(processes):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=processes,
        protocol="tcp",
        dashboard_address=None,
    ) as made:
        yield made


@pytest.mark.skipif(os.name == "nt", reason="kills are those of POSIX")
@pytest.mark.filterwarnings("default")  # of distributed's own
def test_runs_on_a_cluster_are_the_same_runs_though_a_worker_is_killed(tmp_path):
    alone = records(tmp_path, *QUICK, *RUNS)
    with cluster(processes=True) as made:
        pid = made.workers[0].pid
        killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
        killer.start()
        there = records(tmp_path, *QUICK, *RUNS, "--scheduler", made.scheduler_address)
        killer.join()
    assert there == alone


@pytest.mark.filterwarnings("default")
def test_searches_run_on_a_cluster_too_unless_its_workers_have_another_version(
    tmp_path, monkeypatch
):
    candidates = (sn.search.Candidate((), 0.0), sn.search.Candidate((4,), 1e-3))
    monkeypatch.setattr("synaprune.search._candidates.CANDIDATES", candidates)  # quick ones
    monkeypatch.setattr("synaprune.search._recipe._UPDATES", (40, 40))
    search = ("--target", "kind", "--runs", 2)
    with cluster(processes=False) as made:
        where = ("--scheduler", made.scheduler_address)
        assert records(tmp_path, *search, *where) == records(tmp_path, *search)
        monkeypatch.setattr(_runs, "__version__", "9.9")
        done = run("prune", "xor", *RUNS, *where)
    assert_error(done, "the Dask worker at ", "this is 9.9")
