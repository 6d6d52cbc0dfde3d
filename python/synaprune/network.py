"""`SparseMLP`: a multilayer perceptron whose synapses can be taken out one by one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synaprune import _core, io
from synaprune.arrays import Inputs, Labels, as_inputs, as_labels, encode
from synaprune.training import (
    Callback,
    Optimizer,
    Progress,
    Schedule,
    check_float,
    check_int,
    check_optimizer,
    check_threads,
    run_epochs,
)

ACTIVATIONS = ("relu", "sigmoid", "tanh")
LOSSES = ("auto", "softmax", "sigmoid", "squared")
INPUT_SCALINGS = ("auto", "standard", "none")
_CSR = ("indptr", "indices", "values", "initial", "bias")


@dataclass(frozen=True)
class Weights:
    """One layer in canonical CSR form, rows the layer's neurons, columns those below.

    Attributes
    ----------
    n_in : int
        Neurons below, living or not.
    indptr : ndarray of int64, shape (n_out + 1,)
    indices : ndarray of int32, shape (nnz,)
        Columns, ascending and unique in each row.
    values, initial : ndarray of float32, shape (nnz,)
        Weights now and at initialisation.
    bias : ndarray of float32, shape (n_out,)
    """

    n_in: int
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    initial: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_out, n_in)."""
        return len(self.bias), self.n_in

    def to_dense(self) -> NDArray[np.float32]:
        """Return the weights as an array of shape (n_out, n_in), zero where no synapse is."""
        dense = np.zeros(self.shape, np.float32)
        dense[np.repeat(np.arange(len(self.bias)), np.diff(self.indptr)), self.indices] = (
            self.values
        )
        return dense

    def to_core(self) -> tuple[Any, ...]:
        """Return the tuple that the core takes, each array in the core's dtype and layout."""
        return (
            int(self.n_in),
            np.ascontiguousarray(self.indptr, np.int64),
            np.ascontiguousarray(self.indices, np.int32),
            *(np.ascontiguousarray(a, np.float32) for a in (self.values, self.initial, self.bias)),
        )


class SparseMLP:
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

    def __init__(
        self,
        layers: Sequence[int],
        *,
        activation: str = "relu",
        loss: str = "auto",
        init_scale: float = 0.05,
        input_scaling: str | tuple[ArrayLike, ArrayLike] = "auto",
        seed: int = 0,
    ) -> None:
        if isinstance(layers, str) or not isinstance(layers, Iterable):
            raise TypeError(f"layers must be a sequence of ints, got {layers!r}")
        self.layers = tuple(check_int("each size in layers", n, 1) for n in layers)
        if len(self.layers) < 2:
            raise ValueError(f"layers must name at least inputs and outputs, got {self.layers}")
        self.activation = _one_of("activation", activation, ACTIVATIONS)
        self.loss = _resolve_loss(loss, self.layers[-1])
        self.init_scale = check_float("init_scale", init_scale, 0.0, open_low=True)
        self.input_scaling = (
            _one_of("input_scaling", input_scaling, INPUT_SCALINGS)
            if isinstance(input_scaling, str)
            else input_scaling
        )
        self.input_names: tuple[str, ...] | None = None
        self.reset(seed)

    def reset(self, seed: int | None = None) -> SparseMLP:
        """Begin anew: fully connected, fresh initial weights, no classes; returns self.

        Parameters
        ----------
        seed : int, optional
            The seed to draw from; the old one if left out, which gives the same weights again.
        """
        self.seed: int = self.seed if seed is None else check_int("seed", seed, 0, 2**64 - 1)
        self.core = _core.Network(
            list(self.layers), self.activation, self.loss, self.init_scale, self.seed
        )
        self._classes: Labels | None = None
        if not isinstance(self.input_scaling, str):
            self._set_transform(*self.input_scaling)
        return self

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
        threads: int | None = None,
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
        threads : int, optional
            As OpenMP offers (OMP_NUM_THREADS) if left out. Results never depend on it.
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
        n_threads = check_threads(threads)
        before = (self.core.copy(), self._classes)
        inputs, codes = self.prepare(X, y)
        checked = None if validation is None else self.check_data(*validation, "validation")
        try:
            for epoch, loss in run_epochs(
                self.core, inputs, codes, epochs=epochs, batch_size=batch_size,
                optimizer=optimizer, threads=n_threads, schedule=schedule,
            ):  # fmt: skip
                if callback is None:
                    continue
                accuracy = None
                if checked is not None:
                    accuracy = self.core.evaluate(*checked, n_threads)[1] / len(checked[1])
                if callback(Progress("train", epoch, epochs, loss, accuracy, self.n_synapses)):
                    break
        except ArithmeticError:
            self.core.assign(before[0])
            self._classes = before[1]
            raise
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        *,
        batch_size: int = 64,
        optimizer: Optimizer | None = None,
        threads: int | None = None,
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
        self.prepare(X, y, classes)
        return self.fit(X, y, epochs=1, batch_size=batch_size, optimizer=optimizer, threads=threads)

    # ---- prediction

    def predict(self, X: Any, *, threads: int | None = None) -> Labels:
        """Label of each sample; of equally likely classes the first.

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
        threads : int, optional

        Returns
        -------
        ndarray, shape (n,), of the labels' dtype

        Raises
        ------
        TypeError, ValueError
            If X does not fit, or the network was never fitted.
        """
        inputs, n_threads = as_inputs(X, self.layers[0]), check_threads(threads)
        labels: Labels = self.classes[self.core.classify(inputs, n_threads)]
        return labels

    def predict_proba(self, X: Any, *, threads: int | None = None) -> NDArray[np.float32]:
        """Probability of each class for each sample.

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
        threads : int, optional

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
        p = self.core.probabilities(inputs, n_threads)
        if not _core.all_finite(p):
            raise ValueError("X holds values so large that the network's outputs overflow")
        if self.layers[-1] == 1:
            return np.hstack([1.0 - p, p])
        if self.loss == "squared":
            normalised: NDArray[np.float32] = p / p.sum(axis=1, keepdims=True)
            return normalised
        return p

    def score(self, X: Any, y: Any, *, threads: int | None = None) -> float:
        """Accuracy, the share of samples whose label is predicted, in [0, 1].

        Parameters
        ----------
        X : array_like, shape (n, n_inputs)
        y : array_like, shape (n,)
        threads : int, optional

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            If X or y do not fit, or the network was never fitted.
        """
        inputs, codes = self.check_data(X, y)
        return self.core.evaluate(inputs, codes, check_threads(threads))[1] / len(codes)

    # ---- what it is

    @property
    def classes(self) -> Labels:
        """The labels, sorted; a ValueError if the network was never fitted."""
        if self._classes is None:
            raise ValueError("the network was never fitted, so that it knows no labels: call fit")
        return self._classes

    @property
    def structure(self) -> str:
        """Living inputs, living hidden neurons of each layer, outputs: "465-20-10"."""
        return "-".join(map(str, self.core.structure))

    @property
    def n_synapses(self) -> int:
        """Number of living synapses; biases do not count."""
        return self.core.n_synapses

    @property
    def n_inputs(self) -> int:
        """Number of inputs that have a synapse out."""
        return self.core.structure[0]

    @property
    def used_inputs(self) -> NDArray[np.int32]:
        """Positions of the inputs that have a synapse out, ascending, int32."""
        return np.unique(self.weights[0].indices)

    @property
    def n_bytes(self) -> int:
        """Bytes of the living part in CSR form: 8 a synapse, 12 a hidden neuron or output."""
        return 8 * self.n_synapses + 12 * sum(self.core.structure[1:])

    @property
    def weights(self) -> list[Weights]:
        """The layers in CSR form, as copies."""
        return [Weights(*layer) for layer in self.core.layers()]

    @property
    def input_transform(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(shift, scale), each of shape (n_inputs,): the network sees (x - shift)·scale."""
        return self.core.input_transform

    def set_weights(self, weights: Sequence[Weights]) -> SparseMLP:
        """Replace all layers, structure and initial weights included; returns self.

        Parameters
        ----------
        weights : sequence of Weights
            One per layer, of the network's shapes; arrays are copied.

        Raises
        ------
        ValueError
            If shapes differ, CSR is not canonical, or values are not finite.
        """
        shapes = [w.shape for w in weights]
        expected = list(zip(self.layers[1:], self.layers[:-1], strict=True))
        if shapes != expected:
            raise ValueError(f"weights must have shapes {expected}, got {shapes}")
        core = _core.Network.from_layers(
            [w.to_core() for w in weights], self.activation, self.loss, self.core.rng_state
        )
        core.input_transform = self.core.input_transform
        self.core.assign(core)
        return self

    def copy(self) -> SparseMLP:
        """Return an independent copy, the optimiser's and the random state included."""
        twin = object.__new__(SparseMLP)
        twin.__dict__.update(self.__dict__)
        twin.core = self.core.copy()
        return twin

    def __repr__(self) -> str:
        classes = "not fitted" if self._classes is None else f"classes {_brief(self._classes)}"
        return (
            f"SparseMLP({self.structure}, {self.n_synapses} synapses, {self.activation}, {classes})"
        )

    # ---- state and files

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return (JSON values, arrays) from which `from_state` makes an equal network.

        Optimiser state (momentum) is not part of it.
        """
        shift, scale = self.input_transform
        arrays: dict[str, NDArray[Any]] = {"input_shift": shift, "input_scale": scale}
        for i, w in enumerate(self.weights):
            for name in _CSR:
                arrays[f"layer{i}_{name}"] = getattr(w, name)
        scaling = self.input_scaling if isinstance(self.input_scaling, str) else "given"
        header = {
            "layers": list(self.layers),
            "activation": self.activation,
            "loss": self.loss,
            "init_scale": self.init_scale,
            "input_scaling": scaling,
            "seed": self.seed,
            "rng_state": self.core.rng_state,
            "classes": None if self._classes is None else self._classes.tolist(),
            "input_names": None if self.input_names is None else list(self.input_names),
        }
        return header, arrays

    @classmethod
    def from_state(cls, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> SparseMLP:
        """Rebuild a network from what `state` returned."""
        net = cls.__new__(cls)
        net.layers = tuple(check_int("each size in layers", n, 1) for n in header["layers"])
        net.activation = _one_of("activation", header["activation"], ACTIVATIONS)
        net.loss = _resolve_loss(header["loss"], net.layers[-1])
        net.init_scale = header["init_scale"]
        net.seed = header["seed"]
        net.core = _core.Network.from_layers(
            [
                Weights(n_in, *(arrays[f"layer{i}_{name}"] for name in _CSR)).to_core()
                for i, n_in in enumerate(net.layers[:-1])
            ],
            net.activation,
            net.loss,
            header["rng_state"],
        )
        transform = (arrays["input_shift"], arrays["input_scale"])
        net._set_transform(*transform)
        scaling = header["input_scaling"]
        net.input_scaling = transform if scaling == "given" else scaling
        labels = header["classes"]
        net._classes = None if labels is None else net._check_classes(np.array(labels))
        names = header["input_names"]
        net.input_names = None if names is None else tuple(names)
        return net

    def __reduce__(self) -> tuple[Any, ...]:
        return (SparseMLP.from_state, self.state())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (``.npz``); equal networks give equal bytes.

        Parameters
        ----------
        path : path-like
            Where to; an older file is replaced only when the new one is whole.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        header, arrays = self.state()
        io.write_model(
            path,
            {"version": _core.__version__, "network": header},
            {f"network/{name}": a for name, a in arrays.items()},
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SparseMLP:
        """Read the network of a model file, whether `save` or `PruningPath.save` wrote it.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        SparseMLP

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelFileError
            If it is not a whole and unaltered model file.
        """
        header, arrays = io.read_model(path)
        prefix = "network/"
        try:
            return cls.from_state(
                header["network"],
                {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise io.ModelFileError(f"{path} does not describe a network: {error}") from error

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
        all_labels = labels if classes is None else as_labels(classes, len(classes), "classes")
        known = self._check_classes(np.unique(all_labels))
        codes = encode(labels, known)
        if self._classes is None:
            if isinstance(self.input_scaling, str):
                self._set_transform(*_transform_for(inputs, self.input_scaling))
            self._classes = known
        elif not np.array_equal(known, self._classes):
            raise ValueError(
                f"classes must be those of the first call, {_brief(self._classes)}, "
                f"got {_brief(known)}"
            )
        return inputs, codes

    def check_data(self, X: Any, y: Any, name: str = "") -> tuple[Inputs, NDArray[np.int32]]:
        """Return samples and class numbers of further data; raises as `fit` does."""
        X_name, y_name = (f"{name} X", f"{name} y") if name else ("X", "y")
        inputs = as_inputs(X, self.layers[0], X_name)
        return inputs, encode(as_labels(y, len(inputs), y_name), self.classes, y_name)

    def _check_classes(self, classes: Labels) -> Labels:
        outputs = self.layers[-1]
        if len(classes) < 2:
            raise ValueError(f"y must hold at least two classes, got only {classes.tolist()}")
        if len(classes) != max(outputs, 2):
            wanted = "two classes" if outputs == 1 else f"{outputs} classes"
            raise ValueError(
                f"a network with {outputs} output{'s' * (outputs > 1)} needs {wanted}, "
                f"got {len(classes)}: {_brief(classes)}"
            )
        return classes

    def _set_transform(self, shift: ArrayLike, scale: ArrayLike) -> None:
        full = [
            np.ascontiguousarray(np.broadcast_to(np.asarray(a, np.float32), self.layers[:1]))
            for a in (shift, scale)
        ]
        self.core.input_transform = (full[0], full[1])


def _one_of(name: str, value: object, known: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value


def _resolve_loss(loss: str, outputs: int) -> str:
    _one_of("loss", loss, LOSSES)
    if loss == "auto":
        return "sigmoid" if outputs == 1 else "softmax"
    if loss == "sigmoid" and outputs != 1:
        raise ValueError(f"loss 'sigmoid' needs one output, got {outputs}; use 'softmax'")
    if loss == "softmax" and outputs == 1:
        raise ValueError("loss 'softmax' needs one output a class, got one output; use 'sigmoid'")
    return loss


def _transform_for(inputs: Inputs, scaling: str) -> tuple[ArrayLike, ArrayLike]:
    """(shift, scale) of a named input scaling, from the first training data."""
    if scaling == "auto" and inputs.dtype == np.uint8:
        return 0.0, np.float32(1.0) / np.float32(255.0)
    if scaling != "standard":
        return 0.0, 1.0
    mean = inputs.mean(axis=0, dtype=np.float64)
    spread = inputs.std(axis=0, dtype=np.float64)
    constant = spread <= 1e-7 * np.abs(mean)  # to float32's rounding
    return mean, 1.0 / np.where(constant, 1.0, spread)


def _brief(classes: Labels) -> str:
    shown = classes.tolist()
    return str(shown) if len(shown) <= 10 else f"{str(shown[:10])[:-1]}, … {len(shown)} in all]"
