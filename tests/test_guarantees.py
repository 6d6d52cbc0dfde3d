"""docs/guarantees.md names the tests that hold each promise: they exist, and no mark skips them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
PROMISES = re.findall(r"^- .*(?:\n  .*)*", TEXT, re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[2:40])
def test_a_promise_names_tests_that_exist(promise):
    named = NAMED.findall(promise)
    assert named
    for file, test in named:
        functions = {
            node.name: node
            for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        assert test in functions, f"{file} has no {test}"
        marks = [ast.unparse(mark) for mark in functions[test].decorator_list]
        assert not any(re.search(r"mark\.(skip\b|xfail|long)", mark) for mark in marks), marks


def test_every_list_of_tests_is_read():
    """What is no promise names no test: a line that the pattern missed would go unchecked."""
    assert len(PROMISES) > 25
    assert len(NAMED.findall(TEXT)) == sum(len(NAMED.findall(promise)) for promise in PROMISES)
    assert TEXT.count("`tests/") == len(NAMED.findall(TEXT))
