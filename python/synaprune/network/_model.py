"""`SparseMLP`: training and prediction."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Labels, as_inputs, finite
from synaprune.checks import check_callable
from synaprune.network._average import WeightAverage
from synaprune.network._edit import EditableNetwork
from synaprune.threads import ThreadChoice, Threads, check_threads
from synaprune.training import (
    Callback,
    Progress,
    Training,
    TrainingDiverged,
    TrainingSet,
    asks_to_stop,
    check_training,
    lr_factors,
    run_epochs,
)

_OVERFLOW = "X holds values so large that the network's outputs overflow"


class SparseMLP(EditableNetwork):
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
    input_scaling : {"auto", "center", "standard", "none"} or pair of array_like
        How inputs become (x - shift)·scale, fixed at the first fit: "auto" is scale 1/255 for uint8
        and nothing else; "center" also subtracts the mean of the first training data, which makes
        images easier to learn; "standard" takes mean and standard deviation of the first training
        data; a pair gives (shift, scale), each of shape (n_inputs,) or a number.
    seed : int
        Of the initial weights and of the order of the samples.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what came.

    Examples
    --------
    >>> from synaprune import SGD, SparseMLP, Training, datasets
    >>> data = datasets.xor()
    >>> net = SparseMLP((2, 8, 1), activation="sigmoid", init_scale=1.0, seed=1)
    >>> _ = net.fit(*data.train, training=Training(3000, batch_size=4, optimizer=SGD(lr=1.0)))
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
        sample_weight: Any = None,
        *,
        training: Training | None = None,
        validation: tuple[Any, Any] | None = None,
        threads: Threads = None,
        callback: Callback | None = None,
    ) -> SparseMLP:
        """Train; a second call continues from where the first ended.

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
            Samples; float32 and uint8 are read as they are, other numbers are converted.
        y : array_like, shape (n,), or of float, shape (n, n_classes)
            Labels: ints, bools or strings. Or soft targets: a probability of each class, columns in
            the order of `classes` (0, 1, … if the network knows none yet), such as a larger
            network's ``predict_proba``.
        sample_weight : array_like, shape (n,), optional
            How much each sample's loss counts; only ratios matter.
        training : Training, optional
            The recipe: epochs (20 if left out), batch size, optimiser and so on.
        validation : (X, y), optional
            Data to report the accuracy on after each epoch.
        threads : int or "auto", optional
            "auto", or left out: one or as many as OpenMP offers (OMP_NUM_THREADS), whichever
            proves faster; the choice is logged (logger "synaprune", level INFO) and told to the
            callback. Results never depend on it.
        callback : callable, optional
            Called with a `Progress` after each epoch. Returning `STOP`, or raising StopIteration,
            ends the training; nothing else does.

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
        recipe = check_training(training).with_epochs(20)
        assert recipe.epochs is not None
        choice = ThreadChoice(threads)
        check_callable("callback", callback)
        factors = lr_factors(recipe.lr_schedule, recipe.epochs)
        average = WeightAverage(recipe.swa_epochs, recipe.epochs)
        with self._restored_on(TrainingDiverged):
            with self._restored_on(TypeError, ValueError):
                data = self._training_set(X, y, sample_weight, recipe)
                checked = None if validation is None else self.check_validation(validation)
            for epoch, loss in run_epochs(
                self.core, data, factors=factors, batch_size=recipe.batch_size,
                optimizer=recipe.optimizer, threads=choice,
            ):  # fmt: skip
                average.after(epoch, self)
                if callback is None:
                    continue
                accuracy = None
                if checked is not None:
                    n_correct = finite(self.core.evaluate(*checked, choice.next()))[1]
                    accuracy = n_correct / len(checked[1])
                progress = Progress(
                    "train", epoch, recipe.epochs, loss, accuracy, self.n_synapses, choice.next()
                )
                if asks_to_stop(callback, progress):
                    break
        return self

    def _training_set(self, X: Any, y: Any, sample_weight: Any, recipe: Training) -> TrainingSet:
        return self.prepare(
            X, y, sample_weight=sample_weight, class_weight=recipe.class_weight,
            label_smoothing=recipe.label_smoothing, augment=recipe.augment,
        )  # fmt: skip

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        *,
        training: Training | None = None,
        threads: Threads = None,
    ) -> SparseMLP:
        """Train one pass over a part of the data.

        Parameters
        ----------
        X, y, sample_weight, threads
            As in `fit`.
        classes : array_like, optional
            All labels that will ever come; needed at the first call if y lacks some.
        training : Training, optional
            The recipe, without `epochs`, `lr_schedule` and `swa_epochs`, since this is one pass,
            and without balanced classes, since this is a part of the data.

        Returns
        -------
        SparseMLP
            The network itself.

        Raises
        ------
        TypeError, ValueError, TrainingDiverged
            As `fit`; also if classes differ from those of an earlier call.
        """
        recipe = check_training(training)
        recipe.refuse("epochs", "lr_schedule", "swa_epochs", by="partial_fit, which is one pass")
        if recipe.class_weight == "balanced":
            raise ValueError(
                "training has class_weight='balanced', which means nothing to partial_fit, "
                "which sees a part of the data; give a dict"
            )
        with self._restored_on(TypeError, ValueError, TrainingDiverged):
            self.prepare(X, y, classes)
            return self.fit(
                X, y, sample_weight, training=replace(recipe, epochs=1), threads=threads
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
