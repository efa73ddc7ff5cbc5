"""Explore, measure, predict and score mitochondria in electron-microscopy volumes."""
