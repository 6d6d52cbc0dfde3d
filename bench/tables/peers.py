"""scikit-learn's classifiers and LassoNet, each behind ``fit`` and ``predict``."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers import optional

Inputs = NDArray[np.float32]
Codes = NDArray[np.int64]

_ALPHAS = 20  # that a tree's folds choose from
_FOLDS = 5
LASSONET_SECONDS = 300


def logistic_regression(X: Inputs, y: Codes, metric: str, seed: int) -> Any:
    """Fit a linear classifier."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, random_state=seed).fit(X, y)


def mlp(X: Inputs, y: Codes, metric: str, seed: int) -> Any:
    """Fit a network of 100 hidden neurons."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((100,), random_state=seed).fit(X, y)


def tree(X: Inputs, y: Codes, metric: str, seed: int) -> Any:
    """Fit a tree whose cost-complexity pruning is chosen in folds, by the metric."""
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.tree import DecisionTreeClassifier

    grown = DecisionTreeClassifier(random_state=seed)
    alphas = np.unique(np.maximum(grown.cost_complexity_pruning_path(X, y).ccp_alphas, 0.0))
    # The last ones, which prune most, stand closest: good trees have few leaves.
    chosen = np.unique(len(alphas) - np.geomspace(1, len(alphas), _ALPHAS).astype(int))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    return GridSearchCV(grown, {"ccp_alpha": alphas[chosen]}, scoring=metric, cv=folds).fit(X, y)


def boosting(X: Inputs, y: Codes, metric: str, seed: int) -> Any:
    """Fit boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=seed).fit(X, y)


def lassonet(X: Inputs, y: Codes, metric: str, seed: int) -> Any:
    """Fit a LassoNet; a TimeoutError if that takes more than 5 minutes."""
    module = optional("lassonet")
    if module is None or optional("torch") is None:
        raise ImportError("it is not installed")
    model = module.LassoNetClassifierCV(random_state=seed, torch_seed=seed, verbose=0)
    with _limit(LASSONET_SECONDS):
        return model.fit(X, y)


Fit = Callable[[Inputs, Codes, str, int], Any]
PEERS: dict[str, Fit] = {
    "lr": logistic_regression, "mlp": mlp, "tree": tree, "hgb": boosting, "lassonet": lassonet
}  # fmt: skip
TITLES = {"lr": "LR", "mlp": "MLP(100)", "tree": "tree", "hgb": "HGB", "lassonet": "LassoNet"}
ABOUT = (
    "LR is scikit-learn's LogisticRegression(max_iter=1000), MLP(100) its MLPClassifier((100,)), "
    f"tree its decision tree with ccp_alpha of {_ALPHAS} chosen in {_FOLDS} folds by the same "
    "metric, HGB its HistGradientBoostingClassifier, LassoNet a LassoNetClassifierCV that ends "
    f"within {LASSONET_SECONDS // 60} minutes; everything else as these come. They get the inputs "
    "that our TableEncoder, fitted to the training rows, makes of a table, missing values filled, "
    "and then StandardScaler. None of them weighs classes, as our call does where it counts by "
    "balanced accuracy."
)


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Raise a TimeoutError in the block after so many seconds; in the main thread only."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
