"""The arrows of the code itself: who may use whom, and what stands where."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "synaprune"
CPP = ROOT / "cpp"

# --- Python: imports ----------------------------------------------------------------------------

# Each module may import, when it is itself imported, only what stands in an earlier group.
LAYERS = (
    {"_core"},
    {"extras"},
    {"checks"},
    {"arrays"},
    {"threads"},
    {"datasets", "io", "labels", "layers", "scaling"},
    {"data", "selection", "state", "training"},
    {"linear"},
    {"network"},
    {"criteria"},
    {"path"},
    {"pruning"},
    {"explain", "layout"},
    {"plots", "report"},
    {"cli"},
)
LEVEL = {module: level for level, group in enumerate(LAYERS) for module in group}
FACES = {"__init__", "__main__"}  # the package's two doors, which may import everything
# Imports inside a function that would be against the order above, or are put off on purpose.
INSIDE_FUNCTIONS = {
    ("cli", "synaprune.cli.display"),
    ("cli", "synaprune.extras"),
    ("path", "synaprune.plots"),
    ("path", "synaprune.report"),
}
FROM_THE_FACE = {("cli", "synaprune.__version__")}


def imports(source, package):
    """Yield (inside a function, full module name) of each import, `package` being where it is."""

    def visit(node, inside):
        if isinstance(node, ast.Import):
            yield from ((inside, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield from ((inside, f"{module}.{alias.name}") for alias in node.names)
        functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside or isinstance(node, functions))

    yield from visit(ast.parse(source), False)


def wrong_imports(sources):
    """Return what is against the arrows; `sources` maps "path/below/the/package.py" to text."""
    faults = []
    for name, source in sources.items():
        parts = name.removesuffix(".py").split("/")
        module = parts[0]
        if module in FACES and len(parts) == 1:
            continue
        if module not in LEVEL:
            faults.append(f"{name}: {module} stands in no layer")
            continue
        listed = [full for owner, full in INSIDE_FUNCTIONS if owner == module]
        for inside, full in imports(source, ".".join(["synaprune", *parts[:-1]])):
            first, _, rest = full.partition(".")
            other = rest.partition(".")[0]
            if first != "synaprune":
                continue  # other packages are free
            if inside:
                if not any(f"{full}.".startswith(f"{allowed}.") for allowed in listed):
                    faults.append(f"{name}: {full} is imported inside a function")
            elif other == module or (module, full) in FROM_THE_FACE:
                continue
            elif LEVEL.get(other, len(LAYERS)) >= LEVEL[module]:
                faults.append(f"{name}: {full} does not stand left of {module}")
    return faults


def python_sources():
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("*.py")
    }


def test_python_imports_point_one_way():
    sources = python_sources()
    assert {name.split("/")[0].removesuffix(".py") for name in sources} >= LEVEL.keys() - {"_core"}
    assert wrong_imports(sources) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("io.py", "from synaprune.network import SparseMLP"),
        ("io.py", "from synaprune import network"),
        ("io.py", "import synaprune.network._model"),
        ("io.py", "from . import network"),
        ("io.py", "from .datasets import load"),  # beside it, not left of it
        ("io.py", "import synaprune"),
        ("io.py", "from synaprune import SparseMLP"),
        ("io.py", "from synaprune import __version__"),
        ("io.py", "from synaprune import *"),
        ("datasets/_idx.py", "from ..path import PruningPath"),
        ("datasets/_idx.py", "from .. import io"),
        ("training.py", "if True:\n    from synaprune.pruning import prune"),
        ("training.py", "class A:\n    from synaprune.pruning import prune"),
        ("training.py", "def f():\n    from synaprune.pruning import prune"),
        ("training.py", "def f():\n    from synaprune.arrays import Inputs"),
        ("training.py", "async def f():\n    import synaprune.cli"),
        ("path.py", "def f():\n    def g():\n        from synaprune.cli import display"),
        ("cli/job.py", "def f():\n    from synaprune.cli import job"),
        ("path/_path.py", "from synaprune.plots import plot_path"),
        ("path/_path.py", "def f():\n    from synaprune.pruning import prune"),
        ("plots.py", "def f():\n    from synaprune.plots import plot_path"),
        ("onnx.py", "import math"),
        ("onnx/_path.py", "import math"),
    ],
)
def test_checker_sees_a_wrong_import(name, source):
    assert len(wrong_imports({name: source})) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("io.py", "import json\nimport numpy as np\nfrom synaprune import _core"),
        ("io.py", "def f():\n    import scipy.sparse"),
        ("datasets/_idx.py", "from ._files import reading\nfrom ..arrays import Inputs"),
        ("cli/job.py", "from synaprune import __version__\nfrom synaprune.pruning import prune"),
        ("cli/prune_command.py", "def f():\n    from synaprune.cli import display"),
        ("cli/prune_command.py", "def f():\n    from synaprune.extras import require"),
        ("path/_path.py", "def f():\n    from synaprune.plots import plot_path"),
        ("__init__.py", "from synaprune.pruning import prune"),
        ("__main__.py", "from synaprune.cli import main"),
    ],
)
def test_checker_lets_right_imports_be(name, source):
    assert wrong_imports({name: source}) == []


# --- C++: includes ------------------------------------------------------------------------------

HEADERS = (
    {"types"},
    {"csr"},
    {"plan"},
    {"parallel"},
    {"kernels"},
    {"passes"},
    {"linear", "inputs", "pointwise", "optimizer", "prune", "explain", "targets"},
    {"trainer"},
    {"network"},
    {"bindings"},
)
HEADER_LEVEL = {header: level for level, group in enumerate(HEADERS) for header in group}
BESIDE = {("prune", "pointwise")}
SOURCE_OF = {
    "network_explain": "network",
    "network_moments": "network",
    "network_train": "network",
    "network_predict": "network",
    "trainer_small": "trainer",
    "trainer_state": "trainer",
}


def owner(name):
    """The header that a C++ file belongs to: itself, or the one it implements."""
    if name.startswith("bindings/"):
        return "bindings"
    if name.startswith("src/kernels/"):
        return "kernels"
    stem = Path(name).stem
    return SOURCE_OF.get(stem, stem)


def wrong_includes(sources):
    """Return what is against the arrows; `sources` maps "path/below/cpp" to text."""
    faults = []
    for name, source in sources.items():
        mine = owner(name)
        if mine not in HEADER_LEVEL:
            faults.append(f"{name}: {mine} stands in no layer")
            continue
        code = without_comments(source)
        for header in re.findall(r'#\s*include\s*["<](?:[\w./]*/)?(\w+)\.hpp[">]', code):
            if header == mine or (mine == "bindings" and header in ("convert", "handle")):
                continue
            left = HEADER_LEVEL.get(header, len(HEADERS)) < HEADER_LEVEL[mine]
            if not left and (mine, header) not in BESIDE:
                faults.append(f"{name}: {header}.hpp does not stand left of {mine}")
        python = re.search(r"#\s*include\s*[\"<](Python\.h|pybind11/|numpy/)", code)
        if python and mine != "bindings":
            faults.append(f"{name}: {python[1]} outside of bindings")
    return faults


def without_comments(source):
    """C++ without comments; line ends stay."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)


def cpp_sources():
    return {
        path.relative_to(CPP).as_posix(): path.read_text(encoding="utf-8")
        for path in CPP.rglob("*")
        if path.suffix in (".hpp", ".h", ".cpp", ".inl")
    }


def test_cpp_includes_point_one_way():
    sources = cpp_sources()
    headers = {Path(name).stem for name in sources if name.startswith("include/")}
    assert headers == HEADER_LEVEL.keys() - {"bindings"}
    assert wrong_includes(sources) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("include/synaprune/csr.hpp", '#include "synaprune/network.hpp"'),
        ("include/synaprune/csr.hpp", "#  include <synaprune/network.hpp>"),
        ("include/synaprune/csr.hpp", '#include "plan.hpp"'),
        ("include/synaprune/csr.hpp", '#include "../synaprune/plan.hpp"'),
        ("include/synaprune/pointwise.hpp", '#include "synaprune/prune.hpp"'),
        ("include/synaprune/inputs.hpp", '#include "synaprune/optimizer.hpp"'),
        ("src/csr.cpp", '#include "synaprune/prune.hpp"'),
        ("src/network_train.cpp", '#include "convert.hpp"'),
        ("src/kernels/reference.cpp", '#include "synaprune/network.hpp"'),
        ("src/kernels/spmm.inl", '#include "synaprune/inputs.hpp"'),
        ("src/types.cpp", "#include <Python.h>"),
        ("src/network.cpp", "#include <pybind11/numpy.h>"),
        ("src/sampling.cpp", "#include <vector>"),
    ],
)
def test_checker_sees_a_wrong_include(name, line):
    assert len(wrong_includes({name: f"// a file\n{line}\n"})) == 1


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("include/synaprune/prune.hpp", '#include "synaprune/pointwise.hpp"'),
        ("include/synaprune/network.hpp", '#include "synaprune/prune.hpp"'),
        ("src/csr.cpp", '#include "synaprune/csr.hpp"\n#include <vector>'),
        ("src/csr.cpp", '// #include "synaprune/network.hpp"\n/*\n#include <Python.h>\n*/'),
        ("bindings/bind_network.cpp", '#include <pybind11/stl.h>\n#include "convert.hpp"'),
    ],
)
def test_checker_lets_right_includes_be(name, line):
    assert wrong_includes({name: line}) == []


# --- C++: what stands in one place alone --------------------------------------------------------

THREADS = re.compile(
    r"\b(omp\w*|_OPENMP|pthread\w*|std::(this_)?thread|std::jthread|std::async|thread_local"
    r"|\w*(?<!per)mutex\w*|atomic\w*|\w*barrier\w*|condition_variable\w*"
    r"|(unique|shared|scoped)_lock|lock_guard)\b"
    r"|#\s*include\s*<(thread|future)>"
)
LEVELS = re.compile(r"avx|\bsse|_mm\d*_|__m\d+|immintrin", re.IGNORECASE)
KNOW_LEVELS = re.compile(r"src/kernels/(dispatch\.cpp|isa_\w+\.cpp|vec_\w+\.inl)")


def leaks(sources):
    """Return thread code and instruction-set names that stand where they may not."""
    faults = []
    for name, source in sources.items():
        code = without_comments(source)
        thread = THREADS.search(code)
        if thread and name != "include/synaprune/parallel.hpp":
            faults.append(f"{name}: thread code outside of parallel.hpp: {thread[0]}")
        level = LEVELS.search(code)
        if level and not KNOW_LEVELS.fullmatch(name):
            faults.append(f"{name}: instruction-set name: {level[0]}")
    return faults


def test_threads_and_instruction_sets_stand_in_their_places():
    sources = cpp_sources()
    assert leaks(sources) == []
    assert THREADS.search(sources["include/synaprune/parallel.hpp"])
    assert LEVELS.search(sources["src/kernels/dispatch.cpp"])


@pytest.mark.parametrize(
    "leak",
    [
        "#pragma omp parallel for",
        "#include <omp.h>",
        "#ifdef _OPENMP",
        "std::thread worker(f);",
        "#include <thread>",
        "#include <mutex>",
        "std::shared_mutex lock;",
        "std::lock_guard<M> guard(m);",
        "std::atomic<int> count;",
        "std::atomic_thread_fence(order);",
        "std::barrier sync(2);",
        "thread_local int x;",
        "omp_get_max_threads();",
        "auto y = _mm256_add_ps(a, b);",
        "__m512 x;",
        "#include <immintrin.h>",
        'if (level == "avx2") {}',
        "#ifdef SYNAPRUNE_WITH_AVX512",
    ],
)
def test_checker_sees_a_leak(leak):
    for name in ("src/network_train.cpp", "src/kernels/spmm.inl", "bindings/bind_kernels.cpp"):
        assert len(leaks({name: f"int f();\n{leak}\n"})) == 1
        assert leaks({name: f"int f();\n// {leak}\n"}) == []


def code_lines(source):
    return [line for line in without_comments(source).splitlines() if line.strip()]


def test_kernels_and_their_levels_are_short():
    sources = cpp_sources()
    stubs = [name for name in sources if name.startswith("src/kernels/isa_")]
    kernels = [name for name in sources if name.endswith(".inl")]
    assert len(stubs) == 3
    assert len(kernels) > 3
    assert {name: n for name in stubs if (n := len(code_lines(sources[name]))) > 25} == {}
    assert {name: n for name in kernels if (n := len(sources[name].splitlines())) >= 150} == {}


def test_no_flag_that_changes_numbers_or_machines():
    build = "".join((ROOT / name).read_text() for name in ("CMakeLists.txt", "pyproject.toml"))
    build += (ROOT / "CMakePresets.json").read_text()
    for flag in ("-march=native", "-mtune=native", "-Ofast", "fast-math", "-funsafe-math"):
        assert flag not in build
    assert "-ffp-contract=off" in build
    assert not re.search(r"file\s*\(\s*GLOB", build)  # sources are listed by name
    assert re.search(r"SYNAPRUNE_WERROR .*OFF\)", build)  # never for users


def test_every_source_is_listed_in_cmake():
    listed = (ROOT / "CMakeLists.txt").read_text()
    for name in cpp_sources():
        if name.endswith(".cpp"):
            generic = re.sub(r"isa_avx\w+", "isa_${name}", name)
            assert f"cpp/{name}" in listed or f"cpp/{generic}" in listed, name
