"""Networks in other languages; `quantize` shows what integers cost.

`SparseMLP.to_c`, `to_python`, `to_js` and `to_sql` write them.
"""

from synaprune.export._integers import IntegerNetwork, quantize

__all__ = ["IntegerNetwork", "quantize"]
