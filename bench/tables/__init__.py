"""`smallest_network` on public tables, beside usual classifiers: ``python -m bench.tables``."""
