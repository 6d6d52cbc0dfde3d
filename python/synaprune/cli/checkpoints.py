"""``--checkpoint`` and ``--resume``: the command that a checkpoint holds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from synaprune.checkpoint import CheckpointError, CheckpointFile
from synaprune.io import ModelFileError, read_model

_OUTPUTS = ("out", "report", "json")
_LIMITS = ("time_limit", "max_epochs")
# What may be given anew, as the result does not depend on it. Data are known by their content.
_WORKERS = ("threads", "jobs", "scheduler")
_FREE = (*_OUTPUTS, *_LIMITS, *_WORKERS, "dataset", "data_dir", "quiet", "resume")

Parse: TypeAlias = Callable[[Sequence[str]], argparse.Namespace]


def opened_for(args: argparse.Namespace, parse: Parse) -> CheckpointFile:
    """Return the checkpoint of the arguments of ``synaprune prune``.

    It is a new one for ``--checkpoint``, which then holds the arguments. For ``--resume`` those
    that it holds are added to the arguments.

    Parameters
    ----------
    args : argparse.Namespace
    parse : callable
        Returns what arguments mean.

    Raises
    ------
    FileExistsError, FileNotFoundError, CheckpointError, OSError
        As `CheckpointFile`; or if there is no file to resume.
    ValueError
        If options are given that the checkpoint holds already.
    """
    if args.resume is None:
        file = CheckpointFile(args.checkpoint)
        file.command = args.argv
        return file
    if not Path(args.resume).exists():
        raise FileNotFoundError(f"{args.resume}: no such file; --checkpoint begins one")
    file = CheckpointFile(args.resume, resume=True)
    try:
        if file.command is None:
            raise CheckpointError(f"{file.path} is of a Python program, not of synaprune prune")
        _take_over(file, args, parse(file.command), parse(["prune"]))
    except BaseException:
        file.close()
        raise
    return file


def _take_over(
    file: CheckpointFile,
    args: argparse.Namespace,
    before: argparse.Namespace,
    usual: argparse.Namespace,
) -> None:
    """Set the arguments to those from before, but for those that are given anew."""
    given = [key for key, value in vars(usual).items() if getattr(args, key) != value]
    for key in given:
        if key not in _FREE:
            flag = "--" + key.removeprefix("n_").replace("_", "-")
            raise ValueError(
                f"--resume takes the options of the run in {file.path}; leave {flag} out"
            )
    for key, value in vars(before).items():
        if key not in given and key not in ("resume", "checkpoint", *_LIMITS):
            if key in _OUTPUTS and value not in (None, "-"):
                _check_output(file, key, Path(value).resolve())
            setattr(args, key, value)


def _check_output(file: CheckpointFile, key: str, target: Path) -> None:
    """Raise unless a run may write there: a checkpoint of someone else must not choose any file."""
    inside = target.is_relative_to(file.path.parent)
    if not inside or (target.exists() and not (key == "out" and _is_model(target))):
        raise ValueError(
            f"{file.path} was begun with --{key} {target}, which is not in its folder or exists; "
            f"give --{key} again to write there"
        )


def _is_model(path: Path) -> bool:
    try:
        read_model(path)
    except (OSError, ModelFileError):
        return False
    return True
