"""`SparseMLP`: training and prediction."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Inputs, Labels, as_inputs, as_labels, encode, finite
from synaprune.checks import check_callable, check_int
from synaprune.network._base import SparseNetwork
from synaprune.network._checks import brief, check_classes, transform_for
from synaprune.threads import ThreadChoice, Threads, check_threads
from synaprune.training import (
    Callback,
    Optimizer,
    Progress,
    Schedule,
    TrainingDiverged,
    check_optimizer,
    run_epochs,
)

_OVERFLOW = "X holds values so large that the network's outputs overflow"


class SparseMLP(SparseNetwork):
    """A classifier: a multilayer perceptron with sparse layers.

    Parameters
    ----------
    layers : sequence of int
        Inputs, hidden neurons of each layer, outputs, such as ``(784, 20, 10)``. Two classes take
        one output (sigmoid) or two (softmax), more classes one output each.
    activation : {"relu", "sigmoid", "tanh"}
        Of the hidden neurons.
    loss : {"auto", "softmax", "sigmoid", "squared"}
        "softmax" and "sigmoid" are the cross-entropies; "squared" is half the squared error of
        sigmoid outputs, as in the original work. "auto": sigmoid with one output, else softmax.
    init_scale : float
        Weights start uniform in ±init_scale·√(6 / (n_in + n_out)) (Glorot & Bengio, 2010), biases
        at 0. Small starts make WSF rank what was learned.
    input_scaling : {"auto", "standard", "none"} or pair of array_like
        How inputs become (x - shift)·scale, fixed at the first fit: "auto" is scale 1/255 for uint8
        and nothing else; "standard" takes mean and standard deviation of the first training data;
        a pair gives (shift, scale), each of shape (n_inputs,) or a number.
    seed : int
        Of the initial weights and of the order of the samples.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what came.

    Examples
    --------
    >>> from synaprune import SparseMLP, SGD, datasets
    >>> data = datasets.xor()
    >>> net = SparseMLP((2, 8, 1), activation="sigmoid", init_scale=1.0, seed=1)
    >>> _ = net.fit(*data.train, epochs=3000, batch_size=4, optimizer=SGD(lr=1.0))
    >>> net.predict(data.test.X).tolist()
    [0, 1, 1, 0]
    >>> net
    SparseMLP(2-8-1, 24 synapses, sigmoid, classes [0, 1])
    """

    # ---- training

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int = 20,
        batch_size: int = 64,
        optimizer: Optimizer | None = None,
        schedule: Schedule | None = None,
        validation: tuple[Any, Any] | None = None,
        threads: Threads = None,
        callback: Callback | None = None,
    ) -> SparseMLP:
        """Train; a second call continues from where the first ended.

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
            Samples; float32 and uint8 are read as they are, other numbers are converted.
        y : array_like, shape (n,)
            Labels: ints, bools or strings.
        epochs, batch_size : int
            Passes over the data, and samples an update.
        optimizer : SGD or Adam
            Plain SGD if left out.
        schedule : callable, optional
            Takes the share of the epochs done, in [0, 1), returns a factor on the learning rate.
        validation : (X, y), optional
            Data to report the accuracy on after each epoch.
        threads : int or "auto", optional
            "auto", or left out: one or as many as OpenMP offers (OMP_NUM_THREADS), whichever
            proves faster; the choice is logged (logger "synaprune", level INFO) and told to the
            callback. Results never depend on it.
        callback : callable, optional
            Called with a `Progress` after each epoch; returning True ends the training.

        Returns
        -------
        SparseMLP
            The network itself.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit; nothing has changed then.
        TrainingDiverged
            If the loss is no longer finite; the network is as it was before the call.
        """
        epochs = check_int("epochs", epochs, 1)
        batch_size = check_int("batch_size", batch_size, 1)
        optimizer = check_optimizer(optimizer)
        choice = ThreadChoice(threads)
        check_callable("schedule", schedule)
        check_callable("callback", callback)
        with self._restored_on(TrainingDiverged):
            with self._restored_on(TypeError, ValueError):
                inputs, codes = self.prepare(X, y)
                checked = None if validation is None else self.check_validation(validation)
            for epoch, loss in run_epochs(
                self.core, inputs, codes, epochs=epochs, batch_size=batch_size,
                optimizer=optimizer, threads=choice, schedule=schedule,
            ):  # fmt: skip
                if callback is None:
                    continue
                accuracy = None
                if checked is not None:
                    n_correct = finite(self.core.evaluate(*checked, choice.next()))[1]
                    accuracy = n_correct / len(checked[1])
                if callback(
                    Progress("train", epoch, epochs, loss, accuracy, self.n_synapses, choice.next())
                ):
                    break
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        *,
        batch_size: int = 64,
        optimizer: Optimizer | None = None,
        threads: Threads = None,
    ) -> SparseMLP:
        """Train one pass over a part of the data.

        Parameters
        ----------
        X, y, batch_size, optimizer, threads
            As in `fit`.
        classes : array_like, optional
            All labels that will ever come; needed at the first call if y lacks some.

        Returns
        -------
        SparseMLP
            The network itself.

        Raises
        ------
        TypeError, ValueError, TrainingDiverged
            As `fit`; also if classes differ from those of an earlier call.
        """
        with self._restored_on(TypeError, ValueError, TrainingDiverged):
            self.prepare(X, y, classes)
            return self.fit(
                X, y, epochs=1, batch_size=batch_size, optimizer=optimizer, threads=threads
            )

    # ---- prediction

    def predict(self, X: Any, *, threads: Threads = None) -> Labels:
        """Label of each sample; of equally likely classes the first.

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
        threads : int or "auto", optional

        Returns
        -------
        ndarray, shape (n,), of the labels' dtype

        Raises
        ------
        TypeError, ValueError
            If X does not fit, or the network was never fitted.
        """
        n_threads = check_threads(threads)
        labels = self.core.labels(X, self.classes, n_threads)
        if labels is None:  # to be converted, or wrong: then this says what is
            inputs = as_inputs(X, self.layers[0])
            labels = finite(self.core.labels(inputs, self.classes, n_threads))
        return labels

    def predict_proba(self, X: Any, *, threads: Threads = None) -> NDArray[np.float32]:
        """Probability of each class for each sample.

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
        threads : int or "auto", optional

        Returns
        -------
        ndarray of float32, shape (n, n_classes)
            Columns in the order of `classes`. With loss "squared" and several outputs, these are
            the outputs divided by their sum.

        Raises
        ------
        TypeError, ValueError
            If X does not fit, the network was never fitted, or its outputs overflow.
        """
        _ = self.classes  # raises if never fitted
        inputs, n_threads = as_inputs(X, self.layers[0]), check_threads(threads)
        p = finite(self.core.probabilities(inputs, n_threads))
        if not _core.all_finite(p):
            raise ValueError(_OVERFLOW)
        if self.layers[-1] == 1:
            return np.hstack([1.0 - p, p])
        if self.loss == "squared":
            normalised: NDArray[np.float32] = p / p.sum(axis=1, keepdims=True)
            return normalised
        return p

    def score(self, X: Any, y: Any, *, threads: Threads = None) -> float:
        """Accuracy, the share of samples whose label is predicted, in [0, 1].

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
        y : array_like, shape (n,)
        threads : int or "auto", optional

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            If X or y do not fit, or the network was never fitted.
        """
        inputs, codes = self.check_data(X, y)
        loss, n_correct = finite(self.core.evaluate(inputs, codes, check_threads(threads)))
        if not math.isfinite(loss):
            raise ValueError(_OVERFLOW)
        return n_correct / len(codes)

    # ---- data as the core takes them

    def prepare(self, X: Any, y: Any, classes: Any = None) -> tuple[Inputs, NDArray[np.int32]]:
        """Fix classes and input transform, if no call has yet; return what the core trains on.

        Parameters
        ----------
        X, y
            Training data as in `fit`.
        classes : array_like, optional
            All labels that will ever come, if y lacks some.

        Returns
        -------
        inputs : ndarray of float32 or uint8, shape (n, n_inputs)
        codes : ndarray of int32, shape (n,)

        Raises
        ------
        TypeError, ValueError
            If the data do not fit; nothing has changed then.
        """
        inputs = as_inputs(X, self.layers[0])
        labels = as_labels(y, len(inputs))
        if classes is None and self._classes is not None:
            return inputs, encode(labels, self._classes)
        if classes is not None and np.ndim(classes) == 0:
            raise TypeError(f"classes must be a sequence of labels, got {classes!r}")
        all_labels = labels if classes is None else as_labels(classes, len(classes), "classes")
        known = check_classes(np.unique(all_labels), self.layers[-1])
        codes = encode(labels, known)
        if self._classes is None:
            if isinstance(self.input_scaling, str):
                self._set_transform(*transform_for(inputs, self.input_scaling))
            known.flags.writeable = False
            self._classes = known
        elif not np.array_equal(known, self._classes):
            raise ValueError(
                f"classes must be those of the first call, {brief(self._classes)}, "
                f"got {brief(known)}"
            )
        return inputs, codes

    def check_data(self, X: Any, y: Any, name: str = "") -> tuple[Inputs, NDArray[np.int32]]:
        """Return samples and class numbers of further data; raises as `fit` does.

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
        y : array_like, shape (n,)
        name : str
            What errors call the data, such as "validation".
        """
        X_name, y_name = (f"{name} X", f"{name} y") if name else ("X", "y")
        inputs = as_inputs(X, self.layers[0], X_name)
        return inputs, encode(as_labels(y, len(inputs), y_name), self.classes, y_name)

    def check_validation(self, validation: Any) -> tuple[Inputs, NDArray[np.int32]]:
        """Return samples and class numbers of a validation split; raises as `fit` does.

        Parameters
        ----------
        validation : (X, y)
        """
        if isinstance(validation, np.ndarray | str) or not hasattr(validation, "__iter__"):
            raise TypeError(f"validation must be a pair (X, y), got {type(validation).__name__}")
        parts = tuple(validation)
        if len(parts) != 2:
            raise ValueError(f"validation must be a pair (X, y), got {len(parts)} parts")
        return self.check_data(*parts, "validation")

    @contextmanager
    def _restored_on(self, *errors: type[Exception]) -> Iterator[None]:
        """Put everything back as it was if one of the errors passes."""
        core, classes = self.core.copy(), self._classes
        try:
            yield
        except errors:
            self.core.assign(core)
            self._classes = classes
            raise
