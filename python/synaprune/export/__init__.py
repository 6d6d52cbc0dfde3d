"""Networks in other languages and libraries: `SparseMLP.to_c` and the like, and from there.

`quantize` shows what integers cost.
"""

from synaprune.export._integers import IntegerNetwork, quantize

__all__ = ["IntegerNetwork", "quantize"]
