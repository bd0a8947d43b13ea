"""A layer passes on the variance that its law promises: fan_in · Var W · E[x²]."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.frameworks

SAMPLES = 2048
FAN_IN, FAN_OUT = 1024, 4096
VARIANCE = 2 / (FAN_IN + FAN_OUT)  # of a weight: Glorot and Bengio (2010), equation 12

# With 4 million weights and 2 million inputs, what remains of chance is the sum over the 4096
# units: 1.6% of standard deviation behind a relu, where all samples share a mean, far less else.
CLOSE = 0.05


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("law", ["uniform", "normal", "truncated_normal"])
def test_variance_of_pre_activations(
    torch: Any, write: Callable[..., Path], law: str, dtype: str
) -> None:
    from safetensors.torch import load_file

    weight = {"shape": [FAN_OUT, FAN_IN], "init": f"glorot_{law}", "dtype": dtype}
    spec = {
        "seed": 11,
        "tensors": {"weight": weight, "bias": {"shape": [FAN_OUT], "init": "zeros"}},
    }
    layer = torch.nn.Linear(FAN_IN, FAN_OUT)
    layer.load_state_dict(load_file(write(spec, "layer.safetensors")), strict=True)
    numbers = np.random.default_rng(12).standard_normal((SAMPLES, FAN_IN), dtype=np.float32)
    unit = torch.from_numpy(numbers)
    with torch.no_grad():
        for inputs in (unit, torch.relu(unit)):
            outputs = layer(inputs).double()
            expected = FAN_IN * VARIANCE * float(inputs.double().square().mean())
            assert float(outputs.var()) == pytest.approx(expected, rel=CLOSE)
            assert abs(float(outputs.mean())) < CLOSE
