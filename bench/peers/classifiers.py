"""The same network and the same SGD in other libraries.

Each class takes the layers to start from, samples, labels, batch size and learning rate, and
offers ``epoch()``, ``layers()`` and, where prediction is measured, ``predict(X)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.peers import optional


class TorchMLP:
    """An `nn.Sequential` of `nn.Linear`, with SGD and cross-entropy.

    Parameters
    ----------
    masked : bool
        Keep the pattern of the weights by `torch.nn.utils.prune`; else zeros come to life.
    gather : {"batch", "epoch"}
        Whether samples are shuffled batch by batch, or all at once and then sliced.
    """

    module = "torch"

    def __init__(
        self,
        weights: Sequence[sn.SparseLayer],
        X: NDArray[np.float32],
        y: NDArray[np.int64],
        *,
        batch_size: int,
        lr: float,
        masked: bool = False,
        gather: str = "batch",
    ) -> None:
        torch = optional("torch")
        self.linears = []
        for w in weights:
            linear = torch.nn.Linear(w.n_in, len(w.bias))
            W = torch.from_numpy(w.to_dense())
            with torch.no_grad():
                linear.weight.copy_(W)
                linear.bias.copy_(torch.tensor(w.bias))
            if masked:
                optional("torch.nn.utils.prune").custom_from_mask(linear, "weight", W != 0)
            self.linears.append(linear)
        modules = [m for linear in self.linears for m in (linear, torch.nn.ReLU())]
        self.model = torch.nn.Sequential(*modules[:-1])
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr)
        self.X, self.y = torch.from_numpy(X), torch.tensor(y)
        self.batch_size = batch_size
        self.gather = gather

    def epoch(self) -> None:
        """Train on all samples once, in a new order."""
        torch = optional("torch")
        order = torch.randperm(len(self.y))
        if self.gather == "epoch":
            X, y = self.X[order], self.y[order]
            batches = zip(X.split(self.batch_size), y.split(self.batch_size), strict=True)
        else:
            batches = ((self.X[part], self.y[part]) for part in order.split(self.batch_size))
        for X_batch, y_batch in batches:
            self.optimizer.zero_grad()
            torch.nn.functional.cross_entropy(self.model(X_batch), y_batch).backward()
            self.optimizer.step()

    def predict(self, X: Any, batch_size: int | None = None) -> Any:
        """Return the class of each row of a tensor, as a tensor."""
        torch = optional("torch")
        with torch.inference_mode():
            if batch_size is None:
                return self.model(X).argmax(1)
            return torch.cat([self.model(part).argmax(1) for part in X.split(batch_size)])

    def layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return (weights, bias) of each layer, weights of shape (n_out, n_in)."""
        pairs = []
        for linear in self.linears:
            W = linear.weight_orig * linear.weight_mask if masked(linear) else linear.weight
            pairs.append((W.detach().numpy(), linear.bias.detach().numpy()))
        return pairs


def masked(linear: Any) -> bool:
    """Whether `torch.nn.utils.prune` holds a mask of the layer's weights."""
    return hasattr(linear, "weight_mask")


class JaxMLP:
    """Plain functions of arrays; an epoch is one compiled call, with `jax.lax.scan` over batches.

    Parameters
    ----------
    gather : {"batch", "epoch"}
        Whether samples are shuffled batch by batch, or all at once and then sliced.
    """

    module = "jax"

    def __init__(
        self,
        weights: Sequence[sn.SparseLayer],
        X: NDArray[np.float32],
        y: NDArray[np.int64],
        *,
        batch_size: int,
        lr: float,
        gather: str = "batch",
    ) -> None:
        jax = optional("jax")
        self.parameters = [
            (jax.numpy.array(w.to_dense().T), jax.numpy.array(w.bias)) for w in weights
        ]
        self.X, self.y = jax.numpy.array(X), jax.numpy.array(y, jax.numpy.int32)
        self.rng = np.random.default_rng(0)
        whole = len(y) // batch_size * batch_size  # the rest is a smaller batch, after the scan

        def loss(parameters: Any, X: Any, y: Any) -> Any:
            log_p = jax.nn.log_softmax(forward(parameters, X))
            return -jax.numpy.take_along_axis(log_p, y[:, None], 1).mean()

        def step(parameters: Any, batch: Any) -> Any:
            gradient = jax.grad(loss)(parameters, *batch)
            return jax.tree.map(lambda p, g: p - lr * g, parameters, gradient), None

        def epoch(parameters: Any, X: Any, y: Any, order: Any) -> Any:
            batches = order[:whole].reshape(-1, batch_size)
            if gather == "epoch":
                parameters, _ = jax.lax.scan(step, parameters, (X[batches], y[batches]))
            else:
                parameters, _ = jax.lax.scan(
                    lambda p, part: step(p, (X[part], y[part])), parameters, batches
                )
            rest = order[whole:]
            return step(parameters, (X[rest], y[rest]))[0] if len(rest) else parameters

        self.compiled = jax.jit(epoch, donate_argnums=0)

    def epoch(self) -> None:
        """Train on all samples once, in a new order."""
        order = self.rng.permutation(len(self.y)).astype(np.int32)
        self.parameters = self.compiled(self.parameters, self.X, self.y, order)
        optional("jax").block_until_ready(self.parameters)

    def layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return (weights, bias) of each layer, weights of shape (n_out, n_in)."""
        return [(np.asarray(W).T, np.asarray(b)) for W, b in self.parameters]


def forward(parameters: Any, X: Any) -> Any:
    """Return the outputs before the softmax of a jax network."""
    for W, b in parameters[:-1]:
        X = optional("jax").nn.relu(X @ W + b)
    W, b = parameters[-1]
    return X @ W + b


class SklearnMLP:
    """`MLPClassifier` with plain SGD: no momentum, no L2."""

    module = "sklearn"

    def __init__(
        self,
        weights: Sequence[sn.SparseLayer],
        X: NDArray[np.float32],
        y: NDArray[np.int64],
        *,
        batch_size: int,
        lr: float,
    ) -> None:
        self.model = optional("sklearn.neural_network").MLPClassifier(
            hidden_layer_sizes=[len(w.bias) for w in weights[:-1]], solver="sgd",
            batch_size=batch_size, learning_rate_init=lr, momentum=0.0, nesterovs_momentum=False,
            alpha=0.0,
        )  # fmt: skip
        self.X, self.y = X, y
        self.model.partial_fit(X[:batch_size], y[:batch_size], classes=np.arange(10))
        # Written in place, since the optimiser holds on to the arrays.
        for i, w in enumerate(weights):
            self.model.coefs_[i][...] = w.to_dense().T
            self.model.intercepts_[i][...] = w.bias

    def epoch(self) -> None:
        """Train on all samples once, in a new order."""
        self.model.partial_fit(self.X, self.y)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each row."""
        return self.model.predict(X)

    def layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return (weights, bias) of each layer, weights of shape (n_out, n_in)."""
        return [(W.T, b) for W, b in zip(self.model.coefs_, self.model.intercepts_, strict=True)]
