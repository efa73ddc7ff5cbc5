"""Help: keys, columns, metrics, filters, serving, versions, licences, citation."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from mitoem.ui import facts, manual

st.title("Help")
tabs: dict[str, tuple[Callable[[], pd.DataFrame] | None, str]] = {
    "Keys": (manual.keys, "They work while the viewer has the focus: click into it first."),
    "Columns": (manual.columns, "Every column of an instance table; blank means not measured."),
    "Metrics": (manual.metrics, "Instances match by intersection over union (IoU) of voxels."),
    "Filters": (None, ""),
    "Serving": (manual.variables, "Environment variables of the server."),
    "Versions and licences": (manual.versions, "The explorer is MIT; what it stands on:"),
    "Citation": (None, ""),
}
for (title, (make, note)), tab in zip(tabs.items(), st.tabs(list(tabs)), strict=True):
    with tab:
        if title == "Serving":
            st.code(manual.SERVING, language="bash")
        if make is not None:
            st.caption(note)
            frame = make()
            with st.container(key=f"help_{title.split()[0].lower()}"):
                st.table(frame.set_index(frame.columns[0]))
        if title == "Filters":
            st.markdown(manual.FILTERS)
        if title == "Citation":
            st.markdown("If you use MitoEM, cite the paper that made it:")
            st.code(facts.card()["citation"], language="bibtex")
            st.markdown(manual.LABEL_PROBLEM)
