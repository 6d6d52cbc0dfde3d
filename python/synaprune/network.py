"""`SparseMLP`: a multilayer perceptron whose synapses can be removed one by one."""

from __future__ import annotations

import itertools
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synaprune import _core, io
from synaprune.arrays import (
    Inputs,
    Labels,
    as_inputs,
    as_labels,
    as_numbers,
    as_weights,
    finite,
    is_direct,
    is_soft,
)
from synaprune.checks import (
    check_callable,
    check_choice,
    check_float,
    check_int,
    check_names,
    check_type,
    shown,
    shown_structure,
)
from synaprune.data import CheckedData
from synaprune.distributed import (
    ALL,
    AllRows,
    Communicator,
    Exchange,
    Ranks,
    ShardedRows,
    exchange_over,
    told_to_others,
)
from synaprune.frames import Frame, is_frame
from synaprune.labels import LabelEncoder, as_targets, brief
from synaprune.layers import SparseLayer, carried, check_layer, mask_arrays, split_parameters
from synaprune.scaling import INPUT_SCALINGS, InputTransform, Moments, TargetScaler
from synaprune.selection import (
    InputParts,
    NeuronParts,
    Selection,
    SynapseParts,
    check_part,
    find_synapse,
)
from synaprune.state import build_core, core_from_state, core_state, instance_attributes
from synaprune.stats import r2_score, r2_score_of_sums
from synaprune.streams import BlockError, Blocks, as_blocks, refuse_blocks
from synaprune.tables import Table, TableEncoder, find_target, known_target
from synaprune.threads import ThreadChoice, Threads, check_threads
from synaprune.training import (
    Callback,
    Progress,
    Survey,
    Training,
    TrainingBlocks,
    TrainingDiverged,
    TrainingSet,
    WeightAverage,
    asks_to_stop,
    check_augment,
    check_dtype,
    check_training,
    lr_factors,
    run_epochs,
    watched,
)

ACTIVATIONS = _core.ACTIVATIONS
LOSSES = ("auto", *_core.LOSSES)
REGRESSION_LOSSES = _core.REGRESSION_LOSSES
_LONG = 1000  # updates from which a training has failed if it still says one class
_TOLD_BY = 1000  # rows, at most, that show it
_LARGEST = float(np.finfo(np.float32).max)
_OVERFLOW = "X holds values so large that the network's outputs overflow"


class _Decided(NamedTuple):
    """What the first training data decide of a network."""

    targets: LabelEncoder | TargetScaler
    transform: InputTransform
    names: tuple[str, ...] | None


class _Marks(Protocol):
    """Where a training keeps how far it is, so that it can go on after a crash."""

    def go_to_last(self, net: SparseMLP, average: WeightAverage) -> int:
        """Set both to the last mark; return its epoch, 0 if there is none."""

    def add(self, epoch: int, net: SparseMLP, average: WeightAverage) -> None:
        """Keep both after an epoch, if it is time to."""


class SparseMLP:
    """A classifier, or a regressor: a multilayer perceptron with sparse layers.

    Parameters
    ----------
    layers : sequence of int
        Inputs, hidden neurons of each layer, outputs, such as ``(784, 20, 10)``. Two classes take
        one output (sigmoid) or two (softmax), more classes one output each; a regression takes one
        output for each number.
    activation : str
        Of the hidden neurons: a name in `synaprune.ACTIVATIONS`, such as "relu" or "tanh".
    loss : str
        "softmax" and "sigmoid" are the cross-entropies; "squared" is half the squared error of
        sigmoid outputs, as in the original work. "auto": sigmoid with one output, else softmax.
        "squared_error", "absolute_error" and "huber" make it a regressor, which learns numbers, of
        the first training data standardised. "huber" is squared up to one standard deviation of
        the target and absolute beyond (Huber, 1964).
    init_scale : float
        Weights start uniform in ±s·√(6 / (n_in + n_out)) (Glorot & Bengio, 2010), biases at 0, with
        s = init_scale for one hidden layer and init_scale^(1/h) for h of them: the first gradients
        then shrink by the same factor at any depth. Small starts make WSF rank what was learned.
    input_scaling : {"auto", "center", "standard", "none"} or pair of array_like
        How inputs become (x - shift)·scale, fixed at the first fit: "auto" is scale 1/255 for uint8
        and nothing else; "center" also subtracts the mean of the first training data, which makes
        images easier to learn; "standard" takes mean and standard deviation of the first training
        data; a pair gives (shift, scale), each of shape (n_features,) or a number.
    seed : int
        Of the initial weights and of the order of the samples.
    density : float or sequence of float, optional
        Share of the synapses, in (0, 1], that each layer starts with, at random places: one for
        all layers, or one each. The dense matrix is never held. Every neuron and input gets a
        synapse in and out as far as a layer has enough of them. s then spreads weights by the
        synapses that are there: ±s·√(6 / (fan in + fan out)). See docs/scale.md.
    epsilon : float, optional
        In place of density: a layer starts with epsilon·(n_in + n_out) synapses (an Erdős–Rényi
        graph as in SET: Mocanu et al., 2018, arXiv 1707.04780), at most all.

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

    A regression:

    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> y = 40.0 + 5.0 * abs(X[:, 1])
    >>> net = SparseMLP((3, 8, 1), loss="squared_error", input_scaling="standard", seed=0)
    >>> net.fit(X, y, training=Training(100, optimizer=SGD(lr=0.1))).score(X, y) > 0.95
    True
    """

    # Synapses that each layer starts with; None: all; empty: layers or masks were given.
    _start: tuple[int, ...] | None = None

    def __init__(
        self,
        layers: Sequence[int],
        *,
        activation: str = "relu",
        loss: str = "auto",
        init_scale: float = 0.05,
        input_scaling: str | tuple[ArrayLike, ArrayLike] = "auto",
        seed: int = 0,
        density: float | Sequence[float] | None = None,
        epsilon: float | None = None,
    ) -> None:
        self._configure(layers, activation, loss, init_scale, input_scaling, seed)
        self._start = _counts(self.layers, density, epsilon)
        self.reset()

    def _configure(
        self,
        layers: Sequence[int],
        activation: str,
        loss: str,
        init_scale: float,
        input_scaling: str | tuple[ArrayLike, ArrayLike],
        seed: int,
    ) -> None:
        """Check and keep what a network is made of, except for its synapses."""
        if isinstance(layers, str) or not isinstance(layers, Iterable):
            raise TypeError(f"layers must be a sequence of ints, got {shown(layers)}")
        self.layers = tuple(check_int("each size in layers", n, 1) for n in layers)
        if len(self.layers) < 2:
            raise ValueError(f"layers must name at least inputs and outputs, got {self.layers}")
        self.activation = check_choice("activation", activation, ACTIVATIONS)
        self.loss = _resolve_loss(loss, self.layers[-1])
        self.init_scale = check_float("init_scale", init_scale, 0.0, open_low=True)
        self.input_scaling = (
            check_choice("input_scaling", input_scaling, INPUT_SCALINGS)
            if isinstance(input_scaling, str)
            else InputTransform.given(input_scaling, self.layers[0])
        )
        self._input_names: tuple[str, ...] | None = None
        self._table_encoder: TableEncoder | None = None
        self.seed = check_int("seed", seed, 0, 2**64 - 1)
        self._targets: LabelEncoder | TargetScaler | None = None

    @classmethod
    def from_layers(
        cls,
        weights: Sequence[SparseLayer],
        *,
        activation: str = "relu",
        loss: str = "auto",
        input_scaling: str | tuple[ArrayLike, ArrayLike] = "auto",
        seed: int = 0,
    ) -> Self:
        """Return a network of given layers, without ever holding a dense one.

        Parameters
        ----------
        weights : sequence of SparseLayer
            The first one's columns are the inputs; arrays are copied.
        activation, loss, input_scaling
            As in `SparseMLP`.
        seed : int
            Of the order of the samples.

        Returns
        -------
        SparseMLP
            Which cannot be `reset`.

        Raises
        ------
        TypeError, ValueError
            If the layers do not fit each other or the loss.

        Examples
        --------
        >>> layers = SparseMLP((9, 8, 2), density=0.5).weights
        >>> SparseMLP.from_layers(layers)
        SparseMLP(9-8-2, 44 synapses, relu, not fitted)
        """
        weights = _sequence("weights", weights)
        for layer in weights:
            check_layer("each of weights", layer)
        net = cls.__new__(cls)
        sizes = [weights[0].n_in, *(layer.shape[0] for layer in weights)]
        net._configure(sizes, activation, loss, 0.05, input_scaling, seed)
        net._start = ()
        return net._take(
            _core.Network.from_layers(
                [layer.to_core() for layer in weights], net.activation, net.loss, net.seed
            )
        )

    @classmethod
    def from_masks(
        cls,
        masks: Sequence[Any],
        *,
        activation: str = "relu",
        loss: str = "auto",
        init_scale: float = 0.05,
        input_scaling: str | tuple[ArrayLike, ArrayLike] = "auto",
        seed: int = 0,
    ) -> Self:
        """Return a network with synapses at given places and fresh initial weights.

        Parameters
        ----------
        masks : sequence of sparse arrays or matrices of SciPy
            One per layer, of shape (n_out, n_in): each stored entry is a synapse, whatever its
            value.
        activation, loss, init_scale, input_scaling, seed
            As in `SparseMLP`; s spreads weights by the synapses that are there.

        Returns
        -------
        SparseMLP
            Which cannot be `reset`.

        Raises
        ------
        TypeError, ValueError
            If the masks do not fit each other or the loss.

        Examples
        --------
        >>> masks = [w.to_scipy() for w in SparseMLP((9, 8, 2), density=0.5).weights]
        >>> SparseMLP.from_masks(masks, init_scale=1.0)
        SparseMLP(9-8-2, 44 synapses, relu, not fitted)
        """
        checked = [mask_arrays("each of masks", mask) for mask in _sequence("masks", masks)]
        net = cls.__new__(cls)
        sizes = [checked[0][1], *(n_out for n_out, *_ in checked)]
        net._configure(sizes, activation, loss, init_scale, input_scaling, seed)
        net._start = ()
        return net._take(
            _core.Network.from_masks(checked, net.activation, net.loss, net._start_scale, net.seed)
        )

    def _take(self, core: _core.Network) -> Self:
        """Begin with a core."""
        self._core = core
        if isinstance(self.input_scaling, InputTransform):
            core.input_transform = self.input_scaling
        return self

    @property
    def _start_scale(self) -> float:
        """Return s of each layer; see `init_scale`."""
        return float(self.init_scale ** (1.0 / max(1, len(self.layers) - 2)))

    def reset(self, seed: int | None = None) -> Self:
        """Begin anew: all synapses or, with a density, some; fresh initial weights, no classes.

        Parameters
        ----------
        seed : int, optional
            The seed to draw from; the old one if left out, which gives the same weights again.

        Returns
        -------
        SparseMLP
            The network itself.

        Raises
        ------
        ValueError
            If it was made by `from_layers` or `from_masks`.
        """
        if self._start == ():
            raise ValueError(
                "a network of given layers or masks cannot be reset: make it again from them"
            )
        if seed is not None:
            self.seed = check_int("seed", seed, 0, 2**64 - 1)
        self._targets = None
        counts = None if self._start is None else list(self._start)
        return self._take(
            _core.Network(
                list(self.layers), self.activation, self.loss, self._start_scale, self.seed, counts
            )
        )

    # ---- what it is

    @property
    def classes(self) -> Labels:
        """The labels, sorted; a ValueError if the network was never fitted, or has none."""
        if self.is_regression:
            raise ValueError("the network predicts numbers, not classes")
        classes = self._fitted.classes
        assert classes is not None
        return classes

    @property
    def is_regression(self) -> bool:
        """Whether it predicts numbers, not classes; the loss says so."""
        return self.loss in REGRESSION_LOSSES

    @property
    def structure(self) -> str:
        """Used inputs, connected hidden neurons of each layer, outputs: "465-20-10"."""
        return "-".join(map(str, self._core.structure))

    @property
    def n_synapses(self) -> int:
        """Number of synapses; biases do not count."""
        return self._core.n_synapses

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.layers[0]

    @property
    def n_used_inputs(self) -> int:
        """Number of inputs that have a synapse out."""
        return self._core.structure[0]

    @property
    def used_inputs(self) -> NDArray[np.int32]:
        """Positions of the inputs that have a synapse out, ascending, int32."""
        return np.unique(self.weights[0].indices)

    @property
    def input_names(self) -> tuple[str, ...] | None:
        """Names of the columns of X, or None; the first `fit` takes those of a DataFrame.

        Setting them raises a TypeError or ValueError unless they are strings, unique, and one per
        column.
        """
        return self._input_names

    @input_names.setter
    def input_names(self, names: Iterable[str] | None) -> None:
        self._input_names = (
            None if names is None else check_names("input_names", names, self.n_features)
        )

    @property
    def encoder(self) -> TableEncoder | None:
        """What makes inputs of a `Table`'s columns, or None for a network of arrays.

        Setting it names the inputs, too; it raises a TypeError or ValueError unless it is an
        encoder of as many inputs as the network has.
        """
        return self._table_encoder

    @encoder.setter
    def encoder(self, encoder: TableEncoder | None) -> None:
        if encoder is not None:
            if not isinstance(encoder, TableEncoder):
                raise TypeError(f"encoder must be a TableEncoder, got {type(encoder).__name__}")
            self.input_names = encoder.input_names
        self._table_encoder = encoder

    @property
    def used_columns(self) -> list[str]:
        """Names of the columns of a table, or of the inputs, that the network uses."""
        if self._table_encoder is not None:
            return self._table_encoder.columns_of(self.used_inputs)
        return [self.input_name(i) for i in self.used_inputs.tolist()]

    def as_inputs(self, X: Any, name: str = "X") -> Inputs:
        """Return samples as this network's inputs; what predicts or explains begins with it.

        Parameters
        ----------
        X : array_like, shape (n, n_features), DataFrame or Table
            Columns with names are found by them, whatever their order; others are ignored. Only
            those that the network uses have to be there. The inputs of others are 0.
        name : str
            What errors call it.

        Returns
        -------
        ndarray of float32 or uint8, shape (n, n_features)

        Raises
        ------
        TypeError, ValueError
            If X does not fit.
        """
        return self._inputs(X, name, self._input_names, all_of_them=False)

    def _inputs(
        self, X: Any, name: str, names: Sequence[str] | None, *, all_of_them: bool
    ) -> Inputs:
        """Return inputs of arrays, or of columns by their names: of all, or of those in use."""
        refuse_blocks(X, name)
        if not (isinstance(X, Table) or is_frame(X)):
            return as_inputs(X, self.n_features, name)
        needed = None if all_of_them else self.used_inputs.tolist()
        if self._table_encoder is not None:
            return self._table_encoder.transform(X, needed)
        if isinstance(X, Table):
            raise TypeError(f"{name} must be an array, as the network was trained on arrays")
        return as_inputs(X, self.n_features, name, names=names, needed=needed)

    def input_name(self, i: int) -> str:
        """Return what an input is called, "x3" if nobody named it.

        Parameters
        ----------
        i : int
            Its position.

        Returns
        -------
        str
        """
        return f"x{i}" if self._input_names is None else self._input_names[i]

    @property
    def n_bytes(self) -> int:
        """Bytes of the connected part in CSR form: 8 per synapse, 12 per neuron with a bias."""
        return 8 * self.n_synapses + 12 * sum(self._core.structure[1:])

    @property
    def weights(self) -> list[SparseLayer]:
        """The layers in CSR form, as read-only copies; `set_weights` and `with_weight` change them.

        Each access copies all layers out of the core.
        """
        return [SparseLayer(*layer).read_only() for layer in self._core.layers()]

    @property
    def frozen_synapses(self) -> list[NDArray[np.bool_]]:
        """Which synapses are frozen, one array of bool per layer; see `with_frozen`."""
        frozen, weights = self._core.frozen, self.weights
        if frozen is None:
            return [np.zeros(len(w.values), bool) for w in weights]
        return [synapses != 0 for synapses, _ in split_parameters(frozen, weights)]

    @property
    def input_transform(self) -> InputTransform:
        """(shift, scale), each of shape (n_features,): the network sees (x - shift)·scale."""
        return InputTransform(*self._core.input_transform)

    def __repr__(self) -> str:
        targets = "not fitted"
        if self._targets is not None:
            targets = "regression" if self.is_regression else f"classes {brief(self.classes)}"
        structure = shown_structure(self.structure)
        figures = f"{structure}, {self.n_synapses} synapses, {self.activation}, {targets}"
        return f"{type(self).__name__}({figures})"

    # ---- copies

    def copy(self) -> Self:
        """Return an independent copy, the optimiser's and the random state included.

        Attributes that a subclass added are shared with the copy.

        Returns
        -------
        SparseMLP
        """
        twin = object.__new__(type(self))
        for name, value in instance_attributes(self).items():
            setattr(twin, name, value)
        twin._core = self._core.copy()
        return twin

    def __copy__(self) -> Self:
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        return instance_attributes(self) | {"_core": core_state(self._core)}

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)
        self._core = core_from_state(self.layers, self.activation, self.loss, *attributes["_core"])

    # ---- changes

    def set_weights(self, weights: Sequence[SparseLayer]) -> Self:
        """Replace all layers in place, structure and initial weights included; returns self.

        What is frozen stays frozen where it is still there. The optimiser's state is dropped.

        Parameters
        ----------
        weights : sequence of SparseLayer
            One per layer, of the network's shapes; arrays are copied.

        Returns
        -------
        SparseMLP
            The network itself.

        Raises
        ------
        TypeError, ValueError
            If something else comes, shapes differ, CSR is not canonical, or values are not finite.
        """
        for layer in weights:
            check_layer("each of weights", layer)
        shapes = [w.shape for w in weights]
        expected = list(zip(self.layers[1:], self.layers[:-1], strict=True))
        if shapes != expected:
            raise ValueError(f"weights must have shapes {shown(expected)}, got {shown(shapes)}")
        frozen = self._core.frozen
        core = build_core(
            weights,
            activation=self.activation,
            loss=self.loss,
            rng_state=self._core.rng_state,
            input_transform=self._core.input_transform,
            frozen=None if frozen is None else carried(frozen, self.weights, weights),
        )
        self._core.assign(core)
        return self

    def without(
        self, *, inputs: InputParts = (), neurons: NeuronParts = (), synapses: SynapseParts = ()
    ) -> Self:
        """Return a copy without some parts; nothing is retrained.

        Removed neurons output 0. A removed input is fixed at 0 after input scaling, which with
        "center" or "standard" is its training mean. Units that are left without connections are
        removed as well, which does not change the outputs. `explain.ablate` gives the same figures
        for every single part.

        Parameters
        ----------
        inputs : iterable of int or str
            Positions or names.
        neurons : iterable of (int, int), or of int
            (hidden layer, neuron), layer 0 being the first; with one hidden layer the neuron alone
            will do.
        synapses : iterable of (int, int, int)
            (layer, neuron that it leads to, neuron or input that it comes from), the layer as in
            `weights`.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If a part does not exist.

        Examples
        --------
        >>> import synaprune as sn
        >>> net = sn.SparseMLP((4, 3, 2), seed=0)
        >>> net.without(inputs=[0], neurons=[2], synapses=[(1, 0, 1)]).structure
        '3-2-2'
        """
        selected = Selection(self.weights, self._input_names, inputs, neurons, synapses)
        twin = self.copy()
        twin._core.remove((~np.concatenate(selected.all_around())).astype(np.uint8))
        return twin

    def with_weight(self, layer: int, neuron: int, source: int, value: float) -> Self:
        """Return a copy in which one synapse has another weight.

        Parameters
        ----------
        layer, neuron, source : int
            The synapse, as in `without`. Its initial weight stays what it was.
        value : float
            Finite.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If there is no such synapse, or the value is not finite.

        Examples
        --------
        >>> import synaprune as sn
        >>> net = sn.SparseMLP((4, 3, 2), seed=0).with_weight(1, 0, 2, -1.5)
        >>> float(net.weights[1].to_dense()[0, 2])
        -1.5
        """
        weights = self.weights
        layer, at = find_synapse(weights, (layer, neuron, source))
        values = weights[layer].values.copy()
        values[at] = check_float("value", value, -_LARGEST, _LARGEST)
        weights[layer] = replace(weights[layer], values=values)
        return self._with_weights(weights)

    def with_bias(self, layer: int, neuron: int, value: float) -> Self:
        """Return a copy in which one neuron has another bias.

        Parameters
        ----------
        layer, neuron : int
            The layer as in `weights`: 0 is the first hidden one, the last are the outputs.
        value : float
            Finite.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If there is no such neuron, or the value is not finite.

        Examples
        --------
        >>> import synaprune as sn
        >>> net = sn.SparseMLP((4, 3, 2), seed=0).with_bias(0, 2, 0.25)
        >>> net.weights[0].bias.tolist()
        [0.0, 0.0, 0.25]
        """
        weights = self.weights
        layer = check_part("layer", layer, len(weights))
        neuron = check_part("neuron", neuron, len(weights[layer].bias))
        bias = weights[layer].bias.copy()
        bias[neuron] = check_float("value", value, -_LARGEST, _LARGEST)
        weights[layer] = replace(weights[layer], bias=bias)
        return self._with_weights(weights)

    def with_frozen(
        self,
        *,
        inputs: InputParts | None = None,
        neurons: NeuronParts | None = None,
        synapses: SynapseParts | None = None,
    ) -> Self:
        """Return a copy in which neither training nor pruning changes some parts.

        A frozen input keeps its synapses out; a frozen neuron keeps its synapses in and its bias.
        Without any argument everything is frozen. Frozen parts stay frozen in copies, in files and
        along a pruning path until `with_nothing_frozen`; a frozen synapse stays even if its output
        is no longer used.

        Parameters
        ----------
        inputs, neurons, synapses
            As in `without`.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If a part does not exist.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 3, 1), seed=0).with_frozen(neurons=[1])
        >>> before = net.weights[0].to_dense()[1].tolist()
        >>> net.fit(*data.train).weights[0].to_dense()[1].tolist() == before
        True
        """
        everything = all(part is None for part in (inputs, neurons, synapses))
        selected = Selection(self.weights, self._input_names, inputs, neurons, synapses)
        pairs = zip(selected.incoming(), selected.biases(), strict=True)
        frozen = np.concatenate([mask for pair in pairs for mask in pair]) | everything
        before = self._core.frozen
        twin = self.copy()
        twin._core.frozen = (frozen if before is None else frozen | (before != 0)).astype(np.uint8)
        return twin

    def with_nothing_frozen(self) -> Self:
        """Return a copy in which training and pruning may change everything again.

        Returns
        -------
        SparseMLP
        """
        twin = self.copy()
        twin._core.frozen = None
        return twin

    def _with_weights(self, weights: Sequence[SparseLayer]) -> Self:
        """Return a copy with other values at the same places, all state kept."""
        twin = self.copy().set_weights(weights)
        twin._core.optimizer_state = self._core.optimizer_state
        return twin

    # ---- data

    @property
    def _fitted(self) -> LabelEncoder | TargetScaler:
        """What makes of targets what the core learns."""
        if self._targets is None:
            raise ValueError("the network was never fitted, so that it knows no labels: call fit")
        return self._targets

    def check_fitted(self) -> None:
        """Raise a ValueError if the network was never fitted."""
        _ = self._fitted

    def prepare(
        self,
        X: Any,
        y: Any = None,
        classes: Any = None,
        *,
        sample_weight: Any = None,
        training: Training | None = None,
        exchange: Exchange | None = None,
    ) -> TrainingSet | TrainingBlocks:
        """Fix classes and input transform, if no call has yet; return what the core trains on.

        Parameters
        ----------
        X, y
            As in `fit`.
        classes : array_like, optional
            All labels that will ever come, if y lacks some.
        sample_weight, training
            As in `fit`.
        exchange : Exchange, optional
            Between ranks that train together.

        Returns
        -------
        TrainingSet, or TrainingBlocks where X is a Blocks

        Raises
        ------
        TypeError, ValueError
            If the data do not fit; nothing has changed then.
        """
        recipe = check_training(training)
        data, decided = self._checked_training(X, y, classes, sample_weight, recipe, exchange)
        self._fix(decided)
        return data

    def _checked_training(
        self,
        X: Any,
        y: Any,
        classes: Any,
        sample_weight: Any,
        recipe: Training,
        exchange: Exchange | None = None,
    ) -> tuple[TrainingSet | TrainingBlocks, _Decided]:
        """Return what to train on, and what the first training data decide."""
        if isinstance(X, Blocks):
            if sample_weight is not None:
                raise TypeError("sample_weight does not apply where X is a Blocks")
            if exchange is not None:
                raise ValueError("comm does not go with Blocks")
            if recipe.rewire is not None:
                raise ValueError("training.rewire does not go with Blocks")
        if sample_weight is None and exchange is None and recipe.rewire is None:
            blocks = as_blocks(X, y)
            if blocks is not None:
                return self._checked_blocks(blocks, classes, recipe)
        names = self._input_names
        X, y, sample_weight = self._split(X, y, sample_weight, "y")
        if is_frame(X):
            X = Frame.of(X)
            first = self._targets is None and self._table_encoder is None
            if names is None and first and X.named:
                names = X.names
        inputs = self._inputs(X, "X", names, all_of_them=True)
        augment = check_augment(recipe.augment, self.n_features)
        n = len(inputs)
        rows = AllRows(n)
        if exchange is not None:
            check_type("exchange", exchange, Exchange)
            if recipe.rewire is not None:
                raise ValueError("training.rewire does not go with comm")
            if recipe.batch_size % exchange.n_shards:
                raise ValueError(
                    f"training.batch_size must be a multiple of the {exchange.n_shards} shards of "
                    f"comm, got {recipe.batch_size}"
                )
            kinds = inputs.dtype, is_soft(y), sample_weight is None
            self._agree(exchange, recipe, names, kinds)
            rows = ShardedRows(exchange, n)
            if classes is None and self._targets is None and not (self.is_regression or kinds[1]):
                classes = exchange.labels(np.unique(as_labels(y, n)))
        counted: Any = ALL  # rows of weight 0 scale nothing
        if sample_weight is not None:
            weighs = as_weights(sample_weight, n, all_here=rows.all_here) != 0.0
            counted = ALL if weighs.all() else np.flatnonzero(weighs)
        known, targets = self._learned(y, rows, classes, recipe, counted)
        weights = known.sample_weights(targets, sample_weight, recipe.class_weight, rows)
        transform = self.input_transform
        if self._targets is None and isinstance(self.input_scaling, str):
            transform = InputTransform.fitted(inputs, self.input_scaling, rows, counted)
        data = TrainingSet(
            inputs, targets, weights, recipe.label_smoothing, augment, recipe.input_dropout,
            rows if isinstance(rows, ShardedRows) else None,
        )  # fmt: skip
        return data, _Decided(known, transform, names)

    def _agree(
        self,
        exchange: Exchange,
        recipe: Training,
        names: tuple[str, ...] | None,
        kinds: tuple[np.dtype[Any], bool, bool],
    ) -> None:
        """Raise on all ranks unless they train equal networks alike."""
        header, arrays = self.state()
        schedule = recipe.lr_schedule
        build = _core.build_info()
        exchange.agree(
            {
                "synaprune's version": build["version"],
                "the instruction-set level, which SYNAPRUNE_ISA sets,": build["isa"],
                "net": header,
                "net's weights and state": arrays,
                "n_shards": exchange.n_shards,
                "training": replace(recipe, lr_schedule=None),
                "training.lr_schedule": None if schedule is None else lr_factors(schedule, 16),
                "names of columns": names,
                "dtype of X": str(kinds[0]),
                "soft targets": kinds[1],
                "sample_weight": "left out" if kinds[2] else "given",
            }
        )

    def _checked_blocks(
        self, blocks: Blocks, classes: Any, recipe: Training
    ) -> tuple[TrainingBlocks, _Decided]:
        """Do what `_checked_training` does, for blocks, which are read once for it."""
        blocks.check_repeatable()
        augment = check_augment(recipe.augment, self.n_features)
        smoothing, n_outputs = recipe.label_smoothing, self.layers[-1]
        self._check_regression(classes, recipe)
        names, first = self._input_names, self._targets is None and self._table_encoder is None
        survey = Survey(
            self._targets,
            n_outputs,
            regression=self.is_regression,
            classes=classes,
            scaling=(
                self.input_scaling
                if self._targets is None and isinstance(self.input_scaling, str)
                else None
            ),
            most=blocks.memory // 4,
        )
        with blocks.ahead() as read:
            for where, X, y in read:
                if is_frame(X):
                    X = Frame.of(X, f"X{where}")
                    if names is None and first and X.named:
                        names = X.names
                if y is None:
                    raise TypeError(f"X{where} has no targets: a block to train on is (X, y)")
                first = False
                survey.add(where, self._inputs(X, f"X{where}", names, all_of_them=True), y)
        known, transform = survey.targets(), self.input_transform
        if self._targets is None and isinstance(self.input_scaling, str):
            transform = survey.transform()
        by_class = survey.weights_by_class(known, recipe.class_weight)

        def encoded(inputs: Inputs, y: Any, name: str) -> TrainingSet:
            n = len(inputs)
            targets: Any
            if isinstance(known, TargetScaler):
                targets = known.encode(as_numbers(y, n, n_outputs, name).reshape(n, n_outputs))
            else:
                _, targets = as_targets(y, n, known, None, n_outputs, name)
            weights = None
            if by_class is not None:
                share = targets @ by_class if targets.ndim == 2 else by_class[targets]
                weights = share.astype(np.float32)
            return TrainingSet(inputs, targets, weights, smoothing, augment, recipe.input_dropout)

        def check(where: str, X: Any, y: Any) -> TrainingSet:
            inputs = self._inputs(X, f"X{where}", names, all_of_them=True)
            assert survey.dtype is not None
            check_dtype(where, inputs, survey.dtype)
            return encoded(inputs, y, f"y{where}")

        X, y = survey.sample()
        data = TrainingBlocks(blocks, survey.n, check, encoded(X, y, "y"))
        return data, _Decided(known, transform, names)

    def _split(self, X: Any, y: Any, sample_weight: Any, name: str) -> tuple[Any, Any, Any]:
        """Return columns, labels and weights of a table's rows where y names a column of it."""
        if not isinstance(y, str):
            return X, y, sample_weight
        frame = Frame.of(X) if is_frame(X) else None
        if self._table_encoder is None or not (isinstance(X, Table) or frame is not None):
            raise TypeError(
                f"{name} must be an array of shape (samples,), got {shown(y)}; the name of a "
                "column goes with a Table or DataFrame, and a network of a table"
            )
        table = X if frame is None else Table.from_dataframe(frame)
        column = find_target(table, y)
        target = known_target(table, column, None if self.is_regression else self.classes)
        if sample_weight is not None:
            sample_weight = as_weights(sample_weight, len(table))[target.rows]
        labels = target.values
        if frame is not None and (exact := frame.array(column)).dtype.kind in "iu":
            labels = exact[target.rows]  # a table has them as float64
        return table.without([column]).take(target.rows), labels, sample_weight

    def _learned(
        self, y: Any, rows: AllRows, classes: Any, recipe: Training, counted: Any
    ) -> tuple[LabelEncoder | TargetScaler, Any]:
        """Return what the targets are made by, and what the core is to learn."""
        known, n_outputs, n = self._targets, self.layers[-1], rows.n_here
        if not self.is_regression:
            assert not isinstance(known, TargetScaler)
            return as_targets(y, n, known, classes, n_outputs)
        self._check_regression(classes, recipe)
        numbers = as_numbers(y, n, n_outputs)
        scaler = known
        if not isinstance(scaler, TargetScaler):
            scaler = TargetScaler.fitted(numbers, rows, counted)
        return scaler, scaler.encode(numbers.reshape(n, n_outputs))

    def _check_regression(self, classes: Any, recipe: Training) -> None:
        """Raise if what belongs to classes is given to a network of numbers."""
        if self.is_regression and classes is not None:
            raise ValueError("classes must be left out, as the network predicts numbers")
        if self.is_regression and recipe.label_smoothing:
            raise ValueError("label_smoothing does not apply to a network that predicts numbers")

    def _fix(self, decided: _Decided) -> None:
        """Keep what the first training data decide."""
        if self._targets is None:
            self._targets = decided.targets
            self._core.input_transform = decided.transform
            self._input_names = decided.names

    def _decided_copy(self, decided: _Decided) -> Self:
        """Return a copy that keeps what the first training data decide."""
        twin = self.copy()
        twin._fix(decided)
        return twin

    def check_data(self, X: Any, y: Any = None, *, name: str = "") -> CheckedData:
        """Return further data, such as a validation split, in a form that is checked only once.

        `score`, `fit`'s ``validation`` and the functions of `explain` take the result in place of
        X and y.

        Parameters
        ----------
        X : array_like, shape (n, n_features), DataFrame, Table or CheckedData
        y : array_like, shape (n,), or of a regression (n, n_outputs); or str
            Labels or numbers; of a network of a table also the name of the column that holds them.
            Left out if X is a CheckedData.
        name : str
            What errors call the data, such as "validation".

        Returns
        -------
        CheckedData

        Raises
        ------
        TypeError, ValueError
            If the data do not fit, or the network was never fitted.
        """
        return self._checked(X, y, name, self._fitted, self._input_names)

    def check_validation(self, validation: Any, name: str = "validation") -> CheckedData:
        """Return a pair (X, y) in a form that is checked only once.

        Parameters
        ----------
        validation : (X, y) or CheckedData
        name : str
            What errors call it.

        Returns
        -------
        CheckedData

        Raises
        ------
        TypeError, ValueError
            As `check_data`; also if it is no pair.
        """
        return self._checked_pair(validation, name, self._fitted, self._input_names)

    def _checked(
        self,
        X: Any,
        y: Any,
        name: str,
        targets: LabelEncoder | TargetScaler,
        names: tuple[str, ...] | None,
    ) -> CheckedData:
        X_name, y_name = (f"{name} X", f"{name} y") if name else ("X", "y")
        if not isinstance(X, CheckedData):
            X, y, _ = self._split(X, y, None, y_name)
            return self._checked_rows(X, y, X_name, y_name, targets, names)
        if y is not None:
            raise TypeError(f"{y_name} must be left out where {X_name} is a CheckedData")
        if X.X.shape[1] != self.n_features:
            raise ValueError(f"{X_name} must have {self.n_features} columns, got {X.X.shape[1]}")
        if targets.classes is None:
            same = X.classes is None and X.y.shape[1] == self.layers[-1]
        else:
            same = X.classes is not None and np.array_equal(X.classes, targets.classes)
        if not same:
            raise ValueError(
                f"{X_name} must have been checked for {_told(targets.classes, self.layers[-1])}, "
                f"got {_told(X.classes, X.y.shape[-1])}"
            )
        return X

    def _checked_rows(
        self,
        X: Any,
        y: Any,
        X_name: str,
        y_name: str,
        targets: LabelEncoder | TargetScaler,
        names: tuple[str, ...] | None,
    ) -> CheckedData:
        inputs = self._inputs(X, X_name, names, all_of_them=False)
        return CheckedData(inputs, targets.check(y, len(inputs), y_name), targets.classes)

    def _checked_pair(
        self,
        pair: Any,
        name: str,
        targets: LabelEncoder | TargetScaler,
        names: tuple[str, ...] | None,
    ) -> CheckedData:
        if isinstance(pair, CheckedData):
            return self._checked(pair, None, name, targets, names)
        if isinstance(pair, np.ndarray | str) or not hasattr(pair, "__iter__"):
            raise TypeError(f"{name} must be a pair (X, y), got {type(pair).__name__}")
        parts = tuple(pair)
        if len(parts) != 2:
            raise ValueError(f"{name} must be a pair (X, y), got {len(parts)} parts")
        return self._checked(*parts, name, targets, names)

    # ---- training

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        training: Training | None = None,
        validation: Any = None,
        threads: Threads = None,
        callback: Callback | None = None,
        comm: Communicator | Ranks | None = None,
    ) -> Self:
        """Train; a second call continues from where the first ended.

        Parameters
        ----------
        X : array_like, shape (n, n_features), or Blocks
            Samples; float32 and uint8 are read as they are, other numbers are converted. A large
            memory map of other numbers is read as `Blocks.from_arrays` says.
        y : array_like, shape (n,), or of float, shape (n, n_classes)
            Left out if X is a `Blocks`, which holds targets.
            Labels: ints, bools, strings or whole floats, which become ints. Or soft targets: a
            probability of each class, columns in the order of `classes` (0, 1, … if the network
            knows none yet), such as a larger network's ``predict_proba``.
        sample_weight : array_like, shape (n,), optional
            How much each sample's loss counts; only ratios matter.
        training : Training, optional
            The recipe: epochs (20 if left out), batch size, optimiser and so on.
        validation : (X, y) or CheckedData, optional
            Data to report the accuracy on after each epoch.
        threads : int or "auto", optional
            "auto", or left out: one or as many as OpenMP offers (OMP_NUM_THREADS), whichever
            proves faster; the choice is logged (logger "synaprune", level INFO) and told to the
            callback. Results never depend on it.
        callback : callable, optional
            Called with a `Progress` after each epoch. Returning `STOP`, or raising StopIteration,
            ends the training; nothing else does. Its methods ``on_train_begin(network)`` and
            ``on_train_end()``, if it has them, are called before the first epoch and at the end.
            `synaprune.callbacks` has early stopping, checkpoints and a progress bar.
        comm : communicator or Ranks, optional
            Train one network on several processes (data parallelism): all ranks of a communicator
            such as ``mpi4py.MPI.COMM_WORLD`` make this call, on equal networks and options, and end
            with equal ones. X, y and sample_weight of a rank are its part of the rows,
            `synaprune.distributed.rows_of`, and validation any part of the validation data; labels,
            input scaling and weights of samples and classes are of all parts. The rows are dealt to
            8 shards, or as many as a `synaprune.distributed.Ranks` says, each of which has an equal
            share of each batch of ``training.batch_size`` rows: equal bits for any number of ranks
            that divides the shards, but not those of a call without ``comm``. docs/scale.md tells
            when it pays. It does not go with `Blocks`.

        Returns
        -------
        SparseMLP
            The network itself.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit; nothing has changed then. With ``comm`` also, on all ranks,
            if they differ in options, networks or columns, or have other rows than theirs.
        TrainingDiverged
            If the loss is no longer finite; the network is as it was before the call, or, with
            `Training.rewire`, after the last exchange or epoch.
        BlockError
            If blocks cannot be read in an epoch, or are not those of the first pass; the network is
            as it was before the call.
        RankError
            If another rank raised, or is gone; the network is as it was after the last whole epoch.

        Warns
        -----
        UserWarning
            If after 1000 updates or more the network says the same class to every training sample,
            though another class is at least half as frequent as the most frequent one; or the same
            numbers.
        """
        return self._fit(
            X, y, sample_weight, training=training, validation=validation, threads=threads,
            callback=callback, comm=comm,
        )  # fmt: skip

    def _fit(self, *data_and_weight: Any, training: Training | None, **options: Any) -> Self:
        """Do what `fit` does; the other options are those of `_train`."""
        recipe = check_training(training).with_epochs(20)
        data, updates = self._train(*data_and_weight, training=recipe, **options)
        if updates >= _LONG:
            self._warn_if_constant(data.at_hand)
        return self

    def _train(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        training: Training,
        validation: Any = None,
        threads: Threads = None,
        callback: Callback | None = None,
        marks: _Marks | None = None,
        comm: Communicator | Ranks | None = None,
    ) -> tuple[TrainingSet | TrainingBlocks, int]:
        """Do what `fit` does, but never warn; return the data, and how many updates were made.

        It goes on from the last of some marks, if there is one, and adds its own.
        """
        exchange = exchange_over(comm)
        with told_to_others(exchange):
            return self._train_with(
                exchange, X, y, sample_weight, training, validation, threads, callback, marks
            )

    def _train_with(
        self,
        exchange: Exchange | None,
        X: Any,
        y: Any,
        sample_weight: Any,
        recipe: Training,
        validation: Any,
        threads: Threads,
        callback: Callback | None,
        marks: _Marks | None,
    ) -> tuple[TrainingSet | TrainingBlocks, int]:
        assert recipe.epochs is not None
        choice = ThreadChoice(threads)
        check_callable("callback", callback)
        factors = lr_factors(recipe.lr_schedule, recipe.epochs)
        data, decided = self._checked_training(X, y, None, sample_weight, recipe, exchange)
        held_out = (
            None
            if validation is None
            else self._checked_pair(validation, "validation", decided.targets, decided.names)
        )
        listens = callback is not None
        if exchange is not None:
            exchange.agree({"validation": "left out" if validation is None else "given"})
            listens = exchange.any(listens)
        average = WeightAverage(recipe.swa_epochs, recipe.epochs)
        with (
            self._restored_if_failed(keep_all=recipe.rewire is None),
            watched(callback, lambda: self._decided_copy(decided)),
        ):
            self._fix(decided)
            epoch = done = 0 if marks is None else marks.go_to_last(self, average)
            for epoch, loss in run_epochs(
                self._core, data, factors=factors, batch_size=recipe.batch_size,
                optimizer=recipe.optimizer, threads=choice, max_norm=recipe.max_gradient_norm,
                rewire=None if recipe.rewire is None else (recipe.rewire, recipe.epochs), done=done,
            ):  # fmt: skip
                average_weights(self, average, epoch)
                if listens:
                    score, stops = None, False
                    if held_out is not None:
                        score = self._score(held_out, choice.next(), exchange)[0]
                    if callback is not None:
                        told = (epoch, recipe.epochs, loss, score, self.n_synapses, choice.next())
                        stops = asks_to_stop(callback, Progress("train", *told, self))
                    if stops if exchange is None else exchange.any(stops):
                        break
                if marks is not None:
                    marks.add(epoch, self, average)
            if exchange is not None:
                exchange.check_same(self.state()[1])
        return data, epoch * math.ceil(len(data) / recipe.batch_size)

    def _warn_if_constant(self, data: TrainingSet) -> None:
        """Warn if some of the training samples show that `fit` learned one answer alone."""
        if self.is_regression:
            if not np.ptp(data.y, axis=0).any():
                return
        elif data.y.ndim == 2:
            return
        else:
            *_, second, first = np.sort(np.bincount(data.y, minlength=2))
            if 2 * second < first:
                return
        n = min(len(data.X), _TOLD_BY)
        # Drawn, since classes may come in turn or one after the other.
        rows = np.random.default_rng(0).choice(len(data.X), n, replace=False)
        said = self.predict(data.X[rows], threads=1)
        if (said == said[0]).all():
            says = says_the_same(said[0], f"one of {n} training samples")
            warnings.warn(
                f"the network {says}; try another learning rate or optimiser, a larger "
                "init_scale, or fewer hidden layers",
                UserWarning,
                stacklevel=4,
            )

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        *,
        training: Training | None = None,
        threads: Threads = None,
    ) -> Self:
        """Train one pass over a part of the data.

        Parameters
        ----------
        X, y
            As in `fit`.
        classes : array_like, optional
            All labels that will ever come; needed at the first call if y lacks some.
        sample_weight
            As in `fit`.
        training : Training, optional
            The recipe, without `epochs`, `lr_schedule` and `swa_epochs`, since this is one pass,
            and without balanced classes, since this is a part of the data.
        threads : int or "auto", optional
            As in `fit`.

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
        recipe.refuse(
            "epochs", "lr_schedule", "swa_epochs", "rewire", by="partial_fit, which is one pass"
        )
        if recipe.class_weight == "balanced":
            raise ValueError(
                "training.class_weight='balanced' does not apply to partial_fit, which sees a part "
                "of the data; give a dict"
            )
        choice = ThreadChoice(threads)
        data, decided = self._checked_training(X, y, classes, sample_weight, recipe)
        with self._restored_if_failed():
            self._fix(decided)
            for _ in run_epochs(
                self._core, data, factors=[1.0], batch_size=recipe.batch_size,
                optimizer=recipe.optimizer, threads=choice, max_norm=recipe.max_gradient_norm,
            ):  # fmt: skip
                pass
        return self

    @contextmanager
    def _restored_if_failed(self, *, keep_all: bool = True) -> Iterator[None]:
        """Put everything back as it was if the training diverges, or its data fail.

        Unless all is kept, what the training published is left.
        """
        core = self._core.copy() if keep_all else None
        targets, names = self._targets, self._input_names
        try:
            yield
        except (TrainingDiverged, BlockError):
            if core is not None:
                self._core.assign(core)
                self._targets = targets
                self._input_names = names
            raise

    # ---- prediction

    def predict(self, X: Any, *, threads: Threads = None) -> Labels:
        """Label of each sample; of equally likely classes the first. Of a regression, the numbers.

        Parameters
        ----------
        X : array_like, shape (n, n_features), DataFrame, Table or Blocks
            Targets of blocks are not looked at.
        threads : int or "auto", optional

        Returns
        -------
        ndarray, shape (n,), of the labels' dtype; or of float64, shaped as y was, in its units

        Raises
        ------
        TypeError, ValueError
            If X does not fit, or the network was never fitted.
        """
        n_threads = check_threads(threads)
        targets = self._fitted
        if isinstance(targets, TargetScaler):
            return targets.decode(self._outputs(X, n_threads))
        masked = hasattr(X, "mask")  # of a masked array, which the core would take for a plain one
        labels = None if masked else self._core.labels(X, targets.classes, n_threads)
        if labels is None:  # to be converted, or wrong: then this says what is
            classes = targets.classes
            labels = self._by_block(X, lambda x: self._core.labels(x, classes, n_threads))
        return labels

    def predict_proba(self, X: Any, *, threads: Threads = None) -> NDArray[np.float32]:
        """Probability of each class for each sample.

        Parameters
        ----------
        X : array_like, shape (n, n_features), DataFrame, Table or Blocks
            Targets of blocks are not looked at.
        threads : int or "auto", optional

        Returns
        -------
        ndarray of float32, shape (n, n_classes)
            Columns in the order of `classes`. With loss "squared" and several outputs, these are
            the outputs divided by their sum.

        Raises
        ------
        TypeError, ValueError
            If X does not fit, the network was never fitted, predicts numbers, or its outputs
            overflow.
        """
        _ = self.classes  # raises if never fitted
        p = self._outputs(X, check_threads(threads))
        if self.layers[-1] == 1:
            return np.hstack([1.0 - p, p])
        if self.loss == "squared":
            normalised: NDArray[np.float32] = p / p.sum(axis=1, keepdims=True)
            return normalised
        return p

    def _outputs(self, X: Any, threads: int) -> NDArray[np.float32]:
        """Return the core's outputs, of shape (n, n_outputs)."""
        outputs = self._by_block(X, lambda x: self._core.outputs(x, threads))
        if not _core.all_finite(outputs):
            raise ValueError(_OVERFLOW)
        return outputs

    def _by_block(self, X: Any, call: Callable[[Inputs], NDArray[Any] | None]) -> NDArray[Any]:
        """Return what a call of the core gives for samples: at once, or block by block."""
        blocks = as_blocks(X)
        if blocks is None:
            return finite(call(self.as_inputs(X)))
        rows: NDArray[Any] | None = None
        n = 0
        with blocks.ahead() as read:
            for where, x, _ in read:
                direct = is_direct(x) and x.shape[1] == self.n_features and len(x)
                made = call(x) if direct else None
                if made is None:  # to be converted, or wrong: then this says what is
                    made = finite(call(self.as_inputs(x, f"X{where}")))
                if rows is None:
                    rows = np.empty_like(made)
                if n + len(made) > len(rows):  # in place: lists of parts would be held twice
                    size = max(n + len(made), len(rows) * 5 // 4)
                    rows.resize((size, *made.shape[1:]), refcheck=False)
                rows[n : n + len(made)] = made
                n += len(made)
        if rows is None:
            raise ValueError("X must hold at least one row, but its blocks gave none")
        rows.resize((n, *rows.shape[1:]), refcheck=False)
        return rows

    def score(self, X: Any, y: Any = None, *, threads: Threads = None) -> float:
        """Accuracy, the share of samples whose label is predicted, in [0, 1]; or R².

        R² of a regression is 1 - Σ(y - p)² / Σ(y - mean)², its mean over several outputs: at most
        1, and 0 for the mean of y as a constant prediction.

        Parameters
        ----------
        X : array_like, shape (n, n_features), DataFrame, Table, CheckedData or Blocks
        y : array_like, shape (n,), or of a regression (n, n_outputs); or str
            Of a network of a table also the name of its column. Left out if X is a CheckedData or
            a Blocks, which holds targets.
        threads : int or "auto", optional

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            If X or y do not fit, or the network was never fitted.
        """
        n_threads, blocks = check_threads(threads), as_blocks(X, y)
        if blocks is None:
            score, loss = self._score(self.check_data(X, y), n_threads)
        else:
            score, loss = self._score_of_blocks(blocks, n_threads)
        if not math.isfinite(loss):
            raise ValueError(_OVERFLOW)
        return score

    def _score(
        self, data: CheckedData, threads: int, exchange: Exchange | None = None
    ) -> tuple[float, float]:
        """Return accuracy or R², and the mean loss, which overflows where outputs do.

        With an exchange the score is that of the data of all ranks, and the loss of those here.
        """
        if self.is_regression:
            predicted = self.predict(data.X, threads=threads).reshape(data.y.shape)
            if exchange is not None:
                return r2_score(exchange.rows(data.y), exchange.rows(predicted)), 0.0
            return r2_score(data.y, predicted), 0.0
        loss, n_correct = finite(self._core.evaluate(data.X, data.y, threads))
        counts = np.array([n_correct, len(data)])
        if exchange is not None:
            counts = exchange.rows(counts[None]).sum(axis=0)
        return int(counts[0]) / int(counts[1]), loss

    def _score_of_blocks(self, blocks: Blocks, threads: int) -> tuple[float, float]:
        """Do what `_score` does, in one pass over blocks."""
        targets, names = self._fitted, self._input_names
        n, right, error, loss, of_y = 0, 0, np.zeros(self.layers[-1]), 0.0, Moments()
        with blocks.ahead() as read:
            for where, X, y in read:
                data = self._checked_rows(X, y, f"X{where}", f"y{where}", targets, names)
                n += len(data)
                if self.is_regression:
                    predicted = self.predict(data.X, threads=threads).reshape(data.y.shape)
                    error += np.square(data.y - predicted).sum(axis=0)
                    of_y.add(data.y)
                else:
                    mean, n_correct = finite(self._core.evaluate(data.X, data.y, threads))
                    loss, right = max(loss, mean), right + n_correct
        if not n:
            raise ValueError("X must hold at least one row, but its blocks gave none")
        if self.is_regression:
            return r2_score_of_sums(error, of_y.sum_of_squares), 0.0
        return right / n, loss

    # ---- other libraries and languages

    @classmethod
    def from_sklearn(cls, model: Any, *, initial: Any = None, keep_zeros: bool = False) -> Self:
        """Return the network of a trained MLPClassifier or MLPRegressor, to be pruned further.

        It predicts the same, knows the labels and the names of features, and can be trained. The
        weights at initialisation are not known: without ``initial`` they count as zeros, so that
        "wsf" ranks by magnitude; no criterion needs them otherwise.

        Parameters
        ----------
        model : MLPClassifier, MLPRegressor or Pipeline
            With the hidden activation "relu", "tanh" or "logistic". A pipeline may have one step
            before the network, a StandardScaler, which becomes the network's `input_transform`.
            Numbers are learned in the units of y, as scikit-learn does.
        initial : sequence of array_like, optional
            ``model.coefs_`` as it was before training.
        keep_zeros : bool
            Whether weights that are exactly zero become synapses; else they are absent.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If the model is another, not fitted, predicts several labels a sample, or has an
            activation that `ACTIVATIONS` lacks.

        Examples
        --------
        >>> from sklearn.neural_network import MLPClassifier
        >>> from synaprune import SparseMLP, datasets, prune
        >>> data = datasets.digits()
        >>> model = MLPClassifier((40,), early_stopping=True, random_state=0).fit(*data.train)
        >>> net = SparseMLP.from_sklearn(model)
        >>> bool((net.predict(data.test.X) == model.predict(data.test.X)).all())
        True
        >>> prune(net, *data.train, validation=data.validation, n_synapses=150).smallest.n_synapses
        150
        """
        from synaprune.export.sklearn import from_sklearn

        return from_sklearn(cls, model, initial=initial, keep_zeros=keep_zeros)

    @classmethod
    def from_torch(
        cls,
        model: Any,
        *,
        classes: Any = None,
        loss: str = "auto",
        initial: Any = None,
        keep_zeros: bool = False,
    ) -> Self:
        """Return the network of a trained torch.nn.Sequential, to be pruned further.

        The weights at initialisation are not known: without ``initial`` they count as zeros, so
        that "wsf" ranks by magnitude; no criterion needs them otherwise.

        Parameters
        ----------
        model : torch.nn.Sequential
            Linear layers with one activation between them: ReLU, LeakyReLU(0.01), Tanh, Sigmoid or
            SiLU. A Flatten may stand first, and a Softmax, LogSoftmax or Sigmoid last. BatchNorm1d
            becomes part of the layers, as ``model.eval()`` computes it. Dropout and Identity are
            left out; Linear layers that torch pruned keep their masks.
        classes : array_like, optional
            The label of each output; of one output those of 0 and 1. If left out, 0, 1, 2, …
        loss : str
            As in `SparseMLP`. "auto" takes one output with a Sigmoid, or several outputs, for
            classes; one output alone may be either. A regression learns numbers in the units of
            the model's outputs.
        initial : torch.nn.Sequential, optional
            The model before training, such as a deep copy of it.
        keep_zeros : bool
            Whether weights that are exactly zero become synapses; else they are absent.

        Returns
        -------
        SparseMLP

        Raises
        ------
        ImportError
            If torch is not installed.
        TypeError, ValueError
            Naming the module that a network cannot hold, or the argument that does not fit.

        Examples
        --------
        >>> from torch import nn  # doctest: +SKIP
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))  # doctest: +SKIP
        >>> SparseMLP.from_torch(model, classes=["no", "yes"])  # doctest: +SKIP
        SparseMLP(4-3-2, 18 synapses, relu, classes ['no', 'yes'])
        """
        from synaprune.export.torch import from_torch

        return from_torch(
            cls, model, classes=classes, loss=loss, initial=initial, keep_zeros=keep_zeros
        )

    @classmethod
    def from_keras(
        cls,
        model: Any,
        *,
        classes: Any = None,
        loss: str = "auto",
        initial: Any = None,
        keep_zeros: bool = False,
    ) -> Self:
        """Return the network of a trained model of Keras 3, to be pruned further.

        It may be one of any backend. The weights at initialisation are not known: without
        ``initial`` they count as zeros, so that "wsf" ranks by magnitude; no criterion needs them
        otherwise.

        Parameters
        ----------
        model : keras.Sequential or keras.Model
            A chain of Dense layers with one activation between them: relu, leaky_relu with the
            slope 0.01, tanh, sigmoid or silu, in Dense or as a layer of its own. Softmax or sigmoid
            may stand last. Flatten, Rescaling and Normalization may stand first; the latter become
            the network's `input_transform`. BatchNormalization becomes part of the layers. Dropout,
            noise and Identity are left out.
        classes, loss
            As in `from_torch`.
        initial : keras.Sequential or keras.Model, optional
            The model before training, such as a deep copy of it.
        keep_zeros : bool
            Whether weights that are exactly zero become synapses; else they are absent.

        Returns
        -------
        SparseMLP

        Raises
        ------
        ImportError
            If Keras or its backend is not installed.
        TypeError, ValueError
            Naming the layer that a network cannot hold, or the argument that does not fit.

        Examples
        --------
        >>> import keras  # doctest: +SKIP
        >>> from keras import layers  # doctest: +SKIP
        >>> model = keras.Sequential(
        ...     [layers.Input((4,)), layers.Dense(3, "relu"), layers.Dense(2, "softmax")]
        ... )  # doctest: +SKIP
        >>> SparseMLP.from_keras(model, classes=["no", "yes"])  # doctest: +SKIP
        SparseMLP(4-3-2, 18 synapses, relu, classes ['no', 'yes'])
        """
        from synaprune.export.keras import from_keras

        return from_keras(
            cls, model, classes=classes, loss=loss, initial=initial, keep_zeros=keep_zeros
        )

    def to_torch(self, *, compact: bool = False, masks: bool = False) -> Any:
        """Return the network as a torch.nn.Sequential of Linear layers and activations.

        Its outputs are the sums of the last layer, on which a softmax or sigmoid makes
        probabilities; of a regression the numbers, in the units of y. Input scaling becomes part
        of the first layer, or a module before it where that would lose precision.

        Parameters
        ----------
        compact : bool
            Leave out neurons that no output depends on, and those that are constant. All columns
            of X remain.
        masks : bool
            Let torch.nn.utils.prune keep the weights at zero where there is no synapse, so that
            training in torch does not add any.

        Returns
        -------
        torch.nn.Sequential

        Raises
        ------
        ImportError
            If torch is not installed.
        TypeError, ValueError
            If an argument does not fit, or the network was never fitted.
        """
        from synaprune.export.torch import to_torch

        return to_torch(self, compact=compact, masks=masks)

    def to_onnx(self, path: str | os.PathLike[str] | None = None, *, inputs: str = "all") -> Any:
        """Return the network as an ONNX model of dense layers, without its unused neurons.

        The input is "X", float32. A classifier has the outputs "label" (int64, bool or string, of
        shape (n,)) and "probabilities", a regressor has "y", shaped as `predict` returns it.

        Parameters
        ----------
        path : path-like, optional
            A file to write; an older one is replaced only when the new one is whole.
        inputs : {"all", "used"}
            Whether the model is given all columns of X, or only those that outputs depend on, in
            their order. Of all columns, unused ones have weights of zero, or are left out by a
            Gather where under a tenth is in use.

        Returns
        -------
        onnx.ModelProto
            Of opset 17; its metadata have the names of the inputs that it takes.

        Raises
        ------
        ImportError
            If onnx is not installed.
        TypeError, ValueError
            If an argument does not fit, the network was never fitted, or labels are beyond int64.
        OSError
            If the file cannot be written.
        """
        from synaprune.export.onnx import to_onnx

        return to_onnx(self, path, inputs=inputs)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the network that `to_json` wrote; it predicts the same, to the last bit.

        Parameters
        ----------
        text : str or bytes
            The text, such as ``pathlib.Path("net.json").read_bytes()``. Nothing in it is run, and
            memory is taken only for what it holds.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError
            If it is no text.
        ModelFileError
            A ValueError, if the text does not describe a network, or is of another version.

        Examples
        --------
        >>> from synaprune import SparseMLP, datasets
        >>> data = datasets.xor()
        >>> net = SparseMLP((2, 4, 1), seed=0).fit(*data.train)
        >>> again = SparseMLP.from_json(net.to_json())
        >>> bool((again.predict_proba(data.test.X) == net.predict_proba(data.test.X)).all())
        True
        """
        from synaprune.export.json import from_json

        return from_json(cls, text)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the network as JSON, for programs in other languages; `from_json` reads it.

        All of what predicts is part of it: weights, input scaling, classes, names, and the encoder
        of a table; and weights at initialisation. `save` also keeps what a training goes on with:
        frozen parts, the optimiser's and the random state. docs/export.md describes the text, and
        ``synaprune/export/network.schema.json`` is its JSON Schema.

        Parameters
        ----------
        path : path-like, optional
            A file to write; an older one is replaced only when the new one is whole.

        Returns
        -------
        str
            One line of ASCII, which can stand in a script of an HTML page.

        Raises
        ------
        ValueError
            If the network was never fitted, or holds a number that is not finite.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import json
        >>> from synaprune import SparseMLP, datasets
        >>> data = datasets.xor()
        >>> text = SparseMLP((2, 4, 1), seed=0).fit(*data.train).to_json()
        >>> json.loads(text)["classes"]
        [0, 1]
        """
        from synaprune.export.json import to_json

        return to_json(self, path)

    def to_c(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        name: str = "network",
        dtype: str = "float32",
        calibration: Any = None,
        layout: str = "auto",
        inputs: str = "all",
        input_dtype: str = "float32",
        self_test: Any = None,
    ) -> str:
        """Return the network as one C99 header without dependencies; C++ compiles it, too.

        With the name "network" it has ``network_predict(x)``, the class number of a row,
        ``network_predict_proba(x, p)``, ``network_logits(x, z)`` and
        ``network_class_name(number)``; of a regression ``network_predict(x, y)`` and
        ``network_logits``. Nothing is allocated. A comment says what it needs of flash and RAM.
        docs/export.md has examples.

        Parameters
        ----------
        path : path-like, optional
            A file to write; an older one is replaced only when the new one is whole.
        name : str
            What all names in the header begin with.
        dtype : {"float32", "int8", "int16"}
            What C computes in. Integers give the same bytes with every compiler; what they cost in
            accuracy is told by `synaprune.quantize`, and by `export.IntegerNetwork`.
        calibration : array_like, DataFrame or Table, optional
            Rows such as the network will see, which integers need.
        layout : {"auto", "csr", "unrolled"}
            Loops over tables, or one statement a neuron, which is faster but larger, except for
            tiny networks; "auto" takes what is estimated to be smaller. A network whose outputs are
            constants has nothing to loop over.
        inputs : {"all", "used", "raw"}
            Whether C is given all columns of X, or only `used_inputs`, in this order. "raw" are the
            cells of a table, in a struct: numbers, NAN where one is missing, and categories of an
            enum. The network must have the encoder of a table, which becomes part of the header.
        input_dtype : {"float32", "uint8"}
            In which type C is given them.
        self_test : array_like, DataFrame or Table, optional
            Rows that a main function, compiled with ``-DNETWORK_SELF_TEST``, predicts and compares
            with what the network says here. Of a table if inputs are raw.

        Returns
        -------
        str
            The header's text, which is ASCII.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit, the network was never fitted, or it predicts numbers beyond
            the range of float32.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train)
        >>> text = net.to_c(name="xor")
        >>> "static inline uint16_t xor_predict(const float *x)" in text
        True
        """
        from synaprune.export.c import to_c

        return to_c(
            self, path, name=name, dtype=dtype, calibration=calibration, layout=layout,
            inputs=inputs, input_dtype=input_dtype, self_test=self_test,
        )  # fmt: skip

    def to_python(
        self, path: str | os.PathLike[str] | None = None, *, name: str = "network"
    ) -> str:
        """Return the network as one Python module that imports nothing but math.

        For columns of amounts or dates it imports re or datetime, too.

        The module has ``predict(row)``, which gives a label or numbers, and of a classifier
        ``predict_proba(row)`` and ``CLASSES``. A row is a sequence of all columns of X. For a
        network of a table it is a dict from column names to raw cells, such as `csv.DictReader`
        gives: the encoder is part of the module. Only the columns in use have to be there.
        docs/export.md has examples.

        Parameters
        ----------
        path : path-like, optional
            A file to write; an older one is replaced only when the new one is whole.
        name : str
            What the module's first comment calls it.

        Returns
        -------
        str
            The module's text, which is ASCII.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit, the network was never fitted, or its table has decimal
            fractions as categories.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train)
        >>> module = {}
        >>> exec(net.to_python(), module)
        >>> row = data.test.X[0].tolist()
        >>> [module["predict"](row)] == net.predict([row]).tolist()
        True
        """
        from synaprune.export.python import to_python

        return to_python(self, path, name=name)

    def to_js(self, path: str | os.PathLike[str] | None = None, *, name: str = "network") -> str:
        """Return the network as one ES module of JavaScript, without dependencies.

        The module exports ``predict(row)``, which gives a label or numbers, and of a classifier
        ``predictProba(row)`` and ``classes``; JSDoc tells their types. A row is an array of all
        columns of X. For a network of a table it is an object from column names to raw cells: the
        encoder is part of the module. Only the columns in use have to be there. docs/export.md has
        examples.

        Parameters
        ----------
        path : path-like, optional
            A file to write, such as "network.mjs"; an older one is replaced only when the new one
            is whole.
        name : str
            What the module's first comment calls it.

        Returns
        -------
        str
            The module's text, which is ASCII.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit, the network was never fitted, or its table has decimal
            fractions as categories.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train)
        >>> "export function predictProba(row)" in net.to_js()
        True
        """
        from synaprune.export.javascript import to_js

        return to_js(self, path, name=name)

    def to_sql(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        table: str | Sequence[str],
        dialect: str = "duckdb",
        keep: Iterable[str] = (),
        probabilities: bool = True,
    ) -> str:
        """Return the network as one SELECT over the rows of a table in a database.

        It gives ``class`` and the probabilities ``p0``, ``p1``, … of the classes in their order; of
        a regression ``y``, or ``y0``, ``y1``, … The table has the columns `used_columns`. For a
        network of a table these are the raw columns: the encoder is part of the SELECT. If a number
        that the network needs is NULL, NaN or no number, so is the result; the encoder of a table
        fills such gaps. docs/export.md has examples.

        Parameters
        ----------
        path : path-like, optional
            A file to write, in UTF-8; an older one is replaced only when the new one is whole.
        table : str or sequence of str
            The name of the table, after that of its schema if it is a sequence. Names are quoted.
        dialect : {"duckdb", "sqlite", "postgresql"}
            SQLite from 3.35, PostgreSQL from 12. Activations with exponentials and probabilities
            need a SQLite that was built with its mathematical functions.
        keep : iterable of str
            Columns of the table that the result keeps, such as a key. Rows have no order.
        probabilities : bool
            Whether a classifier gives probabilities. The class alone needs no exponential unless
            the activation does.

        Returns
        -------
        str
            The SELECT, without a semicolon.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit, the network was never fitted, its table holds dates, or
            numbers with units, or the database cannot hold it: too many columns or synapses, or
            names that it does not take.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train)
        >>> text = net.to_sql(table="points", dialect="sqlite")
        >>> 'FROM "points"' in text
        True
        """
        from synaprune.export.sql import to_sql

        return to_sql(
            self, path, table=table, dialect=dialect, keep=keep, probabilities=probabilities
        )

    # ---- files

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return (JSON values, arrays) from which `from_state` makes an equal network.

        Random and optimiser state are part of it: training goes on to the same bits.

        Returns
        -------
        header : dict
        arrays : dict of ndarray
        """
        values, arrays = core_state(self._core)
        scaling = self.input_scaling if isinstance(self.input_scaling, str) else "given"
        targets = self._targets
        classes = None if targets is None else targets.classes
        header = {
            "layers": list(self.layers),
            "activation": self.activation,
            "loss": self.loss,
            "init_scale": self.init_scale,
            "input_scaling": scaling,
            "seed": self.seed,
            "classes": None if classes is None else classes.tolist(),
            "labels": None if classes is None else classes.dtype.str,
            "numbers": targets.record() if isinstance(targets, TargetScaler) else None,
            "input_names": None if self._input_names is None else list(self._input_names),
            "encoder": None if self._table_encoder is None else self._table_encoder.record(),
        }
        if self._start is not None:
            header["start"] = list(self._start)
        return header | values, arrays

    @classmethod
    def from_state(cls, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Rebuild a network from what `state` returned.

        Parameters
        ----------
        header : dict
            JSON values.
        arrays : dict of ndarray

        Returns
        -------
        SparseMLP

        Raises
        ------
        KeyError, TypeError, ValueError
            If the parts do not fit each other.
        """
        net = cls.__new__(cls)
        net.layers = tuple(check_int("each size in layers", n, 1) for n in header["layers"])
        net.activation = check_choice("activation", header["activation"], ACTIVATIONS)
        net.loss = _resolve_loss(header["loss"], net.layers[-1])
        net.init_scale = check_float("init_scale", header["init_scale"], 0.0, open_low=True)
        net.seed = check_int("seed", header["seed"], 0, 2**64 - 1)
        start = header.get("start")  # networks that began with all synapses have none
        net._start = None if start is None else _checked_counts(net.layers, start)
        net._core = core_from_state(net.layers, net.activation, net.loss, header, arrays)
        scaling = header["input_scaling"]
        net.input_scaling = (
            net.input_transform
            if scaling == "given"
            else check_choice("input_scaling", scaling, INPUT_SCALINGS)
        )
        labels, numbers = header["classes"], header.get("numbers")  # older files have no numbers
        if (labels if net.is_regression else numbers) is not None:
            raise ValueError(f"loss {net.loss!r} and the targets do not fit each other")
        net._targets = None
        if labels is not None:
            net._targets = LabelEncoder.saved(labels, header["labels"], net.layers[-1])
        elif numbers is not None:
            net._targets = TargetScaler.saved(numbers, net.layers[-1])
        net.input_names = header["input_names"]
        encoder = header.get("encoder")  # files of older versions have none
        net._table_encoder = None
        if encoder is not None:
            net.encoder = TableEncoder.from_record(encoder)
        return net

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (``.npz``); equal networks give equal bytes.

        Random and optimiser state are part of the file; attributes that a subclass added are not.

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
    def load(cls, path: str | os.PathLike[str]) -> Self:
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
            If it is not a whole and unaltered model file of this version's format.
        """
        header, arrays = io.read_model(path)
        try:
            return cls.from_state(header["network"], io.below("network/", arrays))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise io.ModelFileError(f"{path} does not describe a network: {error}") from error


def average_weights(net: SparseMLP, average: WeightAverage, epoch: int) -> None:
    """Add the network's parameters after an epoch to an average; after the last one, set the mean.

    Parameters
    ----------
    net : SparseMLP
        Changed after the last epoch only.
    average : WeightAverage
    epoch : int
        Counted from 1.
    """
    if not average.includes(epoch):
        return
    weights = net.weights
    means = average.add(epoch, [a for w in weights for a in (w.values, w.bias)])
    if means is not None:
        pairs = zip(weights, means[::2], means[1::2], strict=True)
        net.set_weights([replace(w, values=values, bias=bias) for w, values, bias in pairs])


def _sequence(name: str, given: Any) -> list[Any]:
    """Return what is given as a list that is not empty, or raise."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"{name} must be a sequence, one a layer, got {shown(given)}")
    items = list(given)
    if not items:
        raise ValueError(f"{name} must not be empty")
    return items


def _counts(
    layers: Sequence[int], density: float | Sequence[float] | None, epsilon: float | None
) -> tuple[int, ...] | None:
    """Return how many synapses each layer starts with; None: all."""
    pairs = list(itertools.pairwise(layers))
    if epsilon is not None:
        if density is not None:
            raise ValueError("density and epsilon exclude each other: give one of them")
        epsilon = check_float("epsilon", epsilon, 0.0, open_low=True)
        return tuple(min(n * m, round(min(epsilon * (n + m), n * m))) for n, m in pairs)
    if density is None:
        return None
    if isinstance(density, str) or not isinstance(density, Iterable):
        density = [density] * len(pairs)
    shares = [check_float("density", share, 0.0, 1.0, open_low=True) for share in density]
    if len(shares) != len(pairs):
        raise ValueError(f"density must have {len(pairs)} entries, one a layer, got {len(shares)}")
    return tuple(min(n * m, round(s * n * m)) for s, (n, m) in zip(shares, pairs, strict=True))


def _checked_counts(layers: Sequence[int], given: Any) -> tuple[int, ...]:
    """Return the counts of a file, none for a network of given layers."""
    if not given:
        return ()
    pairs = itertools.pairwise(layers)
    return tuple(
        check_int("each of start", n, 0, n_in * n_out)
        for n, (n_in, n_out) in zip(given, pairs, strict=True)
    )


def says_the_same(answer: Any, samples: str) -> str:
    """Return what warnings say of a network that tells no sample from another.

    Parameters
    ----------
    answer : numpy scalar or ndarray
        The class, or the numbers.
    samples : str
        Which it was asked about, such as "validation sample".
    """
    return f"says {shown(answer.tolist())} to every {samples}"


def _told(classes: Labels | None, n_outputs: int) -> str:
    """Return what targets are, for errors."""
    return f"{n_outputs} numbers a sample" if classes is None else f"the classes {brief(classes)}"


def _resolve_loss(loss: str, outputs: int) -> str:
    """Return the loss that a name means with so many outputs, or raise if they do not fit."""
    check_choice("loss", loss, LOSSES)
    if loss == "auto":
        return "sigmoid" if outputs == 1 else "softmax"
    if loss == "sigmoid" and outputs != 1:
        raise ValueError(f"loss 'sigmoid' needs one output, got {outputs}; use 'softmax'")
    if loss == "softmax" and outputs == 1:
        raise ValueError("loss 'softmax' needs one output a class, got one output; use 'sigmoid'")
    return loss
