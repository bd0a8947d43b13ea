"""No peer but the floor: as many zero bytes from a ready buffer, written and synced."""

from __future__ import annotations

import os
import sys

if sys.argv[1:] == ["--version"]:
    print(f"{os.uname().sysname} {os.uname().release}")
else:
    _, count, rows, columns, out = sys.argv[1:]
    piece = bytes(1 << 22)
    left = int(count) * int(rows) * int(columns) * 4
    with open(out, "wb", buffering=0) as file:
        while left:
            left -= file.write(piece[:left])
        os.fsync(file.fileno())
