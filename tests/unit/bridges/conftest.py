"""Small FHIR files, written for these tests: no text of a licensed code system, no real person."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from node.bridges.fhir.values import CharterContext

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"


def money(value: Any, currency: str = "USD") -> dict[str, Any]:
    return {"value": value, "currency": currency}


def item_with(code: str = "G0439", system: str = HCPCS, net: Any = 125, **fields: Any) -> dict[str, Any]:
    item = {
        "sequence": 1,
        "productOrService": {"coding": [{"system": system, "code": code}]},
        "net": net if net is None or isinstance(net, dict) else money(net),
        "servicedDate": "2026-01-05",
    } | fields
    return {name: value for name, value in item.items() if value is not None}


def claim_with(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    claim = {
        "resourceType": "Claim",
        "id": "c1",
        "status": "active",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}]},
        "use": "claim",
        "patient": {"reference": "Patient/p1"},
        "created": "2026-01-06",
        "provider": {"identifier": {"system": "urn:example:clinics", "value": "north"}},
        "priority": {"coding": [{"code": "normal"}]},
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "the co-op"}}],
        "item": [dict(item, sequence=number) for number, item in enumerate(items or (item_with(),), start=1)],
    } | fields
    return {name: value for name, value in claim.items() if value is not None}


def encounter_with(
    identity: str = "e1", start: str = "2026-01-03", end: str | None = "2026-01-04", status: str = "finished"
) -> dict[str, Any]:
    period = {"start": start} | ({"end": end} if end else {})
    return {"resourceType": "Encounter", "id": identity, "status": status, "class": {"code": "AMB"}, "period": period}


def bundle_of(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": resource} for resource in resources]}


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def context() -> CharterContext:
    return CharterContext("USD", 2, date(2026, 1, 1), 10, {"urn:example:clinics|north": b"N" * 32, "south": b"S" * 32})


@pytest.fixture
def make() -> Callable[..., Any]:
    """Give tests the builders without importing from `tests`."""

    class Make:
        money = staticmethod(money)
        item = staticmethod(item_with)
        claim = staticmethod(claim_with)
        encounter = staticmethod(encounter_with)
        bundle = staticmethod(bundle_of)
        bytes = staticmethod(as_bytes)

    return Make  # type: ignore[return-value]
