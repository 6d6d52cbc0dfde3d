"""Where and with what the figures were made."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

import numpy as np
import synaprune as sn

from bench.final import commit
from bench.peers import PACKAGES, cores, optional, versions


def describe(quick: bool) -> list[str]:
    """Return paragraphs: how to repeat, machine, build, peers, how to read the tables."""
    info = sn.build_info()
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return [
        f"`python -m bench{' --quick' if quick else ''}`, "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}.",
        f"**Machine:** {cpu_model()}, {cores()} cores{load}; {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}.",
        f"**synaprune** {info['version']}: ISA {info['isa']}, {info['compiler']}, "
        f"{info['threads']} threads by {info['thread_runtime']}.",
        f"**Peers:** {versions()}; numpy {np.__version__}."
        + "".join(f" {name} is absent: skipped." for name in PACKAGES if not optional(name)),
        "Every answer is checked against a reference before it is timed. Contenders take turns; a "
        "cell holds the median turn (minimum-maximum) and, after it, how many times our median it "
        "is: above 1.00× we are faster.",
    ]


def cpu_model() -> str:
    """Return the CPU's name as Linux tells it, with its numbers; else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    numbers = ", ".join(
        f"{name} {fields[name].strip()}"
        for name in ("cpu family", "model", "stepping", "cpu MHz")
        if name in fields
    )
    name = fields.get("model name", platform.machine()).strip()
    return f"{name} ({numbers})" if numbers else name
