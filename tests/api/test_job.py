"""The main job: what it refuses, before anything is trained, and what its record says."""

import dataclasses
import json

import numpy as np
import pytest
import synaprune as sn
from synaprune.cli.flags import job_from_flags
from synaprune.job import Architecture, Job, Measurement
from synaprune.options import record
from synaprune.pruning import Goal

QUICK = ("--epochs", "5", "--retrain-epochs", "2", "--candidates", "2", "--search-budget", "0")


@pytest.fixture(scope="module")
def digits():
    return sn.datasets.digits()


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        # These used to be refused only after the full network was trained.
        ("--search-budget -1", ValueError, r"^--search-budget must be finite and in .*, got -1"),
        (
            "--structured-bias -1",
            ValueError,
            r"^--structured-bias must be finite and in .*, got -1",
        ),
        ("--synapses 99 --epochs 1", ValueError, r"^strategy Gradual needs .* got epochs=1$"),
        # These used to be ignored.
        (
            "--synapses 99 --patience 3",
            ValueError,
            r"^--patience does not apply .* uses Gradual, SG",
        ),
        (
            "--regrow-budget 1",
            ValueError,
            r"^--regrow-budget does not apply .* uses Iterative, SGD",
        ),
        (
            "--beta1 0.5",
            ValueError,
            r"^--beta1 does not apply to this run, which uses Iterative, SG",
        ),
        (
            "--shift-probability 0.5",
            ValueError,
            r"^--shift-probability .* SGD, and shifts no images$",
        ),
        ("--shift 0 --shift-probability 0.5", ValueError, r"^--shift-probability does not apply"),
        ("--synapses 9 --max-drop 0.1", ValueError, r"^at most one of --synapses, --max-drop and"),
        ("--strategy gradual", ValueError, r"^strategy Gradual goes with n_synapses or n_inputs"),
        ("--strategy iterative --inputs 9", ValueError, r"^strategy Iterative goes with max_drop"),
        (
            "--confidence 0.9 --synapses 9",
            ValueError,
            r"^--confidence goes with --max-drop or --mi",
        ),
    ],
)
def test_flags_that_do_not_fit_are_refused(flags, error, message, digits):
    with pytest.raises(error, match=message):
        job_from_flags(digits, flags.split())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--synapses 9999", r"^n_synapses must be from 2 to 1480, got 9999$"),
        ("--inputs 65", r"^n_inputs must be from 1 to 64, got 65$"),
        ("--confidence 0.999", r"^max_drop=0\.005 with confidence=0\.999 needs more validation"),
        ("--init-scale -1", r"^init_scale must be finite and in"),
        ("--loss sigmoid", r"^loss 'sigmoid' needs one output, got 10"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_before_any_training(flags, message, digits):
    job, told = job_from_flags(digits, flags.split()), []
    with pytest.raises(ValueError, match=message):
        job.run(digits, seed=1000, threads=1, callback=told.append)
    assert told == []


def test_a_job_of_its_own_is_checked_when_it_is_made():
    with pytest.raises(TypeError, match=r"^strategy must be a Strategy, .*, got 'gradual'$"):
        Job(strategy="gradual")
    with pytest.raises(ValueError, match=r"^strategy Gradual goes with .*, got max_drop=0\.1$"):
        Job(goal=Goal(max_drop=0.1), strategy=sn.Gradual())
    with pytest.raises(ValueError, match=r"^hidden must be from 1 to"):
        Architecture((5, 0))
    with pytest.raises(ValueError, match=r"^stop_at must be finite and in"):
        Job(stop_at=2.0)


def test_the_record_is_measured_once_and_tells_the_options(digits):
    job = job_from_flags(digits, QUICK)
    result = job.run(digits, seed=1000, threads=1)
    record = result.record()
    assert record["start"] == dataclasses.asdict(Measurement.of(result.full, digits))
    assert record["final"] == dataclasses.asdict(Measurement.of(result.path.smallest, digits))
    assert record["stop_reason"] == result.path.stop_reason
    assert result.path.options == {"dataset": "digits", **record["options"]}
    assert record["options"] == {
        "hidden": (20,), "activation": "relu", "loss": "auto", "init_scale": 0.05,
        "input_scaling": None, "epochs": 5, "batch_size": 16, "class_weight": None,
        "label_smoothing": 0.0, "input_dropout": 0.0, "swa_epochs": 1, "max_gradient_norm": None,
        "optimizer": "sgd",
        "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0, "l1": 0.0, "nesterov": False,
        "shift": 0, "criterion": "wsf", "per_layer": False, "compensate": False,
        "structured_bias": 0.0, "stop_at": None, "strategy": "iterative", "retrain_epochs": 2,
        "patience": 5, "n_candidates": 2, "search_budget": 0.0, "max_drop": 0.005,
        "confidence": None, "metric": "accuracy",
    }  # fmt: skip


@pytest.mark.parametrize("stage", ["train", "retrain"])
def test_a_callback_ends_the_training_or_the_pruning(stage, digits):
    told = []

    def callback(progress):
        told.append(progress.stage)
        return sn.STOP if progress.stage == stage else None

    result = job_from_flags(digits, QUICK).run(digits, seed=1000, threads=1, callback=callback)
    if stage == "train":
        assert told.count("train") == 1
        assert result.path.stop_reason != "ended by the callback"
    else:
        assert told.count("train") == 5
        assert result.path.stop_reason == "ended by the callback"


def test_l1_ends_with_the_last_cut(digits):
    job = job_from_flags(digits, ["--synapses", "200", "--epochs", "5", "--l1", "0.001"])
    fresh = job.architecture.network(digits, seed=1000)
    plain = dataclasses.replace(job.training.optimizer, l1=0.0)
    path = sn.prune(
        fresh, *digits.train, validation=digits.validation, n_synapses=200, training=job.training,
        strategy=sn.Gradual(final_optimizer=plain),
    )  # fmt: skip
    assert job.run(digits, seed=1000).path.to_json() == path.to_json()


def test_any_strategy_and_labels_of_numpy_do_the_job(tmp_path):
    class Own(sn.Strategy):
        def run(self, session):
            full = session.judge()
            session.accept(full, epochs=0, score_after_cut=full.score)
            return "nothing to do"

    weights = {np.int64(1): np.float32(2.0)}
    job = Job(Architecture((3,)), sn.Training(2, class_weight=weights), strategy=Own())
    result = job.run(sn.datasets.xor(), seed=1000, threads=1)
    result.path.save(tmp_path / "path.npz")
    options = json.loads(json.dumps(result.record()))["options"]
    assert (options["strategy"], options["class_weight"]) == ("Own", {"1": 2.0})


def test_options_tell_names_of_callables_and_numbers_of_numpy():
    assert record(Goal(metric=max))["metric"] == "max"
    assert json.dumps(record(sn.Iterative(np.int64(3))))
