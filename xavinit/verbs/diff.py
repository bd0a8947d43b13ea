"""The verb that compares two weights files of any formats: `diff`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import structs

from xavinit.errors import SpecError, UsageError
from xavinit.formats import StoredTensor
from xavinit.reading import Pair, Tally, Tolerance, compare, count_bytes
from xavinit.spec import parse_glob
from xavinit.verbs.difference import Difference, describe_match, describe_stored
from xavinit.verbs.pairing import (
    Match,
    Pairing,
    Side,
    Weights,
    load_side,
    pair_by_maps,
    pair_by_names,
    parse_maps,
)
from xavinit.verbs.progress import Progress, make_advance
from xavinit.verbs.transpositions import add_notes
from xavinit.wording import format_value, suggest


def diff(
    a: Weights,
    b: Weights,
    *,
    atol: float = 0.0,
    rtol: float = 0.0,
    map: str | Sequence[str] = (),
    match: str | None = None,
    ignore_dtype: bool = False,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Difference:
    """Compare two weights files of any formats, or arrays by name, tensor by tensor.

    Elements a of A and b of B are the same where |a − b| ≤ atol + rtol·|b|, as in `numpy.allclose`:
    by default where they are equal. NaN equals NaN, 0 equals −0, an infinity itself alone. Tensors
    of two dtypes are different, unless `ignore_dtype`; their elements are compared all the same.

    `map` pairs renamed tensors: `"h.{n}.w=layers/{n}/kernel:T"`, or several (docs/diff.md). Without
    one, files of two frameworks are paired through the spec that one of them carries, or both.
    `match` is a glob over the names. `jobs` is the number of threads (all cores, at most 8), on
    which no answer depends; `progress` is called with the bytes done and all bytes.

    Raises `InputError` where a file cannot be read, `UsageError` for an argument that makes no
    sense.

    >>> import numpy
    >>> found = diff({"w": numpy.array([1.0, 2.0])}, {"w": numpy.array([1.0, 2.5])})
    >>> found.is_same, found.tensors[0].absolute
    (False, Spot(index=(1,), a=2.0, b=2.5, amount=0.5))
    """
    tolerance = Tolerance(_parse_tolerance("atol", atol), _parse_tolerance("rtol", rtol))
    maps = parse_maps(map)
    if "-" in (a, b) and isinstance(a, str) and a == b:
        raise UsageError("standard input can be read once; got - twice")
    one, other = load_side(a), load_side(b)
    pairing = _pair(one, other, maps)
    if match is not None:
        pairing = _select(pairing, match)
    has_pipe = one.is_pipe or other.is_pipe
    matches = _order_for_pipe(pairing, one, other) if has_pipe else pairing.matches
    pairs = [found.pair for found in matches if found.pair is not None]
    advance = make_advance(count_bytes(pairs), progress)
    tallies = iter(compare(pairs, tolerance, jobs=jobs, advance=advance, in_order=has_pipe))
    tensors = [
        describe_match(found, Tally() if found.pair is None else next(tallies), ignore_dtype)
        for found in matches
    ]
    from xavinit.verbs.spec_pairing import find_suspects, is_same_spec

    if not has_pipe:
        more = partial(find_suspects, one, other)
        tensors = add_notes(matches, tensors, more, tolerance, jobs, has_maps=pairing.by != "spec")
    return Difference(
        one.name,
        other.name,
        tuple(sorted((describe_stored(t) for t in pairing.only_a), key=lambda t: t.name)),
        tuple(sorted((describe_stored(t) for t in pairing.only_b), key=lambda t: t.name)),
        tuple(sorted(tensors, key=lambda t: t.name)),
        tolerance.atol,
        tolerance.rtol,
        pairing.by,
        one.spec is not None and other.spec is not None and is_same_spec(one.spec, other.spec),
        pairing.warnings,
    )


def _parse_tolerance(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it does not take is refused
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise UsageError(f"{name} must be a finite number of at least 0; got {format_value(value)}")
    return number


def _pair(a: Side, b: Side, maps: Sequence[Any]) -> Pairing:
    if maps:
        return pair_by_maps(a, b, maps)
    if a.spec is None and b.spec is None:
        return pair_by_names(a, b)
    from xavinit.verbs.spec_pairing import pair_by_spec  # loads the reader of specs

    return pair_by_spec(a, b)


def _select(pairing: Pairing, glob: str) -> Pairing:
    """What matches a glob by its name, or by that in one of the files."""
    try:
        matches = parse_glob(glob).matches
    except SpecError as error:
        raise error.blame_caller() from None
    kept = tuple(
        found
        for found in pairing.matches
        if matches(found.name) or any(matches(t.name) for t in (*found.a, *found.b))
    )
    only_a = tuple(stored for stored in pairing.only_a if matches(stored.name))
    only_b = tuple(stored for stored in pairing.only_b if matches(stored.name))
    if not (kept or only_a or only_b):
        names = [found.name for found in pairing.matches]
        names += [stored.name for stored in (*pairing.only_a, *pairing.only_b)]
        raise UsageError(f"no tensor matches {format_value(glob)}", hint=suggest(glob, names))
    return structs.replace(pairing, matches=kept, only_a=only_a, only_b=only_b)


def _order_for_pipe(pairing: Pairing, a: Side, b: Side) -> tuple[Match, ...]:
    """The matches in the order in which the pipe has its tensors, each as it lies there."""
    get: Callable[[Match | Pair], Any] = (lambda m: m.a) if a.is_pipe else (lambda m: m.b)
    side = a if a.is_pipe else b
    places = {name: number for number, name in enumerate(side.tensors)}
    for found in pairing.matches:
        stored = get(found)
        if found.pair is not None and len(stored) == 1:
            moved: StoredTensor = get(found.pair)
            if moved.source is stored[0].source:
                continue
        if found.pair is not None and stored:
            raise UsageError(
                "what is on standard input is read in its order, but "
                f"{format_value(found.name)} must be transposed: name the file"
            )
    return tuple(
        sorted(pairing.matches, key=lambda m: places[get(m)[0].name] if get(m) else len(places))
    )
