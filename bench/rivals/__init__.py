"""What else makes small classifiers, at equal sizes; see ``python -m bench.rivals --help``."""
