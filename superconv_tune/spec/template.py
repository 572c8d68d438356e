"""``--new-task``: writes a Python file and a spec for the user to start from."""

from __future__ import annotations

import re
from pathlib import Path

from superconv_tune.core.errors import UserError, raise_any

HERE = Path(__file__).parent
STEM = "own_problem"  # of both files as they are shipped
CODE, SPEC = HERE / f"{STEM}.py.txt", HERE / f"{STEM}.yaml"  # .txt, or this room would import a room above it
SCHEMA, MODELINE = HERE / "spec.schema.json", "# yaml-language-server: $schema="  # by which an editor completes keys
MEASURED = "# Measured ("  # begins a line about the shipped example, which does not hold for the user's question


def write_task(path: Path) -> tuple[Path, Path]:
    """Write ``path`` and a spec beside it, ready to run as they are.

    Returns:
        The Python file and the spec.

    Raises:
        UserError: if the name cannot be used, or one of the two files exists; then nothing is written.
    """
    spec = path.with_suffix(".yaml")
    faults = _name_faults(path) + [
        f"--new-task: {file} exists. Choose another name; nothing is overwritten."
        for file in (path, spec)
        if file.exists()
    ]
    raise_any(faults)
    texts = {
        file: template.read_text(encoding="utf-8").replace(STEM, path.stem)
        for file, template in ((path, CODE), (spec, SPEC))
    }
    try:
        for file, text in texts.items():
            file.write_text(_for_the_user(text), encoding="utf-8")
    except OSError as error:
        raise UserError(f"--new-task: {path} cannot be written ({error.strerror}). Choose another folder.") from error
    return path, spec


def _name_faults(path: Path) -> list[str]:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\.py", path.name):
        return [f"--new-task: {path.name!r} is not a name for a Python file. Write something like my_problem.py."]
    if not path.parent.is_dir():
        return [f"--new-task: there is no folder {path.parent}. Create it first."]
    return []


def _for_the_user(text: str) -> str:
    """Without what was measured, and with the place where the schema is installed."""
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(MEASURED)]
    return "".join(f"{MODELINE}{SCHEMA}\n" if line.startswith(MODELINE) else line for line in lines)
