"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

HEAD = 262  # bytes that are looked at

SAFETENSORS = "a safetensors file"
HDF5 = "an HDF5 file"
NPY = "a NumPy file"
ZIP = "a zip archive, as .pt, .npz and .keras files are"
OLD_PICKLE = "a pickle, as old .pt files are"

# What they begin with. Those of plain letters begin no spec.
_STARTS = (
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"\x93NUMPY", NPY),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x80\x02", OLD_PICKLE),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"GGUF", "a GGUF file"),
    (b"%PDF-", "a PDF"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"version https://g", "a pointer of Git LFS: fetch the file itself (git lfs pull)"),
)


def find_kind(head: bytes) -> str | None:
    """What a file with this beginning is, with its article; None for a text.

    >>> find_kind(b"%PDF-1.7"), find_kind(b"tensors: {}")
    ('a PDF', None)
    """
    # The length of the header, which is below 2⁴⁰, and the header. First of all: the length may be
    # any number, as that with which a pickle begins.
    if head[5:9] == b"\0\0\0{":
        return SAFETENSORS
    for start, kind in _STARTS:
        if head[:HEAD].startswith(start):
            return kind
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite file"
    if head[257:262] == b"ustar":
        return "a tar archive, as the oldest .pt files are"
    return None


def is_yaml(head: bytes) -> bool:
    """May a file with this beginning be YAML? JSON is not meant, though YAML takes it.

    >>> is_yaml(b"seed: 1"), is_yaml(b'{"weight_map": {}}'), is_yaml(b"PK")
    (True, False, True)
    """
    return find_kind(head) is None and b"\0" not in head and not head.lstrip().startswith(b"{")
