"""``python -m mitoem …``."""

import sys

from mitoem.cli import main

if __name__ == "__main__":
    sys.exit(main())
