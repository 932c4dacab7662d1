"""The cache: answers on disk, by everything that determines them."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from netwright.files import cache_folder, content_key, write_json
from netwright.llm.messages import Answer, Request

FORMAT = 1
"""Goes up when what is asked for changes though the request does not."""
Mode = Literal["on", "off", "refresh"]


class AnswerCache:
    """Answers by request; any number of processes may use one folder at once, for each file is written whole.

    Args:
        identity: All that determines an answer beside the request: the model, its address, how it is sampled.
        folder: Where the answers lie; netwright's cache by default.
    """

    def __init__(self, identity: dict[str, Any], *, mode: Mode = "on", folder: Path | None = None) -> None:
        self.identity = identity
        self.mode = mode
        self.folder = folder or cache_folder("llm")

    def get(self, request: Request, occurrence: int) -> Answer | None:
        """The answer that is kept for the `occurrence`-th time that a run puts this request; None for none.

        A request that is put again gets an answer of its own, as it would without a cache.
        """
        if self.mode != "on":
            return None
        try:
            kept = json.loads(self._path(request, occurrence).read_text(encoding="utf-8"))
            return Answer.model_validate(kept["answer"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):  # none, or damaged
            return None

    def put(self, request: Request, occurrence: int, answer: Answer) -> None:
        """Keep an answer; raises as `netwright.files.replace_file`."""
        if self.mode != "off":
            answered = answer.model_dump(mode="json", exclude={"usage"})
            write_json(self._path(request, occurrence), {"identity": self.identity, "answer": answered})

    def _path(self, request: Request, occurrence: int) -> Path:
        key = content_key(FORMAT, self.identity, request.model_dump(mode="json"), occurrence)
        return self.folder / key[:2] / f"{key}.json"
