"""Runs the console script: by a call of its main, or in a process of its own."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
from synaprune import _core
from synaprune.cli import main

# Variables that choose data, colour or warnings, and are kept from every run.
CHOOSING = ("SYNAPRUNE_DATA_DIR", "FORCE_COLOR", "TTY_COMPATIBLE", "PYTHONWARNINGS")
SYNAPRUNE = (sys.executable, "-m", "synaprune")

FLOWERS = "width,length,kind\n" + "".join(
    f"{1 + i % 7 / 10},{2 + i % 5 / 10},rose\n{2 + i % 6 / 10},{1 + i % 8 / 10},tulip\n"
    for i in range(30)
)
QUICK = ("--retrain-epochs", 5, "--candidates", 2)  # not much is needed to tell them apart


def run(*args, cwd=None, timeout=120):
    """Call the console script's main, which takes a twentieth of the time that `spawn` takes.

    Returns what `spawn` returns. Tests of signals, pipes, encodings, several processes, and what
    Python and OpenMP read from the environment as they start need `spawn`.
    """
    # A run that does not end is interrupted, so that its status is not what a test expects.
    late = threading.Timer(timeout, signal.raise_signal, [signal.SIGINT])
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        for name in CHOOSING:
            patch.delenv(name, raising=False)
        patch.setenv("COLUMNS", "100")
        patch.setattr(_core, "default_threads", lambda: 1)  # as OMP_NUM_THREADS=1 has it
        if cwd is not None:
            patch.chdir(cwd)
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        late.start()
        try:
            status = main([*map(str, args)])
        except SystemExit as end:  # as argparse ends
            status = end.code
        finally:
            late.cancel()
    for stream in (out, err):
        stream.seek(0)
    return subprocess.CompletedProcess(args, status, out.read(), err.read())


def environment(**variables):
    """This process's environment: one thread, 100 columns, nothing that chooses data or colour."""
    kept = {name: value for name, value in os.environ.items() if name not in CHOOSING}
    return {**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "100", **variables}


def spawn(*args, command=SYNAPRUNE, cwd=None, env=None, timeout=120):
    """Run the console script in a process of its own, as a user does, with text output."""
    return subprocess.run(
        [*command, *map(str, args)],
        cwd=cwd,
        env=environment(**(env or {})),
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
    )


def succeed(*args, by=run, **options):
    """Run, and hold that it ends well and says nothing on stderr; returns stdout."""
    done = by(*args, **options)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def assert_error(done, *parts, status=2):
    """Hold that a run ended with one line on stderr that holds each part, and nothing else."""
    assert (done.returncode, done.stdout) == (status, ""), done
    assert re.fullmatch(r"synaprune: \S.*\n", done.stderr), done
    for part in parts:
        assert str(part) in done.stderr, done


def read_json(path):
    """Read JSON as the standard has it: no NaN, no Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def flowers(folder, text=FLOWERS):
    """Write a CSV table with two numbers and a label a row."""
    path = folder / "flowers.csv"
    path.write_text(text, encoding="utf-8")
    return path
