"""Specs for property tests, as plain data: valid ones, and ones that are nearly so."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from xavinit.inits import NAMES, OF_RNGS, list_keys
from xavinit.spec.layer_types import LAYER_TYPES

FLOATS = ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
INTEGERS = ["int64", "int32", "uint8", "bool"]
GAINS = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
DIMS = {"d": 4, "heads": 2, "n": "d // heads", "wide": "3*d"}
# Dimensions as specs write them: each stands for a small number that is at least 1.
SIZES = [1, 2, 3, 5, 8, "d", "heads", "n", "wide - 7", "(d + 2) // heads"]

# Names that YAML reads as something else, or needs quotes for.
ODD_NAMES = ["no", "1e3", "010", "null", "~", "a: b", "# c", "'", '"', "é.w", "日本", " x ", "a\nb"]


def choose_scale() -> st.SearchStrategy[float | int]:
    """Scales that overflow no float dtype with any fan."""
    return st.floats(0.01, 2) | st.just(1)


@st.composite
def make_init(draw: st.DrawFn, has_fans: bool) -> Any:
    """An initializer for a float tensor, by its bare name where that is enough."""
    without = ["zeros", "ones", "constant", "uniform", "normal", "truncated_normal"]
    without += ["arange", "log_arange"]
    # The one counts the elements, the other is a layer's under the rng of a framework.
    with_fans = sorted(set(NAMES) - {"values", "default"})
    name = draw(st.sampled_from(with_fans if has_fans else without))
    needed, optional = list_keys(name)
    table: dict[str, Any] = {"type": name}
    values = {
        "mode": st.sampled_from(["fan_in", "fan_out", "fan_avg"]),
        "distribution": st.sampled_from(["uniform", "normal", "truncated_normal"]),
        # None that rounds to zero in a small dtype, which is refused.
        "value": st.floats(-3, 3).filter(lambda value: not 0 < abs(value) < 0.01)
        | st.integers(-3, 3)
        | st.booleans()
        | st.just("d/3 - 2"),
        "gain": choose_scale() | st.sampled_from([*GAINS, "1/sqrt(2*heads)"]),
        "start": st.sampled_from([0, 1, -2, 0.5, "1/d"]),
        "step": st.sampled_from([0, 0.25, -0.1, "1/heads"]),
        "repeat": st.sampled_from([1, 3, "heads"]),
        # What only the rng of a framework varies.
        **{key: st.just(value) for key, value in OF_RNGS.items()},
    }
    for key in (*needed, *(key for key in optional if draw(st.booleans()))):
        table[key] = draw(values.get(key, choose_scale()))
    return name if len(table) == 1 and draw(st.booleans()) else table


@st.composite
def make_tensor(draw: st.DrawFn) -> Any:
    """A table of keys, or a bare shape where the default initializer takes it."""
    shape = draw(st.lists(st.sampled_from(SIZES), max_size=3))
    if draw(st.integers(0, 9)) == 0:
        shape = [*shape, 0]
    if len(shape) >= 2 and draw(st.booleans()):
        return shape
    table: dict[str, Any] = {"shape": shape}
    if draw(st.integers(0, 4)) == 0:
        table["dtype"] = draw(st.sampled_from(INTEGERS))
        table["init"] = draw(
            st.sampled_from(["zeros", "ones", {"type": "constant", "value": True}])
        )
        return table
    table["dtype"] = draw(st.sampled_from(FLOATS))
    has_fans = len(shape) >= 2
    if has_fans and draw(st.booleans()):
        axes = draw(st.permutations(range(-len(shape), 0)))
        kind = draw(st.sampled_from(["layout", "axes", "batch", "fused"]))
        if kind == "layout":
            table["layout"] = draw(st.sampled_from(["in_out", "out_in"]))
        elif kind == "axes":
            table["in_axis"], table["out_axis"] = axes[0], [axes[1]]
        elif kind == "batch":
            table["batch_axis"] = axes[0]
            has_fans = len(shape) >= 3
        else:
            table["fused"] = draw(st.sampled_from([1, "heads // 2"]))
    table["init"] = draw(make_init(has_fans))
    if shape and 0 not in shape and draw(st.integers(0, 4)) == 0:
        table["zero_rows"] = draw(st.sampled_from([[0], [-1], [], [0, "-1"]]))
    if draw(st.integers(0, 4)) == 0:
        table["stream"] = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
        table["stream"] = table["stream"].replace("{", "{{").replace("}", "}}")
    return table


@st.composite
def make_layer(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A layer of any type, with some of the keys that it may have."""
    kind = draw(st.sampled_from(sorted(LAYER_TYPES)))
    size = st.sampled_from(SIZES)
    kernel = size | st.just([2, "n"]) if kind.endswith("2d") else size
    groups = 1 if kind == "conv_transpose2d" else draw(st.sampled_from([1, 2]))  # as all have it
    values: dict[str, Any] = {
        "in": draw(size),
        "out": draw(size),
        "size": draw(size),
        "kernel": draw(kernel),
        "groups": groups,
        "stride": draw(kernel),
        "multiplier": draw(size),
        "bias": draw(st.booleans()),
        "dtype": draw(st.sampled_from(FLOATS)),
        "bias_init": draw(make_init(False)),
        "recurrent_init": draw(make_init(True)),
        "hidden": draw(size),
        "num_layers": draw(st.sampled_from([1, "heads // 2"])),
        "bidirectional": draw(st.booleans()),
        "forget_bias": draw(st.sampled_from([0, 1, -0.5])),
        "heads": draw(st.sampled_from([1, 2, 4])),
        "init": draw(make_init("norm" not in kind)),
    }
    if kind == "dense" and draw(st.booleans()):
        values["in"] = [3, "n", 2]
    elif "conv" in kind and groups == 2:
        values |= {"in": "2*d", "out": 6}
    elif kind == "multi_head_attention":
        values["size"] = "4*d"  # without kv_heads, which Flax lacks
    if values["bias"]:
        del values[draw(st.sampled_from(["bias_init", "forget_bias"]))]  # of one bias
    else:
        del values["bias_init"], values["forget_bias"]
    known = LAYER_TYPES[kind].__struct_encode_fields__
    required = {"in", "out", "size", "kernel", "groups", "bias", "hidden", "heads"}
    keys = [k for k in values if k in known and (k in required or draw(st.booleans()))]
    return {"name": name, "type": kind, **{key: values[key] for key in keys}}


@st.composite
def make_layers(draw: st.DrawFn) -> list[Any]:
    """A few layers, some in groups."""
    layers: list[Any] = [draw(make_layer(name)) for name in ("l1", "l2.{heads}.{q,k}", "0")]
    inner = [draw(make_layer("inner")), {"name": "g", "layers": [draw(make_layer("deep.{1..2}"))]}]
    layers.append({"name": "block.{n}", "layers": inner})
    return draw(st.permutations(layers))[: draw(st.integers(0, 4))]


@st.composite
def make_spec(draw: st.DrawFn) -> dict[str, Any]:
    """A valid spec, with few and small tensors."""
    names = draw(
        st.lists(
            st.sampled_from(["a.weight", "b", "c/d", "e.f.g", *ODD_NAMES]),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    tensors: dict[str, Any] = {name: draw(make_tensor()) for name in names}
    braces = draw(
        st.sampled_from(["", "h.{n}.w", "{1..d}.{w,b}", "{1..wide..d}", "x{{y}}.{heads}"])
    )
    if braces:
        tensors[braces] = draw(make_tensor())
        if draw(st.booleans()) and "{n}" in braces:
            bias = {"type": "uniform", "bound": "1/(1 + fan_in)"}
            tensors["f.{n}"] = {"shape": ["d"], "init": bias, "fans_of": "m.{n}"}
            tensors["m.{n}"] = ["wide", "d"]
        if draw(st.booleans()) and "{n}" in braces:
            tensors["t.{n}"] = {"tied": "h.{n}.w"}
    spec: dict[str, Any] = {"tensors": tensors, "dims": dict(DIMS)}
    if draw(st.booleans()):
        spec["layers"] = draw(make_layers())
    if draw(st.booleans()):
        spec["seed"] = draw(st.integers(0, 2**64 - 1))
    if draw(st.booleans()):
        spec["framework"] = draw(st.sampled_from(["pytorch", "keras", "flax"]))
    if draw(st.booleans()):
        spec["defaults"] = {"dtype": draw(st.sampled_from(FLOATS))}
    has_tie = any("tied" in tensor for tensor in tensors.values())
    if draw(st.booleans()) and not has_tie:  # beside a tie, a rule's key is an error
        rules = [{"match": "*.[wb]", "dtype": "float64"}, {"match": "*", "stream": "s"}]
        spec["rules"] = rules[: draw(st.integers(1, 2))]
    return spec


WRONG: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    float("nan"),
    float("inf"),
    2**63,
    2**64,
    10**30,
    "",
    "d +",
    "9**9",
    "nothing",
    "{",
    "{5..2}",
    "{99999999}.{99999999}",
    "__metadata__",
    "a\0b",
    "\x1b[31m",
    [],
    {},
    [[]],
    {"type": "normal"},
]


@st.composite
def make_near_spec(draw: st.DrawFn) -> Any:
    """A valid spec with one or two faults: a value, a key or a name that may be wrong."""
    spec: Any = copy.deepcopy(draw(make_spec()))
    for _ in range(draw(st.integers(1, 2))):
        place, key = draw(st.sampled_from(list_places(spec)))
        kind = draw(st.sampled_from(["value", "value", "key", "remove", "copy"]))
        if kind == "value":
            place[key] = copy.deepcopy(draw(st.sampled_from(WRONG)))
        elif kind == "remove":
            del place[key]
        elif isinstance(place, dict):
            value = place[key] if kind == "copy" else place.pop(key)
            words = [word for word in WRONG if isinstance(word, str)]
            new = draw(st.sampled_from([key + "x", key[:-1], key.upper(), *words]))
            place[new] = copy.deepcopy(value)
        if not list_places(spec):
            break
    return spec


def list_places(data: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in the data, in order."""
    if isinstance(data, dict):
        keys: Any = list(data)
    elif isinstance(data, list):
        keys = range(len(data))
    else:
        return []
    return [place for key in keys for place in ((data, key), *list_places(data[key]))]
