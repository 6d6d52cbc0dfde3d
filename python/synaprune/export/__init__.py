"""Networks in other languages and libraries, and from there.

`SparseMLP.to_c`, `to_python`, `to_js`, `to_sql`, `to_json`, `to_torch` and `to_onnx` write them,
`from_json`, `from_sklearn`, `from_torch` and `from_keras` read them. `IntegerNetwork` computes in
Python what C computes in integers; `synaprune.quantize` says what they cost, and retrains where
that is too much.
"""

from synaprune.export._integers import IntegerNetwork

__all__ = ["IntegerNetwork"]
