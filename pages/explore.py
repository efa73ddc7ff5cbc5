"""Explore: the slices and surfaces of a volume, linked."""

import streamlit as st

from mitoem.ui import address, filtering
from mitoem.ui.viewer import viewer

at = address.here()
if at.view.filter and at.view.labels:
    filtering.note(at)
base = (st.get_option("server.baseUrlPath") or "").strip("/")
state = viewer(at.info, at.view, base=f"/{base}" if base else "", key=address.VIEWER)
if state is not None:
    seen = state.view(at.view)
    address.keep(seen, at.info)
    if seen.sel != at.view.sel:
        address.rerun()
