"""Time an upload to a store on this machine, beside `rclone copy` of the same file.

    python benchmarks/bench_upload.py [--sizes 1,4] [--rounds 3] [--server rclone] [--folder FOLDER]

prints the shortest of the rounds, in which the two take turns, their ratio, and the most memory
that the process took. What is copied lies on the disk already; what is generated is drawn. It needs
the extra `cluster`, whose servers the tests start too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from scale import make_spec, run_all

import xavinit

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from store_servers import BIN, BUCKET, Server, start_server

MOST_RATIO = 1.3  # of the seconds of `rclone copy`


def make_copy_command(server: Server, source: Path, name: str) -> list[str]:
    options = ["--s3-provider", "Other", "--s3-env-auth", "--s3-no-check-bucket", "-q"]
    options.append("--ignore-times")  # the same file of the round before is sent again
    endpoint = ["--s3-endpoint", server.get_environment()["AWS_ENDPOINT_URL"]]
    command = [str(BIN / "rclone"), "copyto", str(source), f":s3:{BUCKET}/{name}"]
    return [*command, *options, *endpoint, "--config", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1,4", help="gigabytes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server", default="rclone", choices=("rclone", "moto"))
    parser.add_argument("--folder", default=None, help="where the server and the file are")
    given = parser.parse_args()
    print(
        "| GB | rclone copy | xavinit generate | ratio | memory |\n| --- | --- | --- | --- | --- |"
    )
    for gigabytes in map(int, given.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            folder = Path(name)
            spec = folder / "model.json"
            spec.write_text(json.dumps(make_spec(gigabytes)))
            source = folder / "model.safetensors"
            xavinit.generate(spec, source)
            with start_server(given.server, folder) as server:
                os.environ.update(server.get_environment())
                copied, made, memory = [], [], 0
                for _ in range(given.rounds):
                    copied.append(run_all([make_copy_command(server, source, "copied")])[0])
                    url = f"s3://{BUCKET}/made.safetensors"
                    command = [sys.executable, "-m", "xavinit", "generate", str(spec), "-q"]
                    seconds, most = run_all([[*command, "-o", url, "--force"]])
                    made.append(seconds)
                    memory = max(memory, most)
                fetch = make_copy_command(server, source, "made.safetensors")
                fetch[2:4] = [fetch[3].replace("copied", "made.safetensors"), str(folder / "back")]
                subprocess.run(fetch, check=True)
                if subprocess.run(["cmp", str(folder / "back"), str(source)]).returncode:
                    raise SystemExit("what came back is another file")
        ratio = min(made) / min(copied)
        print(
            f"| {gigabytes} | {min(copied):.1f} s | {min(made):.1f} s | {ratio:.2f} "
            f"| {memory / 2**20:.0f} MiB |",
            flush=True,
        )
        if ratio > MOST_RATIO:
            print(f"more than {MOST_RATIO} times the seconds of rclone copy", file=sys.stderr)


if __name__ == "__main__":
    main()
