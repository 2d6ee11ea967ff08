"""The command `mutua`: a table of contents. Every command is imported when it is called, and not before.

Errors go to standard error as `mutua: what happened; how to fix it`, with `--json` as `{"error": {code, what, hint}}`;
the exit codes are those of `node.exit_codes`.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, cast

import cyclopts


def _version() -> str:
    from node.cli.node.version import version_words

    return version_words()


app = cyclopts.App(
    name="mutua",
    help="A peer-to-peer health-insurance co-op that its members run themselves.",
    version_flags=["--version"],
    version=_version,
)


class _Entry(NamedTuple):
    name: str
    path: str
    text: str


COMMANDS = {
    "Live with a node": (
        _Entry("init", "node.init:init", "Make keys and settings in a data folder; run it again at any time."),
        _Entry("run", "node.run:run", "Run the node until it is stopped."),
        _Entry("status", "node.live:status", "Show height, peers, sync progress and what needs your attention."),
        _Entry("stop", "node.live:stop", "Stop the running node."),
        _Entry("peers", "node.live:peers", "List the other members' nodes."),
        _Entry("logs", "node.logs:logs", "Show the log, follow it, or change its level."),
        _Entry("doctor", "node.doctor:doctor", "Check the set-up and give a hint for each problem."),
        _Entry("config", "node.settings:app", "Show the settings and where each comes from."),
        _Entry("tui", "main:tui", "Open the terminal screens."),
    ),
    "As a member": (
        _Entry("claim", "claims.claim:app", "Submit, import, list, show and explain claims."),
        _Entry(
            "vote",
            "claims.vote:app",
            "List the cases that need your ballot, cast it, delegate your vote, verify a receipt.",
        ),
        _Entry("evidence", "claims.evidence:app", "Keep and open the documents of claims."),
        _Entry("bundle", "members.bundle:app", "Collect other people's signatures on a record, in a file."),
        _Entry("keys", "members.keys:app", "Devices, guardians, and the move of an identity to a new key."),
    ),
    "The co-op": (
        _Entry("member", "members.member:app", "Look up members, see who applies, apply, vouch, object, leave."),
        _Entry("proposal", "coop.proposal:app", "Propose changes to the co-op, sponsor proposals and vote on them."),
        _Entry("plan", "lookups:plan", "Look up plans, and name your next contract."),
        _Entry("code", "lookups:code", "Look up the list of codes."),
        _Entry("provider", "members.provider:app", "List providers, add one to the list, or draft a provider's claim."),
        _Entry("payout", "lookups:payout", "Look up payouts."),
        _Entry("treasury", "coop.treasury:app", "The co-op's money, quotes, and deposits of members."),
        _Entry("block", "lookups:block", "Look up blocks."),
        _Entry("charter", "coop.charter:app", "Write, complete, seal and read the charter of a co-op."),
    ),
    "Audit, rehearse, try out": (
        _Entry("audit", "audit.audit:app", "Check a stopped node's ledger, prove a record, check a proof."),
        _Entry(
            "rehearse",
            "coop.rehearse:rehearse",
            "Play a scenario through the real rules, or try a rule change on a real ledger.",
        ),
        _Entry("lab", "coop.lab:lab", "Run scripted attacks on the rules and report which promises hold."),
        _Entry("devnet", "node.devnet:app", "Run a whole co-op on this machine."),
        _Entry("demo", "node.demo:demo", "Play three months of a co-op with real nodes and blocks, on regtest."),
        _Entry("completion", "node.settings:completion", "Print the completion script of a shell."),
    ),
}
"""By group; paths are those inside `node.cli`."""

for _place, (_title, _entries) in enumerate(COMMANDS.items(), start=1):
    _group = cyclopts.Group(_title, sort_key=_place)
    for _entry in _entries:
        app.command(f"node.cli.{_entry.path}", name=_entry.name, group=_group, help=_entry.text)


def tui(*, data_dir: Annotated[str | None, cyclopts.Parameter(name=["--data-dir", "-d"])] = None) -> int:
    """Open the terminal screens of a running node.

    :param data_dir: The node's data folder (or MUTUA_DATA_DIR).
    """
    from pathlib import Path

    from ledger.errors import MutuaError
    from node.cli.common import is_live

    if not is_live():
        hint = "start mutua tui in one; for programs: mutua status --json"
        raise MutuaError("usage", "the screens need a terminal", hint)

    from node.config import load_config
    from tui.app import main as open_screens

    config = load_config(Path(data_dir) if data_dir else None)
    return open_screens(config.api_socket, config.root, config.folder.advice_when_off)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Nothing else of the program catches errors for people."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _end_in_order()
    try:
        result: Any = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except BaseException as error:
        return _answer(_innermost(error), is_json="--json" in tokens)
    return result if isinstance(result, int) else 0


def _end_in_order() -> None:
    """Let SIGTERM and a closed terminal end a command as Ctrl-C does: what it started is stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, _end_as_ctrl_c)


def _end_as_ctrl_c(number: int, _frame: object) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background of a script
        raise SystemExit(128 + number)
    signal.raise_signal(signal.SIGINT)  # trio and asyncio know when they may be interrupted


def _answer(error: BaseException, *, is_json: bool) -> int:
    """Print an error for people or programs and return its exit code."""
    from ledger.errors import MutuaError
    from node import exit_codes
    from node.api.errors import ApiError

    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else exit_codes.USAGE
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has enough (`mutua block list | head`); Python must not try to flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OK
    if isinstance(error, (KeyboardInterrupt, EOFError)):  # EOFError: Ctrl-D where a question is asked
        print(file=sys.stderr)
        return exit_codes.INTERRUPTED
    if isinstance(error, (MutuaError, ApiError)):
        _print_error(error.code, error.what, error.hint, is_json=is_json, rule=_rule_of(error))
        return exit_codes.exit_code_of(error)
    if isinstance(error, cyclopts.CycloptsError):
        _print_error("usage", _usage_fault(error), f"see {_command_of(error)} --help", is_json=is_json)
        return exit_codes.USAGE
    if isinstance(error, OSError):
        code = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "system"
        where = f" ({error.filename})" if error.filename else ""
        full, other = "free some space; nothing half-written was kept", "check the path and its permissions"
        hint = full if code == "disk_full" else other
        _print_error(code, f"{error.strerror or type(error).__name__}{where}", hint, is_json=is_json)
        return exit_codes.FAULT
    if os.environ.get("MUTUA_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    what = f"there is a fault in the program: {type(error).__name__}: {error}"
    _print_error("fault", what, "report it with the output under MUTUA_TRACEBACK=1", is_json=is_json)
    return exit_codes.FAULT


def _innermost(error: BaseException) -> BaseException:
    """Return the error inside groups of one, as nurseries make them; of several the first that a person may read."""
    from ledger.errors import MutuaError

    while isinstance(error, BaseExceptionGroup):
        inner: tuple[BaseException, ...] = cast("Any", error).exceptions
        readable: list[BaseException] = [item for item in inner if isinstance(item, (MutuaError, BaseExceptionGroup))]
        error = readable[0] if readable else inner[0]
    return error


def _command_of(error: cyclopts.CycloptsError) -> str:
    """Return the command that was meant, as far as it is known: whose help tells what it takes."""
    return " ".join(("mutua", *(error.command_chain or ())))


def _usage_fault(error: cyclopts.CycloptsError) -> str:
    """Return what is wrong with the command line. Cyclopts would import every command to find a likely name."""
    if isinstance(error, cyclopts.UnknownCommandError) and error.unused_tokens:
        import difflib

        given = error.unused_tokens[0]
        if given.startswith("-"):
            return f"the option {given} stands before the command; options come after it"
        likely = difflib.get_close_matches(given, list(error.app or app), 1)
        return f"there is no command {given!r}" + (f"; did you mean {likely[0]!r}?" if likely else "")
    if isinstance(error, cyclopts.UnusedCliTokensError) and error.unused_tokens:
        return f"{error.unused_tokens[0]!r} is one word too many"
    if isinstance(error, cyclopts.MissingArgumentError) and error.argument:
        if error.keyword:
            return f"{error.keyword} needs a value"
        name = error.argument.name
        return f"{name.strip('-').upper() if error.argument.field_info.is_positional else name} is missing"
    return " ".join(str(error).split()).rstrip(".") or "the command line is not valid"


def _rule_of(error: BaseException) -> str:
    """Return the section of the rules that refuses, or empty: the node told it, or this program's own rules refused."""
    from ledger.errors import RuleBroken

    if isinstance(error, RuleBroken):
        from governance.refusals import rule_of

        return rule_of(error.code)
    return str(getattr(error, "rule", ""))


def _print_error(code: str, what: str, hint: str, *, is_json: bool, rule: str = "") -> None:
    from node.api.text import clean_json, refusal

    if is_json:
        told = {"error": {"code": code, "what": what, "hint": hint, **({"rule": rule} if rule else {})}}
        print(clean_json(json.dumps(told, ensure_ascii=False)), file=sys.stderr)
        return
    print(f"mutua: {refusal(what, hint, rule)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
