"""Who may read and write an output: a file that replaces another is open to nobody new.

The new file gets the old one's mode and, as far as the system allows, its owner, group, access list
and the attributes of users. Where the system refuses one of them, the mode is cut rather than
widened. Until then only the user who runs this may open the new file.
"""

from __future__ import annotations

import stat

from msgspec import Struct

from xavinit.output import disk

_LISTS = ("system.posix_acl_access", "system.posix_acl_default")  # the second of folders alone
_LABEL = "security.selinux"
_GROUP = 0o070


class Access(Struct, frozen=True):
    """Mode, owner and group of a file or folder, its access lists and its other attributes."""

    mode: int
    owner: int
    group: int
    lists: tuple[tuple[str, bytes], ...]
    attributes: tuple[tuple[str, bytes], ...]


def find_access(path: str) -> Access | None:
    """The access of a file or folder; None where there is none, or only a link."""
    status = disk.find_status(path)
    if status is None or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    found = disk.list_attributes(path)
    lists = tuple(pair for pair in found if pair[0] in _LISTS)
    others = tuple(pair for pair in found if pair[0] == _LABEL or pair[0].startswith("user."))
    # Nothing of ours is to run as somebody: the bits above are not kept.
    return Access(status.st_mode & 0o777, status.st_uid, status.st_gid, lists, others)


def give_access(path: str, access: Access) -> None:
    """Give a new file or folder the access of the old one, or less; it is private before."""
    mode = access.mode
    has_group = disk.set_owner(path, access.owner, access.group)
    for name, value in access.attributes:
        disk.set_attribute(path, name, value)
    for name in _LISTS:
        disk.remove_attribute(path, name)  # what the folder gives to all that is made in it
    has_lists = has_group and all(disk.set_attribute(path, *pair) for pair in access.lists)
    if not has_group or not has_lists:
        # The bits are another group's now; or they were the mask, the most that a list gave. What
        # everybody may, a group may too.
        mode &= ~_GROUP | (mode & 0o007) << 3
    disk.set_mode(path, mode)
