"""Random networks through every export and back: each says what the network says.

A thousand of them, some minutes, from the root of the repository:

    PYTHONPATH=python:tests python -m export.fuzz --count 1000

Networks have 1 to 4 layers, every activation and loss, one input or many, layers without synapses,
dead neurons, labels of every type, hostile names, inputs, weights and targets of extreme size, and
a quarter of them the encoder of a random table, whose raw cells the exports are given.
"""

import argparse
import collections
import dataclasses
import importlib.util
import re
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from export.compiling import C99, header, raw_header, run, run_raw
from export.networks import errors_of_sums, finished, given, random_network, with_random_layers
from export.texts import HOSTILE, random_table, rows_of
from synaprune.layers import SparseLayer
from synaprune.program import Program

LABELS = {
    "ints": lambda n: np.arange(n) * 7 - 3,
    "large": lambda n: 2**53 + 1 + np.arange(n),
    "strings": lambda n: np.array(HOSTILE[:n]),
    "bools": lambda n: np.array([False, True]),
}


@dataclasses.dataclass
class Case:
    """A network and rows: of a table raw ones, and what its encoder makes of them."""

    seed: int
    net: sn.SparseMLP
    X: np.ndarray
    table: Any = None  # of texts

    def __post_init__(self):
        self.program = Program.of(self.net)
        self.said = given(self.net, self.X)
        size = np.abs(self.program.scaled(self.X))
        self.allowed = self._allowed(size)
        # Where the scaling is part of the first layer, x and shift are rounded one by one.
        shift = np.abs(self.program.shift * self.program.scale)
        self.allowed_folded = self._allowed(size + 2.0 * shift)

    @property
    def rows(self):
        """What modules are given: lists of numbers, or dicts of cells."""
        return self.X.tolist() if self.table is None else rows_of(self.table)

    @property
    def columns(self):
        """Names of the columns of a database's table, and its rows."""
        if self.table is not None:
            return self.table.names, list(zip(*self.table.columns.values(), strict=True))
        names = [self.net.input_name(i) for i in range(self.net.n_features)]
        return names, self.X.tolist()

    def _allowed(self, size):
        error, largest = errors_of_sums(self.program, size)
        if self.program.output == "numbers":
            scale, mean = self.program.targets.scale, np.abs(self.program.targets.mean)
            return error * scale + 2e-7 * (largest * scale + mean)
        # No probability changes by more than half of what the sums change by.
        return 1e-6 + 0.5 * error.max(axis=1, keepdims=True)

    def check(self, what, y, labels=None, folded=False):
        """Raise unless outputs are those of the network, and labels where they are clear."""
        allowed = self.allowed_folded if folded else self.allowed
        y = np.asarray(y, np.float64).reshape(len(self.X), -1)
        if y.shape != self.said.shape:
            raise AssertionError(f"{what}: shape {y.shape}, not {self.said.shape}")
        off = np.abs(y - self.said)
        if not (off <= allowed).all():
            at = np.unravel_index(np.argmax(off - allowed), off.shape)
            raise AssertionError(f"{what}: {y[at]} is not {self.said[at]} in row {at[0]}")
        if labels is None or self.net.is_regression:
            return
        two = np.sort(self.said, axis=1)[:, -2:]
        clear = np.diff(two, axis=1)[:, 0] > 2.0 * np.broadcast_to(allowed, off.shape).max(axis=1)
        expected = self.net.predict(self.X)[clear].tolist()
        found = [label for label, is_clear in zip(labels, clear, strict=True) if is_clear]
        if found != expected:
            raise AssertionError(f"{what}: labels {found[:5]}, not {expected[:5]}")


def draw(seed):
    """The case of a seed."""
    rng = np.random.default_rng([seed, 1])
    if seed % 4 == 3:
        return _of_table(seed, rng)
    net, X = random_network(seed)
    kind = str(rng.choice(["plain", "far", "small", "large"]))
    if kind != "plain":
        # Inputs far from zero, weights and numbers to predict of extreme size.
        shift, scale = {
            "far": (1e6, 1.0), "small": (0.0, 1e-12), "large": (0.0, 1e12)
        }[kind]  # fmt: skip
        X = (X * scale + shift).astype(np.float32)
        unit = {"far": 1.0, "small": 1e-9, "large": 1e9}[kind]
        net = _refitted(net, X, unit, rng)
    net = _with_labels(net, X, rng)
    if rng.random() < 0.3:
        net.input_names = [*HOSTILE, "z", "Z."][: net.n_features] if net.n_features < 21 else None
    return Case(seed, net, X)


def _refitted(net, X, unit, rng):
    """An equal network that is fitted to other rows, with weights of another size."""
    again = sn.SparseMLP(
        net.layers, activation=net.activation, loss=net.loss, input_scaling="standard", seed=0
    )
    if net.is_regression:
        y = unit * rng.normal(30.0, 5.0, (len(X), net.layers[-1]))
        again.prepare(X, y if net.layers[-1] > 1 else y[:, 0])
    else:
        again.prepare(X, np.arange(len(X)) % len(net.classes))
    size = np.float32(rng.choice([1e-3, 1.0, 30.0]))
    layers = [
        dataclasses.replace(w, values=w.values * size, initial=w.initial * size)
        for w in net.weights
    ]
    return again.set_weights(layers)


def _with_labels(net, X, rng):
    """The network with labels of a random type."""
    if net.is_regression:
        return net
    n = len(net.classes)
    kinds = [kind for kind in LABELS if n == 2 or kind != "bools"]
    labels = LABELS[str(rng.choice(kinds))](n)
    state, arrays = net.state()
    order = np.sort(labels)
    state |= {"classes": order.tolist(), "labels": order.dtype.str}
    return sn.SparseMLP.from_state(state, arrays)


def _of_table(seed, rng):
    """A network of a random table, and fresh rows of it, odd cells among them."""
    table, fresh = random_table(rng)
    encoder = sn.TableEncoder.fit(table)
    X = encoder.transform(table)
    regression = rng.random() < 0.4
    loss = "squared_error" if regression else "softmax"
    n_out = int(rng.integers(1, 3)) if regression else int(rng.integers(2, 4))
    hidden = [int(rng.integers(1, 7)) for _ in range(int(rng.integers(0, 3)))]
    activation = str(rng.choice(sn.ACTIVATIONS))
    net = sn.SparseMLP((X.shape[1], *hidden, n_out), activation=activation, loss=loss, seed=0)
    if regression:
        y = rng.normal(30.0, 5.0, (len(X), n_out))
        net.prepare(X, y if n_out > 1 else y[:, 0])
    else:
        net.prepare(X, np.arange(len(X)) % n_out)
    net = _with_labels(with_random_layers(net, rng), X, rng)
    net.encoder = encoder
    return Case(seed, net, net.as_inputs(fresh), fresh)


# ---- exports: each takes cases and a folder, and yields (case, what went wrong or None)


def each(check):
    """An export that is tried case by case; a ValueError is a refusal."""

    def tried(cases, folder):
        for case in cases:
            try:
                yield case, check(case, folder)
            except ValueError as error:
                yield case, f"refused: {error}"
            except Exception as error:
                yield case, f"{type(error).__name__}: {error}"

    return tried


def _python(case, folder):
    names: dict[str, Any] = {}
    exec(case.net.to_python(), names)
    if case.net.is_regression:
        case.check("predict", [names["predict"](row) for row in case.rows])
    else:
        y = [names["predict_proba"](row) for row in case.rows]
        case.check("predict_proba", y, [names["predict"](row) for row in case.rows])


def _javascript(cases, folder):
    from export.test_js import ask

    asked = []
    for case in cases:
        try:
            asked.append((case, case.net.to_js()))
        except ValueError as error:
            yield case, f"refused: {error}"
    told = ask(folder, [(text, case.rows) for case, text in asked])
    for (case, _), found in zip(asked, told, strict=True):
        try:
            case.check("predictProba", found["y"])
            if not case.net.is_regression:
                names = dict(zip(found["classes"], case.net.classes.tolist(), strict=True))
                labels = [names[label] for label in found["labels"]]
                case.check("predict", found["y"], labels)
            yield case, None
        except AssertionError as error:
            yield case, str(error)


def _sql(dialect):
    def check(case, folder):
        from export.test_sql import ask, create, database, outputs

        db = database(dialect)
        kind = "DOUBLE" if case.table is None else "VARCHAR"
        names, rows = case.columns
        text = case.net.to_sql(table="data", dialect=dialect, keep=["row number"])
        create(db, "data", names, rows, kind)
        result = ask(db, text)
        labels = result.get("class")
        if labels is not None and case.net.classes.dtype.kind == "b":
            labels = [bool(label) for label in labels]  # SQLite has no others
        case.check(dialect, outputs(result), labels)

    return each(check)


def _c(dtype):
    def check(cases, folder):
        asked, headers, expected = [], [], []
        for i, case in enumerate(cases):
            rng = np.random.default_rng([case.seed, 2])
            layout = str(rng.choice(["auto", "csr", "unrolled"]))
            options = {"layout": layout, "inputs": str(rng.choice(["all", "used"]))}
            X = case.X
            if dtype != "float32":
                options |= {"dtype": dtype, "calibration": X[: len(X) // 2]}
            rows = X if options["inputs"] == "all" else X[:, case.program.inputs]
            try:
                headers.append(header(case.net, rows, f"n{i}", **options))
            except ValueError as error:
                yield case, f"refused: {error}"
                continue
            asked.append(case)
            if dtype != "float32":
                integers = sn.export.IntegerNetwork.of(case.net, X[: len(X) // 2], dtype=dtype)
                expected.append((integers.logits(X), integers.predict(X).reshape(len(X), -1)))
        found = run(headers, folder, C99, integers=dtype != "float32")
        for i, case in enumerate(asked):
            try:
                if dtype == "float32":
                    of_class = None
                    if not case.net.is_regression:
                        of_class = case.net.classes[found[i]["number"]].tolist()
                    case.check("C", found[i]["y"], of_class)
                else:
                    z, labels = expected[i]
                    assert (found[i]["z"] == z).all(), "other sums than IntegerNetwork"
                    if not case.net.is_regression:
                        told = case.net.classes[found[i]["number"]].reshape(-1, 1)
                        assert (told == labels).all(), "other labels than IntegerNetwork"
                yield case, None
            except AssertionError as error:
                yield case, str(error)

    return check


def _c_of_cells(cases, folder):
    asked, headers = [], []
    for i, case in enumerate(case for case in cases if case.table is not None):
        try:
            headers.append(raw_header(case.net, case.table, f"n{i}"))
            asked.append(case)
        except ValueError as error:
            yield case, f"refused: {error}"
    for case, y in zip(asked, run_raw(headers, folder) if headers else (), strict=True):
        try:
            yield case, case.check("C", y)
        except AssertionError as error:
            yield case, str(error)


def _onnx(case, folder):
    from export.test_onnx import columns
    from export.test_onnx import run as infer

    some = len(case.program.inputs) > 0
    for inputs in ("all", "used")[: 1 + some]:
        model = case.net.to_onnx(inputs=inputs)
        found = infer(model, case.X[:, columns(model)])
        y = found["y"] if case.net.is_regression else found["probabilities"]
        labels = None if case.net.is_regression else found["label"].tolist()
        case.check(inputs, y, labels, folded=True)


def _torch(case, folder):
    from export.test_torch import outputs

    for options in ({}, {"compact": True}, {"masks": True}):
        model = case.net.to_torch(**options)
        z = outputs(model, case.X)
        y = z if case.net.is_regression else finished(case.program, z)
        case.check(f"to_torch {options}", y, folded=True)
        if type(model[0]).__name__ == "Scaling":  # which a network has beside its layers
            continue
        classes = None if case.net.is_regression else case.net.classes
        back = sn.SparseMLP.from_torch(model, loss=case.net.loss, classes=classes)
        labels = None if case.net.is_regression else back.predict(case.X).tolist()
        case.check(f"from_torch {options}", given(back, case.X), labels, folded=True)


def _sklearn(case, folder):
    """Models of scikit-learn that hold the same, read as networks; these have other activations."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    net = case.net
    known = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}
    forms = {"softmax": "softmax", "sigmoid": "logistic", "squared_error": "identity"}
    if net.activation not in known or net.loss not in forms:
        raise ValueError("scikit-learn has no such network")
    if net.loss == "softmax" and net.layers[-1] == 2:
        raise ValueError("scikit-learn has one output for two classes")
    weights = [w.to_dense().T.astype(np.float64) for w in net.weights]
    biases = [w.bias.astype(np.float64) for w in net.weights]
    if net.is_regression:
        weights[-1], biases[-1] = (a * net._targets.scale for a in (weights[-1], biases[-1]))
        biases[-1] = biases[-1] + net._targets.mean
    model = MLPRegressor() if net.is_regression else MLPClassifier()
    model.activation, model.out_activation_ = known[net.activation], forms[net.loss]
    model.coefs_, model.intercepts_ = weights, biases
    model.n_layers_, model.n_outputs_ = len(weights) + 1, net.layers[-1]
    if not net.is_regression:
        model.classes_ = net.classes
    scaler = StandardScaler()
    shift, scale = net.input_transform
    scaler.mean_, scaler.scale_ = shift.astype(np.float64), 1.0 / scale.astype(np.float64)
    scaler.n_features_in_ = len(shift)
    back = sn.SparseMLP.from_sklearn(make_pipeline(scaler, model))
    labels = None if net.is_regression else back.predict(case.X).tolist()
    case.check("from_sklearn", given(back, case.X), labels, folded=True)
    again = model._forward_pass_fast((case.X - shift) * scale, check_input=False)
    again = np.asarray(again, np.float64).reshape(len(case.X), -1)
    if net.loss == "sigmoid":
        again = np.hstack([1.0 - again, again])
    case.check("scikit-learn", again, folded=True)


def _scipy(case, folder):
    layers = [
        SparseLayer.from_scipy(w.to_scipy(), w.bias, initial=w.to_scipy()) for w in case.net.weights
    ]
    back = case.net.copy().set_weights(layers)
    assert (given(back, case.X) == case.said).all(), "from_scipy differs"
    layers = [SparseLayer.from_dense(w.to_dense(), w.bias) for w in case.net.weights]
    case.check("from_dense", given(case.net.copy().set_weights(layers), case.X))


def _json(case, folder):
    back = sn.SparseMLP.from_json(case.net.to_json())
    rows = case.X if case.table is None else case.table
    assert (given(back, rows) == case.said).all(), "other outputs"
    assert back.to_json() == case.net.to_json(), "other texts"


def _formula(case, folder):
    found = sn.explain.equation(case.net)
    case.check("equation", found.evaluate(case.X), folded=True)
    names: dict[str, Any] = {}
    exec(found.python(), names)
    y = [names["network"](*row[case.program.inputs].tolist()) for row in case.X]
    case.check("its Python", y, folded=True)


def _file(case, folder):
    case.net.save(folder / "net.npz")
    back = sn.SparseMLP.load(folder / "net.npz")
    rows = case.X if case.table is None else case.table
    assert (given(back, rows) == case.said).all(), "other outputs"
    back.save(folder / "again.npz")
    assert (folder / "again.npz").read_bytes() == (folder / "net.npz").read_bytes()


EXPORTS = {
    "C float32": _c("float32"),
    "C of raw cells": _c_of_cells,
    "C int8": _c("int8"),
    "C int16": _c("int16"),
    "Python": each(_python),
    "JavaScript": _javascript,
    "DuckDB": _sql("duckdb"),
    "SQLite": _sql("sqlite"),
    "ONNX": each(_onnx),
    "torch and back": each(_torch),
    "scikit-learn": each(_sklearn),
    "SciPy and back": each(_scipy),
    "JSON and back": each(_json),
    "formula": each(_formula),
    "save and load": each(_file),
}
_LIBRARIES = {"ONNX": "onnxruntime", "torch and back": "torch", "scikit-learn": "sklearn",
              "DuckDB": "duckdb", "SciPy and back": "scipy"}  # fmt: skip
_PROGRAMS = {
    "JavaScript": "node",
    "C float32": "gcc",
    "C of raw cells": "gcc",
    "C int8": "gcc",
    "C int16": "gcc",
}
_NAMED = re.compile(r"'.*?[^\\]'|-?\d\S*")  # what differs from case to case in a refusal
_BATCH = 50


def fuzz(seeds, folder, exports=tuple(EXPORTS)):
    """Send the cases of seeds through exports.

    Returns {export: (n equal, refusals by reason, faults, seconds)}; of exports whose libraries or
    programs are not there, nothing.
    """
    told = {}
    seeds = list(seeds)
    for name in exports:
        if not _is_there(name):
            continue
        begin, equal, refused, faults = time.perf_counter(), 0, collections.Counter(), []
        for first in range(0, len(seeds), _BATCH):
            cases = [_drawn(seed) for seed in seeds[first : first + _BATCH]]
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "table: cells of")
                for case, wrong in EXPORTS[name](cases, folder):
                    if wrong is None:
                        equal += 1
                    elif wrong.startswith("refused: "):
                        refused[_NAMED.sub("…", wrong[9:])] += 1
                    else:
                        faults.append(f"seed {case.seed}: {wrong}")
        told[name] = (equal, refused, faults, time.perf_counter() - begin)
    return told


def _is_there(name):
    """Whether libraries and programs that an export is tried with are installed."""
    if name == "SQLite":
        from export.test_sql import has_math

        return has_math()
    library = importlib.util.find_spec(_LIBRARIES.get(name, "numpy"))
    return library is not None and shutil.which(_PROGRAMS.get(name, sys.executable)) is not None


_CASES: dict[int, Case] = {}


def _drawn(seed):
    if seed not in _CASES:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "table: cells of")
            _CASES[seed] = draw(seed)
    return _CASES[seed]


def main():
    """Print what each export did; the status is 1 if one of them differed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", choices=EXPORTS, action="append")
    args = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        seeds = range(args.first, args.first + args.count)
        for name in args.only or EXPORTS:
            for equal, refused, faults, seconds in fuzz(seeds, Path(folder), [name]).values():
                print(f"{name}: {equal} equal, {refused.total()} refused, {len(faults)} faults; "
                      f"{seconds:.0f} s", flush=True)  # fmt: skip
                for reason, n in refused.most_common():
                    print(f"  refused {n}: {reason[:150]}")
                for fault in faults[:20]:
                    print(f"  {fault[:400]}")
                wrong += len(faults)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
