"""Records of the Python API that can be read by attribute and by key."""

from collections.abc import Iterator
from typing import Any

from netwright.result import Record


class SubscriptableRecord(Record):
    """An immutable record; `record["name"]` is `record.name`, so that it reads like the mapping it is written as."""

    def __getitem__(self, name: str) -> Any:
        if name not in type(self).model_fields:
            raise KeyError(name)
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in type(self).model_fields

    def keys(self) -> Iterator[str]:
        """The names of the fields."""
        return iter(type(self).model_fields)

    def get(self, name: str, default: Any = None) -> Any:
        """The field of that name, or `default`."""
        return getattr(self, name) if name in self else default
