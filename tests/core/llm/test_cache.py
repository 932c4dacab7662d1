"""The cache on disk, also with several processes at once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright.llm import LlmConfig, Message
from netwright.llm.cache import AnswerCache
from netwright.llm.messages import Answer, Request
from netwright.llm.model import LanguageModel

REQUEST = Request(messages=(Message.user("How wide?"),))

HAMMER = """
import sys
from pathlib import Path
from netwright.llm.cache import AnswerCache
from netwright.llm.messages import Answer, Message, Request

cache = AnswerCache({"backend": "test"}, folder=Path(sys.argv[1]))
request = Request(messages=(Message.user("How wide?"),))
letter = sys.argv[2]
for _ in range(100):
    cache.put(request, 1, Answer(text=letter * 200_000, model="m"))
    kept = cache.get(request, 1)
    assert kept is not None
    assert set(kept.text) in ({"a"}, {"b"}) and len(kept.text) == 200_000
"""

SECOND = """
import sys
from pathlib import Path
from netwright.llm import LlmConfig, Message, create_model

config = LlmConfig(backend="litellm", model="openai/x", api_base=sys.argv[1])
print(create_model(config).complete([Message.user("How wide?")]).text)
sys.exit("litellm" in sys.modules)
"""


def test_two_processes_write_and_read_whole_answers(tmp_path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", HAMMER, str(tmp_path), letter]) for letter in "ab"]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert not list(tmp_path.rglob("*.part"))


def test_another_process_finds_the_answer_and_needs_no_litellm(
    server: Any, model: Callable[..., LanguageModel], project: Path
) -> None:
    server.says("eight")
    model().complete([Message.user("How wide?")])
    done = subprocess.run(
        [sys.executable, "-c", SECOND, server.address], cwd=project, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[-1]) == (0, "eight"), done.stderr
    assert len(server.requests) == 1


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"answer": {"text": 1}}'])
def test_a_damaged_file_is_no_answer(tmp_path: Path, damage: str) -> None:
    cache = AnswerCache({}, folder=tmp_path)
    cache.put(REQUEST, 1, Answer(text="eight", model="m"))
    (file,) = tmp_path.rglob("*.json")
    file.write_text(damage)
    assert cache.get(REQUEST, 1) is None


def test_off_and_refresh_do_not_read_and_off_does_not_write(tmp_path: Path) -> None:
    AnswerCache({}, mode="off", folder=tmp_path).put(REQUEST, 1, Answer(text="eight", model="m"))
    assert not list(tmp_path.iterdir())
    refreshing = AnswerCache({}, mode="refresh", folder=tmp_path)
    refreshing.put(REQUEST, 1, Answer(text="nine", model="m"))
    assert refreshing.get(REQUEST, 1) is None
    kept = AnswerCache({}, folder=tmp_path).get(REQUEST, 1)
    assert kept is not None
    assert kept.text == "nine"


def test_a_switch_that_yaml_read_as_a_truth_value_is_understood() -> None:
    assert LlmConfig.model_validate({"cache": False}).cache == "off"
    assert LlmConfig.model_validate({"cache": True}).cache == "on"
