"""Runs a script that may crash, hang or end its interpreter: in a process of its own."""

import subprocess
import sys

from core.networks import environment


def run_alone(code, *args, timeout=120, **variables):
    """Run code to its end with more environment variables; returns the CompletedProcess, as text.

    A script that hangs is ended after `timeout` seconds and fails the test. Warnings of it are not
    shown: Python itself warns where a process with threads forks.
    """
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, args)],
        env=environment() | variables,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
