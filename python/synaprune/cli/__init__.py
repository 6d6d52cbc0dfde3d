"""The console script ``synaprune``: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any, NoReturn

from synaprune import __version__
from synaprune.cli import (
    export_command,
    info_command,
    predict_command,
    prune_command,
    report_command,
)

INTERRUPTED = 130  # what a shell reports for a program that SIGINT ended


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)  # --label would be --label-smoothing

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"synaprune: error: {message} (see '{self.prog} --help')\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console script; returns the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, ``sys.argv[1:]`` if left out.
    """
    parser = _Parser(
        prog="synaprune",
        description="Find the smallest neural network that keeps your accuracy.",
    )
    parser.add_argument("--version", action="version", version=f"synaprune {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    prune_command.add_parser(commands)
    predict_command.add_parser(commands)
    report_command.add_parser(commands)
    info_command.add_parser(commands)
    export_command.add_parser(commands)
    for stream in (sys.stdout, sys.stderr):  # an odd encoding must not end a finished run
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        args = parser.parse_args(argv)
        args.argv = list(sys.argv[1:] if argv is None else argv)
        quiet = getattr(args, "quiet", False)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            status: int = args.run(args)
        for text in () if quiet else dict.fromkeys(str(w.message) for w in caught):
            print(f"synaprune: warning: {text}", file=sys.stderr)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt as interrupt:
        print(f"synaprune: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, which is no fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ArithmeticError, ImportError, MemoryError, OSError, TypeError, ValueError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"synaprune: error: {message}", file=sys.stderr)
        return 2
