"""The importer's values: resources as read, the charter's part, claims as mapped, reasons for refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

from node.api.text import dated

HCPCS_SYSTEM = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
"""URI of HCPCS Level II in HL7's registry of code systems; every accepted spelling of it becomes this one."""

LINES_MAX = 100
"""Lines of one claim, as the rules of claims bound it."""
UNITS_MAX = 10_000
"""Units of one line; more is a typing error, and splitting a line stays possible."""
MODIFIERS_MAX = 4
"""Modifiers of one line, as on the common claim forms."""
TEXT_SIZE_MAX = 128
"""Characters of a code, a system URI or an identifier, as the rules of claims bound it."""
CHARGE_CENTS_MAX = 10**12
"""Charge of one line in minor units; keeps every sum far below 2**63."""


def fields_of(value: Any) -> dict[str, Any]:
    """Return a JSON object's members; none of anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


class Unmappable(Exception):
    """One thing in a resource that cannot be mapped; the mapper collects these, it does not stop at the first."""

    def __init__(self, path: str, code: str, what: str, hint: str) -> None:
        super().__init__(f"{path}: {what}; {hint}")
        self.path = path
        self.code = code
        self.what = what
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file is not imported: the resource, the place in it, a stable code, what is wrong and how to fix it."""

    resource: str
    """Type and id, such as `Claim/17`; without an id the place in the file, such as `Claim in line 3`."""
    path: str
    """FHIRPath-like, such as `Claim.item[0].net.value`."""
    code: str
    what: str
    hint: str
    where: str = ""
    """Place of the resource in the file, such as `entry 4`, counted from 1."""


@dataclass(frozen=True, slots=True)
class FhirResource:
    """One resource of a file, with numbers as exact decimals."""

    kind: str
    """`resourceType`."""
    id: str
    """Logical id; empty when the resource has none."""
    full_url: str
    """`fullUrl` of the bundle entry; empty outside a bundle."""
    where: str
    """Place in the file for people, such as `entry 4` or `line 2`."""
    content: dict[str, Any]

    @property
    def label(self) -> str:
        """Return what a reason calls this resource."""
        return f"{self.kind}/{self.id}" if self.id else f"{self.kind} in {self.where}"


@dataclass(frozen=True, slots=True)
class CharterContext:
    """What the mapping must know of the co-op. Everything is on the ledger; nothing is read here."""

    currency: str
    """ISO 4217 code."""
    exponent: int
    """Decimal places of the minor unit: USD 2, XAF 0."""
    day_one: date
    """The date of height 1."""
    height: int
    """Height of the block that can carry the claims next: no line may name a later day."""
    providers: Mapping[str, bytes]
    """Charter identifier of a provider, `system|value` or bare value, to its key."""
    codes: frozenset[tuple[str, str]] = frozenset()
    """(system, code) of the charter's list: picks the coding when a line carries several."""
    uses: frozenset[str] = frozenset(("claim", "preauth"))
    """What the co-op takes: claims, and perhaps pre-authorisations."""
    lines_max: int = LINES_MAX

    def height_of(self, day: date) -> int:
        """Return the height of a date; a day before height 1 gives zero or less.

        >>> CharterContext("USD", 2, date(2026, 1, 1), 9, {}).height_of(date(2026, 1, 3))
        3
        """
        return (day - self.day_one).days + 1

    def dated(self, sentence: str) -> str:
        """Return a sentence with the dates of the days that it names by number."""
        return dated(sentence, self.day_one.isoformat())


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """What a member adds to a file: other spellings of codes and providers, and whose claims to take."""

    codes: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict[tuple[str, str], tuple[str, str]])
    """(system, code) in the file to (system, code) on the ledger."""
    providers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Identifier in the file to identifier in the charter."""
    patient: str = ""
    """Reference of the patient whose claims are taken, such as `Patient/7`; empty when the file holds one patient."""
    leave_out: frozenset[str] = frozenset()
    """Claims of the file that are not to be filed, such as `Claim/7`."""
    is_partial: bool = False
    """Take a file that holds only some pages of a search's answer."""


@dataclass(frozen=True, slots=True)
class MappedLine:
    """One line as a claim record carries it. Charge in minor units; days are heights, first and last included."""

    system: str
    code: str
    modifiers: tuple[str, ...]
    units: int
    charge_cents: int
    first_day: int
    last_day: int


@dataclass(frozen=True, slots=True)
class MappedClaim:
    """One claim, complete but for keys, evidence and payout addresses, which the member's daemon adds."""

    resource: str
    use: str
    """`claim` or `preauth`."""
    payee: str
    """`member` or `provider`."""
    provider_identifier: str
    provider_key: bytes
    patient: str
    """Name of the patient in the file, such as `Patient/7`. Stays on this machine: it never enters a record."""
    event_id: bytes
    """32 bytes, the same for all claims of one encounter at one provider; empty when the claim names none."""
    source_hash: bytes
    """32 bytes over all that a record takes from the claim, so whatever else an export adds makes no new source."""
    lines: tuple[MappedLine, ...]

    @property
    def charge_cents(self) -> int:
        """Return the sum of the charges, in minor units."""
        return sum(line.charge_cents for line in self.lines)


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """All claims of a file, or all reasons why it cannot be imported: never both."""

    claims: Sequence[MappedClaim]
    """In the order of the file. Of a large file they are mapped again whenever they are iterated, to save memory."""
    refusals: tuple[Refusal, ...]
    repeated: int = 0
    """Claims that stood in the file more than once, the same in meaning, and are taken once."""
    other_patients: int = 0
    """Claims left out because `ImportMapping.patient` names somebody else."""
    missing_pages: str = ""
    """A sentence when the file holds only some pages of a search's answer, else empty."""
