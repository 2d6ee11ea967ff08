"""The local API, asked over its real socket by both clients."""

from __future__ import annotations

import socket
import stat

import pytest
import trio

from ledger.errors import MutuaError
from node.api import schema, server
from node.api.client import ApiError, AsyncClient, Client, NodeNotRunning
from node.api.server import serve

CLAIM = "ab" * 32


async def ask(call, *arguments, **named):
    return await trio.to_thread.run_sync(lambda: call(*arguments, **named))


async def test_the_socket_is_for_its_owner_alone(served) -> None:
    assert stat.S_IMODE(served.stat().st_mode) == 0o600


async def test_the_blocking_client_reads_everything(served) -> None:
    client = Client(served)
    status = await ask(client.status)
    assert (status.name, status.height, status.peers.connected) == ("Test Co-op", 41, 5)
    assert await ask(client.get_json, "/v1/health") == {"live": True, "ready": True}
    assert (await ask(client.peers))[0].key == "aa"
    assert [block.height for block in await ask(client.blocks)] == list(range(22, 42))
    assert [block.height for block in await ask(client.blocks, 3, 2)] == [3, 4]
    assert (await ask(client.block, 7)).height == 7
    assert await ask(client.get_json, "/v1/views/keys", member="aa", empty=None) == {"view": "keys", "member": "aa"}
    assert (await ask(client.record, CLAIM)).state == "pending"


async def test_a_receipt_is_asked_for_by_claim_and_a_long_one_is_refused_with_the_way_offline(served) -> None:
    assert (await ask(Client(served).receipt, CLAIM)).explanation == ("Claim abababababab was filed.",)
    with pytest.raises(ApiError) as caught:
        await ask(Client(served).receipt, "cd" * 32)
    assert (caught.value.status, caught.value.code) == (503, "receipt_long")


async def test_a_submitted_record_reaches_the_daemon_whole(served, daemon) -> None:
    client = Client(served)
    answer = await ask(client.submit, "claim.file", {"lines": []}, [{"role": "provider"}])
    assert answer.record_id == "cd" * 32
    assert daemon.submitted == [("claim.file", {"lines": [], "attestations": [{"role": "provider"}]})]
    assert (await ask(client.open_document, CLAIM)).hash == CLAIM


async def test_a_refusal_keeps_its_code_and_words(served) -> None:
    with pytest.raises(ApiError) as caught:
        await ask(Client(served).submit, "case.ballot", {})
    assert (caught.value.status, caught.value.code, caught.value.hint) == (409, "vote_closed", "ask for an audit")
    assert caught.value.rule == "§6"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/views/claim?id=00", 404, "not_found"),
        ("/v1/views/accounts", 500, "internal"),
        ("/v1/views/broken", 404, "not_found"),
        ("/v1/views/claim?self=1", 400, "arguments"),
        ("/v1/records/zz", 400, "hash_shape"),
        ("/v1/blocks/-1", 400, "arguments"),
        ("/v1/blocks?count=1000", 400, "arguments"),
        ("/v1/elsewhere", 404, "not_found"),
        ("/v1/submit", 405, "method"),
    ],
)
async def test_each_wrong_question_gets_its_own_error(served, path, status, code) -> None:
    with pytest.raises(ApiError) as caught:
        await ask(Client(served).get_json, path)
    assert (caught.value.status, caught.value.code) == (status, code)


@pytest.mark.parametrize("value", [{"kind": 3, "body": {}}, {"kind": "a"}, {"kind": "a", "body": {}, "more": 1}])
async def test_a_misshapen_request_is_refused(served, daemon, value) -> None:
    with pytest.raises(ApiError) as caught:
        await ask(Client(served).post_json, "/v1/submit", value)
    assert (caught.value.status, caught.value.code) == (400, "request_shape")
    assert daemon.submitted == []


async def test_a_body_above_the_bound_is_not_read_to_its_end(served) -> None:
    with pytest.raises(ApiError) as caught:
        await ask(Client(served).submit, "claim.file", {"reason": "x" * schema.BODY_SIZE_MAX})
    assert (caught.value.status, caught.value.code) == (413, "body_size")


async def test_the_log_level_changes_live_and_unknown_ones_do_not(served, daemon) -> None:
    await ask(Client(served).set_log_level, "DEBUG")
    assert daemon.level == "debug"
    with pytest.raises(ApiError, match="no log level"):
        await ask(Client(served).set_log_level, "loud")
    assert daemon.level == "debug"


async def test_stop_answers_before_the_node_ends(served, daemon) -> None:
    assert await ask(Client(served).post_json, "/v1/stop") == {"done": True}
    with trio.fail_after(2):
        await daemon.stopped.wait()


async def test_nobody_at_the_socket_is_said_as_such(tmp_path) -> None:
    with pytest.raises(NodeNotRunning):
        await ask(Client(tmp_path / "api.sock").status)
    async with AsyncClient(tmp_path / "api.sock") as client:
        with pytest.raises(NodeNotRunning):
            await client.status()


async def test_the_asynchronous_client_reads_and_acts(served, daemon) -> None:
    async with AsyncClient(served) as client:
        assert (await client.status()).height == 41
        assert (await client.block(9)).height == 9
        assert (await client.submit("case.ballot", {"claim": CLAIM})).state == "pending"
        with pytest.raises(ApiError, match="closed on day 212"):
            await client.submit("case.ballot", {})


async def test_events_flow_to_the_asynchronous_client_and_a_left_stream_is_unsubscribed(served, daemon) -> None:
    async with AsyncClient(served) as client:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(publish, daemon, {"event": "payout_due", "height": 9})
                stream = client.events()
                assert await anext(stream) == {"event": "payout_due", "height": 9}
                await stream.aclose()
            await daemon.left.wait()


async def test_events_flow_to_the_blocking_client_and_end_with_the_source(served, daemon, nursery) -> None:
    nursery.start_soon(publish, daemon, {"event": "case_opened", "height": 10}, True)
    with trio.fail_after(5):
        assert await ask(lambda: list(Client(served).events())) == [{"event": "case_opened", "height": 10}]


async def publish(daemon, event, is_last=False) -> None:
    await daemon.subscribed.wait()
    for channel in daemon.channels:
        await channel.send(event)
        if is_last:
            channel.close()


async def test_the_socket_is_gone_after_the_server(api, tmp_path) -> None:
    path = tmp_path / "api.sock"
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, api, path)
        assert path.exists()
        nursery.cancel_scope.cancel()
    assert not path.exists()


async def test_a_dead_socket_is_replaced_and_a_live_one_is_not(served, api, tmp_path, nursery) -> None:
    dead = tmp_path / "dead.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(dead))
    left.close()
    await nursery.start(serve, api, dead)
    assert (await ask(Client(dead).status)).height == 41
    with pytest.raises(MutuaError) as caught:
        await serve(api, served)
    assert caught.value.code == "api_in_use"
    assert (await ask(Client(served).status)).height == 41


async def test_a_path_that_cannot_be_a_socket_is_refused(api, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    plain = tmp_path / "file"
    plain.write_bytes(b"mine")
    for path, code in ((plain, "socket_unusable"), (tmp_path / ("x" * 120), "socket_path")):
        with pytest.raises(MutuaError) as caught:
            await serve(api, path)
        assert caught.value.code == code
    assert plain.read_bytes() == b"mine"


async def test_an_answer_of_another_shape_is_one_clear_error(served) -> None:
    from node.api.views.members import KEYS

    with pytest.raises(ApiError) as caught:
        await ask(Client(served).view, KEYS, member="aa")
    assert caught.value.code == "answer_shape"
    assert "missing required field `identity_key`" in caught.value.what
    assert caught.value.hint == "update mutua and restart the node"


async def test_the_daemon_serves_its_own_description_and_every_endpoint_has_a_handler(served) -> None:
    from node.api.server import HANDLERS

    described = await ask(Client(served).get_json, "/v1/openapi.json")
    assert described["openapi"] == "3.1.0"
    assert set(HANDLERS) == {(item.method, item.path) for item in schema.ENDPOINTS}
    answer = described["paths"]["/v1/status"]["get"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"] == {"$ref": "#/components/schemas/Status"}
    assert described["components"]["schemas"]["Case"]["properties"]["s"] == {"type": "integer"}


async def test_a_post_that_is_cut_off_leaves_no_word_in_the_log(served, monkeypatch):
    told = []
    monkeypatch.setattr(server.log, "exception", lambda *parts, **fields: told.append((parts, fields)))
    for body in (b"", b'{"kind": "case.ball'):
        stream = await trio.open_unix_socket(served)
        head = b"POST /v1/submit HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n"
        await stream.send_all(head + body)
        await trio.sleep(0.05)
        await stream.aclose()
    await trio.sleep(0.1)
    assert told == []


@pytest.mark.parametrize("fault", [trio.BusyResourceError("used twice"), BrokenPipeError("gone")])
async def test_a_connection_that_fails_ends_alone(served, monkeypatch, fault) -> None:
    run = server.TCPServer.run
    failing = [True]

    async def fail_once(connection):
        if failing:
            failing.clear()
            raise ExceptionGroup("a nursery", [fault])
        await run(connection)

    monkeypatch.setattr(server.TCPServer, "run", fail_once)
    with pytest.raises(ApiError):
        await ask(Client(served).status)
    assert not failing
    assert (await ask(Client(served).status)).height == 41
