"""What PyTorch, Keras, Flax, transformers, h5py and NumPy wrote is read: names and every bit."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import xavinit
from xavinit.errors import InputError
from xavinit.formats import Reader, load_index

pytestmark = pytest.mark.frameworks


def read_values(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    with Reader() as reader:
        return {
            t.name: (t.dtype.name, t.shape, bytes(reader.read(t, 0, t.size)))
            for t in load_index(str(path)).tensors
        }


def describe(torch: Any, tensor: Any) -> tuple[str, tuple[int, ...], bytes]:
    plain = tensor.detach().contiguous()
    content = plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""
    return str(plain.dtype).removeprefix("torch."), tuple(plain.shape), content


def flatten(torch: Any, value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, torch.Tensor):
        return {name: describe(torch, value)}
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    found = {}
    for key, item in value.items() if isinstance(value, dict) else ():
        found |= flatten(torch, item, f"{name}.{key}" if name else str(key))
    return found


def train(torch: Any, optimizer: str) -> dict[str, Any]:
    """A checkpoint after two steps: a network, its optimizer, its schedule, random states."""
    torch.manual_seed(1)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3),
        torch.nn.BatchNorm2d(8),
        torch.nn.Flatten(),
        torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(288, 5)),
        torch.nn.Unflatten(1, (1, 5)),
        torch.nn.LSTM(5, 4, num_layers=2, bidirectional=True),
    )
    options = {"momentum": 0.9} if optimizer == "SGD" else {}
    stepper = getattr(torch.optim, optimizer)(network.parameters(), lr=0.01, **options)
    schedule = torch.optim.lr_scheduler.StepLR(stepper, 1)
    for _ in range(2):
        stepper.zero_grad()
        network(torch.randn(2, 3, 8, 8))[0].sum().backward()
        stepper.step()
        schedule.step()
    return {
        "model": network.state_dict(),
        "optimizer": stepper.state_dict(),
        "schedule": schedule.state_dict(),
        "rng": torch.get_rng_state(),
        "epoch": 2,
        "args": {"lr": 0.01, "layers": [1, 2, (3, None)], "device": torch.device("cpu")},
    }


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # PyTorch's own word for 3 to 5
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop", "Adagrad"])
def test_checkpoints_of_pytorch(torch: Any, tmp_path: Path, optimizer: str, protocol: int) -> None:
    path = tmp_path / "checkpoint"
    value = train(torch, optimizer)
    torch.save(value, path, pickle_protocol=protocol)
    assert load_index(str(path)).format == "pytorch"
    assert load_index(str(path)).skipped > 10
    if protocol < 4:  # PyTorch's own careful reader takes no others
        assert read_values(path) == flatten(torch, torch.load(path, weights_only=True))
    assert read_values(path) == flatten(torch, value)


def test_every_dtype_of_pytorch_is_read_or_refused_by_name(torch: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    refused = set()
    dtypes = {v for v in vars(torch).values() if isinstance(v, torch.dtype)}
    for dtype in dtypes:
        try:
            tensor = torch.zeros(16, dtype=torch.uint8).random_(0, 2).view(dtype)
            torch.save({"w": tensor}, path)
        except (RuntimeError, KeyError, TypeError):  # PyTorch itself has no storage of it
            continue
        try:
            assert read_values(path) == {"w": describe(torch, tensor)}
        except InputError as error:
            assert f'tensor "w" is of dtype {dtype}, unknown to xavinit' in str(error)  # noqa: PT017
            refused.add(str(dtype))
    known = {"torch.complex32", "torch.float4_e2m1fn_x2"}
    small = {f"torch.{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)}
    bits = {f"torch.bits{kind}" for kind in ("8", "16", "1x8", "2x4", "4x2")}
    quantized = {f"torch.q{kind}" for kind in ("int8", "int32", "uint8", "uint4x2", "uint2x4")}
    assert refused <= known | small | bits | quantized
    assert known <= refused


def test_views_of_pytorch(torch: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    base = torch.randn(6, 8, 10)
    value = {
        "permuted": base.permute(2, 0, 1),
        "cut": base[1:5:2, 3:, ::3],
        "expanded": base[:1].expand(4, 8, 10),
        "diagonal": base[0].diagonal(),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "unfolded": base.flatten().unfold(0, 7, 3),
        "complex": torch.randn(3, 4, dtype=torch.complex128).t(),
        "bits": torch.randn(4, 4).view(torch.int32)[:, 1],
        "whole": base,
        "empty": base[:0],
        "scalar": base[1, 2, 3],
    }
    torch.save(value, path)
    assert read_values(path) == flatten(torch, value)


def test_a_parameter_with_attributes_is_read(torch: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    weight = torch.nn.Parameter(torch.randn(3, 4))
    weight.is_shared = True
    torch.save({"w": weight, "same": weight}, path)
    assert read_values(path) == flatten(torch, {"w": weight, "same": weight})


def test_shards_that_hugging_face_wrote(torch: Any, tmp_path: Path) -> None:
    from huggingface_hub import save_torch_state_dict

    state = {f"layer.{number}": torch.randn(100, 10) for number in range(6)}
    for is_safe in (True, False):
        folder = tmp_path / str(is_safe)
        folder.mkdir()
        save_torch_state_dict(state, folder, max_shard_size=9000, safe_serialization=is_safe)
        assert len(list(folder.iterdir())) == 4
        assert load_index(str(folder)).format == ("safetensors" if is_safe else "pytorch")
        assert read_values(folder) == flatten(torch, state)


def test_a_model_of_transformers(transformers: Any, torch: Any, tmp_path: Path) -> None:
    config = transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=50, n_positions=8)
    model = transformers.GPT2LMHeadModel(config)
    model.save_pretrained(tmp_path)
    state = flatten(torch, model.state_dict())
    read = read_values(tmp_path)
    assert read == {name: state[name] for name in read}
    assert len(read) >= len(state) - 1  # a tied embedding is left out
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    assert read_values(tmp_path / "pytorch_model.bin") == state


def test_flax_by_safetensors(linen: Any, jax: Any, tmp_path: Path) -> None:
    from flax.traverse_util import flatten_dict
    from safetensors.flax import save_file

    network = linen.Sequential([linen.Dense(5), linen.LayerNorm(), linen.Conv(3, (2, 2))])
    variables = network.init(jax.random.key(0), np.zeros((1, 4, 4, 3), "float32"))
    arrays = flatten_dict(variables, sep=".")
    save_file(arrays, tmp_path / "w")
    expected = {name: np.asarray(array) for name, array in arrays.items()}
    assert xavinit.digest(tmp_path / "w") == xavinit.digest(expected)


@pytest.fixture(scope="module")
def model(tf: Any) -> Any:
    """A network of Keras's that was trained for a step, so that its optimizer has values too."""
    import keras

    keras.utils.set_random_seed(1)
    made = keras.Sequential(
        [
            keras.Input((12, 6)),
            keras.layers.Conv1D(4, 3, name="first"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.LSTM(5, return_sequences=True, name="memory"),
            keras.layers.Bidirectional(keras.layers.GRU(3), name="both"),
            keras.layers.Dense(2, name="head"),
        ]
    )
    made.compile(optimizer="adam", loss="mse")
    made.fit(np.ones((4, 12, 6)), np.zeros((4, 2)), verbose=0)
    return made


def count_values(arrays: Any) -> Counter[tuple[tuple[int, ...], bytes]]:
    return Counter((tuple(array.shape), array.tobytes()) for array in arrays)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of Keras's variables, by NumPy
@pytest.mark.parametrize("name", ["m.weights.h5", "m.keras"])
def test_what_keras_saved(model: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    model.save(path) if name.endswith(".keras") else model.save_weights(path)
    index = load_index(str(path))
    assert index.format == ("keras_archive" if name.endswith(".keras") else "keras")
    read = read_values(path)
    arrays = [np.frombuffer(value, dtype).reshape(shape) for dtype, shape, value in read.values()]
    expected = count_values(variable.numpy() for variable in model.weights)
    assert expected.total() == 17
    assert expected <= count_values(arrays)
    if name.endswith(".keras"):  # which also has those of the optimizer
        expected += count_values(variable.numpy() for variable in model.optimizer.variables)
        assert expected <= count_values(arrays)
    named = {label for tensor, label in index.labels.items() if tensor.startswith("layers/")}
    assert {"first", "norm", "head"} <= named
    if name.endswith(".keras"):
        import keras

        assert index.metadata["keras_version"] == keras.__version__
        with zipfile.ZipFile(path) as archive:
            archive.extract("model.weights.h5", tmp_path)
        assert read_values(tmp_path / "model.weights.h5") == read


def test_datasets_of_h5py_and_archives_of_numpy(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    codes = ("<f2", ">f4", "<f8", ">i2", "<u8", "|i1", "?", "<c8", ">c16")
    arrays = {code: (rng.random((7, 9)) * 100).astype(code) for code in codes}
    with h5py.File(tmp_path / "w", "w", libver="latest") as file:
        for number, (code, array) in enumerate(arrays.items()):
            options = {"chunks": (3, 4), "compression": "gzip"} if number % 2 else {}
            file.create_dataset(code, data=array, **options)
    saves: tuple[Callable[..., None], ...] = (np.savez, np.savez_compressed)
    for number, save in enumerate(saves):
        save(tmp_path / f"{number}.npz", **arrays)
    digests = {xavinit.digest(path) for path in tmp_path.iterdir()}
    assert digests == {xavinit.digest(arrays)}
