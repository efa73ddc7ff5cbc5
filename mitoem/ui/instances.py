"""Instances as rows: the card of the selection, the filter, the table, the downloads."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mitoem.errors import TableMissing
from mitoem.ui import cache
from mitoem.ui.address import Here


def card(at: Here) -> None:
    """Measurements of the selected instances, and how they lie among the complete ones."""
    if not at.view.sel or not at.view.labels:
        return
    try:
        table = cache.table(at.volume, at.view.labels)
    except TableMissing as missing:
        st.caption(f"{missing}: open Instances to measure them.")
        return
    chosen = table[table["instance_id"].isin(at.view.sel)]
    complete = table.loc[~table["touches_border"], "volume_um3"]
    share = [(complete < volume).mean() for volume in chosen["volume_um3"]]
    shown = pd.DataFrame(
        {
            "id": chosen["instance_id"],
            "volume (µm³)": chosen["volume_um3"].round(4),
            "larger than": [f"{one:.0%} of complete" for one in share],
            "surface (µm²)": chosen["surface_area_um2"].round(3),
            "sphericity": chosen["sphericity"].round(3),
            "elongation": chosen["elongation"].round(2),
            "object": ["cut" if cut else "complete" for cut in chosen["touches_border"]],
            "split": chosen["split"],
            "size": chosen["size_class"],
        }
    )
    st.dataframe(shown, hide_index=True)
