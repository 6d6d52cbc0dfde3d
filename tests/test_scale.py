"""The examples of docs/scale.md run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import synaprune

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
PACKAGE = str(Path(synaprune.__file__).resolve().parents[1])


def test_the_example_of_blocks_runs(tmp_path):
    section = PAGE.read_text(encoding="utf-8").split("## Data past memory\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.S)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) > 0.9
