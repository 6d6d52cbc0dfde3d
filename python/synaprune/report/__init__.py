"""One self-contained page about a network: what it uses, what its parts do, and the proof."""

from synaprune.report._write import write_report

__all__ = ["write_report"]
