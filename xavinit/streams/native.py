"""Laws → values by the native kernel: the same bits as `reference`, many times as fast.

Nothing here imports NumPy, whose import takes longer than a small run.
"""

from __future__ import annotations

from xavinit.dtypes import DType
from xavinit.layers import View
from xavinit.plan import Constant, Law, Normal, TruncatedNormal, Uniform
from xavinit.streams import _kernel
from xavinit.streams.boxes import Strided, list_strided
from xavinit.streams.constants import fill_constant

# As _kernel.pyi numbers them.
DISTRIBUTIONS = {Uniform: 0, Normal: 1, TruncatedNormal: 2}
DTYPES = {
    name: number
    for number, name in enumerate(
        ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
    )
}


class Filler:
    """Fills buffers with elements of any key, for any thread."""

    def fill(
        self,
        out: memoryview,
        key: int,
        law: Law,
        dtype: DType,
        start: int,
        stop: int,
        view: View | None = None,
    ) -> None:
        """Fill `out` with the little-endian bytes of the elements [start, stop), of a view or not.

        `out` holds exactly (stop − start)·itemsize bytes.
        """
        if isinstance(law, Constant):
            fill_constant(out, law, dtype, start, stop, view)
            return
        whole = Strided(start, 0, ((stop - start, 1, 1),))
        pieces = (whole,) if view is None else list_strided(view, start, stop)
        content, kind = key.to_bytes(16, "little"), DTYPES[dtype.name]
        number, scale = DISTRIBUTIONS[type(law)], find_scale(law)
        for first, place, axes in pieces:
            _kernel.fill(out, content, number, kind, scale, first, place, axes)


def find_scale(law: Uniform | Normal | TruncatedNormal) -> float:
    """What multiplies the law's unit form."""
    match law:
        case Uniform(bound):
            return bound
        case Normal(std):
            return std
        case TruncatedNormal():
            return law.uncut_std
