"""Documentation that cannot rot: what it shows is run, what it quotes is compared."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoints import load
from click.testing import CliRunner

import xavinit
from xavinit.cli import cli
from xavinit.deriving import Model, derive_text
from xavinit.streams.quantile import DOUBLE, SINGLE, Precision

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def find_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.S | re.M)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader of the README has typed in its specs: those whose first line is a name."""
    path = tmp_path_factory.mktemp("readme")
    for block in find_blocks(README, "yaml"):
        if name := re.match(r"# (\w+\.yaml)\n", block):
            (path / name[1]).write_text(block)
    return path


def test_readme_commands_print_what_it_says(folder: Path) -> None:
    blocks = "".join(find_blocks(README, "console"))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for part in re.split(r"^\$ ", blocks, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if "|" in command else subprocess.STDOUT,
            check=True,
        )
        in_seconds = r"in \d+\.\d\d s"  # the one thing that differs from run to run
        assert re.sub(in_seconds, "", done.stdout) == re.sub(in_seconds, "", expected)
        assert shlex.split(command)[0] == "xavinit"


def test_readme_python_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in ("model.safetensors", "model.h5"):
        xavinit.generate("model.yaml", name, force=True)
    for block in find_blocks(README, "python"):
        exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize(
    "page", ["README.md", "docs/spec.md", "docs/frameworks.md", "docs/derive.md"]
)
def test_specs_in_the_documentation_are_valid(page: str, tmp_path: Path) -> None:
    blocks = find_blocks((ROOT / page).read_text(), "yaml")
    assert blocks
    for block in blocks:
        (tmp_path / "spec.yaml").write_text(block)
        plan = xavinit.make_plan(tmp_path / "spec.yaml")
        assert plan.tensors
        assert not plan.warnings


def test_derived_specs_in_the_documentation_are_those_of_their_checkpoints() -> None:
    blocks = find_blocks((ROOT / "docs" / "derive.md").read_text(), "yaml")
    assert len(blocks) == 3
    for block in blocks:
        found = re.match(r"# Derived from (\w+): ", block)
        assert found
        assert block == derive_text(Model(load(found[1]), title=found[1]))


def test_python_in_the_page_of_derive_runs() -> None:
    blocks = find_blocks((ROOT / "docs" / "derive.md").read_text(), "python")
    assert blocks
    for block in blocks:
        exec(compile(block, "derive.md", "exec"), {})


def make_cli_page() -> str:
    page = (
        "# The command line\n\n"
        "Exit codes: 0 done · 1 internal error · 2 usage · 3 spec · 4 input or output, missing\n"
        "library · 5 verification: something differs · 6 refused (the output exists, or must not\n"
        "be replaced) · 130, 143, 129 interrupted, terminated, hung up · 141 closed pipe.\n\n"
        "Data alone goes to standard output, everything else to standard error. What is printed\n"
        "is written whole, also to a pipe that does not block, or the exit code is 4; a message\n"
        "that standard error does not take changes no exit code. What the terminal's encoding\n"
        "lacks is replaced (`×` by `x`, other characters by escapes such as `\\u5c64`), and\n"
        "characters that would steer a terminal are escaped, in names as in arguments. JSON is\n"
        "ASCII unless the encoding is UTF-8.\n\n"
        "`plan` on a terminal is as wide as the terminal and folds what repeats: a row with\n"
        "`{0..31}` stands for 32 blocks that are alike in every tensor, `{0..30..2}` for every\n"
        "second one; its bytes are those of all. Anywhere else, each tensor is one line, for\n"
        "`grep`. `--explain` takes a name or a folded row's.\n\n"
        "`--json` gives an object on one line; of several specs, an object and a line for each.\n"
        "[json.md](json.md) describes the objects.\n\n"
        "A SPEC may be a weights file that xavinit wrote, or the folder of a set or of `.npy`\n"
        "files: it stands for the spec that it carries. `generate` then needs `-o`. It makes the\n"
        "same again, another format or framework, or with `--seed` other numbers.\n\n"
        "`verify` compares files with a spec, or with the one that each carries;\n"
        "`generate --verify` compares what would be written with what is there.\n"
        "[verify.md](verify.md) says what is compared, and what is not.\n\n"
        "Several specs go to one folder, `generate a.yaml b.yaml -o DIR/`, each under its own\n"
        "name. The folder must exist, and no two specs may have one name. All are planned and\n"
        "checked before the first byte; where a disk fails later, what is written stays.\n\n"
        "Progress is shown on a terminal alone, and only of work that lasts over a second.\n\n"
        'Completion: put `eval "$(xavinit completion bash)"` into ~/.bashrc or\n'
        '`eval "$(xavinit completion zsh)"` into ~/.zshrc, after compinit; for fish,\n'
        "`xavinit completion fish > ~/.config/fish/completions/xavinit.fish`. It knows options,\n"
        "files, dtypes and, after `--set`, the dims of the spec on the line.\n\n"
        "`XAVINIT_KERNEL=native` or `numpy` in the environment chooses the kernel. By default it\n"
        "is the native one, if it was built. Both give the same bytes.\n\n"
        "`--force` keeps the mode of the file that it replaces, and as far as the system allows\n"
        "its owner, group, access lists and extended attributes of users. Where it does not,\n"
        "fewer users can read the new file, never more, even while it is written. In a folder or\n"
        "set, files with new names get the access of its `manifest.json` or index. Set-user-ID\n"
        "bits are not kept.\n\n"
        "Only `/dev/stdout`, `/dev/stderr`, `/dev/fd/N`, `/proc/self/fd/N`, devices, FIFOs and\n"
        "sockets are written as streams. An output never replaces the spec it is made from.\n\n"
        "A sharded set has at most 2,000 shards. Each repeats the whole metadata, in all at most\n"
        "250 MB. A safetensors header has at most 100 MB.\n\n"
        "`--part I/N` and `--resume` leave what is there; a shard of another spec, seed, stream\n"
        "or size is refused (6) without `--force`. `plan --parts N` shows who would write what.\n"
        "[scale.md](scale.md) has the rules, and recipes for Slurm, Kubernetes and Dask.\n\n"
        "`--shard-name diffusion_pytorch_model.fp16` gives the stem and, after the dot, the\n"
        "variant: `diffusion_pytorch_model.fp16-00001-of-00002.safetensors` and\n"
        "`diffusion_pytorch_model.safetensors.index.fp16.json`, as diffusers names them. Its\n"
        "index counts a tied tensor once, in `total_parameters` and `total_size`, as\n"
        "transformers does. A single file is refused in a folder that holds a sharded set of\n"
        "its name.\n"
    )
    runner = CliRunner()
    for command in ([], *([name] for name in sorted(cli.commands))):
        title = " ".join(["xavinit", *command])
        shown = runner.invoke(cli, [*command, "--help"], prog_name="xavinit", terminal_width=100)
        assert shown.exit_code == 0
        page += f"\n## {title}\n\n```text\n{shown.output}```\n"
    return page


def test_the_cli_page_is_the_true_help() -> None:
    """To renew it: python tests/test_docs.py"""
    assert (ROOT / "docs" / "cli.md").read_text() == make_cli_page()


@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=["float32", "float64"])
def test_the_coefficients_stand_in_the_documentation(precision: Precision) -> None:
    text = (ROOT / "docs" / "reproducibility.md").read_text()
    parts = (precision.numerator, precision.denominator, precision.log)
    rows = []
    for k in range(len(precision.numerator)):
        cells = [f"`{part[k]}`" if k < len(part) else "" for part in parts]
        rows.append(f"| {k} | " + " | ".join(cells) + " |")
    assert "\n".join(rows) in text


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


if __name__ == "__main__":
    (ROOT / "docs" / "cli.md").write_text(make_cli_page())
