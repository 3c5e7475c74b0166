"""Pages and the opaque tokens between them.

A token holds where to go on and for which question: used with another question it is refused. It carries no rights:
what it says is checked against the query it is used in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.store.table import Cursor, Item, Page, cursor_of

PAGE_SIZE: Final = 100
#: How many items a filter looks at in one call: where it lets little through, the page is short and has a token.
LOOKED_AT: Final = 1000


class Paging:
    """Paging of one call.

    Parameters
    ----------
    operation, given
        The operation and its input, ``nextToken`` among it.
    """

    def __init__(self, operation: str, given: Mapping[str, Any]) -> None:
        question = {name: value for name, value in given.items() if name != "nextToken"}
        text = json.dumps([operation, question], sort_keys=True)
        self._scope = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._given: str | None = given.get("nextToken")

    @property
    def start(self) -> Any:
        """The position that the caller's token holds; ``None`` at the beginning."""
        if self._given is None:
            return None
        try:
            scope, position = json.loads(base64.urlsafe_b64decode(self._given.encode()))
        except (ValueError, TypeError, binascii.Error):
            scope, position = None, None
        if scope != self._scope or position is None:
            message = "'nextToken' is not one that this operation returned for this input; start without it."
            raise ApiError("InvalidNextTokenException", message)
        return position

    @property
    def cursor(self) -> Cursor | None:
        """The position, where it is one of the table's."""
        start = self.start
        return start if start is None or isinstance(start, dict) else {}

    def token(self, position: Any) -> dict[str, str]:
        """The output member for a position; none where there is nothing more."""
        if position is None:
            return {}
        text = json.dumps([self._scope, position], separators=(",", ":"))
        return {"nextToken": base64.urlsafe_b64encode(text.encode()).decode()}

    def of_rows(self, rows: list[Item], *, key: Callable[[Item], str]) -> tuple[list[Item], dict[str, str]]:
        """The page of rows that are all at hand, in their order, and its token.

        Parameters
        ----------
        key
            Names a row; a page goes on behind the row that the token names.
        """
        first, start = 0, self.start
        if start is not None:
            keys = [key(row) for row in rows]
            if start not in keys:
                message = "What 'nextToken' goes on behind was deleted meanwhile; start without it."
                raise ApiError("InvalidNextTokenException", message)
            first = keys.index(start) + 1
        page = rows[first : first + PAGE_SIZE]
        more = first + PAGE_SIZE < len(rows)
        return page, self.token(key(page[-1]) if more else None)


def take(
    read: Callable[[Cursor | None], Page],
    start: Cursor | None,
    *,
    index: str | None = None,
    keep: Callable[[Item], bool] | None = None,
) -> tuple[list[Item], Cursor | None]:
    """A page of the items that ``keep`` lets through (``None``: all), and where to go on (``None`` at the end).

    The table is read once, whatever it holds.

    Parameters
    ----------
    read
        Reads on from a position: ``PAGE_SIZE + 1`` items, or ``LOOKED_AT`` where ``keep`` may leave some out.
    index
        Index that is read.
    """
    page = read(start)
    items = [item for item in page.items if keep is None or keep(item)]
    if len(items) > PAGE_SIZE:
        return items[:PAGE_SIZE], cursor_of(items[PAGE_SIZE - 1], index)
    return items, page.next
