"""Which lifecycle events are run by hand, and in which order."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from tidegate_cli.host.errors import UsageProblem
from tidegate_runner.order import EVENTS

__all__ = ["DEFAULT_ORDER", "check_order", "custom_events", "install_problem", "ordered_events", "parse_events"]

DEFAULT_ORDER = EVENTS
_BALANCERS = ("BlockTraffic", "AllowTraffic")  # the coordinator's own; on a host they do nothing
_OLD_REVISION = ("BeforeBlockTraffic", "AfterBlockTraffic", "ApplicationStop")
_ALLOW_TRAFFIC = ("BeforeAllowTraffic", "AfterAllowTraffic")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


def parse_events(option: str, text: str) -> list[str]:
    """Read a comma-separated list of event names.

    >>> parse_events("--events", "BeforeInstall, Install")
    ['BeforeInstall', 'Install']
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageProblem(option, name, "is no event's name", "Use letters, digits, '_', '.' and '-'")
        if names.count(name) > 1:
            raise UsageProblem(option, text, f"names {name} more than once", "Name each event once")
    return names


def ordered_events(asked_for: Sequence[str]) -> list[str]:
    """Give the events to run: as asked for, with DownloadBundle and Install put first where they are left out.

    Every deployment needs the two. Should Install then stand before DownloadBundle, they change places.

    >>> ordered_events(["ApplicationStart"])
    ['DownloadBundle', 'Install', 'ApplicationStart']
    >>> ordered_events(["ApplicationStop", "DownloadBundle"])
    ['DownloadBundle', 'ApplicationStop', 'Install']
    """
    if not asked_for:
        return list(DEFAULT_ORDER)
    events = [name for name in ("DownloadBundle", "Install") if name not in asked_for] + list(asked_for)
    download, install = events.index("DownloadBundle"), events.index("Install")
    if install < download:
        events[install], events[download] = "DownloadBundle", "Install"
    return events


def check_order(asked_for: Sequence[str], rolls_traffic_back: bool) -> None:
    """Refuse events that need this revision before the event that brings it.

    Parameters
    ----------
    asked_for : sequence of str
        The value of ``--events``.
    rolls_traffic_back : bool
        Whether it is the rollback of a blue/green deployment: there the events that let traffic in run the
        last installed revision's scripts while this one has not been downloaded.
    """
    early = (*_OLD_REVISION, *_BALANCERS, *(_ALLOW_TRAFFIC if rolls_traffic_back else ()))
    for mark, allowed in (("DownloadBundle", early), ("Install", (*early, "DownloadBundle", "BeforeInstall"))):
        if mark not in asked_for:
            continue
        before = asked_for[: asked_for.index(mark)]
        wrong = [name for name in before if name in (*DEFAULT_ORDER, *_BALANCERS) and name not in allowed]
        if wrong:
            shown = ", ".join(name for name in allowed if name not in _BALANCERS)
            raise UsageProblem(
                "--events",
                ",".join(asked_for),
                f"puts {', '.join(wrong)} before {mark}",
                f"The only events that can be specified before {mark} are {shown}",
            )


def custom_events(names: Sequence[str]) -> list[str]:
    """Give the events that CodeDeploy itself does not know."""
    return [name for name in names if name not in DEFAULT_ORDER and name not in _BALANCERS]


def install_problem(
    appspec_name: str, hooked: Collection[str], events: Sequence[str], possible: Sequence[str] | None
) -> str | None:
    """Say why Install has to fail for the event names of the AppSpec.

    Parameters
    ----------
    appspec_name : str
        The file's name, for the message.
    hooked : collection of str
        The events under ``hooks``.
    events : sequence of str
        What is going to be run.
    possible : sequence of str, optional
        The value of ``--all-possible-events``; None where it was not given and unknown names are ignored.

    >>> install_problem("appspec.yml", ["Warmup"], ["Warmup"], None)
    >>> install_problem("appspec.yml", ["Warmup"], [], ["BeforeInstall"])
    'The appspec.yml file contains unknown lifecycle events: Warmup. --all-possible-events names BeforeInstall.'
    """
    if possible is not None:
        wanted = [*hooked, *(name for name in custom_events(events) if name not in hooked)]
        unknown = [name for name in wanted if name not in possible]
        if unknown:
            return (
                f"The {appspec_name} file contains unknown lifecycle events: {', '.join(unknown)}. "
                f"--all-possible-events names {', '.join(possible) or 'none'}."
            )
    missing = [name for name in custom_events([*events, *(possible or ())]) if name not in hooked]
    if missing:
        return (
            f"You specified a lifecycle event which is not a default one and is not in the {appspec_name} file: "
            f"{', '.join(dict.fromkeys(missing))}."
        )
    return None
