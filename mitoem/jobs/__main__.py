"""``python -m mitoem.jobs ROOT``: the worker of one data root."""

import sys

from mitoem.jobs.worker import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
