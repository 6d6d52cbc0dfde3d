"""``synaprune prune`` as a user runs it: the table, the JSON, files, flags, MNIST."""

import collections
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn
from console.process import (
    FLOWERS,
    QUICK,
    SYNAPRUNE,
    environment,
    flowers,
    read_json,
    run,
    spawn,
    succeed,
)
from synaprune.job import Architecture
from synaprune.options import options_of
from synaprune.pruning import Goal
from synaprune.training import OPTIMIZERS

# --- the promised keys --------------------------------------------------------------------------

RECORD = {
    "dataset", "seed", "options", "start", "final", "epochs", "seconds", "version", "path",
    "stop_reason",
}  # fmt: skip
NETWORK = {"structure", "n_synapses", "n_inputs", "accuracy", "score"}
STEP = {
    "step", "n_synapses", "n_inputs", "n_removed", "structure", "criterion", "epochs",
    "accuracy_before", "accuracy", "p_value", "bound",
}  # fmt: skip
RUNS = {"dataset", "seed", "options", "seconds", "version", "runs", "structures"}
FRACTIONS = ("accuracy_before", "accuracy", "p_value")


def check_record(record):
    """Hold that one run's record has exactly the promised keys, and agrees with itself."""
    assert set(record) == RECORD
    assert record["version"] == sn.__version__
    assert record["seconds"] > 0
    assert isinstance(record["stop_reason"], str)
    for end in ("start", "final"):
        assert set(record[end]) == NETWORK
        assert set(record[end]["accuracy"]) == {"train", "validation", "test"}
        assert all(0 <= share <= 1 for share in record[end]["accuracy"].values())
        assert record[end]["structure"].split("-")[0] == str(record[end]["n_inputs"])
    path = record["path"]
    for number, step in enumerate(path):
        assert set(step) == STEP
        assert step["step"] == number
        assert all(0 <= step[name] <= 1 for name in FRACTIONS)
        above = path[number - 1]["n_synapses"] if number else step["n_synapses"]
        assert step["n_removed"] == above - step["n_synapses"] >= 0
    final = {**record["final"], "accuracy": record["final"]["score"]["validation"]}
    del final["score"]
    last = {name: path[-1][name] for name in final}
    assert last == final
    assert path[0]["n_synapses"] == record["start"]["n_synapses"]
    assert path[0]["structure"] == record["start"]["structure"]
    assert record["epochs"] >= sum(step["epochs"] for step in path)


def without_seconds(record):
    return {name: value for name, value in record.items() if name != "seconds"}


# --- what a person sees -------------------------------------------------------------------------


def test_without_arguments_the_smallest_network_of_the_digits_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(sn.search._recipe, "_UPDATES", (1000, 1000))
    monkeypatch.setattr(sn.search._candidates, "CANDIDATES", sn.search.CANDIDATES[1:3])
    out = succeed("prune", "--out", tmp_path / "d.npz", "--report", tmp_path / "d.html")
    assert out.startswith("digits: 1797 rows, 64 columns, target 'label' of 10 classes (0 178, 1")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    table = {row[0]: row[1:] for row in rows if len(row) == 3}
    before, after = map(int, table["synapses"])
    assert after < 0.5 * before
    assert table["inputs used"] == [s.split("-")[0] for s in table["structure"]]
    assert all(float(share[:-1]) > 85 for share in table["accuracy, fresh data"])
    assert f"{1 - after / before:.1%} of the synapses were removed: {before} → {after}." in out
    assert out.rstrip().endswith("Next: synaprune prune FILE.csv, with a table of your own.")
    succeed("report", tmp_path / "d.npz", "--data", "digits", "--out", tmp_path / "again.html")
    assert (tmp_path / "d.html").read_bytes() == (tmp_path / "again.html").read_bytes()


def test_several_runs_are_counted_by_structure(tmp_path):
    args = ("prune", flowers(tmp_path), "--target", "kind", *QUICK, "--runs", 2)
    out = succeed(*args)
    assert out.startswith("flowers.csv, 2 runs, seeds 0 to 1")
    assert re.search(r"^accuracy, test: \d+\.\d\d% ± \d+\.\d\d%$", out, re.MULTILINE)


def test_runs_side_by_side_are_the_same_runs(tmp_path):
    args = ("prune", flowers(tmp_path), "--target", "kind", *QUICK, "--runs", 3, "--seed", 5)
    records = []
    for jobs in (1, 2):
        succeed(*args, "--jobs", jobs, "--json", tmp_path / "runs.json", by=spawn)
        record = read_json(tmp_path / "runs.json")
        for timed in (record, *record["runs"]):
            timed.pop("seconds")
        records.append(record)
    assert records[0] == records[1]
    assert [r["seed"] for r in records[0]["runs"]] == [5, 6, 7]


def test_a_run_that_fails_side_by_side_ends_them_all_with_one_line(tmp_path):
    args = ("prune", flowers(tmp_path), "--target", "kind", "--synapses", 10**6, "--epochs", 9)
    done = spawn(*args, "--runs", 3, "--jobs", 2)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"synaprune: .*n_synapses must be from .*\n", done.stderr)


def test_warnings_of_runs_side_by_side_are_lines_of_ours(tmp_path):
    args = ("prune", flowers(tmp_path), "--target", "kind", *QUICK, "--optimizer", "adam")
    args += ("--lr", 0.01, "--runs", 2, "--jobs", 2)
    done = spawn(*args)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert re.match(r"synaprune: warning: .*adaptive", done.stderr)
    assert spawn(*args, "--quiet").stderr == ""


def test_threads_auto(tmp_path):
    assert "synapses" in succeed("prune", "xor", "--threads", "auto")
    done = run("prune", "xor", "--threads", "many")
    assert (done.returncode, done.stdout) == (2, "")


def test_quiet_prints_nothing(tmp_path):
    json = tmp_path / "run.json"
    assert succeed("prune", "xor", "--quiet", "--json", json) == ""
    assert read_json(json)["dataset"] == "xor"


def test_quiet_prints_no_warning_as_python_does(tmp_path):
    # WSF under Adam warns; on the console that is a line of ours, or none under --quiet.
    args = ("prune", flowers(tmp_path), "--target", "kind", *QUICK, "--optimizer", "adam")
    done = spawn(*args, "--lr", 0.01, "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    assert "UserWarning" not in done.stderr
    assert ".py" not in done.stderr


def test_the_help_names_every_option():
    out = succeed("prune", "--help")
    in_help = set(re.findall(r"^ +(?:-h, )?(--[a-z0-9-]+)", out, re.MULTILINE))
    kinds = (Architecture, sn.Training, *OPTIMIZERS.values(), sn.ShiftImages, Goal, sn.Criterion,
             sn.Gradual, sn.Iterative, sn.Sweep)  # fmt: skip
    fields = {option.flag for kind in kinds for option in options_of(kind)}
    others = {"--help", "--target", "--data-dir", "--optimizer", "--strategy", "--runs", "--jobs",
              "--seed", "--threads", "--out", "--report", "--json", "--quiet", "--drop", "--keep",
              "--separator", "--no-header", "--checkpoint", "--resume", "--time-limit",
              "--max-epochs", "--scheduler"}  # fmt: skip
    assert in_help == fields | others
    assert {*FLAGS, "--shift", "--shift-probability"} == fields | {"--optimizer", "--strategy"}
    assert "predict" in succeed("--help")


def test_installed_script():
    script = shutil.which("synaprune", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("no synaprune script beside this Python")
    assert succeed("--version", by=spawn, command=[script]) == f"synaprune {sn.__version__}\n"
    assert "2-100-1" in succeed("prune", "xor", by=spawn, command=[script])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_stdout_of_any_encoding(encoding):
    # As when a Windows user writes `synaprune prune > log.txt`.
    done = subprocess.run(
        [*SYNAPRUNE, "prune", "xor"],
        env=environment(PYTHONIOENCODING=encoding),
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"were removed: 300 " in done.stdout


# --- JSON ---------------------------------------------------------------------------------------


def test_xor_ends_as_json_with_the_promised_keys(tmp_path):
    json = tmp_path / "xor.json"
    succeed("prune", "xor", "--seed", 3, "--json", json)
    record = read_json(json)
    check_record(record)
    assert (record["dataset"], record["seed"]) == ("xor", 3)
    assert record["start"]["structure"] == "2-100-1"
    assert record["start"]["n_synapses"] == 300
    assert set(record["final"]["accuracy"].values()) == {1.0}
    assert record["final"]["n_synapses"] < 20
    assert record["options"]["hidden"] == [100]
    assert record["options"]["max_drop"] == 0.005
    assert not {"threads", "json", "out", "quiet"} & set(record["options"])


def test_each_of_several_runs_repeats_alone(tmp_path):
    source = flowers(tmp_path)
    args = ("prune", source, "--target", "kind", *QUICK, "--quiet", "--json")
    succeed(*args, tmp_path / "runs.json", "--runs", 3, "--seed", 7)
    together = read_json(tmp_path / "runs.json")
    assert set(together) == RUNS
    assert together["seed"] == 7
    assert [record["seed"] for record in together["runs"]] == [7, 8, 9]
    ends = collections.Counter(record["final"]["structure"] for record in together["runs"])
    assert together["structures"] == ends
    for record in together["runs"]:
        check_record(record)
        succeed(*args, tmp_path / "alone.json", "--seed", record["seed"])
        assert without_seconds(read_json(tmp_path / "alone.json")) == without_seconds(record)
    distinct = {
        str(record["start"]["accuracy"]) + str(record["path"]) for record in together["runs"]
    }
    assert len(distinct) == 3


# --- flags --------------------------------------------------------------------------------------

# Each flag with a value that is not its default, and what the JSON's options then say.
COUNT = ("--synapses", 20, "--epochs", 9)
ADAM = ("--optimizer", "adam", "--lr", 0.02, "--criterion", "random")  # wsf would warn
FLAGS = {
    "--hidden": ("6,5", ("hidden", [6, 5])),
    "--activation": ("tanh", ("activation", "tanh")),
    "--loss": ("squared", ("loss", "squared")),
    "--init-scale": (0.5, ("init_scale", 0.5)),
    "--input-scaling": ("center", ("input_scaling", "center")),
    "--optimizer": ("adam", ("optimizer", "adam"), "--criterion", "random"),
    "--lr": (0.02, ("lr", 0.02)),
    "--momentum": (0.5, ("momentum", 0.5)),
    "--nesterov": (None, ("nesterov", True), "--momentum", 0.5),
    "--rho": (0.9, ("rho", 0.9), "--optimizer", "rmsprop", "--criterion", "random"),
    "--max-gradient-norm": (2.0, ("max_gradient_norm", 2.0)),
    "--l1": (0.001, ("l1", 0.001), "--criterion", "random"),
    "--weight-decay": (1e-4, ("weight_decay", 1e-4), "--criterion", "random"),
    "--beta1": (0.8, ("beta1", 0.8), *ADAM),
    "--beta2": (0.99, ("beta2", 0.99), *ADAM),
    "--epsilon": (1e-7, ("epsilon", 1e-7), *ADAM),
    "--batch-size": (5, ("batch_size", 5)),
    "--epochs": (7, ("epochs", 7)),
    "--class-weight": ("balanced", ("class_weight", "balanced")),
    "--label-smoothing": (0.1, ("label_smoothing", 0.1)),
    "--input-dropout": (0.1, ("input_dropout", 0.1)),
    "--swa-epochs": (3, ("swa_epochs", 3)),
    "--criterion": ("magnitude", ("criterion", "magnitude")),
    "--per-layer": (None, ("per_layer", True)),
    "--structured-bias": (0.5, ("structured_bias", 0.5)),
    "--compensate": (None, ("compensate", True), "--criterion", "obs"),
    "--strategy": ("iterative", ("strategy", "iterative")),
    "--retrain-epochs": (2, ("retrain_epochs", 2)),
    "--patience": (1, ("patience", 1)),
    "--candidates": (1, ("n_candidates", 1)),
    "--search-budget": (0.0, ("search_budget", 0.0)),
    "--first-cut": (0.2, ("first_cut", 0.2), *COUNT),
    "--power": (2.0, ("power", 2.0), *COUNT),
    "--last-cut": (0.5, ("last_cut", 0.5), *COUNT),
    "--keep-share": (0.5, ("keep_share", 0.5), "--strategy", "sweep", "--synapses", 20),
    "--regrow-budget": (0.5, ("regrow_budget", 0.5), *COUNT),
    "--metric": ("balanced_accuracy", ("metric", "balanced_accuracy")),
    "--confidence": (0.6, ("confidence", 0.6), "--max-drop", 0.3),
    "--synapses": (20, ("n_synapses", 20), "--epochs", 9),
    "--inputs": (1, ("n_inputs", 1), "--epochs", 9),
    "--min-score": (0.3, ("min_score", 0.3)),
    "--max-drop": (0.1, ("max_drop", 0.1)),
}


@pytest.mark.parametrize("flag", FLAGS)
def test_flag_overrides_the_preset(tmp_path, flag):
    value, (name, expected), *others = FLAGS[flag]
    given = (flag,) if value is None else (flag, value)
    counted = {"--synapses", "--inputs"} & {flag, *others}
    quick = () if counted else QUICK
    args = ("prune", flowers(tmp_path), "--target", "kind", *quick, *others, *given)
    succeed(*args, "--json", tmp_path / "run.json", "--quiet")
    record = read_json(tmp_path / "run.json")
    check_record(record)
    assert record["options"][name] == expected
    if flag == "--hidden":
        outputs = record["start"]["structure"].split("-")[3:]
        assert record["start"]["structure"].split("-") == ["2", "6", "5", *outputs]
    if flag == "--synapses":
        assert record["final"]["n_synapses"] <= 20
    if flag == "--criterion":
        assert {step["criterion"] for step in record["path"]} == {"magnitude"}


def test_images_are_shifted(tmp_path):
    args = ("prune", "digits", "--synapses", 200, "--epochs", 5, "--quiet")
    args += ("--json", tmp_path / "run.json")
    results = []
    for extra in ((), ("--shift", 1), ("--shift", 1, "--shift-probability", 0.9)):
        succeed(*args, *extra)
        record = read_json(tmp_path / "run.json")
        results.append((record["start"], record["final"]))
        assert record["options"]["shift"] == (1 if extra else 0)
    assert results[0] != results[1] != results[2]
    done = run("prune", flowers(tmp_path), "--target", "kind", "--shift", 1)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the rows of flowers.csv are no images that could be shifted" in done.stderr


def test_confidence_keeps_a_bound(tmp_path):
    args = ("prune", "digits", "--max-drop", 0.03, "--epochs", 40, "--search-budget", 0, "--quiet")
    counts = []
    for extra in ((), ("--confidence", 0.95)):
        succeed(*args, *extra, "--json", tmp_path / "run.json")
        record = read_json(tmp_path / "run.json")
        bounds = [step["bound"] for step in record["path"]]
        if extra:
            assert all(bound <= 0.03 + 1e-9 for bound in bounds)
        else:
            assert set(bounds) == {None}
        counts.append(record["final"]["n_synapses"])
    assert counts[0] < counts[1]
    done = run(*args, "--confidence", 0.9999999)
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs more validation samples, at least" in done.stderr


def test_gradual_by_name():
    args = ("prune", "xor", "--strategy", "gradual", "--synapses", 40, "--epochs", 50)
    assert "target 40" in succeed(*args)


def test_drop_is_kept_on_validation(tmp_path):
    args = ("prune", "digits", "--max-drop", 0.02, "--seed", 1, "--epochs", 100)
    succeed(*args, "--json", tmp_path / "run.json")
    record = read_json(tmp_path / "run.json")
    check_record(record)
    full = record["start"]["accuracy"]["validation"]
    for step in record["path"]:
        assert step["accuracy"] >= full - 0.02 - 1e-9
    assert full > 0.9
    assert record["final"]["n_synapses"] < record["start"]["n_synapses"] / 3


def test_least_accuracy_is_kept_on_validation(tmp_path):
    args = ("prune", "digits", "--min-score", 0.9, "--json", tmp_path / "run.json")
    succeed(*args, "--epochs", 20, "--candidates", 2)
    record = read_json(tmp_path / "run.json")
    assert min(step["accuracy"] for step in record["path"]) >= 0.9
    assert record["final"]["n_synapses"] < record["start"]["n_synapses"]


# --- files --------------------------------------------------------------------------------------


def table(folder):
    rows = [line.split(",") for line in FLOWERS.splitlines()[1:]]
    X = np.array([row[:2] for row in rows], np.float32)
    path = folder / "flowers.npz"
    np.savez(path, X=X, kind=np.array([row[2] for row in rows]), input_names=["width", "length"])
    return path


def test_npz_gives_what_the_csv_gives(tmp_path):
    records = []
    for source in (flowers(tmp_path), table(tmp_path)):
        args = ("prune", source, "--target", "kind", *QUICK, "--out", tmp_path / "model.npz")
        succeed(*args, "--json", tmp_path / "run.json")
        records.append(read_json(tmp_path / "run.json"))
        net = sn.SparseMLP.load(tmp_path / "model.npz")
        assert tuple(net.input_names) == ("width", "length")
        assert net.classes.tolist() == ["rose", "tulip"]
    assert [record.pop("dataset") for record in records] == ["flowers.csv", "flowers.npz"]
    assert without_seconds(records[0]) == without_seconds(records[1])


def test_saved_path_is_the_one_of_the_json(tmp_path):
    model, json = tmp_path / "model.npz", tmp_path / "run.json"
    args = ("prune", flowers(tmp_path), "--target", "kind", *QUICK, "--out", model, "--json", json)
    succeed(*args)
    path, record = sn.PruningPath.load(model), read_json(json)
    assert [step.record() for step in path] == record["path"]
    assert path.stop_reason == record["stop_reason"]
    assert path.options == {"dataset": record["dataset"], **record["options"]}
    assert sorted(tmp_path.iterdir()) == sorted([model, json, tmp_path / "flowers.csv"])


def test_model_of_one_path_loads_elsewhere_bit_for_bit(tmp_path):
    # Nothing of the folder, the file names or the time may stand in the model.
    models = []
    for name, by in (("a", run), ("some other folder", spawn)):
        (tmp_path / name).mkdir()
        source = flowers(tmp_path / name)
        model = tmp_path / name / f"{name}.npz"
        succeed("prune", source, "--target", "kind", *QUICK, "--out", model, by=by)
        models.append(model.read_bytes())
    assert models[0] == models[1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("flag", ["--json", "--out"])
def test_what_is_no_file_is_not_replaced_by_one(tmp_path, flag):
    # A pipe stands for /dev/stdout and /dev/null, which root would lose for the whole system.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # so that a writer need not wait for one
    try:
        assert run("prune", "xor", "--quiet", flag, pipe).returncode in (0, 2)
        assert pipe.is_fifo()
    finally:
        os.close(reader)


def models_by_threads(tmp_path, *args):
    models = {}
    for threads in (1, 2, 7):
        model = tmp_path / f"{threads}.npz"
        succeed("prune", *args, "--threads", threads, "--quiet", "--out", model)
        models[threads] = model.read_bytes()
    return models


@pytest.mark.parametrize("batch_size", [16, 1024])
def test_threads_do_not_change_a_byte(tmp_path, batch_size):
    args = ("digits", "--epochs", 6, "--retrain-epochs", 3, "--candidates", 2, "--hidden", 100)
    args += ("--batch-size", batch_size)
    models = models_by_threads(tmp_path, *args)
    model = tmp_path / "environment.npz"
    two = {"OMP_NUM_THREADS": "2"}
    succeed("prune", *args, "--quiet", "--out", model, by=spawn, env=two)
    assert {*models.values(), model.read_bytes()} == {models[1]}


# --- MNIST --------------------------------------------------------------------------------------


def test_threads_do_not_change_a_byte_on_mnist(tmp_path, mnist_dir):
    args = ("mnist", "--data-dir", mnist_dir, "--epochs", 2, "--synapses", 4000)
    models = models_by_threads(tmp_path, *args, "--hidden", 100, "--batch-size", 64)
    assert len(set(models.values())) == 1


def test_mnist(tmp_path, mnist_dir):
    args = ("prune", "mnist", "--data-dir", mnist_dir, "--epochs", 4, "--hidden", 20)
    out = succeed(*args, "--synapses", 3000, "--json", tmp_path / "run.json")
    assert "784-20-10" in out
    record = read_json(tmp_path / "run.json")
    check_record(record)
    start, final = record["start"], record["final"]
    assert (start["structure"], start["n_synapses"], start["n_inputs"]) == ("784-20-10", 15880, 784)
    assert final["n_synapses"] <= 3000
    assert min(final["accuracy"].values()) > 0.9
    assert record["epochs"] == 8
    assert re.search(rf"reached {final['n_synapses']} synapses", record["stop_reason"])


def test_a_count_alone_is_searched_for_on_the_training_images(tmp_path, mnist_dir, monkeypatch):
    monkeypatch.setattr(sn.search._candidates, "_L1", (1e-4,))
    monkeypatch.setattr(sn.search._recipe, "_WORK", 1e9)
    args = ("mnist", "--data-dir", mnist_dir)
    files = ("--json", tmp_path / "run.json", "--out", tmp_path / "m.npz")
    out = succeed("prune", *args, "--synapses", 400, *files)
    assert "mnist: 60000 rows" in out
    final = read_json(tmp_path / "run.json")["final"]
    assert final["n_synapses"] <= 400
    assert f"{final['score']['test']:.2%}" in out
    test = sn.datasets.mnist(mnist_dir).test
    net = sn.PruningPath.load(tmp_path / "m.npz").smallest
    assert net.score(*test) == final["score"]["test"] > 0.8
    succeed("report", tmp_path / "m.npz", "--data", *args, "--out", tmp_path / "m.html")
    text = (tmp_path / "m.html").read_text("utf-8")
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', text, re.DOTALL)[1])
    judged = facts["summary"]["accuracy"]["validation"]
    assert (judged["n"], judged["final"]) == (10000, final["score"]["test"])


def test_data_folder_of_the_environment(tmp_path, mnist_dir):
    args = ("prune", "mnist", "--epochs", 2, "--hidden", 5, "--synapses", 500, "--quiet")
    folder = {"SYNAPRUNE_DATA_DIR": str(mnist_dir)}
    succeed(*args, "--json", tmp_path / "run.json", by=spawn, env=folder)
    assert read_json(tmp_path / "run.json")["start"]["structure"] == "784-5-10"
