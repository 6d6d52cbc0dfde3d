"""The poster's claims (Bulín & Šmídl 2017), repeated, and its hypotheses, tested.

    python -m bench.paper --data-dir DIR               development seeds, MNIST's validation split
    python -m bench.paper --data-dir DIR --final       announced seeds, MNIST's test split too
    python -m bench.paper --data-dir DIR --quick       a minute or two, to see that it works

``--final`` writes bench/results/paper_SECTION.md and a picture, and appends the use to
bench/results/final_log.md, so that no look at the test split goes unrecorded; with ``--quick`` it
only appends. Other runs leave bench/results alone.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path

import synaprune as sn

from bench.final import RESULTS, commit, write_results
from bench.machine import cpu_model
from bench.paper import hypotheses, mnist
from bench.paper.figure import draw
from bench.paper.generated import generated
from bench.paper.tables import tables
from bench.report import Report

SECTIONS = (
    "xor", "mnist", "tables", "generated", "speed", "relearn", "ablation", "magnitude", "features"
)  # fmt: skip


def main() -> None:
    """Run the sections that are asked for and print Markdown."""
    args = _arguments()
    final, quick = args.final, args.quick
    n = 2 if quick else 5
    seeds = range(11, 11 + n) if final else range(1011, 1011 + n)
    repeats = range(11, 13 if quick else 21) if final else range(1011, 1013 if quick else 1021)
    data = sn.datasets.mnist(args.data_dir)
    flags = " --final" * final + " --quick" * quick
    kept = final and not quick
    figures = args.figures or (RESULTS if kept else Path(tempfile.gettempdir()))
    sections: dict[str, Callable[[Report], None]] = {
        "xor": lambda r: mnist.xor(r, final=final, quick=quick),
        "mnist": lambda r: mnist.console_runs(r, args.data_dir, seeds, final=final, quick=quick),
        "tables": lambda r: tables(r, repeats, quick=quick),
        "generated": lambda r: generated(r, repeats),
        "speed": lambda r: mnist.speed(r, data, seeds[0], quick=quick),
        "relearn": lambda r: mnist.relearn(r, data, seeds, quick=quick),
        "ablation": lambda r: hypotheses.ablation(r, data, seeds, quick=quick),
        "magnitude": lambda r: hypotheses.magnitude(
            r, data, args.data_dir, seeds, final=final, quick=quick
        ),
        "features": lambda r: draw(r, data, seeds[0], figures, quick=quick),
    }
    for name in args.only or SECTIONS:
        command = f"python -m bench.paper --only {name}{flags}"
        report = Report()
        sections[name](report)
        report.text(
            f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, "
            f"{cpu_model()}, ISA {sn.build_info()['isa']}."
        )
        if final:
            title = "The poster's claims" if kept else ""
            write_results(f"paper_{name}", title, command, report.markdown())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="folder that holds mnist/")
    parser.add_argument("--final", action="store_true", help="announced seeds, test figures, log")
    parser.add_argument("--quick", action="store_true", help="few repeats and epochs")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="sections")
    parser.add_argument(
        "--figures", type=Path, help="where the picture goes: bench/results under --final, else "
        "the folder for temporary files"
    )  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()
