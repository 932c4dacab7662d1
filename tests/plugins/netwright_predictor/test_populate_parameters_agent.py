"""The Populate Parameters Agent: the seed's interface, word for word, with a script as the command-line model."""

import inspect
import json
import logging
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright.errors import UserError
from netwright_predictor.populate_parameters_agent import PopulateParametersAgent, headless

LLAMA = "transformers.models.llama.modeling_llama.LlamaSdpaAttention"
STRUCTURE = """
LlamaForCausalLM(
  (model): transformers.models.llama.modeling_llama.LlamaModel(
    (embed_tokens): torch.nn.modules.sparse.Embedding(32000, 4096)
    (layers): torch.nn.modules.container.ModuleList(
      (0-31): 32 x transformers.models.llama.modeling_llama.LlamaDecoderLayer(
        (self_attn): transformers.models.llama.modeling_llama.LlamaSdpaAttention(
          (q_proj): torch.nn.modules.linear.Linear(in_features=4096, out_features=4096, bias=False)
          (k_proj): torch.nn.modules.linear.Linear(in_features=4096, out_features=4096, bias=False)
        )
      )
    )
  )
)
"""
ARCHITECTURE = {
    "model_id": "meta-llama/Llama-2-7b-hf",
    "layers": [
        {
            "name": "model",
            "class": "transformers.models.llama.modeling_llama.LlamaModel",
            "sub_layers": [
                {"name": "embed_tokens", "class": "torch.nn.modules.sparse.Embedding"},
                {
                    "name": "decoder_layer",
                    "class": "transformers.models.llama.modeling_llama.LlamaDecoderLayer",
                    "repeat": 32,
                },
            ],
        }
    ],
}
EXAMPLE: dict[str, Any] = {
    "module_class": LLAMA,
    "required_parameters": {
        "B": "int",
        "S": "int",
        "hidden_size": "int",
        "num_attention_heads": "int",
        "num_key_value_heads": "int",
        "head_dim": "int",
        "dtype_bytes": "int",
    },
    "model_config": {
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "torch_dtype": "float16",
        "max_position_embeddings": 4096,
    },
    "enhanced_model_structure": STRUCTURE,
    "architecture_json": ARCHITECTURE,
    "runtime_parameters": {"B": 8, "S": 1024},
}
EXPECTED = {
    "B": 8,
    "S": 1024,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "head_dim": 128,
    "dtype_bytes": 2,
}
UNKNOWN = {**EXAMPLE, "required_parameters": {"hidden_size": "int", "state_size": "int"}}
FOUND = {"parameters": {"state_size": {"value": 128, "source": "config.hidden_size // config.num_attention_heads"}}}

OUTPUT = Path("populated_parameters.json")
DIAGNOSTICS = Path("populated_parameters_diagnostics.json")

Command = Callable[[str], str]


@pytest.fixture
def command(project: Path) -> Command:
    """A function that makes a command-line model of the body of a program, which has the prompt as `prompt`."""

    def make(body: str) -> str:
        program = project / "model.py"
        program.write_text(f"import json, os, sys\nprompt = sys.stdin.read()\n{body}\n")
        return shlex.join([sys.executable, str(program)])

    return make


def saying(answer: object) -> str:
    return f"print({json.dumps(answer) if not isinstance(answer, str) else answer!r})"


def test_the_interface_is_the_seeds() -> None:
    constructor = inspect.signature(PopulateParametersAgent)
    assert {name: each.default for name, each in constructor.parameters.items()} == {
        "claude_command": "claude",
        "output_file": "populated_parameters.json",
    }
    method = inspect.signature(PopulateParametersAgent.populate_parameters_with_agent).parameters
    assert list(method) == ["self", *EXAMPLE]
    assert method["runtime_parameters"].default is None


def test_the_seeds_complete_example(project: Path) -> None:
    agent = PopulateParametersAgent(claude_command="no-such-program")
    assert agent.populate_parameters_with_agent(**EXAMPLE) == EXPECTED
    assert json.loads(OUTPUT.read_text()) == EXPECTED
    assert not DIAGNOSTICS.exists()
    assert agent.provenance["head_dim"].formula == "hidden_size // num_attention_heads"


def test_positional_arguments_and_default_run_time(project: Path) -> None:
    agent = PopulateParametersAgent("no-such-program", "here/values.json")
    positional = [value for name, value in EXAMPLE.items() if name != "runtime_parameters"]
    values = agent.populate_parameters_with_agent(*positional)
    assert values == {**EXPECTED, "B": 1, "S": 4096}
    assert json.loads(Path("here/values.json").read_text()) == values


def test_mappings_fallbacks_formulas_and_time_are_logged(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "netwright_predictor.populate_parameters_agent")
    PopulateParametersAgent().populate_parameters_with_agent(**{**EXAMPLE, "runtime_parameters": {"S": 4}})
    assert "mapping: hidden_size = 4096 (config: hidden_size)" in caplog.text
    assert "mapping: S = 4 (runtime: runtime_parameters.S)" in caplog.text
    assert "fallback: B = 1 (default: defaults)" in caplog.text
    assert "formula: head_dim = 128 (derived: hidden_size // num_attention_heads with " in caplog.text
    assert "7 parameters populated in " in caplog.text


def test_a_command_line_model_gives_what_no_rule_does(
    command: Command, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "netwright_predictor.populate_parameters_agent")
    body = f"open('prompt.txt', 'w').write(prompt)\nprint(json.dumps({FOUND!r}))"
    agent = PopulateParametersAgent(command(body))
    assert agent.populate_parameters_with_agent(**UNKNOWN) == {"hidden_size": 4096, "state_size": 128}
    assert json.loads(OUTPUT.read_text()) == {"hidden_size": 4096, "state_size": 128}
    assert agent.provenance["state_size"].rule == "model"
    prompt = Path("prompt.txt").read_text()
    for part in ("1. Goal", "2. Input data", "3. Mapping rules", "4. Output", "5. Errors", "6. Examples"):
        assert part in prompt
    for given in (LLAMA, '"torch_dtype": "float16"', "LlamaSdpaAttention(", '"decoder_layer"', '"S": 1024'):
        assert given in prompt
    assert "the command-line model was asked: " in caplog.text
    assert "model's answer: state_size = 128" in caplog.text


def test_the_command_finds_the_variables_of_env_files_and_secrets_stay_out_of_logs(
    command: Command, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "netwright_predictor.populate_parameters_agent")
    Path(".env").write_text("SOME_API_KEY=a1b2c3d4e5f6g7h8\n")
    body = "print(os.environ['SOME_API_KEY'])\n" + f"print(json.dumps({FOUND!r}))"
    PopulateParametersAgent(command(body)).populate_parameters_with_agent(**UNKNOWN)
    assert "[redacted]" in caplog.text
    assert "a1b2c3d4e5f6g7h8" not in caplog.text


def test_a_first_answer_that_is_wrong_may_be_repaired(command: Command, project: Path) -> None:
    body = f"""
seen = os.path.exists("seen")
open("seen", "w").close()
print(json.dumps({FOUND!r}) if seen and "cannot be used" in prompt else "state_size is 128")
"""
    values = PopulateParametersAgent(command(body)).populate_parameters_with_agent(**UNKNOWN)
    assert values["state_size"] == 128


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('the state is 128 wide')", "it holds no JSON object"),
        ("print(json.dumps({'parameters': {}}))", "'state_size' is missing"),
        ("print(json.dumps({'parameters': {'state_size': {'value': 5, 'source': 'config.hidden_size'}}}))", "not 5"),
        ("sys.exit('out of order')", "ends with exit code 1; out of order"),
        ("pass", "printed no answer"),
    ],
    ids=["no JSON", "lacks a parameter", "contradicts its source", "fails", "is silent"],
)
def test_an_agent_that_fails_is_a_runtime_error_with_diagnostics(
    command: Command, project: Path, body: str, message: str
) -> None:
    OUTPUT.write_text("{}")
    with pytest.raises(RuntimeError, match="the command-line model did not give 'state_size'") as error:
        PopulateParametersAgent(command(body)).populate_parameters_with_agent(**UNKNOWN)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not OUTPUT.exists()
    diagnostics = json.loads(DIAGNOSTICS.read_text())
    assert diagnostics["error"]["message"] == str(error.value)
    assert diagnostics["conversation"][0]["prompt"]
    assert {path.name for path in project.iterdir()} == {"model.py", DIAGNOSTICS.name}


def test_the_next_run_removes_diagnostics(command: Command, project: Path) -> None:
    agent = PopulateParametersAgent(command("pass"))
    with pytest.raises(RuntimeError):
        agent.populate_parameters_with_agent(**UNKNOWN)
    agent.populate_parameters_with_agent(**EXAMPLE)
    assert OUTPUT.exists()
    assert not DIAGNOSTICS.exists()


def test_without_the_command_the_error_says_what_was_tried(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    agent = PopulateParametersAgent()
    with pytest.raises(ValueError, match="no value for the required parameter 'state_size'") as error:
        agent.populate_parameters_with_agent(**UNKNOWN)
    assert "the config's state_size" in str(error.value)
    assert "no model could be asked: there is no command 'claude'" in str(error.value)
    assert json.loads(DIAGNOSTICS.read_text())["tried"]["state_size"]
    assert dict(agent.provenance) == {}


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"module_class": 3}, TypeError, "module_class must be str, not int"),
        ({"module_class": " "}, ValueError, "module_class is empty"),
        ({"required_parameters": ["B"]}, TypeError, "required_parameters must be dict, not list"),
        ({"required_parameters": {"B": "integer"}}, TypeError, "the type of 'B' cannot be 'integer'"),
        ({"required_parameters": {("B", "S"): "int"}}, TypeError, "a name must be str"),
        ({"model_config": "llama"}, TypeError, "model_config must be dict, not str"),
        ({"enhanced_model_structure": None}, TypeError, "enhanced_model_structure must be str, not NoneType"),
        ({"enhanced_model_structure": "M(\n(a): B("}, ValueError, "the model structure ends too early"),
        ({"architecture_json": []}, TypeError, "architecture_json must be dict, not list"),
        ({"architecture_json": {"model_id": "m"}}, ValueError, "'layers' of the architecture is no list"),
        ({"runtime_parameters": {"B": 0}}, ValueError, "'B' cannot be 0"),
        ({"runtime_parameters": {"B": 1.5}}, TypeError, "'B' must be int, not float"),
        ({"model_config": {"hidden_size": 100, "num_attention_heads": 12}}, ValueError, "is no multiple of"),
        ({"model_config": {"hidden_size": "wide"}}, TypeError, "'hidden_size' must be int, not str"),
    ],
)
def test_each_bad_input_is_one_clear_line(
    project: Path, changed: dict[str, Any], error: type[Exception], message: str
) -> None:
    OUTPUT.write_text("{}")
    with pytest.raises(error, match=message) as raised:
        PopulateParametersAgent("no-such-program").populate_parameters_with_agent(**{**EXAMPLE, **changed})
    assert "\n" not in str(raised.value)
    assert [path.name for path in project.iterdir()] == [DIAGNOSTICS.name]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"claude_command": ""}, ValueError),
        ({"claude_command": "claude 'unclosed"}, ValueError),
        ({"claude_command": "claude --key sk-abcdefghijklmnopqrstuvwx"}, ValueError),
        ({"claude_command": None}, TypeError),
        ({"output_file": ""}, ValueError),
        ({"output_file": 3}, TypeError),
    ],
)
def test_bad_arguments_of_the_constructor(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"claude_command|output_file"):
        PopulateParametersAgent(**arguments)


def test_permissions_are_skipped_only_where_the_user_says_so() -> None:
    assert headless("claude") == ["claude", "-p"]
    assert headless("/opt/bin/claude --print") == ["/opt/bin/claude", "--print"]
    assert headless("claude --dangerously-skip-permissions") == ["claude", "--dangerously-skip-permissions", "-p"]
    assert headless("other --flag") == ["other", "--flag"]


def test_an_output_that_cannot_be_written_is_one_clear_line(project: Path) -> None:
    Path("file").write_text("in the way")
    agent = PopulateParametersAgent("no-such-program", "file/values.json")
    with pytest.raises(UserError, match=r"cannot write file/values\.json"):
        agent.populate_parameters_with_agent(**EXAMPLE)
    assert [path.name for path in project.iterdir()] == ["file"]
    assert Path("file").read_text() == "in the way"


@pytest.mark.parametrize("content", ["notes of mine", "[1]", None], ids=["text", "list", "folder"])
def test_a_file_that_is_no_earlier_output_is_not_touched(project: Path, content: str | None) -> None:
    mine = Path("mine.json")
    if content is None:
        mine.mkdir()
    else:
        mine.write_text(content)
    with pytest.raises(UserError, match=r"mine.json is not overwritten"):
        PopulateParametersAgent("no-such-program", "mine.json").populate_parameters_with_agent(**EXAMPLE)
    assert content is None or mine.read_text() == content
    assert [path.name for path in project.iterdir()] == ["mine.json"]
