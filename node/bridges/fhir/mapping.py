"""Resources to claims of the co-op: all of a file, or none with every reason. Decides no rule of the co-op.

The same file and context give the same plan. What the mapping cannot know from FHIR R4 it refuses instead of guessing:
a second coverage (what it pays is not in a Claim), nested line details, amounts that contradict each other.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import overload

from ledger.errors import MutuaError
from node.bridges.fhir.claim import ClaimMapper, patient_of, spellings_of_patient
from node.bridges.fhir.places import Places
from node.bridges.fhir.reading import FhirFile, is_same
from node.bridges.fhir.references import parsed
from node.bridges.fhir.values import (
    CharterContext,
    FhirResource,
    ImportMapping,
    ImportPlan,
    MappedClaim,
    Refusal,
    Unmappable,
)

KEPT_MAX = 20_000
"""Mapped claims kept in memory, about 1 kB each; more are mapped again whenever they are asked for."""
REASONS_MAX = 10_000
"""With this number of reasons the rest of the file is not looked at."""


def map_claims(file: FhirFile, mapping: ImportMapping, context: CharterContext) -> ImportPlan:
    """Return all claims of a file, or all reasons why it cannot be imported."""
    return _Plan(file, mapping, context).plan()


class _Plan:
    """Maps a file, claim by claim; holds what claims must be compared by, not the claims."""

    def __init__(self, file: FhirFile, mapping: ImportMapping, context: CharterContext) -> None:
        self._file = file
        self._mapping = mapping
        self._mapper = ClaimMapper(file, mapping, context)
        self._refusals = list(file.bundles)
        self._taken = array("Q")
        self._kept: list[MappedClaim] = []
        self._lines = Places()
        self._patients: dict[str, set[str]] = {}
        """Name to the servers that use it."""
        self._repeated = self._other_patients = 0
        self._left_out: set[str] = set()

    def plan(self) -> ImportPlan:
        """Return the plan of the whole file. MutuaError `usage` for a claim to leave out that is not in the file."""
        if self._file.missing_pages and not self._mapping.is_partial:
            hint = "export all pages, or take what is here with --partial"
            self._refusals.append(Refusal("file", "Bundle", "fhir_pages_missing", self._file.missing_pages, hint))
        for number in self._file.claims:
            self._add(number, self._file.resource(number))
            if len(self._refusals) >= REASONS_MAX:
                break
        self._check_some()
        if not self._has_several_patients():
            self._check_repeated_lines()
        self._file.check_unchanged()
        if self._refusals:
            refusals = tuple(dict.fromkeys(self._refusals))
            return ImportPlan((), refusals, 0, self._other_patients, self._file.missing_pages)
        if unknown := sorted(self._mapping.leave_out - self._left_out):
            raise MutuaError("usage", f"the file has no claim {unknown[0]!r} to leave out", "name it as Claim/ID")
        claims = tuple(self._kept) if len(self._kept) == len(self._taken) else _Claims(self)
        return ImportPlan(claims, (), self._repeated, self._other_patients, self._file.missing_pages)

    def claim(self, number: int) -> MappedClaim:
        """Return a taken claim by its number in the plan."""
        if number < len(self._kept):
            return self._kept[number]
        try:
            claim, _ = self._mapper.map(self._file.resource(self._taken[number]))
        finally:
            self._file.check_unchanged()  # or another file's faults would be told
        assert claim is not None, "a claim maps as it did before"
        return claim

    def __len__(self) -> int:
        """Return how many claims are taken."""
        return len(self._taken)

    def _add(self, number: int, resource: FhirResource) -> None:
        try:
            server, patient = patient_of(resource, self._file)
        except Unmappable:  # the mapper will say so
            server = patient = ""
        written = spellings_of_patient(resource)
        if self._mapping.patient[:1] == "#" and self._mapping.patient in written:
            patient = self._mapping.patient  # who stands inside of each claim is one person, says the member
        if not self._is_wanted(server, patient, written):
            self._other_patients += 1
            return
        twin = self._file.earlier_twin(number, resource)
        if twin is not None:
            self._repeated += 1
            if not is_same(twin, resource):
                what = f"{twin.where} and {resource.where} hold different resources named {resource.label}"
                hint = "keep one version of each resource"
                refusal = Refusal(resource.label, resource.kind, "fhir_duplicate_id", what, hint, resource.where)
                self._refusals.append(refusal)
            return
        if resource.label in self._mapping.leave_out:
            self._left_out.add(resource.label)
            return
        claim, reasons = self._mapper.map(resource)
        self._refusals += reasons
        if claim is None:
            return
        if len(self._kept) == len(self._taken) < KEPT_MAX:
            self._kept.append(claim)
        self._taken.append(number)
        self._patients.setdefault(patient, set()).add(server)
        for line in claim.lines:
            self._lines.add((claim.provider_key, line.code, line.first_day), len(self._taken) - 1)

    def _is_wanted(self, server: str, patient: str, written: set[str]) -> bool:
        """True iff a claim is of the chosen patient, or does not say whose it is: that is a fault, not a choice."""
        if not self._mapping.patient or not patient:
            return True
        wanted_server, wanted = parsed(self._mapping.patient)
        is_named = wanted == patient or self._mapping.patient in written
        return is_named and (not wanted_server or not server or wanted_server == server)

    # ---- The file as a whole ----------------------------------------------------------------------------------------

    def _check_some(self) -> None:
        if len(self._file.claims) > self._other_patients:
            return
        patient = self._mapping.patient
        what = f"the file has no Claim of {patient}" if patient else "the file has no Claim"
        hint = "give FHIR R4 Claim resources; statements (ExplanationOfBenefit) are not claims"
        self._refusals.append(Refusal("file", "Claim", "fhir_no_claims", what, hint))

    def _has_several_patients(self) -> bool:
        """Refuse a file with claims of several people, because a member signs only for one cover; say if it is one."""
        people = sorted(
            f"{server}/{name}" if server else name
            for name, servers in self._patients.items()
            for server in servers - {""} or {""}
        )
        if len(people) > 1:
            what = f"the file has claims of {len(people)} patients, such as {people[0]} and {people[1]}"
            hint = "name yours, with its server if two servers use one id: --patient REFERENCE"
            self._refusals.append(Refusal("file", "Claim.patient", "fhir_several_patients", what, hint))
        return len(people) > 1

    def _check_repeated_lines(self) -> None:
        """Refuse each line of the patient whose (provider, code, first day) is already in the file (rules §5)."""
        seen: dict[tuple[bytes, str, int], str] = {}
        for number in self._lines.repeated():
            claim = self.claim(number)
            for index, line in enumerate(claim.lines):
                place = f"Claim.item[{index}]"
                key = claim.provider_key, line.code, line.first_day
                earlier = seen.setdefault(key, f"{claim.resource} {place}")
                if earlier != f"{claim.resource} {place}":
                    what = self._mapper.context.dated(
                        f"{line.code} of day {line.first_day} at this provider is already in {earlier}"
                    )
                    hint = "give one line with all its units"
                    self._refusals.append(Refusal(claim.resource, place, "fhir_duplicate_line", what, hint))


class _Claims(Sequence[MappedClaim]):
    """The claims of a file too large to keep them: each is read and mapped when it is asked for."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan

    def __len__(self) -> int:
        return len(self._plan)

    @overload
    def __getitem__(self, index: int) -> MappedClaim: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MappedClaim]: ...
    def __getitem__(self, index: int | slice) -> MappedClaim | Sequence[MappedClaim]:
        """Return one claim, or those of a slice."""
        numbers = range(len(self._plan))[index]
        return self._plan.claim(numbers) if isinstance(numbers, int) else [self._plan.claim(one) for one in numbers]
