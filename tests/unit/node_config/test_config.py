"""Settings, paths, logs and exit codes."""

from __future__ import annotations

import io
import json
import logging
import tomllib

import pytest
import structlog

from ledger.errors import LedgerCorrupt, MutuaError, RuleBroken
from node import exit_codes
from node.api.errors import ApiError, NodeNotRunning
from node.config import BY_NAME, SETTINGS, config_text, load_config
from node.logs import LogFile, set_up_logs
from node.paths import write_whole


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path) -> None:
    (tmp_path / "config.toml").write_text('listen = "file"\nlog_level = "error"\non_event = "notify"\n')
    config = load_config(
        tmp_path, {"listen": "flag", "log_level": None}, {"MUTUA_LISTEN": "env", "MUTUA_LOG_LEVEL": "debug"}
    )
    assert [
        (config.values[name].text, config.values[name].origin.split()[0])
        for name in ("listen", "log_level", "on_event", "log_format")
    ] == [
        ("flag", "flag"),
        ("debug", "env"),
        ("notify", "file"),
        ("console", "default"),
    ]


def test_the_data_folder_comes_from_flag_environment_or_the_system(tmp_path) -> None:
    assert load_config(tmp_path, environ={"MUTUA_DATA_DIR": "/elsewhere"}).root == tmp_path
    assert load_config(environ={"MUTUA_DATA_DIR": str(tmp_path)}).root == tmp_path
    assert load_config(environ={}).root.name == "mutua"


def test_relative_paths_start_in_the_data_folder(tmp_path) -> None:
    config = load_config(tmp_path, {"bitcoin_socket": "regtest.sock"}, {})
    assert config.path("bitcoin_socket") == tmp_path / "regtest.sock"
    assert (config.api_socket, config.documents) == (tmp_path / "api.sock", tmp_path / "documents")
    assert load_config(tmp_path, {}, {}).path("bitcoin_socket") is None


@pytest.mark.parametrize("text", ["lissten = 'a'", "listen = 3", "listen = ", "log_level = 'loud'", "\xff"])
def test_a_wrong_config_file_is_one_error_that_names_the_fault(tmp_path, text) -> None:
    (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(MutuaError) as caught:
        load_config(tmp_path, {}, {})
    assert caught.value.code == "config_invalid"
    assert caught.value.hint


def test_the_written_config_sets_nothing_and_names_every_setting() -> None:
    assert tomllib.loads(config_text()) == {}
    uncommented = "\n".join(line[2:] for line in config_text().splitlines() if line.startswith("# ") and ' = "' in line)
    assert tomllib.loads(uncommented) == {setting.name: setting.default for setting in SETTINGS}
    assert not {"passphrase", "seed"} & set(BY_NAME)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuleBroken("vote_closed", "closed"), 5),
        (LedgerCorrupt("root", "differs"), 6),
        (MutuaError("wrong_passphrase", "no"), 4),
        (MutuaError("port_in_use", "port"), 2),
        (ApiError("duplicate_line", "twice", family="rule", status=409), 5),
        (ApiError("internal", "fault", status=500), 1),
        (NodeNotRunning("node_not_running", "off", family="off"), 3),
    ],
)
def test_each_error_has_the_exit_code_of_its_family(error, code) -> None:
    assert exit_codes.exit_code_of(error) == code


@pytest.fixture
def _logs_restored():
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    yield
    root.level, root.handlers = before
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logs_restored")
def test_events_are_json_lines_without_secrets_and_the_level_changes_live(tmp_path) -> None:
    screen = io.StringIO()
    set_up_logs(tmp_path, "info", "console", screen)
    log = structlog.get_logger("mutua.test")
    log.debug("hidden")
    log.info("block_final", height=8, master_seed="deadbeef")
    logging.getLogger().setLevel("DEBUG")
    log.debug("shown")
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        log.exception("fault")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["block_final", "shown", "fault"]
    assert lines[0] | {"timestamp": ""} == {
        "logger": "mutua.test",
        "event": "block_final",
        "height": 8,
        "master_seed": "masked",
        "level": "info",
        "timestamp": "",
    }
    assert "ZeroDivisionError" in lines[2]["exception"]
    assert "deadbeef" not in screen.getvalue()
    assert "block_final" in screen.getvalue()


def test_a_full_log_moves_aside_and_a_dead_disk_loses_lines_only(tmp_path) -> None:
    path = tmp_path / "log.jsonl"
    file = LogFile(path, size_max=20)
    for number in range(6):
        file.write(f"line {number} 0123456789")
    assert path.exists()
    assert (tmp_path / "log.jsonl.1").exists()
    assert path.stat().st_size < 60
    file.close()
    file.write("late")
    assert file.lost == 1


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path) -> None:
    path = tmp_path / "keys.json"
    write_whole(path, b"old", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TypeError):
        write_whole(path, "no bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
