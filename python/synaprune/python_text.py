"""Activations and probabilities as text of Python, which needs only the module math."""

from synaprune.program import LEAST_SIGMOID

# Functions of one sum, called _relu and the like; silu needs sigmoid.
ACTIVATIONS = {
    "relu": "def _relu(z):\n    return z if z > 0.0 else 0.0",
    "leaky_relu": "def _leaky_relu(z):\n    return z if z > 0.0 else 0.01 * z",
    "sigmoid": f"""def _sigmoid(z):
    return 1.0 / (1.0 + math.exp(min(-z, {LEAST_SIGMOID})))""",
    "tanh": "def _tanh(z):\n    return math.tanh(z)",
    "silu": "def _silu(z):\n    return z * _sigmoid(z)",
}

# The end of a function that returns the probability of each class, from the list z of the last
# layer's sums; names are those of `Program.output`.
PROBABILITIES = {
    "softmax": """    largest = max(z)
    p = [math.exp(value - largest) for value in z]
    total = sum(p)
    return [value / total for value in p]""",
    "sigmoid": """    p = _sigmoid(z[0])
    return [1.0 - p, p]""",
    "sigmoid_shares": """    p = [_sigmoid(value) for value in z]
    total = sum(p)
    return [value / total for value in p]""",
}
