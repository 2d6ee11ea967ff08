"""`mutua config show` and `mutua completion`."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from cyclopts import App

from node.api.errors import ApiError
from node.cli.common import DEFAULT, Common, Flag, say, table

app = App(name="config", help="Show the settings and where each comes from.")


@app.command
def show(*, origin: Flag = False, common: Common = DEFAULT) -> int:
    """Show every setting, as a node that runs on the folder has it.

    :param origin: Also where each value comes from: flag, environment, file or default.
    """
    from node.config import SETTINGS

    config = common.config()
    found = {
        "data_dir": {
            "value": str(config.root),
            "origin": config.root_origin,
            "meaning": "The data folder: flag --data-dir or MUTUA_DATA_DIR.",
        }
    }
    for setting in SETTINGS:
        value = config.values[setting.name]
        found[setting.name] = {"value": value.text, "origin": value.origin, "meaning": setting.meaning}
    with suppress(ApiError):
        level = common.client().status().log_level
        if level != found["log_level"]["value"]:
            found["log_level"].update(value=level, origin="the running node: mutua logs --level")
    fields = ("value", "origin") if origin else ("value",)
    rows = [(name, *(item[field] or "–" for field in fields)) for name, item in found.items()]
    return say(common, found, lambda: table(("setting", *fields), rows))


ZSH_END = (
    'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _cyclopts_mutua "$@"; else compdef _cyclopts_mutua mutua; fi'
)
"""Without it zsh would find cyclopts' function in a file of the function's own name only, and never after `source`."""


def completion(shell: Literal["bash", "zsh", "fish"]) -> int:
    """Print the completion script of a shell. No keystroke starts mutua: commands and options stand in the script.

    :param shell: bash, zsh or fish.
    """
    from node.cli.main import app as mutua

    print(mutua.generate_completion(prog_name="mutua", shell=shell).rstrip())
    if shell == "zsh":
        print(ZSH_END)
    return 0
