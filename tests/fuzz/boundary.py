"""The boundary between Python and the core: arrays of any shape, dtype and layout for all of it.

    PYTHONPATH=python:tests python -m fuzz.boundary --count 100000

Each call takes sound arguments of which some are replaced by arrays with other shapes, strides,
dtypes or byte order, read-only or misaligned ones, or none at all. It must end in a result, a
TypeError or a ValueError, leave its arguments as they were (but `out`), and leave the network
usable. Run it with --unlimited under AddressSanitizer.
"""

import argparse
import functools
import sys

import numpy as np
from fuzz.running import add_arguments, main
from synaprune import _core

SCALARS = [
    None,
    True,
    0,
    1,
    2,
    3,
    7,
    -1,
    2**31 - 1,
    2**31,
    2**63 - 1,
    2**64 - 1,
    2**64,
    -(2**63),
    0.5,
    -1.0,
    1e39,
    float("nan"),
    float("inf"),
    "",
    "relu",
    "softmax",
    "sgd",
    "wsf",
    b"x",
    [],
    (),
    {},
    [1, 2],
    object,
]
DTYPES = [
    "f4",
    "f4",
    "f4",
    ">f4",
    "f8",
    "f2",
    "i4",
    ">i4",
    "i8",
    "u1",
    "i1",
    "u4",
    "b1",
    "c8",
    "U2",
    "O",
    "M8[s]",
]


@functools.cache
def sound():
    """Return networks and sound arguments for each function, by name."""
    rng = np.random.default_rng(0)
    n, d, c = 20, 6, 3
    X = rng.random((n, d), np.float32)
    y = rng.integers(0, c, n).astype(np.int32)
    soft = np.full((n, c), 1 / 3, np.float32)
    classifier = _core.Network([d, 5, c], "relu", "softmax", 1.0, 0)
    numbers = _core.Network([d, 4, 2], "tanh", "squared_error", 1.0, 0)
    one = _core.Network([d, 1], "sigmoid", "sigmoid", 1.0, 0)
    sgd = _core.Optimizer("sgd", 0.1, momentum=0.9)
    adam = _core.Optimizer("adam", 0.01)
    y2 = rng.random((n, 2), np.float32)
    y1 = rng.integers(0, 2, n).astype(np.int32)
    weights = np.ones(n, np.float32)
    layers = classifier.layers()
    n_in, indptr, indices, values, _, bias = layers[0]
    linear = _core.Linear(n_in, indptr, indices, values, bias)
    XT, D = np.ascontiguousarray(X.T), np.ones((5, n), np.float32)
    shift = _core.ImageShift(2, 3, 1, 0.5)
    n_synapses = classifier.n_synapses
    mask = (rng.random(n_synapses) < 0.7).astype(np.uint8)
    scores = rng.random(n_synapses, np.float32)
    moments = (scores, scores * scores)
    state = np.zeros((2, n_synapses + 8), np.float32)
    k = _core.kernels
    isa = _core.build_info()["isa"]
    nets = [(classifier, y), (classifier, soft), (numbers, y2), (one, y1)]
    calls = []
    for net, t in nets:
        calls += [
            ("train_epoch", [net, X, t, 4, sgd, 2, weights, 0.0, None, 1.0, 0.2]),
            ("train_epoch", [net, X, t, 7, adam, 1, None, 0.0, shift, None]),
            ("train_epoch", [net, X, t, 8, sgd, 1, None, 0.0, None, None, (n, 4, 0, 4), len]),
            ("evaluate", [net, X, t, 1]),
            ("outputs", [net, X, 2]),
            ("classify", [net, X, 1]),
            ("labels", [net, X, np.arange(c), 1]),
            ("gradients", [net, X, t, 1, weights, 0.0]),
            ("gradient_moments", [net, X, t, 2, None, 0.0]),
            ("curvature", [net, X, t, 2, weights, 0.0, 3, 0.1]),
            ("compensate", [net, np.ones(net.n_synapses, np.uint8), X, t, 2, weights, 0.0, 3, 0.1]),
            ("activations", [net, X, 0, 1, True]),
            ("ablate", [net, X, t, 0, "synapses", 1]),
        ]
    calls += [
        ("score", [classifier, "taylor", moments, None]),
        ("score", [classifier, "obs", None, scores]),
        ("kept_by_cut", [classifier, scores, 5, 2, True, 0.5]),
        ("remove", [classifier, mask]),
        ("cut", [classifier, scores, 5, 2, True, 0.5]),
        ("assign", [classifier, numbers]),
        ("set frozen", [classifier, np.ones(n_synapses + 8, np.uint8)]),
        ("set input_transform", [classifier, (np.ones(d, np.float32), np.ones(d, np.float32))]),
        ("set optimizer_state", [classifier, ("adam", 3, state)]),
        ("energy_below", [classifier, [np.ones(d, np.float32), np.ones(5, np.float32)]]),
        ("energy_above", [classifier, [np.ones(d, np.float32)], np.ones((5, 4))]),
        ("from_layers", [layers, "relu", "softmax", 7]),
        ("Network", [[d, 3, 2], "relu", "softmax", 1.0, 0]),
        ("Linear", [n_in, indptr, indices, values, bias]),
        ("forward", [linear, XT, 2, np.empty((5, n), np.float32)]),
        ("forward", [linear, XT, 1, None]),
        ("backward", [linear, XT, D, 2]),
        ("all_finite", [X, 2]),
        ("add", [scores, scores.copy()]),
        ("keep_all_but_lowest", [scores, 5, 1]),
        ("activate", ["silu", scores]),
        ("activation_slope", ["tanh", scores]),
        ("ImageShift", [2, 3, 1, 0.5, 7]),
        ("Optimizer", ["adam", 0.1]),
        ("set_isa", [isa]),
        ("spmm", [isa, indptr, indices, values, bias, XT]),
        ("spmm", ["reference", indptr, indices, values, bias, XT]),
        ("kernel gradients", [isa, indptr, indices, values, XT, D]),
        (
            "gather",
            [
                isa,
                X,
                np.arange(n),
                np.arange(d, dtype=np.int32)[:4],
                np.zeros(d, np.float32),
                np.ones(d, np.float32),
                None,
            ],
        ),
        (
            "gather",
            [
                isa,
                X,
                np.arange(n),
                np.arange(d, dtype=np.int32),
                np.zeros(d, np.float32),
                np.ones(d, np.float32),
                shift,
            ],
        ),
        ("exp", [scores]),
        ("tanh", [scores]),
        ("sigmoid", [scores]),
    ]
    functions = {
        name: getattr(k if name in ("spmm", "gather", "exp", "tanh", "sigmoid") else _core, name)
        for name in (
            "spmm",
            "gather",
            "exp",
            "tanh",
            "sigmoid",
            "activations",
            "ablate",
            "energy_below",
            "energy_above",
            "add",
            "all_finite",
            "keep_all_but_lowest",
            "activate",
            "activation_slope",
            "ImageShift",
            "Optimizer",
            "Linear",
            "Network",
            "set_isa",
        )
    }
    functions["from_layers"] = _core.Network.from_layers
    functions["kernel gradients"] = k.gradients
    return calls, functions


def bent(rng, array):
    """Return an array of the same numbers, or of others, in another form."""
    how = rng.randrange(12)
    if how == 0:
        return array.astype(rng.choice(DTYPES), copy=True)
    if how == 1:
        shape = [rng.choice((0, 1, 2, 3, 5, 6, 7, 20, 21)) for _ in range(rng.randrange(5))]
        return np.zeros(shape, rng.choice((array.dtype, rng.choice(DTYPES))))
    if how == 2:
        return np.asfortranarray(array)
    if how == 3:
        return array[::-1]
    if how == 4:
        return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array
    if how == 5:
        raw = np.empty(array.nbytes + 9, np.uint8)
        at = rng.randrange(1, 8)
        made = raw[at : at + array.nbytes].view(array.dtype).reshape(array.shape)
        made[...] = array
        return made
    if how == 6:
        made = array.copy()
        made.flags.writeable = False
        return made
    if how == 7:
        return array.astype(array.dtype.newbyteorder())
    if how == 8:
        return array[..., : rng.randrange(array.shape[-1] + 1)] if array.ndim else array
    if how == 9:
        made = array.copy()
        for _ in range(rng.choice((1, 1, 3))):
            if made.size:
                odd = rng.choice((0, 1, -1, 2, 1e39, np.nan, np.inf, -np.inf, 2**31 - 1, 2**62))
                with np.errstate(all="ignore"):
                    made.flat[rng.randrange(made.size)] = np.asarray(odd).astype(made.dtype)
        return made
    if how == 10:
        return np.broadcast_to(array[:1], array.shape) if array.ndim else array
    return array[None] if rng.random() < 0.5 else array.reshape(-1)


def changed(rng, value, chance):
    """Return an argument, perhaps another in its place."""
    if isinstance(value, list | tuple):
        items = [changed(rng, item, chance / 2) for item in value]
        if items and rng.random() < chance / 8:
            items.pop(rng.randrange(len(items)))
        return type(value)(items)
    if rng.random() >= chance:
        return value
    if isinstance(value, np.ndarray):
        if rng.random() < 0.85:
            try:
                with np.errstate(all="ignore"):
                    return bent(rng, value)
            except (TypeError, ValueError):  # of numpy: no such array
                return value
        return rng.choice([*SCALARS, np.ma.masked_array(value), memoryview(b"abc"), np.float32(1)])
    if isinstance(value, bool | int | float | str | None):
        return rng.choice(SCALARS)
    return value if rng.random() < 0.7 else rng.choice(SCALARS)


def arrays_in(value):
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from arrays_in(item)


def harmless(name, arguments):
    """Return whether a call asks for no more than a machine has: that is the caller's to limit."""
    numbers = [a for a in arguments if isinstance(a, int) and not isinstance(a, bool)]
    if name in (
        "train_epoch",
        "evaluate",
        "outputs",
        "classify",
        "labels",
        "gradients",
        "forward",
        "gradient_moments",
        "curvature",
        "compensate",
        "activations",
        "ablate",
        "backward",
        "all_finite",
    ):
        return all(a <= 64 for a in numbers[-2:])  # threads
    if name == "Network":
        sizes = arguments[0] if isinstance(arguments[0], list) else []
        return all(not isinstance(s, int) or s < 1000 for s in sizes)
    return name not in ("Linear", "from_layers") or all(
        not isinstance(a, int) or a < 10**6 for a in (arguments[0], *_sizes(arguments[0]))
    )


def _sizes(layers):
    return [layer[0] for layer in layers if layer] if isinstance(layers, list) else []


def boundary(rng):
    """One call, some of whose arguments are others."""
    calls, functions = sound()
    name, arguments = rng.choice(calls)
    given = [changed(rng, a, 0.35) for a in arguments]
    subject = arguments[0]
    if isinstance(subject, _core.Network) and name not in functions:
        given[0] = subject.copy()
    if not harmless(name, given):
        return
    before = [
        (a, a.tobytes())
        for a in arrays_in(given[:3] if name == "forward" else given)
        if a.dtype != object
    ]
    try:
        if name.startswith("set ") and name != "set_isa":
            setattr(given[0], name[4:], given[1])
        elif name in functions:
            functions[name](*given)
        elif isinstance(given[0], type(subject)):
            getattr(given[0], name)(*given[1:])
    finally:
        if name not in ("forward", "add"):  # which write into an argument
            for array, content in before:
                assert array.tobytes() == content, f"{name} changed an argument"
        if isinstance(given[0], _core.Network):
            net = given[0]
            X = np.zeros((3, len(net.input_transform[0])), np.float32)
            net.outputs(X, 1)
            for layer in net.layers():
                assert all(np.isfinite(a).all() for a in layer[1:]), f"{name} left {layer}"
        if name == "set_isa":
            _core.set_isa(arguments[0])


TARGETS = {"boundary": (boundary, (TypeError, ValueError), sound)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, TARGETS)
    sys.exit(bool(main(TARGETS, parser.parse_args())))
