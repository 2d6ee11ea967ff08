"""Cast a ballot, after the claim card of `case`: choice, review of what is signed, receipt; one question a screen.

The approval threshold is shown, the claimant's seniority is not (rules §7): no figure and no sentence of the node that
contains it comes before a voter while the case is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, RadioButton, RadioSet, Static

from node.api.client import AsyncClient
from node.api.errors import ApiError
from node.api.text import clean, refusal
from node.api.views.claims import CLAIM, CaseToVote
from tui.feed import fault_of
from tui.memory import KeptReceipt
from tui.model import (
    CHOICES,
    REASON_SIZE_MAX,
    BallotDraft,
    find_draft_fault,
    outcome_words,
)
from tui.screens.base import LiveScreen
from tui.screens.receipt import ReceiptScreen
from tui.widgets.words import MUTED, labelled, muted, plain, stacked, title

BACK = Binding("escape", "app.leave", "Back", id="ballot.back", tooltip="Go back one step; nothing has been sent")


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
        yield step(2, "How do you vote?")
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
        yield step(3, "Is this what you mean?")
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


def step(number: int, question: str) -> Static:
    """Return the line that says which step this is, and what it asks."""
    return plain(Content.assemble((f"Step {number} of 4  ", MUTED), (question, "bold")), classes="step")
