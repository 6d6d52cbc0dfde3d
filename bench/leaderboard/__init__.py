"""The smallest networks on MNIST; see ``python -m bench.leaderboard --help``."""
