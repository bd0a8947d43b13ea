"""Output: worker threads fill regions; files are published whole or not at all."""

from xavinit.output.crew import Advance, Crew
from xavinit.output.disk import BinaryWriter
from xavinit.output.publish import check_target, is_stream
from xavinit.output.sets import check_set
from xavinit.output.write import (
    check_space,
    fill_arrays,
    open_stream,
    write_path,
    write_stream,
)

__all__ = [
    "Advance",
    "BinaryWriter",
    "Crew",
    "check_set",
    "check_space",
    "check_target",
    "fill_arrays",
    "is_stream",
    "open_stream",
    "write_path",
    "write_stream",
]
