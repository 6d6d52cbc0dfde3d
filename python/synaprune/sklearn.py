"""Estimators of scikit-learn: classifiers, regressors and selectors that are small networks.

They need scikit-learn 1.6 or newer: ``pip install "synaprune[sklearn]"``. Everything that is
searched for, and how, is `smallest_network`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from synaprune import explain
from synaprune.checks import check_float, check_int, listing, shown
from synaprune.criteria import Criterion
from synaprune.explain.graph_layout import node_positions, strongest_synapses
from synaprune.extras import require
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.pruning import Gradual, InputBudget, prune
from synaprune.pruning.budget import as_list
from synaprune.pruning.units import InputUnits
from synaprune.search import (
    BATCH_SIZE,
    CANDIDATES,
    Candidate,
    CurvePoint,
    Estimate,
    SearchResult,
    at_a_rate_that_converges,
    recipe_of_full,
    smallest_network,
)
from synaprune.training import Progress, Training

require("sklearn.utils.validation", "sklearn")
from joblib import effective_n_jobs  # noqa: E402
from scipy.sparse import issparse  # noqa: E402
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone  # noqa: E402
from sklearn.feature_selection import SelectorMixin  # noqa: E402
from sklearn.utils import check_array, check_random_state, compute_class_weight  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets, unique_labels  # noqa: E402
from sklearn.utils.parallel import Parallel, delayed  # noqa: E402
from sklearn.utils.validation import (  # noqa: E402
    check_is_fitted,
    column_or_1d,
    validate_data,
)

__all__ = [
    "NetworkSelector", "PrunedMLPClassifier", "PrunedMLPRegressor", "register_skl2onnx",
]  # fmt: skip

_HIDDEN = (100,)  # of a network that no folds choose
# Of the gradients (Pascanu et al., 2013): a row with rare values, which are large once they are
# standardised, must not throw all weights about.
_MAX_NORM = 1.0
_CELLS = 2**22  # of a sparse X that are dense at a time
_SYNAPSES = 500  # at most, in a drawing

Floats = NDArray[np.float32]


class _NetworkEstimator(BaseEstimator):
    """What the estimators share: checked data, a search, and a drawing of the network."""

    network_: SparseMLP
    _numbers = False  # whether numbers are predicted, not classes

    # ---- data

    def _inputs(self, X: Any, *, reset: bool) -> Any:
        """Return checked inputs as float32: an array, or CSR or CSC if they are sparse."""
        with np.errstate(over="ignore"):  # an overflow is infinite, which scikit-learn refuses
            return validate_data(
                self, X, reset=reset, accept_sparse=("csr", "csc"), dtype=np.float32, order="C"
            )

    def _inputs_and_targets(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, NDArray[Any]]:
        """Return checked inputs and targets."""
        with np.errstate(over="ignore"):
            X, y = validate_data(
                self, X, y, reset=reset, accept_sparse=("csr", "csc"), dtype=np.float32, order="C",
                multi_output=self._numbers, y_numeric=self._numbers,
            )  # fmt: skip
        if not self._numbers:
            try:
                check_classification_targets(y)
            except ValueError as error:
                raise ValueError(f"{error} PrunedMLPRegressor takes numbers.") from None
        return X, y

    def _weights(self, sample_weight: Any, n: int, name: str = "sample_weight") -> Any:
        """Return checked weights of samples, or None."""
        if sample_weight is None:
            return None
        weights = np.asarray(sample_weight, np.float64)
        if weights.ndim == 0:
            weights = np.full(n, weights)
        if weights.ndim != 1:
            raise ValueError(f"{name} must be 1D array or scalar, got {weights.ndim}D array")
        if weights.shape != (n,):
            raise ValueError(f"{name}.shape == {weights.shape}, expected {(n,)}!")
        if not np.isfinite(weights).all():
            raise ValueError(f"{name} contains NaN or infinity.")
        if (weights < 0.0).any():
            raise ValueError(f"Negative values in data passed to `{name}`.")
        if not weights.any():
            raise ValueError(f"{name} must contain at least one non-zero number, all are zero.")
        return weights

    def _input_names(self) -> list[str] | None:
        """Return the names of the columns, unless one occurs twice."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None or len(set(names)) < len(names) else names.tolist()

    # ---- what parameters mean

    @property
    def _threads(self) -> int:
        return int(effective_n_jobs(self.n_jobs))

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _hidden(self) -> tuple[int, ...] | None:
        """Return the hidden neurons of each layer, or None if the folds choose."""
        sizes = self.hidden_layer_sizes
        if sizes is None:
            return None
        if isinstance(sizes, str) or not isinstance(sizes, Iterable):
            sizes = () if check_int("hidden_layer_sizes", sizes, 0) == 0 else (sizes,)
        return tuple(check_int("each of hidden_layer_sizes", n, 1) for n in sizes)

    def _candidates(self) -> list[Candidate] | None:
        """Return what the folds choose among: the penalties only, if the layers are given."""
        hidden = self._hidden()
        if hidden is None:
            return None
        return [replace(c, hidden=hidden) for c in CANDIDATES if bool(c.hidden) == bool(hidden)]

    def _class_weight(self, classes: NDArray[Any], y: NDArray[Any]) -> Any:
        """Return the weights of classes by what the network calls them."""
        if self.class_weight is None or isinstance(self.class_weight, str):
            if self.class_weight not in (None, "balanced"):
                raise ValueError(
                    f"class_weight must be a dict, 'balanced' or None, got {self.class_weight!r}"
                )
            return self.class_weight
        weights = compute_class_weight(self.class_weight, classes=classes, y=y)
        return dict(zip(_plain(classes).tolist(), weights.tolist(), strict=True))

    def _tell(self, done: int, total: int, what: str = "trainings") -> None:
        print(f"[{type(self).__name__}] {done} of {total} {what}")

    # ---- the search

    def _learn_targets(self, y: NDArray[Any]) -> None:
        """Set the number of outputs, or the classes; raise if there is only one."""
        if self._numbers:
            self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
            return
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least two classes, but the data "
                f"contains only one class: {self.classes_[0]!r}"
            )

    def _full_network(self, n_features: int, hidden: tuple[int, ...]) -> SparseMLP:
        """Return a network that is not trained."""
        net = SparseMLP(
            (n_features, *hidden, self._n_outputs()),
            loss="squared_error" if self._numbers else "auto",
            init_scale=0.3,
            input_scaling="standard",
            seed=self._seed(),
        )
        net.input_names = self._input_names()
        return net

    def _n_outputs(self) -> int:
        if self._numbers:
            return self.n_outputs_
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def _weight_of_classes(self, y: NDArray[Any]) -> Any:
        if self._numbers:
            return getattr(self, "class_weight", None)  # which networks of numbers refuse
        return self._class_weight(self.classes_, y)

    def _plain_targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return targets as networks take them."""
        return y.astype(np.float64) if self._numbers else _plain(y)

    @property
    def _metric(self) -> Any:
        auto = isinstance(self.metric, str) and self.metric == "auto"
        return "r2" if auto and self._numbers else self.metric

    def _counted(self, X: Any, y: NDArray[Any], sample_weight: Any) -> tuple[Floats, Any, Any]:
        """Return dense rows of a weight above 0, their targets and their weights or None."""
        weights = self._weights(sample_weight, len(y))
        if weights is None or weights.all():
            return _dense(X), y, weights
        rows = np.flatnonzero(weights)
        return _dense(X[rows]), y[rows], weights[rows]

    def _search(
        self,
        X: Any,
        y: NDArray[Any],
        sample_weight: Any,
        validation: tuple[Any, Any, Any],
        **options: Any,
    ) -> SearchResult:
        """Learn what y holds, and return what `smallest_network` finds."""
        X, y, weights = self._counted(X, y, sample_weight)
        self._learn_targets(y)
        if len(y) < 5 and validation[0] is None:
            raise ValueError(
                f"{type(self).__name__} needs 5 rows or more, one a fold, got n_samples = {len(y)}"
            )
        return smallest_network(
            X,
            self._plain_targets(y),
            weights,
            max_drop=0.005 if self.max_drop is None else self.max_drop,
            as_numbers=self._numbers,
            metric=self._metric,
            class_weight=self._weight_of_classes(y),
            validation=self._validation(*validation),
            candidates=self._candidates(),
            max_updates=self.max_updates,
            seed=self._seed(),
            input_names=self._input_names(),
            threads=self._threads,
            callback=self._tell if self.verbose else None,
            **options,
        )

    def _validation(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any] | None:
        """Return the rows that judge in place of folds, or None."""
        given = {"X_val": X, "y_val": y, "sample_weight_val": sample_weight}
        if X is None and y is None and sample_weight is None:
            return None
        for name in ("X_val", "y_val"):
            if given[name] is None:
                others = [other for other, value in given.items() if value is not None]
                raise ValueError(f"{others[0]} is provided, but {name} was not provided.")
        X = self._inputs(X, reset=False)
        y = (
            check_array(y, ensure_2d=False, dtype=np.float64, input_name="y_val")
            if self._numbers
            else column_or_1d(y, warn=True)
        )
        if not self._numbers and len(unknown := np.setdiff1d(y, self.classes_)):
            raise ValueError(f"y_val contains labels that y does not: {shown(unknown.tolist())}")
        weights = self._weights(sample_weight, len(y), "sample_weight_val")
        return _dense(X), self._plain_targets(y), weights

    # ---- what it shows

    def _repr_html_inner(self) -> str:
        return str(super()._repr_html_inner()) + self._drawing()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += self._drawing()
        return bundle

    def _drawing(self) -> str:
        """Return the network as SVG, "" before there is one."""
        if not hasattr(self, "network_"):
            return ""
        return _svg(self.network_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _PrunedMLP(_NetworkEstimator):
    """What classifier and regressor share: fitting, and what a fitted network tells."""

    def __init__(
        self,
        *,
        max_drop: float = 0.005,
        max_synapses: int | None = None,
        metric: str = "auto",
        hidden_layer_sizes: int | tuple[int, ...] | None = None,
        max_updates: int | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        self.max_drop = max_drop
        self.max_synapses = max_synapses
        self.metric = metric
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_updates = max_updates
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Find the smallest network that keeps the score, and train it on all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
            A sparse one is made dense in float32, 4 bytes a cell.
        y : array-like, shape (n,), or of numbers (n, n_outputs)
            Classes of a classifier, numbers of a regressor.
        sample_weight : array-like, shape (n,), optional
            How much each row counts, in training and where it judges networks.
        X_val, y_val, sample_weight_val : optional
            Rows that judge networks in place of folds; no network is trained on them.

        Returns
        -------
        PrunedMLPClassifier or PrunedMLPRegressor
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            If data or parameters do not fit; before any training.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = PrunedMLPClassifier(hidden_layer_sizes=0, max_updates=300, random_state=0)
        >>> classifier.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2]).classes_.tolist()
        [0, 1, 2]
        """
        again = self.warm_start and hasattr(self, "network_")
        X, y = self._inputs_and_targets(X, y, reset=not again)
        if again:
            if any(given is not None for given in (X_val, y_val, sample_weight_val)):
                raise ValueError(
                    "X_val and y_val do not apply to a warm start, which chooses nothing"
                )
            return self._fit_again(X, y, self._weights(sample_weight, len(y)))
        validation = X_val, y_val, sample_weight_val
        self._keep(self._search(X, y, sample_weight, validation, max_synapses=self.max_synapses))
        return self

    def _fit_again(self, X: Any, y: NDArray[Any], weights: Any) -> Self:
        """Train the network that is there on other rows."""
        self._check_same_targets(y)
        class_weight = self._weight_of_classes(y)
        if class_weight is None and self.metric_ == "balanced_accuracy":
            class_weight = "balanced"
        training = Training(batch_size=BATCH_SIZE, class_weight=class_weight)
        training = recipe_of_full(training, 0.0, len(y), self.max_updates)
        self._train(self.network_.copy(), X, self._plain_targets(y), weights, training)
        self.n_iter_ = len(self.loss_curve_)
        return self

    def _one_pass(self, X: Any, y: NDArray[Any], weights: Any, training: Training) -> Self:
        """Train one pass over some rows; the first one makes a full network."""
        first = not hasattr(self, "network_")
        training = replace(recipe_of_full(training, 0.0, len(y), None), epochs=1, lr_schedule=None)
        if first:
            hidden = self._hidden()
            net = self._full_network(X.shape[1], _HIDDEN if hidden is None else hidden)
            classes = None if self._numbers else _plain(self.classes_)
            net.prepare(_dense(X), self._plain_targets(y), classes)
        else:
            net = self.network_.copy()
        before = [] if first else self.loss_curve_
        self._train(net, X, self._plain_targets(y), weights, training)
        self.loss_curve_ = before + self.loss_curve_
        self.n_iter_ = len(self.loss_curve_)
        return self

    def _check_same_targets(self, y: NDArray[Any]) -> None:
        """Raise unless the network that is there can learn these targets."""
        if self._numbers:
            n_outputs = 1 if y.ndim == 1 else y.shape[1]
            if n_outputs != self.n_outputs_:
                raise ValueError(
                    "warm_start can only be used where `y` has as many outputs as in the previous "
                    f"call to fit, {self.n_outputs_}, got {n_outputs}"
                )
        elif not np.array_equal(np.unique(y), self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {np.unique(y)}"
            )

    def _of_network(self, X: Any, ask: Callable[[SparseMLP, Any], NDArray[Any]]) -> NDArray[Any]:
        """Return what a network is asked of rows, of sparse ones some at a time."""
        check_is_fitted(self)
        X = self._inputs(X, reset=False)
        if not issparse(X):
            return ask(self.network_, X)
        net = _on_used_inputs(self.network_)
        parts = _dense_rows(X[:, self.network_.used_inputs], net.n_features)
        return np.concatenate([ask(net, part) for part in parts])

    loss_curve_: list[float]

    def _keep(self, result: SearchResult) -> None:
        """Set what the search found."""
        self.network_ = result.network
        self.path_: PruningPath = result.path
        self.curve_: list[CurvePoint] = result.curve
        self.expected_: Estimate = result.expected
        self.metric_ = result.metric
        self.loss_curve_ = result.loss_curve
        self.n_iter_ = len(result.loss_curve)

    def _train(
        self, net: SparseMLP, X: Any, y: NDArray[Any], weights: Any, training: Training
    ) -> None:
        """Train a network further and make it this estimator's."""
        losses: list[float] = []

        def callback(progress: Progress) -> None:
            losses.append(progress.loss)

        net.fit(_dense(X), y, weights, training=training, threads=self._threads, callback=callback)
        self.network_ = net
        self.loss_curve_ = losses

    # ---- what the network is

    @property
    def structure_(self) -> str:
        """Used inputs, hidden neurons of each layer, outputs: "465-20-10"."""
        check_is_fitted(self)
        return self.network_.structure

    @property
    def n_synapses_(self) -> int:
        """Number of synapses; biases do not count."""
        check_is_fitted(self)
        return self.network_.n_synapses

    @property
    def coefs_(self) -> list[NDArray[np.float64]]:
        """Weights of each layer as a dense array, shape (n_in, n_out), 0 where no synapse is.

        Those of the first layer apply to X as it is: the input scaling is contained in them and in
        the first `intercepts_`.
        """
        return self._parameters()[0]

    @property
    def intercepts_(self) -> list[NDArray[np.float64]]:
        """Biases of each layer, shape (n_out,); see `coefs_`."""
        return self._parameters()[1]

    def _parameters(self) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
        check_is_fitted(self)
        layers = self.network_.weights
        coefs = [w.to_dense().T.astype(np.float64) for w in layers]
        intercepts = [w.bias.astype(np.float64) for w in layers]
        shift, scale = (a.astype(np.float64) for a in self.network_.input_transform)
        coefs[0] *= scale[:, None]
        intercepts[0] -= shift @ coefs[0]
        return coefs, intercepts

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Share of each input in the strengths of all paths to the outputs, shape (n_features,).

        A path's strength is the product of its |w| on standardised inputs, as in
        `explain.feature_energy`. The sum is 1; unused inputs have 0.
        """
        check_is_fitted(self)
        energy = explain.mean_feature_energy(self.network_)
        shares: NDArray[np.float64] = energy / max(float(energy.sum()), 1e-300)
        return shares


class PrunedMLPClassifier(ClassifierMixin, _PrunedMLP):
    """The smallest network that keeps the accuracy, as a classifier of scikit-learn.

    `fit` is `smallest_network`: cross-validation within the training rows chooses between linear
    classifiers and networks of one hidden layer, and how many synapses they keep. Inputs are
    standardised whatever their dtype, so that equal numbers give equal networks.

    Parameters
    ----------
    max_drop : float
        How much of the best full network's score may be lost, in the metric's units.
    max_synapses : int, optional
        The most synapses, whether or not these keep the score.
    metric : str or callable
        As in `smallest_network`: "auto" is accuracy, or balanced accuracy where one class has over
        80 % of the rows.
    hidden_layer_sizes : int or tuple of int, optional
        Hidden neurons of each layer before pruning, 0 for a linear classifier; chosen between 0 and
        100 if left out.
    max_updates : int, optional
        The most updates of one training, such as 500 to search a grid quickly; 4000 to 30000, by
        the rows, if left out.
    class_weight : dict or "balanced", optional
        As elsewhere in scikit-learn. Left out, classes count equally if the metric is balanced
        accuracy.
    random_state : int, RandomState or None
        Of folds, initial weights and orders of samples.
    n_jobs : int, optional
        Networks that are trained at a time, each in a thread; 1 if left out, -1 for all cores.
        Results do not depend on it.
    warm_start : bool
        Whether `fit` trains the pruned network of the last `fit` further, without another search.
    verbose : int
        Whether progress is printed.

    Attributes
    ----------
    network_ : SparseMLP
        The pruned network.
    classes_ : ndarray, shape (n_classes,)
    structure_ : str
        Used inputs, hidden neurons, outputs: "2-1".
    n_synapses_ : int
    coefs_, intercepts_ : list of ndarray
        As in `sklearn.neural_network.MLPClassifier`, for X that is not scaled.
    feature_importances_ : ndarray, shape (n_features,)
        Share of each input in the strengths of all paths; unused inputs have 0.
    expected_ : Estimate
        The metric on fresh data, as the folds tell.
    metric_ : str or callable
        What "auto" stands for.
    path_ : PruningPath
        From the full network to the pruned one; of the last search.
    curve_ : list of CurvePoint
        Sizes and their scores; of the last search.
    loss_curve_ : list of float
        Mean training loss after each epoch; `partial_fit` adds one.
    n_iter_ : int
        Epochs.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        If X had names.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> X, y = make_classification(300, n_informative=3, n_redundant=0, random_state=0)
    >>> classifier = PrunedMLPClassifier(max_updates=500, random_state=0).fit(X, y)
    >>> classifier.n_synapses_ < classifier.path_.steps[0].n_synapses
    True
    >>> bool(classifier.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        *,
        max_drop: float = 0.005,
        max_synapses: int | None = None,
        metric: str = "auto",
        hidden_layer_sizes: int | tuple[int, ...] | None = None,
        max_updates: int | None = None,
        class_weight: Any = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            max_drop=max_drop,
            max_synapses=max_synapses,
            metric=metric,
            hidden_layer_sizes=hidden_layer_sizes,
            max_updates=max_updates,
            random_state=random_state,
            n_jobs=n_jobs,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one pass over some rows; nothing is pruned.

        After `fit` this trains the pruned network further. Before any `fit` it trains a full one
        of `hidden_layer_sizes`, or 100 hidden neurons; the first rows standardise its inputs.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
        y : array-like, shape (n,)
            Classes.
        classes : array-like, optional
            All classes that will ever come; needed at the first call.
        sample_weight : array-like, shape (n,), optional

        Returns
        -------
        PrunedMLPClassifier
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            If data or parameters do not fit; before any training.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = PrunedMLPClassifier(hidden_layer_sizes=4, random_state=0)
        >>> for _ in range(30):
        ...     _ = classifier.partial_fit(X, y, classes=[0, 1, 2])
        >>> classifier.structure_, classifier.n_iter_
        ('4-4-3', 30)
        """
        first = not hasattr(self, "network_")
        X, y = self._inputs_and_targets(X, y, reset=first)
        weights = self._weights(sample_weight, len(y))
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        known = self.classes_ if classes is None else unique_labels(classes)
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        unknown = np.setdiff1d(y, known)
        if len(unknown):
            raise ValueError(f"y contains labels that classes does not: {shown(unknown.tolist())}")
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit. In order to use "
                "'balanced' weights, use compute_class_weight('balanced', classes=classes, y=y). "
                "Pass the resulting weights as the class_weight parameter."
            )
        if first:
            self._learn_targets(known)
        training = Training(batch_size=BATCH_SIZE, class_weight=self._class_weight(known, y))
        return self._one_pass(X, y, weights, training)

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
            Of a sparse one, only the columns that the network uses are made dense, some thousand
            rows at a time.

        Returns
        -------
        ndarray of float32, shape (n, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            If the estimator is not fitted, or X does not fit.
        """
        return self._of_network(X, lambda net, rows: net.predict_proba(rows, threads=self._threads))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most likely class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
            As in `predict_proba`.

        Returns
        -------
        ndarray, shape (n,)

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `predict_proba`.
        """
        probabilities = self.predict_proba(X)
        predicted: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return predicted


class PrunedMLPRegressor(RegressorMixin, _PrunedMLP):
    """The smallest network that keeps R², as a regressor of scikit-learn.

    As `PrunedMLPClassifier`, for one number or several. Targets are standardised inside.

    Parameters
    ----------
    max_drop : float
        How much of the best full network's score may be lost: of R² or a callable in its units, of
        an error a share of it.
    max_synapses : int, optional
        The most synapses, whether or not these keep the score.
    metric : str or callable
        "auto" is "r2"; others are "neg_root_mean_squared_error", "neg_mean_absolute_error" and
        functions, as in `smallest_network`.
    hidden_layer_sizes : int or tuple of int, optional
        Hidden neurons of each layer before pruning, 0 for a linear model; chosen between 0 and 100
        if left out.
    max_updates, random_state, n_jobs, warm_start, verbose
        As in `PrunedMLPClassifier`.

    Attributes
    ----------
    network_ : SparseMLP
        The pruned network.
    structure_, n_synapses_, coefs_, intercepts_, feature_importances_
        What it is, as in `PrunedMLPClassifier`. Outputs of the last layer are standardised targets.
    expected_, metric_, path_, curve_, loss_curve_, n_iter_
        How it was found, as in `PrunedMLPClassifier`.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        If X had names.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> X, y = make_friedman1(300, random_state=0)
    >>> regressor = PrunedMLPRegressor(max_updates=1000, random_state=0).fit(X, y)
    >>> bool(regressor.score(X, y) > 0.8)
    True
    """

    _numbers = True

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one pass over some rows; nothing is pruned.

        After `fit` this trains the pruned network further. Before any `fit` it trains a full one
        of `hidden_layer_sizes`, or 100 hidden neurons; the first rows standardise inputs and
        targets.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
        y : array-like, shape (n,) or (n, n_outputs)
        sample_weight : array-like, shape (n,), optional

        Returns
        -------
        PrunedMLPRegressor
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            If data or parameters do not fit; before any training.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> regressor = PrunedMLPRegressor(hidden_layer_sizes=4, random_state=0)
        >>> for _ in range(30):
        ...     _ = regressor.partial_fit(X, y)
        >>> regressor.structure_, regressor.n_iter_
        ('10-4-1', 30)
        """
        first = not hasattr(self, "network_")
        X, y = self._inputs_and_targets(X, y, reset=first)
        weights = self._weights(sample_weight, len(y))
        if first:
            self._learn_targets(y)
        self._check_same_targets(y)
        return self._one_pass(X, y, weights, Training(batch_size=BATCH_SIZE))

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the numbers of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
            As in `PrunedMLPClassifier.predict_proba`.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_outputs)

        Raises
        ------
        NotFittedError, TypeError, ValueError
            If the estimator is not fitted, or X does not fit.
        """
        return self._of_network(X, lambda net, rows: net.predict(rows, threads=self._threads))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class NetworkSelector(SelectorMixin, _NetworkEstimator):
    """Keep the columns that a small network needs, as a feature selector of scikit-learn.

    These are the inputs of the smallest network that keeps the score, or with
    `n_features_to_select` or `max_cost` those that are left when a network is trained and loses one
    input after another. With `n_resamples` they are those that live in most of many repetitions.
    A target of floats that are not whole is one of numbers, not of classes.

    Parameters
    ----------
    n_features_to_select : int or float, optional
        Exactly so many columns (of groups, so many groups), or this share of them. Left out beside
        `max_cost`, as many as that allows; without it, `max_drop` decides.
    groups : array-like of shape (n_features,) or dict, optional
        A label of each column, or labels by the columns' names. Columns of equal labels are kept or
        dropped together, such as those of one category or sensor; a column that a dict leaves out
        is alone. Without `n_features_to_select` and `max_cost`, whole groups are kept of which the
        smallest network uses a column. See `synaprune.InputBudget`.
    costs : array-like of float, shape (n_features,), or dict, optional
        What a column costs, above 0: its score is divided by that when columns are ranked. A dict
        holds costs by the columns' names. With groups they are those of groups, each counted once:
        equal for all columns of a group, or in a dict by the groups' labels. Only with
        `n_features_to_select` or `max_cost`.
    max_cost : float, optional
        The most that all columns that are kept may cost. Needs `costs`.
    n_resamples : int, optional
        Stability selection (Meinshausen & Bühlmann, 2010): the selection is repeated on so many
        halves of the rows, stratified by class, which come in complementary pairs (Shah &
        Samworth, 2013), so that the number is even. 50 to 100 are usual.
    threshold : float
        In what share of the halves a column has to be selected, with `n_resamples`.
    max_drop : float, optional
        How much of the best full network's score may be lost, in the metric's units; 0.005 if left
        out. Not beside `n_features_to_select` or `max_cost`.
    metric : str or callable
        As in `PrunedMLPClassifier`; with `n_features_to_select` or `max_cost` it stays "auto".
    hidden_layer_sizes : int or tuple of int, optional
        As in `PrunedMLPClassifier`; with `n_features_to_select` or `max_cost` it is 100 if left
        out.
    max_updates, class_weight, random_state, n_jobs, verbose
        As in `PrunedMLPClassifier`.

    Attributes
    ----------
    support_ : ndarray of bool, shape (n_features,)
        Which columns are kept.
    n_features_ : int
        How many.
    network_ : SparseMLP
        The network that uses them. With `n_resamples`, one of `hidden_layer_sizes` (100 if left
        out) that is trained on all rows with them alone, and not pruned.
    frequencies_ : ndarray of float64, shape (n_features,)
        The share of the halves in which each column, or its group, was selected; with
        `n_resamples`.
    pfer_bound_ : float
        With `n_resamples`, q² / ((2 threshold - 1) p), where a half selects q of p columns (or
        groups) on average: the most columns to expect in `support_` that half of the rows would
        select with a probability of q / p at most, as if at random (Shah & Samworth, 2013, theorem
        1; the per-family error rate of Meinshausen & Bühlmann). Infinite for a threshold of 0.5 or
        less.
    groups_ : ndarray of object, shape (n_features,)
        The label of each column's group, if there are groups.
    classes_ : ndarray, shape (n_classes,)
        Not where numbers are predicted.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        If X had names.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 8))
    >>> selector = NetworkSelector(2, max_updates=500, random_state=0).fit(X, X[:, 2] > X[:, 5])
    >>> selector.get_support(indices=True).tolist(), selector.transform(X).shape
    ([2, 5], (400, 2))

    How often does a column live on halves of the rows?

    >>> selector.set_params(n_resamples=10, max_updates=200).fit(X, X[:, 2] > X[:, 5])
    NetworkSelector(max_updates=200, n_features_to_select=2, n_resamples=10,
                    random_state=0)
    >>> selector.frequencies_[[2, 5]].tolist(), round(selector.pfer_bound_, 6)
    ([1.0, 1.0], 2.5)
    """

    def __init__(
        self,
        n_features_to_select: float | None = None,
        *,
        groups: Any = None,
        costs: Any = None,
        max_cost: float | None = None,
        n_resamples: int | None = None,
        threshold: float = 0.6,
        max_drop: float | None = None,
        metric: Any = "auto",
        hidden_layer_sizes: int | tuple[int, ...] | None = None,
        max_updates: int | None = None,
        class_weight: Any = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_features_to_select = n_features_to_select
        self.groups = groups
        self.costs = costs
        self.max_cost = max_cost
        self.n_resamples = n_resamples
        self.threshold = threshold
        self.max_drop = max_drop
        self.metric = metric
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_updates = max_updates
        self.class_weight = class_weight
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Find the columns.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
            A sparse one is made dense in float32, 4 bytes a cell; `transform` keeps it sparse.
        y : array-like, shape (n,), or of numbers (n, n_outputs)
            Classes or numbers.
        sample_weight : array-like, shape (n,), optional
            How much each row counts, in training and where it judges networks.
        X_val, y_val, sample_weight_val : optional
            As in `PrunedMLPClassifier.fit`; not with `n_features_to_select`, `max_cost` or
            `n_resamples`.

        Returns
        -------
        NetworkSelector
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            If data or parameters do not fit; before any training.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> selector = NetworkSelector(0.5, max_updates=500, random_state=0).fit(X, y)
        >>> selector.get_feature_names_out().tolist()
        ['petal length (cm)', 'petal width (cm)']
        """
        self._numbers = _is_continuous(y)
        X, y = self._inputs_and_targets(X, y, reset=True)
        validation = X_val, y_val, sample_weight_val
        self._check_together(any(given is not None for given in validation))
        labels = self._labels(X.shape[1])
        budget = self._budget(labels)
        for name in ("frequencies_", "pfer_bound_", "groups_"):  # of another fit
            if hasattr(self, name):
                delattr(self, name)
        if self.groups is not None:
            self.groups_ = np.empty(len(labels), object)
            self.groups_[:] = labels
        if self.n_resamples is None:
            self.network_ = self._select(X, y, sample_weight, validation, budget)
            self.support_ = InputUnits(budget, X.shape[1]).living(self.network_)
        else:
            self._resample(*self._counted(X, y, sample_weight), budget)
        self.n_features_ = int(self.support_.sum())
        return self

    # ---- what parameters mean

    @property
    def _asked(self) -> str:
        """The parameter that says how many columns are kept, "" if the search decides."""
        asked = ("n_features_to_select", "max_cost")
        return next((name for name in asked if getattr(self, name) is not None), "")

    def _check_together(self, judged: bool) -> None:
        """Raise if one parameter makes another, or rows that judge, meaningless."""
        if self._asked and (self.max_drop is not None or self.metric != "auto"):
            raise ValueError(
                f"max_drop and metric do not apply if {self._asked} is given, got "
                f"max_drop={self.max_drop!r}, metric={self.metric!r}"
            )
        if self._asked and judged:
            raise ValueError(
                f"X_val and y_val do not apply if {self._asked} is given, as nothing is judged then"
            )
        if self.max_cost is not None and self.costs is None:
            raise ValueError(f"max_cost needs costs, got max_cost={self.max_cost!r} alone")
        if self.costs is not None and not self._asked:
            raise ValueError("costs apply only with n_features_to_select or max_cost, got neither")
        if self.n_resamples is None:
            if self.threshold != 0.6:
                raise ValueError(
                    f"threshold applies only with n_resamples, got threshold={self.threshold!r} "
                    "alone"
                )
            return
        if check_int("n_resamples", self.n_resamples, 2) % 2:
            raise ValueError(
                "n_resamples must be even, as halves come in complementary pairs, got "
                f"{self.n_resamples}"
            )
        check_float("threshold", self.threshold, 0.0, 1.0, open_low=True)
        if judged:
            raise ValueError("X_val and y_val do not apply if n_resamples is given")

    def _labels(self, n_features: int) -> list[Any]:
        """Return the label of each column's group: its name, or number, if it has no group."""
        names: list[Any] = list(self._input_names() or range(n_features))
        if self.groups is None:
            return names
        if not isinstance(self.groups, Mapping):
            return as_list("groups", self.groups)
        if unknown := [name for name in self.groups if name not in names]:
            raise ValueError(f"groups: X has no column {listing(unknown)}")
        return [self.groups.get(name, name) for name in names]

    def _budget(self, labels: list[Any]) -> InputBudget:
        """Return which columns belong together, what they cost, and how many are kept."""
        budget = InputBudget(1, groups=None if self.groups is None else labels)
        costs = self.costs
        if isinstance(costs, Mapping):
            what = "column" if self.groups is None else "group"
            if missing := [label for label in dict.fromkeys(labels) if label not in costs]:
                raise ValueError(f"costs: no cost of {what} {listing(missing)}")
            if unknown := [label for label in costs if label not in labels]:
                raise ValueError(f"costs: X has no {what} {listing(unknown)}")
            costs = [costs[label] for label in labels]
        budget = replace(budget, costs=costs)
        prices = InputUnits(budget, self.n_features_in_).costs
        n = None if self.n_features_to_select is None else self._n(len(prices))
        if self.max_cost is None:
            return replace(budget, n=n or len(prices))
        max_cost = check_float("max_cost", self.max_cost, 0.0, open_low=True)
        if max_cost < prices.min():
            raise ValueError(
                f"max_cost must be at least {prices.min():g}, the least of the costs, "
                f"got {max_cost:g}"
            )
        return replace(budget, n=n, cost=max_cost)

    def _n(self, n_features: int) -> int:
        """Return how many columns, or groups, to keep."""
        n = self.n_features_to_select
        if isinstance(n, float | np.floating):
            share = check_float("n_features_to_select", n, 0.0, 1.0, open_low=True)
            return max(1, int(share * n_features))
        return check_int("n_features_to_select", n, 1, n_features)

    # ---- the selection

    def _select(
        self,
        X: Any,
        y: NDArray[Any],
        weights: Any,
        validation: tuple[Any, Any, Any],
        budget: InputBudget,
    ) -> SparseMLP:
        """Return a network that uses the columns to keep."""
        if not self._asked:
            return self._search(X, y, weights, validation).network
        X, y, weights = self._counted(X, y, weights)
        self._learn_targets(y)
        y = self._plain_targets(y)
        return at_a_rate_that_converges(lambda lr: self._cut_at(lr, budget, X, y, weights))

    def _cut_at(
        self, lr: float, budget: InputBudget, X: Floats, y: NDArray[Any], weights: Any
    ) -> SparseMLP:
        """Return a network that lost the inputs that exceed a budget."""
        net, training = self._trained(lr, X, y, weights)
        # Cut after that: before it has learned, a network does not know which inputs it needs.
        assert training.epochs is not None
        training = replace(training, epochs=max(2, training.epochs // 2), lr_schedule=None)
        path = prune(
            net, X, y, weights, validation=(X[:1], y[:1]), n_inputs=budget, strategy=Gradual(),
            criterion=Criterion("magnitude"), training=training, threads=self._threads,
            callback=self._tell_epoch if self.verbose else None,
        )  # fmt: skip
        return path.smallest

    def _trained(
        self,
        lr: float,
        X: Floats,
        y: NDArray[Any],
        weights: Any,
        unused: NDArray[Any] | None = None,
    ) -> tuple[SparseMLP, Training]:
        """Return a trained network that lacks some inputs, and by which recipe it was trained."""
        hidden = self._hidden()
        net = self._full_network(X.shape[1], _HIDDEN if hidden is None else hidden)
        if unused is not None:
            net = net.without(inputs=unused)
        training = Training(
            batch_size=BATCH_SIZE,
            class_weight=self._weight_of_classes(y),
            max_gradient_norm=_MAX_NORM,
        )
        # An L1 penalty and the size of weights tell what matters from noise that was learned by
        # heart; gradients do not, since what is learned by heart leaves none.
        training = recipe_of_full(training, 3e-3, len(y), self.max_updates, lr)
        callback = self._tell_epoch if self.verbose else None
        net.fit(X, y, weights, training=training, threads=self._threads, callback=callback)
        return net, training

    def _resample(self, X: Floats, y: NDArray[Any], weights: Any, budget: InputBudget) -> None:
        """Repeat the selection on halves of the rows; keep what lives in most of them."""
        self._learn_targets(y)
        self._check_halves(y)
        rng = np.random.default_rng(self._seed())
        assert self.n_resamples is not None
        n = self.n_resamples
        seeds = rng.integers(np.iinfo(np.int32).max, size=n).tolist()
        halves = _halves(None if self._numbers else y, len(y), n, rng)
        living = Parallel(self.n_jobs, require="sharedmem", return_as="generator")(
            delayed(self._selected)(
                X[rows], y[rows], None if weights is None else weights[rows], budget, seed
            )
            for rows, seed in zip(halves, seeds, strict=True)
        )
        counts = np.zeros(X.shape[1], np.int64)
        for done, columns in enumerate(living, 1):
            counts += columns
            if self.verbose:
                self._tell(done, n, "halves")
        self.frequencies_ = counts / n
        self.support_ = self.frequencies_ >= self.threshold
        # of each column or group once
        shares = self.frequencies_[np.unique(InputUnits(budget, X.shape[1]).of, True)[1]]
        excess = 2.0 * self.threshold - 1.0
        bound = float(shares.sum() ** 2 / len(shares))
        self.pfer_bound_ = bound / excess if excess > 0.0 else math.inf
        y, unused = self._plain_targets(y), np.flatnonzero(~self.support_)
        self.network_ = at_a_rate_that_converges(
            lambda lr: self._trained(lr, X, y, weights, unused)[0]
        )

    def _check_halves(self, y: NDArray[Any]) -> None:
        """Raise if halves of the rows would be too few."""
        if not self._asked and len(y) < 10:
            raise ValueError(
                f"n_resamples needs 10 rows or more, 5 in each half, got n_samples = {len(y)}"
            )
        least = 2 if self._asked else 4
        if not self._numbers and (np.unique(y, return_counts=True)[1] >= least).sum() < 2:
            raise ValueError(
                f"n_resamples needs two classes of {least} rows or more, as it halves them"
            )

    def _selected(
        self, X: Floats, y: NDArray[Any], weights: Any, budget: InputBudget, seed: int
    ) -> NDArray[np.bool_]:
        """Return which columns are selected on some rows, on one thread."""
        other = clone(self).set_params(random_state=seed, n_jobs=1, verbose=0)
        other._numbers = self._numbers
        net = other._select(X, y, weights, (None, None, None), budget)
        return InputUnits(budget, X.shape[1]).living(net)

    def _tell_epoch(self, progress: Progress) -> None:
        print(f"[{type(self).__name__}] epoch {progress.epoch} of {progress.epochs}")

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        support: NDArray[np.bool_] = self.support_
        return support

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def register_skl2onnx() -> None:
    """Let skl2onnx convert these estimators, alone and in pipelines; call it once.

    Inputs may be floats of 32 or 64 bits, ints or bools. Labels and probabilities, and the options
    "zipmap", "nocl" and "output_class_labels", are those that skl2onnx has for its classifiers.

    Raises
    ------
    ImportError
        If skl2onnx is not installed; the extra "skl2onnx" brings it.

    Examples
    --------
    >>> from skl2onnx import to_onnx  # doctest: +SKIP
    >>> register_skl2onnx()  # doctest: +SKIP
    >>> pipeline = make_pipeline(StandardScaler(), PrunedMLPClassifier())  # doctest: +SKIP
    >>> model = to_onnx(pipeline.fit(X, y), X[:1], options={"zipmap": False})  # doctest: +SKIP
    """
    from synaprune.export.skl2onnx import register

    register(PrunedMLPClassifier, PrunedMLPRegressor, NetworkSelector)


def _plain(y: NDArray[Any]) -> NDArray[Any]:
    """Return labels as networks take them: whole numbers as ints, objects as strings."""
    if y.dtype.kind == "f":
        return y.astype(np.int64)
    return y if y.dtype.kind in "iub" else y.astype(np.str_)


def _is_continuous(y: Any) -> bool:
    """Return whether floats are not all whole, as scikit-learn's type_of_target has it."""
    numbers = np.asarray(y)
    finite = numbers.dtype.kind == "f" and bool(np.isfinite(numbers).all())
    return finite and bool((numbers != np.rint(numbers)).any())


def _halves(
    classes: NDArray[Any] | None, n: int, count: int, rng: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Generate random halves of n rows, two complementary ones at a time, stratified by class."""
    for _ in range(count // 2):
        order = rng.permutation(n)
        if classes is not None:
            order = order[np.argsort(classes[order], kind="stable")]
        yield order[::2]
        yield order[1::2]


def _dense(X: Any) -> Floats:
    """Return inputs as a dense array."""
    dense: Floats = X.toarray() if issparse(X) else X
    return dense


def _dense_rows(X: Any, n_columns: int) -> Iterator[Floats]:
    """Generate a sparse array as dense ones of some rows."""
    X = X.tocsr()
    rows = max(1, _CELLS // max(1, n_columns))
    for first in range(0, X.shape[0], rows):
        yield X[first : first + rows].toarray()


def _on_used_inputs(net: SparseMLP) -> SparseMLP:
    """Return an equal network that has the inputs it uses, and at least one, as its features."""
    used, (first, *others) = net.used_inputs, net.weights
    if not len(used):
        used = np.zeros(1, np.int32)
    shift, scale = net.input_transform
    small = SparseMLP(
        (len(used), *net.layers[1:]),
        activation=net.activation,
        loss=net.loss,
        input_scaling=(shift[used], scale[used]),
    )
    small._targets = net._targets
    indices = np.searchsorted(used, first.indices).astype(np.int32)
    return small.set_weights([replace(first, n_in=len(used), indices=indices), *others])


def _svg(net: SparseMLP) -> str:
    """Return a drawing: inputs on the left, outputs on the right, strong synapses thick."""
    positions = node_positions(net)
    height = 24 + 14 * min(40, max(len(level) for level in positions))
    width, left, right = 520, 130, 390

    def place(level: int, node: int) -> tuple[float, float]:
        x = left + (right - left) * level / (len(positions) - 1)
        return x, 12 + (height - 24) * positions[level][node]

    parts = []
    for level, (w, chosen) in enumerate(
        zip(net.weights, strongest_synapses(net, _SYNAPSES), strict=True)
    ):
        largest = max(float(abs(w.values).max(initial=0.0)), 1e-30)
        for source, row, value in zip(
            w.indices[chosen].tolist(), w.rows[chosen].tolist(), w.values[chosen].tolist(),
            strict=True,
        ):  # fmt: skip
            (x1, y1), (x2, y2) = place(level, source), place(level + 1, row)
            colour = "#1f77b4" if value > 0 else "#d9730d"
            parts.append(
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
                f'stroke-width="{0.2 + 2.3 * abs(value) / largest:.2f}"/>'
            )
    if net.is_regression:
        outputs = [f"y{i}" if net.layers[-1] > 1 else "y" for i in range(net.layers[-1])]
    else:
        classes = net.classes.tolist()
        outputs = classes[1:] if net.layers[-1] == 1 else classes
    for level, nodes in enumerate(positions):
        for node in nodes:
            x, y = place(level, node)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
            text, side, anchor = "", 0, ""
            if level == 0:
                text, side, anchor = net.input_name(node), -6, "end"
            elif level == len(positions) - 1:
                text, side, anchor = str(outputs[node]), 6, "start"
            if text and len(nodes) <= 40:
                parts.append(
                    f'<text x="{x + side:.1f}" y="{y + 3:.1f}" text-anchor="{anchor}">'
                    f"{html.escape(text[:20])}</text>"
                )
    told = f"{net.structure}, {net.n_synapses} synapses"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{told}" width="{width}" '
        f'height="{height}" font-size="10" font-family="sans-serif" fill="currentColor">'
        f"<title>{told}</title>{''.join(parts)}</svg>"
    )
