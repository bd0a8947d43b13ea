"""Output: a crew draws what files hold; they are published whole or not at all."""

from xavinit.output.apart import check_apart
from xavinit.output.disk import BinaryWriter
from xavinit.output.drawing import Drawing, fill_arrays
from xavinit.output.parts import (
    Share,
    Work,
    find_work,
    finish_set,
    mark_place,
    take_share,
    write_shards,
    write_share,
)
from xavinit.output.pipes import check_handle, check_pipe, is_pipe, open_pipe, write_pipe
from xavinit.output.publish import check_target
from xavinit.output.sets import check_set
from xavinit.output.texts import (
    check_text_target,
    check_texts_target,
    write_text,
    write_texts,
)
from xavinit.output.write import check_space, write_path

__all__ = [
    "BinaryWriter",
    "Drawing",
    "Share",
    "Work",
    "check_apart",
    "check_handle",
    "check_pipe",
    "check_set",
    "check_space",
    "check_target",
    "check_text_target",
    "check_texts_target",
    "fill_arrays",
    "find_work",
    "finish_set",
    "is_pipe",
    "mark_place",
    "open_pipe",
    "take_share",
    "write_path",
    "write_pipe",
    "write_shards",
    "write_share",
    "write_text",
    "write_texts",
]
