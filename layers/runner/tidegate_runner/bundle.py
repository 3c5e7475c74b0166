"""The DownloadBundle event: from an order's bundle to an unpacked revision, all or nothing."""

import errno
import os
from typing import Any, Callable, Dict, Optional

from tidegate_runner.errors import EventError
from tidegate_runner.files import describe, make_folder, remove_tree, write_json
from tidegate_runner.order import Order
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.pointers import Pointers
from tidegate_runner.retention import remove_old_deployments
from tidegate_runner.space import FULL
from tidegate_runner.system import IS_WINDOWS, replace, sync_folder
from tidegate_runner.tree import Limits, Tree, check_links
from tidegate_runner.unpack import unpack

_DEFAULT_RATIO = 2000  # twice what deflate can do; only bzip2, xz and overlapping members can do more
_SMALL_BY_DEFAULT = 64 * 1024 * 1024
_SMALL = 1024 * 1024


def download_bundle(order: Order, host: HostPaths, warn: Callable[[str], None]) -> None:
    """Make the deployment's archive folder and keep its compiled AppSpec beside it.

    Raises
    ------
    EventError
        When the bundle cannot be had or is not usable; nothing of it is left then.
    """
    place = DeploymentPaths.of(host, order.group_id, order.deployment_id)
    pointers = Pointers(host, order.group_id)
    source = _restarted(order, host, pointers, warn)
    remove_old_deployments(host, order, pointers.last_successful(), warn)
    partial = place.archive + ".partial"
    try:
        make_folder(place.real)
        remove_tree(partial)
        if source is not None:
            copy_folder(source.archive, partial, keep_times=True)
        else:
            _fetch(order, place)
            unpack_into(order, place.bundle, partial)
        remove_tree(place.archive)
        write_json(place.appspec, order.appspec)
        replace(content_folder(partial) if _is_archive(order) else partial, place.archive)
        sync_folder(place.real)
    except OSError as error:
        full = FULL + " " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise EventError("%sThe bundle could not be unpacked: %s." % (full, describe(error))) from None
    finally:
        remove_tree(partial)
        if not order.by_hand and os.path.lexists(place.bundle):
            os.unlink(place.bundle)  # the unpacked form is what later events need; twice is a waste of disk
    pointers.set_most_recent(place)


def unpack_into(order: Order, bundle: str, folder: str) -> None:
    """Unpack an order's bundle, or copy it where it is a directory, into a folder that is not there yet.

    Raises
    ------
    EventError, OSError
    """
    kind = order.bundle.get("type", "")
    if kind == "directory" and order.by_hand:
        copy_folder(bundle, folder, keep_times=False)
        return
    limits = Limits(
        order.limits["maxMembers"],
        order.limits["maxUnpackedBytes"],
        _size_by_ratio(os.path.getsize(bundle), order.limits["maxRatio"]),
    )
    tree = _tree(folder, limits)
    unpack(bundle, kind, tree, limits)
    if tree.has_links:
        check_links(content_folder(folder))


def _tree(folder: str, limits: Limits) -> Tree:
    if not IS_WINDOWS:
        return Tree(folder, limits)
    from tidegate_runner.windows_files import WindowsTree

    return WindowsTree(folder, limits)


def _size_by_ratio(packed: int, ratio: int) -> int:
    """Give what a bundle may unpack to for its packed size's sake; small ones may be as empty as they like."""
    if ratio:
        return max(packed * ratio, _SMALL)
    return max(packed * _DEFAULT_RATIO, _SMALL_BY_DEFAULT)


def check_etag(order: Order) -> None:
    """Compare what the store reported with what the revision names; quotes do not count.

    Raises
    ------
    EventError
    """
    expected = (order.revision.get("s3Location") or {}).get("eTag")
    actual = order.bundle.get("objectEtag")
    if expected and actual and str(expected).replace('"', "") != str(actual).replace('"', ""):
        raise EventError("Expected deployment artifact bundle etag %s but was actually %s" % (expected, actual))


def content_folder(unpacked: str) -> str:
    """Give the folder that is the revision: a single top folder with an AppSpec in it is taken away."""
    entries = os.listdir(unpacked)
    if len(entries) != 1:
        return unpacked
    only = os.path.join(unpacked, entries[0])
    if os.path.islink(only) or not os.path.isdir(only):
        return unpacked
    return only if any("appspec" in name.lower() for name in os.listdir(only)) else unpacked


def copy_folder(source: str, target: str, keep_times: bool) -> None:
    """Copy a folder with all it holds; links stay links. What is neither file, folder nor link is refused."""
    import shutil

    if not os.path.isdir(source):
        raise EventError("There is no directory %s to deploy." % source)

    def copied(one: str, other: str) -> str:
        if not os.path.isfile(one):
            raise EventError("The bundle holds a device or pipe: %r." % os.path.relpath(one, source))
        copy = shutil.copy2 if keep_times else shutil.copy
        return str(copy(one, other, follow_symlinks=False))

    try:
        shutil.copytree(source, target, symlinks=True, copy_function=copied)
    except shutil.Error as error:
        first = error.args[0][0]
        raise EventError("The bundle could not be copied: %s: %s." % (first[0], first[2])) from None


def _is_archive(order: Order) -> bool:
    return not (order.by_hand and order.bundle.get("type") == "directory")


def _restarted(
    order: Order, host: HostPaths, pointers: Pointers, warn: Callable[[str], None]
) -> Optional[DeploymentPaths]:
    """Give the deployment whose unpacked revision a restart takes again; ``None``: download."""
    if not order.is_restart:
        return None
    if order.restart_of:
        place: Optional[DeploymentPaths] = DeploymentPaths.of(host, order.group_id, order.restart_of)
    else:
        place = pointers.last_successful()
    if place is not None and os.path.isdir(place.archive):
        return place
    whose = "of deployment " + place.deployment_id if place else "installed last"
    if not order.bundle.get("url"):
        raise EventError(
            "Nothing to restart: the revision %s is not on this host, and the order names no bundle. Deploy it." % whose
        )
    warn("The revision %s is not on this host; it is downloaded." % whose)
    return None


def _fetch(order: Order, place: DeploymentPaths) -> None:
    check_etag(order)
    if order.by_hand:
        _lend(order.bundle, place)
        return
    from tidegate_runner.fetch import download

    download(order.bundle, place.bundle)


def _lend(bundle: Dict[str, Any], place: DeploymentPaths) -> None:
    """Leave a link to a local bundle where a downloaded one would be."""
    if not os.path.exists(bundle["path"]):
        raise EventError("There is no bundle %s." % bundle["path"])
    if os.path.lexists(place.bundle):
        os.unlink(place.bundle)
    os.symlink(bundle["path"], place.bundle)
