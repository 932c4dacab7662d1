"""What is taken out of texts, and what is put back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.llm.messages import Message, Request
from netwright.llm.redact import REDACTED, Redactor, environment_secrets, map_strings

PLACES = {"home": Path("/home/ada"), "workspace": Path("/home/ada/work"), "run": Path("/home/ada/work/outputs/1")}


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnopqrst",
        "ghp_0123456789abcdefghij",
        "hf_ABCDEFGHIJKLMNOPQRST",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w",
        "Bearer abcdef0123456789abcdef",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_taken_out(secret: str) -> None:
    assert Redactor().conceal(f"before {secret} after") == f"before {REDACTED} after"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('api_key="a1b2c3d4e5f6a7b8c9"', f'api_key="{REDACTED}"'),
        ("OPENAI_API_KEY: a1b2c3d4e5f6a7b8c9", f"OPENAI_API_KEY: {REDACTED}"),
        ("https://ada:lovelace@host/x", f"https://{REDACTED}@host/x"),
    ],
)
def test_only_the_secret_part_goes(text: str, kept: str) -> None:
    assert Redactor().conceal(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "token = tokenizer.encode(text)",
        "api_key = os.environ['OPENAI_API_KEY']",
        "password: str | None = None",
        "basic blocks of resnet18",
        "self.secret_projection = nn.Linear(4, 4)",
        "torch.manual_seed(0); key = jax.random.PRNGKey(0)",
        "http://127.0.0.1:8000/v1/models@latest",
    ],
)
def test_code_and_prose_stay(text: str) -> None:
    assert Redactor().conceal(text) == text


def test_values_of_variables_that_sound_secret_are_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "tulip-42-garden")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent.1")
    monkeypatch.setenv("AUTH_METHOD", "password")
    secrets = environment_secrets({"MY_SECRET": "daisy-77"})
    assert {"tulip-42-garden", "daisy-77"} <= set(secrets)
    assert not {"/tmp/agent.1", "password"} & set(secrets)
    assert Redactor(secrets).conceal("a tulip-42-garden, a daisy-77") == f"a {REDACTED}, a {REDACTED}"


def test_the_innermost_place_is_marked() -> None:
    redactor = Redactor(places=PLACES)
    text = "/home/ada/work/outputs/1/x, /home/ada/work/y, '/home/ada', /home/adam, /mnt/home/ada, /home/ada/work.bak"
    marked = (
        "{netwright.run}/x, {netwright.workspace}/y, '{netwright.home}', /home/adam, /mnt/home/ada, "
        "{netwright.home}/work.bak"
    )
    assert redactor.portable(text) == marked
    assert redactor.local(marked) == text


@given(st.lists(st.sampled_from(["/home/ada", "/work", "/outputs/1", " ", "x", ".", "'", "/", "\n"]), max_size=12))
def test_marks_are_undone(parts: list[str]) -> None:
    redactor = Redactor(places=PLACES)
    text = "".join(parts)
    assert redactor.local(redactor.portable(text)) == text


@given(st.text())
def test_concealing_twice_changes_nothing_more(text: str) -> None:
    once = Redactor().conceal(text)
    assert Redactor().conceal(once) == once


def test_half_letters_go() -> None:
    assert Redactor().conceal("a\ud800b") == "a?b"


def test_every_string_of_a_model_is_changed() -> None:
    request = Request(messages=(Message.user("a"),), json_schema={"title": "a", "enum": ["a", 1]})
    changed = map_strings(request, lambda text: text.replace("a", "b") if text != "user" else text)
    assert changed.messages[0].content == "b"
    assert changed.json_schema == {"title": "b", "enum": ["b", 1]}
