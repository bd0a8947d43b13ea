"""Every tensor's figures by xavinit's pass over a file, with no more than that loaded."""

from __future__ import annotations

import sys

from xavinit.formats import parse_format
from xavinit.reading import summarize


def main() -> None:
    path, *options = sys.argv[1:]
    jobs = int(options[0].removeprefix("-j")) if options else None
    index = parse_format("safetensors").read_index(path)
    summaries = summarize(index, jobs, lambda nbytes: None)
    for tensor, found in zip(index.tensors, summaries, strict=True):
        print(tensor.name, found.mean, found.std, found.min, found.max)


if __name__ == "__main__":
    main()
