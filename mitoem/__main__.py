"""``python -m mitoem …``."""

from mitoem.cli import run

if __name__ == "__main__":
    run()
