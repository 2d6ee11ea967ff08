"""FHIR R4 claims in: bytes to checked resources (`reading`), resources to claims of the co-op (`mapping`). Pure.

Nothing here signs, sends or touches a disk. A file is taken whole or not at all: when one resource cannot be mapped,
`ImportPlan.refusals` says which, where and why, and `ImportPlan.claims` is empty. Table of reasons:
`docs/reference/fhir-import.md`.
"""

from __future__ import annotations

from node.bridges.fhir.mapping import map_claims
from node.bridges.fhir.reading import read_fhir
from node.bridges.fhir.values import (
    CharterContext,
    FhirFile,
    FhirResource,
    ImportMapping,
    ImportPlan,
    MappedClaim,
    MappedLine,
    Refusal,
)

__all__ = [
    "CharterContext",
    "FhirFile",
    "FhirResource",
    "ImportMapping",
    "ImportPlan",
    "MappedClaim",
    "MappedLine",
    "Refusal",
    "map_claims",
    "read_fhir",
]
