"""Does a file hold all pages of a search's answer? A server gives `total` and a `next` link; one page is not all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from node.bridges.fhir.values import fields_of


@dataclass(frozen=True, slots=True)
class Page:
    """What a Bundle says about the answer it is a page of."""

    total: int | None
    matches: int
    """Entries that the search found; what is sent along does not count."""
    own_url: str
    next_url: str


def page_of(bundle: dict[str, Any], matches: int) -> Page:
    """Return what a Bundle, without its entries, says of its pages."""
    total, links = bundle.get("total"), bundle.get("link")
    urls: dict[str, str] = {}
    for link in cast("list[Any]", links) if isinstance(links, list) else []:
        members = fields_of(link)
        urls[str(members.get("relation"))] = str(members.get("url"))
    return Page(total if type(total) is int else None, matches, urls.get("self", ""), urls.get("next", ""))


def missing_pages(pages: Sequence[Page]) -> str:
    """Return a sentence about pages that are not in the file, or nothing.

    >>> missing_pages([Page(250, 100, "a", "b")])
    'the file holds 100 of 250 results of a search'
    """
    held = {page.own_url for page in pages if page.own_url}
    for total in dict.fromkeys(page.total for page in pages):
        group = [page for page in pages if page.total == total]
        matches = sum(page.matches for page in group)
        if total is not None and matches < total:
            return f"the file holds {matches} of {total} results of a search"
        # a server may name a page otherwise than the page does itself: with all results there, the last page will do
        is_whole = total is not None and any(not page.next_url for page in group)
        if not is_whole and any(page.next_url and page.next_url not in held for page in group):
            return "the file holds a page of a search's answer that names a next page, and not that page"
    return ""
