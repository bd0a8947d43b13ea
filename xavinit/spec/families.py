"""Entries and rules → families: tensors of one entry that the same rules match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from xavinit import inits
from xavinit.errors import Path, SpecError, format_path
from xavinit.layers import VARIANCE, Axes
from xavinit.spec.entries import Entry
from xavinit.spec.expressions import evaluate_at
from xavinit.spec.matching import Matcher
from xavinit.spec.names import Reference, parse_reference
from xavinit.spec.settings import ParsedRule, Settings, merge_settings
from xavinit.wording import format_value

DEFAULT_INIT = inits.NAMED["glorot_uniform"]
DEFAULT_DTYPE = "float32"

OF_AXES = ("batch_axis", "fused", "in_axis", "layout", "out_axis")
OF_TENSORS = (*OF_AXES, "fans_of", "zero_rows")  # a layer takes none of them


class Family(Struct, frozen=True):
    """What tensors have in common that differ in nothing but their names.

    If they are of a layer, it is in PyTorch's form.
    """

    shape: tuple[int, ...]
    dtype: str
    init: inits.Init
    axes: Axes
    places: Mapping[str, Path]  # for errors: where each key was given; "" is the entry itself
    example: str  # the name of one of them, for errors
    is_part: bool = False  # of a layer
    zero_rows: tuple[int, ...] = ()  # of the first axis, sorted
    fans_of: int | None = None  # the family whose fans it takes instead of its own
    seed: int | None = None  # of its initializer, under an rng that has one for each


class Draft(Struct, frozen=True):
    """The family of some tensors, or that they are tied, and the names that they refer to."""

    number: int | None  # of the family in the spec's list; None: the tensors are tied
    places: Mapping[str, Path]
    reference: Reference | None  # the stream or the tied tensor; None: each has its own stream
    fans_of: Reference | None = None


class RuleSet:
    """The rules of a spec, asked for one name after another.

    `used` tells of each rule whether it has changed a tensor so far: True, False, or the name of a
    tensor that it matches but cannot change.
    """

    def __init__(self, rules: Sequence[ParsedRule]) -> None:
        self.rules = rules
        self.used: list[bool | str] = [False] * len(rules)
        self._matcher = Matcher([rule.glob for rule in rules])
        self._hits: dict[tuple[int, ...], tuple[int, ...]] = {}  # each kept once
        self._merged: dict[tuple[int, ...], Settings] = {(): {}}
        self._marked: set[tuple[int, ...]] = {()}

    def find(self, name: str) -> tuple[int, ...]:
        """The numbers of the rules that match a name, in their order."""
        if not self.rules:
            return ()
        hits = self._matcher.find(name)
        return self._hits.setdefault(hits, hits)

    def merge(self, hits: tuple[int, ...]) -> Settings:
        """The settings of these rules as one: a later rule wins, key by key."""
        if hits not in self._merged:
            settings: Settings = {}
            for index in hits:
                settings = merge_settings(settings, self.rules[index].settings)
            self._merged[hits] = settings
        return self._merged[hits]

    def mark_used(self, hits: tuple[int, ...], entry: Entry, name: str) -> None:
        """Note that these rules match a tensor of an entry."""
        if entry.is_fixed:
            for index in hits:
                if entry.own.keys() >= self.rules[index].settings.keys():
                    self.used[index] = self.used[index] or name
                else:
                    self.used[index] = True
        elif hits not in self._marked:
            self._marked.add(hits)
            for index in hits:
                self.used[index] = True


class Sorter:
    """Sorts the names of one entry by the rules that match them, into families.

    `families` are the spec's, which grow.
    """

    def __init__(
        self,
        entry: Entry,
        defaults: Settings,
        rules: RuleSet,
        dims: Mapping[str, int],
        families: list[Family],
    ) -> None:
        self.entry = entry
        self._defaults = defaults
        self._rules = rules
        self._dims = dims
        self._families = families
        self._drafts: dict[tuple[int, ...], Draft] = {}  # by the rules that match

    def find(self, name: str) -> Draft:
        """The draft of the tensor of this name, shared with all that the same rules match."""
        hits = self._rules.find(name)
        if hits not in self._drafts:
            self._drafts[hits] = self._make_draft(hits, name)
        return self._drafts[hits]

    def _make_draft(self, hits: tuple[int, ...], name: str) -> Draft:
        entry = self.entry
        ruled = self._rules.merge(hits)
        if entry.axes is not None and not ruled.keys().isdisjoint(OF_TENSORS):
            raise _refuse_keys([self._rules.rules[index] for index in hits], name)
        self._rules.mark_used(hits, entry, name)
        settings = merge_settings(self._defaults, entry.base)
        settings = merge_settings(settings, ruled)
        settings = merge_settings(settings, entry.own)
        places = {"": entry.path, "shape": entry.shape_path}
        places |= {key: path for key, (_, path) in settings.items()}
        if "tied" in settings:
            _check_alone(entry, settings["tied"][1])
            return Draft(None, places, _parse_reference_at("tied", settings, entry))
        self._families.append(_make_family(entry, settings, places, name, self._dims))
        stream, fans_of = (
            _parse_reference_at(key, settings, entry) if key in settings else None
            for key in ("stream", "fans_of")
        )
        return Draft(len(self._families) - 1, places, stream, fans_of)


def _make_family(
    entry: Entry,
    settings: Settings,
    places: Mapping[str, Path],
    example: str,
    dims: Mapping[str, int],
) -> Family:
    if entry.role == VARIANCE:
        init, path = settings["init"]
        _check_variance(init, path, entry)
    if entry.shape is None:
        raise SpecError('must have the key "shape" (or "tied")', entry.path)
    return Family(
        shape=entry.shape,
        dtype=settings["dtype"][0] if "dtype" in settings else DEFAULT_DTYPE,
        init=settings["init"][0] if "init" in settings else DEFAULT_INIT,
        axes=_read_axes(settings, dims) if entry.axes is None else entry.axes,
        places=places,
        example=example,
        is_part=entry.axes is not None,
        zero_rows=_read_rows(settings, entry.shape, example, entry),
        seed=settings["seed"][0] if "seed" in settings else None,
    )


def _refuse_keys(rules: Sequence[ParsedRule], name: str) -> SpecError:
    """The error for the first of these rules that gives a layer a key which only tensors take."""
    key, place = next(
        (key, rule.settings[key][1]) for rule in rules for key in OF_TENSORS if key in rule.settings
    )
    why = "a layer knows its own axes: " if key in OF_AXES else ""
    return SpecError(
        f"{why}{key} is for tensors; the rule matches {format_value(name)}",
        place,
        at_key=True,
    )


def _check_variance(init: inits.Init, path: Path, entry: Entry) -> None:
    """Refuse an initializer that can give a negative variance: a norm takes its square root."""
    got = init.name
    match init:
        case inits.Zeros() | inits.Ones():
            return
        case inits.Constant(value=value):
            if isinstance(value, inits.Formula) or value >= 0:
                return  # a formula, which needs fans, has no number here
            got = f"{init.name} {format_value(value)}"
    raise SpecError(
        f"a running variance must be a constant of at least 0; got {got} "
        f"(tensor {entry.role} of {format_path(entry.path)})",
        path,
    )


def _read_axes(settings: Settings, dims: Mapping[str, int]) -> Axes:
    if settings.keys().isdisjoint(OF_AXES):
        return Axes()

    def read(key: str) -> tuple[int, ...] | None:
        if key not in settings:
            return None
        value = settings[key][0]
        return (value,) if isinstance(value, int) else tuple(value)

    fused = 1
    if "fused" in settings:
        value, path = settings["fused"]
        fused = evaluate_at(value, dims, path)
        if fused < 1:
            raise SpecError(f"must be a positive integer; got {fused}", path)
    return Axes(
        layout=settings.get("layout", ("out_in",))[0],
        in_axis=read("in_axis"),
        out_axis=read("out_axis"),
        batch_axis=read("batch_axis") or (),
        fused=fused,
    )


def _read_rows(
    settings: Settings, shape: tuple[int, ...], example: str, entry: Entry
) -> tuple[int, ...]:
    """The rows that are zero, counted from the start, each once."""
    if "zero_rows" not in settings or 0 in shape:  # an empty tensor has no values
        return ()
    given, path = settings["zero_rows"]
    whose = "" if "zero_rows" in entry.own else f" (tensor {format_value(example)})"
    if given and not shape:
        raise SpecError(f"must be of a tensor with axes; got shape []{whose}", path)
    for index, row in enumerate(given):
        if not -shape[0] <= row < shape[0]:
            fact = f"must be a row from {-shape[0]} to {shape[0] - 1}; got {row}{whose}"
            raise SpecError(fact, (*path, index))
    return tuple(sorted({row % shape[0] for row in given}))


def _check_alone(entry: Entry, tie: Path) -> None:
    """Refuse other keys of a tied tensor's own, wherever it was tied."""
    extra = {key: path for key, (_, path) in entry.own.items() if key != "tied"}
    if entry.shape is not None and entry.axes is None:
        extra["shape"] = entry.shape_path
    if extra:
        key = min(extra)
        where = "" if "tied" in entry.own else f" (tied by {format_path(tie)})"
        raise SpecError(
            f"tied takes no other key; got {format_value(key)} too{where}", extra[key], at_key=True
        )


def _parse_reference_at(key: str, settings: Settings, entry: Entry) -> Reference:
    text, path = settings[key]
    try:
        return parse_reference(text, entry.braces)
    except SpecError as error:
        if key not in entry.own:  # a rule's: which tensor it does not fit
            error.fact += f" (tensor {format_value(entry.path[-1])})"
        error.path = path
        raise
