"""Review and cast a ballot: four screens, one question each. Claim card, choice, review of what is signed, receipt.

The approval threshold is shown, the claimant's seniority is not (rules §7): no figure and no sentence of the node that
contains it comes before a voter while the case is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, RadioButton, RadioSet, Static

from node.api.client import AsyncClient
from node.api.errors import ApiError
from node.api.text import brief, clean, refusal
from node.api.views.claims import CLAIM, CLAIMS, Case, CaseToVote, Claim
from tui.feed import fault_of
from tui.memory import KeptReceipt
from tui.model import (
    CHOICES,
    REASON_SIZE_MAX,
    BallotDraft,
    case_to_vote,
    codes_words,
    document_words,
    find_draft_fault,
    outcome_words,
    plan_of,
    quorum_words,
    similar_words,
    tally_words,
    threshold_words,
    time_left,
)
from tui.screens.base import LiveScreen
from tui.screens.document import DocumentScreen, read_document
from tui.screens.receipt import ReceiptScreen
from tui.widgets.words import MUTED, card, labelled, muted, plain, stacked, tally_bar, title

SIMILAR_MAX = 8
"""Earlier cases of the same code that are looked up: enough to judge by, few enough to be quick."""
BACK = Binding("escape", "app.leave", "Back", id="ballot.back", tooltip="Go back one step; nothing has been sent")


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
        yield _step(1, "What is asked?")
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
            labelled("service", _service_words(claim, case)),
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


FIELDS = {
    "award": "Award, if you think a different amount is right (leave empty for all charges)",
    "reason": "Reason, if you like; everybody can read it",
}


class Choice(RadioButton):
    """A choice whose mark is a sign and not only a colour: `(●)` chosen, `( )` not."""

    BUTTON_LEFT = BUTTON_RIGHT = " "

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]  # noqa: N802 - Textual's own name
        """The mark."""
        return "(●)" if self.value else "( )"


class BallotStep(LiveScreen):
    """A step before the ballot is sent: it knows as soon as the vote has closed, and says so instead of going on.

    What it says stands with its buttons below the part that scrolls, so that both are seen on the smallest terminal.
    """

    def __init__(self, case: CaseToVote, draft: BallotDraft) -> None:
        super().__init__()
        self._case = case
        self._draft = draft
        self._outcome = ""

    async def load(self, client: AsyncClient) -> None:
        """Look whether the case is still open."""
        newest = (await client.view(CLAIM, id=self._draft.claim)).case_of(self._draft.code)
        if newest is not None and not newest.is_open:
            self._outcome = outcome_words(newest, self.units)
            self.is_closed()

    def is_closed(self) -> bool:
        """True once the vote has closed; then the screen says so."""
        if self._outcome:
            self.put_fault(f"the vote has closed, nothing was sent: the case was {self._outcome}")
        return bool(self._outcome)

    def put_fault(self, words: str) -> None:
        """Show what is wrong, or nothing."""
        self.put("fault", Content.styled(f"✗ {words}", "bold $error") if words else "")


class ChoiceScreen(BallotStep):
    """Step 2, how do you vote: the choice."""

    PLACE = "home"
    AUTO_FOCUS = ""  # on_mount focuses without scrolling, which before the first layout would hide the code
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding("a", "choose('accept')", "Accept", id="choice.accept"),
        Binding("d", "choose('deny')", "Deny", id="choice.deny"),
        Binding("s", "choose('abstain')", "Abstain", id="choice.abstain"),
        Binding("ctrl+r", "review", "Review", id="choice.review", tooltip="See exactly what will be signed"),
    ]

    def __init__(self, case: CaseToVote, draft: BallotDraft) -> None:
        super().__init__(case, draft)
        self._choice = ""

    def body(self) -> Iterable[Widget]:
        """Three choices, two optional fields."""
        charges = self.units.money(self._case.charges_cents)
        yield _step(2, "How do you vote?")
        with VerticalScroll(classes="card", can_focus=False):
            yield plain(Content.assemble((clean(self._case.code, 20), "bold $accent"), f"   {charges}"))
            with RadioSet(id="choice"):
                yield Choice("Accept   the co-op pays", id="accept")
                yield Choice("Deny     the co-op does not pay", id="deny")
                yield Choice("Abstain  you have looked at it and leave the decision to others", id="abstain")
            yield plain("  " + FIELDS["award"], "award-label", "field-label")
            yield Input(id="award", placeholder=self.units.figure(self._case.charges_cents), max_length=24)
            yield plain("  " + FIELDS["reason"], "reason-label", "field-label")
            yield Input(id="reason", placeholder="", max_length=REASON_SIZE_MAX)
        with Vertical(classes="deed"):
            yield plain(name="fault")
            yield Button("Review what will be signed", id="review")

    def on_mount(self) -> None:
        """Begin with the choice."""
        self.query_one(RadioSet).focus(scroll_visible=False)

    def action_choose(self, choice: str) -> None:
        """Choose by letter. Everything follows at once, so that fast fingers are not outrun by messages."""
        if choice in CHOICES:
            self._take(choice)
            self.query_one(f"#{choice}", RadioButton).value = True

    def on_radio_set_changed(self, event: RadioSet.Changed) -> None:
        """A choice by Enter or mouse goes on to the next field; one by letter has done so already."""
        event.stop()
        if self.query_one(RadioSet).has_focus_within:
            self._take(str(event.pressed.id))

    def _take(self, choice: str) -> None:
        """Note the choice and go on; an award goes with accept only."""
        self._choice = choice
        award = self.query_one("#award", Input)
        award.disabled = choice != "accept"
        (award if choice == "accept" else self.query_one("#reason", Input)).focus()
        self.put_fault("")

    def on_descendant_focus(self) -> None:
        """Mark the field that takes the keys by a sign, not by its colour alone."""
        for name, words in FIELDS.items():
            sign = "▸ " if self.focused is not None and self.focused.id == name else "  "
            self.put(f"{name}-label", sign + words)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next field, from the last one to the review."""
        event.stop()
        if event.input.id == "award":
            self.query_one("#reason", Input).focus()
        else:
            self.action_review()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Go on."""
        event.stop()
        self.action_review()

    def action_review(self) -> None:
        """Go on to the review, or say what is missing."""
        if self.is_closed():
            return
        award, reason = self.query_one("#award", Input).value, self.query_one("#reason", Input).value.strip()
        fault = find_draft_fault(self._choice, award, reason, self._case.charges_cents, self.units)
        if fault is not None:
            self.put_fault(fault)
            return
        amount = self.units.parse(award) if self._choice == "accept" and award.strip() else None
        self.mutua.push_screen(
            ReviewScreen(self._case, replace(self._draft, choice=self._choice, award_cents=amount, reason=reason))
        )


class ReviewScreen(BallotStep):
    """Step 3: is this what you mean? Shows every field that will be signed."""

    PLACE = "home"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding("s", "sign", "Sign and send", id="review.sign", tooltip="Your node signs the ballot and sends it"),
    ]

    def __init__(self, case: CaseToVote, draft: BallotDraft) -> None:
        super().__init__(case, draft)
        self._is_sent = False

    def body(self) -> Iterable[Widget]:
        """The fields, and two buttons."""
        yield _step(3, "Is this what you mean?")
        with VerticalScroll(classes="card", can_focus=True):
            yield plain(self._fields(), "fields")
        with Vertical(classes="deed"):
            yield plain(name="fault")
            with Horizontal(classes="buttons"):
                yield Button("Sign and send (s)", id="sign", variant="primary")
                yield Button("Back (escape)", id="back")

    def _fields(self) -> Content:
        draft, units = self._draft, self.units
        award = (
            "–"
            if draft.choice != "accept"
            else "all charges"
            if draft.award_cents is None
            else units.money(draft.award_cents)
        )
        opened = (
            "no document opened; your ballot counts, but not towards the half of the quorum that must have opened it"
        )
        if draft.opened:
            opened = "the claim itself (it has no document)" if draft.opened == draft.claim else draft.opened
        rows: list[Content | str] = [
            Content.assemble(
                ("You ", ""),
                (draft.choice, "bold $accent"),
                f" {clean(draft.code, 20)}, {units.money(self._case.charges_cents)}.",
            ),
            "",
            title("Your node will sign exactly this record"),
            labelled("kind", "case.ballot"),
            labelled("claim", clean(draft.claim, 70)),
            labelled("code", clean(draft.code, 20)),
            labelled("choice", draft.choice),
            labelled("award", award),
            labelled("reason", clean(draft.reason) or "none"),
            labelled("evidence", f"version {draft.evidence_version}"),
            labelled("opened", opened),
            labelled("signed by", f"you, {clean(self.mutua.member, 70)}"),
            "",
            muted("Everybody in the co-op can see that you voted, your choice, award and reason."),
            muted("You may change a ballot once while the vote is open, not in its last 15 blocks."),
        ]
        return stacked(rows)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Sign, or go back."""
        event.stop()
        if event.button.id == "sign":
            self.action_sign()
        else:
            self.mutua.action_leave()

    def action_sign(self) -> None:
        """Send the ballot once, however often the key is pressed."""
        if self._is_sent or self.is_closed():
            return
        self._is_sent = True
        self.query_one("#sign", Button).disabled = True
        self.put("fault", muted("… your node signs and stores it"))
        self.mutua.run_worker(self._send(), group="send")  # the app's: going back must not lose the receipt

    async def _send(self) -> None:
        draft = self._draft
        try:
            client = await self.mutua.feed.client()
            answer = await client.submit("case.ballot", draft.body())
        except Exception as error:
            self._show_fault(fault_of(error))
            return
        kept = KeptReceipt(answer.record_id, draft.claim, draft.code, draft.choice, self.height)
        self.mutua.memory.keep(kept)
        if self in self.mutua.screen_stack:
            await self.mutua.finish_with(ReceiptScreen(kept))
        else:
            words = f"✓ your ballot on {clean(kept.code, 20)} was sent; its receipt is under My ballots"
            self.mutua.notify(words, markup=False)

    def _show_fault(self, fault: ApiError) -> None:
        self._is_sent = False
        if self not in self.mutua.screen_stack:
            self.mutua.tell(fault)
            return
        self.query_one("#sign", Button).disabled = False
        words = refusal(fault.what, fault.hint, fault.rule)
        if fault.code == "node_silent":
            words += "\n  It may have been stored anyway. Check My ballots and the case before you send it again."
        self.put_fault(words)


# ---- Words -------------------------------------------------------------------
def _step(number: int, question: str) -> Static:
    return plain(Content.assemble((f"Step {number} of 4  ", MUTED), (question, "bold")), classes="step")


def _service_words(claim: Claim, case: CaseToVote) -> str:
    lines = [line for line in claim.lines if line.code == case.code]
    if not lines:
        return "–"
    first, last = min(line.first_day for line in lines), max(line.last_day for line in lines)
    units = sum(line.units for line in lines)
    return f"{units} {'unit' if units == 1 else 'units'}, " + (
        f"day {first}" if first == last else f"days {first} to {last}"
    )


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
