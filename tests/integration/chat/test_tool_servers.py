"""Tools over MCP, with a real server over stdio and over HTTP that works, hangs, dies, fails and talks too much."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.chat.cancel import Cancelled, never
from service.chat.options import ToolServer
from service.chat.outside import Outside
from service.chat.providers import ToolCall
from service.chat.tools.offer import Called, Offer, offered
from service.chat.tools.servers import Defined
from service.url import ROOT
from tests.support.endpoint import Reply, UntilLeft, endpoint, refusing
from tests.support.mcp_known import HUGE, KEY
from tests.support.processes import HANGS, eventually

COMMAND = (sys.executable, "-m", "tests.support.mcp_server")


def environment(log: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), "TEST_LOG": str(log)}


def local(log: Path) -> Defined:
    return Defined(command=COMMAND, env=tuple(environment(log).items()))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


@pytest.fixture
def own(log: Path) -> Iterator[Outside]:
    """With a server over stdio that may be ruined, and whose log is this test's alone."""
    outside = Outside({"TEST_API_KEY": KEY}, servers={"shop": local(log)})
    yield outside
    outside.close()


@pytest.fixture(scope="module")
def stdio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    outside = Outside({"TEST_API_KEY": KEY}, servers={"shop": local(tmp_path_factory.mktemp("stdio") / "log")})
    yield outside
    outside.close()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    port_file = folder / "port"
    process = subprocess.Popen((*COMMAND, str(port_file)), cwd=ROOT, env={**os.environ, **environment(folder / "log")})
    try:
        eventually(lambda: port_file.exists() and port_file.read_text())
        yield f"http://127.0.0.1:{port_file.read_text()}/mcp"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("http")) as url:
        yield url


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[Outside]:
    outside = Outside({"TEST_API_KEY": KEY}, servers={"shop": Defined(url=url, api_key_env="TEST_API_KEY")})
    yield outside
    outside.close()


@pytest.fixture(params=["stdio", "http"])
def outside(request: pytest.FixtureRequest) -> Outside:
    found: Outside = request.getfixturevalue(request.param)
    return found


def offer(outside: Outside, *wanted: ToolServer) -> Offer:
    return offered(wanted or (ToolServer("shop"),), outside, never)


def call(offered: Offer, tool: str, arguments: str = "{}", seconds: float = HANGS) -> Called:
    return offered.call(ToolCall("c1", f"shop__{tool}", arguments), seconds)


def starts(log: Path) -> int:
    return log.read_text().count("start")


@pytest.fixture(autouse=True)
def _has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a server to start: a machine that has much else to do."""
    monkeypatch.setattr("service.chat.tools.sessions.CONNECTING", HANGS)


def test_a_server_offers_its_tools_under_names_that_every_endpoint_takes(outside: Outside) -> None:
    found = {tool.name: tool for tool in offer(outside).tools}
    assert found["shop__add"].description == "Adds two numbers."
    assert set(found["shop__add"].parameters["properties"]) == {"a", "b"}
    assert "shop__what_is_set_" in found


def test_a_tool_does_what_it_is_asked_for(outside: Outside) -> None:
    called = call(offer(outside), "add", '{"a": 1, "b": 2}')
    assert (called.server, called.tool, called.arguments) == ("shop", "add", {"a": 1, "b": 2})
    assert (called.result, called.error, called.told) == ("3", None, "3")
    assert 0 <= called.duration_ms < 60_000


def test_a_tool_that_fails_says_why_and_the_session_goes_on(own: Outside, log: Path) -> None:
    shop = offer(own)
    failed = call(shop, "fail")
    assert failed.result is None
    assert "The shelf is empty." in str(failed.error)
    assert failed.told.startswith("Error: ")
    assert call(shop, "add", '{"a": 1, "b": 1}').result == "2"
    assert starts(log) == 1


def test_a_session_serves_many_answers_and_its_tools_are_listed_once(own: Outside, log: Path) -> None:
    for _ in range(3):
        call(offer(own), "add", '{"a": 1, "b": 2}')
    assert log.read_text().split()[::2] == ["start", "add", "add", "add"]


def test_a_result_of_ten_megabytes_is_cut(outside: Outside) -> None:
    called = call(offer(outside), "huge")
    told = called.result or called.error or ""
    assert len(told) < 20_100
    assert f"(cut: it has {HUGE:,} characters)" in told or "failed" in told, "an event may not be as long over HTTP"


def test_a_tool_that_hangs_is_given_up_and_its_server_started_anew(own: Outside, log: Path) -> None:
    shop = offer(own)
    began = time.monotonic()
    called = call(shop, "hang", seconds=0.5)
    assert called.error == "shop did not answer in 0.5 s."
    assert time.monotonic() - began < HANGS, "its end is not waited for"
    assert call(shop, "add", '{"a": 1, "b": 2}').result == "3"
    assert starts(log) == 2


def test_a_tool_that_takes_its_server_along_is_an_error_and_the_next_call_works(own: Outside, log: Path) -> None:
    shop = offer(own)
    assert str(call(shop, "die").error).startswith("shop failed: ")
    assert call(shop, "add", '{"a": 1, "b": 2}').result == "3"
    assert starts(log) == 2


def test_nobody_waits_for_a_tool_when_nobody_waits_for_the_answer(own: Outside, log: Path) -> None:
    shop = offered((ToolServer("shop"),), own, lambda: "hang" in log.read_text())
    with pytest.raises(Cancelled):
        call(shop, "hang", seconds=60)


@pytest.mark.parametrize("arguments", ["{half", "[1]", "7", "[" * 100_000, '{"a": 1e999}', '{"a": NaN}'])
def test_arguments_that_are_no_object_are_sent_back_to_the_model(stdio: Outside, arguments: str) -> None:
    called = call(offer(stdio), "add", arguments)
    assert (called.arguments, called.error) == ({}, "The arguments have to be a JSON object.")


def test_a_tool_that_nobody_offered_is_an_error_for_the_model(stdio: Outside) -> None:
    called = offer(stdio).call(ToolCall("c1", "rm_rf", "{}"), 1)
    assert (called.server, called.tool, called.error) == ("unknown", "rm_rf", "There is no tool 'rm_rf'.")


def test_what_no_database_takes_is_left_out_of_results_and_arguments(stdio: Outside) -> None:
    shop = offer(stdio)
    assert call(shop, "broken", '{"a\\u0000": "\\ud83d\\u0000"}').arguments == {"a": "?"}
    assert call(shop, "broken").result == "ab"


def test_a_server_sees_its_own_variables_and_none_of_the_workers(
    stdio: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "s")
    seen = str(call(offer(stdio), "what_is_set_").result).split()
    assert "PYTHONPATH" in seen
    assert "SECRET_KEY" not in seen


def test_what_a_server_whispers_reaches_no_log_and_a_key_no_record(
    stdio: Outside, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(offer(stdio), "gossip").result == "You sent …."
    assert "somebody" not in capfd.readouterr().err


def test_tools_of_one_name_are_kept_apart(stdio: Outside) -> None:
    both = offer(stdio, ToolServer("shop"), ToolServer("shop"))
    names = [tool.name for tool in both.tools if "add" in tool.name]
    assert names == ["shop__add", "shop__add_2"]


def test_a_version_may_give_a_server_by_address_with_the_name_of_a_key(url: str) -> None:
    outside = Outside({"TEST_API_KEY": KEY})
    shop = offer(outside, ToolServer("shop", url, "TEST_API_KEY"))
    assert call(shop, "add", '{"a": 1, "b": 2}').result == "3"
    outside.close()


def failure(outside: Outside, wanted: ToolServer) -> str:
    found = offer(outside, wanted)
    (failed,) = found.failures
    assert (failed.server, failed.tool, found.tools) == (wanted.name, "tools/list", [])
    assert found.prompt == (
        f"The tools of {wanted.name} can't be reached at the moment; where you would need them, say so."
    )
    outside.close()
    return str(failed.error)


def test_a_server_that_refuses_the_key_is_left_out(url: str) -> None:
    assert failure(Outside({"TEST_API_KEY": "wrong"}), ToolServer("shop", url, "TEST_API_KEY")).startswith(
        "shop failed:"
    )


@pytest.mark.parametrize(
    ("servers", "wanted", "words"),
    [
        ({}, ToolServer("files"), "There is no server 'files' in MCP_SERVERS; it defines none."),
        ({"shop": Defined(command=("no-such-program",))}, ToolServer("shop"), "shop failed: "),
        ({"shop": Defined(command=(sys.executable, "-c", "pass"))}, ToolServer("shop"), "shop failed: "),
        ({"shop": Defined(url="http://127.0.0.1:9/mcp")}, ToolServer("shop"), "shop failed: "),
        ({}, ToolServer("crm", "http://127.0.0.1:9/mcp", "OTHER_API_KEY"), "OTHER_API_KEY is not set"),
    ],
)
def test_a_server_that_is_not_there_is_left_out_and_the_operator_learns_why(
    servers: dict[str, Defined], wanted: ToolServer, words: str
) -> None:
    assert words in failure(Outside(servers=servers), wanted)


def test_the_operators_limits_hold_for_the_servers_of_versions() -> None:
    outside = Outside(allowed=["https://tools.example.com"])
    assert "PROVIDER_URLS" in failure(outside, ToolServer("crm", "http://127.0.0.1:9/mcp"))


@pytest.mark.parametrize("reply", [refusing(500), refusing(200, b"{half"), Reply((b"data: x\n\n",))])
def test_an_endpoint_that_is_no_mcp_server_is_left_out(reply: Reply) -> None:
    with endpoint(reply) as server:
        assert "crm" in failure(Outside(), ToolServer("crm", server.base))


@pytest.mark.parametrize(
    "reply",
    [
        Reply((UntilLeft(b" " * 100_000, every=0),), headers={"Content-Type": "application/json"}),
        Reply((UntilLeft(b"data: " + b"x" * 100_000, every=0),)),
        Reply((b"x",), headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}),
    ],
)
def test_an_endpoint_that_would_fill_the_memory_is_left_out(reply: Reply) -> None:
    with endpoint(reply) as server:
        assert failure(Outside(), ToolServer("crm", server.base)).startswith("crm failed: ")


def test_a_server_that_never_gets_to_the_point_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.chat.tools.sessions.CONNECTING", 0.5)
    with endpoint(Reply((UntilLeft(b": wait\n\n"),))) as server:
        assert failure(Outside(), ToolServer("crm", server.base)) == "crm did not answer in 0.5 s."
        assert server.is_left()


def test_closing_ends_the_servers_that_were_started(own: Outside, log: Path) -> None:
    offer(own)
    number = int(log.read_text().split()[1])
    own.close()
    eventually(lambda: not Path(f"/proc/{number}").exists())


def test_the_list_of_tools_is_asked_for_again_after_a_while(
    own: Outside, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.chat.tools.sessions.LISTED_FOR", 0.0)
    assert offer(own).tools == offer(own).tools
    assert starts(log) == 1


def test_a_server_over_http_that_dies_is_an_error(tmp_path: Path) -> None:
    outside = Outside({"TEST_API_KEY": KEY})
    with serving(tmp_path) as url:
        shop = offer(outside, ToolServer("shop", url, "TEST_API_KEY"))
        assert "shop" in str(call(shop, "die", seconds=5).error)
    assert "shop failed" in str(call(shop, "add", '{"a": 1, "b": 2}').error)
    outside.close()
