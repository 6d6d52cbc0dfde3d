"""Bad calls of the public API and of the console: each is refused, at once and by name.

    PYTHONPATH=python:tests python -m fuzz.calls --count 2000

A sound call gets one or two wrong arguments: of another type, NaN, negative, huge, of another
shape, or an option that contradicts the others. It must succeed, or raise a documented exception
before anything is trained and without changing an array that it was given; the console must end
with status 2 and one line on stderr.
"""

import argparse
import contextlib
import functools
import inspect
import io
import sys
import warnings

import numpy as np
import synaprune as sn
import synaprune.sklearn
from fuzz.readers import CSV, _folder, place
from fuzz.running import add_arguments, main
from synaprune import _core, cli

ENOUGH = 30  # epochs after which a call that trains counts as sound


class Enough(BaseException):
    """A call trains: its arguments were accepted."""


class Trained:
    """Counts the epochs that are trained."""

    def __init__(self):
        self.epochs = 0
        self.real = _core.Network.train_epoch

    def __enter__(self):
        def counting(net, *args, **options):
            self.epochs += 1
            if self.epochs > ENOUGH:
                raise Enough
            return self.real(net, *args, **options)

        _core.Network.train_epoch = counting
        return self

    def __exit__(self, *_):
        _core.Network.train_epoch = self.real


@functools.cache
def pool():
    """Return sound arguments by name, and calls as (name, function, arguments)."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.int64)
    t = (X[:, :2] * 3.0).astype(np.float64)
    one = sn.Training(2, batch_size=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = sn.SparseMLP((4, 5, 1), seed=0, init_scale=1.0).fit(X, y, training=one)
        numbers = sn.SparseMLP((4, 3, 2), loss="squared_error", seed=0).fit(X, t, training=one)
        path = sn.prune(net, X, y, validation=(X, y), n_synapses=9, training=one)
    table = sn.read_table(io.BytesIO(CSV))
    inputs = table.without(["kind"])
    encoder = sn.TableEncoder.fit(inputs)
    csv, model, out = place(CSV, "table.csv"), _folder() / "net.npz", _folder() / "out"
    net.save(model)
    np.savez(_folder() / "X.npz", X=X, y=y)
    ablation = sn.explain.ablate(net, X, y)
    layer = net.weights[0]
    linear = sn.SparseLinear(layer)
    dense = np.eye(3, 4, dtype=np.float32)
    shared = {
        "net": net,
        "a": net,
        "b": net,
        "X": X,
        "y": y,
        "x": X[0],
        "validation": (X, y),
        "sample_weight": np.ones(40),
        "training": one,
        "threads": 1,
        "table": inputs,
        "path": csv,
        "file": csv,
        "layer": 0,
        "subject": path,
        "ablation": ablation,
        "labels": sn.explain.annotate_units(ablation),
        "fresh": ablation,
        "feature": 1,
        "matrix": np.eye(2, dtype=np.int64),
        "image_shape": (2, 2),
        "values": dense,
        "matrix_": dense,
        "seed": 0,
        "encoder": encoder,
        "column": inputs.columns["size"],
        "style": "plain",
        "answers": t[:, 0],
        "name_or_path": csv,
        "target": "kind",
        "weights": net.weights,
    }
    calls = []

    def add(name, function, **given):
        try:
            named = inspect.signature(function).parameters
        except ValueError:
            return
        arguments = {}
        for key, parameter in named.items():
            if key in given:
                arguments[key] = given[key]
            elif parameter.default is parameter.empty and key in shared:
                arguments[key] = shared[key]
        calls.append((name, function, {**arguments, **given}))

    for module in (sn.explain, sn.plots, sn.tables):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value) and name not in ("plot_stability", "read_table"):
                add(name, value, **({"path": path} if name in ("plot_path", "plot_wsf") else {}))
    for name in ("load_table", "load_rows", "load_columns", "load_inputs", "read_idx", "load"):
        add(name, getattr(sn.datasets, name))
    tables = [c for c in calls if c[0] in ("find_target", "read_target")]
    for call in tables:
        call[2]["table"] = table
    add("read_table", sn.read_table)
    add("prune", sn.prune, n_synapses=9)
    add("prune", sn.prune, max_drop=0.5, strategy=sn.Iterative(retrain_epochs=2))
    add("quantize", sn.quantize)
    add("round_weights", sn.round_weights)
    add("saliency", sn.saliency)
    add("smallest_network", sn.smallest_network, max_updates=20)
    add("write_report", sn.report.write_report, file=out)
    for kind in (
        sn.Training,
        sn.Gradual,
        sn.Iterative,
        sn.Sweep,
        sn.SGD,
        sn.Adam,
        sn.AdamW,
        sn.RMSprop,
        sn.InputBudget,
        sn.ShiftImages,
        sn.ConstantThenCosine,
        sn.callbacks.EarlyStopping,
        sn.callbacks.Checkpoint,
    ):
        sound = {"ShiftImages": {"image_shape": (2, 2), "pixels": 1}, "Checkpoint": {"path": out}}
        names = inspect.signature(kind).parameters
        add(
            kind.__name__,
            kind,
            **{k: v for k, v in sound.get(kind.__name__, {}).items() if k in names},
        )
    add("SparseMLP", sn.SparseMLP, layers=(4, 3, 2))
    add("SparseLayer.from_dense", sn.SparseLayer.from_dense)
    add("SparseLinear", sn.SparseLinear, layer=layer)
    add("forward", linear.forward, X=np.ascontiguousarray(X.T))
    add("backward", linear.backward, X=np.ascontiguousarray(X.T), D=np.ones((5, 40), np.float32))
    add("SparseMLP.load", sn.SparseMLP.load, path=model)
    add("PruningPath.load", sn.PruningPath.load, path=model)
    add("from_json", sn.SparseMLP.from_json, text=net.to_json())
    add("TableEncoder.fit", sn.TableEncoder.fit)
    add("TableEncoder.transform", encoder.transform)
    add("TableEncoder.from_record", sn.TableEncoder.from_record, record=encoder.record())
    add("Table.from_rows", sn.Table.from_rows, rows=[["1", "a"]], names=["p", "q"])
    add("Table.without", table.without, names=["kind"])
    for subject, target in ((net, y), (numbers, t)):
        for method in ("fit", "partial_fit"):
            add(method, getattr(subject, method), y=target)
        for method in (
            "predict",
            "score",
            "check_data",
            "to_c",
            "to_python",
            "to_js",
            "to_sql",
            "to_json",
            "without",
            "with_weight",
            "with_bias",
            "with_frozen",
            "set_weights",
            "prepare",
            "save",
            "reset",
            "input_name",
        ):
            given = {"score": {"y": target}, "prepare": {"y": target}, "save": {"path": out}}
            add(method, getattr(subject, method), **given.get(method, {}))
    add("predict_proba", net.predict_proba)
    for method in ("select", "undo", "network", "removed", "report", "save", "plot"):
        add(
            f"path.{method}",
            getattr(path, method),
            **({"step": 0} if method in ("network", "removed") else {}),
            **({"file": out} if method == "report" else {"path": out} if method == "save" else {}),
        )
    bad = [
        None,
        True,
        False,
        -1,
        0,
        1,
        2,
        1.5,
        2**31 - 64,
        2**31,
        2**63,
        2**70,
        -(2**70),
        10**400,
        float("nan"),
        float("inf"),
        1e-320,
        1e308,
        "",
        "x",
        "kind",
        "\0",
        "\ud800",
        "wsf",
        "accuracy",
        b"x",
        [],
        (),
        {},
        {1, 2},
        [[]],
        [1, [2]],
        [None],
        range(3),
        object(),
        len,
        sn.SGD,
        sn.SGD(),
        one,
        net,
        path,
        table,
        inputs,
        encoder,
        layer,
        np,
        1j,
        np.float32(2),
        np.int64(3),
        np.nan,
        np.array(1.0),
        np.array([]),
        np.empty((0, 4)),
        np.empty((4, 0)),
        X[:, :3],
        X[:7],
        X[None],
        X.astype(object),
        X.astype(complex),
        X.astype(str),
        np.where(X > 1, np.nan, X),
        np.where(X > 1, np.inf, X),
        X * np.float32(1e38),
        X[::-1].T,
        X.astype(np.float64) * 1e300,
        np.ma.masked_array(X, X > 0),
        y[:5],
        y * 0,
        y - 9,
        y + 0.5,
        y.astype(str),
        y[:, None],
        t,
        -np.ones(40),
        np.zeros(40),
        np.full(40, np.nan),
        (X, y),
        (X,),
        (X, y, y),
        (X[:0], y[:0]),
        [net, net],
        ["a", "a"],
        ["a"],
        [0],
        [-1],
        [99],
        [(0, 0, 0)],
        [(9, 9, 9)],
        (0, 0),
        (2, 2),
        (2**20, 2**20),
        {0: -1.0},
        {"a": 1.0},
        lambda *a: None,
        lambda *a: "x",
        iter([1]),
        csv,
        model,
        out,
        "/dev/null/x",
        "/proc/self/mem",
        ".",
        np.dtype("f4"),
        memoryview(b"ab"),
        ...,
    ]
    return shared, calls, bad


def _arrays(value, depth=2):
    if isinstance(value, np.ndarray) and value.dtype != object:
        yield value
    elif isinstance(value, list | tuple) and depth:
        for item in value:
            yield from _arrays(item, depth - 1)


def api(rng):
    """One call of the public API with wrong arguments."""
    shared, calls, bad = pool()
    name, function, sound = rng.choice(calls)
    given = dict(sound)
    parameters = [
        key
        for key, p in inspect.signature(function).parameters.items()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    for _ in range(rng.choice((1, 1, 2))):
        if parameters and rng.random() < 0.95:
            given[rng.choice(parameters)] = rng.choice(bad)
        elif given and rng.random() < 0.5:
            given.pop(rng.choice(list(given)))
        else:
            given["colour"] = 1
    arrays = [*_arrays(list(given.values())), *_arrays(list(shared.values()))]
    before = [array.tobytes() for array in arrays]
    bound = getattr(function, "__self__", None)
    if isinstance(bound, sn.SparseMLP):
        function = getattr(bound.copy(), function.__name__)
    with Trained() as trained:
        try:
            with contextlib.chdir(_folder()), contextlib.redirect_stdout(io.StringIO()):
                function(**given)
        except Enough:
            pass
        except MemoryError:  # of a call that asks for so much
            pass
        except sn.TrainingDiverged:
            pass
        except (IndexError, KeyError) as error:
            documented = {
                "path.network": IndexError,
                "path.removed": IndexError,
                "plot_wsf": IndexError,
                "TableEncoder.from_record": KeyError,
            }
            if type(error) is not documented.get(name):
                raise AssertionError(f"{name} raised {error!r}: {given!r:.2000}") from error
        except Exception as error:
            if not isinstance(error, TypeError | ValueError | OSError | ImportError):
                raise AssertionError(f"{name} raised {error!r}: {given!r:.2000}") from error
            late = isinstance(error, TimeoutError) or callable(given.get("callback"))  # may raise
            if trained.epochs and not late:
                raise AssertionError(f"{name} trained first: {given!r:.2000}") from error
        finally:
            if pyplot := sys.modules.get("matplotlib.pyplot"):
                pyplot.close("all")
            for array, content in zip(arrays, before, strict=True):
                if name != "forward":
                    assert array.tobytes() == content, f"{name} changed an array: {given!r:.2000}"


COMMANDS = [
    "prune xor --synapses 20 --epochs 2 --retrain-epochs 2",
    "prune {csv} --target kind --synapses 4 --epochs 2 --retrain-epochs 2",
    "prune {npz} --target y --max-drop 0.5 --epochs 2 --retrain-epochs 2 --candidates 1",
    "predict {model} {npz}",
    "predict {model} {npz} --proba --out {out}",
    "info {model}",
    "info {model} --json {out}",
    "report {model} --out {out}",
    "export {model} --format c --out {out}",
    "export {model} --format python --out {out}",
    "export {model} --format sql --table t --out {out}",
    "export {model} --format json --out {out}",
    "export {model} --format formula --out {out}",
]
WORDS = [
    "",
    "-1",
    "0",
    "1",
    "nan",
    "inf",
    "1e999",
    "9" * 30,
    "x",
    "xor",
    "--",
    "-",
    "-x",
    "--out",
    "/",
    ".",
    "/dev/null/x",
    "no.csv",
    "\ud800",
    "a,b",
    "1,2",
    ",",
    "0.5",
    "kind",
    "y",
    "c",
    "wsf",
    "{csv}",
    "{npz}",
    "{model}",
    "{broken}",
    "{folder}",
]


@functools.cache
def flags():
    """Return all flags of the console."""
    words = set()
    for command in ("prune", "predict", "report", "info", "export"):
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
            cli.main([command, "--help"])
        words |= {w.strip("[],") for w in out.getvalue().split() if w.strip("[],").startswith("--")}
    return sorted(words - {"--jobs", "--runs", "--help", "--version"})


def console(rng):
    """One command of the console with wrong words."""
    pool()
    folder = _folder()
    broken = folder / "broken.npz"
    broken.write_bytes((folder / "net.npz").read_bytes()[:-9])
    places = {
        "csv": folder / "table.csv",
        "npz": folder / "X.npz",
        "model": folder / "net.npz",
        "out": folder / "out.txt",
        "broken": broken,
        "folder": folder,
    }
    words = rng.choice(COMMANDS).split()
    for _ in range(rng.choice((1, 1, 2))):
        edit = rng.randrange(4)
        at = rng.randrange(1, len(words))
        if edit == 0:
            words[at] = rng.choice(WORDS)
        elif edit == 1:
            words[at:at] = [rng.choice(flags())]
        elif edit == 2:
            words += [rng.choice(flags()), rng.choice(WORDS)]
        else:
            del words[at]
            words += [""] * (len(words) < 2)
    words = [word.format(**places) if "{" in word else word for word in words]
    out, err = io.StringIO(), io.StringIO()
    with (
        Trained(),
        contextlib.chdir(folder),  # where any word may become a file
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            status = cli.main(words)
        except SystemExit as end:
            status = end.code
        except Enough:
            status = 0
    text = err.getvalue().encode("utf-8", "replace").decode()
    assert status in (0, 2), (status, words, text)
    if status == 2:
        assert text.startswith("synaprune: "), (words, text)
        assert text.count("\n") == 1, (words, text)
        raise ValueError(text)


UNDOCUMENTED = ()
TARGETS = {"api": (api, UNDOCUMENTED, pool), "console": (console, (ValueError,), flags)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, TARGETS)
    sys.exit(bool(main(TARGETS, parser.parse_args())))
