"""A process of the console script does what a call of its main does, which most tests here make."""

import pytest
from console.process import QUICK, flowers, run, spawn, succeed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table, a model of it, and another table of the same columns."""
    folder = tmp_path_factory.mktemp("main")
    table = flowers(folder)
    succeed("prune", table, "--target", "kind", *QUICK, "--quiet", "--out", folder / "model.npz")
    text = table.read_text(encoding="utf-8")
    (folder / "other.csv").write_text(text + "1.5,1.5,rose\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("args", "status"),
    [
        ("", 2),
        ("--version", 0),
        ("--help", 0),
        ("prune --help", 0),
        ("prune xor --quiet", 0),
        ("prune flowers.csv --target kind --hidden 5,", 2),  # a fault that argparse finds
        ("prune flowers.csv --target kind --synapses 61 --epochs 9", 2),  # and one of ours
        ("predict model.npz flowers.csv", 0),
        ("predict model.npz flowers.csv --proba", 0),
        ("predict none.npz flowers.csv", 2),
        ("report model.npz --data flowers.csv --target kind --out page.html", 0),
        ("report model.npz --data other.csv --target kind --out page.html", 0),  # with a warning
        ("report model.npz", 2),
    ],
)
def test_a_process_does_what_main_does(folder, args, status):
    called, ended = (by(*args.split(), cwd=folder) for by in (run, spawn))
    assert called.returncode == ended.returncode == status
    assert called.stdout == ended.stdout
    assert called.stderr == ended.stderr
    assert bool(ended.stderr) == (status != 0 or "other.csv" in args)
