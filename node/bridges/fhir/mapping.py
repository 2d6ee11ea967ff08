"""Resources to claims of the co-op: all of a file, or none with every reason. Pure; decides no rule of the co-op.

The same file and context give the same plan. What the mapping cannot know from FHIR R4 it refuses instead of guessing:
a second coverage (what it pays is not in a Claim), nested line details, amounts that contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar, cast

from node.bridges.fhir import amounts, codes, days
from node.bridges.fhir.canonical import canonical_json, source_hash_of
from node.bridges.fhir.reading import keys_of
from node.bridges.fhir.values import (
    CharterContext,
    FhirFile,
    FhirResource,
    ImportMapping,
    ImportPlan,
    MappedClaim,
    MappedLine,
    Refusal,
    Unmappable,
    fields_of,
)

_USES = {"claim": "claim", "preauthorization": "preauth"}
_PAYEES = {"provider": "provider", "subscriber": "member", "patient": "member"}
_EVENT_DOMAIN = b"mutua/fhir-encounter/v1\x00"
_Value = TypeVar("_Value")


def map_claims(file: FhirFile, mapping: ImportMapping, context: CharterContext) -> ImportPlan:
    """Return all claims of a file, or all reasons why it cannot be imported."""
    refusals = list(file.refusals)
    spoiled = {refusal.resource for refusal in refusals}
    index = _Index(file.resources)
    refusals.extend(index.refusals)
    claims: dict[bytes, MappedClaim] = {}
    everything = [resource for resource in file.resources if resource.kind == "Claim"]
    wanted = [item for item in everything if not mapping.patient or _patient_of(item) == mapping.patient]
    other_patients = len(everything) - len(wanted)
    for resource in wanted:
        if resource.label in spoiled:
            continue
        claim, reasons = _ClaimMapper(resource, index, mapping, context).map()
        refusals.extend(reasons)
        if claim is not None:
            claims.setdefault(claim.source_hash, claim)
    if not wanted:
        what = f"the file has no Claim of {mapping.patient}" if mapping.patient else "the file has no Claim"
        hint = "give FHIR R4 Claim resources; statements (ExplanationOfBenefit) are not claims"
        refusals.append(Refusal("file", "Claim", "fhir_no_claims", what, hint))
    refusals.extend(_several_patients(claims, mapping))
    refusals.extend(_repeated_lines(claims))
    if refusals:
        return ImportPlan((), tuple(dict.fromkeys(refusals)), 0, other_patients)
    return ImportPlan(tuple(claims.values()), (), len(wanted) - len(claims), other_patients)


class _Index:
    """References inside a file. Two different resources under one name make every use of it ambiguous: refused."""

    def __init__(self, resources: tuple[FhirResource, ...]) -> None:
        self.refusals: list[Refusal] = []
        self._named: dict[str, FhirResource] = {}
        for resource in resources:
            for key in sorted(keys_of(resource)):
                first = self._named.setdefault(key, resource)
                if first is not resource and source_hash_of(first.content) != source_hash_of(resource.content):
                    what = f"{first.where} and {resource.where} hold different resources named {key}"
                    hint = "keep one version of each resource"
                    self.refusals.append(Refusal(resource.label, resource.kind, "fhir_duplicate_id", what, hint))
                    break

    def find(self, reference: str) -> FhirResource | None:
        """Return the resource a reference names, whatever its version; None when it is elsewhere."""
        reference = reference.partition("/_history/")[0]
        found = self._named.get(reference)
        if found is None:
            # a server's address in front of `Type/id` may be dropped only for a resource that states no address
            found = self._named.get("/".join(reference.split("/")[-2:]))
            found = found if found is not None and not found.full_url else None
        return found


class _ClaimMapper:
    """Maps one claim, collecting every reason on the way."""

    def __init__(self, resource: FhirResource, index: _Index, mapping: ImportMapping, context: CharterContext) -> None:
        self._resource = resource
        self._claim = resource.content
        self._index = index
        self._mapping = mapping
        self._context = context
        self._reasons: list[Refusal] = []

    def map(self) -> tuple[MappedClaim | None, list[Refusal]]:
        """Return (claim, no reasons) or (None, reasons)."""
        self._try(self._check_status)
        use = self._try(self._use)
        payee = self._try(self._payee)
        provider = self._try(self._provider)
        patient = self._try(lambda: codes.checked_text(_patient_of(self._resource), "Claim.patient"))
        self._try(self._check_coverage)
        lines = self._lines()
        if lines is not None and not self._reasons:
            self._try(lambda: self._check_total(lines))
        if self._reasons or use is None or payee is None or provider is None or patient is None or lines is None:
            return None, self._reasons
        claim = MappedClaim(
            resource=self._resource.label,
            use=use,
            payee=payee,
            provider_identifier=provider,
            provider_key=self._context.providers[provider],
            patient=patient,
            event_id=self._event_id(),
            source_hash=source_hash_of(self._claim),
            lines=lines,
        )
        return claim, []

    def _try(self, part: Callable[[], _Value]) -> _Value | None:
        try:
            return part()
        except Unmappable as reason:
            self._reasons.append(Refusal(self._resource.label, reason.path, reason.code, reason.what, reason.hint))
            return None

    # ---- The claim as a whole ---------------------------------------------------------------------------------------

    def _check_status(self) -> None:
        status = self._claim.get("status")
        if status != "active":
            what = f"the claim is {status}, not active"
            raise Unmappable("Claim.status", "fhir_status", what, "file only active claims")

    def _use(self) -> str:
        use = _USES.get(str(self._claim.get("use")))
        if use is None:
            what = f"use {self._claim.get('use')!r} is neither claim nor preauthorization"
            raise Unmappable("Claim.use", "fhir_use", what, "correct the use")
        if use not in self._context.uses:
            what = "this co-op takes no pre-authorisations"
            raise Unmappable("Claim.use", "fhir_use", what, "file the claim after the service")
        return use

    def _payee(self) -> str:
        """Return the payee: the member, unless the claim names the provider."""
        payee: Any = self._claim.get("payee")
        if not isinstance(payee, dict):
            return "member"
        concept: dict[str, Any] = fields_of(payee).get("type") or {}
        codings: list[dict[str, Any]] = concept.get("coding") or []
        for coding in codings:
            if coding.get("code") in _PAYEES:
                return _PAYEES[str(coding["code"])]
        what = "the payee is neither the patient's side nor the provider"
        raise Unmappable("Claim.payee.type", "fhir_payee", what, "nobody else can be paid")

    def _provider(self) -> str:
        """Return the charter's identifier of the provider; business identifiers count, logical ids do not."""
        reference = cast("dict[str, Any]", self._claim.get("provider") or {})
        given: list[Any] = [reference.get("identifier")]
        resource = self._resolve(reference)
        if resource is not None:
            identifiers: Any = resource.content.get("identifier") or []
            given.extend(cast("list[Any]", identifiers) if isinstance(identifiers, list) else [identifiers])
        spellings = [spelling for identifier in given for spelling in _spellings(identifier)]
        known = {self._mapping.providers.get(text, text) for text in spellings} & self._context.providers.keys()
        if not known:
            named = spellings[0] if spellings else "without an identifier"
            what = f"the provider {named} is not known to the co-op"
            raise Unmappable("Claim.provider", "fhir_provider_unknown", what, "ask members to admit it")
        if len({self._context.providers[name] for name in known}) > 1:
            what = f"the provider's identifiers name several providers of the co-op: {', '.join(sorted(known))}"
            raise Unmappable("Claim.provider", "fhir_provider_ambiguous", what, "give one identifier")
        return min(known)

    def _check_coverage(self) -> None:
        coverages: list[Any] = self._claim.get("insurance") or []
        if len(coverages) > 1:
            what = f"the claim names {len(coverages)} coverages, and a Claim does not say what another payer paid"
            hint = "file it by hand: mutua claim submit with the other payer's amount"
            raise Unmappable("Claim.insurance", "fhir_other_coverage", what, hint)

    def _check_total(self, lines: tuple[MappedLine, ...]) -> None:
        if self._claim.get("total") is None:
            return
        total = amounts.total_of(self._claim["total"], "Claim.total", self._context.currency, self._context.exponent)
        charges = sum(line.charge_cents for line in lines)
        if total != charges:
            what = f"the total of {total} minor units is not the sum of the lines, {charges}"
            raise Unmappable("Claim.total", "fhir_amount_contradicts", what, "correct the claim at the provider")

    def _event_id(self) -> bytes:
        """Return one id for all claims of the encounters this claim names; empty when it names none."""
        names: set[str] = set()
        for item in cast("list[dict[str, Any]]", self._claim.get("item") or []):
            for reference in cast("list[dict[str, Any]]", item.get("encounter") or []):
                resource = self._resolve(reference)
                name = str(reference.get("reference", ""))
                if name.startswith("#"):
                    name = self._resource.label + name
                names.add(resource.label if resource is not None and resource.id and not name.count("#") else name)
        names.discard("")
        return sha256(_EVENT_DOMAIN + canonical_json(sorted(names)).encode()).digest() if names else b""

    # ---- Lines ------------------------------------------------------------------------------------------------------

    def _lines(self) -> tuple[MappedLine, ...] | None:
        items: list[dict[str, Any]] = self._claim.get("item") or []
        limit = self._context.lines_max
        if not 1 <= len(items) <= limit:
            what = f"the claim has {len(items)} lines; a claim has 1 to {limit}"
            refusal = Refusal(self._resource.label, "Claim.item", "fhir_lines", what, "split it by visit or by day")
            self._reasons.append(refusal)
            return None
        lines = [self._line(item, f"Claim.item[{number}]") for number, item in enumerate(items)]
        whole = tuple(line for line in lines if line is not None)
        if len(whole) < len(items):
            return None
        self._try(lambda: _check_one_system_per_code(whole))
        return whole

    def _line(self, item: dict[str, Any], path: str) -> MappedLine | None:
        context = self._context
        self._try(lambda: _check_no_details(item, path))
        coding = self._try(lambda: codes.code_of(item, path, self._mapping.codes, context.codes))
        modifiers = self._try(lambda: codes.modifiers_of(item, path))
        charge = self._try(lambda: amounts.charge_of(item, path, context.currency, context.exponent))
        span = self._try(lambda: days.days_of(self._claim, item, path, self._find, context))
        if coding is None or modifiers is None or charge is None or span is None:
            return None
        return MappedLine(*coding, modifiers, *charge, *span)

    def _resolve(self, reference: dict[str, Any]) -> FhirResource | None:
        return self._find(str(reference.get("reference", "")))

    def _find(self, reference: str) -> FhirResource | None:
        """Return the resource a reference names: contained in this claim (`#id`) or elsewhere in the file."""
        if not reference:
            return None
        if not reference.startswith("#"):
            return self._index.find(reference)
        for contained in cast("list[dict[str, Any]]", self._claim.get("contained") or []):
            if contained.get("id") == reference[1:]:
                kind = str(contained.get("resourceType"))
                return FhirResource(kind, reference[1:], "", f"{self._resource.label}{reference}", contained)
        return None


def _check_no_details(item: dict[str, Any], path: str) -> None:
    if item.get("detail"):
        what = "the line has nested details"
        raise Unmappable(f"{path}.detail", "fhir_details", what, "give each service as a separate line")


def _check_one_system_per_code(lines: tuple[MappedLine, ...]) -> None:
    """Refuse one code string under two systems: a case is named by (claim, code)."""
    systems: dict[str, str] = {}
    for number, line in enumerate(lines):
        if systems.setdefault(line.code, line.system) != line.system:
            what = f"the code {line.code} is under two coding systems in one claim"
            raise Unmappable(f"Claim.item[{number}].productOrService", "fhir_code_two_systems", what, "split the claim")


def _repeated_lines(claims: dict[bytes, MappedClaim]) -> list[Refusal]:
    """Return a reason for each line whose (patient, provider, code, first day) is already in the file (rules §5)."""
    seen: dict[tuple[str, bytes, str, int], str] = {}
    reasons: list[Refusal] = []
    for claim in claims.values():
        for number, line in enumerate(claim.lines):
            place = f"Claim.item[{number}]"
            key = claim.patient, claim.provider_key, line.code, line.first_day
            earlier = seen.setdefault(key, f"{claim.resource} {place}")
            if earlier != f"{claim.resource} {place}":
                what = f"{line.code} of day {line.first_day} at this provider is already in {earlier}"
                hint = "give one line with all its units"
                reasons.append(Refusal(claim.resource, place, "fhir_duplicate_line", what, hint))
    return reasons


def _patient_of(resource: FhirResource) -> str:
    """Return the patient's reference, or its identifier when there is no reference."""
    reference = fields_of(resource.content.get("patient"))
    return str(reference.get("reference") or next(iter(_spellings(reference.get("identifier"))), ""))


def _spellings(identifier: Any) -> list[str]:
    """Return `system|value` and the bare value of an Identifier."""
    members = fields_of(identifier)
    value = str(members.get("value") or "")
    full = [f"{members['system']}|{value}"] if members.get("system") else []
    return [*full, value] if value else []


def _several_patients(claims: dict[bytes, MappedClaim], mapping: ImportMapping) -> list[Refusal]:
    """Return a reason if a file has claims of several people: a member signs only for one cover."""
    patients = sorted({claim.patient for claim in claims.values()})
    if mapping.patient or len(patients) < 2:
        return []
    what = f"the file has claims of {len(patients)} patients, such as {patients[0]} and {patients[1]}"
    return [Refusal("file", "Claim.patient", "fhir_several_patients", what, "name yours: --patient REFERENCE")]
