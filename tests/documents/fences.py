"""The fenced blocks of the documents."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "docker" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
BLOCK = re.compile(r"(?:^<!-- not run: (?P<why>[^>]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        page: path of its document in the repository.
        number: 1 for the first block of the page.
        language: ``sh``, ``python``, ``yaml``, … as the fence says.
        text: what is in it.
        not_run: why no test runs it; empty for one that is run.
    """

    page: str
    number: int
    language: str
    text: str
    not_run: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def blocks(*languages: str) -> list[Block]:
    """All blocks of these languages, in the order of the pages."""
    return [block for document in DOCUMENTS for block in _of(document) if block.language in languages]


def _of(document: Path) -> Iterator[Block]:
    page = str(document.relative_to(ROOT))
    for number, found in enumerate(BLOCK.finditer(document.read_text(encoding="utf-8")), start=1):
        yield Block(page, number, found["language"], found["text"], found["why"] or "")


def commands(block: Block) -> list[list[str]]:
    """The simple commands of a block of shell lines, as words; what a program reads from its input is left out."""
    text = re.sub(r"<<'END'\n.*?^END$", "", block.text, flags=re.M | re.S).replace("\\\n", " ")
    text = re.sub(r"(^|\s)# .*$", r"\1", text, flags=re.M)
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|\n")
    lexer.commenters, lexer.whitespace, lexer.whitespace_split = "", " \t", True
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set(";&|\n"):
            found.append([])
        else:
            found[-1].append(word)
    return [_without_variables(words) for words in found if words]


def _without_variables(words: list[str]) -> list[str]:
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words
