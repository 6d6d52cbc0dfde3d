"""Runs a target many times: each execution succeeds or raises what it documents, in time."""

import collections
import faulthandler
import pathlib
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings

SECONDS = 5  # of one execution, of the processor: a process may be stopped for a while
MEMORY = 3 * 2**30  # bytes of address space beyond what is taken at the start


class Hangs(BaseException):
    """An execution takes too long."""


def taken():
    """Return the bytes of this process, of its address space and in memory."""
    pages = pathlib.Path("/proc/self/statm").read_text().split()[:2]
    return [int(n) * resource.getpagesize() for n in pages]


def limit_memory():
    """Let this process take no more than `MEMORY` from now on; no use under a sanitizer."""
    resource.setrlimit(resource.RLIMIT_AS, (taken()[0] + MEMORY, resource.RLIM_INFINITY))


def _hangs(_, frame):
    while frame is not None:  # a signal may come late, when the execution has ended
        if frame.f_code is _once.__code__:
            raise Hangs(f"over {SECONDS} s")
        frame = frame.f_back


def _once(run, rng):
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    run(rng)
    signal.setitimer(signal.ITIMER_PROF, 0)


def execute(name, target, seed, begin, count, *, keep=None):
    """Run executions begin, …, begin + count - 1 of a target; return how they ended.

    Parameters
    ----------
    name : str
        Of the target.
    target : (callable, tuple of exceptions) or with a callable behind them
        Takes a `random.Random` and runs once; what it may raise; what is called before all.
    seed, begin, count : int
        An execution depends on the name, the seed and its number alone.
    keep : Path, optional
        Where the tracebacks of failures go.

    Returns
    -------
    (Counter, list of str)
        How many ended in success and in each exception; the failures.
    """
    run, documented, *prepare = target
    for step in prepare:
        step()
    ends, failures = collections.Counter(), []
    before = signal.signal(signal.SIGPROF, _hangs)
    faulthandler.dump_traceback_later(SECONDS * 12 + count, exit=True)  # hangs in C
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for i in range(begin, begin + count):
                try:
                    _once(run, random.Random(f"{name} {seed} {i}"))
                    ends["success"] += 1
                except documented as error:
                    ends[type(error).__name__] += 1
                except KeyboardInterrupt:
                    raise
                except BaseException as error:  # also panics of libraries, which are no Exception
                    ends[f"FAILURE {type(error).__name__}"] += 1
                    failures.append(f"{name}, seed {seed}, number {i}: {traceback.format_exc()}")
                    if keep:
                        (keep / f"{name}-{seed}-{i}.txt").write_text(failures[-1])
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)
    return ends, failures


def main(targets, arguments):
    """Run targets as the command line asks; return the number of failures."""
    keep = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="fuzz-"))
    keep.mkdir(exist_ok=True)
    if not arguments.unlimited:
        limit_memory()
    total = 0
    for name in arguments.only or targets:
        begin = time.perf_counter()
        ends, failures = collections.Counter(), []
        done, settled = arguments.begin, taken()[1]
        while done < arguments.begin + arguments.count:
            n = min(1000, arguments.begin + arguments.count - done)
            part, failed = execute(name, targets[name], arguments.seed, done, n, keep=keep)
            ends += part
            failures += failed
            done += n
            if done <= arguments.begin + 1000:
                settled = taken()[1]
            if arguments.seconds and time.perf_counter() - begin > arguments.seconds:
                break
        told = ", ".join(f"{n} {end}" for end, n in ends.most_common())
        seconds = time.perf_counter() - begin
        more = (taken()[1] - settled) / 2**20  # what leaks grows with the executions
        print(
            f"{name}: {sum(ends.values())} executions in {seconds:.0f} s, {more:+.1f} MB since the "
            f"first thousand: {told}",
            flush=True,
        )
        for failure in failures[:3]:
            print(failure, file=sys.stderr)
        total += len(failures)
    if total:
        print(f"{total} failures, written to {keep}", file=sys.stderr)
    return total


def add_arguments(parser, targets):
    """Add what every harness takes."""
    parser.add_argument("--count", type=int, default=1000, help="executions of each target")
    parser.add_argument("--begin", type=int, default=0, help="number of the first execution")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--seconds", type=float, help="end each target after so long")
    parser.add_argument("--only", action="append", choices=list(targets))
    parser.add_argument("--keep", help="folder for the tracebacks of failures")
    parser.add_argument("--unlimited", action="store_true", help="without a limit of memory")
