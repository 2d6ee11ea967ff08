"""Home: what needs me. Open cases that wait for my ballot first, then my own open claims."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from node.api.client import AsyncClient
from node.api.text import counted
from node.api.views.claims import CLAIMS, NEEDS_ME, CaseToVote, ClaimHead
from tui.model import case_id, time_left
from tui.screens.base import LiveScreen
from tui.screens.claims import claim_row
from tui.widgets.rows import RowList
from tui.widgets.words import case_row, headline, muted, plain, title


class HomeScreen(LiveScreen):
    """What needs me."""

    PLACE = "home"

    def __init__(self) -> None:
        super().__init__()
        self._cases: dict[str, CaseToVote] = {}

    def body(self) -> Iterable[Widget]:
        """One sentence, and two lists."""
        yield plain(name="headline")
        yield Static(title("Waiting for your ballot"), classes="section")
        yield RowList(id="cases", empty="Nothing waits for you. New cases appear here automatically.")
        yield Static(title("Your open claims"), classes="section")
        yield RowList(id="claims", empty="You have no open claim.")

    async def load(self, client: AsyncClient) -> None:
        """Fetch the member's open cases and claims."""
        status = self.mutua.status
        if status is None:
            return
        if status.member is None:
            what = "This node only follows the ledger; it does not belong to a member."
            where = "\nMembers cast ballots from their own nodes; here you can read blocks and payouts."
            self.put("headline", Content.assemble((what, "bold"), where))
            for rows in self.query(RowList):
                rows.set_rows([], "–")
            return
        needs, mine, _ = await asyncio.gather(
            client.view(NEEDS_ME, member=status.member),
            client.view(CLAIMS, member=status.member),
            self.mutua.load_names(client),
        )
        self._show(needs, [claim for claim in mine if claim.status == "open"])

    def _show(self, cases: Sequence[CaseToVote], claims: list[ClaimHead]) -> None:
        self._cases = {case_id(case): case for case in cases}
        waiting = [case for case in cases if not case.my_choice]
        voted = [case for case in cases if case.my_choice]
        if waiting:
            soonest = min(waiting, key=lambda case: case.closes_at)
            words = f"{counted(len(waiting), 'case')} {'waits' if len(waiting) == 1 else 'wait'} for your ballot"
            left = f"{'first ' if len(waiting) > 1 else ''}{time_left(soonest, self.height, self.units)}"
        else:
            words, left = "Nothing needs you now", "you may close this screen"
        self.put("headline", headline(words, f" – {left}"))
        rows = [(case_id(case), self._row(case)) for case in waiting]
        if voted:
            rows.append(("-voted", muted("You have voted; you may change your ballot once")))
            rows += [(case_id(case), self._row(case)) for case in voted]
        self.query_one("#cases", RowList).set_rows(rows)
        self.query_one("#claims", RowList).set_rows([(claim.claim, claim_row(claim, self.units)) for claim in claims])

    def _row(self, case: CaseToVote) -> Content:
        return case_row(case, self.height, self.units, self.mutua.provider_name(case.provider_id))

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open the case or claim."""
        event.stop()
        if event.option_list.id == "claims":
            await self.mutua.show_claim(str(event.option.id))
        elif event.option.id in self._cases:
            self.mutua.review(self._cases[event.option.id])
