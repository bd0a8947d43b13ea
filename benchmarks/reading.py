"""Measure reading a weights file beside what one would otherwise do. In `make bench`, or

    python benchmarks/reading.py [--runs N] [--jobs N] [--only NAME]...

Whole processes, in turns, over one file of 805 MB that is in the system's memory: every tensor's
mean, standard deviation, least and largest value, and a histogram. `sha256sum` only reads it;
`generate` draws the same tensors and writes them nowhere.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Program, measure
from run import HERE, USUAL, ask, make_command, make_programs, show, show_setting

OURS = HERE / "peers" / "xavinit_reader.py"
READERS = {"safetensors": "numpy_reader.py", "torch": "torch_reader.py"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds (5)")
    parser.add_argument("--jobs", type=int, help="workers of xavinit (one for each core)")
    parser.add_argument("--only", choices=JOBS, action="append", help="this job only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xavinit-bench-") as folder:
        show_setting(Path(folder))
        for name in options.only or JOBS:
            JOBS[name](Path(folder), options)


def make_file(law: str, folder: Path, *options: str) -> tuple[Path, Path]:
    """The spec of a law, and its file, which is then in the system's memory."""
    make_programs(law, USUAL, [], folder)
    spec, file = folder / f"{law}.yaml", folder / f"{law}.safetensors"
    command = [part.replace("{out}", str(file)) for part in make_command(spec, *options)]
    subprocess.run([*command, "--force"], check=True)
    return spec, file


def bench_law(law: str, folder: Path, options: argparse.Namespace) -> None:
    jobs = [f"-j{options.jobs}"] if options.jobs else []
    spec, file = make_file(law, folder)
    generate = [part.replace("{out}", "/dev/null") for part in make_command(spec, *jobs)]
    programs = [
        Program("xavinit", (sys.executable, str(OURS), str(file), *jobs)),
        Program("sha256sum", ("sha256sum", str(file))),
        Program("generate", tuple(generate)),
    ]
    for name, script in READERS.items():
        path = str(HERE / "peers" / script)
        read = ask(folder, sys.executable, path, str(file), "--prepare")
        if read:
            programs.append(Program(name, (sys.executable, path, read)))
    results = measure(programs, folder, options.runs, 0)
    show(f"reading, {law}, float32: {USUAL}", results, USUAL.nbytes)
    for made in folder.glob(f"{law}.safetensors*"):
        made.unlink()


def bench_uniform(folder: Path, options: argparse.Namespace) -> None:
    bench_law("uniform", folder, options)


def bench_normal(folder: Path, options: argparse.Namespace) -> None:
    bench_law("normal", folder, options)


def bench_kernels(folder: Path, options: argparse.Namespace) -> None:
    _, file = make_file("normal", folder)
    native = (sys.executable, str(OURS), str(file))
    programs = [
        Program("xavinit", native),
        Program("numpy kernel", ("env", "XAVINIT_KERNEL=numpy", *native)),
    ]
    results = measure(programs, folder, options.runs, 0)
    show(f"reading, kernels, normal: {USUAL}", results, USUAL.nbytes)


def bench_dtypes(folder: Path, options: argparse.Namespace) -> None:
    """The same elements in half the bytes, and in twice as many."""
    programs = []
    for dtype in ("float32", "bfloat16", "float16", "float64"):
        _, file = make_file("normal", folder, "--dtype", dtype)
        file = file.rename(folder / f"{dtype}.safetensors")
        programs.append(Program(dtype, (sys.executable, str(OURS), str(file))))
    results = measure(programs, folder, options.runs, 0)
    show(f"reading, dtypes, normal: {USUAL} in float32", results, 0)


def bench_threads(folder: Path, options: argparse.Namespace) -> None:
    _, file = make_file("normal", folder)
    programs = [
        Program(f"-j {j}", (sys.executable, str(OURS), str(file), f"-j{j}")) for j in (1, 2, 4)
    ]
    results = measure(programs, folder, options.runs, 0)
    show(f"reading, threads, normal: {USUAL}", results, USUAL.nbytes)


def bench_small(folder: Path, options: argparse.Namespace) -> None:
    """Ten thousand tensors of 768 elements: what each costs."""
    spec, file = folder / "small.yaml", folder / "small.safetensors"
    spec.write_text("tensors: {'t.{10000}': {shape: [768], init: {type: normal, std: 1}}}", "utf-8")
    command = [part.replace("{out}", str(file)) for part in make_command(spec)]
    subprocess.run(command, check=True)
    programs = [Program("xavinit", (sys.executable, str(OURS), str(file)))]
    results = measure(programs, folder, options.runs, 0)
    show("reading, 10,000 tensors of 768", results, 0)


JOBS = {
    "uniform": bench_uniform,
    "normal": bench_normal,
    "kernels": bench_kernels,
    "dtypes": bench_dtypes,
    "threads": bench_threads,
    "small": bench_small,
}


if __name__ == "__main__":
    main()
