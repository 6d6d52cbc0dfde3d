"""Validate the docstring of every public name with numpydoc; exit 1 if one has a fault.

The codes of the checks are listed in pyproject.toml, [tool.numpydoc_validation]. `numpydoc lint`
cannot do this: it reads files, and does not know which names are public.
"""

import inspect
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import synaprune
import synaprune.sklearn
from numpydoc.validate import validate

ROOT = Path(__file__).resolve().parents[1]
MODULES = (synaprune, synaprune.datasets, synaprune.explain, synaprune.plots, synaprune.report)
MODULES += (synaprune.callbacks, synaprune.export, synaprune.sklearn)


def public_names() -> Iterator[tuple[str, set[str]]]:
    """Yield the import path of each public object, and the codes that do not apply to it."""
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            path = f"{module.__name__}.{name}"
            if inspect.isclass(value):
                yield path, set() if users_construct(value) else {"PR01", "EX01"}
                for method, member in vars(value).items():
                    documented = inspect.isroutine(member) or isinstance(member, property)
                    inherited = any(method in vars(base) for base in value.__mro__[1:])
                    if documented and not inherited and not method.startswith("_"):
                        yield f"{path}.{method}", {"EX01"}
            elif inspect.isfunction(value):  # the functions of the core have stubs
                yield path, set()


def users_construct(kind: type) -> bool:
    """Whether a class documents its parameters: results have attributes, and errors neither."""
    sections = inspect.getdoc(kind)
    return "\nParameters\n" in sections or not (
        "\nAttributes\n" in sections or issubclass(kind, BaseException)
    )


def main() -> int:
    """Print the faults and count them."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    checks = config["tool"]["numpydoc_validation"]["checks"]
    faults = 0
    for name, exempt in public_names():
        found = validate(name)
        for code, message in found["errors"]:
            if code in checks and code not in exempt:
                faults += 1
                print(f"{found['file']}:{found['file_line']}: {name}: {code} {message}")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
