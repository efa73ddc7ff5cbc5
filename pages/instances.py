"""Instances: the sizes of mitochondria as plots, table, pictures and 3-D, linked and filtered."""

import streamlit as st

from mitoem.ui import address, browsing, distribution, downloads, filtering, instances, words

at = address.here()
table = instances.rows(at)
if table is not None:
    measured = instances.measured(at)
    above, (left, right) = st.container(), st.columns([4, 5], gap="medium")
    complete_only = words.on("cut", default=True)
    kept = filtering.apply(table)
    shown = kept[~kept["touches_border"]] if complete_only else kept
    expression = filtering.expression(complete_only=complete_only)
    # The rows first: a person waits for them, and what is around them takes long to draw.
    with right:
        browsing.panel(
            at,
            shown,
            hidden=len(kept) - len(shown),
            measured=measured,
            expression=expression,
        )
        downloads.row(at, table, expression=expression, shown=len(shown))
    with above:
        with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
            filtering.box()
            filtering.adder(table, measured)
            words.switch(
                "cut",
                "complete only",
                default=True,
                help="Cut objects touch a face of the labelled region: their size is not known.",
            )
            instances.find(at)
        filtering.mistake()
        filtering.chips()
    with left:
        distribution.plot(at, kept, whole=table, measured=measured, complete_only=complete_only)
        instances.lengths(at, table)
