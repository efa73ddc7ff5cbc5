"""Help: keys, columns, metrics, filters, serving, versions, licences, citation."""

import streamlit as st

from mitoem.ui import facts, manual

SECTIONS = (
    "Keys",
    "Columns",
    "Metrics",
    "Filters",
    "Serving",
    "Versions and licences",
    "Citation",
)

st.title("Help")
for title, tab in zip(SECTIONS, st.tabs(SECTIONS), strict=True):
    with tab:
        if title == "Serving":
            st.code(manual.SERVING, language="bash")
        frame, note = manual.section(title)
        if frame is not None:
            st.caption(note)
            with st.container(key=f"help_{title.split()[0].lower()}"):
                st.table(frame)
        if title == "Filters":
            st.markdown(manual.FILTERS)
        if title == "Citation":
            for name, bibtex in facts.citations().items():
                facts.cite(name, bibtex)
            st.markdown(manual.LABEL_PROBLEM)
