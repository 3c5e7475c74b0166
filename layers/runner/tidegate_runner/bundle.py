"""The DownloadBundle event: from an order's bundle to an unpacked revision, all or nothing."""

import os
from typing import Callable

from tidegate_runner.errors import EventError
from tidegate_runner.fetch import download
from tidegate_runner.files import describe, make_folder, remove_tree, sync_folder, write_json
from tidegate_runner.order import Order
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.pointers import Pointers
from tidegate_runner.retention import remove_old_deployments
from tidegate_runner.tree import Limits, Tree, check_links
from tidegate_runner.unpack import unpack


def download_bundle(order: Order, host: HostPaths, warn: Callable[[str], None]) -> None:
    """Make the deployment's archive folder and keep its compiled AppSpec beside it.

    Raises
    ------
    EventError
        When the bundle cannot be had or is not usable; nothing of it is left then.
    """
    place = DeploymentPaths.of(host, order.group_id, order.deployment_id)
    pointers = Pointers(host, order.group_id)
    remove_old_deployments(host, order, pointers.last_successful(), warn)
    make_folder(place.real)
    partial = place.archive + ".partial"
    try:
        download(order.bundle, place.bundle)
        remove_tree(partial)
        _unpack(order, place.bundle, partial)
        remove_tree(place.archive)
        write_json(place.appspec, order.appspec)
        os.rename(content_folder(partial), place.archive)
        sync_folder(place.real)
    except OSError as error:
        raise EventError("The bundle could not be unpacked: %s." % describe(error)) from None
    finally:
        remove_tree(partial)
        if os.path.lexists(place.bundle):
            os.unlink(place.bundle)  # the unpacked form is what later events need; twice is a waste of disk
    pointers.set_most_recent(place)


def _unpack(order: Order, bundle: str, partial: str) -> None:
    limits = Limits(order.limits["maxMembers"], order.limits["maxUnpackedBytes"])
    unpack(bundle, order.bundle.get("type", ""), Tree(partial, limits), limits)
    check_links(content_folder(partial))


def content_folder(unpacked: str) -> str:
    """Give the folder that is the revision: a single top folder with an AppSpec in it is taken away."""
    entries = os.listdir(unpacked)
    if len(entries) != 1:
        return unpacked
    only = os.path.join(unpacked, entries[0])
    if os.path.islink(only) or not os.path.isdir(only):
        return unpacked
    return only if any("appspec" in name.lower() for name in os.listdir(only)) else unpacked
