"""The examples of docs/export.md run, those in C and JavaScript after those in Python."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import synaprune as sn
from export.compiling import C99, compile_file, needs_gcc

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
PACKAGE = str(Path(sn.__file__).resolve().parents[1])
# Libraries that examples may name.
OPTIONAL = ("sklearn", "torch", "keras", "onnx", "onnxruntime", "skl2onnx")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@needs_gcc
def test_the_examples_run(tmp_path):
    script = tmp_path / "example.py"
    installed = [
        code
        for code in blocks("python")
        if all(importlib.util.find_spec(name) for name in OPTIONAL if name in code)
    ]
    script.write_text("\n".join(installed), encoding="utf-8")
    paths = [PACKAGE, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {"KERAS_BACKEND": "numpy"} | os.environ
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    run = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run([sys.executable, script.name], env=environment, **run)
    assert done.returncode == 0, done.stderr
    (code,) = blocks("c")
    (tmp_path / "main.c").write_text(code)
    compile_file(tmp_path / "main.c", tmp_path / "main", C99)
    done = subprocess.run([tmp_path / "main"], **run)
    assert re.fullmatch(r"\d, with probability [01]\.\d{3}\n", done.stdout)
    (commands,) = blocks("sh")
    for name in ("digits", "digits8"):
        mine = commands.replace("DIGITS", name.upper()).replace("digits.h", f"{name}.h")
        done = subprocess.run(["sh", "-c", mine], **run)
        assert (done.returncode, done.stdout) == (0, "0 of 20 rows differ\n"), done.stderr
    if shutil.which("node"):
        (code,) = blocks("js")
        (tmp_path / "main.mjs").write_text(code)
        done = subprocess.run(["node", "main.mjs"], **run)
        assert re.match(r"\d of 10 classes \[", done.stdout), done.stderr
