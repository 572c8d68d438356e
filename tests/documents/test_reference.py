"""The pages that are made from the code are what the code makes; the site's links are checked when it is built."""

from __future__ import annotations

from pathlib import Path

import pytest
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.structure.pages import Page

from docs.tools.hooks import on_page_markdown
from docs.tools.reference import pages


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_a_page_is_what_the_code_makes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], "run `make reference`, and commit what it writes"


def moved(markdown: str, page: str) -> str:
    file = File(page, "docs", "site", use_directory_urls=False)
    return on_page_markdown(markdown, Page(None, file, MkDocsConfig()))


def test_links_lead_to_pages_of_the_site_or_name_a_file_of_the_repository() -> None:
    assert moved("[x](../results.md#a)", "how_to/gpus.md") == "[x](../results.md#a)"
    assert moved("[x](../../SECURITY.md)", "how_to/gpus.md") == "[x](../SECURITY.md)"
    assert moved("[x](docs/architecture.md)", "SECURITY.md") == "[x](architecture.md)"
    assert moved("[x](../pyproject.toml)", "results.md") == "x (`pyproject.toml` in the repository)"
    assert moved("[x](https://a.b/c)", "results.md") == "[x](https://a.b/c)"
    assert moved("```\n[x](nowhere.md)\n```\n", "results.md") == "```\n[x](nowhere.md)\n```\n"


def test_a_link_that_leads_nowhere_fails() -> None:
    with pytest.raises(PluginError, match=r"results.md: the link to nowhere.md leads nowhere"):
        moved("[x](nowhere.md)", "results.md")
