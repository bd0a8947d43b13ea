"""Keras's GlorotUniform or GlorotNormal on TensorFlow, then safetensors.numpy.save_file."""

from __future__ import annotations

import os
import sys

import common

LAWS = {"uniform": "GlorotUniform", "normal": "GlorotNormal"}


def draw_and_save(law: str, names: list[str], shape: tuple[int, int], out: str) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np
    from safetensors.numpy import save_file

    keras.utils.set_random_seed(42)
    make = getattr(keras.initializers, LAWS[law])
    save_file({name: np.asarray(make()(shape)) for name in names}, out)


if sys.argv[1:] == ["--version"]:
    import keras  # is it all there?

    del keras
common.run(draw_and_save, "keras", "tensorflow-cpu", "safetensors")
