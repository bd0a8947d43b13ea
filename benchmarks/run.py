"""Measure xavinit beside what one would otherwise use. `make bench`, or

    python benchmarks/run.py [--runs N] [--large] [--only NAME]...

Whole processes, in turns, in a temporary folder (TMPDIR says where) that is removed. xavinit
waits until its file is on the disk (fsync), the peers do not; `disk` writes as many zeros from a
ready buffer and waits too. Before each run all pending writes are waited for, untimed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from measure import Program, Result, measure

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "sample_specs" / "mnist_mlp.yaml"
PEERS = {"numpy": "numpy_peer.py", "torch": "torch_peer.py", "jax": "jax_peer.py"}
# The peers whose numbers an rng draws: a script, the rng, and what the peer's normal law is here.
RNGS = {
    "torch": ("torch_peer.py", "torch-2.13", "normal"),
    "keras": ("keras_peer.py", "keras-3.15", "truncated_normal"),
}


class Size(NamedTuple):
    """So many float32 matrices of one shape; the names are those of the spec's dims."""

    blocks: int
    rows: int
    columns: int = 4096

    @property
    def nbytes(self) -> int:
        return self.blocks * self.rows * self.columns * 4

    def __str__(self) -> str:
        return f"{self.blocks} × {self.rows}×{self.columns}, {self.nbytes / 1e6:,.0f} MB"


SMALL, USUAL, LARGE = Size(12, 512), Size(12, 4096), Size(150, 4096)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds (5)")
    parser.add_argument("--large", action="store_true", help="10 GB too: takes minutes")
    parser.add_argument("--only", choices=JOBS, action="append", help="this job only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xavinit-bench-") as folder:
        peers = show_setting(Path(folder))
        for name in options.only or JOBS:
            JOBS[name](Path(folder), options, peers)


def show_setting(folder: Path) -> list[str]:
    """Print what runs where; return the peers that are installed."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"{platform.system()} {platform.machine()}, {cores} cores, "
        f"load {os.getloadavg()[0]:.1f} before the start, Python {platform.python_version()}"
    )
    ours = ask(folder, sys.executable, "-m", "xavinit", "--version")
    if not ours:
        raise SystemExit(f"xavinit does not run in {sys.executable}: pip install .")
    print(f"  {'xavinit':<8} {ours.removeprefix('xavinit ')}")
    installed = []
    for peer, script in PEERS.items():
        # This also reads the peer's libraries once, so that no timed run is the first to.
        answer = ask(folder, sys.executable, str(HERE / "peers" / script), "--version")
        print(f"  {peer:<8} {answer or 'not installed here: left out'}")
        if answer:
            installed.append(peer)
    return installed


def ask(folder: Path, *command: str) -> str:
    """What a command prints, empty where it fails; not in the source tree, which would import."""
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return run.stdout.strip() if run.returncode == 0 else ""


def is_editable() -> bool:
    """Is xavinit installed as a link to its source? Then Python starts slower."""
    text = importlib.metadata.distribution("xavinit").read_text("direct_url.json") or "{}"
    return bool(json.loads(text).get("dir_info", {}).get("editable"))


def make_command(spec: Path, *options: str) -> tuple[str, ...]:
    """What generates a spec's file."""
    command = (sys.executable, "-m", "xavinit", "generate", str(spec), "-q", "-o", "{out}")
    return (*command, *options)


def list_sizes(options: argparse.Namespace) -> list[Size]:
    return [SMALL, USUAL, *([LARGE] if options.large else [])]


def make_programs(law: str, size: Size, peers: list[str], folder: Path) -> list[Program]:
    """xavinit, the peers and the disk, for one law and size."""
    spec = folder / f"{law}.yaml"
    text = (HERE / "spec.yaml").read_text("utf-8")
    spec.write_text(text.replace("glorot_uniform", f"glorot_{law}"), "utf-8")
    python, dims = sys.executable, [str(number) for number in size]
    sets = [f"--set={name}={value}" for name, value in zip(size._fields, dims, strict=True)]
    return [
        Program("xavinit", make_command(spec, *sets)),
        *(
            Program(peer, (python, str(HERE / "peers" / script), law, *dims, "{out}"))
            for peer, script in [*PEERS.items(), ("disk", "disk.py")]
            if peer in peers or peer == "disk"
        ),
    ]


def bench_law(law: str, folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    programs = make_programs(law, USUAL, peers, folder)
    results = measure(programs, folder, options.runs, USUAL.nbytes)
    show(f"{law}, float32: {USUAL}", results, USUAL.nbytes)


def bench_uniform(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    bench_law("uniform", folder, options, peers)


def bench_normal(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    bench_law("normal", folder, options, peers)


def bench_same_seed(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    """The numbers that a framework draws from the same seed, by it and without it."""
    for peer, (script, rng, normal) in RNGS.items():
        path = str(HERE / "peers" / script)
        if not ask(folder, sys.executable, path, "--version"):
            continue
        for law in ("uniform", "normal"):
            ours, *_ = make_programs(law if law == "uniform" else normal, USUAL, [], folder)
            dims = [str(number) for number in USUAL]
            programs = [
                ours._replace(command=(*ours.command, "--rng", rng)),
                Program(peer, (sys.executable, path, law, *dims, "{out}")),
            ]
            results = measure(programs, folder, options.runs, USUAL.nbytes)
            show(f"{rng}, {law}: {USUAL}", results, USUAL.nbytes)


def bench_bfloat16(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    """Half the bytes of the same elements: are the bytes as fast?"""
    single, *_, disk = make_programs("normal", USUAL, [], folder)
    half = Program("bfloat16", (*single.command, "--dtype", "bfloat16"))
    results = measure([half, single._replace(name="float32"), disk], folder, options.runs, 0)
    show(f"normal, bfloat16 beside float32: {USUAL} in float32", results, USUAL.nbytes // 2)


def bench_kernels(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    ours = make_programs("normal", USUAL, [], folder)[0]
    programs = [
        ours,
        Program("numpy kernel", ("env", "XAVINIT_KERNEL=numpy", *ours.command)),
    ]
    results = measure(programs, folder, options.runs, USUAL.nbytes)
    show(f"kernels, normal: {USUAL}", results, USUAL.nbytes)


def bench_threads(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    for law in ("uniform", "normal"):
        ours = make_programs(law, USUAL, [], folder)[0]
        programs = [Program(f"-j {j}", (*ours.command, "-j", str(j))) for j in (1, 2, 4)]
        results = measure(programs, folder, options.runs, USUAL.nbytes)
        show(f"threads, {law}: {USUAL}", results, USUAL.nbytes)


def bench_sizes(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    for size in list_sizes(options):
        programs = make_programs("normal", size, [], folder)
        results = measure(programs, folder, options.runs, size.nbytes)
        show(f"size, normal: {size}", results, size.nbytes)


def bench_views(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    """The same layers as PyTorch's file, and transposed as Keras's and Flax's."""
    spec = folder / "layers.yaml"
    layers = "layers: [{name: 'fc.{12}', type: dense, in: 4096, out: 4096, bias: false}]"
    spec.write_text(layers, "utf-8")
    frameworks = ("pytorch", "flax")
    programs = [Program(name, make_command(spec, "--framework", name)) for name in frameworks]
    results = measure(programs, folder, options.runs, USUAL.nbytes)
    show(f"views, uniform: {USUAL}", results, USUAL.nbytes)


def bench_tiny(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    """A hundred thousand tensors of 64 elements: what each costs."""
    spec = folder / "tiny.yaml"
    spec.write_text("tensors: {'t.{100000}': {shape: [8, 8]}}", "utf-8")
    programs = [
        Program("xavinit", make_command(spec)),
        Program("--dry-run", make_command(spec, "--dry-run")),
    ]
    results = measure(programs, folder, options.runs, 0)
    show("100,000 tensors of 8×8", results, 0)


def bench_memory(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    """Does the peak follow the size? One run a size: memory hardly varies."""
    for size in list_sizes(options):
        programs = make_programs("normal", size, peers, folder)
        results = measure(programs, folder, 1, size.nbytes)
        show(f"memory, normal: {size}", results, size.nbytes)


def bench_start(folder: Path, options: argparse.Namespace, peers: list[str]) -> None:
    """A small model, where only the start counts."""
    if is_editable():
        print("\nxavinit is an editable install, which starts slower: the next table is no figure.")
    script = Path(sys.executable).with_name("xavinit")  # as installed beside this Python
    generate = ("generate", str(SAMPLE), "-q", "-o", "{out}")
    programs = [
        Program("xavinit", (str(script), *generate)),
        Program("import numpy", (sys.executable, "-c", "import numpy")),
        Program("python", (sys.executable, "-c", "pass")),
    ]
    results = measure(programs, folder, 4 * options.runs + 1, 0)
    results = [Result(result.name, result.runs[1:]) for result in results]  # the first warms up
    show(f"cold start: {SAMPLE.name}", results, 0)


JOBS = {
    "uniform": bench_uniform,
    "normal": bench_normal,
    "same-seed": bench_same_seed,
    "bfloat16": bench_bfloat16,
    "kernels": bench_kernels,
    "threads": bench_threads,
    "sizes": bench_sizes,
    "views": bench_views,
    "tiny": bench_tiny,
    "memory": bench_memory,
    "start": bench_start,
}


def show(title: str, results: list[Result], nbytes: int) -> None:
    """A table; the ratios are to xavinit: 2.00 is twice as much as xavinit."""
    ours = results[0]
    rounds = len(ours.runs)
    print(f"\n{title} ({rounds} run{'s' * (rounds > 1)}, median; ratios to xavinit)")
    print(
        f"  {'':<13}{'seconds':>8}{'ratio':>7}  {'least–most':<14}{'peak MB':>8}{'ratio':>7}",
        end="",
    )
    print(f"{'MB/s':>8}" if nbytes else "")
    for result in results:
        low, high = result.spread
        print(
            f"  {result.name:<13}{result.seconds:>8.3f}{result.seconds / ours.seconds:>7.2f}"
            f"  {f'{low:.3f}–{high:.3f}':<14}"
            f"{result.peak / 1e6:>8.0f}{result.peak / ours.peak:>7.2f}"
            + (f"{nbytes / 1e6 / result.seconds:>8.0f}" if nbytes else ""),
            flush=True,
        )


if __name__ == "__main__":
    main()
