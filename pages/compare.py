"""Compare: two volumes, or truth and a prediction, measure by measure."""

import streamlit as st

from mitoem import figures
from mitoem.ui import address, comparison, words
from mitoem.ui.distribution import MEASURES

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
        measure = words.choice("measure", "Measure", MEASURES, "volume_um3", names=figures.title)
    with columns[3]:
        complete_only = words.switch("cut", "complete only", default=True)
    if a == b:
        st.info("Both sides are the same set: choose another one.")
    elif tables := comparison.load((a, b)):
        left, right = st.columns([2, 3], gap="large")
        with left:
            comparison.plot(tables, measure, complete_only=complete_only)
        with right:
            numbers = comparison.numbers(tables, complete_only=complete_only)
            comparison.table(numbers, names=(a, b))
        if told := comparison.caveat(a, b):
            st.info(told)
