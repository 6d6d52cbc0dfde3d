"""A network as an ONNX model of dense layers."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Labels
from synaprune.checks import check_choice, shown
from synaprune.export._dense import DenseLayer, dense
from synaprune.extras import require
from synaprune.io import check_target, write_atomically
from synaprune.network import SparseMLP
from synaprune.program import LEAST_SIGMOID, Program

__all__ = ["Graph", "labels_of", "to_onnx"]

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
    check_choice("inputs", inputs, INPUTS)
    program = Program.of(net)
    if inputs == "used" and not len(program.inputs):
        raise ValueError("inputs must be 'all', as no output depends on any input")
    if path is not None:
        check_target(path)
    columns = program.inputs if inputs == "used" else np.arange(program.n_features)
    model = _Model(onnx, program, columns).model()
    onnx.checker.check_model(model)
    if path is not None:
        write_atomically(path, model.SerializeToString())
    return model


class Graph(ABC):
    """Nodes and constants that compute a program; subclasses say where they go.

    Parameters
    ----------
    program : Program
    columns : ndarray of int64
        The columns of X that the graph is given, those that the program needs among them.
    """

    def __init__(self, program: Program, columns: NDArray[np.int64]) -> None:
        self.program, self.columns = program, columns

    @abstractmethod
    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an array; returns what it is called."""

    @abstractmethod
    def add(self, operator: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """Add a node; returns the name of its output, which `out` may say."""

    def sums(self, x: str) -> str:
        """Add everything from the inputs to the sums of the last layer."""
        used = self.program.inputs
        gathers = 0 < len(used) < _FEW * len(self.columns)
        network = dense(self.program, used if gathers else self.columns)
        if gathers:
            places = np.searchsorted(self.columns, used)
            x = self.add("Gather", x, self.constant("inputs", places), axis=1)
        if network.transform is not None:
            x = self.add("Sub", x, self.constant("shift", network.transform.shift))
            x = self.add("Mul", x, self.constant("scale", network.transform.scale))
        for number, layer in enumerate(network.layers):
            x = self.layer(x, layer, number)
        return x

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

    def probabilities(self, z: str, out: str | None = None) -> str:
        """Add what makes probabilities of the sums."""
        if self.program.output != "sigmoid_shares":
            return self.add("Softmax", z, axis=1, out=out)
        # Shares of sigmoids by their logarithms, since onnxruntime's Sigmoid may be 0.
        least = self.constant("least", np.array(-LEAST_SIGMOID, np.float32))
        log = self.add("Neg", self.add("Softplus", self.add("Neg", self.add("Max", z, least))))
        return self.add("Softmax", log, axis=1, out=out)

    def label(self, z: str, labels: NDArray[Any], out: str) -> str:
        """Add what names the class of the largest sum."""
        number = self.add("ArgMax", z, axis=1, keepdims=0)
        return self.add("Gather", self.constant("classes", labels), number, out=out)

    def shaped(self, y: str, shape: tuple[int, ...], out: str) -> str:
        """Add what gives numbers their shape."""
        return self.add("Reshape", y, self.constant("shape", np.array(shape, np.int64)), out=out)


class _Model(Graph):
    """A graph that becomes a model."""

    def __init__(self, onnx: Any, program: Program, columns: NDArray[np.int64]) -> None:
        super().__init__(program, columns)
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        z, targets, n = self.sums("X"), program.targets, program.n_outputs
        if targets is not None:
            self.shaped(z, (-1,) if targets.one_axis else (-1, n), out="y")
            self.outputs = [self.declared("y", np.float32, *([] if targets.one_axis else [n]))]
        else:
            assert program.classes is not None
            self.probabilities(z, out="probabilities")
            labels = labels_of(program.classes)
            self.label(z, labels, out="label")
            self.outputs = [
                self.declared("label", labels.dtype),
                self.declared("probabilities", np.float32, len(labels)),
            ]

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an array under this name."""
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """Add a node."""
        name = f"t{len(self.nodes)}" if out is None else out
        made = self.onnx.helper.make_node(operator, list(inputs), [name], **attributes)
        self.nodes.append(made)
        return name

    def declared(self, name: str, dtype: Any, *columns: int) -> Any:
        """Return what an input or output of N rows is."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.onnx.helper.make_tensor_value_info(name, kind, ["N", *columns])

    def model(self) -> Any:
        """Return the model."""
        helper = self.onnx.helper
        graph = helper.make_graph(
            self.nodes,
            "synaprune",
            [self.declared("X", np.float32, len(self.columns))],
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


def labels_of(classes: Labels) -> NDArray[Any]:
    """Return labels in a type that ONNX has."""
    if classes.dtype.kind == "U":
        return classes.astype(object)
    if classes.dtype.kind == "b":
        return classes
    if classes.max() > np.iinfo(np.int64).max:
        raise ValueError(f"label must fit int64, got {shown(classes.max().item())}")
    return classes.astype(np.int64)
