"""The structure of the code: which file may use which, and where threads and ISA names stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CPP = ROOT / "cpp"

# --- Python: imports (import-linter holds the layers; .ci/run calls it) --------------------------


@pytest.mark.parametrize(
    ("module", "others"),
    [("path", ["plots", "report", "explain"]), ("explain", ["pruning", "path"])],
)
def test_a_module_does_not_load_what_it_needs_only_later(module, others):
    """`path` imports plots and reports inside the methods that need them."""
    code = f"""
import importlib, importlib.util, sys
root = importlib.util.find_spec("synaprune")
package = importlib.util.module_from_spec(root)  # without running its __init__
sys.modules["synaprune"] = package
importlib.import_module("synaprune.{module}")
print(*sorted(name for name in sys.modules if name.startswith("synaprune.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert f"synaprune.{module}" in loaded
    assert [name for name in loaded if name.split(".")[1] in others] == []


# --- C++: includes ------------------------------------------------------------------------------

HEADERS = (
    {"types"},
    {"portable", "tuning", "math"},
    {"parallel"},
    {"kernels"},
    {"csr"},
    {"plan", "inputs", "sampling"},
    {"prefetch"},
    {"passes"},
    {"linear", "forward", "losses", "optimizer", "prune", "explain", "surgeon"},
    {"targets"},
    {"trainer"},
    {"sample_gradients"},
    {"network"},
    {"bindings"},
)
HEADER_LEVEL = {header: level for level, group in enumerate(HEADERS) for header in group}
SOURCE_OF = {
    "network_curvature": "network",
    "network_explain": "network",
    "network_moments": "network",
    "network_rewire": "network",
    "network_train": "network",
    "network_predict": "network",
    "processes": "parallel",
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
            if header == mine or (mine == "bindings" and header in ("convert", "gil", "handle")):
                continue
            left = HEADER_LEVEL.get(header, len(HEADERS)) < HEADER_LEVEL[mine]
            if not left:
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


# --- C++: what stands in one place alone --------------------------------------------------------

THREADS = re.compile(
    r"\b(omp\w*|_OPENMP|pthread\w*|std::(this_)?thread|std::jthread|std::async|thread_local"
    r"|\w*(?<!per)mutex\w*|atomic\w*|std::barrier|condition_variable\w*"
    r"|(unique|shared|scoped)_lock|lock_guard)\b"
    r"|#\s*include\s*<(thread|future)>"
)
LEVELS = re.compile(r"avx|\bsse|_mm\d*_|__m\d+|immintrin", re.IGNORECASE)
KNOW_LEVELS = re.compile(
    r"src/kernels/(dispatch\.cpp|isa_\w+\.cpp|vec_\w+\.inl)|include/synaprune/portable\.hpp"
)


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
