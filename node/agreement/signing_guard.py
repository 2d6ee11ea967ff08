"""The double-sign guard: whether this node may sign. While it is quarantined it signs nothing (notes, 1.4).

At its start a committee member asks its peers what they have seen it sign and waits until a quorum (with itself) has
answered, or all but f of them in some seconds, and it has caught up. A vote of its own that its log lacks means an old
disk image or a second node with the same key: quarantine, as for a lost or broken log.

Quarantine ends when a height is final that is greater than any it can have voted at, and a quorum (with itself) has
told what it saw this key sign up to such a height: nothing that its log lacks. So it does not end while a second node
signs. Its bound comes from the tips that peers tell, with the greatest f-1 left out: as long as no more than f members
are faulty, this one included, an honest peer confirms it, so it is not too low to be safe, and no false peer can raise
it for ever.

A signature above all heights at which this node can have signed before it looked back is not its past but another
node's. Two nodes that silence each other would also begin again together: each then waits for some blocks more, drawn
by chance, so that one begins first and the other sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import structlog

from consensus.committee import faults_of, quorum_of
from node.agreement.vote_log import VoteLog

log = structlog.get_logger("mutua.standing")

LOOK_S = 5.0
"""Once enough members are connected, the time that is waited for those of them that do not answer: the faulty ones."""
VOTED_AHEAD_MAX = 2
"""A node votes at its tip + 1, and the quorum that it heard of may have been one block behind."""
DRAWN_BLOCKS = 4
UNKNOWN = "peers saw this key sign what the vote log lacks: this folder is an old copy, or the key signs elsewhere too"
ELSEWHERE = "this key signs elsewhere: peers saw signatures of it that this node never made"


class DoubleSignGuard:
    """The right of one committee member to sign. No I/O but the vote log's mark. Safe for several threads."""

    def __init__(
        self,
        votes: VoteLog,
        size: int,
        height: Callable[[], int],
        clock: Callable[[], float],
        draw: Callable[[int], int],
    ) -> None:
        """`size` is the committee's; `height` tells the newest final one; `draw(n)` a number below n by chance."""
        self._votes = votes
        self._others = quorum_of(size) - 1
        self._faults = faults_of(size)
        self._rank = max(1, self._faults)
        self._height = height
        self._clock = clock
        self._draw = draw
        self._lock = Lock()
        self._tips: dict[bytes, int] = {}
        self._answers: dict[bytes, int] = {}
        self._enough_since: float | None = None
        self._until: int | None = None
        self._past = 0
        """This node may have signed up to here before it looked back; above, a signature that it lacks is another's."""
        self._drawn: int | None = None
        self._has_looked = self._others == 0
        if self._has_looked and votes.quarantine is not None:
            votes.end_quarantine()  # a committee of one has nobody to contradict itself before

    @property
    def quarantined_until(self) -> int | None:
        """The block that must be final before a quarantine ends; None without one, or while the bound is not known."""
        return None if self._votes.quarantine is None or self._until is None else self._until + 1

    @property
    def signs_elsewhere(self) -> bool:
        """True when another node signs with this node's key."""
        return self._votes.quarantine == ELSEWHERE

    def may_sign(self) -> bool:
        """True when the look back is over and there is no quarantine."""
        return self._has_looked and self._votes.quarantine is None

    def hear_tip(self, member: bytes, height: int) -> None:
        """Note the final height that a committee member's node tells."""
        self._tips[member] = height
        if self._votes.quarantine is not None and self._until is None and len(self._tips) >= self._others:
            self._until = self._bound()
            log.warning("quarantined", reason=self._votes.quarantine, until_final_above=self._until)

    def hear_answer(self, member: bytes, working_on: int) -> None:
        """Note that a committee member's node has told what it saw this node sign; its height is one above its tip."""
        self._answers[member] = working_on
        self.hear_tip(member, working_on - 1)

    def look(self, connected_members: int) -> bool:
        """Return True when the look back is over."""
        if self._has_looked:
            return True
        now = self._clock()
        if connected_members < self._others:
            self._enough_since = None
        elif self._enough_since is None:
            self._enough_since = now
        is_late = self._enough_since is not None and now - self._enough_since >= LOOK_S
        silent = self._faults if is_late else 0
        if len(self._answers) >= self._others - silent:
            self._has_looked = self._height() + 1 >= self._ranked(list(self._answers.values()), self._rank + silent)
        if self._has_looked:
            self._past = max(self._past, self._bound())
        return self._has_looked

    def suspect(self, height: int) -> None:
        """Begin or prolong a quarantine: this key signed what the log lacks, at `height`. Blocks on the disk."""
        with self._lock:
            if not self._has_looked:
                self._past = max(self._past, self._bound(), height + VOTED_AHEAD_MAX)
            reason = ELSEWHERE if height > self._past or self.signs_elsewhere else UNKNOWN
            if self._votes.quarantine is None or (reason == ELSEWHERE and not self.signs_elsewhere):
                event = "key_signs_elsewhere" if reason == ELSEWHERE else "own_vote_unknown"
                log.error(event, reason=reason, height=height, hint=self._votes.folder.advice_on_twin())
                self._votes.begin_quarantine(reason)
            if reason == ELSEWHERE and self._drawn is None:
                self._drawn = self._draw(DRAWN_BLOCKS)
            self._until = max(max(self._bound(), height) + (self._drawn or 0), self._until or 0)

    def end_if_over(self, height: int) -> bool:
        """End the quarantine if it is over at this final height; True when it was ended. Blocks on the disk."""
        with self._lock:
            if self._votes.quarantine is None or self._until is None or height <= self._until:
                return False
            told = [working_on for working_on in list(self._answers.values()) if working_on > self._until + 1]
            if len(told) < self._others:
                return False
            self._votes.end_quarantine()
            self._until = self._drawn = None
            log.info("quarantine_over", height=height)
            return True

    def _bound(self) -> int:
        """Return a height above all votes of this node."""
        tips = list(self._tips.values())
        return max(self._height(), self._ranked(tips, self._rank) if tips else 0) + VOTED_AHEAD_MAX

    def _ranked(self, heights: list[int], rank: int) -> int:
        return sorted(heights, reverse=True)[min(rank, len(heights)) - 1] if heights else 0
