"""`xavinit.derive`: a list of tensors becomes the spec that a person would have written."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoints import NAMES, load
from hypothesis import given, settings
from hypothesis import strategies as st

import xavinit
from xavinit.deriving import Model, NamedTensor, derive_text, write_canonical
from xavinit.dtypes import DTYPES
from xavinit.errors import InputError, UsageError
from xavinit.plan import Arange, Constant, LogArange
from xavinit.spec import load_document, make_canonical, parse_document

SAMPLES = sorted((Path(__file__).parent.parent / "sample_specs").glob("*.yaml"))


@functools.cache
def derive_list(name: str) -> str:
    layout = "in_out" if name.startswith("keras") else None
    return derive_text(Model(load(name), title=name, layout=layout))


def read(text: str) -> dict[str, Any]:
    data: dict[str, Any] = parse_document(text.encode(), "derived.yaml").data
    return data


def plan_text(text: str, **options: Any) -> xavinit.Plan:
    return xavinit.make_plan(read(text), strict=True, **options)


def count_lines(text: str) -> int:
    """The lines of a spec, comments not counted."""
    return sum(not line.lstrip().startswith("#") for line in text.splitlines())


def list_tensors(plan: xavinit.Plan) -> dict[str, tuple[tuple[int, ...], str]]:
    return {tensor.name: (tensor.shape, tensor.dtype.name) for tensor in plan.tensors}


def derive_tensors(tensors: Iterable[NamedTensor]) -> xavinit.Plan:
    """The plan of what is derived, which has the same tensors."""
    tensors = tuple(tensors)
    plan = plan_text(derive_text(Model(tensors)))
    assert list_tensors(plan) == {t.name: (t.shape, t.dtype) for t in tensors}
    return plan


def make(shapes: Mapping[str, tuple[int, ...]], dtype: str = "float32") -> list[NamedTensor]:
    return [NamedTensor(name, shape, dtype) for name, shape in shapes.items()]


# --- Real checkpoints --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_comes_back(name: str) -> None:
    tensors = load(name)
    plan = plan_text(derive_list(name))
    assert list_tensors(plan) == {t.name: (t.shape, t.dtype) for t in tensors}
    assert {t.name for t in plan.tensors if t.is_tied} == {t.name for t in tensors if t.tied}


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("gpt2", 39),
        ("llama3_8b", 29),
        ("deepseek_v3_merged", 59),
        ("bert", 40),
        ("mixtral_8x7b", 29),
        ("qwen3_8b", 29),
        ("resnet50", 60),
        ("t5_small", 40),
        ("whisper_tiny", 45),
    ],
)
def test_it_is_short(name: str, most: int) -> None:
    text = derive_list(name)
    assert count_lines(text) <= most
    assert max(map(len, text.splitlines())) <= 100


def test_a_mixture_of_256_experts_in_60_blocks_is_short() -> None:
    """DeepSeek-V3 without the scales of its float8 and the block that predicts more tokens."""
    tensors = [
        t
        for t in load("deepseek_v3")
        if not t.name.endswith("_inv") and ".60." not in t.name and ".61." not in t.name
    ]
    assert len(tensors) > 40_000
    text = derive_text(Model(tuple(tensors)))
    assert count_lines(text) < 60
    assert max(map(len, text.splitlines())) <= 100


def test_gpt2_reads_like_a_person_s() -> None:
    assert read(derive_list("gpt2")) == {
        "seed": 0,
        "dims": {"vocab": 50257, "ctx": 1024, "d": 768, "blocks": 12, "ff": "4*d"},
        "defaults": {"init": "glorot_uniform", "dtype": "float32"},
        "rules": [
            {"match": "*.bias", "init": "zeros"},
            {"match": "*.c_*.weight", "layout": "in_out"},
            {"match": "*.ln_?.weight", "init": "ones"},
        ],
        "tensors": {
            "transformer.wte.weight": ["vocab", "d"],
            "transformer.wpe.weight": ["ctx", "d"],
            "transformer.h.{blocks}.ln_{1,2}.{weight,bias}": ["d"],
            "transformer.h.{blocks}.attn.c_attn.weight": {"shape": ["d", "3*d"], "fused": 3},
            "transformer.h.{blocks}.attn.c_attn.bias": ["3*d"],
            "transformer.h.{blocks}.attn.c_proj.weight": ["d", "d"],
            "transformer.h.{blocks}.attn.c_proj.bias": ["d"],
            "transformer.h.{blocks}.mlp.c_fc.weight": ["d", "ff"],
            "transformer.h.{blocks}.mlp.c_fc.bias": ["ff"],
            "transformer.h.{blocks}.mlp.c_proj.weight": ["ff", "d"],
            "transformer.h.{blocks}.mlp.c_proj.bias": ["d"],
            "transformer.ln_f.{weight,bias}": ["d"],
            "lm_head.weight": {"tied": "transformer.wte.weight"},
        },
    }


def test_a_known_size_gives_its_key_and_what_follows_from_it() -> None:
    sizes = {
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    }
    init = {"type": "normal", "std": 0.02}
    text = derive_text(Model(load("llama3_8b"), sizes=sizes, default_init=init))
    assert read(text)["defaults"] == {"init": init, "dtype": "bfloat16"}
    assert read(text)["dims"] == {
        "vocab": 128256,
        "d": 4096,
        "blocks": 32,
        "heads": 32,
        "kv_heads": 8,
        "head": "d // heads",
        "ff": 14336,
    }
    assert "d: 4096                 # hidden_size" in text
    plan = plan_text(text, dims={"d": 512, "heads": 8, "kv_heads": 2, "blocks": 1})
    assert plan["model.layers.0.self_attn.k_proj.weight"].shape == (128, 512)


# --- A derived spec scales ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "dims", "sizes", "blocks"),
    [
        ("gpt2", {"d": 64}, {768: 64, 3072: 256, 2304: 192}, ".h."),
        ("bert", {"d": 64, "vocab": 99}, {768: 64, 3072: 256, 30522: 99}, ".layer."),
        ("llama3_8b", {"d": 512}, {4096: 512, 1024: 128}, ".layers."),
        ("t5_small", {"d": 64}, {512: 64, 2048: 256}, ".block."),
        ("whisper_tiny", {"d": 48}, {384: 48, 1536: 192}, ".layers."),
        (
            "mamba_130m",
            {"d": 32, "state": 4},
            {768: 32, 1536: 64, 3072: 128, 48: 2, 16: 4, 80: 10},
            ".layers.",
        ),
    ],
)
def test_two_blocks_of_another_width(
    name: str, dims: dict[str, int], sizes: dict[int, int], blocks: str
) -> None:
    """Every tensor of the first two blocks, its sizes replaced one by one."""
    plan = plan_text(derive_list(name), dims={**dims, "blocks": 2})
    expected = {
        tensor.name: tuple(sizes.get(size, size) for size in tensor.shape)
        for tensor in load(name)
        if blocks not in tensor.name or tensor.name.partition(blocks)[2][:2] in ("0.", "1.")
    }
    assert {tensor.name: tensor.shape for tensor in plan.tensors} == expected


def test_experts_and_blocks_of_each_kind_scale() -> None:
    plan = plan_text(derive_list("deepseek_v3"), dims={"blocks": 5, "experts": 2, "d": 256})
    names = {t.name for t in plan.tensors}
    assert {n.split(".")[2] for n in names if ".mlp.experts." in n} == {"3", "4"}
    assert {n.split(".")[5] for n in names if ".mlp.experts." in n} == {"0", "1"}
    assert {n.split(".")[2] for n in names if n.endswith(".mlp.up_proj.weight")} == {"0", "1", "2"}
    assert "model.layers.4.eh_proj.weight" in names  # of the last block
    scales = plan["model.layers.0.mlp.up_proj.weight_scale_inv"]
    assert scales.shape == (144, 2)  # a number for 128×128
    assert plan["model.layers.3.mlp.gate.weight"].shape == (2, 256)


def test_blocks_that_alternate() -> None:
    shapes: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (500, 32)}
    for n in range(8):
        shapes[f"layers.{n}.norm.weight"] = (32,)
        if n % 2:
            for e in range(4):
                shapes[f"layers.{n}.moe.experts.{e}.w1.weight"] = (64, 32)
        else:
            shapes[f"layers.{n}.mlp.fc1.weight"] = (128, 32)
        if n % 4 == 3:
            shapes[f"layers.{n}.cross_attn.q_proj.weight"] = (32, 32)
    text = derive_text(Model(tuple(make(shapes))))
    assert list(read(text)["tensors"]) == [
        "embed_tokens.weight",
        "layers.{blocks}.norm.weight",
        "layers.{0..last..2}.mlp.fc1.weight",
        "layers.{1..last..2}.moe.experts.{experts}.w1.weight",
        "layers.{3..last..4}.cross_attn.q_proj.weight",
    ]
    small = plan_text(text, dims={"blocks": 4, "experts": 1})
    assert sum(".mlp." in tensor.name for tensor in small.tensors) == 2
    assert sum(".moe." in tensor.name for tensor in small.tensors) == 2
    derive_tensors(make(shapes))


def test_stages_are_each_of_their_own_kind() -> None:
    """That two stages of a ResNet have the same counters does not write these before the rest."""
    tensors = read(derive_list("resnet50"))["tensors"]
    assert not any(name.startswith("layer{") for name in tensors)
    assert tensors["layer3.{1..5}.conv1.weight"] == ["4*w", "16*w", 1, 1]


# --- Laws and fans -----------------------------------------------------------------------------


def find_law(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
    return derive_tensors([NamedTensor(name, shape, dtype)]).tensors[0].law


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("h.0.ln_1.weight", 1),
        ("h.0.ln_1.bias", 0),
        ("encoder.LayerNorm.gamma", 1),
        ("encoder.LayerNorm.beta", 0),
        ("model.norm.weight", 1),
        ("layer1.0.bn2.running_mean", 0),
        ("layer1.0.bn2.running_var", 1),
        ("layers/batch_normalization_1/vars/0", 1),
        ("layers/batch_normalization_1/vars/1", 0),
        ("layers/batch_normalization_1/vars/2", 0),
        ("layers/batch_normalization_1/vars/3", 1),
        ("bn/moving_variance:0", 1),
        ("dense/bias:0", 0),
        ("lstm.bias_ih_l0", 0),
        ("mlp.gate.e_score_correction_bias", 0),
        ("features.0.1.weight", 1),
        ("anything", 0),
    ],
)
def test_a_law_by_the_name(name: str, value: int) -> None:
    assert find_law(name, (8,)) == Constant(value)


def test_laws_of_integers_and_of_matrices() -> None:
    assert find_law("bn.num_batches_tracked", (), "int64") == Constant(0)
    assert find_law("embeddings.position_ids", (1, 512), "int64") == Arange(0, 1, 1, 512)
    assert find_law("embeddings.position_ids", (1, 512), "uint8") == Constant(0)  # 511 is too much
    assert find_law("mask", (4, 4), "bool") == Constant(0)
    assert isinstance(find_law("mixer.A_log", (8, 16)), LogArange)
    assert not isinstance(find_law("fc.weight", (8, 4)), Constant)
    assert find_law("fc.weight_scale_inv", (8, 4)) == Constant(1)
    assert find_law("a.bias", (8, 4)) == Constant(0)


def test_what_is_guessed_has_a_comment() -> None:
    text = derive_text(
        Model(tuple(make({"class_token": (8,), "w.weight": (8, 4), "x.1.weight": (4,)})))
    )
    assert (
        "class_token: {shape: [8], init: zeros}  # zeros? by its name, it may be anything\n" in text
    )
    assert "x.1.weight: {shape: [4], init: ones}  # a norm's? it has one axis\n" in text


def test_fans_are_those_of_one_projection() -> None:
    plan = plan_text(derive_list("gpt2"))
    assert plan["transformer.h.0.attn.c_attn.weight"].fans == (768, 768)
    assert plan["transformer.h.0.mlp.c_fc.weight"].fans == (768, 3072)
    assert plan["transformer.h.0.mlp.c_proj.weight"].fans == (3072, 768)
    assert plan["lm_head.weight"].fans == (768, 50257)
    merged = plan_text(derive_list("mixtral_8x7b_merged"))
    assert merged["model.layers.0.mlp.experts.gate_up_proj"].fans == (4096, 14336)
    assert merged["model.layers.0.mlp.experts.down_proj"].fans == (14336, 4096)
    net = plan_text(derive_list("efficientnet_b0"))
    assert net["features.2.0.block.1.0.weight"].fans == (9, 9)  # depthwise
    assert net["features.0.0.weight"].fans == (27, 288)
    keras = plan_text(derive_list("keras_nested"))
    assert keras["layers/functional/layers/conv2d_1/vars/0"].fans == (288, 576)
    assert keras["layers/functional/layers/depthwise_conv2d/vars/0"].fans == (9, 9)
    assert keras["layers/lstm/cell/vars/0"].fans == (64, 256)  # of one gate


def test_a_bias_shows_which_axis_is_the_output() -> None:
    plan = derive_tensors(
        make(
            {
                "a.weight": (8, 4), "a.bias": (8,),
                "b.kernel": (4, 8), "b.bias": (8,),
                "up.weight": (6, 3, 2, 2), "up.bias": (3,),
            }
        )
    )  # fmt: skip
    assert plan["a.weight"].fans == (4, 8)
    assert plan["b.kernel"].fans == (4, 8)
    assert plan["up.weight"].fans == (24, 12)  # a transposed convolution: in, out


def test_a_rule_matches_nothing_that_it_should_not() -> None:
    """*.1.weight would be a rule for the norms, but for a matrix in the middle of a range."""
    shapes: dict[str, tuple[int, ...]] = {f"net.{n}.weight": (8, 8) for n in range(4)}
    shapes |= {f"{name}.1.weight": (8,) for name in ("a", "b", "c")}
    shapes |= {"d.bias": (8,), "e.bias": (8,), "e.my_bias.weight": (8, 8), "unbias": (8, 8)}
    plan = derive_tensors(make(shapes))
    constants = {t.name for t in plan.tensors if isinstance(t.law, Constant)}
    assert constants == {"a.1.weight", "b.1.weight", "c.1.weight", "d.bias", "e.bias"}


def test_dtypes_that_differ_are_rules_or_keys() -> None:
    tensors = [
        NamedTensor(f"h.{n}.{part}", (64, 64), dtype)
        for n in range(3)
        for part, dtype in (
            ("a.weight", "float16"),
            ("b.weight", "float16"),
            ("c.weight", "float32"),
        )
    ]
    tensors.append(NamedTensor("ids", (3,), "int64"))
    derive_tensors(tensors)
    data = read(derive_text(Model(tuple(tensors))))
    assert data["defaults"]["dtype"] == "float16"
    assert data["tensors"]["h.{blocks}.c.weight"] == {"shape": [64, 64], "dtype": "float32"}
    assert data["tensors"]["ids"] == {"shape": [3], "init": "zeros", "dtype": "int64"}


def test_ties_take_the_index_of_their_names() -> None:
    tensors = make({f"enc.layers.{n}.fc.weight": (8, 4) for n in range(3)})
    tensors += [
        NamedTensor(f"dec.layers.{n}.fc.weight", (8, 4), "float32", f"enc.layers.{n}.fc.weight")
        for n in range(3)
    ]
    data = read(derive_text(Model(tuple(tensors))))
    assert data["tensors"]["dec.layers.{blocks}.fc.weight"] == {
        "tied": "enc.layers.{blocks}.fc.weight"
    }


def test_ties_that_no_spec_can_say_are_none() -> None:
    tensors = [
        NamedTensor("a", (8, 4), "float32"),
        NamedTensor("b", (8, 4), "float32", "c"),  # through c to a
        NamedTensor("c", (8, 4), "float32", "a"),
        NamedTensor("d", (4, 8), "float32", "a"),  # of another shape
        NamedTensor("e", (8, 4), "float32", "nothing"),
        NamedTensor("f", (8, 4), "float32", "g"),  # in a circle
        NamedTensor("g", (8, 4), "float32", "f"),
    ]
    derive_tensors(tensors)
    found = read(derive_text(Model(tuple(tensors))))["tensors"]
    ties = {name: keys for name, keys in found.items() if isinstance(keys, dict)}
    assert ties == {"b": {"tied": "a"}, "c": {"tied": "a"}}


def test_initializers_that_are_known_are_written() -> None:
    """The seam for measured laws: each tensor may bear its own."""
    init = {"type": "normal", "std": 0.5}
    tensors = [
        NamedTensor(f"h.{n}.w", (8, 4), "float32", init=init if n < 2 else "ones") for n in range(4)
    ]
    assert read(derive_text(Model(tuple(tensors))))["tensors"] == {
        "h.{2}.w": {"shape": [8, 4], "init": init},
        "h.{2,3}.w": {"shape": [8, 4], "init": "ones"},
    }


# --- Names of any kind -------------------------------------------------------------------------

HOSTILE = [
    "a{b}", "{", "}", "{}", "{{}}", "{0}", "{0..3}", "{x,y}", "h.0.{w}", "h.1.{w}", "h.{n}.w",
    "no", "yes", "null", "~", "true", "1e3", "0x10", "010", "1", "0", "12:30:45", "1_000", ".inf",
    "1.e3", "0o7", "<<", "=", "-", "- a", "? x", "a: b", "a #b", "#a", "&a", "*a", "!t", "@x",
    "`x", "%x", "'q'", '"q"', "\\", "|", ">", "a,b", "[ab]", "*", "?.weight", "a*b.weight",
    "a\nb", "a\r", "a\tb", "\x01\x1b[31m", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe", "\uffff",
    "\U0001f600", "é", " a", "a ", "", "a.", ".a", "x..0", ".", "..", "/", "//", "a.00", "a.01.w",
    "a.0.1.2.3.4.5.6.7.8.9", "a.18446744073709551616", "0.weight", "1.weight", "x" * 1024,
    "\x01" * 1000, "a.bias\n", "a.bias ",
]  # fmt: skip


def test_hostile_names_come_back() -> None:
    derive_tensors(make({name: (3, 4) for name in HOSTILE if name}))
    for name in HOSTILE:
        if name:
            derive_tensors(make({name: (3,)}))


PARTS = st.sampled_from(
    ["a", "b", "0", "1", "2", "3", "10", "weight", "bias", "norm", "layers", "experts", "{", "}",
     ",", "*", "?", " ", "\n", "_", "é"]
)  # fmt: skip
ANY_NAMES = st.lists(
    st.lists(PARTS, min_size=1, max_size=5).map(".".join), min_size=1, max_size=30, unique=True
)
ANY_SHAPES = st.sampled_from([(), (3,), (0, 4), (4, 4), (64, 64), (128, 64), (64, 1, 3, 3)])


@settings(max_examples=60, deadline=None)
@given(ANY_NAMES, st.data())
def test_any_names_shapes_and_dtypes_come_back(names: list[str], data: st.DataObject) -> None:
    derive_tensors(
        NamedTensor(name, data.draw(ANY_SHAPES), data.draw(st.sampled_from(sorted(DTYPES))))
        for name in names
    )


def test_nothing_of_nothing() -> None:
    assert derive_text(Model(())).endswith("tensors: {}\n")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a\0b",
            r'no spec can hold these tensors: tensors["a\x00b"]: the name of a tensor must not be '
            r'empty, hold a NUL or be __metadata__; got "a\u0000b"',
        ),
        ("x" * 1025, "no spec can hold these tensors: "),
        (".".join("x" * 65), "no spec can hold these tensors: "),
    ],
)
def test_a_name_that_no_spec_holds_is_told(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        derive_text(Model(tuple(make({name: (3,)}))))
    assert str(caught.value).startswith(message)


def test_names_without_anything_in_common_are_bounded() -> None:
    tensors = tuple(
        make(
            {
                f"{n:x}".translate({48 + d: 103 + d for d in range(10)}) + "y" * 1000: (3,)
                for n in range(4500)
            }
        )
    )
    with pytest.raises(InputError) as caught:
        derive_text(Model(tensors))
    assert str(caught.value) == (
        "the names of 4,500 tensors have too little in common: a spec of them would be over 4 MiB"
    )


# --- In Python ---------------------------------------------------------------------------------


def test_arrays_by_name() -> None:
    weights = {
        f"layers.{n}.fc.{part}": np.zeros(shape, "float16")
        for n in range(2)
        for part, shape in (("weight", (4, 6)), ("bias", (4,)))
    }
    derived = xavinit.derive(weights)
    assert str(derived) == derived.text
    assert derived.spec["tensors"] == {
        "layers.{blocks}.fc.weight": [4, 6],
        "layers.{blocks}.fc.bias": [4],
    }
    drawn = xavinit.draw(derived.spec)
    assert {n: (a.shape, a.dtype) for n, a in drawn.items()} == {
        n: (a.shape, a.dtype) for n, a in weights.items()
    }


class Described:
    """As jax.ShapeDtypeStruct, or a tensor on torch's meta device."""

    def __init__(self, shape: Any, dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype


class TorchDType:
    def __str__(self) -> str:
        return "torch.bfloat16"


def test_anything_with_a_shape_and_a_dtype() -> None:
    derived = xavinit.derive(
        {"w": Described([3, 4], np.float32), "v": Described((2, 2), TorchDType())}
    )
    assert list_tensors(xavinit.make_plan(derived.spec)) == {
        "w": ((3, 4), "float32"),
        "v": ((2, 2), "bfloat16"),
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"w": [1, 2]}, 'what is derived from must have a shape and a dtype; got [1, 2] for "w"'),
        ({3: np.zeros(2)}, "the name of a tensor must be a string; got 3"),
    ],
)
def test_what_is_no_tensor(source: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        xavinit.derive(source)
    assert str(caught.value) == message


def test_dtypes_that_cannot_be_drawn_are_all_named() -> None:
    source: dict[str, Any] = {f"q{n}": np.zeros((2, 2), "int8") for n in range(12)}
    source["w"] = np.zeros((2, 2), "float32")
    with pytest.raises(InputError) as caught:
        xavinit.derive(source)
    named = ", ".join(f'"q{n}" (int8)' for n in range(10))
    assert str(caught.value) == (
        f"12 tensors of dtypes that cannot be drawn: {named} and 2 more\n"
        "  hint: --skip-unknown (in Python skip_unknown=True) leaves them out"
    )
    derived = xavinit.derive(source, skip_unknown=True)
    assert derived.skipped == tuple(f"q{n}" for n in range(12))
    assert derived.spec["tensors"] == {"w": [2, 2]}
    assert f"# Left out, since their dtypes cannot be drawn: {named} and 2 more.\n" in derived.text


# --- The spec that a file of ours carries ------------------------------------------------------


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_carried_spec_is_the_same_in_yaml(path: Path) -> None:
    data = {"seed": 0, **load_document(path).data}
    text = write_canonical(data, ["a comment\nof one line"])
    assert text.startswith("# a comment\\nof one line\n")
    assert make_canonical(read(text)) == make_canonical(data)


def test_a_carried_spec_of_hostile_names_is_the_same() -> None:
    names = {name.replace("{", "{{").replace("}", "}}"): [3, 4] for name in HOSTILE if name}
    data: dict[str, Any] = {"seed": 2**64 - 1, "tensors": names, "dims": {"no": 3, "n": "no*1"}}
    data["defaults"] = {"init": {"type": "constant", "value": 1e-05}}
    assert read(write_canonical(data, [])) == data
