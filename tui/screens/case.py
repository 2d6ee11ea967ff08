"""The first of four steps to a ballot, the claim card: what is asked. The others are in `ballot`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from node.api.client import AsyncClient
from node.api.errors import ApiError
from node.api.text import Units, brief, clean, counted
from node.api.views.claims import CLAIM, CLAIMS, Case, CaseToVote, Claim
from tui.feed import fault_of
from tui.model import (
    BallotDraft,
    case_to_vote,
    codes_words,
    document_words,
    outcome_words,
    plan_of,
    quorum_words,
    similar_words,
    tally_words,
    threshold_words,
    time_left,
)
from tui.screens.ballot import BACK, ChoiceScreen, step
from tui.screens.base import LiveScreen
from tui.screens.document import DocumentScreen, read_document
from tui.widgets.words import card, labelled, plain, stacked, tally_bar, title

SIMILAR_MAX = 8
"""Earlier cases of the same code that are looked up: enough to judge by, few enough to be quick."""


class CaseScreen(LiveScreen):
    """Step 1, what is asked: the claim card."""

    PLACE = "home"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding(
            "o",
            "open_document",
            "Open document",
            id="case.open",
            tooltip="Read the evidence; your node signs a receipt that you did",
        ),
        Binding("v,enter", "vote", "Vote", id="case.vote", tooltip="Go on to your choice"),
    ]

    def __init__(self, case: CaseToVote) -> None:
        super().__init__()
        self._case = case
        self._claim: Claim | None = None
        self._similar: list[Case] | None = None
        self._is_opening = False

    def body(self) -> Iterable[Widget]:
        """A card."""
        yield step(1, "What is asked?")
        yield card(plain(name="card"))

    async def load(self, client: AsyncClient) -> None:
        """Fetch the claim again; similar cases once."""
        self._claim, _ = await asyncio.gather(client.view(CLAIM, id=self._case.claim), self.mutua.load_names(client))
        newest = self._claim.case_of(self._case.code)
        if newest is not None:
            self._case = case_to_vote(newest, self._claim, self.mutua.member, on_duty=self._case.on_duty)
        self._show()
        if self._similar is None:
            self._similar = await find_similar(client, self._case)
            self._show()

    def _show(self) -> None:
        claim, case = self._claim, self._case
        if claim is None:
            return
        units, opened = self.units, self.mutua.memory.opened.get(case.claim, "")
        lines: list[Content | str] = [
            Content.assemble(
                (clean(case.code, 20), "bold $accent"), ("   ", ""), (units.money(case.charges_cents), "bold")
            ),
            "",
            labelled("provider", self.mutua.provider_name(claim.provider_id)),
            labelled("service", _service_words(claim, case, units)),
            labelled("plan", plan_of(claim) or "named by the ledger once a line is settled"),
            labelled("whole claim", f"{units.money(claim.charge_cents)}, codes {codes_words(claim)}"),
            labelled("other payer", units.money(claim.other_payer_cents) if claim.other_payer_cents else "none"),
            "",
            labelled("votes", Content.assemble(tally_bar(case))),
            labelled("", tally_words(case)),
            labelled("", threshold_words(case)),
            labelled("", quorum_words(case)),
            labelled("time", time_left(case, self.height, units) if case.is_open else outcome_words(case, units)),
            labelled(
                "you",
                f"voted {clean(case.my_choice, 10)}; it may be changed once" if case.my_choice else "have not voted",
            ),
            "",
            labelled("document", _document_words(case, opened), "" if opened else "$warning"),
            "",
            title(f"Earlier cases of {clean(case.code, 20)}"),
        ]
        lines += [
            f"  {row}" for row in (["looking …"] if self._similar is None else similar_words(self._similar, units))
        ]
        self.put("card", stacked(lines))

    def action_open_document(self) -> None:
        """Open the document; the node signs the receipt."""
        if not self._is_opening and self._claim is not None:
            self._is_opening = True
            self.run_worker(self._open(), group="open")

    async def _open(self) -> None:
        case, memory = self._case, self.mutua.memory
        try:
            if not case.evidence:
                memory.note_opened(case.claim, case.claim)
                self.notify(
                    "This claim has no document. Your ballot will say that you read the claim itself.",
                    title="Nothing to open",
                )
                return
            digest, path = await self._ask_receipt()
            memory.note_opened(case.claim, digest)
            media = next((item.media for item in case.evidence if item.hash == digest), "")
            self.mutua.push_screen(DocumentScreen(path, media, await asyncio.to_thread(read_document, path)))
        except Exception as error:
            self.mutua.tell(fault_of(error))
        finally:
            self._is_opening = False
            self._show()

    async def _ask_receipt(self) -> tuple[str, Path]:
        """Return the hash and place of the document. A document opened before needs no second receipt."""
        client = await self.mutua.feed.client()
        folder = self.mutua.folder / "documents"
        try:
            answer = await client.open_document(self._case.claim)
        except ApiError as error:
            here = next((item.hash for item in self._case.evidence if (folder / Path(item.hash).name).is_file()), None)
            if error.code != "receipt_there" or here is None:
                raise
            return here, folder / Path(here).name
        return answer.hash, Path(answer.path)

    def action_vote(self) -> None:
        """Go on to the choice."""
        if self._claim is None:
            return
        case, opened = self._case, self.mutua.memory.opened.get(self._case.claim, "")
        if not case.is_open:
            self.notify(f"This case is {outcome_words(case, self.units)}.", severity="warning")
            return
        draft = BallotDraft(case.claim, case.code, case.evidence_version, opened)
        self.mutua.push_screen(ChoiceScreen(case, draft))


# ---- Words -------------------------------------------------------------------


def _service_words(claim: Claim, case: CaseToVote, units: Units) -> str:
    lines = [line for line in claim.lines if line.code == case.code]
    if not lines:
        return "–"
    first, last = min(line.first_day for line in lines), max(line.last_day for line in lines)
    count = sum(line.units for line in lines)
    return f"{counted(count, 'unit')}, {units.days(first, last)}"


def _document_words(case: CaseToVote, opened: str) -> str:
    if not case.evidence:
        return (
            "none; press o to say that you read the claim itself" if not opened else "none; you read the claim itself"
        )
    words = "; ".join(document_words(item) for item in case.evidence[:3])
    return f"{words} – ✓ opened, receipt {brief(opened)}" if opened else f"{words} – not opened yet, press o"


async def find_similar(client: AsyncClient, case: CaseToVote) -> list[Case]:
    """Return earlier cases of the same code, newest first, at most 8."""
    wanted = [
        claim.claim
        for claim in await client.view(CLAIMS)
        if case.code in claim.codes and claim.claim != case.claim and claim.status != "open"
    ][:SIMILAR_MAX]
    answers = await asyncio.gather(*(client.view(CLAIM, id=claim) for claim in wanted))
    found = [claim.case_of(case.code) for claim in answers]
    return [item for item in found if item is not None]
