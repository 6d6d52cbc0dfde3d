"""Many runs: `sweep` over a grid of options and seeds, and `run_all`, which does them."""

from synaprune.sweeping._result import SweepResult
from synaprune.sweeping._runs import Run, run_all, until_cancelled
from synaprune.sweeping._sweep import sweep

__all__ = ["Run", "SweepResult", "run_all", "sweep", "until_cancelled"]
