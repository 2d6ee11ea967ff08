"""One Claim to a claim of the co-op, or every reason why it cannot be one."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar, cast

import msgspec

from node.bridges.fhir import amounts, codes, days
from node.bridges.fhir.reading import FhirFile
from node.bridges.fhir.references import URN, identified, local_name, parsed, spellings
from node.bridges.fhir.shape import faults_of
from node.bridges.fhir.tables import TABLES
from node.bridges.fhir.values import (
    CharterContext,
    FhirResource,
    ImportMapping,
    MappedClaim,
    MappedLine,
    Refusal,
    Unmappable,
    fields_of,
)

_USES = {"claim": "claim", "preauthorization": "preauth"}
_PAYEES = {"provider": "provider", "subscriber": "member", "patient": "member"}
_PROVIDERS = frozenset(("Organization", "Practitioner", "PractitionerRole"))
_EVENT_DOMAIN = b"mutua/fhir-encounter/v2\x00"
_SOURCE_DOMAIN = b"mutua/fhir-claim/v2\x00"
_Value = TypeVar("_Value")


def patient_of(claim: FhirResource, file: FhirFile) -> tuple[str, str]:
    """Return (server or empty, name) of a claim's patient, however the claim spells it; no name when it gives none."""
    reference = fields_of(claim.content.get("patient"))
    server, name = _target(reference, "Patient")
    if name.startswith("#"):
        name = next(spellings(_contained(claim, name).get("identifier")), f"{claim.label}{name}")
    elif name.startswith(URN):
        patient = file.find(name, "", "Claim.patient")
        server, name = parsed(f"Patient/{patient.id}") if patient and patient.id else ("", local_name("Patient", name))
    elif not server:
        server = _server_of(claim)
    return (server, name) if name else ("", "")


def spellings_of_patient(claim: FhirResource) -> set[str]:
    """Return what a claim writes for its patient: the reference as it stands, and the identifier."""
    reference = fields_of(claim.content.get("patient"))
    return {str(reference.get("reference") or ""), *spellings(reference.get("identifier"))}


class ClaimMapper:
    """Maps claims of one file, each with every reason on the way."""

    def __init__(self, file: FhirFile, mapping: ImportMapping, context: CharterContext) -> None:
        self.file = file
        self.mapping = mapping
        self.context = context
        self.codes = codes.CodeList(context.codes, mapping.codes)

    def map(self, resource: FhirResource) -> tuple[MappedClaim | None, list[Refusal]]:
        """Return (claim, no reasons) or (None, reasons)."""
        faults = faults_of(resource.content, "Claim")
        if faults:
            return None, [fault.refusal(resource.label, resource.where) for fault in faults]
        return _OneClaim(self, resource).map()


class _Spoiled(Exception):
    """What a part of a claim refers to is not valid R4; the reasons have been noted."""


class _OneClaim:
    """The mapping of one claim that has the shape of R4."""

    def __init__(self, mapper: ClaimMapper, resource: FhirResource) -> None:
        self._mapper = mapper
        self._context = mapper.context
        self._resource = resource
        self._claim = resource.content
        self._server = _server_of(resource)
        self._reasons: list[Refusal] = []
        self._found: dict[str, FhirResource | None] = {}
        self._spoiled: set[str] = set()

    def map(self) -> tuple[MappedClaim | None, list[Refusal]]:
        """Return (claim, no reasons) or (None, reasons)."""
        self._try(self._check_status)
        use = self._try(self._use)
        payee = self._try(self._payee)
        provider = self._try(self._provider)
        patient = self._try(self._patient)
        self._try(self._check_coverage)
        lines = self._lines()
        if lines is not None and not self._reasons:
            self._try(lambda: self._check_total(lines))
        if self._reasons or use is None or payee is None or provider is None or patient is None or lines is None:
            return None, self._reasons
        key = self._context.providers[provider]
        event_id = self._event_id(key)
        claim = MappedClaim(
            resource=self._resource.label,
            use=use,
            payee=payee,
            provider_identifier=provider,
            provider_key=key,
            patient=patient,
            event_id=event_id,
            source_hash=_digest(_SOURCE_DOMAIN, use, payee, key, event_id, lines),
            lines=lines,
        )
        return claim, []

    def _try(self, part: Callable[[], _Value]) -> _Value | None:
        try:
            return part()
        except Unmappable as reason:
            self._refuse(reason)
        except _Spoiled:
            pass
        return None

    def _refuse(self, reason: Unmappable) -> None:
        label, where = self._resource.label, self._resource.where
        self._reasons.append(Refusal(label, reason.path, reason.code, reason.what, reason.hint, where))

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
        if payee is None:
            return "member"
        for coding in codes.codings_of(fields_of(payee).get("type")):
            if coding.get("code") in _PAYEES:
                return _PAYEES[str(coding["code"])]
        what = "the payee is neither the patient's side nor the provider"
        raise Unmappable("Claim.payee.type", "fhir_payee", what, "nobody else can be paid")

    def _provider(self) -> str:
        """Return the charter's identifier of the provider; business identifiers count, logical ids do not."""
        reference = fields_of(self._claim.get("provider"))
        given = [*spellings(reference.get("identifier"))]
        _, _, spelling = _target(reference, "Organization")[1].partition("?identifier=")
        if spelling:
            given += [spelling, spelling.rpartition("|")[2]]
        resource = self._resolve(reference, "Claim.provider")
        if resource is not None and resource.kind in _PROVIDERS:
            given += spellings(resource.content.get("identifier"))
        providers, aliases = self._context.providers, self._mapper.mapping.providers
        known = {aliases.get(text, text) for text in given} & providers.keys()
        if not known:
            named = given[0] if given else "without an identifier"
            what = f"the provider {named} is not known to the co-op"
            raise Unmappable("Claim.provider", "fhir_provider_unknown", what, "ask members to admit it")
        if len({providers[name] for name in known}) > 1:
            what = f"the provider's identifiers name several providers of the co-op: {', '.join(sorted(known))}"
            raise Unmappable("Claim.provider", "fhir_provider_ambiguous", what, "give one identifier")
        return min(known)

    def _patient(self) -> str:
        _, name = patient_of(self._resource, self._mapper.file)
        return codes.checked_text(name, "Claim.patient")

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

    def _event_id(self, provider_key: bytes) -> bytes:
        """Return one id for all claims of this provider that name the same encounters; empty when a claim names none.

        Two clinics both have an `Encounter/1`, so the provider is part of it; and one visit is spelled with this or
        that server's address, so the address is not. A contained encounter belongs to its claim alone.
        """
        names: set[str] = set()
        for item in self._items():
            for reference in cast("list[dict[str, Any]]", item.get("encounter") or []):
                _, name = _target(reference, "Encounter")
                if name.startswith(URN):
                    encounter = self._resolve(reference, "Claim.item.encounter")
                    known = encounter is not None and encounter.id
                    name = f"Encounter/{encounter.id}" if encounter and known else local_name("Encounter", name)
                if name and not name.startswith("#"):
                    names.add(name)
        return _digest(_EVENT_DOMAIN, provider_key, sorted(names)) if names else b""

    # ---- Lines ------------------------------------------------------------------------------------------------------

    def _items(self) -> list[dict[str, Any]]:
        return self._claim.get("item") or []

    def _lines(self) -> tuple[MappedLine, ...] | None:
        items, limit = self._items(), self._context.lines_max
        if not 1 <= len(items) <= limit:
            what = f"the claim has {len(items)} lines; a claim has 1 to {limit}"
            self._refuse(Unmappable("Claim.item", "fhir_lines", what, "split it by visit or by day"))
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
        coding = self._try(lambda: codes.code_of(item, path, self._mapper.codes))
        modifiers = self._try(lambda: codes.modifiers_of(item, path))
        charge = self._try(lambda: amounts.charge_of(item, path, context.currency, context.exponent))
        span = self._try(lambda: days.days_of(self._claim, item, path, self._encounters(item, path), context))
        if coding is None or modifiers is None or charge is None or span is None:
            return None
        return MappedLine(*coding, modifiers, *charge, *span)

    def _encounters(self, item: dict[str, Any], path: str) -> list[FhirResource | None]:
        """Return the encounters a line names, None for one that is elsewhere; refuse those that did not take place."""
        found: list[FhirResource | None] = []
        for number, reference in enumerate(cast("list[dict[str, Any]]", item.get("encounter") or [])):
            place = f"{path}.encounter[{number}]"
            encounter = self._resolve(reference, place)
            if encounter is not None and encounter.kind != "Encounter":
                what = f"{encounter.label} is not an Encounter"
                raise Unmappable(place, "fhir_invalid", what, "correct the reference at the provider")
            if encounter is not None:
                days.check_took_place(encounter, place)
            found.append(encounter)
        return found

    def _resolve(self, reference: dict[str, Any], path: str) -> FhirResource | None:
        """Return the resource a reference names: contained in this claim (`#id`) or elsewhere in the file, and R4."""
        name = str(reference.get("reference") or "")
        if name not in self._found:
            found = self._found[name] = self._find(name, path) if name else None
            faults = faults_of(found.content, found.kind) if found is not None and found.kind in TABLES else []
            if found is not None and faults:
                self._reasons += [fault.refusal(found.label, found.where) for fault in faults]
                self._spoiled.add(name)
        if name in self._spoiled:
            raise _Spoiled
        return self._found[name]

    def _find(self, name: str, path: str) -> FhirResource | None:
        if not name.startswith("#"):
            return self._mapper.file.find(name, self._server, path)
        content = _contained(self._resource, name)
        kind = content.get("resourceType")
        if not isinstance(kind, str):
            return None
        return FhirResource(kind, "", "", f"{self._resource.label}{name}", content)


def _target(reference: dict[str, Any], kind: str) -> tuple[str, str]:
    """Return (server, name) of what a Reference names, by its identifier when it gives no address."""
    given = reference.get("reference")
    if given:
        return parsed(str(given))
    spelling = next(spellings(reference.get("identifier")), "")
    return "", identified(kind, spelling) if spelling else ""


def _contained(claim: FhirResource, name: str) -> dict[str, Any]:
    """Return the contained resource of this name (`#id`), or nothing."""
    inner: Any = claim.content.get("contained")
    for content in cast("list[Any]", inner) if isinstance(inner, list) else []:
        if fields_of(content).get("id") == name[1:]:
            return fields_of(content)
    return {}


def _server_of(claim: FhirResource) -> str:
    return parsed(claim.full_url)[0] if claim.full_url else ""


def _digest(domain: bytes, *parts: Any) -> bytes:
    return sha256(domain + msgspec.msgpack.encode(parts)).digest()


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
