# ruff: noqa: E501  # lines of the package, as they are and as they become
"""The recipes of docs/architecture.md, each followed in a copy of the package.

Something small and new is added by exactly the files that the page names, and then used as any
other. So a recipe that forgets a file, or names one too many, fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

# What is done to a file: an anchor in its text, and what stands in its place; for a new file
# (no anchor), its text.
Edits = dict[str, list[tuple[str, str]]]


class Copy:
    """A copy of the package and its golden program, into which a recipe is followed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        made = shutil.ignore_patterns("__pycache__", "build")
        shutil.copytree(ROOT / "xavinit", folder / "xavinit", ignore=made)
        shutil.copytree(ROOT / "tests" / "golden", folder / "tests" / "golden", ignore=made)

    def follow(self, recipe: str, edits: Edits) -> None:
        """Edit the files of a recipe: those that the page names, no other."""
        named = find_files(recipe)
        missing = [file for file in edits if not any(file.startswith(name) for name in named)]
        unused = [name for name in named if not any(file.startswith(name) for file in edits)]
        assert not missing, f"the page does not name {missing}"
        assert not unused, f"the page names {unused}, which were not needed"
        for file, changes in edits.items():
            path = self.folder / file
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            for anchor, new in changes:
                assert text.count(anchor) == 1 or not text, f"{file}: {anchor}"
                text = text.replace(anchor, new) if text else new
            path.write_text(text, encoding="utf-8")

    def run(self, *command: str, **variables: str) -> str:
        """Run the copy's command line; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def write_spec(self, **spec: Any) -> str:
        (self.folder / "s.json").write_text(json.dumps(spec), encoding="utf-8")
        return "s.json"

    def load(self, code: str, **variables: str) -> Any:
        """Run a program with the copy's package; the JSON that it printed."""
        (self.folder / "program.py").write_text(code, encoding="utf-8")
        return json.loads(self.run("program", **variables))


def find_files(recipe: str) -> list[str]:
    """The files and folders that a recipe names as those to edit."""
    (text,) = re.findall(rf"^\* \*\*{re.escape(recipe)}\*\*:(.*?)(?=^\* |\Z)", PAGE, re.M | re.S)
    return re.findall(r"`((?:xavinit|tests)/[\w/]*(?:\.py|/))`", text)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_every_recipe_is_followed_here() -> None:
    """But for keys of a tensor: what they mean may lie anywhere."""
    recipes = set(re.findall(r"^\* \*\*(.*?)\*\*:", PAGE, re.M))
    followed = re.findall(r'follow\(\s*"([^"]+)"', Path(__file__).read_text(encoding="utf-8"))
    assert recipes - {"a key of a tensor"} == set(followed)


def test_an_initializer_that_scales_the_variance(copy: Copy) -> None:
    copy.follow(
        "an initializer that scales the variance",
        {
            "xavinit/inits.py": [
                (
                    '    "lecun": ("fan_in", 1.0),\n',
                    '    "lecun": ("fan_in", 1.0),\n    "wide": ("fan_out", 2.0),\n',
                )
            ],
            "tests/golden/contract.py": [
                ("FAMILIES = {", 'FAMILIES = {\n    "wide": ("fan_out", 2.0),')
            ],
        },
    )
    spec = copy.write_spec(tensors={"w": {"shape": [8, 2], "init": "wide_normal"}})
    (tensor,) = json.loads(copy.run("xavinit", "plan", spec, "--json"))["tensors"]
    assert tensor["law"] == {"type": "normal", "std": 2 * (1 / 8) ** 0.5}
    copy.run("xavinit", "generate", spec, "-o", "w.safetensors")


def test_an_initializer_of_another_kind(copy: Copy) -> None:
    copy.follow(
        "an initializer of another kind",
        {
            "xavinit/inits.py": [
                (
                    "class VarianceScaling(Init,",
                    "class Half(Init, frozen=True, kw_only=True):\n"
                    '    """Half of a number everywhere."""\n\n'
                    '    name: str = "half"\n'
                    '    twice: Annotated[Number, Meta(description="Twice the number.")]\n\n\n'
                    "class VarianceScaling(Init,",
                ),
                ('    "zeros": Zeros,', '    "half": Half,\n    "zeros": Zeros,'),
            ],
            "xavinit/spec/convert.py": [
                ('    "bound": (', '    "twice": ("must be a finite number",),\n    "bound": (')
            ],
            "xavinit/plan/initializers.py": [
                (
                    "        case inits.Uniform(",
                    "        case inits.Half(twice=twice):\n"
                    "            return Constant(twice / 2)\n"
                    "        case inits.Uniform(",
                )
            ],
        },
    )
    init = {"type": "half", "twice": 3}
    spec = copy.write_spec(tensors={"w": {"shape": [8], "init": init}})
    (tensor,) = json.loads(copy.run("xavinit", "plan", spec, "--json"))["tensors"]
    assert tensor["law"] == {"type": "constant", "value": 1.5}
    copy.run("xavinit", "generate", spec, "-o", "w.safetensors")
    assert '"half"' in copy.run("xavinit", "schema")


def test_a_dtype(copy: Copy) -> None:
    """One whose code of -0 is its NaN, by both kernels: the native one does not know it."""
    copy.follow(
        "a dtype",
        {
            "xavinit/dtypes.py": [
                (
                    '        _make_integer("int64",',
                    '        DType("float8_e4m3b11fnuz", "float", 8, -30.0, 30.0, 3, -10,\n'
                    "              has_negative_zero=False),\n"
                    '        _make_integer("int64",',
                )
            ],
            "xavinit/formats/safetensors.py": [
                (
                    '    "uint8": "U8",',
                    '    "float8_e4m3b11fnuz": "F8_E4M3B11FNUZ",\n    "uint8": "U8",',
                )
            ],
        },
    )
    spec = copy.write_spec(
        tensors={
            "w": {"shape": [300, 300], "dtype": "float8_e4m3b11fnuz"},
            "z": {
                "shape": [2],
                "dtype": "float8_e4m3b11fnuz",
                "init": {"type": "constant", "value": -0.0},
            },
        }
    )
    files = set()
    for kernel in ("native", "numpy"):
        if kernel == "native":
            pytest.importorskip("xavinit.streams._kernel")
        copy.run("xavinit", "generate", spec, "-o", f"{kernel}.safetensors", XAVINIT_KERNEL=kernel)
        files.add((copy.folder / f"{kernel}.safetensors").read_bytes())
    (data,) = files
    assert b"F8_E4M3B11FNUZ" in data
    assert b"\x80" not in data[-90_002:]  # its NaN
    assert data[-2:] == b"\0\0"


def test_a_format(copy: Copy) -> None:
    """One that aligns each tensor to 32 bytes: the same by file and by pipe, and read back."""
    copy.follow(
        "a format",
        {
            "xavinit/formats/toy.py": [("", TOY_FORMAT)],
            "xavinit/formats/known.py": [
                ('    "npy": (".npy",),', '    "npy": (".npy",),\n    "toy": (".toy",),')
            ],
            "xavinit/choices.py": [('"keras", "npy"]', '"keras", "npy", "toy"]')],
        },
    )
    spec = copy.write_spec(tensors={"b": [3, 5], "a": [2, 3], "c": {"shape": [7], "init": "ones"}})
    assert "toy" in copy.run("xavinit", "generate", spec, "-o", "w.toy", "--json")
    copy.run("xavinit", "generate", spec, "-o", "w.safetensors")
    made = (copy.folder / "w.toy").read_bytes()
    assert len(made) == 64 + 64 + 32 + 28
    program = "import json, xavinit; print(json.dumps([xavinit.digest(p) for p in {}]))"
    ours, theirs = copy.load(program.format(["w.toy", "w.safetensors"]))
    assert ours == theirs
    piped = (
        "import io, json, xavinit; pipe = io.BytesIO();"
        "xavinit.generate('s.json', pipe, format='toy'); print(json.dumps(pipe.getvalue().hex()))"
    )
    assert bytes.fromhex(copy.load(piped)) == made


def test_a_layer_type(copy: Copy) -> None:
    copy.follow(
        "a layer type",
        {
            "xavinit/spec/layer_types.py": [
                (
                    "class LayerGroup(",
                    'class Scale(LayerKeys, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="scale"):\n'
                    '    """A factor for each channel."""\n\n'
                    "    size: _Size\n\n\n"
                    "class LayerGroup(",
                ),
                (
                    "        MultiHeadAttention,\n    )",
                    "        MultiHeadAttention,\n        Scale,\n    )",
                ),
            ],
            "xavinit/layers/pytorch.py": [
                (
                    '    "rms_norm": _list_rms_norm,',
                    '    "rms_norm": _list_rms_norm,\n    "scale": _list_rms_norm,',
                ),
                ('    "rms_norm": "RMSNorm",', '    "rms_norm": "RMSNorm",\n    "scale": "Scale",'),
            ],
            "xavinit/layers/keras.py": [
                (
                    '    "rms_norm": _list_rms_norm,',
                    '    "rms_norm": _list_rms_norm,\n    "scale": _list_rms_norm,',
                ),
                (
                    '    "rms_norm": "RMSNormalization",',
                    '    "rms_norm": "RMSNormalization",\n    "scale": "Scale",',
                ),
            ],
            "xavinit/layers/flax.py": [
                (
                    '    "rms_norm": _list_rms_norm,',
                    '    "rms_norm": _list_rms_norm,\n    "scale": _list_rms_norm,',
                ),
                ('    "rms_norm": "RMSNorm",', '    "rms_norm": "RMSNorm",\n    "scale": "Scale",'),
            ],
        },
    )
    spec = copy.write_spec(layers=[{"name": "x", "type": "scale", "size": 4, "init": "ones"}])
    names = {}
    for framework in ("pytorch", "keras", "flax"):
        shown = copy.run("xavinit", "plan", spec, "--json", "--framework", framework)
        (names[framework],) = (t["name"] for t in json.loads(shown)["tensors"])
    assert names == {"pytorch": "x.weight", "keras": "x/scale", "flax": "params.x.scale"}
    copy.run("xavinit", "generate", spec, "--framework", "keras", "-o", "x.weights.h5")
    assert '"Scale"' in copy.run("xavinit", "schema")


def test_a_key_of_a_layer(copy: Copy) -> None:
    """The size of a norm, times a number."""
    copy.follow(
        "a key of a layer",
        {
            "xavinit/spec/layer_types.py": [
                (
                    '    """Normalization by the root mean square over the last axis, with a scale."""\n',
                    '    """Normalization by the root mean square over the last axis, with a scale."""\n\n'
                    "    copies: Expression = 1\n",
                )
            ],
            "xavinit/spec/convert.py": [
                ('    "groups": (', '    "copies": (_INTEGER,),\n    "groups": (')
            ],
            "xavinit/layers/layer.py": [
                ("    groups: int = 1\n", "    groups: int = 1\n    copies: int = 1\n")
            ],
            "xavinit/spec/network.py": [
                (
                    '        groups=read("groups")[0],',
                    '        copies=read("copies")[0],\n        groups=read("groups")[0],',
                )
            ],
            "xavinit/layers/pytorch.py": [
                (
                    "    return _list_norm(sizes)[:1]",
                    "    return (_make_weight((sizes.outs[0] * sizes.copies,), Axes(), ONES),)",
                )
            ],
        },
    )
    layer = {"name": "x", "type": "rms_norm", "size": 4, "copies": 3}
    (tensor,) = json.loads(copy.run("xavinit", "plan", copy.write_spec(layers=[layer]), "--json"))[
        "tensors"
    ]
    assert tensor["shape"] == [12]


def test_a_framework(copy: Copy) -> None:
    copy.follow(
        "a framework",
        {
            "xavinit/layers/toy.py": [("", TOY_FRAMEWORK)],
            "xavinit/choices.py": [('"keras", "pytorch"]', '"keras", "pytorch", "toy"]')],
        },
    )
    spec = copy.write_spec(layers=[{"name": "x", "type": "dense", "in": 2, "out": 3}])
    shown = copy.run("xavinit", "plan", spec, "--json", "--framework", "toy")
    assert [(t["name"], t["shape"]) for t in json.loads(shown)["tensors"]] == [
        ("x:kernel", [2, 3]),
        ("x:bias", [3]),
    ]
    copy.run("xavinit", "generate", spec, "--framework", "toy", "-o", "w.safetensors")
    assert b'"format":"toy"' in (copy.folder / "w.safetensors").read_bytes()
    assert "toy" in copy.run("xavinit", "generate", "--help")


def test_a_stream(copy: Copy) -> None:
    """No key of a spec asks for another one yet; a plan can."""
    copy.follow(
        "a stream",
        {
            "xavinit/streams/toy.py": [("", TOY_STREAM)],
            "xavinit/streams/__init__.py": [
                ("STREAMS = {", 'STREAMS = {\n    "toy": "xavinit.streams.toy",\n   ')
            ],
        },
    )
    copy.write_spec(seed=3, tensors={"w": {"shape": [2, 2], "dtype": "float32"}})
    program = (
        "import json, xavinit\nfrom msgspec.structs import replace\n"
        "plan = replace(xavinit.make_plan('s.json'), stream='toy')\n"
        "xavinit.generate(plan, 'w.safetensors')\n"
        "print(json.dumps(xavinit.draw(plan)['w'].tolist()))"
    )
    assert copy.load(program) == [[3, 3], [3, 3]]
    data = (copy.folder / "w.safetensors").read_bytes()
    assert data.endswith(struct.pack("<4f", 3, 3, 3, 3))


def test_a_verb(copy: Copy) -> None:
    copy.follow(
        "a verb",
        {
            "xavinit/verbs/count.py": [("", TOY_VERB)],
            "xavinit/__init__.py": [
                ('    "digest",\n', '    "count",\n    "digest",\n'),
                ("_HOMES = {\n", '_HOMES = {\n    "count": "xavinit.verbs.count",\n'),
            ],
            "xavinit/cli/count.py": [("", TOY_COMMAND)],
            "xavinit/cli/__init__.py": [
                (
                    "from xavinit.cli.generate import generate\n",
                    "from xavinit.cli.count import count\n"
                    "from xavinit.cli.generate import generate\n",
                ),
                ("    check, completion, ", "    check, completion, count, "),
            ],
        },
    )
    spec = copy.write_spec(tensors={"w": [3, 4]})
    assert copy.run("xavinit", "count", spec) == "12\n"
    assert copy.load("import xavinit; print(xavinit.count('s.json'))") == 12


def test_a_template(copy: Copy) -> None:
    copy.follow(
        "a template",
        {
            "xavinit/templates/one.yaml": [("", "# One tensor.\ntensors: {w: [3, 4]}\n")],
            "xavinit/verbs/new.py": [
                ("TEMPLATES = {\n", 'TEMPLATES = {\n    "one": "a single tensor",\n')
            ],
        },
    )
    assert copy.run("xavinit", "new").split()[:2] == ["one", "a"]
    assert copy.run("xavinit", "new", "one") == "# One tensor.\ntensors: {w: [3, 4]}\n"


TOY_FRAMEWORK = """
from xavinit.layers import keras
from xavinit.layers.layer import Framework

FRAMEWORK = Framework(
    name="toy",
    checked="1.0",
    tag="toy",
    find_class=keras.find_class,
    list_variables=keras.list_variables,
    name_module=keras.name_module,
    name_variable=lambda module, variable: f"{module}:{variable.name}",
)
"""

TOY_STREAM = """
import struct

from xavinit.streams.stream import split_tensor


class Seeds:
    name = "toy"
    is_ordered = False

    def __init__(self, seed):
        self.seed = seed

    def split(self, tensor, buffers):
        return split_tensor(tensor)

    def make_fill(self):
        def fill(out, tensor, start, stop):
            out[:] = struct.pack("<f", self.seed) * (stop - start)

        return fill


make_stream = Seeds
"""

TOY_COMMAND = """
from __future__ import annotations

import click

import xavinit
from xavinit.cli.group import Command
from xavinit.cli.options import spec_options
from xavinit.console import print_text


@click.command(cls=Command)
@spec_options
def count(spec, debug, **overrides):
    '''Count the parameters of SPEC.'''
    print_text(str(xavinit.count(spec, **overrides)))
"""

TOY_VERB = """
from xavinit.verbs.prepare import make_plan


def count(spec, **overrides):
    return make_plan(spec, **overrides).parameters
"""


TOY_FORMAT = '''
import json

from xavinit.dtypes import DTYPES
from xavinit.formats.layout import Format, Layout, lay_out_file
from xavinit.formats.stored import Index, PlainRange, StoredTensor

HEAD = 64


def lay_out(plan):
    """A head of 64 bytes with the names' shapes, then each tensor at a multiple of 32."""
    shapes = {tensor.name: tensor.shape for tensor in plan.tensors}
    file = lay_out_file("", json.dumps(shapes).encode()[:HEAD].ljust(HEAD), plan.tensors, 32)
    return Layout((file,), file.nbytes)


def read_index(path):
    with open(path, "rb") as file:
        shapes = json.loads(file.read(HEAD))
    place, tensors = HEAD, []
    for name, shape in shapes.items():
        tensor = StoredTensor(name, DTYPES["float32"], tuple(shape), PlainRange(path, place))
        tensors.append(tensor)
        place += tensor.nbytes + -tensor.nbytes % 32
    return Index(path, tuple(tensors), {})


FORMAT = Format("toy", lay_out, read_index)
'''
