"""Explore, measure, predict and score mitochondria in electron-microscopy volumes."""

__version__ = "0.1.0"
