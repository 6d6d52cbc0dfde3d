"""A dense MLP in float64, its optimisers, and how far float32 may stray from it.

Every number is a `Rounded`: a float64 value with a bound, in units of float32's eps, on the error
that a float32 evaluation collects on the way. An operation passes on the errors of its operands,
to first order, and adds the sum of its |terms|.
"""

import itertools

import numpy as np

EPS = float(np.finfo(np.float32).eps)
C = 4.0  # the constant in tolerance = C * EPS * error


class Rounded:
    __array_ufunc__ = None  # numpy leaves mixed operations to us

    def __init__(self, value, error=0.0):
        self.value = np.asarray(value, np.float64)
        self.error = np.broadcast_to(np.asarray(error, np.float64), self.value.shape)

    def __add__(self, other):
        other = rounded(other)
        value = self.value + other.value
        return Rounded(value, self.error + other.error + abs(value))

    def __sub__(self, other):
        return self + rounded(other) * -1.0

    def __mul__(self, other):
        other = rounded(other)
        value = self.value * other.value
        error = abs(self.value) * other.error + self.error * abs(other.value)
        exact = np.isin(other.value, (-1.0, 0.0, 1.0))
        return Rounded(value, error + np.where(exact, 0.0, abs(value)))

    def __truediv__(self, other):
        other = rounded(other)
        value = self.value / other.value
        error = (self.error + abs(value) * other.error) / abs(other.value)
        return Rounded(value, error + abs(value))

    def __matmul__(self, other):
        a, b = abs(self.value), abs(other.value)
        error = self.error @ b + a @ other.error + a @ b
        return Rounded(self.value @ other.value, error)

    def __getitem__(self, key):
        return Rounded(self.value[key], self.error[key])

    @property
    def T(self):  # noqa: N802 - as in numpy
        return Rounded(self.value.T, self.error.T)

    def sum(self, axis=None):
        return Rounded(self.value.sum(axis), (self.error + abs(self.value)).sum(axis))

    def map(self, value, slope):
        """A function of one argument whose own rounding is an eps or two of its value."""
        return Rounded(value, abs(slope) * self.error + 2.0 * abs(value))


def rounded(x):
    return x if isinstance(x, Rounded) else Rounded(x)


def exp(x):
    e = np.exp(x.value)
    return x.map(e, e)


def log(x):
    return x.map(np.log(x.value), 1.0 / x.value)


def sqrt(x):
    root = np.sqrt(x.value)
    return x.map(root, 0.5 / np.where(root > 0.0, root, np.inf))


def sigmoid(x):
    s = np.exp(-np.logaddexp(0.0, -x.value))
    return x.map(s, s * (1.0 - s))


def unsure_slope(z, value):
    """A derivative that jumps at 0, where rounding may turn z's sign."""
    return Rounded(value, np.where(abs(z.value) < C * EPS * z.error, 1.0 / EPS, 0.0))


def tanh(z):
    y = np.tanh(z.value)
    return z.map(y, 1.0 - y * y)


# name: the function of z, and its derivative from z and y
FUNCTIONS = {
    "relu": (
        lambda z: Rounded(np.maximum(z.value, 0.0), z.error),
        lambda z, y: unsure_slope(z, z.value > 0.0),
    ),
    "sigmoid": (sigmoid, lambda z, y: y * (Rounded(1.0) - y)),
    "tanh": (tanh, lambda z, y: Rounded(1.0) - y * y),
    "leaky_relu": (
        lambda z: z * Rounded(np.where(z.value > 0.0, 1.0, 0.01)),
        lambda z, y: unsure_slope(z, np.where(z.value > 0.0, 1.0, 0.01)),
    ),
    "silu": (
        lambda z: z * sigmoid(z),
        lambda z, y: sigmoid(z) * (Rounded(1.0) + z * (Rounded(1.0) - sigmoid(z))),
    ),
}


# Losses of a regression: the loss of an error, and its derivative.
ERRORS = {
    "squared_error": (lambda e: e * e * 0.5, lambda e: e),
    "absolute_error": (
        lambda e: Rounded(abs(e.value), e.error),
        lambda e: unsure_slope(e, np.sign(e.value)),
    ),
    "huber": (
        lambda e: Rounded(
            np.where(abs(e.value) <= 1.0, 0.5 * e.value**2, abs(e.value) - 0.5),
            e.error * np.minimum(abs(e.value), 1.0) + abs(e.value),
        ),
        lambda e: Rounded(np.clip(e.value, -1.0, 1.0), e.error),
    ),
}


def activate(name, z):
    return FUNCTIONS[name][0](z)


def slope(name, z, y):
    """The derivative of the activation."""
    return FUNCTIONS[name][1](z, y)


def assert_close(actual, expected, extra=0.0):
    """|actual - expected| <= C * EPS * the expected value's error bound (+ extra), everywhere."""
    actual = np.asarray(actual, np.float64)
    assert actual.shape == expected.value.shape
    distance = abs(actual - expected.value)
    allowed = C * EPS * expected.error + extra
    worst = (distance - allowed).argmax() if distance.size else None
    assert (distance <= allowed).all(), (
        f"entry {worst}: {actual.flat[worst]} is not {expected.value.flat[worst]} "
        f"+- {allowed.flat[worst]}"
    )


def random_layers(rng, sizes, density=0.4, dead=True):
    """Layers for `Network.from_layers` with random synapses, weights, initial weights, biases.

    With `dead`, input 0 has no synapse out, and the first two neurons of each hidden layer have
    none in and none out respectively (hidden layers of three or more).
    """
    masks = [rng.random((n, m)) < density for m, n in itertools.pairwise(sizes)]
    if dead:
        masks[0][:, 0] = False
        for below, above in itertools.pairwise(masks):
            if len(below) >= 3:
                below[0], above[:, 1] = False, False
    return [from_mask(rng, mask) for mask in masks]


def from_mask(rng, mask):
    """One layer tuple of the core, with synapses where mask [n_out, n_in] is True."""
    indptr = np.concatenate([[0], mask.sum(1).cumsum()]).astype(np.int64)
    indices = np.nonzero(mask)[1].astype(np.int32)
    values, initial = rng.normal(0.0, 0.7, (2, len(indices))).astype(np.float32)
    bias = rng.normal(0.0, 0.5, len(mask)).astype(np.float32)
    return mask.shape[1], indptr, indices, values, initial, bias


class DenseModel:
    """The network of `layers` (the tuples of the core) as dense arrays, samples in columns."""

    def __init__(self, layers, activation, loss, transform=None):
        self.activation, self.loss_name = activation, loss
        self.weights, self.masks, self.biases = [], [], []
        for n_in, indptr, indices, values, _, bias in layers:
            W, mask = np.zeros((len(bias), n_in)), np.zeros((len(bias), n_in), bool)
            rows = np.repeat(np.arange(len(bias)), np.diff(indptr))
            W[rows, indices], mask[rows, indices] = values, True
            self.weights.append(Rounded(W))
            self.masks.append(mask)
            self.biases.append(Rounded(bias))
        n_inputs = layers[0][0]
        self.transform = transform or (np.zeros(n_inputs), np.ones(n_inputs))
        self.state, self.steps = None, 0

    def _forward(self, X):
        """Raw sums of every layer, and what goes into every layer."""
        shift, scale = (np.float64(t) for t in self.transform)
        inputs, sums = [((Rounded(X) - shift) * scale).T], []
        for W, b in zip(self.weights, self.biases, strict=True):
            sums.append(W @ inputs[-1] + b[:, None])
            inputs.append(activate(self.activation, sums[-1]))
        return sums, inputs[:-1]

    def _outputs(self, z):
        if self.loss_name in ERRORS:
            return z
        if self.loss_name != "softmax":
            return sigmoid(z)
        e = exp(z - z.value.max(0))  # the largest cancels exactly
        return e / e.sum(0)

    def _targets(self, z, y, smoothing=0.0):
        """Targets [n_out, n] of classes [n], probabilities [n, classes] or numbers [n, n_out]."""
        n_out = len(z.value)
        if self.loss_name in ERRORS:
            return Rounded(y.T)
        n_classes = max(n_out, 2)
        all_classes = y.T if y.ndim == 2 else np.arange(n_classes)[:, None] == y
        targets = Rounded(all_classes[1:] if n_out == 1 else all_classes)
        if smoothing == 0.0:
            return targets
        return targets * Rounded(1.0 - smoothing, 1.0) + Rounded(smoothing / n_classes, 1.0)

    def _loss(self, z, y, weights=1.0, smoothing=0.0):
        targets = self._targets(z, y, smoothing)
        if self.loss_name in ERRORS:
            losses = ERRORS[self.loss_name][0](z - targets).sum(0)
        elif self.loss_name == "squared":
            e = self._outputs(z) - targets
            losses = (e * e * 0.5).sum(0)
        elif self.loss_name == "softmax":
            shifted = z - z.value.max(0)
            losses = log(exp(shifted).sum(0)) - (shifted * targets).sum(0)
        else:
            s = 1.0 / (1.0 + np.exp(-z.value))
            losses = (z.map(np.logaddexp(0.0, z.value), s) - z * targets).sum(0)
        return (losses * weights).sum() * (1.0 / len(y))

    def sums(self, X):
        """What goes into the output neurons, [n, n_out]."""
        return self._forward(X)[0][-1].T

    def neurons(self, X, layer):
        """What a layer's neurons say, of the last layer what goes in, [n, n_out]."""
        sums, inputs = self._forward(X)
        return (inputs[layer + 1] if layer + 1 < len(sums) else sums[layer]).T

    def probabilities(self, X):
        return self._outputs(self._forward(X)[0][-1]).T

    def loss(self, X, y):
        return self._loss(self._forward(X)[0][-1], y)

    def gradients(self, X, y, weights=1.0, smoothing=0.0):
        """Mean loss, and its gradient by every weight (dense) and bias of every layer."""
        sums, inputs = self._forward(X)
        p = self._outputs(sums[-1])
        error = p - self._targets(sums[-1], y, smoothing)
        if self.loss_name in ERRORS:
            error = ERRORS[self.loss_name][1](error)
        delta = error * (1.0 / len(y)) * weights
        if self.loss_name == "squared":
            delta = delta * p * (Rounded(1.0) - p)
        d_weights, d_biases = [], []
        for k in reversed(range(len(self.weights))):
            d_weights.insert(0, (delta @ inputs[k].T) * self.masks[k])
            d_biases.insert(0, delta.sum(1))
            if k > 0:
                below = slope(self.activation, sums[k - 1], inputs[k])
                delta = (self.weights[k].T @ delta) * below
        return self._loss(sums[-1], y, weights, smoothing), d_weights, d_biases

    def _step(self, rule, X, y, weight_decay, l1):
        loss, d_weights, d_biases = self.gradients(X, y)
        self.steps += 1
        for k, W in enumerate(self.weights):
            penalty = W * weight_decay + np.sign(W.value) * l1
            self.weights[k] = rule(("w", k), W, d_weights[k] + penalty)
            self.biases[k] = rule(("b", k), self.biases[k], d_biases[k])
        return loss

    def sgd(self, X, y, lr, momentum=0.0, nesterov=0.0, weight_decay=0.0, l1=0.0):
        """One step on all samples as one batch; returns the mean loss before it."""
        lr, momentum, weight_decay, l1 = _float32(lr, momentum, weight_decay, l1)
        self.state = self.state or {}

        def rule(key, w, g):
            if momentum:
                (velocity,) = self.state.get(key, (Rounded(0.0 * w.value),))
                velocity = velocity * momentum + g
                self.state[key] = (velocity,)
                g = g + velocity * momentum if nesterov else velocity
            return w - g * lr

        return self._step(rule, X, y, weight_decay, l1)

    def adam(self, X, y, lr, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0, l1=0.0):
        """One step of Adam (Kingma & Ba 2015) on all samples; returns the loss before it."""
        lr, beta1, beta2, epsilon, weight_decay, l1 = _float32(
            lr, beta1, beta2, epsilon, weight_decay, l1
        )
        self.state = self.state or {}

        def rule(key, w, g):
            zero = Rounded(0.0 * w.value)
            m, v = self.state.get(key, (zero, zero))
            m = m * beta1 + g * (1.0 - beta1)
            v = v * beta2 + g * g * (1.0 - beta2)
            self.state[key] = m, v
            m_hat, v_hat = m / (1.0 - beta1**self.steps), v / (1.0 - beta2**self.steps)
            return w - m_hat / (sqrt(v_hat) + epsilon) * lr

        return self._step(rule, X, y, weight_decay, l1)

    def adamw(self, X, y, lr, weight_decay=0.01, **options):
        """One step of AdamW (Loshchilov & Hutter 2019)."""
        lr, weight_decay = _float32(lr, weight_decay)
        before = list(self.weights)
        shrunk = [W - W * weight_decay * lr for W in before]
        loss = self.adam(X, y, lr, **options)
        # Adam's own step does not depend on the weights, but for their gradient, taken before.
        self.weights = [
            s + (new - old) for s, new, old in zip(shrunk, self.weights, before, strict=True)
        ]
        return loss

    def rmsprop(self, X, y, lr, rho=0.99, epsilon=1e-8, weight_decay=0.0, l1=0.0):
        """One step of RMSprop (Tieleman & Hinton 2012)."""
        lr, rho, epsilon, weight_decay, l1 = _float32(lr, rho, epsilon, weight_decay, l1)
        self.state = self.state or {}

        def rule(key, w, g):
            (v,) = self.state.get(key, (Rounded(0.0 * w.value),))
            v = v * rho + g * g * (1.0 - rho)
            self.state[key] = (v,)
            return w - g / (sqrt(v) + epsilon) * lr

        return self._step(rule, X, y, weight_decay, l1)

    def restrict(self, layers):
        """Go on as the network of `layers`, cut from mine: its synapses, its biases, my state."""
        after = DenseModel(layers, self.activation, self.loss_name)
        self.masks, self.biases = after.masks, after.biases
        self.weights = [W * mask for W, mask in zip(self.weights, self.masks, strict=True)]
        for (kind, k), moments in (self.state or {}).items():
            keep = self.masks[k] if kind == "w" else self._alive(k)
            self.state[kind, k] = tuple(m * keep for m in moments)

    def _alive(self, k):
        """Which neurons of layer k have a synapse in or out; outputs always live."""
        last = k + 1 == len(self.masks)
        return self.masks[k].any(1) | (last or self.masks[k + 1].any(0))

    def assert_equals(self, layers):
        """The core's layers hold these weights and biases, to rounding."""
        core = DenseModel(layers, self.activation, self.loss_name)
        for k in range(len(self.weights)):
            np.testing.assert_array_equal(core.masks[k], self.masks[k])
            assert_close(core.weights[k].value, self.weights[k])
            assert_close(core.biases[k].value, self.biases[k])


def _float32(*numbers):
    return [float(np.float32(x)) for x in numbers]
