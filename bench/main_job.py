"""The main job, measured: XOR's minimal networks, MNIST to a count and under a contract.

    python bench/main_job.py --data-dir DIR            validation figures, development seeds
    python bench/main_job.py --data-dir DIR --final    test figures too, on the announced seeds

``--final`` writes bench/results/main_job.md and appends the use to bench/results/final_log.md, so
that no look at the test split goes unrecorded.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import synaprune as sn

RESULTS = Path(__file__).parent / "results"
SEEDS = {"development": (1000, (1001, 1002, 1003)), "final": (1, (1, 2, 3))}  # xor, mnist


def console(*arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run the console script and return what it writes with --json."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [sys.executable, "-m", "synaprune", *arguments, "--json", str(file), "--quiet"]
        subprocess.run(command, check=True, env={**os.environ, **(environment or {})})
        result: dict[str, Any] = json.loads(file.read_text())
    return result


def xor_lines(seed: int) -> list[str]:
    """How 100 runs on XOR end."""
    record = console("prune", "xor", "--runs", "100", "--seed", str(seed))
    minimal = [r["final"] for r in record["runs"]]
    n = sum(f["structure"] == "2-2-1" and f["n_synapses"] == 6 for f in minimal)
    ends = ", ".join(f"{name} × {count}" for name, count in record["structures"].items())
    return [
        f"**XOR, 2-100-1, 100 runs from seed {seed}:** {n} of 100 end as 2-2-1 with 6 synapses "
        f"({ends}), {record['seconds']:.0f} s.",
        "",
    ]


def mnist_lines(title: str, seeds: tuple[int, ...], final: bool, *flags: str) -> list[str]:
    """One table of MNIST runs, a row a seed."""
    splits = ("validation", "test") if final else ("validation",)
    lines = [
        f"**{title}** (`synaprune prune mnist --hidden 20 {' '.join(flags[2:])}`):",
        "",
        "| seed | before | after | synapses | inputs | removed | "
        + " | ".join(f"{s} before | after" for s in splits) + " | seconds |",
        "|---" * (7 + 2 * len(splits)) + "|",
    ]  # fmt: skip
    accuracies = []
    for seed in seeds:
        r = console("prune", "mnist", "--hidden", "20", "--seed", str(seed), *flags)
        start, end = r["start"], r["final"]
        figures = [f"{side['accuracy'][s]:.2%}" for s in splits for side in (start, end)]
        accuracies.append([end["accuracy"][s] for s in splits])
        removed = 1 - end["n_synapses"] / start["n_synapses"]
        lines.append(
            f"| {seed} | {start['structure']} | {end['structure']} | {end['n_synapses']} | "
            f"{end['n_inputs']} | {removed:.1%} | {' | '.join(figures)} | {r['seconds']:.0f} |"
        )
    means = [
        f"{s} {statistics.fmean(a):.2%}"
        for s, a in zip(splits, zip(*accuracies, strict=True), strict=True)
    ]
    return [*lines, "", f"Mean accuracy after: {', '.join(means)}.", ""]


def commit() -> str:
    """Return what git calls this tree, or "unknown"."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True, text=True, cwd=Path(__file__).parent, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def parse_arguments(description: str) -> argparse.Namespace:
    """Read the options of a script that looks at the test split only under ``--final``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data-dir", required=True, help="folder that holds mnist/")
    parser.add_argument("--final", action="store_true", help="announced seeds, test figures, log")
    return parser.parse_args()


def main() -> None:
    """Run everything and print Markdown."""
    args = parse_arguments(__doc__.splitlines()[0])
    xor_seed, seeds = SEEDS["final" if args.final else "development"]
    data = ("--data-dir", args.data_dir)
    info = sn.build_info()
    lines = [
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, {platform.machine()} "
        f"{info['isa']}, {info['threads']} threads, {info['compiler']}.",
        "",
        *xor_lines(xor_seed),
        *mnist_lines("MNIST to 1259 synapses", seeds, args.final, *data, "--synapses", "1259"),
        *mnist_lines("MNIST within one point", seeds, args.final, *data, "--max-drop", "0.01"),
    ]
    print("\n".join(lines))
    if args.final:
        RESULTS.mkdir(exist_ok=True)
        text = "# The main job\n\nWritten by `python bench/main_job.py --final`.\n\n"
        (RESULTS / "main_job.md").write_text(text + "\n".join(lines))
        with (RESULTS / "final_log.md").open("a") as log:
            log.write(f"## python bench/main_job.py --final\n\n{chr(10).join(lines)}\n")


if __name__ == "__main__":
    main()
