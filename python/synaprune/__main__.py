"""``python -m synaprune``: the console script."""

import sys

from synaprune.cli import main

sys.exit(main())
