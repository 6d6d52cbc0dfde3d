"""Magnitude pruning in torch, LassoNet and pruned trees, each at the sizes that ours is asked for.

All of them train on the same rows, and choose their options by the same validation rows.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers import optional

Inputs = NDArray[np.float32]
Codes = NDArray[np.int64]

# ---- torch
SHAPES: tuple[tuple[int, ...], ...] = ((), (25,), (100,), (100, 40))
LEARNING_RATES = (1e-2, 3e-2)
L1 = (1e-4, 1e-3)  # until the last cut
BATCH_SIZE = 128
ROUNDS = 3  # of a third of the time each
_CUTS = (0.1, 0.7)  # of a training: from where to where weights are cut
_N_CUTS = 60
# ---- LassoNet
HIDDEN = 10  # with 100, the weights behind the inputs alone exceed most of the sizes
PATIENCE = 5  # times the seconds of our longest search that it may take
# ---- trees
CRITERIA = ("gini", "entropy")
_ALPHAS = 10  # of stronger pruning than the size asks for, from which validation may choose


@dataclass(frozen=True)
class Rows:
    """Encoded, standardised rows of a table; labels are class numbers from 0 on."""

    train: tuple[Inputs, Codes]
    validation: tuple[Inputs, Codes]
    test: tuple[Inputs, Codes]

    @property
    def n_classes(self) -> int:
        """Classes of the training rows."""
        return int(self.train[1].max()) + 1


@dataclass(frozen=True)
class Found:
    """A classifier of a size.

    Attributes
    ----------
    size : int
        Weights; splits and leaves of a tree.
    validation, test : float
        Shares of wrong answers.
    chosen : str
        Its options.
    """

    size: int
    validation: float
    test: float
    chosen: str


def error(said: Codes, truth: Codes) -> float:
    """Return the share of wrong answers."""
    return float(np.mean(said != truth))


# ---- magnitude pruning


class MaskedMLP:
    """A network of torch whose smallest weights, over all layers, are set to zero on the way.

    The schedule is that of Zhu & Gupta (2017, arXiv 1710.01878): the share of zeros rises as a
    cubic to what it ends with. Adam at a rate that follows a cosine, biases free.

    Parameters
    ----------
    layers : sequence of int
        The last is 1 for two classes.
    lr, l1 : float
    seed : int
    """

    def __init__(self, layers: Sequence[int], lr: float, l1: float, seed: int) -> None:
        torch = optional("torch")
        torch.manual_seed(seed)
        self.lr, self.l1 = lr, l1
        linears = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(layers)]
        for linear in linears:
            torch.nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
            torch.nn.init.zeros_(linear.bias)
        self.weights = [linear.weight for linear in linears]
        self.biases = [linear.bias for linear in linears]
        self.masks = [torch.ones_like(W) for W in self.weights]

    def fit(self, X: Inputs, y: Codes, n_synapses: int, seconds: float) -> None:
        """Train for so many seconds of CPU time and end with at most so many weights."""
        torch = optional("torch")
        rows, labels = torch.from_numpy(X), torch.from_numpy(y)
        loss_of = torch.nn.functional.cross_entropy
        if self.weights[-1].shape[0] == 1:
            labels = labels.to(torch.float32)[:, None]
            loss_of = torch.nn.functional.binary_cross_entropy_with_logits
        optimizer = torch.optim.Adam([*self.weights, *self.biases], lr=self.lr, fused=True)
        full = sum(W.numel() for W in self.weights)
        begin, cuts, done = time.process_time(), 0, 0.0
        while done < 1.0:
            for part in torch.randperm(len(labels)).split(BATCH_SIZE):
                optimizer.param_groups[0]["lr"] = self.lr * 0.5 * (1.0 + math.cos(math.pi * done))
                loss = loss_of(self._logits(rows[part]), labels[part])
                if done < _CUTS[1]:
                    loss = loss + self.l1 * sum(W.abs().sum() for W in self.weights)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    torch._foreach_mul_(self.weights, self.masks)
                done = (time.process_time() - begin) / seconds
                due = math.floor(_N_CUTS * min((done - _CUTS[0]) / (_CUTS[1] - _CUTS[0]), 1.0))
                if due > cuts:
                    cuts = due
                    share = (1.0 - cuts / _N_CUTS) ** 3
                    self._cut(round(n_synapses + (full - n_synapses) * share))
                if done >= 1.0:
                    break

    def predict(self, X: Inputs) -> Codes:
        """Return the class of each row."""
        torch = optional("torch")
        with torch.inference_mode():
            z = self._logits(torch.from_numpy(X))
            said: Codes = (z.argmax(1) if z.shape[1] > 1 else (z[:, 0] > 0).long()).numpy()
        return said

    @property
    def n_synapses(self) -> int:
        """Weights that are not masked."""
        return int(sum(mask.sum() for mask in self.masks))

    def _logits(self, x: Any) -> Any:
        torch = optional("torch")
        *hidden, last = zip(self.weights, self.biases, strict=True)
        for W, b in hidden:
            x = torch.relu(torch.nn.functional.linear(x, W, b))
        return torch.nn.functional.linear(x, *last)

    def _cut(self, n: int) -> None:
        """Mask all but the n largest weights."""
        torch = optional("torch")
        with torch.no_grad():
            sizes = torch.cat([W.abs().flatten() for W in self.weights])
            kept = torch.zeros_like(sizes)
            kept[sizes.topk(min(n, len(sizes))).indices] = 1.0
            for W, mask, part in zip(
                self.weights, self.masks, kept.split([W.numel() for W in self.weights]), strict=True
            ):
                mask.copy_(part.view_as(mask))
                W.mul_(mask)


def magnitude_pruning(rows: Rows, n_synapses: int, seconds: float, seed: int) -> Found:
    """Return the best masked network of so many weights that so much CPU time gives.

    Each shape's best rate and L1 penalty of the first round enter the second, the best shape the
    last; rounds train longer and longer, and the validation rows judge.
    """
    X, y = rows.train
    n_outputs = 1 if rows.n_classes == 2 else rows.n_classes
    entrants = list(itertools.product(SHAPES, LEARNING_RATES, L1))
    best: Found | None = None
    for place in range(ROUNDS):
        judged = {}
        for shape, lr, l1 in entrants:
            net = MaskedMLP((X.shape[1], *shape, n_outputs), lr, l1, seed)
            net.fit(X, y, n_synapses, seconds / ROUNDS / len(entrants))
            found = Found(
                net.n_synapses,
                *(error(net.predict(A), b) for A, b in (rows.validation, rows.test)),
                f"{'-'.join(map(str, shape)) or 'linear'}, lr {lr:g}, L1 {l1:g}",
            )
            judged[shape, lr, l1] = found.validation
            if best is None or found.validation <= best.validation:
                best = found
        ranked = sorted(judged, key=lambda options: judged[options])
        firsts = {shape: next(o for o in ranked if o[0] == shape) for shape, _, _ in ranked}
        entrants = list(firsts.values()) if place == 0 else ranked[:1]
    assert best is not None
    return best


# ---- LassoNet


def lassonet(
    rows: Rows, counts: Sequence[int], seconds: float, seed: int
) -> tuple[dict[int, Found], str]:
    """Return the best network of each size on LassoNet's path, and why the path ended early, or "".

    Parameters
    ----------
    rows : Rows
    counts : sequence of int
        The most weights that are not zero, those past the inputs included.
    seconds : float
        CPU time after which the path ends.
    seed : int
    """
    module = optional("lassonet")
    if module is None:
        return {}, "it is not installed"
    best: dict[int, Found] = {}

    def look(model: Any, _: object) -> None:
        state = model.model.state_dict()
        size = int(sum((W != 0).sum() for name, W in state.items() if name.endswith("weight")))
        asked = [n for n in counts if n >= size]
        if not asked:
            return
        said = [error(model.predict(A), b) for A, b in (rows.validation, rows.test)]
        found = Found(size, *said, f"{model.model.selected_count()} inputs")
        for n in asked:
            if n not in best or found.validation < best[n].validation:
                best[n] = found

    model = module.LassoNetClassifier(
        hidden_dims=(HIDDEN,), random_state=seed, torch_seed=seed, verbose=0
    )
    X_val, y_val = rows.validation
    try:
        with warnings.catch_warnings(), _cpu_limit(seconds):
            warnings.simplefilter("ignore")  # of a penalty to begin with that it guessed too large
            model.path(*rows.train, X_val=X_val, y_val=y_val, callback=look)
    except TimeoutError:
        return best, f"its path did not end within {PATIENCE} times our longest search"
    return best, ""


@contextlib.contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError in the block after so much CPU time; in the main thread only."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


# ---- trees


def tree(rows: Rows, most_leaves: int, seed: int) -> Found:
    """Return the best tree of so many leaves on the paths of cost-complexity pruning.

    Breiman et al. (1984). Of both criteria, the largest tree that is small enough and some that
    are pruned further are judged on the validation rows.
    """
    from sklearn.tree import DecisionTreeClassifier

    best: Found | None = None
    for criterion in CRITERIA:
        grown = DecisionTreeClassifier(criterion=criterion, random_state=seed)
        alphas = np.unique(
            np.maximum(grown.cost_complexity_pruning_path(*rows.train).ccp_alphas, 0)
        )

        def pruned(at: int, grown: Any = grown, alphas: Any = alphas) -> Any:
            return grown.set_params(ccp_alpha=alphas[at]).fit(*rows.train)

        first = bisect(len(alphas), lambda at: pruned(at).get_n_leaves() <= most_leaves)
        # The last ones, which prune most, stand closest: good trees have few leaves.
        left = len(alphas) - first
        for at in np.unique(len(alphas) - np.geomspace(1, left, _ALPHAS).astype(int))[::-1]:
            made = pruned(int(at))
            leaves = int(made.get_n_leaves())
            said = [error(made.predict(A), b) for A, b in (rows.validation, rows.test)]
            found = Found(2 * leaves - 1, *said, criterion)
            if best is None or found.validation < best.validation:
                best = found
    assert best is not None
    return best


def bisect(n: int, holds: Any) -> int:
    """Return the first of n places, the last of which holds, from which on a condition holds."""
    low, high = 0, n - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
