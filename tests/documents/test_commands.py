"""Runs the commands of the documents, page after page, in a folder as a reader has it. Slow: whole searches."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents.fences import ROOT, Block, blocks

# Pages whose commands follow one another, as a reader follows the links.
TOGETHER = [
    ["docs/tutorial/photos.md", "docs/how_to/resume.md", "docs/how_to/train_long.md", "docs/how_to/use_the_model.md"],
    ["docs/tutorial/table.md"],
    ["docs/tutorial/own_model.md"],
    ["docs/how_to/editor.md", "docs/how_to/notebook.md"],
]
SHORTER = {"--budget 2m": "--budget 80s", "+10m": "+5m", "--epochs 20": "--epochs 2"}
LIMIT_S = 500


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("pages", TOGETHER, ids=lambda pages: pages[0])
def test_the_commands_of_a_page_work(pages: list[str], tmp_path: Path) -> None:
    (tmp_path / "search_spaces").symlink_to(ROOT / "search_spaces")
    for page in pages:
        for block in (block for block in blocks("sh") if block.page == page and not block.not_run):
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", shorter(block.text)],
                cwd=tmp_path,
                env=environment(tmp_path),
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
            assert done.returncode == 0, f"{block}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in blocks("python") if block.page.endswith("notebook.md")], ids=str)
def test_a_program_for_a_notebook_works(block: Block, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block.text], cwd=tmp_path, env=environment(tmp_path), timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0


def shorter(text: str) -> str:
    """The commands with less time, so that all of them take minutes."""
    return re.sub("|".join(map(re.escape, SHORTER)), lambda found: SHORTER[found[0]], text)


def environment(folder: Path) -> dict[str, str]:
    """As it is where the package is installed, with nothing of the user's own folders."""
    program = folder / "bin" / "superconv-tune"  # as pip makes it, of this checkout
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!{sys.executable}\nfrom superconv_tune.commands.main import main\nmain()\n")
    program.chmod(0o755)
    path = f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder), "COLUMNS": "120"}


def test_a_command_that_is_not_run_says_why() -> None:
    run = {page for pages in TOGETHER for page in pages}
    unsaid = [str(block) for block in blocks("sh") if block.page not in run and not block.not_run]
    assert not unsaid, "put `<!-- not run: the reason -->` on the line before the block, or the page into TOGETHER"
    assert all(len(block.not_run) > 10 for block in blocks("sh") if block.not_run)


def test_every_page_that_is_run_has_commands() -> None:
    pages = {block.page for block in blocks("sh") if not block.not_run}
    assert {page for group in TOGETHER for page in group} <= pages


def test_shorter_commands_are_the_same_otherwise() -> None:
    assert shorter("a --budget 2m --target 0.9") == "a --budget 80s --target 0.9"
    assert Block("p", 1, "sh", "", "").not_run == ""
