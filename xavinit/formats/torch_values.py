"""The values that PyTorch's pickles are made of, and the closed table of their globals.

It is what `torch.load(weights_only=True)` of PyTorch 2.13 lets through, as far as it is of use
here: nothing is imported or called; each global makes a value of ours.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from xavinit.formats.pickle_values import PLAIN, Constructors, Global, Pairs

# The dtype of each kind of storage; None for bytes, whose dtype the tensor says.
STORAGES: dict[str, str | None] = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "QInt8Storage": "qint8",
    "QInt32Storage": "qint32",
    "QUInt8Storage": "quint8",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": None,
}

# Those that PyTorch has; the ones that xavinit lacks are refused by name.
_DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "complex128", "complex64", "complex32"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"),
    *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
    "float4_e2m1fn_x2",  # two numbers in one element
    *("qint8", "qint32", "quint8", "quint4x2", "quint2x4"),
    *("bits8", "bits16", "bits1x8", "bits2x4", "bits4x2"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)),
)


class Storage(Struct, frozen=True):
    """Numbers that lie in a member of the archive; `dtype` is None for bytes."""

    key: str
    dtype: str | None
    count: int  # of its elements; of bytes where they have no dtype
    location: str


class View(Struct, frozen=True):
    """A tensor: a view of a storage. Offset and strides count elements."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Unread(Struct, frozen=True):
    """A tensor of a kind that is not read: `kind` says which, with its article."""

    kind: str


Rebuilt = View | Unread

_META = "a tensor on the device meta"


def find_storage(identifier: Any) -> Storage:
    """The storage of a persistent identifier; `ValueError` for any other."""
    match identifier:
        case ("storage", Global(name=name), str(key), str(location), int(count), *_) if (
            (kind := name.rpartition(".")[2]) in STORAGES and type(count) is int and count >= 0
        ):
            return Storage(key, STORAGES[kind], count, location)
        case _:
            raise ValueError("it asks for what is no storage")


def _rebuild(args: tuple[Any, ...]) -> Rebuilt:
    """Version 2: the storage knows the dtype."""
    match args:
        case (Storage(dtype=str(dtype)), *_):
            return _make_view(dtype, args, args[6] if len(args) > 6 else None)
        case _:
            raise TypeError


def _rebuild_typed(args: tuple[Any, ...]) -> Rebuilt:
    """Version 3: the storage holds bytes, whose dtype is an argument."""
    match args:
        case (Storage(dtype=None), _, _, _, _, _, Global(name=name), *more):
            return _make_view(name.removeprefix("torch."), args, more[0] if more else None)
        case _:
            raise TypeError


def _make_view(dtype: str, args: tuple[Any, ...], metadata: Any) -> Rebuilt:
    storage, offset, shape, strides = args[:4]
    if type(shape) is not tuple or type(strides) is not tuple or len(shape) != len(strides):
        raise TypeError
    if not all(type(number) is int and number >= 0 for number in (offset, *shape, *strides)):
        raise TypeError
    if isinstance(metadata, Pairs):
        for key, is_set in metadata.pairs:
            if key in ("conj", "neg") and is_set is not False:
                return Unread("a conjugated or negated view")
    if storage.location == "meta":
        return Unread(_META)
    return View(storage, dtype, offset, shape, strides)


def _take_first(args: tuple[Any, ...]) -> Rebuilt:
    """A parameter: the tensor that it is."""
    match args:
        case ((View() | Unread()) as tensor, *_):
            return tensor
        case _:
            raise TypeError


def _rebuild_from_type(args: tuple[Any, ...]) -> Rebuilt:
    """A tensor with attributes of its own, or of a class of its own: (function, class, args, …)."""
    match args:
        case (Global(name=function), Global(name=kind), tuple(inner), *_):
            construct = GLOBALS[function]
            if kind not in ("torch.Tensor", "torch.nn.parameter.Parameter"):
                return Unread(f"a tensor of the class {kind}")
            made = construct(inner) if construct and function in _REBUILDERS else None
            if isinstance(made, View | Unread):
                return made
    raise TypeError


def _make_dict(args: tuple[Any, ...]) -> Pairs:
    """A dict of no arguments, of another dict, or of pairs in a list."""
    made = Pairs()
    match args:
        case ():
            pass
        case (Pairs() as other,):
            made.pairs += other.pairs
        case (list() as pairs,):
            for pair in pairs:
                match pair:
                    case [key, value]:
                        made.pairs.append((key, value))
                    case _:
                        raise TypeError
        case _:
            raise TypeError
    return made


def _make_list(args: tuple[Any, ...]) -> list[Any]:
    """A set, as a list: it may hold tensors too."""
    match args:
        case ():
            return []
        case (list() | tuple() as values,):
            return list(values)
        case _:
            raise TypeError


def _ignore(args: tuple[Any, ...]) -> Any:
    return PLAIN


_REBUILDERS: Constructors = {
    "torch._utils._rebuild_tensor": _rebuild,
    "torch._utils._rebuild_tensor_v2": _rebuild,
    "torch._utils._rebuild_tensor_v3": _rebuild_typed,
    "torch._utils._rebuild_parameter": _take_first,
    "torch._utils._rebuild_parameter_with_state": _take_first,
    "torch._utils._rebuild_sparse_tensor": lambda args: Unread("a sparse tensor"),
    "torch._utils._rebuild_qtensor": lambda args: Unread("a quantized tensor"),
    "torch._utils._rebuild_nested_tensor": lambda args: Unread("a nested tensor"),
    "torch._utils._rebuild_meta_tensor_no_storage": lambda args: Unread(_META),
    "torch._utils._rebuild_wrapper_subclass": lambda args: Unread("a tensor of a class of its own"),
}

GLOBALS: Constructors = {
    "collections.OrderedDict": _make_dict,
    "collections.Counter": _make_dict,
    "builtins.set": _make_list,
    "builtins.frozenset": _make_list,
    "builtins.complex": _ignore,
    "builtins.bytearray": _ignore,
    "_codecs.encode": _ignore,  # bytes, in protocol 2
    "torch.Size": _ignore,
    "torch.device": _ignore,
    "torch.serialization._get_layout": _ignore,
    "torch.Tensor": None,
    "torch.nn.parameter.Parameter": _take_first,
    "torch._tensor._rebuild_from_type_v2": _rebuild_from_type,
    **_REBUILDERS,
    **{f"torch.{name}": None for name in _DTYPES},
    **{
        f"torch.{kind}_{granularity}": None
        for kind in ("per_tensor", "per_channel")
        for granularity in ("affine", "symmetric")
    },
    "torch.per_channel_affine_float_qparams": None,
    **{f"torch.{place}{name}": None for place in ("", "cuda.") for name in STORAGES},
    "torch.storage.UntypedStorage": None,
}
