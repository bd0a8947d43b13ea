"""What the framework tests share: when they run, and the files they load.

They run with `pytest -m frameworks` alone. A framework is imported inside a fixture or a test, so
that collecting these files needs none; once asked for, one that is missing fails. Warnings are
errors here too: none of the frameworks gives one on these paths.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "sample_specs"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "frameworks" in config.option.markexpr:
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="runs with -m frameworks"))


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the frameworks read while they are imported: no network, no file of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("huggingface")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        patch.setenv("KERAS_BACKEND", "tensorflow")
        patch.setenv("JAX_PLATFORMS", "cpu")
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")  # else it tells the processor's features
        yield


@pytest.fixture(scope="session")
def torch(environment: None) -> Any:
    return importlib.import_module("torch")


@pytest.fixture(scope="session")
def tf(environment: None) -> Any:
    return importlib.import_module("tensorflow")


@pytest.fixture(scope="session")
def jax(environment: None) -> Any:
    return importlib.import_module("jax")


@pytest.fixture(scope="session")
def linen(jax: Any) -> Any:
    return importlib.import_module("flax.linen")


@pytest.fixture(scope="session")
def transformers(torch: Any) -> Any:
    return importlib.import_module("transformers")


@pytest.fixture(scope="session")
def read_config() -> Callable[[str], dict[str, Any]]:
    """Reads the config.json that a sample's comment gives."""

    def read_config(sample: str) -> dict[str, Any]:
        text = (SAMPLES / f"{sample}.yaml").read_text("utf-8").replace("\n#", "\n")
        config: dict[str, Any] = json.JSONDecoder().raw_decode(text, text.index('{"arch'))[0]
        return config

    return read_config


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a spec, or the sample of that name, to a temporary file of that name."""

    def write(spec: Any, file: str) -> Path:
        path = tmp_path_factory.mktemp("weights") / file
        source = SAMPLES / f"{spec}.yaml" if isinstance(spec, str) else spec
        xavinit.generate(source, path, format=None if path.suffix else "npy")
        return path

    return write


@pytest.fixture(scope="session")
def mnist_weights(write: Callable[..., Path]) -> dict[str, np.ndarray[Any, Any]]:
    """The tensors of mnist_mlp, as the safetensors library reads them."""
    from safetensors.numpy import load_file

    return load_file(write("mnist_mlp", "mnist_mlp.safetensors"))


@pytest.fixture(scope="session")
def images() -> np.ndarray[Any, Any]:
    """Random images, flat, of the range that the networks are fed."""
    return np.random.default_rng(20).random((64, 784), dtype=np.float32)
