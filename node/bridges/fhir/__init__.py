"""FHIR R4 claims in: bytes to checked resources (`reading`), resources to claims of the co-op (`mapping`). Pure.

Nothing here signs, sends or touches a disk. A file is taken whole or not at all: when one resource cannot be mapped,
`ImportPlan.refusals` says which, where and why, and `ImportPlan.claims` is empty. Table of reasons:
`docs/reference/fhir-import.md`.
"""
