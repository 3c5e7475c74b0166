"""What is wrong with an AppSpec file, said so that its author can mend it."""

from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST_FOUND = 120


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in an AppSpec file.

    ``message`` begins with the fragment the CodeDeploy agent uses for the same mistake, so that
    tools which look for that fragment keep working.
    """

    message: str
    path: str
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        found = self.found if len(self.found) <= _LONGEST_FOUND else self.found[:_LONGEST_FOUND] + "..."
        return f"{self.message}. At {self.path}: found {found}, expected {self.expected}. {self.remedy}."


class AppSpecError(ValueError):
    """An AppSpec file cannot be used.

    Attributes
    ----------
    problems : tuple of Problem
        All that was found, in the order in which the agent checks (it reports the first only).
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
