"""What holds for the options of every command, whoever wrote it: the commands are walked, not listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import cyclopts
import pytest

from node.cli.main import app

NO_WHOLE_NUMBERS = ("1.9", "0.5", "100.6", "0x10", "0b1", "1_0", "1e3", "١٢", "1²", "", "9" * 40)  # noqa: RUF001


def every_command(command: Any = app, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the words and the command of everything that `mutua` can do."""
    if path and command.default_command is not None:
        yield path, command
    for name in command:
        if not name.startswith("-"):
            yield from every_command(command[name], (*path, name))


def options_of(command: Any) -> list[Any]:
    return [item for item in command.assemble_argument_collection() if item.names]


def types_in(hint: Any) -> set[Any]:
    return {hint}.union(*map(types_in, get_args(hint)))


NUMBERS = [
    pytest.param(command, option.name, id=" ".join((*path, option.name)))
    for path, command in every_command()
    for option in options_of(command)
    if types_in(option.hint) & {int, float}
]


def test_the_walk_meets_commands_of_every_depth() -> None:
    found = {path for path, _ in every_command()}
    assert {("init",), ("claim", "submit"), ("member", "dependant", "end")} <= found
    assert len(NUMBERS) > 30


@pytest.mark.parametrize(("command", "name"), NUMBERS)
def test_a_number_is_taken_as_it_stands_or_refused(command, name) -> None:
    def convert(text: str) -> Any:
        option = next(item for item in options_of(command) if item.name == name)
        option.append(cyclopts.Token(keyword=name, value=text))
        return option.convert()

    assert convert("12") == 12
    assert convert("-3") == -3
    is_whole = int in types_in(next(item.hint for item in options_of(command) if item.name == name))
    for text in NO_WHOLE_NUMBERS if is_whole else ("0x10", "1_0", "١٢", "nan", "inf", "1e3", ""):  # noqa: RUF001
        with pytest.raises(cyclopts.CycloptsError):
            convert(text)


def test_a_number_that_is_none_is_one_line_and_nothing_is_made(call, tmp_path) -> None:
    draft = tmp_path / "draft.toml"
    result = call("charter", "new", draft, "--name", "A", "--claims-cents", "100.6")
    assert result.code == 2
    assert "--claims-cents: '100.6' is not a whole number" in result.err
    assert not draft.exists()


def test_the_screens_without_a_terminal_are_one_line(shell) -> None:
    answer = shell("tui")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "the screens need a terminal" in answer.err
