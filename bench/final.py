"""What scripts share that look at the test split: only under ``--final``, and never unrecorded."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def console(*arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run the console script and return what it writes with --json."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [sys.executable, "-m", "synaprune", *arguments, "--json", str(file), "--quiet"]
        subprocess.run(command, check=True, env={**os.environ, **(environment or {})})
        result: dict[str, Any] = json.loads(file.read_text())
    return result


def commit() -> str:
    """Return what git calls this tree, "-dirty" if more than results differs, or "unknown"."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, cwd=RESULTS, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude).")
        return git("describe", "--always") + "-dirty" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write_results(name: str, title: str, command: str, markdown: str) -> None:
    """Write bench/results/NAME.md, and append the figures to the log of all uses.

    Without a title only the log is written.
    """
    if title:
        (RESULTS / f"{name}.md").write_text(f"# {title}\n\n{markdown}")
    with (RESULTS / "final_log.md").open("a") as log:
        log.write(f"\n## {command}\n\n{markdown.rstrip()}\n")


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of a script that looks at the test split only under ``--final``."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--data-dir", required=True, help="folder that holds mnist/")
    made.add_argument("--final", action="store_true", help="announced seeds, test figures, log")
    return made


def parse_arguments(description: str) -> argparse.Namespace:
    """Read the options of such a script."""
    return parser(description).parse_args()
