"""`mutua evidence add | open`: documents stay on this machine; the ledger holds hashes and receipts of opening."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from cyclopts import App

from ledger.errors import MutuaError
from node.cli.common import DEFAULT, ClaimId, Common, read_file, say

app = App(name="evidence", help="Keep and open the documents of claims.")

DOCUMENT_SIZE_MAX = 256 * 1024 * 1024
MEDIA_DEFAULT = "application/octet-stream"


@app.command
def add(*files: Path, common: Common = DEFAULT) -> int:
    """Keep documents on this node under their hashes; nothing is sent anywhere.

    :param files: The documents, such as a scan of an invoice.
    """
    if not files:
        raise MutuaError("usage", "no document was named", "mutua evidence add FILE...")
    folder = common.config().documents
    kept = [keep_document(folder, file)[0] for file in files]
    return say(common, kept, lambda: [f"{item['hash']}  {item['size_bytes']} bytes  {item['media']}" for item in kept])


@app.command(name="open")
def open_command(claim: ClaimId, *, common: Common = DEFAULT) -> int:
    """Open the document of a claim on this node; the receipt of the opening is signed and sent."""
    session = common.session()
    answer = session.client.open_document(session.claim_id(claim))
    receipt = f"receipt {answer.record_id}: it says that you opened the evidence"
    return say(common, answer, f"{answer.path}\n{receipt}")


def keep_document(folder: Path, file: Path) -> tuple[dict[str, Any], bool]:
    """Copy a document into `folder`, durably; return {hash, size_bytes, media}, and whether the copy is new."""
    from ledger.hashing import tagged_hash
    from node.paths import FOLDER_MODE, SECRET_MODE, write_whole

    size = file.stat().st_size if file.exists() else 0
    if size > DOCUMENT_SIZE_MAX:
        raise MutuaError("document_size", f"{file} has {size} bytes, more than {DOCUMENT_SIZE_MAX}", "split it")
    data = read_file(file, "name an existing document")
    if not data:
        raise MutuaError("document_size", f"{file} is empty", "name a document with content")
    digest = tagged_hash("evidence", data).hex()
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    place = folder / digest
    is_new = not place.exists()
    if is_new or place.read_bytes() != data:  # a damaged one is repaired
        write_whole(place, data, SECRET_MODE)
    media = mimetypes.guess_type(file.name)[0] or MEDIA_DEFAULT
    return {"hash": digest, "size_bytes": len(data), "media": media}, is_new


def forget(folder: Path, references: list[tuple[dict[str, Any], bool]]) -> None:
    """Remove the copies that were new: the claim they were kept for was refused."""
    for reference, is_new in references:
        if is_new:
            (folder / str(reference["hash"])).unlink(missing_ok=True)
