"""`sweep`: combinations, equal bits wherever it runs, lost workers, checkpoints, refusals."""

import json
import os
import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn
from synaprune.cli.flags import job_from_flags
from synaprune.sweeping import Run, _runs, run_all

GRID = {"synapses": [8, 20], "hidden": [(4,)], "init_scale": [1.0], "epochs": [6], "lr": [0.1, 0.2]}


@pytest.fixture(scope="module")
def data(blobs):
    return sn.datasets.from_arrays(*blobs(n_classes=3))


@pytest.fixture(scope="module")
def serial(data):
    return sn.sweep(GRID, data, seeds=2)


def comparable(result):
    """All that equal runs have in common: no times."""
    columns = {name: values for name, values in result.columns.items() if name != "seconds"}
    states = [result.network(i).state() for i in range(len(result))]
    arrays = [{name: a.tobytes() for name, a in arrays.items()} for _, arrays in states]
    records = [{k: v for k, v in record.items() if k != "seconds"} for record in result.records]
    return columns, [header for header, _ in states], arrays, records


# ---- what a sweep is


def test_a_row_for_each_combination_and_seed(serial):
    columns = serial.columns
    assert columns["synapses"] == [8] * 4 + [20] * 4
    assert columns["lr"] == [0.1, 0.1, 0.2, 0.2] * 2
    assert columns["seed"] == [0, 1] * 4
    assert columns["error"] == [""] * 8
    for name in ("n_synapses", "structure", "train_score", "validation_score", "test_score"):
        assert columns[name] == [
            serial.network(i).n_synapses if name == "n_synapses" else
            serial.network(i).structure if name == "structure" else
            serial.records[i]["final"]["score"][name.removesuffix("_score")]
            for i in range(8)
        ]  # fmt: skip
    assert repr(serial).startswith("SweepResult(8 runs; front of ")


def test_a_run_is_the_console_run_of_the_same_options(serial, data):
    flags = "--synapses 20 --hidden 4 --init-scale 1 --epochs 6 --lr 0.2"
    record = job_from_flags(data, flags.split()).run(data, seed=1).record()
    record = json.loads(json.dumps(record))
    assert {**serial.records[7], "seconds": 0} == {**record, "seconds": 0}


def test_several_grids_and_seeds_that_are_named(data):
    grids = [{"synapses": [9], "epochs": [2]}, {"inputs": np.array([2]), "epochs": [2]}]
    told = []
    result = sn.sweep(grids, data, seeds=range(5, 7), callback=lambda *n: told.append(n))
    assert result.columns["synapses"] == [9, 9, None, None]
    assert result.columns["inputs"] == [None, None, 2, 2]
    assert result.columns["seed"] == [5, 6, 5, 6]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_front_is_what_no_other_run_beats(serial):
    points = list(
        zip(serial.columns["n_synapses"], serial.columns["validation_score"], strict=True)
    )
    unbeaten = {
        (n, score)
        for n, score in points
        if not any(m <= n and s >= score and (m, s) != (n, score) for m, s in points)
    }
    assert [points[i] for i in serial.front] == sorted(unbeaten)


def test_a_table_is_a_dataframe_or_columns(serial, monkeypatch):
    pd = pytest.importorskip("pandas")
    table = serial.table()
    assert isinstance(table, pd.DataFrame)
    assert table["n_synapses"].tolist() == serial.columns["n_synapses"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert serial.table() is serial.columns


def test_a_plot_has_a_point_a_run_and_the_front(serial):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    ax = serial.plot()
    runs, front = ax.lines
    assert runs.get_xdata().tolist() == serial.columns["n_synapses"]
    assert front.get_xdata().tolist() == [serial.columns["n_synapses"][i] for i in serial.front]
    assert (ax.get_xscale(), ax.get_ylabel()) == ("log", "validation accuracy")
    with pytest.raises(TypeError, match="result must be a SweepResult"):
        sn.plots.plot_sweep(3)
    matplotlib.pyplot.close("all")


def test_arrays_split_by_the_user_may_have_no_test_rows(blobs):
    X, y = blobs()
    before = X.copy()
    result = sn.sweep({"synapses": [6], "epochs": [2]}, X, y, validation=(X[:30], y[:30]))
    assert "test_score" not in result.columns
    assert result.records[0]["final"]["score"].keys() == {"train", "validation"}
    np.testing.assert_array_equal(X, before)


def test_a_run_that_fails_costs_no_other(data):
    grid = {"lr": [0.1, 1e30], "synapses": [9], "epochs": [2], "activation": ["relu"]}
    with pytest.warns(UserWarning, match=r"^1 of 2 runs failed; the first one: TrainingDiverged"):
        result = sn.sweep(grid, data)
    assert result.columns["error"][0] == ""
    assert result.columns["error"][1].startswith("TrainingDiverged: ")
    assert result.columns["n_synapses"][1] is None
    assert result.front == [0]
    assert repr(result).startswith("SweepResult(2 runs, 1 failed; ")
    with pytest.raises(ValueError, match="run 1 failed: TrainingDiverged"):
        result.network(1)
    with pytest.raises(ValueError, match="all 1 runs failed: TrainingDiverged"):
        sn.sweep(grid | {"lr": [1e30]}, data)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"grid": 3}, TypeError, "grid must be a mapping of options to values, got 3"),
        ({"grid": []}, ValueError, "grid must hold a mapping"),
        ({"grid": [3]}, TypeError, "grid must be a mapping"),
        ({"grid": {"n_synapses": [9]}}, ValueError, "'n_synapses' is no option .* 'synapses'"),
        ({"grid": {"lr": 0.1}}, TypeError, r"grid\['lr'\] must be a sequence of values, got 0.1"),
        ({"grid": {"optimizer": "sgd"}}, TypeError, r"grid\['optimizer'\] must be a sequence"),
        ({"grid": {"lr": []}}, ValueError, r"grid\['lr'\] must hold a value"),
        ({"grid": {"lr": [-1.0]}}, ValueError, "lr must be .*, got -1.*, in the run of lr=-1.0"),
        (
            {"grid": {"synapses": [10**6]}},
            ValueError,
            "n_synapses must .* synapses=1000000",
        ),
        ({"grid": {"strategy": ["none"]}}, ValueError, "strategy must be one of gradual"),
        ({"grid": {"beta1": [0.5]}}, ValueError, "^beta1 does not apply to this run"),
        ({"grid": {"metric": ["accuracy", "f1_macro"]}}, ValueError, "grid must have one metric"),
        ({"seeds": 0}, ValueError, "seeds must be"),
        ({"seeds": [1, 1]}, ValueError, "seeds must be one or more different ints"),
        ({"seeds": [-1]}, ValueError, "each of seeds must be"),
        ({"y": [1]}, ValueError, "y must be left out with a Dataset"),
        ({"threads": 0}, ValueError, "threads must be"),
        ({"n_jobs": "2"}, TypeError, "n_jobs must be"),
        ({"callback": 3}, TypeError, "callback must be a callable"),
        ({"resume": True}, ValueError, "resume=True needs a checkpoint"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_training(
    change, error, message, data, monkeypatch
):
    monkeypatch.setattr(sn.SparseMLP, "_fit", None)
    with pytest.raises(error, match=message):
        sn.sweep(**{"grid": {"epochs": [2]}, "X": data} | change)


# ---- wherever it runs


def test_equal_bits_on_threads_and_where_results_come_at_the_end(serial, data):
    joblib = pytest.importorskip("joblib")
    from joblib.parallel import ThreadingBackend

    class Late(ThreadingBackend):  # as the backends of Ray and Spark
        supports_return_generator = False

    joblib.register_parallel_backend("late", Late)
    for backend in ("threading", "late"):
        with joblib.parallel_config(backend, n_jobs=2):
            assert comparable(sn.sweep(GRID, data, seeds=2)) == comparable(serial)


def _die_once(place, shared):
    """End the process once; a file says whether that was done."""
    folder, array = shared
    assert not array.flags.writeable
    mark = folder / "died"
    if place == 3 and not mark.exists():
        mark.touch()
        os._exit(9)
    return Run({"place": place, "sum": float(array.sum()), "pid": os.getpid()}, {})


def test_a_process_that_is_lost_loses_nothing_and_processes_give_equal_bits(serial, data, tmp_path):
    pytest.importorskip("joblib")
    tasks = {str(place): place for place in range(8)}
    done = run_all(_die_once, tasks, (tmp_path, np.ones(300_000)), n_jobs=2)
    assert [*done] == [*tasks]
    assert [run.record["place"] for run in done.values()] == [*tasks.values()]
    assert {run.record["sum"] for run in done.values()} == {300_000.0}
    assert os.getpid() not in {run.record["pid"] for run in done.values()}
    assert (tmp_path / "died").exists()
    assert comparable(sn.sweep(GRID, data, seeds=2, n_jobs=2)) == comparable(serial)


def test_workers_that_are_lost_again_and_again_are_an_error(monkeypatch):
    rounds = []

    def engine(work, tasks, parts):
        rounds.append([*tasks])
        if len(rounds) == 2:  # a round that finishes a run
            yield _runs._Outcome("b", Run({}, {}), None, [])
        raise RuntimeError("gone")

    monkeypatch.setattr(_runs, "_engine", lambda n_jobs: engine)
    told = []
    with pytest.raises(OSError, match=r"workers ended unexpectedly 3 times in a row \(gone\)"):
        run_all(None, {"a": 1, "b": 2}, None, tell=lambda name, run: told.append(name))
    assert told == ["b"]
    assert rounds == [["a", "b"], ["a", "b"], ["a"], ["a"]]


def test_a_worker_of_another_version_is_refused():
    outcome = _runs._outcome(None, "0", None, _runs._Caller(None, "0.0.1"))
    assert isinstance(outcome.error, ValueError)
    assert str(outcome.error) == f"a worker has synaprune {sn.__version__}, this is 0.0.1"


def test_what_runs_share_arrives_as_it_was_wherever_its_bytes_lie():
    shared = {"X": np.arange(6, dtype=np.float32).reshape(2, 3), "names": ["a"]}
    for shift in (0, 1):
        parts = [np.r_[np.zeros(shift, np.uint8), part][shift:] for part in _runs._packed(shared)]
        back = _runs._unpacked(parts)
        np.testing.assert_array_equal(back["X"], shared["X"])
        assert back["X"].flags.aligned
        assert not back["X"].flags.writeable
        assert back["names"] == ["a"]


def test_one_worker_needs_no_joblib(serial, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    assert comparable(sn.sweep(GRID, data, seeds=2)) == comparable(serial)
    with pytest.raises(ImportError, match=r'pip install "synaprune\[joblib\]"'):
        sn.sweep(GRID, data, n_jobs=2)


# ---- checkpoints


def stopped_after(n):
    def callback(done, total):
        if done == n:
            raise KeyboardInterrupt

    return callback


def test_a_sweep_that_was_cut_off_goes_on_to_the_same_bits(serial, data, tmp_path):
    file, told = tmp_path / "sweep.ckpt", []
    with pytest.raises(KeyboardInterrupt):
        sn.sweep(GRID, data, seeds=2, checkpoint=file, callback=stopped_after(3))
    with pytest.raises(FileExistsError):
        sn.sweep(GRID, data, seeds=2, checkpoint=file)
    ran = []
    run = sn.sweeping._sweep._run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sn.sweeping._sweep,
            "_run",
            lambda task, data, threads: ran.append(task) or run(task, data, threads=threads),
        )
        result = sn.sweep(
            GRID, data, seeds=2, checkpoint=file, resume=True,
            callback=lambda *n: told.append(n),
        )  # fmt: skip
    assert len(ran) == 5
    assert told == [(n, 8) for n in range(1, 9)]
    assert comparable(result) == comparable(serial)
    again = sn.sweep(GRID, data, seeds=2, checkpoint=file, resume=True)
    assert comparable(again) == comparable(serial)
    assert again.columns["seconds"] == result.columns["seconds"]


def test_a_checkpoint_of_another_sweep_is_refused_with_the_difference(data, blobs, tmp_path):
    file = tmp_path / "sweep.ckpt"
    grid = {"synapses": [8], "epochs": [2, 3]}
    with pytest.raises(KeyboardInterrupt):
        sn.sweep(grid, data, checkpoint=file, callback=stopped_after(1))
    other = sn.datasets.from_arrays(*blobs(n_classes=3, seed=1))
    for message, args in {
        r"grid\.synapses was \[8\] and is \[9\]": (grid | {"synapses": [9]}, data, 1),
        r"grid\.lr was left out and is \[0\.1\]": (grid | {"lr": [0.1]}, data, 1),
        r"seeds was \[0\] and is \[0, 1\]": (grid, data, 2),
        "data was ": (grid, other, 1),
    }.items():
        given, rows, seeds = args
        with pytest.raises(sn.CheckpointError, match=message):
            sn.sweep(given, rows, seeds=seeds, checkpoint=file, resume=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synaprune.checkpoint._core.__version__", "9.9", raising=False)
        with pytest.raises(sn.CheckpointError, match=r"is of synaprune .*, this is 9\.9"):
            sn.sweep(grid, data, checkpoint=file, resume=True)
    net = sn.SparseMLP((2, 4, 1), seed=0)
    xor = sn.datasets.xor()
    with pytest.raises(sn.CheckpointError, match="of 'sweep', not of 'prune'"):
        sn.prune(net, *xor.train, validation=xor.validation, n_synapses=4, strategy=sn.Gradual(),
                 training=sn.Training(20), checkpoint=file, resume=True)  # fmt: skip


# ---- Dask


@pytest.fixture(scope="module")
def threads_of_dask():
    """A cluster of two workers on threads of this process."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.filterwarnings("default")  # of distributed's own
class TestDask:
    def test_equal_bits(self, threads_of_dask, serial, data):
        joblib = pytest.importorskip("joblib")
        with joblib.parallel_config("dask", client=threads_of_dask):
            assert comparable(sn.sweep(GRID, data, seeds=2)) == comparable(serial)

    def test_workers_of_another_version_are_refused(self, threads_of_dask, data, monkeypatch):
        joblib = pytest.importorskip("joblib")
        monkeypatch.setattr(_runs, "__version__", "9.9")
        message = rf"Dask worker at \S+ has synaprune {sn.__version__}, this is 9\.9"
        with (
            joblib.parallel_config("dask", client=threads_of_dask),
            pytest.raises(ValueError, match=message),
        ):
            sn.sweep(GRID, data)

    def test_what_runs_ends_once_nobody_waits_for_it(self, threads_of_dask):
        joblib = pytest.importorskip("joblib")
        ended = threading.Event()

        def work(place, shared):
            if place == 0:
                return Run({}, {})
            check = _runs.until_cancelled()
            try:
                while not ended.wait(0.02):
                    check("any arguments")
            except _runs.CancelledError:
                ended.set()
            return Run({}, {})

        def tell(name, run):
            raise KeyboardInterrupt

        with (
            joblib.parallel_config("dask", client=threads_of_dask),
            pytest.raises(KeyboardInterrupt),
        ):
            run_all(_Local(work), {"0": 0, "1": 1}, None, tell=tell)
        assert ended.wait(10)

    def test_a_cluster_without_workers_is_an_error(self, data, monkeypatch):
        joblib = pytest.importorskip("joblib")
        distributed = pytest.importorskip("distributed")
        monkeypatch.setattr(_runs, "_WAIT", 0.2)
        with (
            distributed.LocalCluster(
                n_workers=0, processes=False, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
            joblib.parallel_config("dask", client=client),
            pytest.raises(OSError, match=r"has no worker for 0\.2 s"),
        ):
            sn.sweep(GRID, data)


class _Local:
    """A function of this process, which cannot be pickled."""

    works = None

    def __init__(self, work):
        _Local.works = work

    def __call__(self, *args):
        return _Local.works(*args)


# ---- docs/scale.md


@pytest.mark.filterwarnings("default")
def test_the_examples_of_the_docs_run():
    pytest.importorskip("sklearn")
    pytest.importorskip("joblib")
    page = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
    [section] = re.findall(r"^## Many runs\n(.*?)(?=^## |\Z)", page.read_text(), re.M | re.S)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", section, re.S):
        exec(code, names)
    assert len(names["result"]) == 12
