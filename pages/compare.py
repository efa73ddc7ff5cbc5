"""Compare: two volumes, or truth and a prediction, measure by measure."""

import streamlit as st

from mitoem import figures
from mitoem.ui import address, comparison, distribution, effect_table, pair_plots, words

at = address.here()
sets = comparison.sets()
if len(sets) < 2:
    comparison.too_few(sets)
else:
    mine = f"{at.info.name}/{at.view.labels}"
    first = mine if mine in sets else sets[0]
    columns = st.columns([3, 3, 3, 2], vertical_alignment="bottom")
    with columns[0]:
        a = words.choice("a", "A", sets, first)
    with columns[1]:
        b = words.choice("b", "B", sets, comparison.other(sets, a))
    with columns[2]:
        measure = words.choice(
            "measure", "Measure", distribution.MEASURES, "volume_um3", names=figures.title
        )
    with columns[3]:
        complete_only = words.switch(
            "cut",
            "complete only",
            default=True,
            help="Cut objects touch a face of the labelled region: their size is not known.",
        )
    if a == b:
        st.info("Both sides are the same set: choose another one.")
    elif pair := comparison.load(a, b, complete_only=complete_only):
        draw = comparison.draw(pair)
        left, right = st.columns([2, 3], gap="medium", vertical_alignment="center")
        left.markdown(effect_table.claim(pair, measure, draw=draw))
        right.info(comparison.caveat(pair))
        with st.container(key="compare_panels"):
            left, right = st.columns([2, 3], gap="medium")
        with left:
            pair_plots.panel(at, pair, measure)
        with right:
            effect_table.table(pair, draw=draw)
