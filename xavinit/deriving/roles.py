"""What the sizes of a tensor are, by its name: the table of roles.

A role is a dim of the spec to be. Where a model has it in several sizes, as an encoder and a
decoder of different widths, each has its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from xavinit.deriving.words import Words

# Keys of configurations for a role; the first is the usual one.
KEYS: dict[str, tuple[str, ...]] = {
    "vocab": ("vocab_size",),
    "ctx": ("max_position_embeddings", "n_positions", "n_ctx", "max_source_positions",
            "max_target_positions", "max_seq_len"),
    "types": ("type_vocab_size",),
    "d": ("hidden_size", "d_model", "n_embd", "dim", "hidden_dim", "model_dim", "width"),
    "blocks": ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers",
               "decoder_layers", "num_decoder_layers", "depth"),
    "dense": ("first_k_dense_replace",),
    "heads": ("num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads",
              "decoder_attention_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "n_kv_heads"),
    "head": ("head_dim", "d_kv", "attention_head_dim"),
    "ff": ("intermediate_size", "n_inner", "d_ff", "ffn_dim", "encoder_ffn_dim",
           "decoder_ffn_dim", "ffn_hidden_size"),
    "experts": ("num_local_experts", "n_routed_experts", "num_experts"),
    "moe_ff": ("moe_intermediate_size",),
    "shared_ff": ("shared_expert_intermediate_size",),
    "q_lora": ("q_lora_rank",),
    "kv_lora": ("kv_lora_rank",),
    "rope": ("qk_rope_head_dim",),
    "nope": ("qk_nope_head_dim",),
    "v_head": ("v_head_dim",),
    "inner": ("intermediate_size", "d_inner"),
    "state": ("state_size", "d_state", "mamba_d_state", "ssm_state_size"),
    "dt_rank": ("time_step_rank", "mamba_dt_rank"),
    "kernel": ("conv_kernel", "mamba_d_conv", "d_conv"),
    "patch": ("patch_size",),
    "channels": ("num_channels",),
    "classes": ("num_labels", "num_classes"),
    "projection": ("projection_dim",),
    "buckets": ("relative_attention_num_buckets",),
    "mels": ("num_mel_bins",),
}  # fmt: skip

# What a comment says of a dim that no configuration names; in the order in which dims stand.
MEANINGS: dict[str, str] = {
    "vocab": "tokens",
    "ctx": "positions",
    "types": "token types",
    "d": "width",
    "emb": "width of an embedding",
    "w": "the unit of channels",
    "hidden": "hidden width",
    "blocks": "",
    "last": "the last of them",
    "dense": "blocks without experts",
    "heads": "",
    "kv_heads": "",
    "head": "width of a head",
    "nope": "part of a head without positions",
    "rope": "part of a head with positions",
    "v_head": "width of a head's values",
    "q": "queries",
    "kv": "keys and values",
    "q_b": "queries of all heads",
    "kv_b": "keys and values of all heads",
    "attn": "values of all heads",
    "context": "width of what is attended to",
    "buckets": "of relative positions",
    "q_lora": "rank of the queries",
    "kv_lora": "rank of keys and values",
    "ff": "inner width",
    "experts": "",
    "moe_ff": "inner width of an expert",
    "shared_ff": "inner width of the shared experts",
    "inner": "inner width of a mixer",
    "state": "",
    "dt_rank": "",
    "kernel": "",
    "channels": "",
    "patch": "side of a patch",
    "mels": "bins of a spectrogram",
    "rank": "of an adapter",
    "projection": "",
    "classes": "",
}

# How a role follows from others. The first that holds is taken; where it is more than a name, the
# roles in INLINE have no dim of their own.
FORMS: dict[str, tuple[str, ...]] = {
    "head": ("d // heads",),
    "q": ("heads*head", "heads*(nope + rope)", "d"),
    "kv": ("kv_heads*head", "q", "d"),
    "context": ("d",),
    "q_b": ("heads*(nope + rope)",),
    "kv_a": ("kv_lora + rope",),
    "kv_b": ("heads*(nope + v_head)",),
    "attn": ("q", "heads*v_head", "heads*head", "d"),
    "qkv": ("3*d", "3*q", "q + 2*kv", "(heads + 2*kv_heads)*head"),
    "pool": ("d",),
    "emb": ("d",),
    "moe_ff": ("ff",),
    "shared_ff": ("moe_ff", "2*moe_ff", "ff"),
    "x": ("dt_rank + 2*state",),
    "xz": ("2*inner",),
    "projection": ("d",),
    "classes": ("vocab",),
}
INLINE = frozenset(("q", "kv", "q_b", "kv_a", "kv_b", "attn", "qkv", "pool", "x", "xz"))
# A form that only a configuration, or the width of a head, gives reason for.
BY_HEADS = frozenset(("q", "kv"))
# Roles that are told as a multiple of the width, or a part of it, where they are one.
MULTIPLES = frozenset(("ff", "moe_ff", "shared_ff", "inner", "q_b", "kv_b", "attn", "time"))
PARTS = frozenset(("kv", "dt_rank"))


# Parts that have a number for each block of the weight beside them.
SCALES = ("weight_scale_inv", "weight_scale")


class Claim(Struct, frozen=True):
    """An axis of a tensor has `factor` times the size of a role."""

    axis: int
    role: str
    factor: int = 1


_ATTENTION = r"att|self_|cross|mha|layer\.SelfAttention|EncDec"
_MIXER = r"mixer|mamba|ssm"
_CROSS = re.compile(r"cross|attn2|encoder_attn|EncDecAttention", re.I)
_QUERIES = r"q_proj|query|query_proj|q|to_q|q_lin|wq|Wq"
_KEYS = r"k_proj|key|key_proj|k|to_k|k_lin|wk|Wk"
_VALUES = r"v_proj|value|value_proj|v|to_v|v_lin|wv|Wv"
_UP = (
    r"up_proj|gate_proj|w1|w3|fc1|c_fc|wi|wi_0|wi_1|lin1|linear1|dense_h_to_4h|fc_in|pwconv1"
    r"|intermediate_dense|ffn"
)
_DOWN = r"down_proj|w2|fc2|wo|lin2|linear2|dense_4h_to_h|fc_out|pwconv2|output_dense|ffn_output"
# Module and what it is inside (regular expressions) → the roles of its outputs and its inputs.
_LINEAR: Sequence[tuple[str, str, str, str]] = (
    (r"lm_head|embed_out|output_projection|head", r"^$|shared_head|lm_head", "classes", "d"),
    (r"output", r"^(model)?$", "classes", "d"),
    (r"decoder", r"predictions|lm_head", "classes", "d"),
    (r"q_a_proj", r"", "q_lora", "d"),
    (r"q_b_proj", r"", "q_b", "q_lora"),
    (r"kv_a_proj_with_mqa", r"", "kv_a", "d"),
    (r"kv_b_proj", r"", "kv_b", "kv_lora"),
    (r"in_proj", _MIXER, "xz", "d"),
    (r"x_proj", _MIXER, "x", "inner"),
    (r"dt_proj", _MIXER, "inner", "dt_rank"),
    (r"out_proj", _MIXER, "d", "inner"),
    (_QUERIES, r"", "q", "d"),
    (_KEYS, r"", "kv", "context"),
    (_VALUES, r"", "kv", "context"),
    (r"c_attn|qkv|qkv_proj|query_key_value|[Ww]qkv|to_qkv", r"", "qkv", "d"),
    (r"in_proj", _ATTENTION, "qkv", "d"),
    (r"o_proj|out_proj|to_out|out_lin|o|wo|dense|c_proj|proj", _ATTENTION, "d", "attn"),
    (r"gate|router|classifier", r"mlp$|moe|router|feed_forward$", "experts", "d"),
    (_UP, r"", "ff", "d"),
    (r"dense", r"intermediate$", "ff", "d"),
    (r"gate_up_proj", r"", "2*ff", "d"),
    (_DOWN, r"", "d", "ff"),
    (r"c_proj", r"mlp|ffn", "d", "ff"),
    (r"dense", r"output$", "d", "ff"),
    (r"dense", r"pooler|transform", "d", "d"),
    (r"lora_A|lora_a|lora_down", r"", "rank", "d"),
    (r"lora_B|lora_b|lora_up", r"", "", "rank"),
    (r"text_projection|visual_projection", r"", "projection", "d"),
    (r"classifier|score|head|fc", r"^(model)?$", "classes", ""),
)  # fmt: skip
_EMBEDDINGS: Sequence[tuple[str, str, str]] = (  # module, roles of rows and columns
    (r"wpe|embed_positions|pos_embed|position_embeddings?|positional_embedding|pos_embedding",
     "ctx", "emb"),
    (r"token_type_embeddings?", "types", "emb"),
    (r"relative_attention_bias", "buckets", "heads"),
    (r"embed_tokens|wte|word_embeddings|tok_embeddings|token_embeddings?|shared|embed_in"
     r"|embeddings|embedding|embed|tok_embed", "vocab", "emb"),
)  # fmt: skip
_PATCH = r"patch_embed\w*|conv_proj|projection|proj"
_NORMS: Sequence[tuple[str, str]] = (
    (r"q_a_layernorm", "q_lora"),
    (r"kv_a_layernorm", "kv_lora"),
    (r"dt_layernorm", "dt_rank"),
    (r"[bc]_layernorm", "state"),
    (r"[qk]_norm|[qk]_layernorm", "head"),
)


def list_claims(
    words: Words, shape: Sequence[int], out: int | None, into: int | None
) -> list[Claim]:
    """What the name says of the sizes of a shape, whose axes of outputs and inputs are these."""
    rank = len(shape)
    if rank == 0 or words.part in SCALES:
        return []
    for module, rows, columns in _EMBEDDINGS:
        if re.fullmatch(module, words.module) and all(size == 1 for size in shape[:-2]):
            if rank >= 2:
                return [Claim(rank - 2, rows), Claim(rank - 1, columns)]
            return []
    if (
        rank == 2
        and words.module.startswith("weight_hh")
        and shape[0]
        in (
            3 * shape[1],
            4 * shape[1],
        )
    ):
        return [Claim(0, "hidden", shape[0] // shape[1]), Claim(1, "hidden")]
    if words.part == "bias" and rank == 4 and shape[2] == shape[3]:  # the mask of GPT-2
        return [Claim(2, "ctx"), Claim(3, "ctx")]
    if words.module.endswith("position_ids"):
        return [Claim(rank - 1, "ctx")]
    if words.module == "A_log" and rank == 2:
        return [Claim(0, "inner"), Claim(1, "state")]
    for module, role in _NORMS:
        if re.fullmatch(module, words.module) and rank == 1:
            return [Claim(0, role)]
    if words.module in ("class_embedding", "cls_token", "mask_token", "distillation_token"):
        return [Claim(rank - 1, "d")]
    if words.module == "e_score_correction" or words.path.endswith("router.bias"):
        return [Claim(0, "experts")]
    if rank == 1 and re.search(r"norm|ln", words.module, re.I):
        return [Claim(0, "norm")]
    is_square = rank == 4 and out == 0 and shape[2] == shape[3]
    if is_square and "patch" in words.path and re.fullmatch(_PATCH, words.module):
        axes = ((0, "d"), (1, "channels"), (2, "patch"), (3, "patch"))
        return [Claim(axis, role) for axis, role in axes]
    if rank > 1 and out is None:
        return []
    claims = _claim_linear(words, rank, out, into)
    if claims and rank == 3 and "expert" in words.path:
        claims.append(Claim(0, "experts"))
    if words.module == "conv1d" and rank == 3 and re.search(_MIXER, words.inside):
        claims.append(Claim(2, "kernel"))
    return claims


def _claim_linear(words: Words, rank: int, out: int | None, into: int | None) -> list[Claim]:
    inner = "ff"
    if "expert" in words.path:
        inner = "shared_ff" if "shared" in words.path else "moe_ff"
    for module, inside, outputs, inputs in _LINEAR:
        if not (re.fullmatch(module, words.module) and re.search(inside, words.inside)):
            continue
        if rank > 2 and "expert" not in words.path and words.module != "conv1d":
            return []
        roles = [(0 if rank == 1 else out, outputs)]
        if rank > 1:
            roles.append((into, inputs))
        claims = []
        for axis, role in roles:
            if axis is None or not role:
                continue
            factor, _, name = role.rpartition("*")
            if name == "ff":
                name = inner
            elif name == "context" and not _CROSS.search(words.path):
                name = "d"
            claims.append(Claim(axis, name, int(factor or 1)))
        return claims
    return []


def find_key(role: str, value: int, sizes: Mapping[str, int]) -> str | None:
    """The key of a configuration that gives a role this value; a nested one has dots."""
    for key in KEYS.get(role, ()):
        for full in (key, *(k for k in sizes if k.endswith("." + key))):
            if sizes.get(full) == value:
                return full
    return None


def find_size(role: str, sizes: Mapping[str, int]) -> int | None:
    """The value that a configuration gives a role."""
    return next((sizes[key] for key in KEYS.get(role, ()) if key in sizes), None)
