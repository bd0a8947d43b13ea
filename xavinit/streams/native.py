"""Laws → values by the native kernel: the same bits as `reference`, many times as fast.

It imports NumPy, which takes longer than a small run, only for a dtype that the kernel does not
know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xavinit.dtypes import DType
from xavinit.layers import View
from xavinit.plan import Fixed, Law, Normal, TruncatedNormal, Uniform
from xavinit.streams import _kernel
from xavinit.streams.boxes import Strided, list_strided
from xavinit.streams.constants import fill_constant

if TYPE_CHECKING:
    from xavinit.streams import reference

# The kernel's own numbers.
DISTRIBUTIONS = {
    Uniform: _kernel.DISTRIBUTIONS["uniform"],
    Normal: _kernel.DISTRIBUTIONS["normal"],
    TruncatedNormal: _kernel.DISTRIBUTIONS["truncated_normal"],
}
DTYPES = {name: facts[0] for name, facts in _kernel.DTYPES.items()}


class Filler:
    """Fills buffers with elements of any key. One for each thread."""

    def __init__(self) -> None:
        self._reference: reference.Filler | None = None

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
        if isinstance(law, Fixed):
            fill_constant(out, law, dtype, start, stop, view)
            return
        if not isinstance(law, Uniform | Normal | TruncatedNormal):  # of the rng of a framework
            raise TypeError(f"no numbers for {law}")
        if dtype.name not in DTYPES:
            self._find_reference().fill(out, key, law, dtype, start, stop, view)
            return
        whole = Strided(start, 0, ((stop - start, 1, 1),))
        pieces = (whole,) if view is None else list_strided(view, start, stop)
        content, kind = key.to_bytes(16, "little"), DTYPES[dtype.name]
        number, scale = DISTRIBUTIONS[type(law)], find_scale(law)
        for first, place, axes in pieces:
            _kernel.fill(out, content, number, kind, scale, first, place, axes)

    def _find_reference(self) -> reference.Filler:
        """What fills the dtypes that the kernel does not know: the same contract on NumPy."""
        if self._reference is None:
            from xavinit.streams import reference

            self._reference = reference.Filler()
        return self._reference


def find_scale(law: Uniform | Normal | TruncatedNormal) -> float:
    """What multiplies the law's unit form."""
    match law:
        case Uniform(bound):
            return bound
        case Normal(std):
            return std
        case TruncatedNormal():
            return law.uncut_std
