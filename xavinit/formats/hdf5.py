"""HDF5 through h5py: contiguous datasets, allocated early and not filled, so that each is a region.

h5py makes the file with all its structure and closes it; the values are written into the regions
afterwards, like those of any format. The tensor bytes are for ever; the container's own bytes
are those of one version of the HDF5 library.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from xavinit.dtypes import DTYPES, DType
from xavinit.errors import InputError, MissingLibraryError, SpecError
from xavinit.formats.layout import FileLayout, Format, Layout, Region, StoredTensor
from xavinit.formats.metadata import KEY, make_metadata
from xavinit.plan import Plan, TensorPlan
from xavinit.wording import format_value

# NumPy's code of each dtype that h5py makes a type of.
_NUMPY = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "int64": "<i8",
    "int32": "<i4",
    "uint8": "|u1",
    "bool": "|b1",
}


def import_h5py() -> Any:
    """h5py, or an error that says what to do."""
    try:
        import h5py
    except Exception as error:  # not installed, or whatever a broken or mismatched build raises
        raise MissingLibraryError(
            f"HDF5 needs a working h5py ({error}): pip install h5py"
        ) from error
    return h5py


def lay_out(plan: Plan) -> Layout:
    """One file that h5py begins. Refuses what HDF5 or h5py cannot name or hold."""
    names = {tensor.name for tensor in plan.tensors}
    for tensor in plan.tensors:
        if not _has_type(tensor.dtype):
            raise SpecError(
                f"HDF5 has no form for {tensor.dtype.name}",
                tensor.place,
                hint="use safetensors, or another dtype",
            )
        _check_name(tensor, names)
    begin = partial(begin_file, tensors=plan.tensors, metadata=make_metadata(plan))
    return Layout((FileLayout(begin=begin),), plan.nbytes)


def _check_name(tensor: TensorPlan, names: set[str]) -> None:
    name = tensor.name
    parts = name.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise SpecError(
            "a name in HDF5 must not have an empty part, . or .. between its slashes; "
            f"got {format_value(name)}",
            tensor.place,
            at_key=True,
        )
    for depth in range(1, len(parts)):
        above = "/".join(parts[:depth])
        if above in names:
            raise SpecError(
                "a name in HDF5 must not lie under another's; "
                f"got {format_value(name)} under {format_value(above)}",
                tensor.place,
                at_key=True,
            )


def begin_file(
    path: str,
    tensors: Sequence[TensorPlan],
    metadata: str,
    make_type: Callable[[Any, DType], Any] | None = None,
    finish: Callable[[Any], None] | None = None,
) -> tuple[Region, ...]:
    """Make the file at `path` and tell where each tensor's bytes belong.

    `make_type` gives the HDF5 type of a dtype where it is not the usual one; `finish` may add
    attributes to the open file.
    """
    h5py = import_h5py()
    make_type = make_type or make_usual_type
    regions = []
    # The oldest structures: any reader takes the file, and groups of this kind keep no time stamps.
    with h5py.File(path, "w", libver=("earliest", "v110")) as file:
        creation, link = _make_properties(h5py)
        types = {dtype.name: make_type(h5py, dtype) for dtype in {t.dtype for t in tensors}}
        for tensor in sorted(tensors, key=lambda t: t.name.encode()):
            kind, space = types[tensor.dtype.name], _make_space(h5py, tensor.shape)
            name = tensor.name.encode()
            dataset = h5py.h5d.create(file.id, name, kind, space, dcpl=creation, lcpl=link)
            offset = dataset.get_offset()
            # An empty dataset has no place in the file, and needs none.
            regions.append(Region(tensor, offset or 0))
        file.attrs[KEY] = metadata
        if finish is not None:
            finish(file)
    return tuple(sorted(regions, key=lambda region: region.offset))  # neighbours side by side


def _make_properties(h5py: Any) -> tuple[Any, Any]:
    """How every dataset is made, and how its name is."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    creation.set_obj_track_times(False)
    link = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    link.set_create_intermediate_group(True)
    link.set_char_encoding(h5py.h5t.CSET_UTF8)
    return creation, link


def _make_space(h5py: Any, shape: tuple[int, ...]) -> Any:
    return h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)


def make_usual_type(h5py: Any, dtype: DType) -> Any:
    """The HDF5 type of a dtype."""
    if dtype.name == "bfloat16":
        # sign, 8 bits of exponent with bias 127, 7 of mantissa; h5py reads it as float32
        kind = h5py.h5t.IEEE_F32LE.copy()
        kind.set_fields(15, 7, 8, 0, 7)
        kind.set_size(2)
        kind.set_ebias(127)
        return kind
    import numpy

    # h5py's own choice, so that h5py gives back what NumPy would: bool is an enumeration.
    return h5py.h5t.py_create(numpy.dtype(_NUMPY[dtype.name]), logical=True)


def read_index(path: str) -> list[StoredTensor]:
    """The datasets of a file, as far as they are contiguous and of a known dtype."""
    h5py = import_h5py()
    stored: list[StoredTensor] = []
    try:
        with h5py.File(path, "r") as file:
            known = {
                name: make_usual_type(h5py, dtype)
                for name, dtype in DTYPES.items()
                if _has_type(dtype)
            }

            def visit(name: str, item: Any) -> None:
                if not isinstance(item, h5py.Dataset):
                    return
                kind = item.id.get_type()
                names = [other for other, known_kind in known.items() if kind == known_kind]
                if kind.get_class() == h5py.h5t.OPAQUE and kind.get_size() == 2:
                    # Keras's form of it, which only this attribute tells
                    names = ["bfloat16"] if item.attrs.get("dtype") == "bfloat16" else []
                offset = item.id.get_offset()
                if not names or (offset is None and item.size):
                    raise InputError(f"{path}: dataset {name} is not of a kind that xavinit reads")
                nbytes = kind.get_size() * (item.size or 0)
                stored.append(
                    StoredTensor(
                        name, names[0], tuple(item.shape), os.fspath(path), offset or 0, nbytes
                    )
                )

            file.visititems(visit)
    except OSError as error:
        raise InputError(f"{path} is not a sound HDF5 file: {error}") from error
    return stored


def _has_type(dtype: DType) -> bool:
    return dtype.name in _NUMPY or dtype.name == "bfloat16"


FORMAT = Format("hdf5", lay_out, read_index, streams=False)
