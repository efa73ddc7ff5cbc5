"""Tests that drive a real browser; a package, as its files are named as those beside it."""
