"""``python -m bench [SECTION …]``: measure, print tables, write them down."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench import kernels, predict, prune, scaling, train
from bench.data import Settings
from bench.load import Meter
from bench.machine import describe
from bench.report import Report

SECTIONS = {
    "kernels": kernels.run,
    "train": train.run,
    "wide": train.run_wide,
    "prune": prune.run,
    "predict": predict.run,
    "scaling": scaling.run,
}
RESULTS = Path(__file__).parent / "RESULTS.md"
PARTS = RESULTS.parent / "results"  # where a run of some sections leaves them


def main() -> None:
    """Run the sections that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION",
                        help=f"{', '.join(SECTIONS)}; all if left out")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="small sizes, few repeats, a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder that holds mnist/")
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write the tables to {RESULTS.name}, those of named sections to {PARTS.name}/",
    )
    args = parser.parse_args()
    unknown = set(args.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section {', '.join(sorted(unknown))}: choose {', '.join(SECTIONS)}")

    settings = Settings(args.quick, args.data_dir)
    Meter.patience = 5.0 if settings.quick else 120.0
    report = Report()
    report.text("# Speed, measured")
    for paragraph in describe(settings.quick):
        report.text(paragraph)
    for name in args.sections or SECTIONS:
        SECTIONS[name](settings, report)
        report.disturbance(name)
    if args.json:
        args.json.write_text(json.dumps(report.records, indent=1) + "\n")
    if args.write:
        named = PARTS / f"speed_{'_'.join(args.sections)}.md"
        (named if args.sections else RESULTS).write_text(report.markdown())


if __name__ == "__main__":
    main()
