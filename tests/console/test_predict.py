"""``synaprune predict``: labels for the rows of a table, from a model that ``prune`` saved."""

import csv
import io
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn
from console.process import (
    FLOWERS,
    QUICK,
    SYNAPRUNE,
    assert_error,
    environment,
    flowers,
    read_json,
    run,
    spawn,
    succeed,
)

ROWS = [(1.1, 2.2), (2.5, 1.1), (1.3, 2.4), (2.1, 1.6)]
KINDS = ["rose", "tulip", "rose", "tulip"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of flowers, trained through the console."""
    folder = tmp_path_factory.mktemp("model")
    path, json = folder / "model.npz", folder / "run.json"
    source = flowers(folder)
    succeed("prune", source, "--target", "kind", *QUICK, "--out", path, "--json", json)
    assert min(read_json(json)["final"]["accuracy"].values()) == 1.0
    return path


@pytest.fixture
def rows(tmp_path):
    """ROWS with the columns in another order, and two more that are no numbers."""
    path = tmp_path / "rows.csv"
    lines = [f"nice,{length},,{width}\n" for width, length in ROWS]
    path.write_text("remark,length,kind,width\n" + "".join(lines))
    return path


def test_labels(model, rows):
    assert succeed("predict", model, rows).splitlines() == KINDS


def test_probabilities(model, rows):
    table = list(csv.reader(io.StringIO(succeed("predict", model, rows, "--proba"))))
    assert table[0] == ["label", "p(rose)", "p(tulip)"]
    assert [row[0] for row in table[1:]] == KINDS
    shares = np.array([row[1:] for row in table[1:]], float)
    expected = sn.SparseMLP.load(model).predict_proba(np.array(ROWS, np.float32))
    np.testing.assert_allclose(shares, expected, rtol=1e-5)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=2e-6)
    assert [("rose", "tulip")[i] for i in shares.argmax(axis=1)] == KINDS


@pytest.mark.parametrize("flags", [(), ("--proba",)])
def test_out_gets_what_stdout_would(model, rows, tmp_path, flags):
    printed = succeed("predict", model, rows, *flags)
    out = tmp_path / "labels.csv"
    out.write_text("an older file\n")
    assert succeed("predict", model, rows, *flags, "--out", out) == ""
    assert out.read_text() == printed
    assert sorted(tmp_path.iterdir()) == [out, rows]


def test_npz_rows(model, tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, X=np.array(ROWS))
    assert succeed("predict", model, path).splitlines() == KINDS
    np.savez(path, X=np.array(ROWS)[:, ::-1], input_names=["length", "width"])
    assert succeed("predict", model, path).splitlines() == KINDS


@pytest.mark.parametrize(("rose", "tulip"), [("0", "-4"), ('"a,b"', "né")])
def test_labels_are_printed_as_they_were_read(tmp_path, rose, tulip):
    source = flowers(tmp_path, FLOWERS.replace("rose", rose).replace("tulip", tulip))
    out = tmp_path / "model.npz"
    succeed("prune", source, "--target", "kind", *QUICK, "--out", out)
    printed = succeed("predict", out, source, by=spawn).splitlines()  # encoded as Python chooses
    given = [line.split(",", 2)[2] for line in source.read_text(encoding="utf-8").splitlines()[1:]]
    assert set(printed) == {rose, tulip}
    assert np.mean([a == b for a, b in zip(printed, given, strict=True)]) > 0.9


def test_more_than_two_classes(tmp_path):
    daisies = "".join(f"9,{i / 10},daisy\n" for i in range(30))
    source, out = flowers(tmp_path, FLOWERS + daisies), tmp_path / "model.npz"
    succeed("prune", source, "--target", "kind", *QUICK, "--out", out)
    printed = succeed("predict", out, source, "--proba").splitlines()
    assert printed[0] == "label,p(daisy),p(rose),p(tulip)"
    labels = [line.split(",")[0] for line in printed[1:]]
    assert labels[-30:] == ["daisy"] * 30


def test_threads_do_not_change_a_byte(model, tmp_path):
    X = np.random.default_rng(0).uniform(1, 3, (3000, 2))
    np.savez(tmp_path / "rows.npz", X=X)
    args = ("predict", model, tmp_path / "rows.npz", "--proba")
    printed = {succeed(*args, by=spawn, env={"OMP_NUM_THREADS": str(n)}) for n in (1, 2, 7)}
    assert len(printed) == 1


# --- a reader that goes away --------------------------------------------------------------------


def test_head_ends_it_quietly(model, tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, X=np.ones((60_000, 2)))  # 300 kB of labels, more than a pipe holds
    script = '"$@" | head -1'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *SYNAPRUNE, "predict", model, path],
        env=environment(), capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) in {("rose\n", ""), ("tulip\n", "")}


@pytest.mark.parametrize("args", ["prune xor", "prune --help", "--version", "predict"])
def test_closed_pipe_brings_no_traceback(model, rows, args):
    args = [*args.split(), *([model, rows] if args == "predict" else [])]
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [*SYNAPRUNE, *args],
            env=environment(), stdout=write_end, stderr=subprocess.PIPE, timeout=60,
        )  # fmt: skip
    finally:
        os.close(write_end)
    assert done.stderr == b""


@pytest.mark.parametrize("command", ["prune", "predict"])
def test_full_disk_under_stdout(model, rows, command):
    if not Path("/dev/full").is_char_device():
        pytest.skip("no /dev/full on this system")
    args = [model, rows] if command == "predict" else ["xor"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*SYNAPRUNE, command, *args],
            env=environment(), stdout=full, stderr=subprocess.PIPE, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(b"synaprune: error: ")
    assert b"No space left" in done.stderr
    assert done.stderr.count(b"\n") == 1


# --- faults -------------------------------------------------------------------------------------


def test_missing_columns_are_named(model, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("length,depth\n1,2\n")
    assert_error(run("predict", model, path), path, "'width'", "'length', 'depth'")
    np.savez(tmp_path / "rows.npz", X=np.ones((2, 3)))
    done = run("predict", model, tmp_path / "rows.npz")
    assert_error(done, "rows.npz", "no column 'width'", "'c0', 'c1', 'c2'")


def test_text_among_the_numbers(model, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("length,width\n1,narrow\n3,wide\n")
    assert_error(run("predict", model, path), path, "'width' must hold numbers", "'wide'")
    path.write_text("length,width\n1,2\n3,wide\n")
    done = run("predict", model, path)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert "warning" in done.stderr
    assert "count as missing: 'wide'" in done.stderr


def test_missing_files(model, rows, tmp_path):
    assert_error(run("predict", tmp_path / "no.npz", rows), "no.npz")
    assert_error(run("predict", model, tmp_path / "no.csv"), "no.csv")
    assert_error(run("predict", tmp_path, rows), tmp_path)
    assert_error(run("predict", model, rows, "--out", tmp_path / "no" / "x.csv"), tmp_path / "no")
    assert_error(run("predict", model), "DATA")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_model(model, rows, tmp_path, share):
    whole = model.read_bytes()
    broken = tmp_path / "broken.npz"
    broken.write_bytes(whole[: int(share * len(whole))])
    assert_error(run("predict", broken, rows), "broken.npz", "truncated")


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7])
def test_altered_model(model, rows, tmp_path, place):
    content = bytearray(model.read_bytes())
    for at in range(int(place * len(content)), int(place * len(content)) + 40):
        content[at] ^= 0x55
    altered = tmp_path / "altered.npz"
    altered.write_bytes(content)
    assert_error(run("predict", altered, rows), "altered.npz")


def test_well_formed_but_altered_model(model, rows, tmp_path):
    with np.load(model) as archive:
        names = [name for name in archive.files if name != "header.json"]
        arrays = {name: archive[name] for name in names}
        header = archive["header.json"]
    for name in names:
        if arrays[name].dtype == np.float32 and arrays[name].size:
            arrays[name] = arrays[name] + np.float32(0.25)
    altered = tmp_path / "altered.npz"
    np.savez(altered, **arrays)
    with zipfile.ZipFile(altered, "a") as archive:
        archive.writestr("header.json", bytes(header))
    assert_error(run("predict", altered, rows), "altered.npz", "checksum")


def test_file_that_is_no_model(rows, tmp_path):
    assert_error(run("predict", rows, rows), "rows.csv", "model")
    np.savez(tmp_path / "arrays.npz", X=np.ones(3))
    assert_error(run("predict", tmp_path / "arrays.npz", rows), "arrays.npz", "model")
