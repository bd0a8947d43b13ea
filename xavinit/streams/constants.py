"""Constants → bytes, in plain Python: these laws need no random words."""

from __future__ import annotations

from itertools import islice, product

from xavinit.dtypes import DType
from xavinit.layers import View
from xavinit.plan import Constant, Fixed, GateConstant, Sequence
from xavinit.streams.elements import encode_constant


def fill_constant(
    out: memoryview,
    law: Fixed,
    dtype: DType,
    start: int,
    stop: int,
    view: View | None = None,
) -> None:
    """Fill `out` with the bytes of the elements [start, stop), of a view or not."""
    if isinstance(law, Sequence):
        from xavinit.streams.sequences import fill_sequence  # few specs have one

        fill_sequence(out, law, dtype, start, stop, view)
        return
    if not isinstance(law, Constant):
        raise TypeError(f"no numbers for {law}")
    code = encode_constant(law.value, dtype)
    if not isinstance(law, GateConstant):
        out[:] = code * (stop - start)
        return
    zero = bytes(len(code))  # +0 in every dtype
    if view is None:
        first, last = (min(max(end, start), stop) for end in (law.start, law.stop))
        out[:] = zero * (first - start) + code * (last - first) + zero * (stop - last)
        return
    # Only biases have such a law. They are short, so a Python step for each element is cheap.
    inside = range(law.start, law.stop)
    indices = (sum(steps) for steps in islice(product(*view.axes), start, stop))
    out[:] = b"".join(code if index in inside else zero for index in indices)
