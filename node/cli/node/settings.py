"""`mutua config show` and `mutua completion`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from node.cli.common import DEFAULT, Common, say, table

app = App(name="config", help="Show the settings and where each comes from.")


@app.command
def show(*, origin: Annotated[bool, Parameter(negative="")] = False, common: Common = DEFAULT) -> int:  # noqa: D417
    """Show every setting.

    Parameters
    ----------
    origin
        Also where each value comes from: flag, environment, file or default.

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
    if origin:
        return say(
            common,
            found,
            lambda: table(
                ("setting", "value", "origin"),
                [(name, item["value"] or "–", item["origin"]) for name, item in found.items()],
            ),
        )
    return say(
        common,
        found,
        lambda: table(("setting", "value"), [(name, item["value"] or "–") for name, item in found.items()]),
    )


def completion(shell: Literal["bash", "zsh", "fish"]) -> int:
    """Print the completion script of a shell.

    Such as: mutua completion bash > ~/.local/share/bash-completion/completions/mutua

    Parameters
    ----------
    shell
        bash, zsh or fish.

    """
    from node.cli.main import app as mutua

    print(mutua.generate_completion(prog_name="mutua", shell=shell))
    return 0
