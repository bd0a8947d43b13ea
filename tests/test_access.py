"""Who may read an output that replaces another: nobody who could not read the old one."""

from __future__ import annotations

import errno
import os
import stat
import struct
from pathlib import Path
from typing import Any

import pytest

import xavinit
from xavinit.output import disk, files

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other rules")

SPEC: dict[str, Any] = {"tensors": {"a": [2, 2], "b": [2, 2]}}
OUTPUTS: dict[str, dict[str, Any]] = {
    "w.safetensors": {},
    "w.h5": {},
    "npy": {"format": "npy"},
    "shards": {"max_shard_size": 16},
}


def find_mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def list_files(path: Path) -> list[Path]:
    return sorted(path.iterdir()) if path.is_dir() else [path]


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o444, 0o400, 0o664])
@pytest.mark.parametrize("name", OUTPUTS)
def test_the_mode_is_kept(tmp_path: Path, name: str, mode: int) -> None:
    path = tmp_path / name
    xavinit.generate(SPEC, path, **OUTPUTS[name])
    for file in list_files(path):
        file.chmod(mode)
    xavinit.generate(SPEC, path, seed=1, force=True, **OUTPUTS[name])
    assert {find_mode(file) for file in list_files(path)} == {mode}
    assert xavinit.digest(path) == xavinit.digest(xavinit.draw(SPEC, seed=1))


@pytest.mark.parametrize("name", ["npy", "shards"])
def test_files_of_new_names_are_as_private_as_the_set(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    xavinit.generate(SPEC, path, **OUTPUTS[name])
    path.chmod(0o750)
    for file in list_files(path):
        file.chmod(0o600)
    other = {"tensors": {"c.{3}": [2, 2]}}
    xavinit.generate(other, path, force=True, **OUTPUTS[name])
    assert len(list_files(path)) == 4
    assert {find_mode(file) for file in list_files(path)} == {0o600}
    assert find_mode(path) == 0o750


@pytest.mark.parametrize("name", OUTPUTS)
def test_nobody_else_reads_it_while_it_is_written(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    xavinit.generate(SPEC, path, **OUTPUTS[name])
    for file in list_files(path):
        file.chmod(0o640)
    seen = []
    real = files._fill_file

    def look(file: Any, where: str, *rest: Any) -> None:
        real(file, where, *rest)
        temporary = next(p for p in (Path(where), *Path(where).parents) if "xavinit-" in p.name)
        seen.append(find_mode(temporary) & 0o077)

    monkeypatch.setattr(files, "_fill_file", look)
    xavinit.generate(SPEC, path, force=True, **OUTPUTS[name])
    assert set(seen) == {0}


def test_bits_that_run_as_somebody_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(SPEC, path)
    path.chmod(0o6755)
    xavinit.generate(SPEC, path, force=True)
    assert find_mode(path) == 0o755


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", OUTPUTS)
def test_owner_and_group_are_kept(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    xavinit.generate(SPEC, path, **OUTPUTS[name])
    for file in (path, *list_files(path)):
        os.chown(file, 1234, 4321)
    xavinit.generate(SPEC, path, force=True, **OUTPUTS[name])
    for file in (path, *list_files(path)):
        assert (file.stat().st_uid, file.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("can_keep_group", [True, False])
def test_where_the_owner_cannot_be_kept_no_other_group_gets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_keep_group: bool
) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(SPEC, path)
    path.chmod(0o664)

    def refuse(_path: str, owner: int, group: int, **_: Any) -> None:
        if owner != -1 or not can_keep_group:
            raise PermissionError(errno.EPERM, "not yours")

    monkeypatch.setattr(os, "chown", refuse)
    real = os.lstat

    def look(name: Any, **options: Any) -> os.stat_result:
        """The old file is another group's."""
        status = real(name, **options)
        if name != str(path):
            return status
        return os.stat_result((*status[:5], status.st_gid + 1, *status[6:]))

    monkeypatch.setattr(os, "lstat", look)
    xavinit.generate(SPEC, path, force=True)
    assert find_mode(path) == (0o664 if can_keep_group else 0o644)


def pack_list(*entries: tuple[int, int, int]) -> bytes:
    """A POSIX access list as Linux stores it: version 2, then tag, rights and number of each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
# The owner rw, user 1234 r, the group nothing, the mask r, others nothing: as mode 0640 looks.
LIST = pack_list((1, 6, NOBODY), (2, 4, 1234), (4, 0, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY))


def set_or_skip(path: Path, name: str, value: bytes) -> None:
    if not hasattr(os, "setxattr"):
        pytest.skip("needs extended attributes")
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"no {name} here: {error}")


def test_attributes_and_access_lists_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(SPEC, path)
    set_or_skip(path, "user.note", b"mine")
    set_or_skip(path, "system.posix_acl_access", LIST)
    xavinit.generate(SPEC, path, force=True)
    assert os.getxattr(path, "user.note") == b"mine"
    assert os.getxattr(path, "system.posix_acl_access") == LIST


def test_an_access_list_that_is_lost_opens_the_file_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(SPEC, path)
    set_or_skip(path, "system.posix_acl_access", LIST)
    assert find_mode(path) == 0o640
    monkeypatch.setattr(disk, "set_attribute", lambda *_: False)
    xavinit.generate(SPEC, path, force=True)
    assert find_mode(path) == 0o600  # the bits of the group were the list's mask


def test_what_a_folder_gives_to_new_files_does_not_open_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(SPEC, path)
    path.chmod(0o640)
    set_or_skip(tmp_path, "system.posix_acl_default", LIST)
    xavinit.generate(SPEC, path, force=True)
    assert find_mode(path) == 0o640
    assert "system.posix_acl_access" not in os.listxattr(path)
