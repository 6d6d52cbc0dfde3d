"""Every fault of ``synaprune prune``: exit status 2, one line on stderr, no traceback."""

import gzip
import os

import numpy as np
import pytest
from console.process import FLOWERS, assert_error, flowers, run, spawn

# --- flags --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        ("", ["COMMAND"]),
        ("destroy", ["'destroy'"]),
        ("prune minst", ["'minst'", "xor, digits, mnist"]),
        ("prune no.csv --target y", ["'no.csv'"]),
        ("prune xor --target y", ["target", "'xor'"]),
        ("prune xor --colour red", ["--colour"]),
        ("prune xor --hidden 0", ["--hidden must be from 1", "got 0"]),
        ("prune xor --hidden 5,-3", ["--hidden must be from 1", "got -3"]),
        ("prune xor --hidden a", ["--hidden", "a"]),
        ("prune xor --hidden 5,", ["--hidden", "5,"]),
        ("prune xor --synapses 1", ["n_synapses", "from 2 to 300", "got 1"]),
        ("prune xor --synapses 301", ["synapses", "from 2 to 300", "got 301"]),
        ("prune xor --synapses 0", ["--synapses must be from 1", "got 0"]),
        ("prune xor --synapses 2.5", ["--synapses", "2.5"]),
        ("prune xor --criterion hessian", ["--criterion", "'hessian'", "'wsf'"]),
        ("prune xor --strategy fast", ["--strategy", "'fast'", "'iterative'"]),
        ("prune xor --strategy gradual", ["Gradual", "n_synapses", "max_drop=0.005"]),
        ("prune xor --strategy iterative --synapses 9", ["Iterative", "n_synapses=9"]),
        ("prune xor --synapses 9 --patience 3", ["--patience does not apply", "Gradual"]),
        ("prune xor --synapses 9 --search-budget 1", ["--search-budget does not", "Gradual"]),
        ("prune xor --regrow-budget 1", ["--regrow-budget does not apply", "Iterative"]),
        ("prune xor --first-cut 0.1", ["--first-cut does not apply", "Iterative"]),
        ("prune xor --beta1 0.5", ["--beta1 does not apply", "SGD"]),
        ("prune xor --optimizer adam --momentum 0.5", ["--momentum does not apply", "Adam"]),
        ("prune xor --shift-probability 0.5", ["--shift-probability does not apply", "images"]),
        ("prune xor --synapses 9 --epochs 1", ["Gradual", "at least 2 epochs", "epochs=1"]),
        ("prune xor --synapses 9 --first-cut 0.8", ["--first-cut must be below --last-cut=0.7"]),
        ("prune xor --search-budget -1", ["--search-budget must be", "got -1"]),
        ("prune xor --structured-bias -1", ["--structured-bias must be", "got -1"]),
        ("prune xor --swa-epochs 99999", ["--swa-epochs must be from 1 to 20000", "got 99999"]),
        ("prune xor --activation step", ["--activation", "'step'", "'relu'"]),
        ("prune xor --loss hinge", ["--loss", "'hinge'"]),
        ("prune xor --optimizer lbfgs", ["--optimizer", "'lbfgs'"]),
        ("prune xor --synapses 20 --max-drop 0.1", ["--synapses", "--max-drop"]),
        ("prune xor --synapses 20 --min-score 0.1", ["--synapses", "--min-score"]),
        ("prune xor --min-score 1.5", ["--min-score must be", "1.5"]),
        ("prune xor --min-score nan", ["--min-score must be", "nan"]),
        ("prune xor --max-drop -0.1", ["--max-drop must be", "-0.1"]),
        ("prune xor --confidence 0", ["--confidence must be", "got 0"]),
        ("prune xor --confidence 1", ["--confidence must be below 1"]),
        ("prune xor --confidence 95", ["--confidence must be", "got 95"]),
        ("prune xor --confidence high", ["--confidence", "high"]),
        ("prune xor --confidence 0.95", ["max_drop=0.005", "at least 539", "with 4", "0.4035"]),
        ("prune xor --confidence 0.9 --min-score 1", ["bound", "0.5623 on 4 samples"]),
        (
            "prune xor --confidence 0.95 --synapses 9",
            ["--confidence goes with --max-drop or --min-score, got --synapses=9"],
        ),
        (
            "prune xor --confidence 0.9 --metric balanced_accuracy",
            ["--confidence goes with --metric", "balanced"],
        ),
        ("prune xor --metric auc", ["--metric", "'auc'", "'balanced_accuracy'"]),
        ("prune digits --lr 1e30", ["diverged", "epoch 1", "1e+30"]),
        ("prune xor --lr 0", ["--lr must be", "got 0"]),
        ("prune xor --init-scale -1", ["init_scale", "-1"]),
        ("prune xor --epochs 0", ["--epochs must be from 1", "got 0"]),
        ("prune xor --epochs 99999999999", ["--epochs must be", "99999999999"]),
        ("prune xor --threads 0", ["--threads", "got 0"]),
        ("prune xor --threads 99999", ["threads", "99999"]),
        ("prune xor --runs 0", ["--runs", "got 0"]),
        ("prune xor --runs many", ["--runs", "many"]),
        ("prune xor --seed -1", ["seed", "-1"]),
        ("prune xor --seed 99999999999999999999", ["seed", "99999999999999999999"]),
        ("prune xor --out model.npz --runs 2", ["--out", "--seed"]),
        ("prune mnist --data-dir nowhere", ["nowhere", "train-images-idx3-ubyte"]),
    ],
)
def test_flag_faults(tmp_path, args, parts):
    assert_error(run(*args.split(), cwd=tmp_path), *parts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("args", ["--hidden a", "--runs many", "--lr fast", "--synapses 2.5"])
def test_wrong_number_says_what_is_expected(args):
    # No user knows what a `_sizes` or a `_positive` is.
    done = run("prune", "xor", *args.split())
    assert_error(done, *args.split(), "int" if "--lr" not in args else "float")
    assert "_" not in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        "--synapses 1",
        "--synapses 61",
        "--min-score 1.5",
        "--max-drop -0.1",
        "--strategy gradual",
        "--strategy iterative --synapses 9",
        "--search-budget -1",
        "--structured-bias -1",
        "--synapses 9 --patience 3",
        "--synapses 9 --regrow-budget -1",
        "--synapses 9 --last-cut 2",
        "--max-drop 0.01 --confidence 0.99",
        "--confidence 2",
        "--shift 1",
        "--threads 99999",
        "--out no/model.npz",
        "--out .",
        "--json no/run.json",
        "--json .",
        "--json same --out same",
    ],
)
def test_what_cannot_end_well_is_refused_before_training(tmp_path, args):
    source = flowers(tmp_path)
    endless = ("prune", source, "--target", "kind", "--epochs", 10**9)
    done = run(*endless, *args.split(), cwd=tmp_path, timeout=10)
    assert_error(done)
    assert list(tmp_path.iterdir()) == [source]


def test_out_is_left_alone_by_a_run_that_fails(tmp_path):
    (tmp_path / "model.npz").write_bytes(b"older")
    assert_error(run("prune", "digits", "--lr", 1e30, "--out", tmp_path / "model.npz"), "diverged")
    assert (tmp_path / "model.npz").read_bytes() == b"older"
    assert len(list(tmp_path.iterdir())) == 1


# --- tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "flags", "parts"),
    [
        ("", "", "", ["target", "'width', 'length', 'kind'"]),
        ("", "", "--target sort", ["'sort'", "'width', 'length', 'kind'"]),
        ("1.2,2.2,rose", "1.2,rose", "--target kind", ["3 as most of them", "line 6 has 2"]),
        ("tulip", "rose", "--target kind", ["'kind' holds only the label rose"]),
        (FLOWERS, "", "--target kind", ["the file is empty"]),
        ("", "", "--target kind --drop size --drop sort", ["'size', 'sort'"]),
        ("", "", "--target kind --keep size", ["no column 'size'"]),
    ],
)
def test_table_faults(tmp_path, old, new, flags, parts):
    path = flowers(tmp_path, FLOWERS.replace(old, new))
    assert_error(run("prune", path, *flags.split()), "flowers.csv", *parts)


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ("--max-drop 1", "--max-drop is a fraction"),
        ("--jobs 2", "--jobs does not apply"),
        ("--separator ::", "separator must be one character"),
    ],
)
def test_flags_that_a_file_refuses(tmp_path, flags, part):
    assert_error(run("prune", flowers(tmp_path), "--target", "kind", *flags.split()), part)


def test_npz_faults(tmp_path):
    path = tmp_path / "table.npz"
    np.savez(path, X=np.ones((6, 2)), y=np.arange(6) % 2)
    assert_error(run("prune", path, "--target", "kind"), "table.npz", "'kind'", "'X', 'y'")
    path.write_bytes(path.read_bytes()[:-40])
    assert_error(run("prune", path), "table.npz", "NPZ")


def test_folder_as_a_table(tmp_path):
    assert_error(run("prune", tmp_path, "--target", "y"), tmp_path)


def test_name_with_a_line_break(tmp_path):
    assert_error(run("prune", "no\nsuch.csv"))


# --- MNIST --------------------------------------------------------------------------------------


def test_altered_idx_file(tmp_path, mnist_dir):
    for path in mnist_dir.glob("*.gz"):
        (tmp_path / path.name).symlink_to(path)
    name = "train-labels-idx1-ubyte"
    content = bytearray(gzip.decompress((mnist_dir / f"{name}.gz").read_bytes()))
    content[1000] ^= 1
    (tmp_path / f"{name}.gz").unlink()
    (tmp_path / name).write_bytes(content)
    assert_error(run("prune", "mnist", "--data-dir", tmp_path), tmp_path / name, "expected", "got")
    (tmp_path / name).write_bytes(content[:-1])
    assert_error(run("prune", "mnist", "--data-dir", tmp_path), tmp_path / name)


# --- extras -------------------------------------------------------------------------------------

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


@pytest.mark.parametrize(
    ("package", "dataset", "extra"), [("rich", "xor", "cli"), ("sklearn", "digits", "sklearn")]
)
def test_missing_extra_names_the_command_that_installs_it(tmp_path, package, dataset, extra):
    (tmp_path / "sitecustomize.py").write_text(BLOCKER.format(package=package))
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = spawn("prune", dataset, env={"PYTHONPATH": path})
    assert_error(done, package, f'pip install "synaprune[{extra}]"')
    assert spawn("--version", env={"PYTHONPATH": path}).returncode == 0
