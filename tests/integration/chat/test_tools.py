"""Answers with tools: the model asks, the tools are called, and every call is kept with the answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.chat.outside import Outside
from service.chat.preview import preview
from service.chat.providers import Chunk, ProviderError, Providers, Request, ToolCall, Turn, Usage, built_in
from service.chat.respond import apologise, respond
from service.chat.tools.offer import Called
from service.chat.tools.servers import Defined
from service.models import Chatbot, Conversation, InboxItem, Message, ToolLog
from service.url import ROOT
from tests.support.chat import make_chatbot, reloaded, send
from tests.support.endpoint import calling, endpoint, saying

pytestmark = pytest.mark.usefixtures("service_database")
on_sqlite = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)
ADD = ToolCall("c1", "shop__add", '{"a": 1, "b": 2}')


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    command = (sys.executable, "-m", "tests.support.mcp_server")
    outside = Outside(servers={"shop": Defined(command=command, env=(("PYTHONPATH", str(ROOT)),))})
    yield outside
    outside.close()


@dataclass
class Script:
    """Says in each round what the test wrote for it; the last round again and again."""

    rounds: list[tuple[Chunk | Exception, ...]]
    requests: list[Request] = field(default_factory=list)

    def stream(self, request: Request) -> Iterator[Chunk]:
        self.requests.append(request)
        for chunk in self.rounds.pop(0) if len(self.rounds) > 1 else self.rounds[0]:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


def clerk(**config: Any) -> Chatbot:
    return make_chatbot(config={"mcp_servers": ["shop"]} | config)


def answer(item: InboxItem, outside: Outside, providers: Providers) -> Message:
    return respond(item, providers, lambda: None, outside)


def logs() -> list[ToolLog]:
    return list(ToolLog.select().order_by(ToolLog.id))


def test_a_tool_is_called_its_result_told_and_the_call_kept_with_the_answer(outside: Outside) -> None:
    script = Script([("Let me see.", ADD, Usage(10, 5)), ("It is ", "3.", Usage(20, 2))])
    reply = answer(send(clerk(), "1 + 2?"), outside, {"offline": script})
    assert (reply.content, reply.input_tokens, reply.output_tokens) == ("Let me see.\n\nIt is 3.", 30, 7)
    assert script.requests[1].history == (
        Turn("user", "1 + 2?"),
        Turn("assistant", "Let me see.", calls=(ADD,)),
        Turn("tool", "3", call_id="c1"),
    )
    (log,) = logs()
    assert (log.session, log.message) == (reply.conversation, reply)
    assert (log.server, log.tool, log.arguments, log.result, log.error) == ("shop", "add", {"a": 1, "b": 2}, "3", None)
    assert log.duration_ms is not None


@on_sqlite
def test_the_offline_provider_shows_how_it_works(outside: Outside) -> None:
    reply = answer(send(clerk(), 'Please add {"a": 1, "b": 2}'), outside, built_in())
    assert "The tool said: “3”." in reply.content
    assert len(logs()) == 1


@on_sqlite
def test_an_endpoint_and_a_server_work_together(outside: Outside) -> None:
    with endpoint(calling(("c1", "shop__add", '{"a": 1, "b": 2}')), saying("It is 3.")) as server:
        chatbot = clerk(base_url=server.base, api_key_env=None)
        Chatbot.update(model_provider="openai", model_name="small").execute()
        reply = answer(send(Chatbot.get_by_id(chatbot.id), "1 + 2?"), outside, built_in(outside))
    assert reply.content == "It is 3."
    offered = {tool["function"]["name"] for tool in server.asked[0].body["tools"]}
    assert "shop__add" in offered
    assert server.asked[1].body["messages"][-1] == {"role": "tool", "tool_call_id": "c1", "content": "3"}


@on_sqlite
def test_after_so_many_rounds_the_model_has_to_answer(outside: Outside) -> None:
    script = Script([("Once more.", ADD)])
    reply = answer(send(clerk(tool_rounds=2), "1 + 2?"), outside, {"offline": script})
    assert [request.may_call for request in script.requests] == [True, True, False]
    assert len(logs()) == 2
    assert reply.content == "Once more.\n\nOnce more.\n\nOnce more."


@on_sqlite
def test_a_tool_that_fails_is_told_to_the_model_and_kept_for_the_operator(outside: Outside) -> None:
    script = Script([(ToolCall("c1", "shop__fail", "{}"),), ("It failed.",)])
    reply = answer(send(clerk(), "Try."), outside, {"offline": script})
    assert reply.content == "It failed."
    assert "The shelf is empty." in script.requests[1].history[-1].content
    assert "The shelf is empty." in str(logs()[0].error)
    assert logs()[0].result is None


@on_sqlite
def test_a_server_that_is_away_leaves_an_answer_without_it(outside: Outside) -> None:
    script = Script([("I can't look that up now.",)])
    reply = answer(send(clerk(mcp_servers=["gone", "shop"]), "1 + 2?"), outside, {"offline": script})
    assert "The tools of gone can't be reached at the moment" in script.requests[0].system_prompt
    assert "shop__add" in {tool.name for tool in script.requests[0].tools}
    (log,) = logs()
    assert (log.message, log.server, log.tool) == (reply, "gone", "tools/list")
    assert "There is no server 'gone' in MCP_SERVERS" in str(log.error)


def test_what_tools_did_is_kept_even_where_no_answer_came(outside: Outside) -> None:
    chatbot, overloaded = clerk(), ProviderError("Busy.", is_temporary=True)
    item = send(chatbot, "1 + 2?")
    with pytest.raises(ProviderError, match=r"Busy\."):
        answer(item, outside, {"offline": Script([(ADD,), (overloaded,)])})
    (log,) = logs()
    assert (log.result, log.message, log.session) == ("3", None, None), "there is no conversation yet"
    apologise(item, "Busy.", lambda: None)
    with pytest.raises(ProviderError):
        answer(reloaded(item), outside, {"offline": Script([(ADD,), (overloaded,)])})
    assert [log.session for log in logs()] == [None, Conversation.get()]


@on_sqlite
def test_a_model_that_wants_everything_at_once_gets_the_first_of_it(outside: Outside) -> None:
    calls = tuple(ToolCall(f"c{number}", "shop__add", '{"a": 1, "b": 2}') for number in range(40))
    answer(send(clerk(), "1 + 2?"), outside, {"offline": Script([calls, ("Enough.",)])})
    assert len(logs()) == 16


@on_sqlite
def test_a_draft_may_use_tools_and_nothing_is_kept(outside: Outside) -> None:
    draft = {"config": {"mcp_servers": ["shop"]}}
    came = list(preview(draft, [Turn("user", 'add {"a": 1, "b": 2}')], built_in(), outside))
    assert [piece.result for piece in came if isinstance(piece, Called)] == ["3"]
    assert logs() == []
