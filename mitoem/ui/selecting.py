"""The selected instances, as the address holds them; for the callbacks of widgets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mitoem.ui import address
from mitoem.view.wishes import MAX_SELECTED


def now() -> list[int]:
    """Ids that are selected, in the order in which they were."""
    return [int(one) for one in address.word("sel", "").split(",") if one.isdigit()]


def take(ids: Iterable[int]) -> None:
    """Select these and no others; as many of them as an address holds."""
    chosen = list(dict.fromkeys(ids))[:MAX_SELECTED]
    address.change(sel=",".join(map(str, chosen)) or None)


def press(instance_id: int, *, add: bool) -> None:
    """Select one alone; with ``add``, one more, or one less when it is selected already."""
    if not add:
        take([instance_id])
        return
    others = [one for one in now() if one != instance_id]
    take(others if len(others) < len(now()) else [*others, instance_id])


def step(order: Sequence[int], by: int, *, first: int = 0) -> int | None:
    """Select the one ``by`` places on in an order, which is a ring; returns its id.

    ``first``: the place to begin at where nothing of the order is selected.
    """
    if not order:
        return None
    places = {one: place for place, one in enumerate(order)}
    chosen = [places[one] for one in now() if one in places]
    last = (chosen[-1] if by > 0 else chosen[0]) if chosen else first - (by > 0)
    found = order[(last + by) % len(order)]
    take([found])
    return found
