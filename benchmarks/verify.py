"""Measure `xavinit verify` of a file in memory beside drawing it alone.

    python benchmarks/verify.py [--runs N]

Whole processes, in turns. `draw` is `xavinit generate SPEC -o /dev/null`: what every comparison
must do at least. The file has just been written, so that the system still has it in memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measure import Program, Result, measure, run_once
from run import USUAL, make_command, show_setting

HERE = Path(__file__).resolve().parent
FILES = {"safetensors": "w.safetensors", "hdf5": "w.h5"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds (5)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xavinit-bench-") as name:
        folder = Path(name)
        show_setting(folder)
        spec = folder / "spec.yaml"
        text = (HERE / "spec.yaml").read_text("utf-8")
        for law in ("uniform", "normal"):
            spec.write_text(text.replace("glorot_uniform", f"glorot_{law}"), "utf-8")
            for file in FILES.values():
                written = make_command(spec, "--force")
                run_once(Program("write", written), folder / file)
            show(law, measure(list_programs(spec, folder), folder, options.runs, 0))


def list_programs(spec: Path, folder: Path) -> list[Program]:
    verify = (sys.executable, "-m", "xavinit", "verify", "-q", "--spec", str(spec))
    draw = (sys.executable, "-m", "xavinit", "generate", str(spec), "-q", "-o", "/dev/null")
    return [
        Program("draw", draw),
        *(Program(name, (*verify, str(folder / file))) for name, file in FILES.items()),
    ]


def show(law: str, results: list[Result]) -> None:
    print(f"\nverify, {law}, float32: {USUAL}")
    draw = results[0].seconds
    for result in results:
        least, most = result.spread
        print(
            f"  {result.name:<12} {result.seconds:6.2f} s ({least:.2f} to {most:.2f}), "
            f"{result.seconds / draw:.2f} × draw, peak {result.peak / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()
