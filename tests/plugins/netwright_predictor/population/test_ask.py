"""Asking a language model for what no rule resolves, and holding its answer against the model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright.context import RunContext, use_run
from netwright.errors import UserError
from netwright.llm.backends.scripted import ScriptedBackend
from netwright.llm.config import LlmConfig
from netwright.llm.errors import LanguageModelError, RefusedError
from netwright.runfolder import RunFolder, read_json_lines
from netwright_predictor.population import AmbiguousParameterError, MissingParameterError, populate_or_ask

Script = Callable[..., ScriptedBackend]

CONFIG = {"hidden_size": 64, "text_config": {"state": {"width": 16, "groups": 2}}}
WANTED = {"hidden_size": "int", "state_size": "int"}
RIGHT = {"value": 32, "source": "config.text_config.state.width * config.text_config.state.groups"}


def answer(**found: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": found, "reasons": ["as the mixer computes it"]}


def test_without_a_model_the_error_is_that_of_the_rules(run_context: RunContext) -> None:
    with pytest.raises(MissingParameterError, match="no value for the required parameter 'state_size'") as error:
        populate_or_ask(WANTED, config=CONFIG)
    assert error.value.__cause__ is None


def test_what_rules_resolve_asks_nobody(scripted_model: Script) -> None:
    backend = scripted_model()
    assert populate_or_ask({"hidden_size": "int"}, config=CONFIG).values == {"hidden_size": 64}
    assert backend.requests == []


def test_an_answer_that_is_what_its_source_says_is_taken(scripted_model: Script, run_context: RunContext) -> None:
    backend = scripted_model(answer(state_size=RIGHT))
    populated = populate_or_ask(WANTED, config=CONFIG, module_class="x.Mixer", structure="M(\n(m): x.Mixer()\n)")
    assert populated.values == {"hidden_size": 64, "state_size": 32}
    known = populated.provenance["state_size"]
    assert (known.rule, known.source) == ("model", "text_config.state.width, text_config.state.groups")
    assert known.formula == RIGHT["source"]
    prompt = backend.requests[0].messages[1].content
    for part in ("1. Goal", "2. Input data", "3. Mapping rules", "4. Output", "5. Errors", "6. Examples"):
        assert part in prompt
    for given in ('"x.Mixer"', '"state_size": "int"', '"groups": 2', "(m): x.Mixer()", "runtime_parameters.state_size"):
        assert given in prompt
    assert run_context.folder is not None
    (logged,) = read_json_lines(run_context.folder.decisions_file)
    assert logged["question"] == "The parameters of a module that no rule found"
    assert logged["taken_by"] == "model"


def test_a_plain_path_has_no_formula(scripted_model: Script) -> None:
    scripted_model(answer(state_size={"value": 16, "source": "text_config.state.width"}))
    known = populate_or_ask(WANTED, config=CONFIG).provenance["state_size"]
    assert (known.source, known.formula) == ("text_config.state.width", "")


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (answer(), "'state_size' is missing"),
        (answer(state_size=RIGHT, other=RIGHT), "'other' was not asked for"),
        (answer(state_size={**RIGHT, "value": 64}), "gives 32, and not 64"),
        (answer(state_size={"value": 32, "source": "32"}), "the source '32' names no path"),
        (answer(state_size={"value": 32, "source": "config.d_state"}), "'d_state' is not there"),
        (answer(state_size={"value": 8.5, "source": "17 * text_config.state.width / 32"}), "must be int"),
    ],
)
def test_a_wrong_answer_is_sent_back_with_what_is_wrong(
    scripted_model: Script, wrong: dict[str, Any], complaint: str
) -> None:
    backend = scripted_model(wrong, answer(state_size=RIGHT))
    assert populate_or_ask(WANTED, config=CONFIG).values["state_size"] == 32
    assert complaint in backend.requests[1].messages[-1].content


def test_sizes_of_an_answer_must_be_possible(scripted_model: Script) -> None:
    backend = scripted_model(
        answer(head_dim={"value": 0, "source": "config.state - 8"}),
        answer(head_dim={"value": 8, "source": "config.state"}),
    )
    assert populate_or_ask({"head_dim": "int"}, config={"state": 8}).values == {"head_dim": 8}
    assert "a size must be positive" in backend.requests[1].messages[-1].content


@pytest.mark.parametrize("lines", [["no"] * 3, [RefusedError("not today")]], ids=["no JSON", "refused"])
def test_a_model_that_fails_is_named_beside_what_was_tried(scripted_model: Script, lines: list[Any]) -> None:
    scripted_model(*lines)
    with pytest.raises(MissingParameterError, match=r"config's state_size.*; the language model: ") as error:
        populate_or_ask(WANTED, config=CONFIG)
    assert isinstance(error.value.__cause__, LanguageModelError)


def test_what_is_ambiguous_is_not_asked(scripted_model: Script) -> None:
    backend = scripted_model(answer(state_size=RIGHT))
    config = {"first_config": {"state_size": 1}, "second_config": {"state_size": 2}}
    with pytest.raises(AmbiguousParameterError):
        populate_or_ask({"state_size": "int"}, config=config)
    assert backend.requests == []


def test_values_that_are_no_json_are_shown_as_text(scripted_model: Script) -> None:
    scripted_model(answer(state_size=RIGHT))
    assert populate_or_ask(WANTED, config={**CONFIG, "loader": Path("x")}).values["state_size"] == 32


@pytest.mark.slow
def test_a_server_of_ones_own(server: Any, project: Path, no_keys: None) -> None:
    pytest.importorskip("litellm")
    server.says("I think it is 32", answer(state_size=RIGHT))
    llm = LlmConfig(backend="litellm", model="openai/x", api_base=server.address, backoff=0)
    run = RunContext(folder=RunFolder(project / "run"), llm=llm)
    run.console.quiet = True
    try:
        with use_run(run):
            populated = populate_or_ask(WANTED, config=CONFIG)
    finally:
        run.console.quiet = False
    assert populated.values == {"hidden_size": 64, "state_size": 32}
    assert len(server.requests) == 2
    assert "it holds no JSON object" in json.dumps(server.requests[1])


def test_wrong_settings_are_the_users_error(project: Path) -> None:
    run = RunContext(llm=LlmConfig(backend="command", command="no-such-program"))
    with pytest.raises(UserError, match="there is no command 'no-such-program'"):
        populate_or_ask(WANTED, config=CONFIG, run=run)
