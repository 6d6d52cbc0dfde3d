"""Networks in other languages and libraries, and from there; `quantize` shows what integers cost.

`SparseMLP.to_c`, `to_python`, `to_js`, `to_sql`, `to_torch` and `to_onnx` write them,
`from_sklearn` and `from_torch` read them.
"""

from synaprune.export._integers import IntegerNetwork, quantize

__all__ = ["IntegerNetwork", "quantize"]
