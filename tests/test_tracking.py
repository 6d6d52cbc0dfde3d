"""The examples of docs/tracking.md run, each in a process and a folder of its own."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import synaprune

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tracking.md"
PACKAGE = str(Path(synaprune.__file__).resolve().parents[1])  # from another folder, too
START, *PARTS = re.split(r"^## (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.M)
SECTIONS = dict(zip(PARTS[::2], PARTS[1::2], strict=True))
PACKAGES = {
    "Callbacks": "tqdm",
    "Long runs: checkpoints and limits": "numpy",
    "Optuna": "optuna",
    "joblib": "joblib",
    "MLflow": "mlflow",
    "TensorBoard": "tensorboardX",
}
WRITTEN = {
    "Callbacks": ["best.npz"],
    "Long runs: checkpoints and limits": ["run.ckpt"],
    "MLflow": ["digits.npz", "mlflow.db"],
    "TensorBoard": ["runs/digits/events.*"],
}


def code(text):
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))


def test_every_section_is_known():
    assert SECTIONS.keys() == PACKAGES.keys()


@pytest.mark.parametrize("section", SECTIONS)
def test_an_example_runs(section, tmp_path):
    if importlib.util.find_spec(PACKAGES[section]) is None:
        pytest.skip(f"{PACKAGES[section]} is not installed")
    script = tmp_path / "example.py"
    script.write_text(code(START) + code(SECTIONS[section]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PACKAGE, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for pattern in WRITTEN.get(section, []):
        assert list(tmp_path.glob(pattern)), pattern
