"""Configs with parts: which part of a composite config speaks for a module, and what it says."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from netwright_predictor.population.aliases import ALIASES, ROLE_KEYS, ROLES, attribute_map

Config = Mapping[str, Any]

TEXT_PARTS = (
    "text_config",
    "llm_config",
    "language_config",
    "language_model_config",
    "thinker_config",
    "decoder",
    "decoder_config",
    "generator",
    "text_encoder",
)
"""Parts that hold the language model, as transformers' `get_text_config` looks for it."""
NAMED_PARTS = frozenset({"encoder", "decoder", "generator", "question_encoder", "text_encoder", "audio_encoder"})
"""Parts whose key does not end with "_config"."""
EXTENSIONS = frozenset({"attn_config", "attention_config", "ffn_config", "moe_config", "ssm_config"})
"""Groups of settings that belong to the config that holds them."""
NO_PARTS = frozenset({"quantization_config", "generation_config"})
SYNONYMS = {
    "language": "text",
    "llm": "text",
    "lm": "text",
    "visual": "vision",
    "image": "vision",
    "speech": "audio",
}
"""Words in paths and classes, and the part that they mean."""
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+")


@dataclass(frozen=True)
class Hit:
    """A value and the key path where it stands."""

    value: Any
    source: str


@dataclass(frozen=True)
class ConfigView:
    """The parts of a config that speak for one module.

    Attributes:
        ordered: Parts with their key paths, the one that governs first.
        others: The remaining parts: heard only where they agree.
        role: "encoder" or "decoder" where path or class say it.
    """

    ordered: tuple[tuple[str, Config], ...]
    others: tuple[tuple[str, Config], ...] = ()
    role: str = ""

    def exact(self, key: str) -> Hit | None:
        """What stands under this very key; null is absent."""
        for prefix, part in self.ordered:
            if part.get(key) is not None:
                return Hit(part[key], prefix + key)
        return None

    def find(self, parameter: str) -> list[Hit]:
        """What the config says of a parameter: nothing, one value, or several that differ."""
        for prefix, part in self.ordered:
            hits = _hits(part, parameter, prefix, self.role)
            if hits:
                return hits
        return _distinct(hit for prefix, part in self.others for hit in _hits(part, parameter, prefix, self.role))

    def keys_for(self, parameter: str) -> list[str]:
        """The keys that `find` looks for, for messages."""
        return list(dict.fromkeys(key for _, part in self.ordered for key in _keys(part, parameter, self.role)))

    @property
    def places(self) -> list[str]:
        """Where `find` looks, for messages."""
        return [prefix.rstrip(".") or "config" for prefix, _ in (*self.ordered, *self.others)]


def view_config(config: Config, module_class: str = "", path: str = "") -> ConfigView:
    """The parts that speak for a module, found by words in its path and its class, or by its model's type.

    Where neither says anything, the config itself comes first, then its text part.

    Args:
        path: Where the module stands in the model; "" where that is not known.
    """
    words = [*words_of(path), *words_of(module_class.rpartition(".")[2])]
    folder = _model_folder(module_class)
    ordered, others = _order(config, words, folder, "")
    role = next((word for word in words if word in ROLES), "")
    return ConfigView(tuple(ordered), tuple(others), role)


def has_parts(config: Config) -> bool:
    """Whether different parts of the config could speak for a module."""
    return any(_parts(config))


def _order(
    config: Config, words: list[str], folder: str, prefix: str
) -> tuple[list[tuple[str, Config]], list[tuple[str, Config]]]:
    own = [(prefix, config)]
    own += [
        (f"{prefix}{key}.", part) for key, part in config.items() if key in EXTENSIONS and isinstance(part, Mapping)
    ]
    parts = dict(_parts(config))
    if not parts:
        return own, []
    chosen = _by_words(parts, words) or _by_model(parts, config, folder)
    if chosen is not None:
        inner, _ = _order(parts[chosen], words, folder, f"{prefix}{chosen}.")
        return [*inner, *own], []
    text = next((key for key in TEXT_PARTS if key in parts), None)
    inner, more = _order(parts[text], words, folder, f"{prefix}{text}.") if text is not None else ([], [])
    others = [(f"{prefix}{key}.", part) for key, part in parts.items() if key != text]
    return [*own, *inner], [*more, *others]


def _parts(config: Config) -> Iterator[tuple[str, Config]]:
    for key, value in config.items():
        named = isinstance(key, str) and (key.endswith("_config") or key in NAMED_PARTS)
        if named and isinstance(value, Mapping) and value and key not in EXTENSIONS and key not in NO_PARTS:
            yield key, value


def _by_words(parts: Mapping[str, Config], words: list[str]) -> str | None:
    for word in words:
        meant = SYNONYMS.get(word, word)
        named = [key for key in parts if meant in (SYNONYMS.get(stem, stem) for stem in words_of(key))]
        if len(named) == 1:
            return named[0]
    return None


def _by_model(parts: Mapping[str, Config], config: Config, folder: str) -> str | None:
    """The only part whose type is the one that the class belongs to, unless the whole is of that type, too."""
    if not folder or _is_of_model(config, folder):
        return None
    named = [key for key, part in parts.items() if _is_of_model(part, folder)]
    return named[0] if len(named) == 1 else None


def _is_of_model(config: Config, folder: str) -> bool:
    model_type = str(config.get("model_type") or "").replace("-", "_")
    return model_type == folder or model_type.startswith(f"{folder}_")


def _model_folder(module_class: str) -> str:
    segments = module_class.split(".")
    return segments[2] if segments[:2] == ["transformers", "models"] and len(segments) > 3 else ""


@lru_cache(maxsize=4096)
def words_of(text: str) -> tuple[str, ...]:
    """The words in a path or the name of a class, in their order; numbers are none."""
    return tuple(word.lower() for word in WORD.findall(text) if word != "config")


def _hits(part: Config, parameter: str, prefix: str, role: str) -> list[Hit]:
    """What one part says: under the name itself, else under the first of its other names that is there."""
    if part.get(parameter) is not None:
        return [Hit(part[parameter], prefix + parameter)]
    halves = [key for form in ROLE_KEYS.get(parameter, ()) for key in map(form.format, ROLES) if _is_set(part, key)]
    if role:
        of_role = next((key for key in halves if role in key), None)
        if of_role is not None:
            return [Hit(part[of_role], prefix + of_role)]
    plain = [key for key in ALIASES.get(parameter, ()) if _is_set(part, key)]
    if not halves and len(plain) == 1:
        return [Hit(part[plain[0]], prefix + plain[0])]
    mapped = attribute_map(str(part["model_type"])).get(parameter) if part.get("model_type") else None
    if mapped is not None and mapped not in halves and part.get(mapped) is not None:
        return [Hit(part[mapped], prefix + mapped)]
    if plain:
        return [Hit(part[plain[0]], prefix + plain[0])]
    return _distinct(Hit(part[key], prefix + key) for key in halves)


def _is_set(part: Config, key: str) -> bool:
    return part.get(key) is not None


def _keys(part: Config, parameter: str, role: str) -> list[str]:
    halves = [form.format(half) for form in ROLE_KEYS.get(parameter, ()) for half in ([role] if role else ROLES)]
    return [parameter, *(key for key in (*ALIASES.get(parameter, ()), *halves) if key in part)]


def _distinct(hits: Iterator[Hit]) -> list[Hit]:
    """Of hits with equal values, the first."""
    return list({repr(hit.value): hit for hit in reversed(list(hits))}.values())[::-1]
