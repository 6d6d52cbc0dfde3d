"""``--checkpoint``, ``--resume`` and the limits on the console."""

import os
import sys
from pathlib import Path

import pytest
import synaprune as sn
from console.process import flowers, run
from synaprune import checkpoint

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
kills = pytest.importorskip("bench.kills", exc_type=ImportError)

CANDIDATES = (sn.search.Candidate((), 0.0), sn.search.Candidate((4,), 1e-3))
QUICK = ("--retrain-epochs", 3, "--candidates", 2, "--search-budget", 0, "--hidden", 3)


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", 0)
    monkeypatch.chdir(tmp_path)
    return flowers(tmp_path).name


def begin(source, *more):
    return run("prune", source, "--target", "kind", *QUICK, "--epochs", 9, *more)


def test_a_limited_run_goes_on(source, tmp_path):
    assert begin(source, "--out", "whole.npz").returncode == 0
    done = begin(source, "--checkpoint", "run.ckpt", "--max-epochs", 5, "--out", "part.npz")
    assert done.returncode == 0, done.stderr
    assert "limit of epochs was reached while the full network was trained." in done.stdout
    assert len(sn.PruningPath.load(tmp_path / "part.npz")) == 1
    done = run("prune", "--resume", "run.ckpt", "--out", "rest.npz", "--time-limit", 1e6)
    assert done.returncode == 0, done.stderr
    whole, part, rest = ((tmp_path / f"{n}.npz").read_bytes() for n in ("whole", "part", "rest"))
    assert rest == whole != part
    (tmp_path / "part.npz").unlink()
    assert run("prune", "--resume", "run.ckpt").returncode == 0  # writes where the first run did
    assert (tmp_path / "part.npz").read_bytes() == whole


def test_a_search_goes_on(source, tmp_path, monkeypatch):
    monkeypatch.setattr("synaprune.search._candidates.CANDIDATES", CANDIDATES)  # quick ones
    monkeypatch.setattr("synaprune.search._recipe._UPDATES", (40, 40))
    source = (source, "--target", "kind")
    assert run("prune", *source, "--out", "whole.npz").returncode == 0
    options = ("--checkpoint", "run.ckpt", "--out", "model.npz")
    done = run("prune", *source, *options, "--time-limit", 0.05)
    assert done.returncode in (0, 2)  # what it has judged by then depends on the machine
    told = done.stdout if done.returncode == 0 else done.stderr
    assert "The time limit was reached: " in told or "time_limit=0.05 was over before" in told
    assert run("prune", "--resume", "run.ckpt", "--quiet").returncode == 0
    assert (tmp_path / "model.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--resume", "none.ckpt"), "no such file; --checkpoint begins one"),
        (("--resume", "run.ckpt", "--checkpoint", "run.ckpt"), "leave --checkpoint out"),
        (("--resume", "run.ckpt", "--seed", 1), "leave --seed out"),
        (("--resume", "run.ckpt", "--synapses", 9), "leave --synapses out"),
        (("--resume", "run.ckpt", "--out", "run.ckpt"), "name the same file"),
        (("--resume", "rows.csv"), "truncated or altered"),
        (("digits", "--resume", "run.ckpt"), "expected None for 'digits'"),
        (("other.csv", "--resume", "run.ckpt"), "another run: data was"),
        (("xor", "--checkpoint", "run.ckpt"), "run.ckpt exists; resume=True .on the console"),
        (("xor", "--checkpoint", "none/run.ckpt"), "--checkpoint: the folder of"),
        (("xor", "--time-limit", "-1"), "time_limit must be"),
        (("xor", "--max-epochs", "3", "--runs", "2"), "--max-epochs goes with one run"),
        (("digits", "--max-epochs", "3"), "--max-epochs does not apply here"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(source, tmp_path, arguments, error):
    (tmp_path / "rows.csv").write_text("no checkpoint")
    (tmp_path / "other.csv").write_text((tmp_path / source).read_text().replace("1.1", "1.15"))
    assert begin(source, "--checkpoint", "run.ckpt", "--max-epochs", 2).returncode == 0
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    done = run("prune", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert error.replace(".on", "(on") in done.stderr
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_checkpoint_does_not_choose_where_to_write(source, tmp_path):
    """One from someone else might overwrite any file."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "precious.json").write_text("{}")
    for out in (tmp_path / "precious.json", inner / "there.json"):
        file = inner / f"{out.stem}.ckpt"
        done = begin(source, "--checkpoint", file, "--max-epochs", 2, "--json", out)
        assert done.returncode == 0, done.stderr
        out.write_text("{}")
        done = run("prune", "--resume", file)
        assert done.returncode == 2
        assert "give --json again" in done.stderr
        assert out.read_text() == "{}"
        assert run("prune", "--resume", file, "--json", out).returncode == 0


def test_a_checkpoint_of_a_program_is_no_command(source, tmp_path):
    data = sn.datasets.xor()
    net = sn.SparseMLP((2, 8, 1), init_scale=1.0, seed=0).fit(*data.train)
    sn.prune(net, *data.train, validation=data.validation, n_synapses=8, strategy=sn.Sweep(),
             checkpoint="run.ckpt")  # fmt: skip
    done = run("prune", "--resume", "run.ckpt")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is of a Python program" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="kills are those of POSIX")
def test_a_run_that_is_killed_goes_on():
    told = kills.trials("quick", kills=1, disks=0, seed=1)
    assert told["failed"] == []
    assert sum(told["ended"].values()) == 1
