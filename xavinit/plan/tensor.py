"""`Family` → `Decision`: dtype, fans and law of all tensors of a family, made and checked once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from xavinit import inits
from xavinit.dtypes import DTYPES, DType
from xavinit.errors import Path, SpecError
from xavinit.layers import View
from xavinit.plan.fans import Fans, compute_fans
from xavinit.plan.initializers import compute_law
from xavinit.plan.laws import Law
from xavinit.plan.ranges import check_range
from xavinit.plan.rng_laws import find_laws
from xavinit.rngs import Rng
from xavinit.spec import Family
from xavinit.wording import format_value

LARGEST_FILE = 2**63 - 1  # bytes
OURS = Rng()


class Module(Struct, frozen=True):
    """The framework's module that a tensor belongs to."""

    name: str
    type: str  # the framework's class, such as Conv2D


class TensorPlan(Struct, frozen=True):
    """One tensor: what its values are, as a pure function of these fields and the seed.

    `name` and `shape` are the file's. `fans` is None for rank 0 and 1 (batch axes apart) and for
    empty tensors; `law` is None for empty tensors. `stream` is the stream name. `view` says where
    the file's tensor lies in PyTorch's; None means the tensor itself. `module` is None for raw
    tensors. `place` is where the spec gives it, for errors. The `zero_rows` of the first axis,
    sorted, are zero whatever the law; no tensor with a view has some. `is_tied` marks the copy of
    another tensor. `seed` is that of its own initializer, under an rng that has one for each, and
    `drawn` the elements of what is drawn from it, of which this tensor may be a view.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    fans: Fans | None
    law: Law | None
    stream: str
    view: View | None = None
    module: Module | None = None
    place: Path = ()
    zero_rows: tuple[int, ...] = ()
    is_tied: bool = False
    seed: int | None = None
    drawn: int = 0

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.dtype.count_bytes(math.prod(self.shape))


class Decision(Struct, frozen=True):
    """What the plans of a family's tensors have in common."""

    shape: tuple[int, ...]
    dtype: DType
    fans: Fans | None
    law: Law | None
    place: Path
    zero_rows: tuple[int, ...] = ()
    seed: int | None = None

    @property
    def nbytes(self) -> int:
        return self.dtype.count_bytes(math.prod(self.shape))

    def name_tensor(self, name: str, stream: str, *, is_tied: bool) -> TensorPlan:
        return TensorPlan(
            name=name,
            shape=self.shape,
            dtype=self.dtype,
            fans=self.fans,
            law=self.law,
            stream=stream,
            place=self.place,
            zero_rows=self.zero_rows,
            is_tied=is_tied,
            seed=self.seed,
        )


def decide(
    family: Family,
    families: Sequence[Family],
    rng: Rng = OURS,
    home: tuple[int, ...] | None = None,
) -> Decision:
    """The decision for a family, one of these.

    `home` is the shape that the framework of an rng has where the family's is PyTorch's.

    Raises `SpecError`, with the path of the key at fault.
    """
    dtype, place = DTYPES[family.dtype], family.places[""]
    nbytes = dtype.count_bytes(math.prod(family.shape))
    if nbytes > LARGEST_FILE:  # before its fans overflow a float
        fact = f"must be at most 2⁶³−1 bytes; got {format_value(nbytes)}"
        raise _place(SpecError(fact), family, "shape")
    if 0 in family.shape:
        return Decision(family.shape, dtype, None, None, place, seed=family.seed)
    laws = None if rng.is_ours else find_laws(rng)
    owner = family if family.fans_of is None else families[family.fans_of]
    try:
        fans = (compute_fans if laws is None else laws.compute_fans)(
            home or owner.shape, owner.axes
        )
    except SpecError as error:
        raise _place(error, owner, str(error.path[0])) from None
    if family.is_part and isinstance(family.init, inits.Default) and not rng.is_ours:
        # The law is its module's.
        return Decision(family.shape, dtype, fans, None, place, family.zero_rows)
    try:
        if laws is None:
            law = compute_law(family.init, fans, family.shape)
            check_range(law, dtype)
        else:
            law = laws.compute_law(family.init, fans, home or family.shape, dtype, rng)
    except SpecError as error:
        lacks_fans = fans is None and inits.needs_fans(family.init)
        if lacks_fans:
            error.fact += f"; got shape {list(family.shape)}"
            if family.is_part and error.path:
                error.hint = None  # it names a key that a layer does not take
        key = error.path or (("value",) if type(family.init) is inits.Constant else ())
        _place(error, family, _find_fault(family, dtype, lacks_fans=lacks_fans))
        if error.path == family.places.get("init"):  # the key within the initializer
            error.path = (*error.path, *key)
        raise
    return Decision(family.shape, dtype, fans, law, place, family.zero_rows, family.seed)


def find_warning(family: Family, decision: Decision) -> SpecError | None:
    """The warning for a law most of whose values round to zero in its dtype."""
    law, dtype = decision.law, decision.dtype
    if law is None or not dtype.is_float or law.compute_zero_share(dtype) <= 0.5:
        return None
    warning = SpecError(
        f"warning: {law.compute_zero_share(dtype):.0%} of the values round to zero; got {law} in "
        f"{dtype.name}, whose smallest number is {dtype.smallest:g}"
    )
    return _place(warning, family, _find_fault(family, dtype, lacks_fans=False))


def _find_fault(family: Family, dtype: DType, *, lacks_fans: bool) -> str:
    """The key at fault where initializer, shape and dtype do not go together.

    The shapes of a layer come from its type, so another of its keys is at fault.
    """
    init = family.places.get("init", ())
    if not family.is_part:
        return "shape" if lacks_fans else "init" if init else ""
    if not dtype.is_float and not lacks_fans and "dtype" in family.places:
        return "dtype"
    return "shape" if lacks_fans and init[:1] == ("defaults",) else "init" if init else ""


def _place(error: SpecError, family: Family, key: str) -> SpecError:
    """The error at the place where the key was given; it names the tensor if the place does not."""
    entry = family.places[""]
    place = family.places.get(key, entry)
    if place[: len(entry)] != entry or place[1] != family.example:
        error.fact += f" (tensor {format_value(family.example)})"
    error.path = place
    return error
