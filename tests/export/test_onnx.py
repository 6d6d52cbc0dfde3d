"""ONNX models say in onnxruntime what networks say."""

import json

import numpy as np
import pytest
import synaprune as sn
from export.dense import close
from export.networks import random_network
from synaprune.program import Program

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(model, X):
    """The outputs by their names."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X.astype(np.float32)}), strict=True))


def columns(model):
    return json.loads(model.metadata_props[0].value)


def assert_agrees(net, X, found):
    if net.is_regression:
        assert list(found) == ["y"]
        assert close(found["y"], net.predict(X))
    else:
        assert list(found) == ["label", "probabilities"]
        assert close(found["probabilities"], net.predict_proba(X))
        two = np.sort(net.predict_proba(X)[found["label"] != net.predict(X)], axis=1)[:, -2:]
        assert (np.diff(two, axis=1) < 1e-6).all()  # within rounding of a tie


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_random_networks(first):
    for seed in range(first, first + 50):
        net, X = random_network(seed)
        model = net.to_onnx()
        assert columns(model) == list(range(net.n_features))
        assert_agrees(net, X, run(model, X))
        if len(Program.of(net).inputs):
            model = net.to_onnx(inputs="used")
            assert set(columns(model)) <= set(net.used_inputs.tolist())
            assert_agrees(net, X, run(model, X[:, columns(model)]))
        else:
            with pytest.raises(ValueError, match="no output depends on any input"):
                net.to_onnx(inputs="used")


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        (["no", "yes", 'ü"\n'], object),
        ([-3, 0, 2**40], np.int64),
        (np.array([1, 2, 3], np.uint8), np.int64),
        ([False, True], np.bool_),
    ],
)
def test_labels(labels, dtype):
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    y = np.array(labels)[np.arange(60) % len(labels)]
    net = sn.SparseMLP((4, 5, 3 if len(labels) == 3 else 1), init_scale=1.0, seed=0).fit(X, y)
    found = run(net.to_onnx(), X)["label"]
    assert found.dtype == dtype
    assert found.tolist() == net.predict(X).tolist()


def test_labels_beyond_int64_are_refused():
    net = sn.SparseMLP((2, 1))
    net.prepare(np.zeros((2, 2)), np.array([1, 2**63], np.uint64))
    with pytest.raises(ValueError, match="label must fit int64, got 9223372036854775808"):
        net.to_onnx()


def test_few_inputs_are_gathered():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 50)), np.arange(100) % 3
    full = sn.SparseMLP((50, 6, 3), input_scaling="standard", init_scale=1.0, seed=0)
    full.prepare(X, y)
    for n, gathers in ((4, True), (5, False)):
        net = full.without(inputs=range(n, 50))
        model = net.to_onnx()
        assert ("Gather" in [node.op_type for node in model.graph.node[:-1]]) == gathers
        assert_agrees(net, X, run(model, X))
        model = net.to_onnx(inputs="used")
        assert columns(model) == list(range(n))
        assert_agrees(net, X, run(model, X[:, :n]))


def test_inputs_far_from_zero_keep_their_precision():
    X = 2000.0 + np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32)
    net = sn.SparseMLP((5, 6, 3), input_scaling="standard", init_scale=1.0, seed=0)
    net.prepare(X, np.arange(100) % 3)
    for inputs in ("all", "used"):
        model = net.to_onnx(inputs=inputs)
        assert model.graph.node[0].op_type == "Sub"
        assert_agrees(net, X, run(model, X))


def test_a_file_and_bad_arguments(tmp_path):
    net, _ = random_network(0)
    model = net.to_onnx(tmp_path / "net.onnx")
    assert onnx.load(tmp_path / "net.onnx") == model
    with pytest.raises(ValueError, match="inputs must be one of all, used, got 'some'"):
        net.to_onnx(inputs="some")
    with pytest.raises(FileNotFoundError, match="the folder of"):
        net.to_onnx(tmp_path / "none" / "net.onnx")
    with pytest.raises(ValueError, match="never fitted"):
        sn.SparseMLP((2, 1)).to_onnx()
