"""Which member of a revision's archive is its AppSpec file."""

from collections.abc import Iterable

DEFAULT_NAME = "appspec.yml"
FALLBACK_NAMES = ("appspec.yml", "appspec.yaml")


def find_appspec(names: Iterable[str], asked_for: str | None = None) -> str | None:
    """Find the AppSpec file among an archive's members.

    Parameters
    ----------
    names : iterable of str
        Member names as the archive spells them; directories may or may not be listed or end in ``/``.
    asked_for : str, optional
        The name a deployment asks for; may have a sub-path. Default ``appspec.yml``.

    Returns
    -------
    str or None
        The member's name as given in `names`. Where the archive has a single top folder with an
        AppSpec in it, hosts unwrap that folder, so it is looked through in the same way here.
    """
    by_path: dict[str, str] = {}
    for name in names:
        path = _clean(name)
        if path:
            by_path[path] = name
    prefix = _unwrapped_folder(by_path)
    for wanted in (asked_for or DEFAULT_NAME, *FALLBACK_NAMES):
        member = by_path.get(prefix + _clean(wanted))
        if member is not None and not member.endswith("/"):
            return member
    return None


def _clean(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _unwrapped_folder(paths: Iterable[str]) -> str:
    """Name the folder that hosts take away (with its slash): the only top entry, holding ``*appspec*``."""
    tops: set[str] = set()
    holds_appspec = False
    for path in paths:
        parts = path.split("/")
        tops.add(parts[0])
        holds_appspec = holds_appspec or (len(parts) > 1 and "appspec" in parts[1].lower())
    if len(tops) == 1 and holds_appspec:
        return next(iter(tops)) + "/"
    return ""
