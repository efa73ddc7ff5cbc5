"""Explore: the slices and surfaces of a volume, linked."""

from mitoem.ui import address, filtering, modules
from mitoem.ui.viewer import viewer

at = address.here()
if at.view.filter and at.view.labels:
    filtering.note(at)
state = viewer(at.info, at.view, base=modules.base(), key=address.VIEWER)
if state is not None:
    seen = state.view(at.view)
    address.keep(seen, at.info)
    if seen.sel != at.view.sel:
        address.rerun()
