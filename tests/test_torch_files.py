"""PyTorch's archives are read without unpickling: real files, and hostile ones made by hand."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import InputError
from xavinit.formats import Reader, archives, load_index, pickles, pytorch

HERE = Path(__file__).parent / "torch_files"
EXPECTED = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))


def read_values(path: Path) -> dict[str, list[Any]]:
    with Reader() as reader:
        return {
            t.name: [t.dtype.name, list(t.shape), reader.read(t, 0, t.size).hex()]
            for t in load_index(str(path)).tensors
        }


@pytest.mark.parametrize("name", EXPECTED)
def test_what_torch_saved_is_read(name: str) -> None:
    index = load_index(str(HERE / name))
    assert (index.format, index.metadata, index.labels) == ("pytorch", {}, {})
    assert read_values(HERE / name) == EXPECTED[name]


def test_every_file_here_is_expected() -> None:
    names = {path.name for path in HERE.glob("*.pt") if not path.name.startswith("refused_")}
    assert names == set(EXPECTED)


def test_what_is_no_tensor_is_counted() -> None:
    """Adam's settings and order of parameters, and the 15 plain values that stand beside them."""
    assert load_index(str(HERE / "checkpoint.pt")).skipped == 33
    assert load_index(str(HERE / "views.pt")).skipped == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sparse", 'tensor "w" is a sparse tensor, which is not read'),
        ("quantized", 'tensor "w" is a quantized tensor, which is not read'),
        ("meta", 'tensor "w" is a tensor on the device meta, which is not read'),
        ("conjugated", 'tensor "w" is a conjugated or negated view, which is not read'),
        ("script", "is a TorchScript archive, which holds a program"),
        ("legacy", "is a pickle, as old .pt files are, which is not read"),
        (
            "module",
            "is refused: the global torch.nn.modules.linear.Linear is not one that a state dict "
            "has; nothing of it was run",
        ),
    ],
)
def test_what_torch_saved_and_is_not_read_is_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        xavinit.digest(HERE / f"refused_{name}.pt")
    assert "\n" not in caught.value.describe()


# A pickle by hand, in the words of `pickle`: what torch.save writes, and what it never would.


def text(value: str) -> bytes:
    content = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(content)) + content


def number(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def tuple_of(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def dict_of(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"}(" + b"".join(key + item for key, item in pairs) + b"u"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def storage(key: str = "0", count: int = 6, kind: str = "FloatStorage") -> bytes:
    parts = (text("storage"), named("torch", kind), text(key), text("cpu"), number(count))
    return tuple_of(*parts) + b"Q"


def tensor(
    shape: tuple[int, ...] = (2, 3),
    strides: tuple[int, ...] = (3, 1),
    offset: int = 0,
    stored: bytes | None = None,
) -> bytes:
    sizes, steps = (tuple_of(*map(number, numbers)) for numbers in (shape, strides))
    args = (stored or storage(), number(offset), sizes, steps, b"\x89", b"N")
    return named("torch._utils", "_rebuild_tensor_v2") + tuple_of(*args) + b"R"


VALUES = np.arange(6, dtype="<f4")


def write(
    path: Path,
    value: bytes,
    members: dict[str, bytes] | None = None,
    how: int = zipfile.ZIP_STORED,
) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + value + b".")
        for name, content in ({"data/0": VALUES.tobytes()} | (members or {})).items():
            archive.writestr(f"archive/{name}", content)
    return path


def refuse(path: Path, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_index(str(path))
    shown = caught.value.describe()
    assert message in shown
    assert "\n" not in str(caught.value)
    assert len(shown) < 500


@pytest.mark.parametrize("order", ["little", "big"])
def test_a_pickle_by_hand(tmp_path: Path, order: str) -> None:
    stored = VALUES.astype("<f4" if order == "little" else ">f4").tobytes()
    value = dict_of(
        (text("w"), tensor()),
        (text("t"), tensor((3, 2), (1, 3))),
        (text("same"), tensor((2, 2), (0, 1), 4)),
        (number(7), dict_of((text("x"), tensor((), (), 5)), (text("n"), number(3)))),
    )
    members = {"data/0": stored, "byteorder": order.encode()}
    path = write(tmp_path / "w.pt", value, members)
    whole = VALUES.reshape(2, 3)
    arrays = {"w": whole, "t": whole.T, "same": VALUES[[[4, 5], [4, 5]]], "7.x": VALUES[5]}
    assert xavinit.digest(path) == xavinit.digest(arrays)
    assert load_index(str(path)).skipped == 1


def test_a_compressed_storage_is_refused(tmp_path: Path) -> None:
    """Tensors that share one could ask to go back in it any number of times."""
    path = write(tmp_path / "w.pt", dict_of((text("w"), tensor())), how=zipfile.ZIP_DEFLATED)
    refuse(path, 'is corrupt: tensor "w" has a compressed storage, as PyTorch never makes')


def test_views_whose_elements_lie_far_apart_count_with_what_is_read(tmp_path: Path) -> None:
    """300 × 300 elements, 4 kB from each other, of a storage of 2.4 MB: as many reads."""
    stored = storage("0", 600 * 1024)
    members = {"data/0": bytes(600 * 4096)}
    far = tensor((300, 300), (1024, 1024), stored=stored)
    near = tensor((300, 300), (1, 1024), stored=stored)
    pairs = [(text("near"), near), (text("far"), far)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "ALWAYS_EXPANDED", 0)
        patch.setattr(archives, "MOST_EXPANDED", 2)
        assert load_index(str(write(tmp_path / "w.pt", dict_of(pairs[0]), members))).tensors
        refuse(write(tmp_path / "w.pt", dict_of(*pairs), members), 'tensor "far" is refused')


def test_a_view_of_bytes_has_its_own_dtype(tmp_path: Path) -> None:
    stored = storage("0", 24, "UntypedStorage").replace(b"ctorch\n", b"ctorch.storage\n")
    sizes, steps = tuple_of(number(4)), tuple_of(number(1))
    args = (stored, number(2), sizes, steps, b"\x89", b"N", named("torch", "uint16"))
    value = named("torch._utils", "_rebuild_tensor_v3") + tuple_of(*args) + b"R"
    path = write(tmp_path / "w.pt", dict_of((text("w"), value)))
    array = np.frombuffer(VALUES.tobytes(), "<u2")[2:6]
    assert xavinit.digest(path) == xavinit.digest({"w": array})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (tensor((2, 4), (4, 1)), 'is corrupt: tensor "w" is larger than its storage of 24 bytes'),
        (tensor((2, 3), (3, 1), 1), 'is corrupt: tensor "w" is larger than its storage'),
        (tensor((2,), (2**62,)), 'is corrupt: tensor "w" is larger than its storage'),
        (tensor(stored=storage("1")), 'is corrupt: tensor "w" has no storage in it'),
        (tensor(stored=storage("../0")), 'is corrupt: tensor "w" has no storage in it'),
        (
            tensor(stored=storage("0", 7)),
            'is corrupt: tensor "w" has a storage of 28 bytes, of which there are 24',
        ),
        (tensor((2**40,), (0,)), 'tensor "w" is refused: its tensors would make over 200 times'),
        (tensor((2**62, 2**62), (0, 0)), 'tensor "w" is over 2⁶³−1 bytes'),
        (tensor((1,) * 33, (1,) * 33), 'tensor "w" must have at most 32 axes'),
        (tensor((2, 3), (-3, 1)), "_rebuild_tensor_v2 takes other arguments"),
        (tensor((2, 3), (1,)), "_rebuild_tensor_v2 takes other arguments"),
        (tensor(stored=storage(kind="UntypedStorage")), "takes other arguments"),
        (tensor(stored=storage(kind="QInt8Storage")), "is of dtype torch.qint8, unknown to"),
        (storage(), '"w" is a storage without a tensor'),
    ],
)
def test_views_that_do_not_fit(tmp_path: Path, value: bytes, message: str) -> None:
    refuse(write(tmp_path / "w.pt", dict_of((text("w"), value))), message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            dict_of((text("a.b"), tensor()), (text("a"), dict_of((text("b"), tensor())))),
            'it holds two tensors "a.b"',
        ),
        (dict_of((number(1), tensor()), (text("1"), tensor())), 'it holds two tensors "1"'),
        (dict_of((b"N", tensor())), "a key must be a text or an integer; got null"),
        (dict_of((tuple_of(b"N"), tensor())), "a key must be a text or an integer; got a tuple"),
        (dict_of((text("\ud800"), tensor())), "the name of a tensor is not UTF-8"),
        (dict_of((text("x" * 5000), tensor())), "a name must be at most 4,096 characters"),
        (b"]" * 66 + b"a" * 65, "its values are nested over 64 deep"),
        (b"(" * 1001, "it is nested over 1,000 deep"),
        (b"]q\0h\0a", "its values are nested over 64 deep"),  # a list that holds itself
        (b"h\5", "it asks for a value that it has not made"),
        (b"a", "it is cut short"),
        (b"t", "it is cut short"),
        (b"\x86", "it is cut short"),
        (b"Nq\0s", "it is cut short"),
        (b"X\xff\xff\xff\xff", "it is cut short"),
        (b"X\1\0\0\0\xff", "a text in it is not UTF-8"),
        (b"N)R", "it calls what is no global"),
        (b"(N", "it does not end with one value"),
        (b"N(NNu", "it sets keys of what is no dict"),
        (b"}(Nu", "it sets keys of what is no dict"),
        (b"NNa", "it adds values to what is no list"),
        (b"NNb", "it sets attributes of what has none"),
        (b"NQ", "it asks for what is no storage"),
        (b"\x80\x09", "its protocol is 9"),
        (b"c" + b"x" * 2000 + b"\n", "the name of a global has no end"),
        (b"NN", "it does not end with one value"),
    ],
)
def test_pickles_that_are_damaged(tmp_path: Path, value: bytes, message: str) -> None:
    refuse(write(tmp_path / "w.pt", value), message)


class Evil:
    """What calls os.system when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.place}",)


SYSTEM = f"the global {os.system.__module__}.system is not one that a state dict has"


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_calls_the_system(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps({"w": Evil(tmp_path / "evil")}, protocol)
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    # Protocols 0 and 1 begin with opcodes that torch.save does not use.
    refuse(path, SYSTEM if protocol > 1 else "is not one that a state dict has")
    assert not (tmp_path / "evil").exists()
    pickle.loads(content)  # it does what it says
    assert (tmp_path / "evil").exists()


COMMAND = text("touch evil")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"cposix\nsystem\n" + tuple_of(COMMAND) + b"R", "the global posix.system is"),
        (text("os") + text("system") + b"\x93" + tuple_of(COMMAND) + b"R", "the global os.system"),
        (b"c__builtin__\neval\n", "the global builtins.eval is not one"),
        (b"ctorch\nload\n", "the global torch.load is not one"),
        (b"ctorch.storage\n_load_from_bytes\n", "the global torch.storage._load_from_bytes is"),
        (b"c\x1b[31m\nx\n", "the global \\x1b[31m.x is not one"),
        (b"(" + COMMAND + b"iposix\nsystem\n", "the opcode INST is not one"),
        (b"(cposix\nsystem\n" + COMMAND + b"o", "the global posix.system is"),
        (b"(ccollections\nOrderedDict\no", "the opcode OBJ is not one"),
        (b"ccollections\nOrderedDict\n)\x81", "the opcode NEWOBJ is not one"),
        (b"ccollections\nOrderedDict\n)}\x92", "the opcode NEWOBJ_EX is not one"),
        (b"Pos.system\n", "the opcode PERSID is not one"),
        (b"\x82\1", "the opcode EXT1 is not one"),
        (b"N2", "the opcode DUP is not one"),
        (b"\xff", "the opcode 0xff is not one"),
        (b"ctorch\nfloat32\n)R", "a call of torch.float32 is not one"),
        (
            tuple_of(text("module"), b"cposix\nsystem\n", text("0"), text("cpu"), b"K\1") + b"Q",
            "the global posix.system is",
        ),
        (text("os.system") + b"Q", "it asks for what is no storage"),
        (
            named("torch._tensor", "_rebuild_from_type_v2")
            + tuple_of(named("torch", "device"), named("torch", "Tensor"), b")", b"N")
            + b"R",
            "_rebuild_from_type_v2 takes other arguments",
        ),
        (b"ccollections\nOrderedDict\n)R}(" + COMMAND + b"cos\nsystem\nub", "the global os.system"),
    ],
)
def test_what_a_state_dict_never_has_is_refused_by_its_name(
    tmp_path: Path, value: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refuse(write(tmp_path / "w.pt", value), message)
    assert not Path("evil").exists()


def test_a_tensor_with_attributes_is_read_and_one_of_another_class_is_not(tmp_path: Path) -> None:
    def rebuild(kind: bytes) -> bytes:
        inner = tensor().removeprefix(named("torch._utils", "_rebuild_tensor_v2"))[:-1]
        args = (named("torch._utils", "_rebuild_tensor_v2"), kind, inner, b"}")
        made = named("torch._tensor", "_rebuild_from_type_v2") + tuple_of(*args) + b"R"
        return dict_of((text("w"), made))

    kind = named("torch.nn.parameter", "Parameter")
    path = write(tmp_path / "w.pt", rebuild(kind))
    assert xavinit.digest(path) == xavinit.digest({"w": VALUES.reshape(2, 3)})
    kind = named("torch", "FloatStorage")
    message = 'tensor "w" is a tensor of the class torch.FloatStorage, which is not read'
    refuse(write(tmp_path / "w.pt", rebuild(kind)), message)


def test_lists_of_lists_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    """Thirty lists, each of which holds the one before ten times."""
    value = b"](K\1K\2eq\0"
    for _ in range(30):
        value += b"](" + b"h\0" * 10 + b"eq\0"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytorch, "MOST_VALUES", 1000)
        refuse(write(tmp_path / "w.pt", b"](" + value + b"e"), "it holds over 1,000 values")


def test_opcodes_tensors_and_bytes_have_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "w.pt", dict_of((text("w"), tensor()), (text("v"), tensor())))
    monkeypatch.setattr(pytorch, "MOST_TENSORS", 1)
    refuse(path, "it holds over 1 tensors")
    monkeypatch.setattr(pickles, "MOST_OPCODES", 10)
    refuse(path, "is corrupt at its data.pkl: it has over 10 opcodes")
    monkeypatch.setattr(pytorch, "LARGEST_TEXT", 100)
    refuse(path, 'member "archive/data.pkl" must be at most 100 B')


MADE = {
    "set": named("builtins", "set"),
    "dict": named("collections", "OrderedDict"),
    "view": named("torch._utils", "_rebuild_tensor_v2"),
}


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        ("set", b"](" + b"N" * 50 + b"e"),
        ("set", b"(" + b"N" * 50 + b"t"),
        ("dict", b"}(" + b"NN" * 50 + b"u"),
        ("dict", b"](" + b"NN\x86" * 50 + b"e"),
        ("view", b"(" + b"K\1" * 50 + b"t"),
    ],
)
def test_calls_that_copy_one_value_again_and_again_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, argument: bytes
) -> None:
    """Fifty values, memoized: each call of a few bytes copies them, or goes over them."""
    monkeypatch.setattr(pickles, "MOST_COPIED", 1000)
    if kind == "view":
        call = MADE[kind] + b"(" + storage() + b"K\0h\0h\0\x89NtR"
    else:
        call = MADE[kind] + b"h\0\x85R"
    path = write(tmp_path / "w.pt", b"](" + argument + b"q\0" + call * 21 + b"e")
    refuse(path, "is corrupt at its data.pkl: its calls take over 1,000 values")
    monkeypatch.setattr(pickles, "MOST_COPIED", 3000)
    if kind != "view":  # whose fifty axes are too many
        load_index(str(write(path, b"](" + argument + b"q\0" + call * 21 + b"e")))


def test_the_characters_of_all_names_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of a dict is there once, and in the name of each tensor in it."""
    monkeypatch.setattr(pytorch, "LARGEST_NAMES", 1000)
    entries = [(number(n), tensor()) for n in range(10)]
    for length, is_read in ((90, True), (110, False)):
        path = write(tmp_path / "w.pt", dict_of((text("k" * length), dict_of(*entries))))
        if is_read:
            assert len(load_index(str(path)).tensors) == 10
        else:
            refuse(path, ": the names in it are over 1,000 characters in all")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"byteorder": b"middle"}, 'its byte order must be little or big; got "middle"'),
        ({"constants.pkl": b""}, "is a TorchScript archive"),
        ({"code/__torch__.py": b""}, "is a TorchScript archive"),
        ({"../other/data.pkl": b""}, ""),
    ],
)
def test_other_members(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    path = write(tmp_path / "w.pt", dict_of((text("w"), tensor())), members)
    if not message:
        assert len(load_index(str(path)).tensors) == 1
        return
    with pytest.raises(InputError, match=message):
        load_index(str(path))


def test_two_pickles_in_an_archive_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "w.pt", dict_of((text("w"), tensor())))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", b"")
    refuse(path, "it holds two data.pkl")


def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "w.pt", dict_of((text("w"), tensor())))
    (stored,) = load_index(str(path)).tensors
    os.truncate(path, 200)
    with Reader() as reader, pytest.raises(InputError, match='is cut short at tensor "w"'):
        reader.read(stored, 0, 6)


def test_shards_of_pytorch_are_read_by_their_index_and_folder(tmp_path: Path) -> None:
    write(tmp_path / "pytorch_model-00001-of-00002.bin", dict_of((text("a"), tensor())))
    other = dict_of((text("b"), tensor((6,), (1,))), (text("n"), b"N"))
    write(tmp_path / "pytorch_model-00002-of-00002.bin", other)
    places = {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    expected = xavinit.digest({"a": VALUES.reshape(2, 3), "b": VALUES})
    assert xavinit.digest(tmp_path) == xavinit.digest(index) == expected
    found = load_index(str(tmp_path))
    assert (found.format, found.skipped) == ("pytorch", 1)
    index.write_text("{")
    refuse(index, "pytorch_model.bin.index.json is not a sound index: ")


def test_a_folder_with_one_file_of_pytorch(tmp_path: Path) -> None:
    write(tmp_path / "pytorch_model.bin", dict_of((text("a"), tensor())))
    assert xavinit.digest(tmp_path) == xavinit.digest({"a": VALUES.reshape(2, 3)})


def test_the_interpreter_agrees_with_python_on_plain_data() -> None:
    value = {
        "a": [1, -5, 2**40, -(2**70), 1.5, None, True, False, "é", (), (1,), (1, 2), (1, 2, 3)]
    }

    def plain(made: Any) -> Any:
        if isinstance(made, pickles.Pairs):
            return {key: plain(item) for key, item in made.pairs}
        return [plain(item) for item in made] if isinstance(made, list) else made

    for protocol in (2, 3, 4, 5):
        made = pickles.parse_pickle(pickle.dumps(value, protocol), {}, lambda found: found)
        assert plain(made) == value


def is_read(path: Path) -> bool:
    try:
        return len(xavinit.digest(path)) == 64
    except InputError as error:
        if "\n" in error.describe():
            raise
        return False


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    content = (HERE / "views.pt").read_bytes()
    path = tmp_path / "w.pt"
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(150):
        changed = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            changed[place] = rng.integers(256)
        path.write_bytes(changed)
        refused += not is_read(path)
    assert refused > 20


def test_a_pickle_of_nothing_is_a_file_without_tensors(tmp_path: Path) -> None:
    index = load_index(str(write(tmp_path / "w.pt", b"}")))
    assert (index.tensors, index.skipped) == ((), 0)
