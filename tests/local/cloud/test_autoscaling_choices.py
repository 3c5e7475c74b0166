"""Which zone is launched in, and which instance goes first: no cloud is needed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tidegate_local.autoscaling.lifecycle import Member, emptiest_zone, next_to_leave, pool_size


def members(*rows: str) -> dict[str, Member]:
    """Instances by name, the oldest first, from rows such as ``a1 us-a InService``."""
    made = {}
    for row in rows:
        name, zone, state, *more = row.split()
        instance = SimpleNamespace(id=name, instance_type="t3.micro", placement=SimpleNamespace(zone=zone))
        made[name] = Member(
            instance,
            SimpleNamespace(name="g"),
            None,
            None,
            lifecycle_state=state,
            protected_from_scale_in="protected" in more,
        )
    return made


def gone(number: int, *rows: str, policies: tuple[str, ...] = ("Default",)) -> list[str]:
    return [each.instance_id for each in next_to_leave(list(members(*rows).values()), policies, number)]


def test_the_emptiest_zone_does_not_count_what_leaves() -> None:
    here = members("a1 a InService", "b1 b InService", "b2 b Terminating:Wait", "c1 c InService", "c2 c Pending:Wait")
    assert emptiest_zone(["c", "b", "a"], here.values()) == "b"
    assert emptiest_zone(["a", "b", "c"], here.values()) == "a"


def test_scale_in_takes_the_oldest_of_the_fullest_zone_each_time() -> None:
    fleet = ("a1 a InService", "b1 b InService", "a2 a InService", "a3 a InService", "b2 b InService")
    assert gone(3, *fleet) == ["a1", "b1", "a2"]
    assert gone(2, *fleet, policies=("NewestInstance",))[0] == "a3"


def test_what_starts_goes_last_and_what_is_protected_stays() -> None:
    assert gone(1, "a1 a Pending:Wait", "a2 a InService") == ["a2"]
    assert gone(2, "a1 a Pending:Wait", "a2 a InService") == ["a2", "a1"]
    assert gone(3, "a1 a InService protected", "a2 a InService") == ["a2"]


@pytest.mark.parametrize(
    ("state", "counts", "leaving"),
    [
        ("Pending", True, False),
        ("Pending:Wait", True, False),
        ("Pending:Proceed", True, False),
        ("InService", True, False),
        ("Standby", False, False),
        ("Terminating", False, True),
        ("Terminating:Wait", False, True),
        ("Detached", False, True),
    ],
)
def test_what_counts_against_the_desired_capacity(state: str, counts: bool, leaving: bool) -> None:
    (member,) = members(f"a1 a {state}").values()
    assert (member.counts, member.leaving) == (counts, leaving)
    member.warm = True
    assert not member.counts


@pytest.mark.parametrize(
    ("smallest", "prepared", "largest", "desired", "size"),
    [(0, None, 10, 4, 6), (0, -1, 10, 4, 6), (3, None, 4, 4, 3), (0, 6, 10, 4, 2), (0, 2, 10, 4, 0)],
)
def test_the_size_of_a_pool(smallest: int, prepared: int | None, largest: int, desired: int, size: int) -> None:
    assert pool_size(smallest, prepared, largest, desired) == size
