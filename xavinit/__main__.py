"""`python -m xavinit`, and where the installed command begins."""

from __future__ import annotations

import os


def run() -> None:
    """The command line, silent on an interrupt also while its modules are still being loaded."""
    try:
        from xavinit.process import main

        main()
    except KeyboardInterrupt:
        os._exit(130)


if __name__ == "__main__":
    run()
