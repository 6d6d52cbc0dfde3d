"""The console script ``synaprune``: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
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

_KILLED = 128  # a shell reports a program that a signal ended by this plus the signal's number
INTERRUPTED = _KILLED + signal.SIGINT


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP end a run as Ctrl-C does; yields the list of those that came.

    What nohup or a program ignores stays ignored. Only the main thread may handle signals.
    """
    received: list[int] = []

    def interrupt(number: int, _: object) -> NoReturn:
        received.append(number)
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield received
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


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
    received: list[int] = []
    try:
        args = parser.parse_args(argv)
        args.argv = list(sys.argv[1:] if argv is None else argv)
        quiet = getattr(args, "quiet", False)
        with warnings.catch_warnings(record=True) as caught, _ended_by_signals() as received:
            warnings.simplefilter("default")
            status: int = args.run(args)
        for text in () if quiet else dict.fromkeys(str(w.message) for w in caught):
            print(f"synaprune: warning: {text}", file=sys.stderr)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt as interrupt:
        print(f"synaprune: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return _KILLED + received[0] if received else INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, which is no fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ArithmeticError, ImportError, MemoryError, OSError, TypeError, ValueError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"synaprune: error: {message}", file=sys.stderr)
        return 2
