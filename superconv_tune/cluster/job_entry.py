"""What runs on the cluster for a submitted search: ``begin`` becomes the search, ``send`` prints its files.

``python -m superconv_tune.cluster.job_entry begin NAME [options of search]`` is started in the bundle. Both use the
same folder for all studies: ``SUPERCONV_TUNE_OUTPUT``, else ``~/superconv_tune``.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

FILES = ("verdict.json", "report.html", "recipe.yaml", "trials.parquet", "curves.parquet", "search.log")
MARK = "superconv_tune parcel "  # begins a line that carries a file
BUNDLES = "bundles"
MAX_FILE = 2**28  # largest unpacked file, in bytes


def begin(name: str, options: list[str]) -> None:
    """Copy the bundle to a path that a resumed search finds again, and become the search."""
    root = output()
    bundle = root / BUNDLES / name
    shutil.copytree(Path.cwd(), bundle, dirs_exist_ok=True)
    os.chdir(bundle)  # the user's helper modules are found here; Ray may clear its own copy away
    question = [] if f"--resume={name}" in options else [str(bundle / "spec.yaml"), "--name", name]
    command = ["-m", "superconv_tune.search", *question, "--address", "auto", "--output", str(root), *options]
    os.execv(sys.executable, [sys.executable, *command])  # not a child process, so that Ray's signals reach the search


def send(name: str) -> None:
    """Print the files of a study, each as one line of JSON."""
    for file in FILES:
        path = output() / name / file
        if path.is_file():
            content = base64.b64encode(zlib.compress(path.read_bytes())).decode()
            print(MARK + json.dumps({"file": file, "content": content}), flush=True)  # noqa: T201 - what it is for


def unpack(lines: Iterable[str], folder: Path) -> list[Path]:
    """Write the files in the printed lines into the folder, and return their paths.

    Raises:
        ValueError: if a line is damaged, names a file that a study does not have, or holds too large a file.
    """
    written = []
    for line in lines:
        if not line.startswith(MARK):
            continue  # printed by Ray
        parcel = json.loads(line.removeprefix(MARK))
        if parcel["file"] not in FILES:
            raise ValueError(f"the file {parcel['file']!r} is not one that a study has")
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(base64.b64decode(parcel["content"], validate=True), MAX_FILE)
        if not unpacker.eof:
            raise ValueError(f"{parcel['file']} is cut off, or larger than {MAX_FILE} bytes")
        folder.mkdir(parents=True, exist_ok=True)
        written.append(folder / parcel["file"])
        written[-1].write_bytes(content)
    return written


def output() -> Path:
    """The folder of all studies on the cluster."""
    return Path(os.environ.get("SUPERCONV_TUNE_OUTPUT") or Path.home() / "superconv_tune")


if __name__ == "__main__":
    verb, study, *others = sys.argv[1:]
    if verb == "begin":
        begin(study, others)
    else:
        send(study)
