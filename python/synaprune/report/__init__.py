"""A self-contained HTML page about a network: its inputs, its units and the evidence."""

from synaprune.report._write import write_report

__all__ = ["write_report"]
