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
import tempfile
import zlib
from collections.abc import Iterable
from itertools import count
from pathlib import Path

FILES = (
    "verdict.json", "report.html", "recipe.yaml", "leaderboard.csv",
    "trials.parquet", "trials.csv", "curves.parquet", "search.log",
)  # fmt: skip
MARK = "superconv_tune parcel "  # begins a line that carries a file
BUNDLES = "bundles"
SPEC = "spec.yaml"  # in a bundle
MAX_FILE = 2**28  # largest unpacked file, in bytes


def begin(name: str, options: list[str]) -> None:
    """Keep the bundle at a path that a resumed search finds again, and become the search."""
    root = output()
    bundle = root / BUNDLES / name
    try:
        if f"--resume={name}" in options and bundle.is_dir():
            resume_bundle(Path.cwd(), bundle, accept_changes="--accept-changes" in options)
        else:
            claim(Path.cwd(), bundle)
    except FileExistsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the search prints its errors so
        sys.exit(2)
    os.chdir(bundle)  # the user's helper modules are found here; Ray may clear its own copy away
    question = [] if f"--resume={name}" in options else [str(bundle / SPEC), "--name", name]
    command = ["-m", "superconv_tune.search", *question, "--address", "auto", "--output", str(root), *options]
    os.execv(sys.executable, [sys.executable, *command])  # not a child process, so that Ray's signals reach the search


def claim(sent: Path, bundle: Path) -> None:
    """Copy what was sent to the study's own folder, which from then on nobody changes; only one of two succeeds.

    Raises:
        FileExistsError: if a study of this name has its files already.
    """
    bundle.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=bundle.parent, prefix=f".{bundle.name}-"))
    shutil.copytree(sent, part, dirs_exist_ok=True)
    for file in filter(Path.is_file, part.rglob("*")):
        file.chmod(0o444)
    try:
        part.rename(bundle)  # which fails where there is a folder with files
    except OSError as error:
        shutil.rmtree(part)
        raise FileExistsError(
            f"--name: a search {bundle.name!r} was submitted to this cluster before. Choose another name, or go on "
            f"with --resume."
        ) from error


def resume_bundle(sent: Path, bundle: Path, *, accept_changes: bool) -> None:
    """Keep the study's files; where others were sent and the user accepts that, put them in their place.

    The earlier files stay beside them, under a number.

    Raises:
        FileExistsError: if other files were sent and not accepted.
    """
    changed = changed_files(sent, bundle)
    if not changed:
        return
    if not accept_changes:
        raise FileExistsError(
            f"--resume: the files of {bundle.name!r} are no longer those that were sent with it: {', '.join(changed)}. "
            f"Send the same ones, or go on with --accept-changes, which is recorded."
        )
    earlier = (bundle.with_name(f".{bundle.name}.{number}") for number in count(1))  # no study's name begins so
    bundle.rename(next(folder for folder in earlier if not folder.exists()))
    claim(sent, bundle)


def changed_files(sent: Path, kept: Path) -> list[str]:
    """Names of the files that differ; of a spec, only the first one counts, because the journal has the question."""
    names = {file.relative_to(folder) for folder in (sent, kept) for file in folder.rglob("*") if file.is_file()}
    own = {name for name in names if name != Path(SPEC) and "__pycache__" not in name.parts}
    return sorted(str(name) for name in own if _content(sent / name) != _content(kept / name))


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


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
    return Path(os.environ.get("SUPERCONV_TUNE_OUTPUT") or "~/superconv_tune").expanduser()


if __name__ == "__main__":
    verb, study, *others = sys.argv[1:]
    if verb == "begin":
        begin(study, others)
    else:
        send(study)
