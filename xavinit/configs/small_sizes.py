"""What each size of a configuration becomes in its tiny twin: the table of keys.

All widths become one width and all heads one width of a head, so that what must agree does: heads
divide widths, one tower fits the other. A rule stands by the last key alone; whether a class takes
what they make is tried (`shrinking.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

INNER = 128
EXPERT_INNER = 32
EXPERTS = 4
ACTIVE_EXPERTS = 2
VOCAB = 1024
STATE = 16
RANK = 16
DEPTH = 2  # of blocks, where one of each kind is not more

# Changes of a group are tried together; where a class refuses one, the others are tried without.
GROUPS = ("layers", "width", "stages", "inner", "experts", "vocab", "state", "other")

# Keys by what they count, each a whole key.
LAYERS = re.compile(
    r"(\w+_)?(num_hidden_layers|n_layers?|num_layers|encoder_layers|decoder_layers|depth)"
    r"|num_(\w+_)?layers|num_blocks|n_blocks|layers"
)
DENSE = re.compile(r"first_k_dense_replace|num_dense_layers|moe_layer_start_index")
STAGES = re.compile(r"num_blocks|num_layers|(\w+_)?depths")
WIDTHS = re.compile(
    r"(\w+_)?(hidden_size|d_model|embed_dim|embedding_size|hidden_dim|projection_dim|lru_width)"
    r"|n_embd|dim|model_dim|width|emb_dim|embedding_dim|d_embed|d_hidden|backbone_dim"
    r"|word_embed_proj_dim|qk_hidden_dim"
)
HEADS = re.compile(r"(\w+_)?(attention_heads|num_attention_heads|num_heads|n_heads?)|heads")
KV_HEADS = re.compile(
    r"(\w+_)?(num_key_value_heads|num_kv_heads|n_kv_heads?|kv_heads)|n_head_kv|kv_n_heads"
)
KEY_HEADS = re.compile(r"(\w+_)?num_key_heads")
VALUE_HEADS = re.compile(r"(\w+_)?num_value_heads")
HEAD = re.compile(r"(\w+_)?(head_?dim|d_head|head_size)|d_kv|kv_channels|head_width|rotary_dim")
SUMS = re.compile(r"qk_head_dim")
INNERS = re.compile(
    r"(\w+_)?(intermediate_size|ffn_dim|mlp_dim|feedforward_dim|ff_dim)|n_inner|d_ff|d_inner"
    r"|ffn_hidden_size|intermediate_dim|mlp_hidden_size|dim_feedforward|inner_dim"
)
EXPERT_INNERS = re.compile(
    r"moe_(\w+_)?(intermediate_size|hidden_size|dim)|\w*expert\w*_(intermediate_size|dim)"
    r"|expert_ffn_hidden_size"
)
RANKS = re.compile(r"(\w+_)?(lora_rank|dt_rank|lora_dim)|time_step_rank")
COUNTED_EXPERTS = re.compile(r"(\w+_)?(num_experts|num_local_experts)|n_routed_experts|n_experts"
                             r"|num_routed_experts")  # fmt: skip
CHOSEN_EXPERTS = re.compile(
    r"num_experts_per_tok(en)?|top_k(_experts)?|moe_top_?k|num_selected_experts|moe_k"
    r"|experts_per_token"
)
STATES = re.compile(r"(\w+_)?(state_size|d_state)|mamba_state_dim")
VOCABS = re.compile(r"((?!type_)\w+_)?vocab_size(_per_layer_input)?")
GROUP_COUNTS = re.compile(r"(\w*mamba\w*_)?n_?groups")
ANY_WIDTH = re.compile(r"(\w+_)?(dim|width|size|channels)")
WIDTH_LISTS = re.compile(r"\w*(hidden_sizes|embed_dims?|channels|widths?|dims?|sizes)")
INDEX_LISTS = re.compile(r"\w*(index|indices|idx|indexes|idxs|_layers)")


class Change(Struct, frozen=True):
    """A new value for a key, which `path` leads to; None takes the key away."""

    path: tuple[str, ...]
    value: object
    group: str


class Scale(Struct, frozen=True):
    """How small: the heads of an attention, and the width of each; 0 keeps that of the model."""

    heads: int = 4
    kv_heads: int = 2
    head: int = 16


# A class that knows the width of its heads by other ways than the configuration keeps it.
SCALES = (Scale(), Scale(heads=2, kv_heads=1, head=0))


def is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class Tower:
    """The small sizes of one configuration, or of a part of it that is one itself."""

    def __init__(
        self,
        data: Mapping[str, object],
        scale: Scale,
        kinds: Mapping[int, int],
        widths: frozenset[int],
    ) -> None:
        self._data = data
        self._scale = scale
        self._kinds = kinds
        self._known = widths  # all widths of the model
        self.width = self._get("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "hidden_dim",
                               "width")  # fmt: skip
        self._heads = self._get("num_attention_heads", "n_head", "n_heads", "num_heads",
                                "encoder_attention_heads")  # fmt: skip
        own = self._get("head_dim", "d_kv")
        if own is None and self.width and self._heads:
            own = self.width // self._heads
        self.head = scale.head or min(own or 16, 256)
        self.small_width = scale.heads * self.head
        self.layers = {
            value for key, value in data.items() if isinstance(value, int) and LAYERS.fullmatch(key)
        } - {0}

    def _get(self, *keys: str) -> int | None:
        for key in keys:
            value = self._data.get(key)
            if isinstance(value, int) and is_size(value):
                return value
        return None

    def count_blocks(self, count: int) -> int:
        """How many blocks are left of so many: at least one of each kind."""
        return min(count, max(self._kinds.get(count, 0), DEPTH))

    def shrink(self, key: str, value: int) -> tuple[str, int] | None:
        """The group and the small value of a size, or None where no rule is for it."""
        rules: tuple[tuple[re.Pattern[str], str, Callable[[], int]], ...] = (
            (DENSE, "layers", lambda: min(value, 1)),
            (LAYERS, "layers", lambda: self.count_blocks(value)),
            (KV_HEADS, "width", lambda: self._shrink_kv(value)),
            (KEY_HEADS, "width", lambda: min(value, self._scale.kv_heads)),
            (VALUE_HEADS, "width", lambda: min(value, self._scale.heads)),
            (HEADS, "width", lambda: self._shrink_heads(key, value)),
            (SUMS, "width", lambda: 2 * self.head if self._scale.head else value),
            (HEAD, "width", lambda: self._shrink_head(value)),
            (EXPERT_INNERS, "inner", lambda: min(value, EXPERT_INNER)),
            (INNERS, "inner", lambda: self._shrink_inner(value)),
            (RANKS, "width", lambda: min(value, RANK)),
            (COUNTED_EXPERTS, "experts", lambda: min(value, EXPERTS)),
            (CHOSEN_EXPERTS, "experts", lambda: min(value, ACTIVE_EXPERTS)),
            (re.compile("n_group"), "experts", lambda: min(value, 2)),
            (re.compile("topk_group"), "experts", lambda: 1),
            (GROUP_COUNTS, "width", lambda: min(value, 2)),
            (STATES, "state", lambda: min(value, STATE)),
            (VOCABS, "vocab", lambda: min(value, VOCAB)),
            (WIDTHS, "width", lambda: self._shrink_width(value)),
            (ANY_WIDTH, "other", lambda: self._shrink_other(value)),
        )
        for pattern, group, small in rules:
            if pattern.fullmatch(key):
                return group, small()
        return None

    def _shrink_width(self, value: int) -> int:
        heads = self._data.get("num_heads") or self._data.get("num_attention_heads")
        if isinstance(heads, list) and heads and all(map(is_size, heads)):
            return min(value, int(heads[0]) * 8)  # of stages, whose heads grow in number
        times = value // self.width if self.width and value % self.width == 0 else 1
        return min(value, self.small_width * min(times, 4))

    def _shrink_heads(self, key: str, value: int) -> int:
        """The heads of an attention; those of a mixer are as many as its inner width holds."""
        expand = self._data.get("expand") or self._data.get("mamba_expand")
        prefix = "mamba_" if "mamba" in key else ""
        head = self._data.get(f"{prefix}head_dim") or self._data.get("mamba_d_head")
        few = min(value, self._scale.heads)
        if not isinstance(expand, int | float) or not isinstance(head, int) or not self.width:
            return few
        is_mixer = "attention" not in key and value * head == expand * self.width
        return max(int(expand * self.small_width) // self.head, 1) if is_mixer else few

    def _shrink_kv(self, value: int) -> int:
        if value == 1 or self._heads is None:
            return value
        return min(value, self._scale.heads if value == self._heads else self._scale.kv_heads)

    def _shrink_head(self, value: int) -> int:
        if not self._scale.head:
            return value
        whole = value * (self._heads or 0)
        if self.width and whole in (2 * self.width, 4 * self.width) and whole in self._known:
            return whole // self.width * self.head  # an attention that is wider than the rest
        return min(value, self.head)

    def _shrink_inner(self, value: int) -> int:
        if self.width and value % self.width == 0 and value // self.width <= 4:
            return min(value, value // self.width * self.small_width)
        return min(value, INNER)

    def _shrink_other(self, value: int) -> int:
        return self.small_width if value in self._known and value > self.small_width else value
