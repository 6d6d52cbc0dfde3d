"""Every example in a docstring runs and says what it says."""

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


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", synaprune.__all__)
def test_everything_public_is_documented(name):
    assert (getattr(synaprune, name).__doc__ or "").strip()


@pytest.mark.parametrize(
    "name", ["SparseMLP", "SGD", "Adam", "PruningPath", "prune", "saliency", "ConstantThenCosine"]
)
def test_public_calls_have_an_example(name):
    assert doctest.DocTestFinder(recurse=False).find(getattr(synaprune, name))[0].examples
