"""Networks outside of Python."""
