"""Loading into models, as far as it needs no framework: names, shapes and dtypes compared."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import MissingLibraryError, UsageError
from xavinit.verbs.match import check_match, convert_array

SPEC = {"seed": 5, "layers": [{"name": "fc", "type": "dense", "in": 4, "out": 3}]}


class Variable:
    """What the bridge asks of a Keras variable."""

    def __init__(self, path: str, *shape: int, dtype: str = "float32") -> None:
        self.path, self.shape, self.dtype = path, shape, dtype
        self.value: Any = None

    def assign(self, value: Any) -> None:
        self.value = value


class Model:
    def __init__(self, *weights: Variable, built: bool = True) -> None:
        self.name, self.weights, self.built = "model", weights, built


def test_bridges_import_no_framework_and_no_arrays() -> None:
    code = (
        "import sys, xavinit.torch, xavinit.keras, xavinit.flax\n"
        "print([n for n in ('torch', 'keras', 'flax', 'jax', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


def test_bridges_are_found_at_first_use() -> None:
    code = "import xavinit\nprint(*(getattr(xavinit, n).__name__ for n in ('torch', 'keras')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "xavinit.torch xavinit.keras\n"
    assert {"flax", "keras", "torch"} < set(dir(xavinit))
    assert "torch" not in xavinit.__all__  # `from xavinit import *` hides no framework


def test_a_framework_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingLibraryError, match="this needs torch: pip install torch"):
        xavinit.torch.make_tensor(np.ones(3))


def test_keras_variables_are_found_by_their_paths() -> None:
    drawn = xavinit.draw(SPEC, framework="keras")
    for before in ("", "model/"):
        bias, kernel = Variable(f"{before}fc/bias", 3), Variable(f"{before}fc/kernel", 4, 3)
        model = Model(bias, kernel)  # in no order
        assert xavinit.keras.load_into(model, SPEC) is model
        assert np.array_equal(kernel.value, drawn["fc/kernel"])
        assert np.array_equal(bias.value, drawn["fc/bias"])


def test_a_keras_layer_may_have_the_models_own_name() -> None:
    spec = {"layers": [{"name": "model", "type": "dense", "in": 4, "out": 3, "bias": False}]}
    kernel = Variable("model/kernel", 4, 3)
    xavinit.keras.load_into(Model(kernel), spec)
    assert kernel.value is not None


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model(Variable("fc/bias", 3)), 'unexpected: "fc/kernel"$'),
        (
            Model(Variable("fc/bias", 3), Variable("fc/kernel", 4, 3), Variable("fc/more", 1)),
            'missing: "fc/more"$',
        ),
        (
            Model(Variable("fc/bias", 3), Variable("fc/kernel", 3, 4)),
            r'of another shape: "fc/kernel" \(\[4, 3\] instead of \[3, 4\]\)$',
        ),
        (Model(Variable("fc/bias", 3), Variable("model/fc/bias", 3)), '"fc/bias" twice$'),
        (Model(built=False), 'must have its variables; got "model", not built'),
        (7, "model must be a Keras model; got 7$"),
    ],
)
def test_what_does_not_fit_a_keras_model_is_named(model: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        xavinit.keras.load_into(model, SPEC)
    assert all(variable.value is None for variable in getattr(model, "weights", ()))


def test_nothing_is_assigned_where_one_dtype_would_change_numbers() -> None:
    bias, kernel = Variable("fc/bias", 3), Variable("fc/kernel", 4, 3, dtype="float16")
    with pytest.raises(UsageError, match='"fc/kernel" must keep its numbers, which float16'):
        xavinit.keras.load_into(Model(bias, kernel), SPEC)
    assert bias.value is None


def test_a_plan_must_be_in_the_form_of_the_framework() -> None:
    model = Model(Variable("fc/bias", 3), Variable("fc/kernel", 4, 3))
    xavinit.keras.load_into(model, xavinit.make_plan(SPEC, framework="keras"))
    with pytest.raises(UsageError, match="in the form of keras; got pytorch"):
        xavinit.keras.load_into(model, xavinit.make_plan(SPEC))


def test_long_lists_of_names_are_cut() -> None:
    held = {f"w{i}": (2,) for i in range(9)}
    with pytest.raises(UsageError) as caught:
        check_match({}, held)
    assert str(caught.value) == (
        "the spec's tensors must be those of the model; "
        'missing: "w0", "w1", "w2", "w3", "w4" and 4 more'
    )
    check_match({}, held, optional=held)


@pytest.mark.parametrize(
    ("drawn", "held", "fits"),
    [
        ("bfloat16", "float32", True),
        ("float8_e5m2", "float16", True),
        ("float8_e4m3fn", "bfloat16", True),
        ("float16", "bfloat16", False),
        ("float32", "float16", False),
        ("float64", "float32", False),
        ("float32", "float64", True),
        ("float32", "int32", False),
        ("float32", "complex64", False),
    ],
)
def test_dtypes_change_where_no_number_does(drawn: str, held: str, fits: bool) -> None:
    array = xavinit.draw({"tensors": {"w": [20, 30]}}, dtype=drawn)["w"]
    if not fits:
        with pytest.raises(UsageError, match=f'"w" must keep its numbers, which {held}'):
            convert_array("w", array, held)
        return
    converted = convert_array("w", array, held)
    assert converted.dtype.name == held
    assert converted.astype(np.float64).tolist() == array.astype(np.float64).tolist()


def test_flax_names_the_leaves_that_do_not_fit() -> None:
    tree = {"params": {"fc": {"kernel": np.ones((4, 3)), "bias": np.ones(4)}}}
    with pytest.raises(UsageError, match=r'"params.fc.bias" \(\[3\] instead of \[4\]\)'):
        xavinit.flax.load_into(tree, SPEC)
    with pytest.raises(UsageError, match=r'leaves of the tree must be arrays; got 3 at "params.a"'):
        xavinit.flax.load_into({"params": {"a": 3}}, SPEC)
    with pytest.raises(UsageError, match="variables must be a tree of mappings; got 3"):
        xavinit.flax.load_into(3, SPEC)  # type: ignore[arg-type]
