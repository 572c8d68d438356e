"""Every command, spec and program that the documents show is one that there is; `test_commands` runs them."""

from __future__ import annotations

import ast
import importlib
import json
import re
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from superconv_tune.commands.main import app
from superconv_tune.spec.json_schema import PATH as SCHEMA
from tests.documents.fences import DOCUMENTS, ROOT, Block, blocks, commands

SHELL = blocks("sh")
VALIDATOR = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
# Programs that the documents may name besides our own.
OTHERS = {"pip", "export", "docker", "docker/secrets.sh", "kubectl", "sbatch", "mlflow", ".venv/bin/pytest", "pytest"}


def test_no_command_hides_in_a_block_of_another_kind() -> None:
    odd = [
        str(block)
        for block in blocks("", "bash", "shell", "console")
        if re.search(r"^\s*(python|make|superconv-tune) [^|]*$", block.text, re.M)
    ]
    assert not odd, "begin the block with ```sh, so that it is tested"
    assert len(SHELL) > 20


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_every_option_exists(block: Block) -> None:
    for words in commands(block):
        match words:
            case ["superconv-tune", name, *rest]:
                assert {word.partition("=")[0] for word in rest if word.startswith("-")} <= options(name)
            case ["python", "-m", module, *_]:
                assert (ROOT / module.replace(".", "/")).exists() or (ROOT / f"{module.replace('.', '/')}.py").exists()
            case ["python", "-c", program, *_]:
                ast.parse(program)
            case ["python", "-"]:
                pass
            case ["make", *targets]:
                assert set(targets) <= TARGETS
            case [program, *_]:
                assert program in OTHERS, f"a program that no test knows: {program}"


def options(name: str) -> set[str]:
    """The options of a command."""
    whole: Any = typer.main.get_command(app)
    return {option for param in whole.commands[name].params for option in param.opts} | {"--help"}


def test_the_commands_of_a_block_are_found() -> None:
    text = "A=1 python -m a --x \\\n  --y 'b c'   # words\nmake d && python - <<'END'\nimport e\nEND\npip f\n"
    assert commands(Block("page", 1, "sh", text, "")) == [
        ["python", "-m", "a", "--x", "--y", "b c"], ["make", "d"], ["python", "-"], ["pip", "f"]
    ]  # fmt: skip
    assert "--target" in options("search")
    assert "--tarjet" not in options("search")


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if "name: " in block.text], ids=str)
def test_every_spec_fits_the_schema(block: Block) -> None:
    spec = yaml.safe_load(block.text)
    if "name" in spec:
        VALIDATOR.validate(spec)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_program_is_python(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("superconv_tune"):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, name.name) for name in node.names)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for document in DOCUMENTS[:4]:
        for target in re.findall(r"\]\(([^)#\s:]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
