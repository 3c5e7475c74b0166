"""DynamoDB's expression language, made from the table port's values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidegate.store.table import (
    Absent,
    All,
    AnyOf,
    AttributeAbsent,
    Condition,
    Equals,
    OneOf,
    Present,
    Update,
)


class Expression:
    """Collects the placeholders of one request while its texts are made.

    Parameters
    ----------
    marshal
        Turns a plain value into DynamoDB's typed form.
    """

    def __init__(self, marshal: Callable[[Any], Any]) -> None:
        self._marshal = marshal
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def name(self, attr: str) -> str:
        """Placeholder of an attribute: always one, so reserved words need no list."""
        return self._names.setdefault(attr, f"#n{len(self._names)}")

    def value(self, value: Any) -> str:
        """Placeholder of a value."""
        holder = f":v{len(self._values)}"
        self._values[holder] = self._marshal(value)
        return holder

    def attributes(self) -> dict[str, Any]:
        """Members of the request that explain the placeholders; none where none were used."""
        found: dict[str, Any] = {}
        if self._names:
            found["ExpressionAttributeNames"] = {holder: attr for attr, holder in self._names.items()}
        if self._values:
            found["ExpressionAttributeValues"] = self._values
        return found

    def condition(self, condition: Condition) -> str:
        """Text of a condition."""
        match condition:
            case Absent():
                return f"attribute_not_exists({self.name('PK')})"
            case Present():
                return f"attribute_exists({self.name('PK')})"
            case Equals(attr, value):
                return f"{self.name(attr)} = {self.value(value)}"
            case OneOf(attr, values):
                return f"{self.name(attr)} IN ({', '.join(self.value(each) for each in values)})"
            case AttributeAbsent(attr):
                return f"attribute_not_exists({self.name(attr)})"
            case All(conditions=conditions):
                return "(" + " AND ".join(self.condition(each) for each in conditions) + ")"
            case AnyOf(conditions=conditions):
                return "(" + " OR ".join(self.condition(each) for each in conditions) + ")"

    def update(self, update: Update) -> str:
        """Text of an update."""
        sets = [f"{self.name(attr)} = {self.value(value)}" for attr, value in update.set.items()]
        sets += [
            f"{self.name(attr)} = if_not_exists({self.name(attr)}, {self.value(value)})"
            for attr, value in update.set_if_absent.items()
        ]
        adds = [f"{self.name(attr)} {self.value(value)}" for attr, value in update.add.items()]
        adds += [f"{self.name(attr)} {self.value(set(value))}" for attr, value in update.add_to_set.items()]
        deletes = [f"{self.name(attr)} {self.value(set(v))}" for attr, v in update.remove_from_set.items()]
        removes = [self.name(attr) for attr in update.remove]
        clauses = {"SET": sets, "ADD": adds, "DELETE": deletes, "REMOVE": removes}
        return " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts)
