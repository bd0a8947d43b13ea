"""The heads of an attention: from a configuration, from their norms, or solved from the sizes."""

from __future__ import annotations

from xavinit.deriving.claims import Claims, find_only
from xavinit.deriving.dims import DimTable
from xavinit.deriving.roles import find_size


def add_heads(claims: Claims, table: DimTable) -> None:
    """The heads, where a configuration or the norm of a head tells them."""
    if len([1 for role, _ in table.forms if role == "d"]) != 1:
        return  # towers have heads of their own
    widths = {c: v for (c, _), v in claims.values.items() if c in ("q", "kv", "head", "q_b")}
    if "q_b" in widths:
        _add_latent_heads(claims, table)
        return
    q, kv = (find_only(widths.get(role)) for role in ("q", "kv"))
    heads, head = find_size("heads", table.sizes), find_only(widths.get("head"))
    if q is None or kv is None or (heads is None and head is None):
        return
    d = table.values[table.find("d", "") or "d"]
    head = head or find_size("head", table.sizes) or (d // heads if heads else None)
    if not head or q % head or kv % head or (q == kv == d and "head" not in widths):
        return
    if heads is not None and heads * head != q:
        return
    for role, value in (("heads", q // head), ("kv_heads", kv // head)):
        if role == "heads" or kv != q:
            table.forms[role, ""] = table.add(role, role, value)
    form = "d // heads" if d == q and heads is not None else None
    table.forms["head", ""] = table.add("head", "head", head, form)


def _add_latent_heads(claims: Claims, table: DimTable) -> None:
    """Those of DeepSeek's attention: h heads with a part of their width for positions.

    q_b = h·(nope + rope), kv_b = h·(nope + v), attn = h·v and kv_a = kv_lora + rope, so that
    h·rope = q_b + attn - kv_b.
    """
    roles = ("q_b", "kv_b", "attn", "kv_a", "kv_lora")
    found = [find_only(claims.values.get((role, ""))) for role in roles]
    if None in found:
        return
    q_b, kv_b, attn, kv_a, kv_lora = (value or 0 for value in found)
    rope = kv_a - kv_lora
    if rope <= 0 or (q_b + attn - kv_b) <= 0 or (q_b + attn - kv_b) % rope:
        return
    heads = (q_b + attn - kv_b) // rope
    if attn % heads or q_b % heads or q_b // heads <= rope:
        return
    parts = {"heads": heads, "rope": rope, "nope": q_b // heads - rope, "v_head": attn // heads}
    for role, value in parts.items():
        table.forms[role, ""] = table.add(role, role, value)
