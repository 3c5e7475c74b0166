"""The table in memory under many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tidegate.store.errors import ConditionFailedError
from tidegate.store.memory import MemoryTable
from tidegate.store.table import Absent, AttributeAbsent, Put, Update


def test_one_of_many_rivals_gets_the_lock() -> None:
    table = MemoryTable()

    def rival(number: int) -> bool:
        try:
            lock = Update(("APP", "GROUP"), set={"live": number}, condition=AttributeAbsent("live"))
            table.write(Put({"PK": f"DEP#{number}", "SK": "DEP"}, Absent()), lock)
        except ConditionFailedError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(rival, range(200)))
    assert won.count(True) == 1
    assert sum(table.get((f"DEP#{number}", "DEP")) is not None for number in range(200)) == 1


def test_no_count_is_lost() -> None:
    table = MemoryTable()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: table.update_returning(Update(("A", "B"), add={"n": 1})), range(500)))
    assert table.get(("A", "B")) == {"PK": "A", "SK": "B", "n": 500}
