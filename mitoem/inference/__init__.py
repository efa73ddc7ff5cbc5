"""Mitochondria from images: ``predict`` is the front door, ``redecode`` its cheap second half."""

from mitoem.inference.decode import DecodeParameters, decode
from mitoem.inference.model import Model, load
from mitoem.inference.predict import (
    Estimate,
    Prediction,
    check_image,
    check_memory,
    check_voxel_size,
    estimate,
    predict,
    redecode,
)
from mitoem.inference.spec import ModelSpec, read_spec
from mitoem.inference.stitch import stitch
from mitoem.inference.whole import CORE, predict_blocks

__all__ = [
    "CORE",
    "DecodeParameters",
    "Estimate",
    "Model",
    "ModelSpec",
    "Prediction",
    "check_image",
    "check_memory",
    "check_voxel_size",
    "decode",
    "estimate",
    "load",
    "predict",
    "predict_blocks",
    "read_spec",
    "redecode",
    "stitch",
]
