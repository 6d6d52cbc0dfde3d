"""The poster's claims (Bulín & Šmídl 2017), repeated, and its hypotheses, tested.

    python -m bench.paper --data-dir DIR               development seeds, MNIST's validation split
    python -m bench.paper --data-dir DIR --final       announced seeds, MNIST's test split too
    python -m bench.paper --data-dir DIR --quick       a minute or two, to see that it works

``--final`` writes bench/results/paper.md and .png, and appends the use to
bench/results/final_log.md, so that no look at the test split goes unrecorded.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Callable
from pathlib import Path

import synaprune as sn

from bench.final import RESULTS, commit, write_results
from bench.machine import cpu_model
from bench.paper import hypotheses, mnist, redundant
from bench.paper.figure import draw
from bench.report import Report


def main() -> None:
    """Run the sections that are asked for and print Markdown."""
    args = _arguments()
    final, quick = args.final, args.quick
    n = 2 if quick else 5
    seeds = range(11, 11 + n) if final else range(1011, 1011 + n)
    repeats = range(11, 13 if quick else 21) if final else range(1011, 1013 if quick else 1021)
    data = sn.datasets.mnist(args.data_dir)
    report = Report()
    flags = " --final" * final + " --quick" * quick
    report.text(
        f"`python -m bench.paper{flags}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit "
        f"{commit()}, {cpu_model()}, ISA {sn.build_info()['isa']}. Seeds {seeds[0]} to "
        f"{seeds[-1]}, repeats {repeats[0]} to {repeats[-1]}."
    )
    sections: dict[str, Callable[[], None]] = {
        "xor": lambda: mnist.xor(report, final=final, quick=quick),
        "mnist": lambda: mnist.console_runs(report, args.data_dir, seeds, final=final, quick=quick),
        "tables": lambda: redundant.tables(report, repeats, final=final),
        "generated": lambda: redundant.generated(report, repeats, final=final),
        "speed": lambda: mnist.speed(report, data, seeds[0], quick=quick),
        "relearn": lambda: mnist.relearn(report, data, seeds, quick=quick),
        "ablation": lambda: hypotheses.ablation(report, data, seeds, quick=quick),
        "magnitude": lambda: hypotheses.magnitude(
            report, data, args.data_dir, seeds, final=final, quick=quick
        ),
        "features": lambda: draw(report, data, seeds[0], args.figures, quick=quick),
    }
    for name in args.only or sections:
        sections[name]()
    if final:
        command = f"python -m bench.paper{flags}"
        write_results("paper", "The poster's claims", command, report.markdown())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="folder that holds mnist/")
    parser.add_argument("--final", action="store_true", help="announced seeds, test figures, log")
    parser.add_argument("--quick", action="store_true", help="few repeats and epochs")
    parser.add_argument("--only", nargs="+", metavar="SECTION", help="xor, mnist, tables, …")
    parser.add_argument("--figures", type=Path, default=RESULTS, help="folder for the pictures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
