from __future__ import annotations

import asyncio
import os
import shutil
from itertools import chain
from typing import TYPE_CHECKING, Final

import pytest

from tests.docs_site.browser import PROGRAM, Browser, Tab, chromium
from tests.docs_site.building import CONFIGURATION, PAGES, build
from tests.docs_site.serving import Site, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

WIDTHS: Final = (390, 1280)
TABS: Final = 4
SEARCH: Final = """new Promise((found, failed) => {
    document.querySelector('[data-md-toggle=search]').click()
    const query = document.querySelector('[data-md-component=search-query]')
    const since = Date.now()
    const look = () => {
        const links = [...document.querySelectorAll('.md-search-result__link')].map(link => link.pathname)
        if (links.length) found(links)
        else if (Date.now() - since > 30000) failed('nothing was found')
        else requestAnimationFrame(look)
    }
    query.focus()
    query.value = 'OneSignalPipelineStuck'
    query.dispatchEvent(new Event('keyup', {bubbles: true}))
    look()
})"""


@pytest.fixture(scope="session")
def pages() -> Path:
    """Build the site without a network, and return its folder."""
    built = build()
    assert built.returncode == 0, built.stdout + built.stderr
    return PAGES


@pytest.fixture
async def site(pages: Path) -> AsyncIterator[Site]:
    async with served(pages) as site:
        yield site


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Start a browser; without Chromium the test is skipped, and fails with ``CI=true``."""
    if shutil.which(PROGRAM) is None and os.environ.get("CI", "").lower() != "true":
        pytest.skip(f"{PROGRAM} is not installed")
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Tab]:
    async with browser.tab() as tab:
        yield tab


async def test_no_page_scrolls_sideways_or_asks_for_what_is_missing_or_foreign(site: Site, browser: Browser) -> None:
    windows = [(path, width) for path in site.paths() for width in WIDTHS]
    assert len(windows) > 2 * 80
    found = await asyncio.gather(*(faults(site, browser, windows[number::TABS]) for number in range(TABS)))
    assert list(chain.from_iterable(found)) == []
    assert site.missing == []


async def faults(site: Site, browser: Browser, windows: list[tuple[str, int]]) -> list[str]:
    """Open each page in a window of each width, and list what is wrong with it."""
    wrong = []
    async with browser.tab() as tab:
        for path, width in windows:
            await tab.show(site.address + path, width=width)
            content = await tab.value("document.documentElement.scrollWidth")
            foreign = [request for request in tab.requests if not request.startswith(f"{site.address}/")]
            if content > width or tab.failed or foreign:
                wrong.append(f"{path} in {width} px: {content} px of content; {foreign=}; failed={tab.failed}")
    return wrong


async def test_a_page_with_content_that_is_too_wide_and_with_foreign_requests_is_noticed(
    tmp_path: Path, tab: Tab
) -> None:
    page = '<link rel="icon" href="data:,"><p style="width: 600px">wide</p><img src="missing.png">'
    (tmp_path / "index.html").write_text(f'{page}<img src="http://foreign.example/a.png">', encoding="utf-8")
    async with served(tmp_path) as site:
        await tab.show(f"{site.address}/", width=WIDTHS[0])
        assert await tab.value("document.documentElement.scrollWidth") > WIDTHS[0]
        await tab.show(f"{site.address}/", width=WIDTHS[1])
        assert await tab.value("document.documentElement.scrollWidth") == WIDTHS[1]
        missing, foreign = f"{site.address}/missing.png", "http://foreign.example/a.png"
        assert sorted(tab.failed) == sorted([missing, foreign])
        assert tab.requests == [f"{site.address}/", missing, foreign]
        assert set(site.missing) == {"/missing.png"}


async def test_the_search_finds_a_section_without_a_server(site: Site, tab: Tab) -> None:
    await tab.show(f"{site.address}/", width=WIDTHS[1])
    assert "/operate/runbook/" in await tab.value(SEARCH)
    assert [request for request in tab.requests if not request.startswith(f"{site.address}/")] == []


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("[a page](gone.md)", "gone.md"),
        ("[a section](#gone)", "#gone"),
        ("[a section of another page](other.md#gone)", "other.md#gone"),
        ("[a file of the repository](../../README.md)", "../../README.md"),
        ("[an absolute address](/other/)", "/other/"),
    ],
)
def test_a_broken_link_fails_the_build(text: str, warning: str, tmp_path: Path) -> None:
    exit_code, printed = built_with(text, tmp_path)
    assert exit_code == 1
    assert warning in printed


def test_a_page_with_good_links_is_built(tmp_path: Path) -> None:
    exit_code, printed = built_with("[a page](other.md), [a section](other.md#a-section), [this](#start)", tmp_path)
    assert exit_code == 0, printed


def built_with(text: str, folder: Path) -> tuple[int, str]:
    """Build a site of two pages with the project's configuration; return the exit code and what was printed."""
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text(f"# Start\n\n{text}\n", encoding="utf-8")
    (folder / "docs" / "other.md").write_text("# Other\n\n## A section\n", encoding="utf-8")
    configuration = folder / "mkdocs.yml"
    configuration.write_text(f"INHERIT: {CONFIGURATION}\nnav: [index.md, other.md]\n", encoding="utf-8")
    built = build(folder / "site", configuration=configuration)
    return built.returncode, built.stdout + built.stderr
