"""The words of a tensor's name that tell what it is: its part, its module, what that is in."""

from __future__ import annotations

import re

from msgspec import Struct

# Parts of a module. What ends with none of them names a module itself, as experts.gate_up_proj.
_PART = re.compile(
    r"(?:(?P<module>.*)_)?(?P<part>weight|bias)\Z"
    r"|(?P<alone>kernel|scale|gamma|beta|embeddings?|w|b|g|mean|var|running_mean|running_var"
    r"|moving_mean|moving_variance|num_batches_tracked|weight_scale_inv|weight_scale|weight_[gv]"
    r"|qweight|qzeros|scales|g_idx)\Z"
)
_DIVIDERS = re.compile(r"[./:]")
# What Keras 3 numbers the variables of a layer by; older files end with a number that is always 0.
_KERAS = re.compile(r"/vars/([0-9])\Z|:0\Z")


class Words(Struct, frozen=True):
    """A name in words: `model.layers.0.mlp.up_proj.weight` has the part weight, the module up_proj,
    and is inside `model.layers.mlp`. Numbers that stand alone are left out.

    `variable` is the number of a variable of Keras's, which says what part it is.
    """

    part: str
    module: str
    inside: str
    variable: int | None = None

    @property
    def path(self) -> str:
        """All modules, the tensor's own last."""
        return f"{self.inside}.{self.module}" if self.inside else self.module


def split_words(name: str) -> Words:
    """The words of a name.

    >>> split_words("h.0.attn.c_attn.weight")
    Words(part='weight', module='c_attn', inside='h.attn', variable=None)
    >>> split_words("self_attn.in_proj_bias").module
    'in_proj'
    """
    variable = None
    if found := _KERAS.search(name):
        variable = int(found[1]) if found[1] else None
        name = name[: found.start()]
    words = [word for word in _DIVIDERS.split(name) if word and not word.isdigit()]
    if not words:
        return Words("", "", "", variable)
    part = ""
    if variable is None and (match := _PART.match(words[-1])):
        part = match["part"] or match["alone"]
        words[-1:] = [match["module"]] if match["module"] else []
    module = words[-1] if words else ""
    return Words(part, module, ".".join(words[:-1]), variable)
