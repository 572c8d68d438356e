"""Outputs of every encoding, full, closed early or from the beginning: none of them ends a program.

Where such outputs are reported: Textualize/rich issues 826 and 3761 (encodings; the ellipsis of a narrow table),
python/cpython issue 90650 and pallets/click issue 712 (``| head``), Textualize/rich issue 2492 and nickstenning/honcho
issue 168 (a terminal that does not block), monero-project/monero issue 6147 and Mithril-mine/libmdbx issue 144 (closed
outputs, whose number a database gets).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Prints with everything that the commands print with, and then says on a file of its own that it came to its end.
SCRIPT = """
import sys
from superconv_tune.core.streams import lasting_outputs
lasting_outputs()
import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
table = Table("name")
table.add_row("łąka 猫 \\udcb3")
for _ in range(200):
    print("… ü 猫")
    print("… ü 猫", file=sys.stderr)
    typer.echo("… ü 猫")
    typer.echo("… ü 猫", err=True)
    Console().print(Panel(table))
    sys.stdout.flush()
with open(sys.argv[1], "w") as end:
    end.write(f"the end {sys.stdout.isatty()}")
"""


def ends(folder: Path, shell: str = '"$@"', **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the script by a line of a shell, and expect its end."""
    file = folder / "end"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell, "-", sys.executable, "-c", SCRIPT, str(file)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert file.read_text(encoding="utf-8") == "the end False"
    return done


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "iso8859-2", "shift_jis", "utf-8", "ascii:strict"])
def test_what_an_encoding_lacks_is_written_in_letters_that_it_has(encoding: str, tmp_path: Path) -> None:
    done = ends(tmp_path, PYTHONIOENCODING=encoding)
    name = encoding.partition(":")[0]
    lines = done.stdout.decode(name, "replace").splitlines()  # click writes UTF-8 where Python would write ASCII
    assert lines[0] == "… ü 猫".encode(name, "backslashreplace").decode(name)
    assert "Traceback" not in done.stderr.decode(name, "replace")


@pytest.mark.parametrize(
    "shell",
    [
        '{ "$@"; echo $? >rc; } | head -c 1 >/dev/null; exit $(cat rc)',  # its reader goes early
        '"$@" >/dev/full',  # no space left
        '"$@" >/dev/full 2>&1',
        '"$@" >&-',  # closed from the beginning
        '"$@" >&- 2>&-',
        '"$@" <&- >&- 2>&-',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])  # click writes past Python's own stream if that is ASCII
def test_an_output_that_takes_nothing_more_is_no_reason_to_end(shell: str, encoding: str, tmp_path: Path) -> None:
    ends(tmp_path, f"cd {tmp_path}; {shell}", PYTHONIOENCODING=encoding)


def test_a_reader_that_is_behind_holds_nothing_up(tmp_path: Path) -> None:
    """A pipe that does not block, as other programs leave behind in the terminal that they share."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.replace("range(200)", "range(1000)"), str(tmp_path / "end")],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "end").exists()


def test_files_do_not_take_the_place_of_a_closed_output(tmp_path: Path) -> None:
    """The first file that a program opened would get what every library prints."""
    script = (
        "from superconv_tune.core.streams import lasting_outputs\nlasting_outputs()\n"
        "import os, sys\nkept = open(sys.argv[1], 'w')\nos.write(1, b'printed by a library')\nkept.write('mine')\n"
    )
    file = tmp_path / "kept"
    command = [sys.executable, "-c", script, str(file)]
    subprocess.run(["bash", "-c", '"$@" >&-', "-", *command], cwd=Path(__file__).parents[2], check=True)
    assert file.read_text(encoding="utf-8") == "mine"
