"""`mutua bundle …`: a record in a file that travels while others sign it. Only to submit needs a node."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.api.client import submission
from node.api.text import short
from node.api.views.base import to_json
from node.api.views.node import Status
from node.cli.common import ASK, DEFAULT, SEND, Asking, Common, Flag, Sending, Session, Whole, full_id, read_file, say
from node.cli.unlocking import DEFAULT_PASSPHRASE, PassphraseFrom

if TYPE_CHECKING:
    from node.own.bundles import Bundle

app = App(name="bundle", help="Collect other people's signatures on a record, in a file.")

KEYS = ("identity", "device", "cover")
VALID_BLOCKS_MAX = 10_000
NEWCOMERS_KINDS = ("member.apply", "member.withdraw")  # their author is not a member yet, and has no node that signs
Json = dict[str, Any]
BundleFile = Annotated[Path, Parameter(help="The bundle.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class SignWith:
    """Which secret signs."""

    seed_file: Annotated[
        Path | None,
        Parameter(help="Sign with the seed in this file (64 hex digits) instead of the keys of the data folder."),
    ] = None
    key: Annotated[
        str | None,
        Parameter(
            help="Key of the data folder to use: identity, device or cover. Default: the one that this role requires."
        ),
    ] = None

    def seed(self, common: Common, passphrase: PassphraseFrom, default: str) -> bytes:
        """Return the seed. Errors: `usage`, `seed_file`, and those of unlocking."""
        from node.reading import read_seed

        if self.seed_file is not None and self.key is not None:
            raise MutuaError("usage", "--seed-file and --key are given", "give one")
        if self.seed_file is not None:
            return read_seed(self.seed_file)
        name = self.key or default
        if name not in KEYS:
            raise MutuaError("usage", f"there is no key {name!r}", f"--key is one of {', '.join(KEYS)}")
        from node.cli.unlocking import unlock

        return cast("bytes", getattr(unlock(common.config().folder, passphrase), f"{name}_seed"))


DEFAULT_SIGN = SignWith()


@app.command
def new(out: Path, *, kind: str, body: Path, author: str = "", common: Common = DEFAULT) -> int:
    """Draft a bundle of any record kind from a JSON file. The commands of an action draft their own.

    :param out: The file to write; an existing one is never overwritten.
    :param kind: The record kind, such as treasury.confirm.
    :param body: A JSON file with the fields of the body, as in the reference of record kinds.
    :param author: The record's author; by default the member who submits it.
    """
    from node.own.bundles import FILE_SIZE_MAX

    session = common.session()
    try:
        data = read_file(body)
        fields: object = json.loads(data) if len(data) <= FILE_SIZE_MAX else None
    except (ValueError, RecursionError):
        fields = None
    if fields is None:
        what = f"{body} is not JSON"
        raise MutuaError("body_shape", what, "write the fields of the body, as in the reference of record kinds")
    whole = full_id(author, lambda: (), "member") if author else None
    return draft(common, session, out, kind, fields, author=whole)


@app.command
def show(file: BundleFile, *, check: Flag = False, common: Common = DEFAULT) -> int:
    """Show what a bundle says, who has signed it and who may. Every signature in it is verified. Needs no node.

    :param check: Ask the running node whether the rules would accept it now. Only for a record of its own member.
    """
    from node.own.bundles import bundle_to_json, check_chain, read_bundle

    bundle = read_bundle(file)
    answer = bundle_summary(file, bundle)
    if check:
        session = common.session()
        check_chain(bundle, session.chain_id)
        if not _is_ours(bundle, session.status):
            # The node asks the rules in its member's name, and for another's record that answer would be a false one.
            what = f"the node asks the rules for its own member, and the author is {short(str(answer['author']))}"
            hint = "submit it signed by its author: nothing is sent where the rules refuse it"
            raise MutuaError("bundle_author", what, hint)
        shown = bundle_to_json(bundle)
        record = submission(bundle.kind, shown["body"], shown["attestations"])
        answer["refusals"] = to_json(session.client.check([record]))
    return say(common, answer, lambda: summary_lines(answer))


@app.command
def attest(
    file: BundleFile,
    *,
    role: str | None = None,
    sign: SignWith = DEFAULT_SIGN,
    ask: Asking = ASK,
    passphrase: PassphraseFrom = DEFAULT_PASSPHRASE,
    common: Common = DEFAULT,
) -> int:
    """Add your signature to a bundle, in its file. Read what it says first: mutua bundle show FILE. Needs no node.

    :param role: The role in which you sign, if this kind of record needs signatures in several roles.
    """
    from node.own.bundles import add_attestation, read_bundle, role_of, write_bundle

    bundle = read_bundle(file)
    wanted = role_of(bundle, role)
    review = summary_lines(bundle_summary(file, bundle))
    if not ask.is_confirmed(common, "bundle.attest", review, f"sign this as {wanted.role}?"):
        return say(common, {}, "nothing was signed")
    signed = add_attestation(bundle, sign.seed(common, passphrase, wanted.key), wanted.role)
    write_bundle(file, signed, is_new=False)
    return _say_written(common, file, signed)


@app.command
def sign(
    file: BundleFile,
    *,
    until: Whole,
    number: Whole = 1,
    sign: SignWith = DEFAULT_SIGN,
    passphrase: PassphraseFrom = DEFAULT_PASSPHRASE,
    common: Common = DEFAULT,
) -> int:
    """Sign a complete bundle as its author, so that any member's node can submit it.

    Sign last: signatures added afterwards do not count.

    :param until: The last block that may include it; mutua status shows the newest block.
    :param number: The record's number, higher than any this key has used. A new key begins with 1.
    """
    import secrets

    from ledger.records import SALT_SIZE
    from node.own.bundles import kind_of, read_bundle, sign_bundle, write_bundle

    bundle = read_bundle(file)
    if number < 1 or until < 1:
        raise MutuaError("usage", "the number and the last block are at least 1", "give --number 1 --until HEIGHT")
    key = kind_of(bundle.kind).key
    seed = sign.seed(common, passphrase, "identity" if key == "device" else key)
    signed = sign_bundle(bundle, seed, salt=secrets.token_bytes(SALT_SIZE), number=number, valid_until_height=until)
    write_bundle(file, signed, is_new=False)
    return _say_written(common, file, signed)


@app.command
def submit(file: BundleFile, *, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Submit a bundle through the running node, which signs it in its member's name unless its author has signed it."""
    from ledger.codec import encode
    from node.own.bundles import bundle_to_json, check_chain, read_bundle

    bundle = read_bundle(file)
    session = common.session()
    check_chain(bundle, session.chain_id)
    if bundle.record is None and bundle.author is not None and not _is_ours(bundle, session.status):
        hint = "let the author sign it: mutua bundle sign"
        raise MutuaError("bundle_author", f"its author is {short(bundle.author.hex())}, who has not signed it", hint)
    if not send.is_confirmed(common, bundle.kind, summary_lines(bundle_summary(file, bundle)), "submit this?"):
        return say(common, {}, "nothing was submitted")
    shown = bundle_to_json(bundle)
    if bundle.record is None:
        answer = session.client.submit(bundle.kind, shown["body"], shown["attestations"])
    else:
        answer = session.client.accept(encode(bundle.record).hex())
    return send.report(common, session, answer, f"{bundle.kind} submitted")


def _is_ours(bundle: Bundle, status: Status) -> bool:
    """True iff the node's member is the author, or whoever submits it is."""
    return bundle.author is None or bundle.author.hex() in (status.member, status.cover)


# ---- What people see --------------------------------------------------------------


def draft(common: Common, session: Session, out: Path, kind: str, body: object, *, author: str | None = None) -> int:
    """Write a new bundle in the name of `author` (None: whoever submits it), and say what comes next."""
    from node.own.bundles import new_bundle, write_bundle

    bundle = new_bundle(session.chain_id, kind, body, None if author is None else bytes.fromhex(author))
    write_bundle(out, bundle, is_new=True)
    return _say_written(common, out, bundle)


def _say_written(common: Common, file: Path, bundle: Bundle) -> int:
    answer = bundle_summary(file, bundle)
    return say(common, answer, lambda: [f"{file} written", *_signature_lines(answer), *_next_lines(answer)])


def bundle_summary(file: Path, bundle: Bundle) -> Json:
    """Return what a bundle says, JSON-ready."""
    from node.api.bodies import body_to_json
    from node.own.bundles import wanted_of

    wanted = [
        {
            "role": item.role,
            "who": item.who,
            "subject_hash": item.subject_hash.hex(),
            "keys": [key.hex() for key in item.keys],
        }
        for item in wanted_of(bundle)
    ]
    return {
        "file": str(file),
        "kind": bundle.kind,
        "chain_id": bundle.chain_id.hex(),
        "author": bundle.author.hex() if bundle.author else None,
        "body": body_to_json(bundle.body),
        "wanted": wanted,
        "is_signed": bundle.record is not None,
        "valid_until_height": bundle.record.record.valid_until_height if bundle.record else None,
    }


def summary_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a bundle says, for people."""
    yield f"kind      {answer['kind']}"
    yield f"chain     {answer['chain_id']}"
    yield f"author    {answer['author'] or 'whoever submits it'}"
    for name, value in answer["body"].items():
        yield f"  {name:<20} {json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value}"
    yield from _signature_lines(answer)
    if answer["is_signed"]:
        yield f"signed by its author, valid until block {answer['valid_until_height']}"
    if "refusals" in answer:
        yield from (f"the rules refuse it now: {item['what']}; {item['hint']}" for item in answer["refusals"])
        if not answer["refusals"]:
            yield "the rules would accept it now"
    yield from _next_lines(answer)


def _signature_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    for item in answer["wanted"]:
        yield f"role {item['role']}: {item['who']}; signed by {len(item['keys'])}"
        yield from (f"  {key}" for key in item["keys"])


def _next_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    file = answer["file"]
    if answer["wanted"] and not answer["is_signed"]:
        several = len(answer["wanted"]) > 1
        for item in answer["wanted"]:
            yield f"sign it: mutua bundle attest {file}" + (f" --role {item['role']}" if several else "")
        if answer["kind"] in NEWCOMERS_KINDS:
            yield f"an author without a node signs the complete record last: mutua bundle sign {file} --until BLOCK"
    yield f"submit it: mutua bundle submit {file}"
