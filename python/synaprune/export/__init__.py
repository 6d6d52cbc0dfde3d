"""Networks in other languages and libraries, and from there; `quantize` shows what integers cost.

`SparseMLP.to_c`, `to_python`, `to_js`, `to_sql`, `to_json`, `to_torch` and `to_onnx` write them,
`from_json`, `from_sklearn`, `from_torch` and `from_keras` read them.
"""

from synaprune.export._integers import IntegerNetwork, quantize

__all__ = ["IntegerNetwork", "quantize"]
