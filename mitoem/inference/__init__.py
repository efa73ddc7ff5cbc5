"""Mitochondria from images: ``predict`` is the front door, ``redecode`` its cheap second half."""

from mitoem.inference.decode import DecodeParameters, decode
from mitoem.inference.model import Model, load
from mitoem.inference.predict import (
    Estimate,
    Prediction,
    check_image,
    check_voxel_size,
    estimate,
    predict,
    redecode,
)
from mitoem.inference.spec import ModelSpec, read_spec

__all__ = [
    "DecodeParameters",
    "Estimate",
    "Model",
    "ModelSpec",
    "Prediction",
    "check_image",
    "check_voxel_size",
    "decode",
    "estimate",
    "load",
    "predict",
    "read_spec",
    "redecode",
]
