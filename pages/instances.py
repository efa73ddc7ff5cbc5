"""Instances: the sizes of mitochondria as a plot and a table, linked and filtered."""

import streamlit as st

from mitoem.ui import address, distribution, filtering, instances, words

at = address.here()
table = instances.rows(at)
if table is not None:
    left, right = st.columns([5, 1], vertical_alignment="center")
    with left:
        filtering.box(table)
    with right:
        complete_only = words.switch(
            "cut",
            "complete only",
            default=True,
            help="Cut objects touch a face of the labelled region: their size is not known.",
        )
    kept = filtering.apply(table)
    shown = kept[~kept["touches_border"]] if complete_only else kept
    left, right = st.columns([4, 5], gap="medium")
    with left:
        distribution.plot(kept, whole=table, complete_only=complete_only)
    with right:
        instances.listing(at, shown)
    instances.actions(
        at,
        table,
        expression=filtering.expression(complete_only=complete_only),
        shown=len(shown),
    )
