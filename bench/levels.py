"""The main job at every instruction-set level: the levels round otherwise, the results agree.

    python -m bench.levels --data-dir DIR            validation figures, development seeds
    python -m bench.levels --data-dir DIR --final    test figures too, on the announced seeds

``--final`` appends the use to bench/results/final_log.md, so that no look at the test split goes
unrecorded.
"""

from __future__ import annotations

import datetime
import os
import statistics

import synaprune as sn

from bench.final import commit, console, parse_arguments, write_results

RUNS = 5
FIRST_SEED = {"development": 1001, "final": 1}


def level_line(level: str, seed: int, data_dir: str, splits: tuple[str, ...]) -> list[str]:
    """Run the seeds at one level; return a row of means."""
    record = console(
        "prune", "mnist", "--hidden", "20", "--synapses", "1259", "--data-dir", data_dir,
        "--seed", str(seed), "--runs", str(RUNS), environment={"SYNAPRUNE_ISA": level},
    )  # fmt: skip
    cells = [level]
    for split in splits:
        values = [run["final"]["accuracy"][split] for run in record["runs"]]
        cells.append(f"{statistics.fmean(values):.3%} ± {statistics.stdev(values):.3%}")
    return [*cells, f"{record['seconds']:.0f}"]


def main() -> None:
    """Run all levels and print Markdown."""
    args = parse_arguments(__doc__.splitlines()[0])
    seed = FIRST_SEED["final" if args.final else "development"]
    splits = ("validation", "test") if args.final else ("validation",)
    levels = sn.build_info()["available_isa"]
    rows = [level_line(level, seed, os.path.abspath(args.data_dir), splits) for level in levels]
    header = ["level", *splits, "seconds"]
    lines = [
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}: MNIST 784-20-10 to "
        f"1259 synapses, mean ± sd over seeds {seed} to {seed + RUNS - 1}.",
        "",
        *(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)),
    ]
    print("\n".join(lines))
    if args.final:
        write_results("levels", "", "python -m bench.levels --final", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
