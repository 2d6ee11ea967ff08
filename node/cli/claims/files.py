"""`mutua claim submit | preauthorise | draft | attest`.

A claim on its way to the ledger, with the provider's signature.

Where the provider is elsewhere: `draft` writes the claim, the provider signs it with `attest` on its own machine, and
`submit --draft FILE --attestation FILE` files it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.api.errors import ApiError
from node.api.text import hex_bytes, short
from node.api.views.actions import Submitted
from node.cli.claims.bill import NO_BILL, Bill, bill_lines, claim_body, keep_evidence
from node.cli.common import DEFAULT, SEND, WAIT, Common, Flag, Sending, Session, Waiting, read_file, say

FILE_SIZE_MAX = 256 * 1024
Json = dict[str, Any]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Signed:
    """Where the provider's signature comes from."""

    draft: Annotated[Path | None, Parameter(help="File this draft (mutua claim draft) instead of a bill.")] = None
    attestation: Annotated[
        list[Path] | None, Parameter(negative="", help="The provider's signature (mutua claim attest).")
    ] = None
    provider_seed_file: Annotated[
        Path | None, Parameter(help="Sign for the provider with its seed, where it is on this machine.")
    ] = None


NOT_SIGNED = Signed()


def submit(*, bill: Bill = NO_BILL, signed: Signed = NOT_SIGNED, send: Waiting = WAIT, common: Common = DEFAULT) -> int:
    """File a claim."""
    session = common.session()
    _, (body, kept) = session.member, _body_of(common, session, bill, signed, use="claim")
    answer = _send(common, session, body, kept=kept, signed=signed)
    new = short(answer.record_id)
    then = f"what became of it: mutua claim explain {new}"
    return send.report(common, session, answer, f"claim {new} filed", then=then)


def preauthorise(
    *, bill: Bill = NO_BILL, signed: Signed = NOT_SIGNED, send: Sending = SEND, common: Common = DEFAULT
) -> int:
    """Ask before a service whether it will be paid. Give the planned bill as for a claim; nothing is paid yet.

    Standard codes are answered at once with what a claim would pay as of now; the members vote on the others. Once
    accepted, a claim that fits is settled without a vote.
    """
    session = common.session()
    _, (body, kept) = session.member, _body_of(common, session, bill, signed, use="preauth")
    if body["use"] != "preauth":
        what = "the draft is of a claim"
        raise MutuaError("claim_draft", what, "file it with mutua claim submit, or draft with --before")
    review = [
        *bill_lines(body, session.units),
        "it pays nothing and uses nothing up; the answer applies to the days named",
    ]
    if not send.is_confirmed(common, "claim.file", review, "ask the members?"):
        _forget(common, kept)
        return say(common, {}, "nothing was sent")
    answer = _send(common, session, body, kept=kept, signed=signed)
    new = short(answer.record_id)
    then = f"the answer: mutua claim explain {new}"
    return send.report(common, session, answer, f"pre-authorisation {new} asked for", then=then)


def _body_of(
    common: Common, session: Session, bill: Bill, signed: Signed, *, use: str
) -> tuple[Json, list[tuple[Json, bool]]]:
    """Return the body to file, from the draft or the bill, and the documents that were kept for it."""
    if signed.draft is not None:
        draft = _read_json(signed.draft, "claim_draft")
        return {name: value for name, value in draft.items() if name != "chain_id"}, []
    body = claim_body(session, bill, use=use)
    kept = keep_evidence(common.config().documents, bill)
    return body | {"evidence": [reference for reference, _ in kept]}, kept


def _send(common: Common, session: Session, body: Json, *, kept: list[tuple[Json, bool]], signed: Signed) -> Submitted:
    """Submit the body with the provider's signature; documents kept for what the rules refuse are forgotten."""
    try:
        attestations = [_read_json(file, "attestation") for file in signed.attestation or ()]
        if signed.provider_seed_file is not None:
            attestations.append(_attest(body, signed.provider_seed_file, session.status.chain_id))
        return session.client.submit("claim.file", body, attestations)
    except (ApiError, MutuaError) as error:
        if not isinstance(error, ApiError) or error.family in ("rule", "malformed"):
            _forget(common, kept)
        raise


def _forget(common: Common, kept: list[tuple[Json, bool]]) -> None:
    from node.cli.claims.evidence import forget

    forget(common.config().documents, kept)


def draft_command(out: Path, *, before: Flag = False, bill: Bill = NO_BILL, common: Common = DEFAULT) -> int:
    """Write a claim for the provider to sign; nothing is sent.

    :param out: The file to write; an existing one is never overwritten.
    :param before: Draft a pre-authorisation for a planned service instead (mutua claim preauthorise --draft).
    """
    session = common.session()
    _ = session.member
    if out.exists():
        raise MutuaError("file_exists", f"{out} is there already", "choose another name; nothing was written")
    body = claim_body(session, bill, use="preauth" if before else "claim")
    body["evidence"] = [reference for reference, _ in keep_evidence(common.config().documents, bill)]
    from node.paths import write_whole

    write_whole(out, json.dumps({**body, "chain_id": session.status.chain_id}, indent=2).encode() + b"\n")
    words = f"draft written to {out}; the provider signs it: mutua claim attest {out} --seed-file FILE"
    return say(common, {"draft": str(out)}, words)


def attest(draft: Path, *, seed_file: Path, common: Common = DEFAULT) -> int:
    """Sign a claim's draft as its provider; prints the attestation as JSON. Needs no node.

    :param draft: The member's draft (mutua claim draft).
    :param seed_file: The file with the provider's secret seed: 64 hex digits.
    """
    del common
    body = _read_json(draft, "claim_draft")
    print(json.dumps(_attest(body, seed_file, str(body.get("chain_id", ""))), indent=2))
    return 0


def _attest(body: Json, seed_file: Path, chain_id: str) -> Json:
    """Return the provider's attestation over a body, as JSON."""
    from governance.filing.claims import ClaimBody, claim_subject_hash
    from ledger.records import attest as sign
    from node.api.bodies import body_from_json, body_to_json
    from node.reading import read_seed

    seed = read_seed(seed_file)
    chain = hex_bytes(chain_id)
    if len(chain) != 32:
        raise MutuaError("claim_draft", "the draft names no chain", "make it with mutua claim draft")
    fields = {name: value for name, value in body.items() if name != "chain_id"}
    shaped = cast("ClaimBody", body_from_json(ClaimBody, {**fields, "payout_commitment": ""}))
    item = sign(seed, chain, "provider", claim_subject_hash(shaped))
    if item.key != shaped.provider_id:
        hint = "sign with the seed of the claim's provider"
        raise MutuaError("provider_seed", "the seed belongs to another provider than the claim's", hint)
    return body_to_json(item)


def _read_json(file: Path, code: str) -> Json:
    data = read_file(file)
    if len(data) > FILE_SIZE_MAX:
        raise MutuaError(code, f"{file} has more than {FILE_SIZE_MAX} bytes", "name the file that mutua wrote")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise MutuaError(code, f"{file} is not JSON", "name the file that mutua wrote") from None
    if not isinstance(value, dict):
        raise MutuaError(code, f"{file} is not a JSON object", "name the file that mutua wrote")
    return cast("Json", value)
