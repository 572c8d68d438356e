"""What mkdocs does besides: pages from files outside docs/, and links to files that are no pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")  # where GitHub looks for them
FIGURES = ("benchmarks/longer/reliability.svg",)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s:]+)(#[^)\s]*)?\)")  # to a file, not to an address
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s:]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Make pages of the files that stand beside docs/, and take the figures that pages show from there."""
    for name in (*ELSEWHERE, *FIGURES):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point each link to where its file is on the site; one that is no page becomes a path in the repository.

    Raises:
        PluginError: if there is no such file, so that a strict build fails.
    """
    source = page.file.src_uri
    folder = "" if source in ELSEWHERE else posixpath.join("docs", posixpath.dirname(source))

    def moved(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(folder, target))
        if not (ROOT / path).exists():
            raise PluginError(f"{source}: the link to {target} leads nowhere")
        if path in ELSEWHERE or path.startswith("docs/"):
            here = posixpath.relpath(path.removeprefix("docs/"), posixpath.dirname(source) or ".")
            return f"[{text}]({here}{anchor})"
        return f"{text} (`{path}` in the repository)" if text.strip("`") != path else f"`{path}`"

    def shown(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[2])).removeprefix("docs/")
        return f"![{match[1]}]({posixpath.relpath(path, posixpath.dirname(source) or '.')})"

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else IMAGE.sub(shown, LINK.sub(moved, part)) for part in parts)
