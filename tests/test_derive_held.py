"""`derive` of what is in memory, as far as that needs no framework: whatever looks like one."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import UsageError


class Tensor:
    """What is asked of a tensor of PyTorch."""

    def __init__(self, *shape: int, address: int = 0, is_meta: bool = False) -> None:
        self.shape, self.dtype, self.is_meta = shape, "float32", is_meta
        self.device, self._address = "cpu", address

    def data_ptr(self) -> int:
        return self._address

    def numel(self) -> int:
        return int(np.prod(self.shape))

    def stride(self) -> tuple[int, ...]:
        return self.shape

    def copy_(self, other: Any) -> None:
        raise AssertionError("deriving writes nothing")


class Module:
    def __init__(self, **state: Any) -> None:
        self.state = state

    def state_dict(self, *, keep_vars: bool = False) -> dict[str, Any]:
        assert keep_vars  # else on the device meta each name has a tensor of its own
        return self.state

    def named_parameters(self) -> Any:
        raise AssertionError("its buffers are needed too")


class Variable:
    """What is asked of a variable of Keras."""

    def __init__(self, path: str, *shape: int) -> None:
        self.path, self.shape, self.dtype = path, shape, "float32"


class Model:
    def __init__(self, *weights: Variable, name: str = "model", built: bool = True) -> None:
        self.name, self.weights, self.built = name, weights, built


def list_shapes(source: Any) -> dict[str, tuple[int, ...]]:
    plan = xavinit.make_plan(xavinit.derive(source).spec, strict=True)
    return {tensor.name: tensor.shape for tensor in plan.tensors}


def make_array(*shape: int) -> Any:
    return np.zeros(shape, "f4")


def test_deriving_imports_no_framework() -> None:
    code = (
        "import sys, xavinit, numpy\n"
        "xavinit.derive({'w': numpy.zeros((3, 4))}, laws='as-is')\n"
        "print([n for n in ('torch', 'keras', 'flax', 'jax') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


# --- Mappings ------------------------------------------------------------------------------------


def test_the_keys_of_mappings_in_each_other_are_joined() -> None:
    tree = {
        "params": MappingProxyType({"fc": OrderedDict(kernel=make_array(3, 4))}),
        "layers": [{"w": make_array(2, 2)}, {"w": make_array(2, 2)}],
        "pair": (make_array(5), make_array(6)),
        "counted": {0: {"w": make_array(7)}},
        "none": {},
    }
    assert list_shapes(tree) == {
        "params.fc.kernel": (3, 4),
        "layers.0.w": (2, 2),
        "layers.1.w": (2, 2),
        "pair.0": (5,),
        "pair.1": (6,),
        "counted.0.w": (7,),
    }


def test_a_kernel_has_its_inputs_first() -> None:
    plan = xavinit.make_plan(xavinit.derive({"params": {"fc": {"kernel": make_array(3, 4)}}}).spec)
    assert plan["params.fc.kernel"].fans == (3, 4)


def make_circle() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    tree["a"] = tree
    return tree


class Boxed:
    def unbox(self) -> Any:
        return make_array(2)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, r"derive takes the path of a weights file, a torch.nn.Module, .*; got 3$"),
        (None, r"derive takes .*; got null$"),
        ([make_array(2)], "derive takes "),
        ({"a": {"b": 3}}, 'must have a shape and a dtype; got 3 for "a.b"$'),
        ({"a": None}, 'must have a shape and a dtype; got null for "a"$'),
        ({"a": ["x"]}, 'must have a shape and a dtype; got .* for "a"$'),
        ({"a": {(1, 2): make_array(2)}}, r"the name of a tensor must be a string; got \[1, 2\]$"),
        ({True: {"w": make_array(2)}, "a": 3}, "must have a shape"),
        ({"a.b": make_array(2), "a": {"b": make_array(2)}}, 'must not have one name; got "a.b" tw'),
        (make_circle(), "mappings must be at most 64 deep in each other; got more$"),
        ({"w": Boxed()}, "must have a shape and a dtype; got"),
        (Model(built=False), 'the model must have its variables; got "model", not built'),
        (Model(Variable("a", 2), Variable("a", 3)), 'must not have one path; got "a" twice$'),
    ],
)
def test_what_is_none_of_it_is_named(source: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        xavinit.derive(source)


# --- What looks like a framework's ----------------------------------------------------------------


def test_a_module_s_tensors_that_are_one_are_tied() -> None:
    shared = Tensor(4, 3, is_meta=True)
    module = Module(a=shared, b=Tensor(4, 3, is_meta=True), c=shared, extra={"no": "tensor"})
    derived = xavinit.derive(module)
    assert derived.text.startswith("# Derived from Module: 3 tensors, 24 parameters.\n")
    assert derived.spec["tensors"]["c"] == {"tied": "a"}
    assert list_shapes(module) == {"a": (4, 3), "b": (4, 3), "c": (4, 3)}
    state = {"a": Tensor(4, 3, address=8), "b": Tensor(4, 3, address=9)}
    plan = xavinit.make_plan(xavinit.derive({**state, "c": Tensor(4, 3, address=8)}).spec)
    assert [t.name for t in plan.tensors if t.is_tied] == ["c"]


def test_a_keras_model_s_own_name_does_not_count() -> None:
    model = Model(Variable("model/fc/kernel", 4, 3), Variable("built_before/kernel", 4, 3))
    derived = xavinit.derive(model)
    assert derived.text.startswith("# Derived from model: ")
    plan = xavinit.make_plan(derived.spec)
    assert [tensor.name for tensor in plan.tensors] == ["fc/kernel", "built_before/kernel"]
    assert plan["fc/kernel"].fans == (4, 3)
    both = Model(Variable("model/model/kernel", 4, 3), Variable("model/kernel", 3, 2))
    assert list(list_shapes(both)) == ["model/model/kernel", "model/kernel"]


@pytest.mark.parametrize("names", [("model/a/k", "b/k"), ("model/model/k", "model/k"), ("k",)])
def test_what_is_derived_of_a_keras_model_loads_into_it(names: tuple[str, ...]) -> None:
    class Assigned(Variable):
        value: Any = None

        def assign(self, value: Any) -> None:
            self.value = value

    model = Model(*(Assigned(name, 4, 3) for name in names))
    xavinit.keras.load_into(model, xavinit.derive(model).spec)
    assert len({variable.value.tobytes() for variable in model.weights}) == len(names)  # type: ignore[attr-defined]


def test_random_states_are_no_weights() -> None:
    class RngState:
        shape, dtype = (2,), "key<fry>"

    class Key(RngState):
        pass

    tree = {"drop": {"key": Key()}, "fc": {"kernel": make_array(3, 4)}}
    assert list_shapes(tree) == {"fc.kernel": (3, 4)}
