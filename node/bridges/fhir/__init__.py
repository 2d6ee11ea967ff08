"""FHIR R4 claims in: bytes to resources (`reading`), resources to claims of the co-op (`mapping`).

`scanning` finds the resources of a file, `tables` and `shape` say what is R4, `references` who is meant. Nothing here
signs, sends or writes. A file is taken whole or not at all: when one resource cannot be mapped,
`ImportPlan.refusals` says which, where and why, and `ImportPlan.claims` is empty. Table of reasons:
`docs/reference/fhir-import.md`.
"""
