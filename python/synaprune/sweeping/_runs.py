"""Many runs: one after another, or side by side on whatever joblib is told to use."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune import __version__
from synaprune.checkpoint import Arrays, CheckpointError, CheckpointFile, saved_at_end
from synaprune.checks import check_int
from synaprune.extras import require

_ATTEMPTS = 3  # in a row that finish no run
_WAIT = 10  # seconds for the first worker of a cluster
_CHUNK = 8  # runs a worker at a time, where a backend gives results only at the end of a call
_ALIGNMENT = 16  # bytes, of arrays that numpy allocates

_Parts: TypeAlias = Sequence[NDArray[np.uint8]]


class Run(NamedTuple):
    """What is kept of a run: JSON values, and arrays."""

    record: dict[str, Any]
    arrays: Arrays


Work: TypeAlias = Callable[[Any, Any], Run]  # of a task, and of what all runs share


class _Outcome(NamedTuple):
    """The run of a task, or what it raised, and what it warned of."""

    name: str
    run: Run | None
    error: Exception | None
    warned: list[str]


class FinishedRuns:
    """Runs by name, in a checkpoint; nothing is kept without a file.

    Parameters
    ----------
    file : CheckpointFile or None
    """

    def __init__(self, file: CheckpointFile | None) -> None:
        self._file = file

    def get(self, name: str) -> Run | None:
        """Return a run if it is finished; raises a CheckpointError if the file is broken."""
        if self._file is None or f"run/{name}" not in self._file.parts:
            return None
        text, arrays = self._file.parts[f"run/{name}"]
        try:
            record = json.loads(text)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{self._file.path} does not describe a run: {error}") from error
        if not isinstance(record, dict):
            raise CheckpointError(f"{self._file.path} does not describe a run")
        return Run(record, arrays)

    def put(self, name: str, run: Run) -> None:
        """Keep a run, and write it if it is time to."""
        if self._file is not None:
            self._file.parts[f"run/{name}"] = json.dumps(run.record), run.arrays  # in its order
            if self._file.due:
                self._file.save()

    def save(self) -> None:
        """Write what is finished."""
        if self._file is not None:
            self._file.save()


def run_all(
    work: Work,
    tasks: Mapping[str, Any],
    shared: Any,
    *,
    n_jobs: int | None = None,
    file: CheckpointFile | None = None,
    tell: Callable[[str, Run], object] = lambda name, run: None,
) -> dict[str, Run]:
    """Return ``work(task, shared)`` of each task, by name and in the order of the tasks.

    A run whose worker is lost is done again. Ctrl-C, or an exception of a run, ends all others.

    Parameters
    ----------
    work : callable
        Importable by workers.
    tasks : mapping of str to object
    shared : object
        What all runs read; sent to each worker once. Workers get read-only arrays.
    n_jobs : int, optional
        As in joblib. One worker needs no joblib, and works in this thread.
    file : CheckpointFile, optional
        Where to keep finished runs, as one that is identified.
    tell : callable
        Called with name and run as soon as a run is finished, those of the file first.

    Raises
    ------
    ImportError
        If joblib is missing.
    OSError
        If workers are lost again and again, or a cluster has none.
    ValueError
        If workers have another version of synaprune.
    """
    finished = FinishedRuns(file)
    done: dict[str, Run] = {}
    for name in tasks:
        if (before := finished.get(name)) is not None:
            done[name] = before
            tell(name, before)
    missing = {name: task for name, task in tasks.items() if name not in done}
    with saved_at_end(finished.save), contextlib.closing(
        _outcomes(work, missing, shared, n_jobs)
    ) as outcomes:  # fmt: skip
        for name, run, error, warned in outcomes:
            for text in warned:
                warnings.warn(text, UserWarning, stacklevel=3)
            if error is not None:
                raise error
            assert run is not None
            run = Run(json.loads(json.dumps(run.record)), run.arrays)  # as the file gives it back
            done[name] = run
            finished.put(name, run)
            tell(name, run)
    return {name: done[name] for name in tasks}


def _outcomes(
    work: Work, tasks: Mapping[str, Any], shared: Any, n_jobs: int | None
) -> Generator[_Outcome]:
    """Generate outcomes as they come, and do what is lost again."""
    run_side_by_side = _engine(n_jobs)
    if run_side_by_side is None:
        for name, task in tasks.items():
            yield _Outcome(name, work(task, shared), None, [])
        return
    parts = _packed(shared)
    missing = dict(tasks)
    failures = 0
    while missing:
        try:
            with contextlib.closing(run_side_by_side(work, missing.copy(), parts)) as outcomes:
                for outcome in outcomes:
                    failures = 0
                    del missing[outcome.name]
                    yield outcome
        except Exception as error:  # not of a run: a worker is lost, or cannot run anything
            failures += 1
            if failures == _ATTEMPTS:
                raise OSError(
                    f"workers ended unexpectedly {failures} times in a row ({_told(error)}); out "
                    "of memory?"
                ) from error


_Engine: TypeAlias = Callable[[Work, Mapping[str, Any], _Parts], Generator[_Outcome]]


def _engine(n_jobs: int | None) -> _Engine | None:
    """Return what runs tasks side by side; None if one worker, this thread, is enough."""
    if n_jobs is not None:
        check_int("n_jobs", n_jobs, -(2**15), 2**15)
    try:
        require("joblib", "joblib")
    except ImportError:
        if n_jobs in (None, 1):
            return None
        raise
    from joblib import effective_n_jobs
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    client = getattr(backend, "client", None)
    if client is not None:
        return _Dask(client)
    return None if effective_n_jobs(n_jobs) == 1 else _Joblib(n_jobs, backend)


class _Joblib:
    """Runs tasks on the backend that joblib is told to use.

    Parameters
    ----------
    n_jobs : int or None
    backend : joblib backend
    """

    def __init__(self, n_jobs: int | None, backend: Any) -> None:
        self._n_jobs, self._backend = n_jobs, backend

    def __call__(self, work: Work, tasks: Mapping[str, Any], parts: _Parts) -> Generator[_Outcome]:
        import joblib

        ours = isinstance(self._backend, joblib.parallel.LokyBackend)
        caller = _Caller(os.getpid() if ours else None)

        def outcomes(parallel: Any, some: Sequence[str]) -> Any:
            return parallel(
                joblib.delayed(_outcome)(work, name, tasks[name], caller, *parts) for name in some
            )

        if not self._backend.supports_return_generator:  # Ray and Spark
            with joblib.Parallel(self._n_jobs) as parallel:
                size = _CHUNK * joblib.effective_n_jobs(self._n_jobs)
                names = [*tasks]
                for at in range(0, len(names), size):
                    yield from outcomes(parallel, names[at : at + size])
            return
        with _interrupts_ignored():  # which processes that are started here inherit
            found = outcomes(
                joblib.Parallel(self._n_jobs, return_as="generator_unordered"), [*tasks]
            )
        try:
            yield from found
        finally:
            with warnings.catch_warnings():  # that results were left
                warnings.simplefilter("ignore")
                found.close()


class _Dask:
    """Runs tasks on a Dask cluster.

    joblib chooses the cluster, but does not run the tasks: its backend (1.6) sends data to one
    worker only, waits for ever where workers cannot import a task or die of it, and leaves tasks
    running that nobody waits for.

    Parameters
    ----------
    client : distributed.Client

    Raises
    ------
    OSError, ValueError
        If the cluster has no workers, or such with another version of synaprune.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        try:
            client.submit(os.getpid, pure=False).result(timeout=_WAIT)  # may start workers
        except TimeoutError as error:
            address = client.scheduler.address
            raise OSError(f"the Dask cluster at {address} has no worker for {_WAIT} s") from error
        for worker, version in client.run(_version_asked(), on_error="ignore").items():
            if version != __version__:
                raise ValueError(
                    f"the Dask worker at {worker} has synaprune {version}, this is {__version__}"
                )

    def __call__(self, work: Work, tasks: Mapping[str, Any], parts: _Parts) -> Generator[_Outcome]:
        distributed = require("distributed", "dask")
        data = self._client.scatter(parts, broadcast=True, hash=False)
        names = {
            self._client.submit(
                _outcome, work, name, task, _Caller(), *data, pure=False
            ): name
            for name, task in tasks.items()
        }  # fmt: skip
        try:
            for future, result in distributed.as_completed(
                names, loop=self._client.loop, with_results=True, raise_errors=False
            ):
                name = names.pop(future)  # which lets the cluster forget what it gave
                if future.status == "finished":
                    yield result
                    continue
                error = result[1] if future.status == "error" else result
                if not isinstance(error, distributed.KilledWorker):
                    raise error
                yield _Outcome(name, None, OSError(f"run {name}: {_told(error)}"), [])
        finally:
            self._client.cancel([*names])  # those at work notice it: `until_cancelled`


def _version_asked() -> Callable[[], str]:
    """Return a function that is sent by value: a worker may have no synaprune, or an older one."""

    def version() -> str:
        try:
            import synaprune
        except ImportError as error:
            return f"none ({error})"
        return synaprune.__version__

    return version


def until_cancelled() -> Callable[..., None] | None:
    """Return a callback that ends a run on a Dask worker once nobody waits for it.

    Dask cannot end the thread of a task. Elsewhere None: runs end with their process.

    Returns
    -------
    callable or None
        It takes any arguments, and raises a CancelledError.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        worker = distributed.get_worker()
        key = worker.get_current_task()
    except (ValueError, AttributeError):  # in no task
        return None
    tasks = worker.state.tasks

    def check(*_: object) -> None:
        task = tasks.get(key)
        if task is None or task.state == "cancelled":
            raise CancelledError

    return check


# ---- in a worker


class _Caller(NamedTuple):
    """What asks for a run: which process, if the worker is to end with it, and which version."""

    pid: int | None = None
    version: str = __version__


def _outcome(
    work: Work, name: str, task: Any, caller: _Caller, *parts: NDArray[np.uint8]
) -> _Outcome:
    """Run a task; an exception that this raises itself is never the run's."""
    if caller.version != __version__:
        text = f"a worker has synaprune {__version__}, this is {caller.version}"
        return _Outcome(name, None, ValueError(text), [])
    if os.getppid() == caller.pid:
        _end_with(caller.pid)
    warned: list[str] = []
    try:
        with _noted(warned):
            run = work(task, _unpacked(parts))
    except Exception as error:
        return _Outcome(name, None, error, warned)
    return _Outcome(name, run, None, warned)


@contextlib.contextmanager
def _noted(texts: list[str]) -> Iterator[None]:
    """Note warnings; those of other threads than the main one go where the process sends them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python's filters belong to all threads
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            yield
        finally:
            texts += [str(w.message) for w in caught]


def _packed(shared: Any) -> _Parts:
    """Return an object as arrays of bytes, which every backend sends to a worker only once."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(shared, protocol=5, buffer_callback=buffers.append)
    raw = (memoryview(pickled), *(buffer.raw() for buffer in buffers))
    return [np.frombuffer(part, np.uint8) for part in raw]


def _unpacked(parts: _Parts) -> Any:
    aligned = (part if part.ctypes.data % _ALIGNMENT == 0 else part.copy() for part in parts)
    pickled, *buffers = (part.data.toreadonly() for part in aligned)
    return pickle.loads(pickled, buffers=buffers)


# ---- signals and processes


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl-C on a terminal, or its end, goes to all processes; it is the parent's to handle."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _end_with(parent: int) -> None:
    """End this process once its parent has gone, as by SIGKILL; it would wait for work for long."""
    name = "synaprune: ends with its parent"
    if any(thread.name == name for thread in threading.enumerate()):
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, name=name, daemon=True).start()


def _told(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
