"""The examples in docstrings run and print what they show."""

import doctest
import importlib
import pkgutil

import pytest
import synaprune

MODULES = ["synaprune"] + [
    module.name
    for module in pkgutil.walk_packages(synaprune.__path__, "synaprune.")
    if not module.name.startswith(("synaprune.cli", "synaprune.__main__", "synaprune._core"))
]


@pytest.mark.long
@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name not in ("torch", "keras"):
            raise
        pytest.skip(f"{error.name} is not installed")
    assert doctest.testmod(module).failed == 0
