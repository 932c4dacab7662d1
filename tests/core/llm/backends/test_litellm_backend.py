"""litellm over real HTTP, against a local server that is scripted: good answers, bad ones, and trouble on the way."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from netwright.errors import UserError
from netwright.llm import LanguageModelError, Message
from netwright.llm.errors import CapReachedError, InvalidAnswerError, RefusedError, RepetitionError, UnavailableError
from netwright.llm.model import LanguageModel
from netwright.llm.transcript import CallRecord, read_records
from netwright.registry import Registry

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")]

Model = Callable[..., LanguageModel]

TOOLS = """
from netwright import hookimpl
from netwright.specs import ToolSpec

CALLS = []

def add(a: int, b: int = 1) -> int:
    "Add two numbers."
    CALLS.append((a, b))
    return a + b

def broken() -> str:
    "Always fails."
    raise ZeroDivisionError("by zero")

@hookimpl
def netwright_tools():
    return [ToolSpec(name=name, summary=name, target=f"inline:{name}") for name in ("add", "broken")]
"""


class Size(BaseModel):
    width: int
    why: str


QUESTION = [Message.user("How wide?")]
GOOD = {"width": 8, "why": "enough"}


def calls(folder: Path) -> list[CallRecord]:
    return [record for record in read_records(folder / "llm" / "calls.jsonl") if isinstance(record, CallRecord)]


def test_a_plain_answer_with_its_cost(server: Any, model: Model) -> None:
    server.says("eight")
    reply = model(price={"input": 2.0, "output": 10.0}).complete(QUESTION)
    assert (reply.text, reply.value, reply.model, reply.requests) == ("eight", None, "openai/x", 1)
    assert (reply.usage.prompt_tokens, reply.usage.answer_tokens) == (100, 10)
    assert reply.usage.cost == pytest.approx((100 * 2.0 + 10 * 10.0) / 1e6)
    assert [message.role for message in reply.messages] == ["user", "assistant"]


def test_the_price_list_is_asked_where_it_knows_the_model(server: Any, model: Model) -> None:
    server.says("eight")
    cost = model(model="openai/gpt-4o-mini").complete(QUESTION).usage.cost
    import litellm

    prices = litellm.model_cost["gpt-4o-mini"]
    assert cost == pytest.approx(100 * prices["input_cost_per_token"] + 10 * prices["output_cost_per_token"])


def test_an_unknown_price_is_unknown_and_tokens_that_are_not_reported_are_estimated(
    server: Any, model: Model, turn: Any
) -> None:
    server.says(turn("12345678", tokens=None))
    usage = model().complete(QUESTION).usage
    assert usage.cost is None
    assert usage.estimated
    assert usage.answer_tokens == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_structured_answer_is_validated(server: Any, model: Model, stream: bool) -> None:
    server.says(f"Here it is:\n```json\n{json.dumps(GOOD)}\n```")
    reply = model(stream=stream).complete(QUESTION, schema=Size)
    assert reply.value == Size(width=8, why="enough")
    assert (reply.usage.prompt_tokens, reply.usage.answer_tokens) == (100, 10)
    system = server.requests[0]["messages"][0]
    assert system["role"] == "system"
    assert '"width"' in system["content"]


def test_a_model_that_can_is_given_the_schema_in_its_own_way(server: Any, model: Model) -> None:
    server.says(GOOD)
    model(model="openai/gpt-4o-mini").complete(QUESTION, schema=Size)
    assert server.requests[0]["response_format"]["json_schema"]["schema"] == Size.model_json_schema()


def test_malformed_json_is_repaired(server: Any, model: Model) -> None:
    server.says('{"width": 8, "why": ', {"width": "wide", "why": "x"}, GOOD)
    reply = model().complete(QUESTION, schema=Size)
    assert reply.value == Size(width=8, why="enough")
    assert (reply.requests, reply.usage.tokens) == (3, 330)
    first, second = (request["messages"][-1]["content"] for request in server.requests[1:])
    assert "no valid JSON" in first
    assert "width: Input should be a valid integer" in second
    assert 'you wrote "wide"' in second


def test_an_answer_that_was_cut_off_is_told_to_be_brief(server: Any, model: Model, turn: Any) -> None:
    server.says(turn('{"width": 8, "why": "because', finish="length"), GOOD)
    assert model(max_output_tokens=9).complete(QUESTION, schema=Size).value.width == 8
    assert server.requests[0]["max_tokens"] == 9
    assert "be brief" in server.requests[1]["messages"][-1]["content"]


def test_an_answer_that_never_heals_is_an_error(server: Any, model: Model) -> None:
    server.says(*[{"width": 8}] * 3)
    with pytest.raises(InvalidAnswerError, match="why: Field required"):
        model().complete(QUESTION, schema=Size)
    assert len(server.requests) == 3


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_and_their_results_fed_back(
    server: Any, model: Model, turn: Any, register_plugin: Callable[..., Registry], stream: bool
) -> None:
    register_plugin(TOOLS)
    server.says(turn(tools=[("add", '{"a": 5, "b": 3}'), ("add", '{"a": 1}')]), GOOD)
    reply = model(stream=stream).complete(QUESTION, schema=Size, tools=["add"])
    assert reply.value.width == 8
    offered = server.requests[0]["tools"][0]["function"]
    assert (offered["name"], offered["description"]) == ("add", "Add two numbers.")
    assert offered["parameters"]["required"] == ["a"]
    results = [m for m in server.requests[1]["messages"] if m["role"] == "tool"]
    assert [(m["tool_call_id"], m["content"]) for m in results] == [("call_0", "8"), ("call_1", "2")]


def test_mistakes_with_tools_are_told_to_the_model(
    server: Any, model: Model, turn: Any, register_plugin: Callable[..., Registry]
) -> None:
    register_plugin(TOOLS)
    server.says(
        turn(tools=[("add", '{"a": "x"}'), ("add", "{"), ("broken", "{}"), ("multiply", "{}"), ("add", "[]")]), "done"
    )
    model().complete(QUESTION, tools=["add", "broken"])
    results = [m["content"] for m in server.requests[1]["messages"] if m["role"] == "tool"]
    assert results[0].startswith("error: 'add.a' cannot be 'x'")
    assert "no JSON" in results[1]
    assert results[2] == "error: ZeroDivisionError: by zero"
    assert results[3] == "error: there is no tool 'multiply'; there are: add, broken"
    assert "no JSON object" in results[4]


def test_tool_calls_are_bounded_in_rounds_and_in_repetitions(
    server: Any, model: Model, turn: Any, register_plugin: Callable[..., Registry]
) -> None:
    register_plugin(TOOLS)
    server.says(*(turn(tools=[("add", f'{{"a": {n}}}')]) for n in range(3)))
    with pytest.raises(LanguageModelError, match=r"tools without end; llm\.rounds is 2"):
        model(rounds=2).complete(QUESTION, tools=["add"])
    server.script.clear()
    server.says(*[turn(tools=[("add", '{"a": 1}')])] * 3)
    with pytest.raises(RepetitionError, match="one tool call had the same result 2 times"):
        model(repeats=2).complete(QUESTION, tools=["add"])


def test_the_same_question_answered_alike_is_stopped(server: Any, model: Model) -> None:
    server.says("eight", "eight", "nine")
    asked = model(repeats=2)
    assert [asked.complete(QUESTION).text for _ in range(2)] == ["eight", "eight"]
    with pytest.raises(RepetitionError, match="goes round in circles"):
        asked.complete(QUESTION)
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_that_passes_is_waited_for(
    server: Any, model: Model, turn: Any, fake_time: Any, project: Path, status: int
) -> None:
    server.says(turn(status=status, body='{"error": {"message": "later"}}'), turn(status=status), "eight")
    assert model(project / "run").complete(QUESTION).text == "eight"
    first, second = fake_time.pauses
    assert 0.5 <= first <= 1 <= second <= 2
    (record,) = calls(project / "run")
    assert len(record.retries) == 2


def test_the_servers_word_on_when_to_come_back_is_kept(server: Any, model: Model, turn: Any, fake_time: Any) -> None:
    server.says(turn(status=429, headers={"Retry-After": "7"}), "eight")
    model().complete(QUESTION)
    assert fake_time.pauses == [7]
    server.says(turn(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(UnavailableError, match="asks to come back in 3600 s"):
        model().complete([Message.user("How deep?")])


def test_trouble_that_stays_is_an_error(server: Any, model: Model, turn: Any) -> None:
    server.says(*[turn(status=503, body="busy")] * 3)
    with pytest.raises(UnavailableError, match="asked 3 times"):
        model(retries=2).complete(QUESTION)
    assert len(server.requests) == 3


@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_that_is_cut_is_tried_again(server: Any, model: Model, turn: Any, stream: bool) -> None:
    server.says(turn("eight layers are plenty", cut=True), "eight")
    assert model(stream=stream).complete(QUESTION).text == "eight"
    assert len(server.requests) == 2


def test_a_server_that_is_too_slow_is_given_up(server: Any, model: Model, turn: Any) -> None:
    server.says(turn(silent=True), turn(silent=True))
    with pytest.raises(UnavailableError, match="asked 2 times"):
        model(timeout=0.2, retries=1).complete(QUESTION)


@pytest.mark.parametrize(("status", "remedy"), [(401, "llm.api_key_variable"), (404, "check llm.model and")])
def test_wrong_settings_are_the_users_error_and_not_tried_again(
    server: Any, model: Model, turn: Any, status: int, remedy: str
) -> None:
    server.says(turn(status=status, body='{"error": {"message": "no"}}'))
    with pytest.raises(UserError) as caught:
        model().complete(QUESTION)
    assert f"HTTP {status}" in str(caught.value)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1


def test_a_refusal_later_on_does_not_end_the_run(server: Any, model: Model, turn: Any) -> None:
    server.says("eight", turn(status=401), turn(status=400, body='{"error": {"message": "too long"}}'))
    asked = model()
    asked.complete(QUESTION)
    for text in ("How deep?", "How long?"):
        with pytest.raises(RefusedError):
            asked.complete([Message.user(text)])
    assert len(server.requests) == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 404])
def test_a_web_page_is_called_one(server: Any, model: Model, turn: Any, status: int, stream: bool) -> None:
    page = turn(
        status=status, body="<!DOCTYPE html><html><body>Welcome</body></html>", headers={"Content-Type": "text/html"}
    )
    server.says(page, page)
    with pytest.raises(UserError, match=r"llm\.api_base=\S+ answers with a web page") as caught:
        model(stream=stream).complete(QUESTION)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", ["[]", "{}", '{"choices": []}', '{"error": "overloaded"}', "null", "plain text"])
def test_an_answer_in_no_known_form_is_an_error_and_no_crash(server: Any, model: Model, turn: Any, body: str) -> None:
    server.says(*[turn(body=body, headers={"Content-Type": "application/json"})] * 2)
    with pytest.raises(LanguageModelError):
        model(retries=1).complete(QUESTION)


@pytest.mark.parametrize(
    ("caps", "answered", "message"),
    [
        ({"calls": 2}, 2, "it is 2 requests"),
        ({"tokens": 150}, 2, "it is 150 tokens"),
        ({"cost": 0.0002}, 1, "it is 0.0002 US dollars"),
        ({"calls": 0}, 0, "it is 0 requests"),
    ],
)
def test_caps_end_the_models_part(server: Any, model: Model, caps: dict[str, Any], answered: int, message: str) -> None:
    server.says(*["eight"] * 3)
    asked = model(caps=caps, price={"input": 1.0, "output": 10.0})
    for number in range(answered):
        asked.complete([Message.user(f"How wide is {number}?")])
    with pytest.raises(CapReachedError, match=message):
        asked.complete(QUESTION)
    assert len(server.requests) == answered
    assert asked.money_spent == pytest.approx(answered * 0.0002)


def test_threads_share_one_budget(server: Any, model: Model) -> None:
    server.says(*["eight"] * 20)
    asked = model(caps={"calls": 5})

    def ask(number: int) -> bool:
        try:
            return asked.complete([Message.user(f"How wide is {number}?")]).text == "eight"
        except CapReachedError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(20))) == 5
    assert len(server.requests) == 5


def test_time_is_capped_retries_included(server: Any, model: Model, turn: Any) -> None:
    server.says(turn(status=429, headers={"Retry-After": "5"}), "eight")
    asked = model(caps={"seconds": 5})
    with pytest.raises(CapReachedError, match=r"it is 5\.0 s"):
        asked.complete(QUESTION)
    assert len(server.requests) == 1


def test_caps_count_what_the_run_spent_before_it_was_resumed(server: Any, model: Model, project: Path) -> None:
    server.says("eight")
    model(project / "run", caps={"tokens": 100}).complete(QUESTION)
    with pytest.raises(CapReachedError):
        model(project / "run", caps={"tokens": 100}).complete([Message.user("And now?")])


def test_answers_come_from_the_cache(server: Any, model: Model) -> None:
    server.says("eight", "nine", "ten")
    assert model().complete(QUESTION).text == "eight"
    again = model().complete(QUESTION)
    assert (again.text, again.usage.tokens, again.usage.cost) == ("eight", 0, 0.0)
    assert model(cache="refresh").complete(QUESTION).text == "nine"
    assert model().complete(QUESTION).text == "nine"
    assert model(cache="off").complete(QUESTION).text == "ten"
    assert len(server.requests) == 3


def test_everything_that_matters_is_in_the_caches_key(server: Any, model: Model) -> None:
    server.says(*map(str, range(8)))
    one = model()
    texts = [
        one.complete(QUESTION).text,
        one.complete(QUESTION).text,  # a second answer to the same question is another sample
        model(temperature=0.5).complete(QUESTION).text,
        model(max_output_tokens=50).complete(QUESTION).text,
        model(model="openai/y").complete(QUESTION).text,
        model(api_base=f"{server.address}/v1").complete(QUESTION).text,
        model().complete([Message.system("Be brief."), *QUESTION]).text,
    ]
    assert texts == list(map(str, range(7)))
    assert [model().complete(QUESTION).text for _ in range(2)] == ["0", "0"]


def test_a_missing_key_is_named_with_the_places_where_it_was_looked_for(project: Path, model: Model) -> None:
    with pytest.raises(UserError) as caught:
        model(api_base=None).complete(QUESTION)
    assert "no key for openai/x: OPENAI_API_KEY is not set; looked in the environment" in str(caught.value)
    assert str(project / ".env") in str(caught.value)
    with pytest.raises(UserError, match="MY_KEY is not set"):
        model(api_key_variable="MY_KEY").complete(QUESTION)


def test_a_key_in_a_env_file_is_used_and_stays_out_of_the_environment(server: Any, project: Path, model: Model) -> None:
    (project / ".env").write_text("MY_KEY='a-key-of-mine-1'\n")
    server.says("eight")
    model(api_key_variable="MY_KEY").complete(QUESTION)
    assert server.keys == ["Bearer a-key-of-mine-1"]
    assert "MY_KEY" not in os.environ


def test_a_providers_key_is_not_sent_to_a_server_of_ones_own(
    server: Any, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnopqrstuvwxyz")
    server.says("eight")
    model().complete(QUESTION)
    assert server.keys == ["Bearer none"]


def test_secrets_are_neither_sent_nor_kept(
    server: Any, model: Model, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_PASSWORD", "correct-horse-7")
    secrets = ["correct-horse-7", "sk-abcdefghijklmnop1234", "eyJhbGciOiJI.eyJzdWIiOiIx.abc-123"]
    server.says(f"You said {secrets[1]}, and you live in {Path.home()}.")
    reply = model(project / "run").complete([Message.user(f"{', '.join(secrets)} in {Path.home()}/x")])
    assert reply.text == f"You said [redacted], and you live in {Path.home()}."
    kept = (project / "run" / "llm" / "calls.jsonl").read_text()
    assert not [secret for secret in secrets if secret in kept or secret in json.dumps(server.requests)]
    assert str(Path.home()) not in kept


def test_a_model_without_a_provider_is_refused(model: Model) -> None:
    with pytest.raises(UserError, match=r"'llm.model' cannot be 'opnai/x'.*such as openai/"):
        model(model="opnai/x", api_base=None).complete(QUESTION)


def test_a_cap_on_money_needs_a_price(model: Model) -> None:
    with pytest.raises(UserError, match=r"'llm.caps.cost' is set, but the price of 'openai/x' is not known"):
        model(caps={"cost": 1}).complete(QUESTION)


def test_a_server_that_does_not_listen_is_unavailable(model: Model) -> None:
    with pytest.raises(UnavailableError, match="asked 2 times"):
        model(api_base="http://127.0.0.1:9", retries=1).complete(QUESTION)
