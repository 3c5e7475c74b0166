"""CloudFormation's intrinsic functions, parameters and conditions.

Follows "Intrinsic function reference" and "Parameters" of the CloudFormation user guide. Pure: what resources are worth
is asked through two functions given.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from tidegate_local.template import TemplateError

_NO_VALUE = object()


def parameter_values(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Give every parameter's value: given, else the default.

    Raises
    ------
    TemplateError
        For a name the template does not have, a value missing or not allowed.
    """
    declared: Mapping[str, Any] = template.get("Parameters", {})
    for name in given:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise TemplateError(f"the template has no parameter {name}; it has: {known}")
    values: dict[str, Any] = {}
    for name, spec in declared.items():
        if name not in given and "Default" not in spec:
            raise TemplateError(f"the parameter {name} has no default: give its value")
        values[name] = _checked(name, spec, str(given.get(name, spec.get("Default"))))
    return values


def _checked(name: str, spec: Mapping[str, Any], value: str) -> Any:
    kind = spec.get("Type", "String")
    allowed = [str(a) for a in spec.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise TemplateError(f"the parameter {name} is {value!r}: give one of {', '.join(allowed)}")
    if "AllowedPattern" in spec and not re.fullmatch(spec["AllowedPattern"], value):
        raise TemplateError(f"the parameter {name} is {value!r}: it must match {spec['AllowedPattern']}")
    if kind == "Number":
        try:
            number = float(value)
        except ValueError:
            raise TemplateError(f"the parameter {name} is {value!r}: give a number") from None
        if number < float(spec.get("MinValue", number)) or number > float(spec.get("MaxValue", number)):
            bounds = f"{spec.get('MinValue', '')} to {spec.get('MaxValue', '')}"
            raise TemplateError(f"the parameter {name} is {value}: give a number from {bounds}")
    if kind.startswith("List<") or kind == "CommaDelimitedList":
        return [part.strip() for part in value.split(",")] if value else []
    return value


class Resolver:
    """Works out values of a template.

    Parameters
    ----------
    template
        The expanded template.
    values
        Values of parameters and pseudo parameters (``AWS::Region`` and so on).
    reference
        Gives what ``Ref`` of a resource is worth.
    attribute
        Gives what ``Fn::GetAtt`` of a resource and an attribute is worth.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        values: Mapping[str, Any],
        reference: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
    ) -> None:
        self._template = template
        self._values = values
        self._reference = reference
        self._attribute = attribute
        self._functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.condition,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::If": self._if,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Base64": lambda v: base64.b64encode(self.resolve(v).encode()).decode(),
            "Fn::Equals": lambda v: str(self.resolve(v[0])) == str(self.resolve(v[1])),
            "Fn::Not": lambda v: not self.resolve(v[0]),
            "Fn::And": lambda v: all(self.resolve(part) for part in v),
            "Fn::Or": lambda v: any(self.resolve(part) for part in v),
        }

    def condition(self, name: str) -> bool:
        """Tell whether a condition of the template holds."""
        conditions = self._template.get("Conditions", {})
        if name not in conditions:
            raise TemplateError(f"the template has no condition {name}")
        return bool(self.resolve(conditions[name]))

    def resolve(self, value: Any) -> Any:
        """Work out a value; members worth ``AWS::NoValue`` are left out."""
        result = self._resolve(value)
        return None if result is _NO_VALUE else result

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [r for r in map(self._resolve, value) if r is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            # "Condition" is also a member of policy statements, where it holds a mapping.
            if name in self._functions and (name != "Condition" or isinstance(argument, str)):
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise TemplateError(f"the function {name} is not known here: use {', '.join(self._functions)}")
        resolved = {name: self._resolve(member) for name, member in value.items()}
        return {name: member for name, member in resolved.items() if member is not _NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        return self._values[name] if name in self._values else self._reference(name)

    def _get_att(self, argument: Any) -> Any:
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        return self._attribute(logical_id, self.resolve(attribute))

    def _sub(self, argument: Any) -> str:
        text, extra = (argument, {}) if isinstance(argument, str) else argument
        names = {name: self.resolve(value) for name, value in extra.items()}

        def value_of(match: re.Match[str]) -> str:
            name = match.group(1).strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in names:
                return str(names[name])
            return str(self._get_att(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]*)\}", value_of, text)

    def _join(self, argument: Any) -> str:
        return str(argument[0]).join(str(part) for part in self.resolve(argument[1]))

    def _if(self, argument: Any) -> Any:
        return self._resolve(argument[1] if self.condition(argument[0]) else argument[2])

    def _select(self, argument: Any) -> Any:
        return self.resolve(argument[1])[int(self.resolve(argument[0]))]

    def _split(self, argument: Any) -> list[str]:
        return str(self.resolve(argument[1])).split(argument[0])

    def _find_in_map(self, argument: Any) -> Any:
        first, second, third = (self.resolve(part) for part in argument)
        return self._template["Mappings"][first][second][third]
