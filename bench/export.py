"""``python -m bench.export --data-dir DIR``: a network of MNIST in C, on microcontrollers and here.

Sizes are of the object code that arm-none-eabi-gcc makes. Every class is compared with `predict`.
Peers, each left out where it is not installed: emlearn (size), onnx and onnxruntime (latency, and
the size of its files).
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.data import TARGET, check
from bench.final import commit, console, parse_arguments, write_results
from bench.machine import cpu_model
from bench.peers import optional
from bench.report import Report, against, spread
from bench.timing import Contender, measure

ARM = "arm-none-eabi-gcc"
CORES = {
    "Cortex-M0": ("-mcpu=cortex-m0", "-mthumb"),
    "Cortex-M4": ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
}
VARIANTS = [
    ("float32", "float32"), ("float32", "uint8"), ("int16", "float32"), ("int16", "uint8"),
    ("int8", "float32"), ("int8", "uint8"),
]  # fmt: skip
C_TYPES = {"float32": "float", "uint8": "uint8_t"}
FLASH_MOST = {"float32": 16384, "int8": 6144}  # what the smallest variant of a dtype may take
LOSS_MOST = 0.003
N_TIMED = 1000
CALLS = """#include "mnist.h"
void classify(const {x} *x, long n, uint16_t *out);
void classify(const {x} *x, long n, uint16_t *out) {{
  long i;
  for (i = 0; i < n; ++i) {{
    out[i] = mnist_predict(x + i * MNIST_N_INPUTS);
  }}
}}
"""
ONE = """#include "mnist.h"
unsigned one(const {x} *x);
unsigned one(const {x} *x) {{ return mnist_predict(x); }}
"""


def main() -> None:
    """Train, export, check, count and time."""
    args = parse_arguments(__doc__.splitlines()[0])
    seed = 11 if args.final else 1000
    data = sn.datasets.mnist(Path(args.data_dir))
    X, y = data.test if args.final else data.validation
    report = Report()
    command = f"python -m bench.export{' --final' if args.final else ''}"
    report.text(
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, "
        f"{cpu_model()}."
    )
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "m.npz"
        flags = ("--hidden", "20", "--synapses", str(TARGET), "--seed", str(seed))
        console("prune", "mnist", *flags, "--out", str(model), "--data-dir", str(args.data_dir))
        net = sn.SparseMLP.load(model)
        report.text(
            f"{net.structure}, {net.n_synapses} synapses, "
            f"{len(X)} {'test' if args.final else 'validation'} images."
        )
        sizes(net, data.train.X, X, y, Path(folder), report)
        onnx_sizes(net, data.train.X, X, y, Path(folder), report)
        latency(net, data.train.X, X, Path(folder), report)
    if args.final:
        write_results("export", "Networks in C", command, report.markdown())


def header(
    net: sn.SparseMLP, dtype: str, of_x: str, rows: Any, folder: Path, layout: str = "auto"
) -> str:
    """Write mnist.h for a variant; returns its text."""
    calibration = None if dtype == "float32" else rows.astype(of_x)
    return net.to_c(
        folder / "mnist.h", name="mnist", dtype=dtype, input_dtype=of_x, calibration=calibration,
        layout=layout,
    )  # fmt: skip


def library(of_x: str, folder: Path, name: str) -> Callable[..., None]:
    """Compile mnist.h at -O2; returns classify(rows, n, class numbers)."""
    source, built = folder / "calls.c", folder / f"{name}.so"
    source.write_text(CALLS.format(x=C_TYPES[of_x]))
    flags = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
    subprocess.run(["gcc", *flags, source, "-o", built, "-lm"], check=True)
    function: Callable[..., None] = ctypes.CDLL(str(built)).classify
    return function


def classes(classify: Callable[..., None], X: NDArray[Any]) -> NDArray[np.uint16]:
    """Return the class numbers that C says."""
    found = np.empty(len(X), np.uint16)
    classify(
        ctypes.c_void_p(X.ctypes.data), ctypes.c_long(len(X)), ctypes.c_void_p(found.ctypes.data)
    )
    return found


def flash(folder: Path, source: str, core: str, *includes: str) -> int:
    """Return the bytes of code and constants of a C text for a core, at -Os."""
    file, built = folder / "one.c", folder / "one.o"
    file.write_text(source)
    command = [ARM, "-std=c99", "-Os", *CORES[core], *includes, "-c", file, "-o", built]
    subprocess.run(command, check=True)
    told = subprocess.run(
        ["arm-none-eabi-size", built], check=True, capture_output=True, text=True
    ).stdout
    text, in_data, *_ = told.splitlines()[1].split()
    return int(text) + int(in_data)


def sizes(net: sn.SparseMLP, rows: Any, X: Any, y: Any, folder: Path, report: Report) -> None:
    """Flash, RAM and accuracy of each variant."""
    expected, score = net.predict(X), net.score(X, y)
    report.text("## Size and accuracy")
    report.text(
        "`predict` and its tables, gcc -Os. A Cortex-M0 needs the compiler's functions for floats "
        "besides, unless x is of uint8 and the dtype an integer. "
        f"Python scores {100 * score:.2f} %."
    )
    table, smallest = [], dict.fromkeys(FLASH_MOST, 10**9)
    for dtype, of_x in VARIANTS:
        text = header(net, dtype, of_x, rows, folder)
        found = net.classes[classes(library(of_x, folder, f"{dtype}_{of_x}"), X.astype(of_x))]
        same = int((found == expected).sum())
        if dtype == "float32":
            check(same == len(X), f"{len(X) - same} classes differ in float32")
        else:
            given = (rows.astype(of_x), X.astype(of_x))
            q = sn.export.IntegerNetwork.of(net, given[0], dtype=dtype, input_dtype=of_x)
            check((found == q.predict(given[1])).all(), f"{dtype} differs from Python")
        lost = score - float((found == y).mean())
        check(lost <= LOSS_MOST, f"{dtype} loses {100 * lost:.2f} points")
        ram = next(line for line in text.splitlines() if "RAM" in line).split()[2]
        bytes_of = [
            flash(folder, ONE.format(x=C_TYPES[of_x]), core) if shutil.which(ARM) else 0
            for core in CORES
        ]
        if dtype in smallest:
            smallest[dtype] = min(smallest[dtype], *bytes_of)
        variant, agree, loss = f"{dtype}, x of {of_x}", f"{same} of {len(X)}", f"{100 * lost:+.2f}"
        told = [str(n) if n else "no compiler" for n in bytes_of]
        table.append([variant, *told, ram, agree, loss])
        report.record("sizes", dtype=dtype, input_dtype=of_x, flash=bytes_of, lost=lost)
    for dtype, most in FLASH_MOST.items():
        check(smallest[dtype] < most, f"{dtype} takes {smallest[dtype]} bytes of flash")
    table += emlearn_rows(net, X, expected, folder)
    report.table(
        ["C", *(f"bytes, {core}" for core in CORES), "RAM", "class as predict", "points lost"],
        table,
    )


def dense(net: sn.SparseMLP) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return the layers as full matrices, the input scaling in the first one."""
    shift, scale = (a.astype(np.float64) for a in net.input_transform)
    layers = [(w.to_dense().astype(np.float64), w.bias.astype(np.float64)) for w in net.weights]
    first, bias = layers[0]
    layers[0] = (first * scale, bias - (first * scale) @ shift)
    return [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]


def emlearn_rows(net: sn.SparseMLP, X: Any, expected: Any, folder: Path) -> Iterator[list[str]]:
    """Yield the row of emlearn, which writes full matrices."""
    emlearn, sklearn = optional("emlearn"), optional("sklearn")
    if not (emlearn and sklearn and shutil.which(ARM)):
        return
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((net.layers[1],))
    model.partial_fit(X[:20] / 255.0, np.arange(20) % 10, classes=np.arange(10))
    model.coefs_ = [w.T for w, _ in dense(net)]
    model.intercepts_ = [b for _, b in dense(net)]
    with np.errstate(under="ignore"):
        check((model.predict(X.astype(np.float32)) == expected).mean() > 0.999, "emlearn's network")
    with contextlib.chdir(folder):  # where it writes files of its own
        emlearn.convert(model, method="inline").save(file="eml.h", name="eml")
    source = '#include "eml.h"\nint one(const float *x, int n) { return eml_predict(x, n); }\n'
    include = f"-I{emlearn.includedir}"
    bytes_of = [str(flash(folder, source, core, include)) for core in CORES]
    yield [f"emlearn {emlearn.__version__}, float", *bytes_of, "", "", ""]


def latency(net: sn.SparseMLP, rows: Any, X: Any, folder: Path, report: Report) -> None:
    """Time one image at a time."""
    expected = net.predict(X[:N_TIMED])
    numbers = np.searchsorted(net.classes, expected)
    found = np.empty(N_TIMED, np.uint16)
    entrants = []
    for dtype, of_x, layout in (
        ("float32", "float32", "csr"),
        ("float32", "float32", "unrolled"),
        ("int8", "uint8", "csr"),
    ):
        header(net, dtype, of_x, rows, folder, layout=layout)
        classify = library(of_x, folder, f"timed_{dtype}_{layout}")
        given = np.ascontiguousarray(X[:N_TIMED].astype(of_x))
        agree = float((classes(classify, given) == numbers).mean())
        check(agree == 1.0 if dtype == "float32" else agree > 0.99, f"{dtype}: {agree}")
        pointers = (ctypes.c_void_p(given.ctypes.data), ctypes.c_void_p(found.ctypes.data))
        call = partial(classify, pointers[0], ctypes.c_long(N_TIMED), pointers[1])
        entrants.append(Contender(f"C, {dtype}, {layout}", call, 1, N_TIMED))
        if (dtype, layout) == ("float32", "csr"):
            one = partial(classify, pointers[0], ctypes.c_long(1), pointers[1])
            entrants.append(Contender("the same, called from Python", one, 1))
    entrants.append(Contender("predict", partial(net.predict, X[:1], threads=1), 1))
    entrants += onnxruntime(net, X[:N_TIMED], expected, folder)
    timings = measure(entrants, rounds=(20, 60))
    report.text("## Latency")
    report.text(
        "One image at a time on one thread, gcc -O2. C loops over images within one call, except "
        "in the second row; the others are called from Python for each image."
    )
    peer = timings[-1]
    report.table(
        ["who", "an image", f"{peer.name} takes"],
        [[t.name, spread(t), f"{peer.median / t.median:.1f} times as long"] for t in timings],
    )
    report.record("latency", timings)
    report.disturbance("latency")
    if peer.name.startswith("onnxruntime"):
        ours = min((t for t in timings if t.name.startswith("C, float32")), key=lambda t: t.median)
        check(10 * ours.median <= peer.median, against(ours, peer))


def onnxruntime(net: sn.SparseMLP, X: Any, expected: Any, folder: Path) -> Iterator[Contender]:
    """Yield a session of onnxruntime that holds the network as full matrices."""
    if not (optional("onnx") and optional("onnxruntime")):
        return
    session = session_of(onnx_file(net, folder))
    rows = X.astype(np.float32)
    said = net.classes[session.run(None, {"x": rows})[0].argmax(axis=1)]
    check((said == expected).mean() > 0.999, "onnxruntime's network")
    one = {"x": rows[:1]}
    version = optional("onnxruntime").__version__
    yield Contender(f"onnxruntime {version}", lambda: session.run(None, one), 1)


def onnx_file(net: sn.SparseMLP, folder: Path) -> Path:
    """Write the network as full matrices in float32; returns the file."""
    onnx = optional("onnx")
    from onnx import TensorProto, helper, numpy_helper

    nodes, tensors, below = [], [], "x"
    for i, (weights, bias) in enumerate(dense(net)):
        tensors += [numpy_helper.from_array(weights, f"w{i}")]
        tensors += [numpy_helper.from_array(bias, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [below, f"w{i}", f"b{i}"], [f"z{i}"], transB=1))
        below = f"z{i}"
        if i + 1 < len(net.layers) - 1:
            nodes.append(helper.make_node("Relu", [below], [f"y{i}"]))
            below = f"y{i}"
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, net.n_features])
    z = helper.make_tensor_value_info(below, TensorProto.FLOAT, [None, net.layers[-1]])
    graph = helper.make_graph(nodes, "net", [x], [z], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    file = folder / "net.onnx"
    onnx.save(model, file)
    return file


def session_of(file: Path) -> Any:
    """Return a session on one thread."""
    runtime = optional("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def onnx_sizes(net: sn.SparseMLP, rows: Any, X: Any, y: Any, folder: Path, report: Report) -> None:
    """Bytes of the files that onnxruntime needs for the same network, which no Cortex-M runs."""
    runtime = optional("onnxruntime")
    if not (optional("onnx") and runtime):
        return
    from onnxruntime import quantization

    class Rows(quantization.CalibrationDataReader):
        """A thousand training images."""

        def __init__(self) -> None:
            self.left = iter([{"x": rows[:1000].astype(np.float32)}])

        def get_next(self) -> Any:
            return next(self.left, None)

    files = {"float32": onnx_file(net, folder), "int8": folder / "int8.onnx"}
    quantization.quantize_static(
        str(files["float32"]), str(files["int8"]), Rows(),
        weight_type=quantization.QuantType.QInt8,
    )  # fmt: skip
    told = []
    for dtype, file in files.items():
        said = session_of(file).run(None, {"x": X.astype(np.float32)})[0].argmax(axis=1)
        lost = net.score(X, y) - float((net.classes[said] == y).mean())
        told.append([f"model file, {dtype}", str(file.stat().st_size), f"{100 * lost:+.2f}"])
    (library,) = (Path(runtime.__file__).parent / "capi").glob("onnxruntime_pybind11_state*.so")
    told.append(["library of the Python package", str(library.stat().st_size), ""])
    report.text(
        "Files that onnxruntime needs on this machine for the same network, full matrices; it does "
        "not run on a Cortex-M. The model in int8 is that of its `quantize_static`."
    )
    report.table([f"onnxruntime {runtime.__version__}", "bytes", "points lost"], told)


if __name__ == "__main__":
    main()
