"""``--checkpoint`` and ``--resume``: the command that a checkpoint holds, and its finished runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from synaprune.checkpoint import CheckpointError, CheckpointFile
from synaprune.io import ModelFileError, read_model

_OUTPUTS = ("out", "report", "json")
_LIMITS = ("time_limit", "max_epochs")
# What may be given anew, as the result does not depend on it. Data are known by their content.
_FREE = (*_OUTPUTS, *_LIMITS, "dataset", "data_dir", "threads", "jobs", "quiet", "resume")

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


class FinishedRuns:
    """The records of several runs of one command, in its checkpoint.

    A single run is kept step by step by itself, in `file_of_one`; of several a whole run is what a
    crash can cost.

    Parameters
    ----------
    file : CheckpointFile or None
    args : argparse.Namespace
        Of the command.
    data, options : mapping
        As in `CheckpointFile.identify`.
    """

    def __init__(
        self,
        file: CheckpointFile | None,
        args: argparse.Namespace,
        data: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        several = args.runs > 1
        self.file_of_one = None if several else file
        self._file = file if several else None
        if self._file is not None:
            self._file.identify("runs", data, {**options, "seed": args.seed})

    def get(self, seed: int) -> dict[str, Any] | None:
        """Return the record of a run if it is finished."""
        if self._file is None or f"run/{seed}" not in self._file.parts:
            return None
        text, _ = self._file.parts[f"run/{seed}"]
        try:
            record = json.loads(text)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{self._file.path} does not describe a run: {error}") from error
        if not isinstance(record, dict):
            raise CheckpointError(f"{self._file.path} does not describe a run")
        return record

    def put(self, seed: int, record: dict[str, Any]) -> None:
        """Keep the record of a run."""
        if self._file is not None:
            self._file.parts[f"run/{seed}"] = json.dumps(record), {}  # keeps the keys' order
            if self._file.due:
                self._file.save()

    def save(self) -> None:
        """Write the records."""
        if self._file is not None:
            self._file.save()
