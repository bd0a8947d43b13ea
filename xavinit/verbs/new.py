"""The verb that writes a first spec to begin with: `new`."""

from __future__ import annotations

from pathlib import Path

from xavinit.errors import UsageError
from xavinit.wording import format_choices, format_value, suggest

# Each is a file of templates/ or, below, of sample_specs/. In the order in which they are listed.
TEMPLATES = {
    "mlp": "two dense layers, as tensors: where to begin",
    "cnn": "a convolutional network, as layers: for PyTorch, Keras and Flax",
    "transformer": "a small language model: sizes by name, blocks that repeat, tied weights",
    "mnist_mlp": "a classifier of 28×28 images, with code for PyTorch and Keras",
    "lenet5": "LeNet-5, as layers",
    "resnet18": "ResNet-18, with torchvision's names, as layers",
    "resnet50": "ResNet-50, with torchvision's names",
    "vit_b16": "ViT-B/16, as Hugging Face has it",
    "lstm_tagger": "a tagger of words with a bidirectional LSTM, as layers",
    "transformer_encoder": "a Transformer encoder, the base model, as layers",
    "bert_base": "BERT base, as Hugging Face has it",
    "gpt2": "GPT-2, the small one, as Hugging Face has it",
    "llama_tiny": "a Llama of 316 kB for tests of serving",
    "llama3_8b": "Llama 3 8B, at full size",
    "mixtral_tiny": "a Mixtral of 526 kB for tests of serving",
}

_PACKAGE = Path(__file__).parents[1]
# In an installed package, all are in the first (setup.py); in a checkout, the samples in the other.
_FOLDERS = (_PACKAGE / "templates", _PACKAGE.parent / "sample_specs")
_OF_EDITORS = "# yaml-language-server:"


def new(template: str) -> str:
    """The text of a spec to begin with, whose comments explain it.

    `template` is `mlp`, `cnn` or `transformer`, which are made to be changed, or the name of a
    sample of a real model, such as `gpt2` (all of them: `xavinit new`). Without the samples' line
    for editors, whose schema is not at hand.

    Raises `UsageError` where there is no such template.

    >>> new("mlp").splitlines()[0]
    '# A spec of a small network: two dense layers that sort images of 28×28 into ten classes.'
    """
    if template not in TEMPLATES:
        raise UsageError(
            f"template must be {format_choices(TEMPLATES)}; got {format_value(template)}",
            hint=suggest(template, TEMPLATES, "template"),
        )
    path = next(path for folder in _FOLDERS if (path := folder / f"{template}.yaml").exists())
    text = path.read_text(encoding="utf-8").replace("sample_specs/", "")
    if text.startswith(_OF_EDITORS):
        text = text.split("\n", 1)[1].removeprefix("#\n")
    return text
