"""How the axes of a weight count in its fans: layouts, fused projections, depthwise, experts.

Shapes alone never decide this. A bias beside a weight shows which axis is the output; the rest is
told by names, and marked as a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from xavinit.deriving.values import Family
from xavinit.deriving.words import Words, split_words

Shape = tuple[int, ...]


class AxisGuess(Struct, frozen=True):
    """The keys that a spec gives for a family's axes, and what a comment says of each.

    What it says under no key stands in any case. `out` and `into` are the axes of outputs and
    inputs, None where there is no one such axis.
    """

    keys: Mapping[str, Any] = {}
    notes: Mapping[str, str] = {}
    out: int | None = None
    into: int | None = None

    def has_fans(self, rank: int) -> bool:
        """Has a tensor of this rank fans, so that a spec can take an initializer by them?"""
        return "out_axis" in self.keys or rank - ("batch_axis" in self.keys) > 1


NO_GUESS = AxisGuess()

_FUSED = (  # module, how many blocks its out axis holds, in whose place
    (r"c_attn|qkv|qkv_proj|query_key_value|[Ww]qkv|to_qkv|in_proj_qkv", r"", 3),
    (r"in_proj", r"attn|attention", 3),
    (r"gate_up_proj|gate_and_up_proj|w13", r"", 2),
    (r"kv|kv_proj|key_value|to_kv", r"", 2),
    (r"in_proj", r"mixer|mamba", 2),
)
_SAID = {
    r"c_attn|in_proj|.*qkv.*|query_key_value": "query, key, value in one?",
    r"kv.*|.*_kv|key_value": "key, value in one?",
    r"gate.*|w13": "gate, up in one?",
}
_EMBEDDING = re.compile(
    r"(.*[._])?(wte|wpe|shared|embed\w*|\w*embedding\w*|\w*embeddings?|lm_head)\Z", re.I
)
_TRANSPOSED = re.compile(r"transpose|deconv|upconv|ConvTr", re.I)


def find_bias_name(name: str) -> str | None:
    """What the bias beside a weight is called."""
    for weight, bias in (
        ("weight", "bias"),
        ("kernel", "bias"),
        ("kernel:0", "bias:0"),
        ("vars/0", "vars/1"),
        (".w", ".b"),
    ):
        if name.endswith(weight):
            return name.removesuffix(weight) + bias
    return None


def find_axes(
    families: Sequence[Family], shapes: Mapping[str, Shape], layout: str | None
) -> list[AxisGuess]:
    """The axes of each family; `shapes` are those of all tensors by name."""
    words = [split_words(family.first) for family in families]
    votes = [_vote(family, shapes) for family in families]
    # A square weight has the layout of the others, where they have one.
    told = {vote for vote in votes if vote in ("out_in", "in_out")}
    common = layout or (told.pop() if len(told) == 1 else None)
    outs: set[int] = set()  # sizes that the weights so far put out
    found = []
    for family, word, vote in zip(families, words, votes, strict=True):
        guess = _find_axes(family, word, vote, common, shapes, outs, is_told=layout is not None)
        if guess.out is not None:
            outs.add(family.shape[guess.out])
        found.append(guess)
    return found


def _vote(family: Family, shapes: Mapping[str, Shape]) -> str | None:
    """What the bias beside a weight says of its layout."""
    shape = family.shape
    if len(shape) < 2 or len(set(shape)) < 2:
        return None
    name = find_bias_name(family.first)
    bias = shapes.get(name) if name is not None else None
    if bias is None or len(bias) != 1:
        return None
    size = bias[0]
    ends = (size == shape[0], size == shape[-1])
    if ends == (True, False):
        return "out_in"
    if ends == (False, True):
        return "in_out"
    if ends == (False, False) and len(shape) > 2 and size == shape[1]:
        return "transposed"
    return None


def _find_axes(
    family: Family,
    words: Words,
    vote: str | None,
    common: str | None,
    shapes: Mapping[str, Shape],
    outs: set[int],
    *,
    is_told: bool,
) -> AxisGuess:
    shape = family.shape
    if len(shape) < 2 or family.tied is not None:
        return NO_GUESS
    if len(shape) == 3 and "expert" in words.path and "shared" not in words.path:
        return _find_experts(family, words, shapes)
    if _EMBEDDING.match(words.path) and len(shape) == 2:
        is_last = common == "in_out" and is_told
        keys: dict[str, Any] = {"layout": "in_out"} if is_last else {}
        return AxisGuess(keys, {}, *((1, 0) if keys else (0, 1)))
    is_kernel = words.part == "kernel" or (is_told and common == "in_out")
    is_first = vote == "out_in" or not (vote == "in_out" or is_kernel)
    said = "" if is_kernel else "(in, out), as the biases show"
    if vote is None and not is_kernel and common == "in_out" and _has_bias(family, shapes):
        is_first, said = False, "(in, out), as the others? it is square"
    if len(shape) > 2 and (depthwise := _find_depthwise(family, words, is_first, outs)):
        return depthwise
    if vote == "transposed" or (len(shape) > 2 and is_first and _TRANSPOSED.search(words.path)):
        keys = {"in_axis": 0, "out_axis": 1}
        said = "transposed" if vote else "transposed? by its name"
        return AxisGuess(keys, {"in_axis": said}, 1, 0)
    keys = {} if is_first else {"layout": "in_out"}
    notes = {"layout": said} if keys and said else {}
    out, into = (0, 1) if is_first else (len(shape) - 1, len(shape) - 2)
    fused, said = _find_fused(family, words, shapes, shape[out], shape[into])
    if fused > 1:
        keys = {**keys, "fused": fused}
    if said:
        notes = {**notes, "fused" if fused > 1 else "": said}
    return AxisGuess(keys, notes, out, into)


def _has_bias(family: Family, shapes: Mapping[str, Shape]) -> bool:
    return find_bias_name(family.first) in shapes


def _find_fused(
    family: Family, words: Words, shapes: Mapping[str, Shape], out: int, into: int
) -> tuple[int, str]:
    if len(family.shape) > 2:
        return 1, ""
    if re.fullmatch(r"weight_(ih|hh)(_l\d+(_reverse)?)?", words.module):
        gates = 4 if "lstm" in words.inside.lower() else 3 if "gru" in words.inside.lower() else 0
        recurrent = shapes.get(family.first.replace("weight_ih", "weight_hh"), (0, 1))
        if recurrent[0] == out and out in (3 * recurrent[-1], 4 * recurrent[-1]):
            gates = out // recurrent[-1]
        if gates and out % gates == 0:
            return gates, f"{gates} gates in one?"
    is_cell = words.variable is not None or words.module in ("lstm_cell", "gru_cell")  # Keras's
    if is_cell and re.search(r"(^|[._])(lstm|gru)(_\d+)?([._]|$)", words.path):
        gates = 4 if "lstm" in words.path else 3
        return (gates, f"{gates} gates in one?") if out % gates == 0 else (1, "")
    for module, place, count in _FUSED:
        if re.fullmatch(module, words.module) and re.search(place, words.inside):
            said = next((s for m, s in _SAID.items() if re.fullmatch(m, words.module)), "")
            if words.module == "in_proj" and count == 2:
                inner = shapes.get(family.first.replace("in_proj", "out_proj"), (0,))[-1]
                return (2, "two in one?") if out == 2 * inner else (1, "")
            if count == 3 and out != 3 * into:  # grouped heads: blocks of unequal sizes
                return 1, said
            return (count, said) if out % count == 0 else (1, said)
    return 1, ""


def _find_depthwise(
    family: Family, words: Words, is_first: bool, outs: set[int]
) -> AxisGuess | None:
    """A convolution each of whose outputs sees one channel."""
    shape = family.shape
    channels = shape[0] if is_first else shape[-2]
    if shape[1 if is_first else -1] != 1 or channels < 2:
        return None
    if all(size == 1 for size in (shape[2:] if is_first else shape[:-2])):
        return None
    is_named = re.search(r"depthwise|dwconv|conv1d", words.path) is not None
    if not is_named and channels not in outs:
        return None
    if is_first:
        keys: dict[str, Any] = {"batch_axis": 0, "in_axis": [], "out_axis": 1}
        return AxisGuess(keys, {"in_axis": "depthwise?"}, 0)
    rank = len(shape)
    keys = {"batch_axis": rank - 2, "in_axis": [], "out_axis": rank - 1}
    return AxisGuess(keys, {"in_axis": "depthwise?"}, rank - 2)


def _find_experts(family: Family, words: Words, shapes: Mapping[str, Shape]) -> AxisGuess:
    """All experts of a block in one tensor: the first axis counts them.

    gate and up have more rows than a projection's inputs only in PyTorch's order; where a bias lies
    beside it, that shows the outputs.
    """
    shape = family.shape
    bias = shapes.get(f"{family.first}_bias")
    is_first = True
    if bias is not None and len(bias) == 2 and shape[1] != shape[2]:
        is_first = bias[1] == shape[1]
    keys: dict[str, Any] = {"batch_axis": 0}
    if not is_first:
        keys["layout"] = "in_out"
    out, into = (1, 2) if is_first else (2, 1)
    fused, said = 1, "experts along the first axis?"
    if re.fullmatch(r"gate_up_proj|w13", words.module) and shape[out] % 2 == 0:
        fused, said = 2, "experts along the first axis? gate, up in one?"
    if fused > 1:
        keys["fused"] = fused
    return AxisGuess(keys, {"batch_axis": said}, out, into)
