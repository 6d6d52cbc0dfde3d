"""Runs the console script as a user does: in a process of its own."""

import json
import os
import re
import subprocess
import sys

SYNAPRUNE = (sys.executable, "-m", "synaprune")

FLOWERS = "width,length,kind\n" + "".join(
    f"{1 + i % 7 / 10},{2 + i % 5 / 10},rose\n{2 + i % 6 / 10},{1 + i % 8 / 10},tulip\n"
    for i in range(30)
)
QUICK = ("--retrain-epochs", 5, "--candidates", 2)  # not much is needed to tell them apart


def environment(**variables):
    """This process's environment: one thread, 100 columns, nothing that chooses data or colour."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("SYNAPRUNE_DATA_DIR", "FORCE_COLOR", "TTY_COMPATIBLE", "PYTHONWARNINGS")
    }
    return {**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "100", **variables}


def run(*args, command=SYNAPRUNE, cwd=None, env=None, timeout=120):
    """Run the console script to its end; returns the CompletedProcess, with text output."""
    return subprocess.run(
        [*command, *map(str, args)],
        cwd=cwd,
        env=environment(**(env or {})),
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
    )


def succeed(*args, **options):
    """Run, and hold that it ends well and says nothing on stderr; returns stdout."""
    done = run(*args, **options)
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
