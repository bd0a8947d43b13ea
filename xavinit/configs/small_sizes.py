"""What each size of a configuration becomes in its tiny twin: the table of keys.

All widths become one width, all heads one width of a head, so that what must agree does: heads
divide widths, one tower fits the other. Rules stand by the last key alone; whether a class takes
what they make is tried (`shrinking.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

WIDTH = 64
HEAD = 16
HEADS = WIDTH // HEAD
KV_HEADS = 2
INNER = 128
EXPERT_INNER = 32
EXPERTS = 4
VOCAB = 1024
STATE = 16
RANK = 16
SMALL_DEPTH = 2  # of blocks in a stage

# Groups are tried together; where a class refuses one, the others are tried without it.
GROUPS = ("layers", "width", "inner", "experts", "vocab", "state", "other")


class Change(Struct, frozen=True):
    """A new value for a key; `path` leads to it."""

    path: tuple[str, ...]
    value: Any
    group: str


_WIDTHS = (
    r"hidden_size|d_model|n_embd|dim|embed_dim|hidden_dim|model_dim|width|embedding_size"
    r"|word_embed_proj_dim|attention_hidden_size|emb_dim|embedding_dim|d_embed|d_hidden"
    r"|(\w+_)?hidden_size|(\w+_)?embed_dim|(\w+_)?d_model|(\w+_)?embedding_size|(\w+_)?hidden_dim"
    r"|projection_dim|(\w+_)?projection_dim|(\w+_)?lru_width|backbone_dim|qk_hidden_dim|out_hidden_size"
)
_HEADS = (
    r"num_attention_heads|n_heads?|num_heads|(\w+_)?attention_heads|(\w+_)?num_attention_heads"
    r"|(\w+_)?num_heads|(\w+_)?n_heads?|attention_heads|heads"
)
_KV_HEADS = r"(\w+_)?(num_key_value_heads|num_kv_heads|n_kv_heads?|kv_heads|n_head_kv|kv_n_heads)"
_HEAD = (
    r"head_dim|d_kv|(\w+_)?head_dim|d_head|attention_head_dim|kv_channels|head_size|(\w+_)?d_head"
    r"|head_width|(\w+_)?head_size|attention_head_size"
)
_INNER = (
    r"(\w+_)?intermediate_size|n_inner|d_ff|ffn_dim|(\w+_)?ffn_dim|ffn_hidden_size|d_inner"
    r"|intermediate_dim|(\w+_)?mlp_dim|mlp_hidden_size|(\w+_)?feedforward_dim|dim_feedforward"
    r"|(\w+_)?ff_dim|block_ff_dim|inner_dim|hidden_act_dim"
)
_EXPERT_INNER = r"moe_(\w+_)?(intermediate_size|hidden_size)|expert_(ffn_hidden|intermediate)_size|(\w*expert\w*)_intermediate_size|moe_dim|expert_dim"
_EXPERTS = (
    r"num_local_experts|n_routed_experts|num_experts|moe_num_experts|num_routed_experts|(\w+_)?num_experts"
    r"|n_experts"
)
_TOP = r"num_experts_per_tok|top_k_experts|moe_topk?|moe_top_k|num_selected_experts|moe_k|num_experts_per_token|top_k|experts_per_token"
_STATE = r"state_size|d_state|(\w+_)?d_state|ssm_state_size|(\w+_)?state_size|mamba_state_dim"
_RANKS = r"q_lora_rank|kv_lora_rank|o_lora_rank|(\w+_)?lora_rank|time_step_rank|(\w+_)?dt_rank|(\w+_)?lora_dim"
LAYERS = (
    r"num_hidden_layers|n_layers?|num_layers|(\w+_)?encoder_layers|(\w+_)?decoder_layers"
    r"|num_(\w+_)?layers|(\w+_)?depth|num_blocks|(\w+_)?num_hidden_layers|n_blocks|layers"
)
_STAGES = r"depths|num_blocks|layer_depths|encoder_depths|stage_depths|(\w+_)?depths|num_layers"
_TOKEN = re.compile(r"(token_id|token_ids|token_index|token_idx|_id|eos_token|tokens)\Z")


def list_changes(data: Mapping[str, Any], stacks: Mapping[int, int]) -> list[Change]:
    """The changes that make a configuration small. `stacks` gives for a number of blocks the
    number of first ones that have each kind among them.
    """
    changes: list[Change] = []
    _walk(data, (), data, stacks, changes)
    ids = _change_tokens(data)
    return changes + ids


def _walk(
    data: Mapping[str, Any],
    path: tuple[str, ...],
    top: Mapping[str, Any],
    stacks: Mapping[int, int],
    changes: list[Change],
) -> None:
    small = _Small(data)
    layers = {
        value
        for key, value in data.items()
        if re.fullmatch(LAYERS, key) and _is_size(value)
    }
    for key, value in data.items():
        here = (*path, key)
        if isinstance(value, Mapping):
            if key in ("rope_parameters", "rope_scaling"):
                changes += small.change_rope(here, value)
            elif key not in ("id2label", "label2id", "pruned_heads", "task_specific_params"):
                _walk(value, here, top, stacks, changes)
            continue
        found = small.change(key, value, layers, stacks)
        if found is not None and found[1] != value:
            changes.append(Change(here, found[1], found[0]))


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class _Small:
    """The small sizes of one configuration, or of a tower's inside it."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._widths = {
            value for key, value in data.items() if _is_size(value) and re.fullmatch(_WIDTHS, key)
        }
        self.width = self._get("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "hidden_dim")
        self._heads = self._get("num_attention_heads", "n_head", "n_heads", "num_heads",
                                "encoder_attention_heads")
        self._kv_heads = self._get("num_key_value_heads", "num_kv_heads", "n_kv_heads")

    def _get(self, *keys: str) -> int | None:
        for key in keys:
            value = self._data.get(key)
            if _is_size(value):
                return int(value)
        return None

    def change(
        self, key: str, value: Any, layers: set[int], stacks: Mapping[int, int]
    ) -> tuple[str, Any] | None:
        """The group and the new value of a key, or None where it stays."""
        if isinstance(value, list):
            return self._change_list(key, value, layers, stacks)
        if not _is_size(value):
            return None
        rules: tuple[tuple[str, str, Callable[[int], int]], ...] = (
            (r"first_k_dense_replace|num_dense_layers|moe_layer_start_index", "layers",
             lambda v: min(v, 1)),
            (LAYERS, "layers", lambda v: min(v, max(stacks.get(v, 0), SMALL_DEPTH))),
            (_KV_HEADS, "width", self._shrink_kv),
            (r"(\w+_)?num_key_heads", "width", lambda v: min(v, KV_HEADS)),
            (r"(\w+_)?num_value_heads", "width", lambda v: min(v, HEADS)),
            (_HEADS, "width", lambda v: self._shrink_heads(key, v)),
            (r"qk_head_dim", "width", lambda v: 2 * HEAD),
            (r"qk_nope_head_dim|qk_rope_head_dim|v_head_dim|rotary_dim|" + _HEAD, "width",
             lambda v: min(v, HEAD)),
            (_EXPERT_INNER, "inner", lambda v: min(v, EXPERT_INNER)),
            (_INNER, "inner", self._shrink_inner),
            (_RANKS, "width", lambda v: min(v, RANK)),
            (_EXPERTS, "experts", lambda v: min(v, EXPERTS)),
            (_TOP, "experts", lambda v: min(v, 2)),
            (r"n_group", "experts", lambda v: min(v, 2)),
            (r"topk_group", "experts", lambda v: 1),
            (r"(\w*mamba\w*_)?n_?groups", "width", lambda v: min(v, 2)),
            (_STATE, "state", lambda v: min(v, STATE)),
            (r"(\w+_)?vocab_size(_per_layer_input)?", "vocab",
             lambda v: min(v, VOCAB) if "type" not in key else v),
            (_WIDTHS, "width", lambda v: min(v, self._small_width())),
            (r"(\w+_)?(dim|width|size|channels)", "other",
             lambda v: WIDTH if v in self._widths and v > WIDTH else v),
        )  # fmt: skip
        for pattern, group, shrink in rules:
            if re.fullmatch(pattern, key):
                return group, shrink(value)
        return None

    def _small_width(self) -> int:
        """The width; that of a model in stages is one of heads that grow in number."""
        heads = self._data.get("num_heads") or self._data.get("num_attention_heads")
        if isinstance(heads, list) and heads and all(map(_is_size, heads)):
            return int(heads[0]) * 8
        return WIDTH

    def _shrink_heads(self, key: str, value: int) -> int:
        expand = self._data.get("expand") or self._data.get("mamba_expand")
        prefix = "mamba_" if "mamba" in key else ""
        head = self._data.get(f"{prefix}head_dim") or self._data.get("mamba_d_head")
        if isinstance(expand, int | float) and self.width and isinstance(head, int):
            if value * head == expand * self.width and "attention" not in key:
                return int(expand * WIDTH) // HEAD
        return min(value, HEADS)

    def _shrink_kv(self, value: int) -> int:
        if value == 1 or self._heads is None:
            return value
        return min(value, HEADS if value == self._heads else KV_HEADS)

    def _shrink_inner(self, value: int) -> int:
        if self.width and value % self.width == 0 and value // self.width <= 4:
            return min(value, value // self.width * WIDTH)
        return min(value, INNER)

    def _change_list(
        self, key: str, value: list[Any], layers: set[int], stacks: Mapping[int, int]
    ) -> tuple[str, Any] | None:
        count = len(value)
        if re.fullmatch(_STAGES, key) and value and all(map(_is_size, value)):
            return "layers", [min(size, SMALL_DEPTH) for size in value]
        if key in ("mrope_section",) and all(map(_is_size, value)):
            return "width", scale_sections(value, HEAD // 2)
        if key in ("out_features", "stage_names") and all(isinstance(v, str) for v in value):
            return "layers", self._cut_stages(value, layers, stacks)
        if key == "out_indices" and layers and all(map(_is_size, value)):
            small = self._count_blocks(layers, stacks)
            return "layers", list(dict.fromkeys(min(v, small) for v in value))
        if count in layers and count > SMALL_DEPTH:
            return "layers", value[: max(stacks.get(count, 0), SMALL_DEPTH)]
        if value and all(isinstance(v, int) and not isinstance(v, bool) for v in value):
            if re.search(r"index|indices|idx|_layers\Z|layers_idx", key):
                if not layers or "out_" in key:
                    return None
                small = self._count_blocks(layers, stacks)
                kept = [v for v in value if v < small]
                return "layers", kept or [small - 1]
            if re.search(r"hidden_sizes|embed_dims?|channels|widths?|dims?\Z|_dim\Z|sizes\Z", key):
                return "width", scale_widths(value)
            if re.fullmatch(_EXPERTS, key):
                return "experts", [min(v, EXPERTS) for v in value]
        return None

    def _count_blocks(self, layers: set[int], stacks: Mapping[int, int]) -> int:
        count = max(layers)
        return min(count, max(stacks.get(count, 0), SMALL_DEPTH))

    def _cut_stages(
        self, names: list[str], layers: set[int], stacks: Mapping[int, int]
    ) -> list[str]:
        """The stages that a backbone gives, where each block is one: those beyond, the last."""
        if not layers:
            return names
        small = self._count_blocks(layers, stacks)
        cut = (
            f"stage{min(int(name[5:]), small)}" if re.fullmatch(r"stage\d+", name) else name
            for name in names
        )
        return list(dict.fromkeys(cut))

    def change_rope(self, path: tuple[str, ...], rope: Mapping[str, Any]) -> list[Change]:
        """What a table of positions has a number for each pair of a head for."""
        changes = []
        for key, value in rope.items():
            here = (*path, key)
            if isinstance(value, Mapping):
                changes += self.change_rope(here, value)
            elif key in ("short_factor", "long_factor") and isinstance(value, list):
                factor = rope.get("partial_rotary_factor", self._data.get("partial_rotary_factor"))
                count = int(HEAD * (factor if isinstance(factor, int | float) else 1)) // 2
                changes.append(Change(here, value[:count], "width"))
            elif key == "mrope_section" and isinstance(value, list) and all(map(_is_size, value)):
                changes.append(Change(here, scale_sections(value, HEAD // 2), "width"))
        return changes


def scale_sections(sections: list[int], total: int) -> list[int]:
    """Sections in about the same shares, each at least 1, of another total.

    >>> scale_sections([16, 24, 24], 8)
    [2, 3, 3]
    """
    whole = sum(sections)
    made = [max(section * total // whole, 1) for section in sections]
    made[-1] += total - sum(made)
    return made


def scale_widths(widths: list[int]) -> list[int]:
    """Widths of stages, divided by one power of two.

    >>> scale_widths([32, 64, 160, 256]), scale_widths([512, 512])
    ([8, 16, 40, 64], [32, 32])
    """
    common = math.gcd(*widths)
    divisor = next(
        (d for d in (64, 32, 16, 8, 4, 2) if common % d == 0 and min(widths) // d >= 8), 1
    )
    return [width // divisor for width in widths]


def _change_tokens(data: Mapping[str, Any]) -> list[Change]:
    """Ids of special tokens that a small vocabulary has no place for: its last ones, each its own."""
    found: list[tuple[tuple[str, ...], Any]] = []

    def visit(data: Mapping[str, Any], path: tuple[str, ...]) -> None:
        for key, value in data.items():
            if isinstance(value, Mapping):
                visit(value, (*path, key))
            elif _TOKEN.search(key) and "type" not in key:
                found.append(((*path, key), value))

    visit(data, ())
    ids = sorted(
        {
            number
            for _, value in found
            for number in (value if isinstance(value, list) else [value])
            if _is_size(number) and number >= VOCAB
        }
    )
    if not ids or len(ids) > VOCAB // 2:
        places = dict.fromkeys(ids, VOCAB - 1)
    else:
        places = {number: VOCAB - len(ids) + rank for rank, number in enumerate(ids)}
    changes = []
    for path, value in found:
        if isinstance(value, list):
            new: Any = [places.get(v, v) if isinstance(v, int) else v for v in value]
        else:
            new = places.get(value, value) if isinstance(value, int) else value
        if new != value:
            changes.append(Change(path, new, "vocab"))
    return changes
