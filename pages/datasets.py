"""Datasets: the volumes of this server, the MitoEM card, and its numbers against measured ones."""

import streamlit as st

from mitoem.ui import agreement, cache, cards, facts, getting, panels

st.title("Volumes on this server")
names = cache.volume_names()
panels.faults(cache.roots().faults())
st.caption(
    "On this page: [volumes](#volumes-on-this-server) · "
    "[published against measured](#published-against-measured) · "
    "[the dataset card, checked](#the-dataset-card-checked) · [get the data](#get-the-data) · "
    "[cite](#cite)"
)
if not names:
    panels.no_volumes(getting.place(cache.roots().roots[0]))
cards.style()
for start in range(0, len(names), 2):
    for column, name in zip(st.columns(2), names[start : start + 2], strict=False):
        with column, panels.edge():
            cards.volume(name)

st.header("Published against measured", divider="gray")
with panels.edge():
    agreement.section()

card, counts = facts.card(), facts.counts()
st.header(
    "MitoEM2021: the dataset card, checked", divider="gray", anchor="the-dataset-card-checked"
)
st.markdown(
    f"{card['note']}  \n"
    f":green-badge[confirmed] {counts['confirmed']} · {card['statuses']['confirmed']}  "
    f":orange-badge[corrected] {counts['corrected']} · {card['statuses']['corrected']}  "
    f":gray-badge[unverified] {counts['unverified']} · {card['statuses']['unverified']}"
)
for number, table in enumerate(card["tables"]):
    st.subheader(table["title"])
    if table["note"]:
        st.caption(table["note"])
    with st.container(key=f"facts_{number}"):
        st.table(facts.frame(table["rows"]))
st.subheader("Published results")
st.caption(card["results"]["note"])
st.table(facts.results(), width="content")

st.header("Get the data", divider="gray")
with panels.edge():
    getting.section(cache.roots().roots)

st.header("Cite", divider="gray")
st.markdown(f"Licence of the data: {card['licence']}. This program: MIT.")
(first, *others) = facts.citations().items()
facts.cite(*first)
for column, one in zip(st.columns(len(others)), others, strict=True):
    with column:
        facts.cite(*one)
