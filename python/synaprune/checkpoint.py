"""`CheckpointFile`: what a long run has finished, on disk, so that it goes on after a crash.

A checkpoint is a model file of another content: named parts, each of JSON values and arrays, and
what they are parts of: the version, the data by their digests and the options. It is replaced whole
and locked while a run uses it, and reading it executes nothing.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from numpy.typing import NDArray

from synaprune import _core, io
from synaprune.checks import check_bool, shown
from synaprune.identity import described, flat, told

FORMAT = 1
SECONDS = 2.0  # between two writes, at least
_SHARE = 20  # and so many times as long as a write takes
_TOLD = 3  # differences that a refusal names

Arrays = Mapping[str, NDArray[Any]]


class CheckpointError(ValueError):
    """A checkpoint that is in use, broken, or of another run."""


class CheckpointFile:
    """A checkpoint that this process holds until it is closed.

    Parameters
    ----------
    path : path-like
        In a folder that exists.
    resume : bool
        Whether to go on with a file that exists; without one the run begins.

    Attributes
    ----------
    parts : dict of str to (JSON value, dict of ndarray)
        What is finished.
    command : list of str or None
        Arguments of the console that began the run.

    Raises
    ------
    FileExistsError
        If the file exists and is not to be resumed, unless nothing in it is finished.
    CheckpointError
        If another process uses it, or it is broken or no checkpoint.
    OSError
        If its folder does not exist or cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, resume: bool = False) -> None:
        self.path: Final = io.check_target(path)
        self.parts: dict[str, tuple[Any, Arrays]] = {}
        self.command: list[str] | None = None
        self._runs: dict[str, Any] = {}  # by kind: version, data and options
        self._kind = ""  # of the run as a whole, which may consist of others
        self._known = False  # whether this process has said what runs
        self._saved = -float("inf")
        self._took = 0.0
        self._lock = _Lock(self.path)
        try:
            if resume and self.path.exists():
                self._read()
            elif self.path.exists():
                self._check_empty()
        except BaseException:
            self.close()
            raise

    def _check_empty(self) -> None:
        """Raise a FileExistsError unless the file is of a run that failed before it began."""
        with contextlib.suppress(CheckpointError):
            self._read()
            if not self.parts:
                self._runs, self._kind, self.command = {}, "", None
                return
        raise FileExistsError(
            f"{self.path} exists; resume=True (on the console --resume) goes on with a checkpoint"
        )

    def _read(self) -> None:
        try:
            header, arrays = io.read_model(self.path)
        except io.ModelFileError as error:
            raise CheckpointError(f"checkpoint: {error}") from error
        if "checkpoint" not in header:
            raise CheckpointError(f"{self.path} is a model file, no checkpoint")
        if header["checkpoint"] != FORMAT:
            raise CheckpointError(
                f"{self.path} has checkpoint format {shown(header['checkpoint'])}, this version "
                f"reads format {FORMAT} alone"
            )
        try:
            self._kind, self._runs = str(header["kind"]), dict(header["runs"])
            if header["command"] is not None:
                self.command = [*map(str, header["command"])]
            self.parts = {
                name: (values, io.below(f"{name}/", arrays))
                for name, values in dict(header["parts"]).items()
            }
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{self.path} does not describe a run: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes use the file."""
        self._lock.release()

    def identify(self, kind: str, data: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Say which run the checkpoint is of, or raise unless it is this one.

        Parameters
        ----------
        kind : str
            What runs, such as "prune".
        data : mapping
            Arrays, or digests of them, by name.
        options : mapping
            All that decides what comes out, by name.

        Raises
        ------
        CheckpointError
            If the file is of another kind of run, version, data or options; it says what differs.
        OSError
            If the file cannot be written.
        """
        given = {name: a for name, a in data.items() if a is not None}
        now = {
            "version": _core.__version__,
            "data": flat(described(given)),
            "options": flat(described(options)),
        }
        if not self._known:
            self._kind = self._kind or kind
            if self._kind != kind:
                raise CheckpointError(
                    f"{self.path} is the checkpoint of another run: of {shown(self._kind)}, not of "
                    f"{kind!r}"
                )
            if self.parts and kind not in self._runs:
                raise CheckpointError(f"{self.path} does not describe a run")
            self._known = True
        if kind not in self._runs:
            self._runs[kind] = json.loads(json.dumps(now))
            self.save()
            return
        differences = list(_differences(self._runs[kind], now))
        if differences:
            more = len(differences) - _TOLD
            text = "; ".join(differences[:_TOLD]) + (f"; and {more} more" if more > 0 else "")
            raise CheckpointError(f"{self.path} is the checkpoint of another run: {text}")

    @property
    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() - self._saved >= max(SECONDS, _SHARE * self._took)

    def save(self) -> None:
        """Write all parts; an older file is whole if that fails.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        begin = time.monotonic()
        header = {
            "checkpoint": FORMAT,
            "kind": self._kind,
            "runs": self._runs,
            "command": self.command,
            "parts": {name: values for name, (values, _) in self.parts.items()},
        }
        arrays = {
            f"{name}/{key}": array
            for name, (_, named) in self.parts.items()
            for key, array in named.items()
        }
        try:
            io.write_model(
                self.path, header, arrays, compress=False, beside=f".{self.path.name}.new"
            )
        except OSError as error:
            raise OSError(
                error.errno,
                f"the checkpoint {self.path} cannot be written ({error.strerror or error}); what "
                "it held before is whole",
            ) from error
        self._saved = time.monotonic()
        self._took = self._saved - begin


@contextlib.contextmanager
def opened(
    checkpoint: str | os.PathLike[str] | CheckpointFile | None, resume: bool
) -> Iterator[CheckpointFile | None]:
    """Open a checkpoint, if there is one; one that is open already stays open afterwards.

    Parameters
    ----------
    checkpoint : path-like, CheckpointFile or None
    resume : bool

    Raises
    ------
    TypeError, ValueError
        If one of both is wrong.
    """
    check_bool("resume", resume)
    if checkpoint is None:
        if resume:
            raise ValueError("resume=True needs a checkpoint")
        yield None
    elif isinstance(checkpoint, CheckpointFile):
        yield checkpoint
    elif isinstance(checkpoint, str | os.PathLike):
        with CheckpointFile(checkpoint, resume=resume) as file:
            yield file
    else:
        raise TypeError(f"checkpoint must be a path, got {shown(checkpoint)}")


@contextlib.contextmanager
def saved_at_end(save: Callable[[], object]) -> Iterator[None]:
    """Save when the work ends, however it ends; if that fails, a warning says so.

    What was reached is then not lost with the disk's space. A fault of the checkpoint itself is not
    followed by another one.

    Parameters
    ----------
    save : callable
    """
    try:
        yield
    except (OSError, CheckpointError):
        raise
    except BaseException:
        _save_or_warn(save)
        raise
    _save_or_warn(save)


def _save_or_warn(save: Callable[[], object]) -> None:
    try:
        save()
    except OSError as error:
        warnings.warn(str(error), UserWarning, stacklevel=2)


# ---- which run it is of


def _differences(was: Any, now: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(was, Mapping) or was.get("version") != now["version"]:
        version = was.get("version") if isinstance(was, Mapping) else was
        yield f"it is of synaprune {version}, this is {now['version']}"
        return
    for part in ("data", "options"):
        old, new = was.get(part), now[part]
        old = old if isinstance(old, Mapping) else {}
        for name in dict.fromkeys([*new, *old]):
            if told(old, name) != told(new, name):
                yield f"{name} was {told(old, name)} and is {told(new, name)}"


# ---- the lock


class _Lock:
    """Keeps other processes, and other runs of this one, from a file; it ends with the process.

    The lock is one of the system, on a file of its own, since the file itself is replaced.
    """

    def __init__(self, target: Path) -> None:
        self._path = target.with_name(f".{target.name}.lock")
        self._open: int | None = None
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        while self._open is None:
            try:
                opened = os.open(self._path, flags, 0o666)
            except OSError as error:
                raise OSError(
                    error.errno, f"the checkpoint {target} cannot be written ({error.strerror})"
                ) from error
            try:
                _lock(opened)
                if _is_at(opened, self._path):  # and was not removed by one that just ended
                    self._open = opened
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                    raise CheckpointError(f"another run uses {target} at the moment") from None
                warnings.warn(
                    f"{target} cannot be locked ({error.strerror}): see to it that no other run "
                    "uses it",
                    UserWarning,
                    stacklevel=4,
                )
                self._open = opened
            finally:
                if self._open is None:
                    os.close(opened)

    def release(self) -> None:
        if self._open is not None:
            with contextlib.suppress(OSError):  # Windows removes no open file
                self._path.unlink()
            os.close(self._open)
            self._open = None


def _lock(file: int) -> None:
    """Lock an open file, or raise an OSError at once if another has done so."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        return
    try:
        import fcntl
    except ImportError:  # WebAssembly, which has one process
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
