"""HDF5 through h5py: contiguous datasets, allocated early and not filled, so that each is a region.

h5py makes the file with all its structure and closes it; then the values are written into the
regions, as in any format. The bytes of the tensors never change; those of the container depend on
the version of the HDF5 library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from xavinit.dtypes import DType
from xavinit.errors import SpecError
from xavinit.formats.attributes import read_attributes
from xavinit.formats.datasets import read_index
from xavinit.formats.hdf5_library import has_type, import_h5py, make_type, map_errors, open_to_write
from xavinit.formats.layout import Contents, FileLayout, Format, Layout, Region
from xavinit.formats.metadata import KEY, make_metadata
from xavinit.plan import Plan, TensorPlan
from xavinit.wording import format_value


def lay_out(plan: Plan) -> Layout:
    """One file that h5py begins. Refuses what HDF5 or h5py cannot name or hold."""
    names = {tensor.name for tensor in plan.tensors}
    for tensor in plan.tensors:
        if not has_type(tensor.dtype):
            raise SpecError(
                f"HDF5 has no form for {tensor.dtype.name}",
                tensor.place,
                hint="use safetensors, or another dtype",
            )
        _check_name(tensor, names)
    metadata = make_metadata(plan)
    contents = Contents(plan.tensors, {"/": {KEY: metadata}})
    file = FileLayout(begin=partial(begin_file, contents=contents), contents=contents)
    nbytes = plan.nbytes + estimate_container(plan.tensors, metadata)
    return Layout((file,), nbytes, metadata={KEY: metadata})


def estimate_container(tensors: Sequence[TensorPlan], metadata: str) -> int:
    """The bytes of a file beside its tensors' values: more than any version of the library takes.

    Names lie in a heap for each group, which doubles as it grows and leaves the old one behind.
    """
    groups = set()
    nbytes = 16_384 + 2 * len(metadata.encode())
    for tensor in tensors:
        *within, last = tensor.name.split("/")
        nbytes += 700 + 16 * len(tensor.shape) + 4 * len(last.encode())
        groups |= {"/".join(within[:depth]) for depth in range(1, len(within) + 1)}
    names = (group.rpartition("/")[2] for group in groups)
    return nbytes + sum(1_600 + 4 * len(name.encode()) for name in names)


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
    contents: Contents,
    make_type: Callable[[Any, DType], Any] = make_type,
) -> tuple[Region, ...]:
    """Make the file at `path` and return where each tensor's bytes belong.

    `make_type` gives the HDF5 type of a dtype where it is not the usual one.
    """
    h5py = import_h5py()
    tensors = contents.tensors
    regions = []
    with map_errors(), open_to_write(h5py, path) as file:
        creation, link = _make_properties(h5py)
        types = {dtype.name: make_type(h5py, dtype) for dtype in {t.dtype for t in tensors}}
        for tensor in sorted(tensors, key=lambda t: t.name.encode()):
            kind, space = types[tensor.dtype.name], _make_space(h5py, tensor.shape)
            name = tensor.name.encode()
            dataset = h5py.h5d.create(file.id, name, kind, space, dcpl=creation, lcpl=link)
            offset = dataset.get_offset()
            # An empty dataset has no place in the file, and needs none.
            regions.append(Region(tensor, offset or 0))
        for item, texts in contents.attributes.items():
            _write_attributes(file[item], texts)
    return tuple(sorted(regions, key=lambda region: region.offset))  # neighbours in the file too


def _write_attributes(item: Any, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        item.attrs[name] = text


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


FORMAT = Format("hdf5", lay_out, read_index, fits_pipe=False, read_attributes=read_attributes)
