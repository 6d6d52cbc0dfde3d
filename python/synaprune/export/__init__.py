"""Networks outside of Python: `SparseMLP.to_c` writes C, `quantize` shows what integers cost."""

from synaprune.export._integers import IntegerNetwork, quantize

__all__ = ["IntegerNetwork", "quantize"]
