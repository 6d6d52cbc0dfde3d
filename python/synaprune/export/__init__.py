"""Networks outside of Python; `SparseMLP.to_c` writes C."""
