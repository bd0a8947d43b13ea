"""What the peers' scripts share: their arguments, and the fans of what they draw.

python PEER.py uniform|normal COUNT ROWS COLUMNS OUT
python PEER.py --version
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version


def run(draw_and_save: Callable[[str, list[str], tuple[int, int], str], None], *used: str) -> None:
    """Run one peer; `used` are the distributions whose versions it tells."""
    if sys.argv[1:] == ["--version"]:
        print(", ".join(f"{name} {version(name)}" for name in used))
        return
    law, count, rows, columns, out = sys.argv[1:]
    names = [f"h.{index}.weight" for index in range(int(count))]
    draw_and_save(law, names, (int(rows), int(columns)), out)
