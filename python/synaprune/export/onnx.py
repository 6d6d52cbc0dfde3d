"""A network as an ONNX model of dense layers."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Labels
from synaprune.checks import shown
from synaprune.export._dense import DenseLayer, dense
from synaprune.export._program import LEAST_SIGMOID, Program
from synaprune.extras import require
from synaprune.io import check_target, write_atomically
from synaprune.network import SparseMLP

__all__ = ["to_onnx"]

INPUTS = ("all", "used")
_OPSET, _IR_VERSION = 17, 8  # of 2022
_FEW = 0.1  # share of inputs in use under which a Gather is worth its time
_OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}), "leaky_relu": ("LeakyRelu", {"alpha": 0.01}), "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
}  # fmt: skip


def to_onnx(net: SparseMLP, path: str | os.PathLike[str] | None, *, inputs: str) -> Any:
    """Return a ModelProto; `SparseMLP.to_onnx` documents the arguments."""
    onnx = require("onnx", "onnx")
    if inputs not in INPUTS:
        raise ValueError(f"inputs must be one of {', '.join(INPUTS)}, got {shown(inputs)}")
    program = Program.of(net)
    if inputs == "used" and not len(program.inputs):
        raise ValueError("inputs must be 'all', as no output depends on any input")
    if path is not None:
        check_target(path)
    model = _Graph(onnx, program, inputs).model()
    onnx.checker.check_model(model)
    if path is not None:
        write_atomically(path, model.SerializeToString())
    return model


class _Graph:
    """Nodes and constants of a program."""

    def __init__(self, onnx: Any, program: Program, inputs: str) -> None:
        self.onnx, self.program = onnx, program
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        used = program.inputs
        self.columns = used if inputs == "used" else np.arange(program.n_features)
        gathers = inputs == "all" and 0 < len(used) < _FEW * program.n_features
        network = dense(program, used if gathers else self.columns)
        x = "X"
        if gathers:
            x = self.add("Gather", x, self.constant("inputs", used), axis=1)
        if network.transform is not None:
            x = self.add("Sub", x, self.constant("shift", network.transform.shift))
            x = self.add("Mul", x, self.constant("scale", network.transform.scale))
        for number, layer in enumerate(network.layers):
            x = self.layer(x, layer, number)
        if program.classes is None:
            self.numbers(x)
        else:
            self.classes(x, program.classes)

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an array; returns its name."""
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        name = f"t{len(self.nodes)}" if to is None else to
        made = self.onnx.helper.make_node(operator, list(inputs), [name], **attributes)
        self.nodes.append(made)
        return name

    def layer(self, x: str, layer: DenseLayer, number: int) -> str:
        """Add a layer; a classifier's only output z becomes (0, z), whose softmax is a sigmoid."""
        weights, bias = layer.weights, layer.bias
        if layer.activation == "identity" and self.program.output == "sigmoid":
            weights = np.concatenate([np.zeros_like(weights), weights])
            bias = np.concatenate([np.zeros_like(bias), bias])
        names = (self.constant(f"W{number}", weights), self.constant(f"b{number}", bias))
        z = self.add("Gemm", x, *names, transB=1)
        if layer.activation == "identity":
            return z
        if layer.activation == "silu":
            return self.add("Mul", z, self.add("Sigmoid", z))
        operator, attributes = _OPERATORS[layer.activation]
        return self.add(operator, z, **attributes)

    def numbers(self, z: str) -> None:
        """Add the output of a regression."""
        targets, n = self.program.targets, self.program.n_outputs
        assert targets is not None
        shape = np.array([-1] if targets.one_axis else [-1, n], np.int64)
        self.add("Reshape", z, self.constant("shape", shape), to="y")
        self.outputs = [self.declared("y", np.float32, "N", *([] if targets.one_axis else [n]))]

    def classes(self, z: str, classes: Labels) -> None:
        """Add the outputs of a classifier."""
        if self.program.output == "sigmoid_shares":
            # Shares of sigmoids by their logarithms, since onnxruntime's Sigmoid may be 0.
            least = self.constant("least", np.array(-LEAST_SIGMOID, np.float32))
            log = self.add("Neg", self.add("Softplus", self.add("Neg", self.add("Max", z, least))))
            self.add("Softmax", log, axis=1, to="probabilities")
        else:
            self.add("Softmax", z, axis=1, to="probabilities")
        labels = _labels(classes)
        number = self.add("ArgMax", z, axis=1, keepdims=0)
        self.add("Gather", self.constant("classes", labels), number, to="label")
        self.outputs = [
            self.declared("label", labels.dtype, "N"),
            self.declared("probabilities", np.float32, "N", len(classes)),
        ]

    def declared(self, name: str, dtype: Any, *shape: int | str) -> Any:
        """Return what an input or output is."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.onnx.helper.make_tensor_value_info(name, kind, list(shape))

    def model(self) -> Any:
        """Return the model."""
        helper = self.onnx.helper
        graph = helper.make_graph(
            self.nodes,
            "synaprune",
            [self.declared("X", np.float32, "N", len(self.columns))],
            self.outputs,
            self.constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="synaprune",
            producer_version=_core.__version__,
        )
        helper.set_model_props(model, {"inputs": json.dumps(self.columns.tolist())})
        return model


def _labels(classes: Labels) -> NDArray[Any]:
    """Return labels in a type that ONNX has."""
    if classes.dtype.kind == "U":
        return classes.astype(object)
    if classes.dtype.kind == "b":
        return classes
    if classes.max() > np.iinfo(np.int64).max:
        raise ValueError(f"label must fit int64, got {shown(classes.max().item())}")
    return classes.astype(np.int64)
