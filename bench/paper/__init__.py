"""The poster's claims and hypotheses, measured; see ``python -m bench.paper --help``."""
