"""Checkpoints: a run that was cut off ends with the bits of one that was not, or is refused."""

import errno
import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest
import synaprune as sn
from synaprune import checkpoint, io, job, pruning
from synaprune.checkpoint import CheckpointFile
from synaprune.pruning import Goal

DIGITS = sn.datasets.digits()
RECIPE = sn.Training(batch_size=64, optimizer=sn.SGD(0.2, momentum=0.5))
WITH_BAND = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
WAYS = {
    "iterative": {"max_drop": 0.03, "strategy": sn.Iterative(3, 2, 2, 0.4), "training": RECIPE},
    "inputs": {
        "max_drop": 0.1, "n_inputs": 20, "strategy": sn.Iterative(3, 2, 2, 0.2), "training": RECIPE,
    },
    "sweep": {"n_synapses": 60, "strategy": sn.Sweep(0.6, 2), "training": RECIPE},
    "gradual": {
        "n_synapses": 60, "strategy": sn.Gradual(regrow_budget=1.0),
        "training": sn.Training(12, batch_size=64, swa_epochs=3),
    },
    "gradual by surgeon": {
        "n_synapses": 60, "criterion": sn.Criterion("obs", compensate=True),
        "training": sn.Training(6, batch_size=64),
    },
    "gradual with another optimiser": {
        "n_synapses": 60, "strategy": sn.Gradual(final_optimizer=sn.Adam()),
        "training": sn.Training(8, batch_size=64, optimizer=sn.SGD(0.1, l1=1e-4)),
    },
}  # fmt: skip


class Killed(Exception):  # noqa: N818 - no error of ours
    """Stands for the end of a process."""


class Killer:
    """A callback that ends a run when it is called for the n-th time, and counts its calls."""

    def __init__(self, at=None):
        self.at, self.calls = at, 0

    def __call__(self, *_):
        self.calls += 1
        if self.calls == self.at:
            raise Killed


@pytest.fixture(autouse=True)
def always_due(monkeypatch):
    """Write after each unit, so that few units show all places to be cut off at."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", 0)


@pytest.fixture(scope="module")
def net():
    net = sn.SparseMLP((64, 8, 10), seed=0)
    return net.fit(*DIGITS.train, training=sn.Training(10, batch_size=16))


@pytest.fixture(scope="module")
def some():
    """Some rows, enough to tell bits apart."""
    return DIGITS.train.X[:300], DIGITS.train.y[:300]


def prune(net, some, way, **options):
    validation = (DIGITS.validation.X[:150], DIGITS.validation.y[:150])
    return sn.prune(net, *some, validation=validation, **{**WAYS[way], **options})


def written(path, folder):
    path.save(folder / "out.npz")
    return (folder / "out.npz").read_bytes()


def cut_off(run, file, draw, calls):
    """Start a run again and again, and kill it at random calls until it ends by itself."""
    for _ in range(4):
        try:
            return run(file, Killer(int(draw.integers(1, max(2, calls // 3)))))
        except Killed:
            pass
    return run(file, Killer())


@pytest.mark.parametrize("way", WAYS)
def test_a_pruning_that_is_cut_off_ends_with_the_same_bits(way, net, some, tmp_path):
    whole = Killer()
    expected = written(prune(net, some, way, callback=whole), tmp_path)
    assert expected == written(prune(net, some, way), tmp_path)

    def run(file, killer):
        return prune(net, some, way, callback=killer, checkpoint=file, resume=True)

    file = tmp_path / "run.ckpt"
    assert written(cut_off(run, file, np.random.default_rng(0), whole.calls), tmp_path) == expected
    again = Killer()  # nothing but the first network and the last epochs is left to do
    assert written(run(file, again), tmp_path) == expected
    assert again.calls < 0.35 * whole.calls
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.npz", "run.ckpt"]


@pytest.mark.parametrize(
    "options", [{"threads": 2}, {"validation": (WITH_BAND[:40], WITH_BAND[:40, 0] > 0)}]
)
def test_a_search_that_is_cut_off_ends_with_the_same_bits(options, tmp_path):
    y = WITH_BAND[:, 0] > WITH_BAND[:, 1]
    candidates = [sn.search.Candidate((), 0.0), sn.search.Candidate((5,), 1e-3)]

    def run(file, callback):
        return sn.smallest_network(
            WITH_BAND, y, candidates=candidates, max_updates=40, checkpoint=file,
            resume=file is not None, callback=callback, **options,
        )  # fmt: skip

    whole = Killer()
    result = run(None, whole)
    expected = written(result.path, tmp_path)
    other = cut_off(run, tmp_path / "run.ckpt", np.random.default_rng(1), whole.calls)
    assert written(other.path, tmp_path) == expected
    assert str(other) == str(result)
    assert (other.loss_curve, other.curve) == (result.loss_curve, result.curve)


@pytest.mark.parametrize("goal", [Goal(max_drop=0.05), Goal(n_synapses=60)])
def test_a_job_that_is_cut_off_ends_with_the_same_bits(goal, tmp_path):
    recipe = sn.Training(9, batch_size=64, swa_epochs=3 if goal.counted else 1)
    strategy = None if goal.counted else sn.Iterative(2, 1, 2, 0.0)
    one = job.Job(job.Architecture((6,)), recipe, goal, strategy)

    def run(file, callback):
        return one.run(DIGITS, callback=callback, checkpoint=file, resume=file is not None)

    whole = Killer()
    result = run(None, whole)
    expected = written(result.path, tmp_path)
    for at in (4, 8, 12, whole.calls - 1):  # while the full network is trained, and later
        file = tmp_path / f"{at}.ckpt"
        with pytest.raises(Killed):
            run(file, Killer(at))
        other = run(file, Killer())
        assert written(other.path, tmp_path) == expected
        assert other.epochs == result.epochs
        assert other.start == result.start


def test_a_strategy_of_ones_own_may_use_units(net, some, tmp_path):
    class Halves(sn.Strategy):
        def run(self, session):
            full = session.judge()
            session.accept(full, epochs=0, score_after_cut=full.score)
            while session.net.n_synapses > 60:
                session.unit(lambda: self.half(session))
            return "halved"

        def half(self, session):
            session.cut(session.net.n_synapses // 2)
            for _ in session.train(2):
                session.notify("retrain", None)
            judged = session.judge()
            session.accept(judged, epochs=2, score_after_cut=judged.score)
            return True

    def run(file, callback):
        return prune(net, some, "sweep", strategy=Halves(), checkpoint=file, resume=True,
                     callback=callback)  # fmt: skip

    whole = Killer()
    expected = written(run(tmp_path / "whole", whole), tmp_path)
    with pytest.raises(Killed):
        run(tmp_path / "cut", Killer(6))  # in the second half of the second unit
    rest = Killer()
    assert written(run(tmp_path / "cut", rest), tmp_path) == expected
    assert rest.calls == whole.calls - 3


# ---- limits


@pytest.mark.parametrize("way", ["inputs", "sweep", "gradual"])
def test_a_run_that_a_limit_ended_can_go_on(way, net, some, tmp_path):
    expected = written(prune(net, some, way), tmp_path)
    file = tmp_path / "run.ckpt"
    path = prune(net, some, way, checkpoint=file, max_epochs=3)
    assert (path.stop_reason, path.epochs) == ("the limit of epochs was reached", 3)
    assert path.smallest.n_synapses > 0
    path = prune(net, some, way, checkpoint=file, resume=True, time_limit=0.0)
    assert path.stop_reason == "the time limit was reached"
    assert len(path) >= 1
    assert written(prune(net, some, way, checkpoint=file, resume=True), tmp_path) == expected


def test_limits_are_said_when_they_are_reached():
    free = pruning.Limits()
    free.check(10**9)
    assert free.seconds_left is None
    epochs = pruning.Limits(max_epochs=3)
    epochs.check(2)
    for done in (3, 4):
        with pytest.raises(pruning.LimitReached, match=r"^the limit of epochs was reached$"):
            epochs.check(done)
    over = pruning.Limits(0.0, 3)
    assert over.seconds_left == 0.0
    for check in (over.check_time, lambda: over.check(9)):
        with pytest.raises(pruning.LimitReached, match=r"^the time limit was reached$"):
            check()
    long = pruning.Limits(1000, 0)
    assert 990.0 < long.seconds_left <= 1000.0
    long.check_time()
    for fields, error, text in [
        ((-1.0,), ValueError, r"^time_limit must be finite and in \[0.0"),
        (("1",), TypeError, "^time_limit must be a number"),
        ((None, -1), ValueError, "^max_epochs must be from 0 "),
        ((None, 1.0), TypeError, "^max_epochs must be an int"),
    ]:
        with pytest.raises(error, match=text):
            pruning.Limits(*fields)


def test_a_limit_that_is_not_reached_changes_nothing(net, some, tmp_path):
    for way in ("gradual", "sweep"):
        path = prune(net, some, way)
        limited = prune(net, some, way, max_epochs=path.epochs, time_limit=1e6)
        assert written(limited, tmp_path) == written(path, tmp_path)


def test_no_epochs_and_no_time_leave_the_network_as_given(net, some):
    for limit in ({"max_epochs": 0}, {"time_limit": 0.0}):
        path = prune(net, some, "sweep", **limit)
        assert len(path) == 1
        assert path.smallest.n_synapses == net.n_synapses
    assert prune(net, some, "iterative", max_epochs=0).epochs == 0  # cuts may need no epoch


def test_a_search_ends_with_what_it_has_judged(tmp_path, monkeypatch):
    y = WITH_BAND[:, 0] > 0
    with pytest.raises(TimeoutError, match="time_limit=0 was over before the first network"):
        sn.smallest_network(WITH_BAND, y, time_limit=0.0)
    looks = 0

    def check_time(limits):  # the time is over after so many looks at the clock
        nonlocal looks
        looks += 1
        if limits.time_limit is not None and looks > 4:
            raise pruning.LimitReached

    candidates = [sn.search.Candidate((), 0.0), sn.search.Candidate((5,), 1e-3)]

    def run(**options):
        return sn.smallest_network(
            WITH_BAND, y, max_updates=20, candidates=candidates, threads=1, **options
        )

    full = run()
    with monkeypatch.context() as patch:
        patch.setattr(pruning.Limits, "check_time", check_time)
        result = run(time_limit=1e6, checkpoint=tmp_path / "c")
    assert result.remark.startswith("The time limit was reached: ")
    assert result.record()["remark"] == result.remark == str(result).splitlines()[0]
    assert "rows held out" in result.expected.method
    result = run(checkpoint=tmp_path / "c", resume=True)
    assert written(result.path, tmp_path) == written(full.path, tmp_path)
    assert result.stopped == ""


@pytest.mark.parametrize(
    "wrong",
    [{"time_limit": -1.0}, {"time_limit": "1"}, {"time_limit": np.nan}, {"max_epochs": 1.5},
     {"max_epochs": -1}, {"resume": True}, {"resume": 1}, {"checkpoint": 3}],
)  # fmt: skip
def test_wrong_options_are_refused_before_any_work(wrong, net, some):
    killer = Killer(1)
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        prune(net, some, "sweep", callback=killer, **wrong)


# ---- refusals


@pytest.fixture(scope="module")
def begun(net, some, tmp_path_factory):
    """A checkpoint of a pruning that was cut off."""
    file = tmp_path_factory.mktemp("begun") / "run.ckpt"
    with pytest.raises(Killed):
        prune(net, some, "sweep", callback=Killer(8), checkpoint=file)
    return file


def resumed(file, net, some, **options):
    return prune(net, some, "sweep", checkpoint=file, resume=True, callback=Killer(1), **options)


def test_another_run_is_refused_and_the_difference_named(begun, net, some):
    before = begun.read_bytes()
    X, y = some
    moved = X.copy()
    moved[7, 20] += 1
    other = net.copy()
    other.fit(X, y, training=sn.Training(1))
    for match, run in {
        "another run: X was float32 of shape .300, 64. with digest .* and is float32": (
            lambda: resumed(begun, net, (moved, y))
        ),
        "y was int32 of shape .* and is": lambda: resumed(begun, net, (X, y[::-1])),
        "X was .*; y was .*": lambda: resumed(begun, net, (X[:200], y[:200])),
        "sample_weight was left out and is float32": (
            lambda: resumed(begun, net, some, sample_weight=np.arange(1, 301))
        ),
        "n_synapses was 60 and is 61": lambda: resumed(begun, net, some, n_synapses=61),
        "strategy.retrain_epochs was 2 and is 3": (
            lambda: resumed(begun, net, some, strategy=sn.Sweep(0.6, 3))
        ),
        "training.batch_size was 64 and is 32": (
            lambda: resumed(begun, net, some, training=sn.Training(batch_size=32))
        ),
        "criterion": lambda: resumed(begun, net, some, criterion="magnitude"),
        "net.layer0_values was float32": lambda: resumed(begun, other, some),
        "of 'prune', not of 'smallest_network'": (
            lambda: sn.smallest_network(*some, checkpoint=begun, resume=True)
        ),
    }.items():
        with pytest.raises(sn.CheckpointError, match=match):
            run()
        assert begun.read_bytes() == before


def test_a_file_that_exists_is_not_replaced(begun, net, some):
    before = begun.read_bytes()
    with pytest.raises(FileExistsError, match="resume=True"):
        prune(net, some, "sweep", checkpoint=begun)
    assert begun.read_bytes() == before


def test_a_run_that_failed_before_it_began_blocks_no_other(net, some, tmp_path):
    file = tmp_path / "run.ckpt"
    with pytest.raises(ValueError, match="below min_score"):
        prune(net, some, "iterative", max_drop=None, min_score=1.0, checkpoint=file)
    assert prune(net, some, "sweep", checkpoint=file).smallest.n_synapses <= 60


def altered(file, to, change):
    header, arrays = io.read_model(file)
    change(header, arrays)
    header.pop("format", None)
    io.write_model(to, header, arrays)
    return to


def put(*keys, to):
    def change(header, _):
        at = header
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (put("runs", "prune", "version", to="0.0.1"), "it is of synaprune 0.0.1, this is"),
        (put("checkpoint", to=99), "has checkpoint format 99"),
        (put("parts", "journal", "entries", 0, 0, to="0"), "each count must be an int"),
        (put("parts", "journal", "entries", 0, 2, to=None), "answer must be True or False"),
        (put("parts", "journal", "entries", 0, 4, to=-1), "work must be from 0"),
        (put("parts", "journal", "entries", 0, 5, to=[]), "the loss is no number"),
        (put("parts", "journal", "entries", to=7), "does not describe a run"),
        (put("parts", "journal", "steps", 0, "n_synapses", to=10**9), "does not describe a run"),
        (put("parts", "journal", to=None), "does not describe a run"),
        (put("parts", to=3), "does not describe a run"),
        (put("runs", to={}), "does not describe a run"),
        (lambda h, a: a.pop("journal/step/values"), "does not describe a run"),
        (lambda h, a: h.pop("checkpoint"), "is a model file, no checkpoint"),
    ],
)
def test_an_altered_checkpoint_is_refused(begun, net, some, tmp_path, change, match):
    file = altered(begun, tmp_path / "altered.ckpt", change)
    before = file.read_bytes()
    with pytest.raises(sn.CheckpointError, match=match):
        resumed(file, net, some)
    assert file.read_bytes() == before


def test_what_is_no_checkpoint_is_refused(begun, net, some, tmp_path):
    content = begun.read_bytes()
    file = tmp_path / "run.ckpt"
    pickled = np.array([{}], dtype=object)
    np.savez(tmp_path / "pickle.npz", pickled, allow_pickle=True)
    pickle = (tmp_path / "pickle.npz").read_bytes()
    for wrong in (b"", b"PK", content[:-9], content[:2000] + b"x" + content[2001:], pickle):
        file.write_bytes(wrong)
        with pytest.raises(sn.CheckpointError, match=r"checkpoint: .*truncated or altered"):
            resumed(file, net, some)
        with pytest.raises(FileExistsError):
            prune(net, some, "sweep", checkpoint=file)
        assert file.read_bytes() == wrong
    with pytest.raises(sn.ModelFileError):
        sn.SparseMLP.load(begun)
    with pytest.raises(sn.ModelFileError):
        sn.PruningPath.load(begun)


# ---- the file


def test_two_runs_do_not_use_one_file(net, some, tmp_path):
    file = tmp_path / "run.ckpt"
    with CheckpointFile(file):
        with pytest.raises(sn.CheckpointError, match="another run uses"):
            prune(net, some, "sweep", checkpoint=file)
        with pytest.raises(sn.CheckpointError, match="another run uses"):
            CheckpointFile(file, resume=True)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_ends_with_a_process_that_is_killed(tmp_path):
    file = tmp_path / "run.ckpt"
    code = (
        "import sys, time; from synaprune.checkpoint import CheckpointFile;"
        "file = CheckpointFile(sys.argv[1]); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, file], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(sn.CheckpointError, match="another run uses"):
            CheckpointFile(file)
        process.send_signal(signal.SIGKILL)
    CheckpointFile(file).close()


@pytest.mark.parametrize("at", [1, 2, 5])
def test_a_full_disk_leaves_the_old_file_whole(at, net, some, tmp_path, monkeypatch):
    file = tmp_path / "run.ckpt"
    expected = written(prune(net, some, "sweep"), tmp_path)
    fsync, calls, before = os.fsync, 0, None

    def full(opened):
        nonlocal calls, before
        calls += not stat.S_ISDIR(os.fstat(opened).st_mode)
        if calls >= at:
            before = file.read_bytes() if file.exists() else None
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(opened)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"cannot be written .No space left"):
            prune(net, some, "sweep", checkpoint=file)
    assert (file.read_bytes() if file.exists() else None) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.npz", "run.ckpt"][: 1 + (at > 1)]
    rest = prune(net, some, "sweep", checkpoint=file, resume=True)
    assert written(rest, tmp_path) == expected


def test_a_result_outlives_a_disk_that_is_full_at_the_end(net, some, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 1e9)  # the first write and the last one
    save, calls = CheckpointFile.save, []

    def full(self):
        calls.append(self)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "full")
        save(self)

    monkeypatch.setattr(CheckpointFile, "save", full)
    with pytest.warns(UserWarning, match="full"):
        path = prune(net, some, "sweep", checkpoint=tmp_path / "c")
    assert path.smallest.n_synapses <= 60
    assert len(calls) == 2


@pytest.mark.skipif(os.name == "nt", reason="links and modes are those of POSIX")
def test_modes_are_kept_and_links_are_followed(net, some, tmp_path):
    real = tmp_path / "disk"
    real.mkdir()
    (tmp_path / "link.ckpt").symlink_to(real / "run.ckpt")
    with pytest.raises(Killed):
        prune(net, some, "sweep", callback=Killer(5), checkpoint=tmp_path / "link.ckpt")
    (real / "run.ckpt").chmod(0o640)
    (real / ".run.ckpt.new").write_bytes(b"of a process that was killed")
    prune(net, some, "sweep", checkpoint=tmp_path / "link.ckpt", resume=True)
    assert (tmp_path / "link.ckpt").is_symlink()
    assert stat.S_IMODE((real / "run.ckpt").stat().st_mode) == 0o640
    assert [p.name for p in real.iterdir()] == ["run.ckpt"]
    net.save(tmp_path / "model.npz")
    (tmp_path / "model.npz").chmod(0o604)
    net.save(tmp_path / "model.npz")
    assert stat.S_IMODE((tmp_path / "model.npz").stat().st_mode) == 0o604


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(net, some, tmp_path):
    killer = Killer(1)
    with pytest.raises(FileNotFoundError, match="folder"):
        prune(net, some, "sweep", callback=killer, checkpoint=tmp_path / "none" / "c")
    with pytest.raises(IsADirectoryError):
        prune(net, some, "sweep", callback=killer, checkpoint=tmp_path)
    if os.name != "nt" and os.geteuid() != 0:  # who may write everywhere
        tmp_path.chmod(0o500)
        with pytest.raises(OSError, match=r"the checkpoint .* cannot be written .Permission"):
            prune(net, some, "sweep", callback=killer, checkpoint=tmp_path / "c")
        tmp_path.chmod(0o700)


def test_ctrl_c_saves_what_was_accepted(net, some, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 1e9)
    file = tmp_path / "run.ckpt"

    def interrupt(progress):
        if progress.n_synapses < 200:
            raise KeyboardInterrupt

    with pytest.raises(sn.PruningInterrupted) as interrupted:
        prune(net, some, "sweep", callback=interrupt, checkpoint=file)
    rest = []
    prune(net, some, "sweep", callback=rest.append, checkpoint=file, resume=True)
    assert (
        rest[1].epoch
        == interrupted.value.path.steps[-1].epochs * (len(interrupted.value.path) - 1) + 1
    )
