"""`mutua init`: everything a data folder needs, step by step. What is there already is checked and left as it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.cli.common import DEFAULT, Common, Flag, Whole, is_live, read_file, say
from node.cli.unlocking import DEFAULT_PASSPHRASE, PassphraseFrom, unlock_seed
from node.reading import read_secret

if TYPE_CHECKING:
    from node.paths import DataFolder
    from wallet.keys import KeyRing


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Entry:
    """What a founder says in its entry for a charter's draft."""

    draft: Annotated[
        Path | None,
        Parameter(help="The charter's draft: sign a founder's entry for it, to be sent to whoever keeps the draft."),
    ] = None
    address: Annotated[str, Parameter(help="Multiaddr where the others reach this node.")] = "/ip4/127.0.0.1/tcp/4001"
    household: Annotated[str, Parameter(help="Name of the household; a new one by default.")] = ""
    plan: Annotated[str, Parameter(help="Name of a plan of the draft; empty: its first.")] = ""
    contract_terms: Annotated[Whole, Parameter(help="Length of the first contract: 1, 3, 6 or 12 terms.")] = 12
    prepaid_terms: Annotated[Whole, Parameter(help="First terms whose premium is already in the genesis accounts.")] = 0
    signer: Annotated[bool, Parameter(help="Be one of the treasury's signers.")] = True


NO_ENTRY = Entry()


def init(
    *,
    charter: Path | None = None,
    restore: Flag = False,
    words_file: Path | None = None,
    show_words: Flag = False,
    entry: Entry = NO_ENTRY,
    passphrase: PassphraseFrom = DEFAULT_PASSPHRASE,
    common: Common = DEFAULT,
) -> int:
    """Make keys and settings in a data folder; run it again at any time.

    :param charter: The sealed charter of the co-op (charter.toml or charter.bin).
    :param restore: Restore the key file from its 24 words; you type them unseen.
    :param words_file: Read the 24 words from this file instead.
    :param show_words: Print the 24 words after making or opening the key file. Anyone who sees them can act as you.
    """
    folder = common.config().folder
    sealed = None if charter is None else _sealed_charter(charter, folder)  # judged before anything is made
    steps: list[dict[str, str]] = []
    _make_folder(folder, steps)
    keys, words = _make_keys(folder, passphrase, _restored_seed(restore, words_file, folder), steps)
    _make_config(folder, steps)
    if sealed is not None:
        _keep_charter(folder, sealed, steps)
    if entry.draft is not None:
        _make_entry(folder, keys, entry, steps)
    answer: dict[str, Any] = {
        "data_dir": str(folder.root),
        "member": keys.identity_key.hex(),
        "device": keys.device_key.hex(),
        "cover": keys.cover_key.hex(),
        "transport_key": keys.transport_key.hex(),
        "steps": steps,
    }
    if show_words:
        answer["words"] = " ".join(words)
    return say(common, answer, lambda: _lines(folder, keys, steps, words if show_words else ()))


def _is_founder(folder: DataFolder, keys: KeyRing) -> bool:
    from ledger.codec import decode
    from ledger.genesis import Charter

    charter = decode(Charter, folder.charter.read_bytes())
    return any(founder.identity_key == keys.identity_key for founder in charter.founders)


def _lines(folder: DataFolder, keys: KeyRing, steps: list[dict[str, str]], words: tuple[str, ...]) -> Iterator[str]:
    for step in steps:
        yield f"{step['state']:<8} {step['path']}  {step['what']}"
    yield f"member   {keys.identity_key.hex()}"
    yield f"device   {keys.device_key.hex()}"
    yield f"cover    {keys.cover_key.hex()}"
    if words:
        yield "write these 24 words on paper; they are your keys:"
        for start in range(0, len(words), 6):
            yield "  " + "  ".join(
                f"{start + index + 1:>2} {word}" for index, word in enumerate(words[start : start + 6])
            )
    elif steps[1]["state"] == "made":
        yield "write the 24 words of the key file on paper: mutua init --show-words"
    if folder.charter.exists():
        if not _is_founder(folder, keys):
            yield (
                "this key does not belong to a founder. You can act once you are a member; until then the node can"
                " follow the ledger if members let it in (mutua run --guest)"
            )
            yield (
                "to become a member: tell the member and cover keys to a member whose node drafts the application,"
                " mutua member apply"
            )
        yield "next: mutua run"
    elif folder.founder.exists():
        yield (
            f"next: send {folder.founder} to whoever keeps the draft (mutua charter add); with the sealed charter:"
            " mutua init --charter FILE"
        )
    else:
        yield "next: mutua init --charter FILE with your co-op's sealed charter, or --draft FILE to become a founder"


# ---- Steps ----------------------------------------------------------------------


def _note(steps: list[dict[str, str]], path: Path, what: str, *, is_made: bool) -> None:
    steps.append({"state": "made" if is_made else "kept", "path": str(path), "what": what})


def _make_folder(folder: DataFolder, steps: list[dict[str, str]]) -> None:
    from node.paths import FOLDER_MODE

    is_made = not folder.root.exists()
    folder.root.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    _note(steps, folder.root, "data folder, for you alone", is_made=is_made)


def _restored_seed(restore: bool, words_file: Path | None, folder: DataFolder) -> bytes | None:
    """Return the seed of the words that were given, None when there are none."""
    if not restore and words_file is None:
        return None
    if folder.keys.exists():
        what = f"{folder.keys} is there already"
        raise MutuaError("keys_exist", what, "restore into an empty data folder; nothing was changed")
    from wallet.mnemonic import seed_of

    if words_file is not None:
        try:
            return seed_of(read_secret(words_file))
        except (OSError, UnicodeDecodeError):
            what = f"{words_file} cannot be read as text"
            raise MutuaError("words_file", what, "name the file with the 24 words") from None
    if not sys.stdin.isatty():
        raise MutuaError("usage", "there is no terminal on which to ask for the 24 words", "give --words-file")
    import getpass

    return seed_of(getpass.getpass("the 24 words: "))


def _make_keys(
    folder: DataFolder, passphrase: PassphraseFrom, restored: bytes | None, steps: list[dict[str, str]]
) -> tuple[KeyRing, tuple[str, ...]]:
    """Return the keys and their words; a key file that is there must open."""
    from node.paths import SECRET_MODE, write_whole
    from wallet.keyfile import seal_keyfile
    from wallet.keys import KeyRing, new_seed
    from wallet.mnemonic import words_of

    if folder.keys.exists():
        seed = unlock_seed(folder, passphrase)
        _note(steps, folder.keys, "key file; the passphrase opens it", is_made=False)
        return KeyRing.from_seed(seed), words_of(seed)
    seed = restored if restored is not None else new_seed()
    write_whole(folder.keys, seal_keyfile(seed, passphrase.read(is_new=is_live())), SECRET_MODE)
    _note(steps, folder.keys, "encrypted key file" + (" from your words" if restored is not None else ""), is_made=True)
    return KeyRing.from_seed(seed), words_of(seed)


def _make_config(folder: DataFolder, steps: list[dict[str, str]]) -> None:
    from node.config import config_text
    from node.paths import write_whole

    is_made = not folder.config.exists()
    if is_made:
        write_whole(folder.config, config_text().encode())
    _note(steps, folder.config, "settings, all at their defaults" if is_made else "settings", is_made=is_made)


def _sealed_charter(path: Path, folder: DataFolder) -> Any:
    """Return the checked charter. MutuaError `charter_invalid`, or `other_chain` when the folder holds another one."""
    from ledger.charter import seal
    from ledger.charter_file import charter_from_file
    from ledger.codec import encode
    from ledger.genesis import chain_id_of

    sealed = seal(charter_from_file(read_file(path, "name the sealed charter")))
    if folder.charter.exists() and folder.charter.read_bytes() != encode(sealed):
        what = f"{folder.root} belongs to another chain than {chain_id_of(sealed).hex()[:16]}"
        raise MutuaError("other_chain", what, "use a data folder of its own for each co-op")
    return sealed


def _keep_charter(folder: DataFolder, sealed: Any, steps: list[dict[str, str]]) -> None:
    from ledger.charter_file import charter_to_toml
    from ledger.codec import encode
    from ledger.genesis import chain_id_of
    from node.paths import write_whole

    is_made = not folder.charter.exists()
    if is_made:
        write_whole(folder.charter_text, charter_to_toml(sealed, is_sealed=True).encode())
        write_whole(folder.charter, encode(sealed))
    _note(steps, folder.charter, f"charter of {sealed.name}, chain {chain_id_of(sealed).hex()}", is_made=is_made)


def _make_entry(folder: DataFolder, keys: KeyRing, entry: Entry, steps: list[dict[str, str]]) -> None:
    """Write this founder's signed entry for the draft; an older one is replaced, for drafts change."""
    from ledger.charter import add_founder, sign_founder
    from ledger.charter_file import charter_from_file, founder_to_toml
    from ledger.genesis import Founder
    from node.paths import write_whole

    assert entry.draft is not None
    draft = charter_from_file(read_file(entry.draft, "name the charter's draft"))
    if not draft.plans:
        raise MutuaError("charter_invalid", f"{entry.draft} has no plan", "add one to the draft first")
    founder = Founder(
        identity_key=keys.identity_key,
        device_key=keys.device_key,
        cover_key=keys.cover_key,
        consensus_key=keys.consensus_key,
        transport_key=keys.transport_key,
        bitcoin_key=keys.bitcoin_key if entry.signer else b"",
        onion_tip=keys.onion.tip,
        address=entry.address,
        household=entry.household or keys.identity_key.hex()[:16],
        plan=entry.plan or draft.plans[0].name,
        contract_terms=entry.contract_terms,
        prepaid_terms=entry.prepaid_terms,
        signature=b"",
    )
    signed = sign_founder(keys.identity_seed, founder, draft.name)
    add_founder(draft, signed)  # refuses an entry that the draft could not take
    write_whole(folder.founder, founder_to_toml(signed).encode())
    _note(steps, folder.founder, f"signed founder's entry for {draft.name}, plan {signed.plan}", is_made=True)
