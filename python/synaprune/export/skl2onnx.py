"""Converters with which skl2onnx writes pipelines that hold our estimators of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.export.onnx import Graph, labels_of
from synaprune.extras import require
from synaprune.program import Program

__all__ = ["register"]

# As for scikit-learn's MLPClassifier.
_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "nocl": [True, False],
}


def register(classifier: type, regressor: type, selector: type) -> None:
    """Tell skl2onnx how to convert these estimators.

    Parameters
    ----------
    classifier, regressor, selector : type
        As in `synaprune.sklearn`, which depends on this package.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    """
    update = require("skl2onnx", "skl2onnx").update_registered_converter
    declare_classes = require(
        "skl2onnx.common.shape_calculator", "skl2onnx"
    ).calculate_linear_classifier_output_shapes
    for kind, declare, convert, options in (
        (classifier, declare_classes, _convert_classifier, _OPTIONS),
        (regressor, _declare_numbers, _convert_regressor, None),
        (selector, _declare_selection, _convert_selector, None),
    ):
        update(kind, f"Synaprune{kind.__name__}", declare, convert, options=options)


class _Nodes(Graph):
    """A graph inside the one that skl2onnx builds."""

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        program = Program.of(operator.raw_operator.network_)
        super().__init__(program, np.arange(program.n_features))
        self.scope, self.operator, self.container = scope, operator, container
        self.onnx = require("onnx", "onnx")

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an array."""
        name = self.scope.get_unique_variable_name(name)
        if values.dtype == object:
            content = [text.encode() for text in values]
            kind = self.onnx.TensorProto.STRING
        else:
            content = self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), name)
            kind = content.data_type
        self.container.add_initializer(name, kind, list(values.shape), content)
        return name

    def add(self, operator: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """Add a node."""
        name = self.scope.get_unique_variable_name(operator.lower()) if out is None else out
        called = self.scope.get_unique_operator_name(operator)
        self.container.add_node(operator, list(inputs), [name], name=called, **attributes)
        return name

    def start(self) -> str:
        """Add the sums of the last layer, in float32 whatever the inputs are, as estimators do."""
        x = self.operator.inputs[0].full_name
        return self.sums(self.add("Cast", x, to=self.onnx.TensorProto.FLOAT))

    def finish(self, y: str, number: int) -> None:
        """Add what makes an output of numbers in float32: of the type that was declared."""
        output = self.operator.outputs[number]
        types = require("skl2onnx.common.data_types", "skl2onnx")
        kind = types.guess_proto_type(output.type)
        self.add("Cast", y, out=output.full_name, to=kind)


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    classifiers = require("skl2onnx.common.utils_classifier", "skl2onnx")
    nodes = _Nodes(scope, operator, container)
    z = nodes.start()
    nodes.finish(nodes.probabilities(z), 1)
    classes = classifiers.get_label_classes(scope, operator.raw_operator)
    labels = classes.astype(np.int64) if classes.dtype.kind in "fb" else labels_of(classes)
    nodes.label(z, labels, out=operator.outputs[0].full_name)


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    nodes = _Nodes(scope, operator, container)
    nodes.finish(nodes.start(), 0)


def _convert_selector(scope: Any, operator: Any, container: Any) -> None:
    columns = operator.raw_operator.get_support(indices=True)
    name = scope.get_unique_variable_name("columns")
    kind = require("onnx", "onnx").TensorProto.INT64
    container.add_initializer(name, kind, [len(columns)], columns)
    inputs, outputs = [operator.inputs[0].full_name, name], [operator.outputs[0].full_name]
    called = scope.get_unique_operator_name("Gather")
    container.add_node("Gather", inputs, outputs, name=called, axis=1)


def _declare_numbers(operator: Any) -> None:
    """Declare N rows of one number or several."""
    n_outputs = _fitted(operator).network_.layers[-1]
    shapes = require("skl2onnx.common.shape_calculator", "skl2onnx")
    shapes.calculate_linear_regressor_output_shapes(operator)
    operator.outputs[0].type.shape[1] = n_outputs


def _declare_selection(operator: Any) -> None:
    """Declare N rows of the columns that are kept, of the type that they had."""
    selector, given = _fitted(operator), operator.inputs[0]
    utilities = require("skl2onnx.common.utils", "skl2onnx")
    utilities.check_input_and_output_numbers(operator, input_count_range=1, output_count_range=1)
    if not selector.n_features_:
        raise ValueError(f"{type(selector).__name__} must keep a column or more, got none")
    shape = [given.get_first_dimension(), selector.n_features_]
    operator.outputs[0].set_type(type(given.type)(shape))


def _fitted(operator: Any) -> Any:
    """Return the estimator, or raise what scikit-learn raises if it was never fitted."""
    require("sklearn.utils.validation", "sklearn").check_is_fitted(operator.raw_operator)
    return operator.raw_operator
