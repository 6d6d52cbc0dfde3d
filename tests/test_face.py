"""What users see of the package: names, docstrings, one version; and the core's stub."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import synaprune
from synaprune import _core

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "synaprune"

# --- the core's stub ----------------------------------------------------------------------------


def stub_of(module):
    """The stub of a compiled module: `name.pyi`, or `name/__init__.pyi`."""
    base = PACKAGE.joinpath(*module.split("."))
    for path in (base.with_suffix(".pyi"), base / "__init__.pyi"):
        if path.is_file():
            return ast.parse(path.read_text(encoding="utf-8"))
    raise AssertionError(f"no stub of {module}")


def names_in_stub(body):
    """Names that a stub says are there at run time; of classes with the names in them."""
    names = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            names[node.name] = None
        elif isinstance(node, ast.ClassDef):
            only_for_types = any(
                getattr(decorator, "id", "") == "type_check_only"
                for decorator in node.decorator_list
            )
            if not only_for_types:
                names[node.name] = set(names_in_stub(node.body))
        elif isinstance(node, ast.AnnAssign) and getattr(node.annotation, "id", "") != "TypeAlias":
            names[node.target.id] = None
        elif isinstance(node, ast.ImportFrom) and node.level:
            names.update({a.asname: None for a in node.names if a.asname == a.name})
    return names


def public(namespace):
    return {name for name in namespace if not name.startswith("_")} | (
        {"__version__", "__init__"} & namespace.keys()
    )


def names_in_module(module):
    return {
        name: public(vars(value)) if inspect.isclass(value) else None
        for name in public(vars(module))
        for value in [getattr(module, name)]
    }


@pytest.mark.parametrize("name", ["_core", "_core.kernels"])
def test_stub_names_exactly_what_the_module_has(name):
    module = _core
    for part in name.split(".")[1:]:
        module = getattr(module, part)
    assert names_in_stub(stub_of(name).body) == names_in_module(module)


def test_stub_checker_sees_what_is_missing():
    stub = """
from . import kernels as kernels
__version__: str
Alias: TypeAlias = int
@type_check_only
class _Info(TypedDict): ...
class Net(metaclass=T):
    state: int
    def __init__(self) -> None: ...
    @property
    def size(self) -> int: ...
def f() -> None: ...
"""
    assert names_in_stub(ast.parse(stub).body) == {
        "kernels": None,
        "__version__": None,
        "Net": {"state", "__init__", "size"},
        "f": None,
    }


# --- the package's face -------------------------------------------------------------------------


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    printed = subprocess.run(
        [sys.executable, "-m", "synaprune", "--version"], capture_output=True, text=True, timeout=60
    ).stdout
    assert printed == f"synaprune {project['version']}\n"
    assert project["version"] == _core.__version__ == synaprune.__version__
    assert f"VERSION {project['version']} " in (ROOT / "CMakeLists.txt").read_text()
    assert project["version"] in (ROOT / "CHANGELOG.md").read_text()


def test_the_face_is_short_and_sorted():
    assert len((PACKAGE / "__init__.py").read_text().splitlines()) < 50
    for module in (synaprune, synaprune.datasets, synaprune.explain, synaprune.plots):
        assert all(hasattr(module, name) for name in module.__all__)
        assert len(set(module.__all__)) == len(module.__all__)


def methods(value):
    """The public methods that a class itself defines."""
    for name in vars(value):
        method = getattr(value, name)
        if not name.startswith("_") and inspect.isroutine(method):
            yield name, method


def documented():
    """Full name and object of each public function, class and method of ours."""
    for module in (synaprune, synaprune.datasets, synaprune.explain, synaprune.plots):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isroutine(value):
                yield f"{module.__name__}.{name}", value
            if inspect.isclass(value):
                for base in value.__mro__:
                    if base.__module__.startswith("synaprune."):
                        for method, member in methods(base):
                            yield f"{module.__name__}.{name}.{method}", member


PUBLIC = dict(documented())


def described_parameters(doc):
    """The names under "Parameters"."""
    _, _, after = doc.partition("\nParameters\n----------\n")
    section = re.split(r"^\w[\w ]*\n-{3,}\n", after, flags=re.MULTILINE)[0]
    heads = re.findall(r"^([\w*, ]+?)(?: :.*)?$", section, re.MULTILINE)
    return [name.strip(" *") for head in heads if head[0] != " " for name in head.split(",")]


def test_parameters_are_found_in_a_docstring():
    doc = """Do it.

Parameters
----------
X, y : array_like
    Data: of any kind.
*args
    More.
epochs : int, optional

Returns
-------
float
    One.
"""
    assert described_parameters(doc) == ["X", "y", "args", "epochs"]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_numpydoc_docstrings(name):
    value = PUBLIC[name]
    doc = inspect.getdoc(value)
    assert doc, "no docstring"
    if inspect.isbuiltin(value):
        return  # the core's docstrings begin with a signature; its stub is held above
    assert doc.splitlines()[0].endswith(".")
    for title, line in re.findall(r"^(\w[\w ]*)\n(-{3,})$", doc, re.MULTILINE):
        assert len(title) == len(line)
    if not (inspect.isfunction(value) or inspect.ismethod(value)):
        return  # the class docstring says what its constructor takes
    signature = inspect.signature(value)
    taken = [parameter for parameter in signature.parameters if parameter not in ("self", "cls")]
    assert sorted(described_parameters(doc)) == sorted(taken)
    if taken and signature.return_annotation not in ("None", inspect.Signature.empty):
        assert re.search(r"^(Returns|Yields)\n-|\breturns? ", doc, re.MULTILINE | re.IGNORECASE)


def test_functions_and_methods_are_among_the_public_names():
    assert {
        "synaprune.prune",
        "synaprune.SparseMLP.fit",
        "synaprune.datasets.load",
    } <= PUBLIC.keys()


def test_modules_say_what_they_are_and_stay_short():
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(source)), f"{path} has no docstring"
        assert len(source.splitlines()) <= 400, f"{path} is long"
