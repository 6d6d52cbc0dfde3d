"""What users see of the package: its names and its version."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import synaprune
from synaprune import _core

ROOT = Path(__file__).resolve().parents[1]


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    printed = subprocess.run(
        [sys.executable, "-m", "synaprune", "--version"], capture_output=True, text=True, timeout=60
    ).stdout
    assert printed == f"synaprune {project['version']}\n"
    assert project["version"] == _core.__version__ == synaprune.__version__
    assert f"VERSION {project['version']} " in (ROOT / "CMakeLists.txt").read_text()
    assert project["version"] in (ROOT / "CHANGELOG.md").read_text()


MODULES = (synaprune.callbacks, synaprune.datasets, synaprune.explain, synaprune.export)
MODULES += (synaprune.plots, synaprune.report)


@pytest.mark.parametrize("module", [synaprune, *MODULES])
def test_public_names_exist_and_are_listed_once(module):
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert len(set(module.__all__)) == len(module.__all__)
