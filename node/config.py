"""Settings: a flag wins over the environment (`MUTUA_*`), which wins over config.toml, which wins over the default.

Each setting is declared once, with its meaning, unit, default and reason. No secret is a setting: a passphrase comes by
prompt, file, descriptor or systemd credential, and never by the environment. `mutua config show --origin` tells where
each value comes from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import MutuaError
from node.paths import DataFolder, default_root
from node.reading import read_bytes, text_of

ENV_PREFIX = "MUTUA_"
CONFIG_SIZE_MAX = 64 * 1024
TEXT_SIZE_MAX = 4096


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `choices` bounds a text, `default` is shown when there is no value."""

    name: str
    meaning: str
    default: str = ""
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return ENV_PREFIX + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "listen",
        "Multiaddr where this node listens for members, such as /ip4/0.0.0.0/tcp/4001. Empty: the address in the"
        " charter, because that is where the other members look for it.",
    ),
    Setting(
        "api_socket",
        "Unix socket of the local API, mode 0600; relative paths start in the data folder. Where the path"
        " is longer than a socket's may be (103 bytes), the socket lies in the runtime directory, and this is a link.",
        "api.sock",
    ),
    Setting(
        "log_level",
        "What is written to the log; it can be changed while the node runs.",
        "info",
        ("debug", "info", "warning", "error"),
    ),
    Setting(
        "log_format",
        "How events look on standard error of `mutua run`; log.jsonl is always JSON. `quiet` writes the file only.",
        "console",
        ("console", "json", "quiet"),
    ),
    Setting(
        "bitcoin_socket", "Unix socket of the bitcoin backend (regtest engine). Empty: this node signs no payouts."
    ),
    Setting(
        "documents",
        "Folder of evidence, each file named by its hash; relative paths start in the data folder.",
        "documents",
    ),
    Setting(
        "on_event",
        "Command that is run for each event, with the event as JSON on standard input; words are split as a shell does,"
        " without a shell. Empty: none.",
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and where it comes from: flag, env, file or default."""

    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one run. `root` is the data folder, `root_origin` where it was named."""

    root: Path
    root_origin: str
    values: Mapping[str, Value]

    @property
    def folder(self) -> DataFolder:
        """Return the paths of the data folder."""
        return DataFolder(self.root)

    def text(self, name: str) -> str | None:
        """Return a setting, None where it is empty."""
        return self.values[name].text or None

    def path(self, name: str) -> Path | None:
        """Return a path, relative ones from the data folder, None where it is empty."""
        text = self.text(name)
        return None if text is None else self.root / Path(text).expanduser()

    @property
    def api_socket(self) -> Path:
        """Return where the local API listens."""
        return self.path("api_socket") or self.folder.api_socket

    @property
    def documents(self) -> Path:
        """Return the folder of evidence."""
        return self.path("documents") or self.folder.documents


def load_config(
    data_dir: Path | None = None,
    flags: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Return the settings; `flags` are from the command line. MutuaError `config_invalid` names the first fault."""
    env = os.environ if environ is None else environ
    root, root_origin = find_root(data_dir, env)
    given = flags or {}
    in_file = read_config_file(DataFolder(root).config)
    values: dict[str, Value] = {}
    for setting in SETTINGS:
        flag = given.get(setting.name)
        if flag is not None:
            value = Value(flag, "flag")
        elif setting.variable in env:
            value = Value(env[setting.variable], f"env {setting.variable}")
        elif setting.name in in_file:
            value = Value(in_file[setting.name], f"file {DataFolder(root).config}")
        else:
            value = Value(setting.default, "default")
        check_value(setting, value)
        values[setting.name] = value
    return Config(root, root_origin, values)


def find_root(data_dir: Path | None, environ: Mapping[str, str] | None = None) -> tuple[Path, str]:
    """Return the data folder and where it was named: flag, environment or default."""
    env = os.environ if environ is None else environ
    if data_dir is not None:
        return data_dir.expanduser().absolute(), "flag"
    if variable := env.get("MUTUA_DATA_DIR"):
        return Path(variable).expanduser().absolute(), "env MUTUA_DATA_DIR"
    return default_root(), "default"


def read_config_file(path: Path) -> dict[str, str]:
    """Return what a config.toml sets, {} when there is none. An unknown name is an error, since it may be misspelt."""
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _invalid(f"{path} cannot be read ({error.strerror})") from None
    if len(data) > CONFIG_SIZE_MAX:
        raise _invalid(f"{path} has more than {CONFIG_SIZE_MAX} bytes")
    try:
        table = tomllib.loads(text_of(data))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _invalid(f"{path} is not TOML: {error}") from None
    found: dict[str, str] = {}
    for name, value in table.items():
        if name not in BY_NAME:
            raise _invalid(f"{path} sets {name!r}, which is not a setting", f"settings: {', '.join(BY_NAME)}")
        if not isinstance(value, str):
            raise _invalid(f"{path} sets {name} to a {type(value).__name__}", f'write it as text: {name} = "…"')
        found[name] = value
    return found


def check_value(setting: Setting, value: Value) -> None:
    """Raise MutuaError unless a value fits its setting."""
    if len(value.text) > TEXT_SIZE_MAX or "\x00" in value.text:
        raise _invalid(f"{setting.name} ({value.origin}) is too long or holds a zero byte")
    if setting.choices and value.text not in setting.choices:
        raise _invalid(f"{setting.name} is {value.text!r} ({value.origin})", f"use one of {', '.join(setting.choices)}")


def config_text() -> str:
    """Return a fresh config.toml: every setting with its meaning, commented out at its default."""
    lines = ["# Settings of this node. A flag wins over MUTUA_* in the environment, then this file, then the default."]
    for setting in SETTINGS:
        choices = f" One of: {', '.join(setting.choices)}." if setting.choices else ""
        lines += ["", f"# {setting.meaning}{choices}", f'# {setting.name} = "{setting.default}"']
    return "\n".join(lines) + "\n"


def _invalid(what: str, hint: str = "correct it; mutua config show lists all settings") -> MutuaError:
    return MutuaError("config_invalid", what, hint)
