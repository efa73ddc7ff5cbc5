"""Datasets: the volumes of this server, and the MitoEM dataset card with its corrections."""

import streamlit as st

from mitoem.ui import cache, cards, facts, panels

st.title("Volumes on this server")
names = cache.volume_names()
panels.faults(cache.roots().faults())
if not names:
    panels.empty(
        "No volumes here yet",
        f"The data root {cache.roots().roots[0]} holds no complete volume. The two demo volumes "
        "take less than a minute; or ingest images of your own.",
        code=f"{panels.DEMO}\n{panels.INGEST}",
    )
for start in range(0, len(names), 2):
    for column, name in zip(st.columns(2), names[start : start + 2], strict=False):
        with column, panels.edge():
            cards.volume(name)

st.header("MitoEM2021: the dataset card, checked", divider="gray")
card, counts = facts.card(), facts.counts()
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

left, right = st.columns(2)
with left:
    st.subheader("Published counts")
    st.caption(card["published_note"])
    st.dataframe(facts.published(), hide_index=True)
with right:
    st.subheader("Published results")
    st.caption(card["results"]["note"])
    st.dataframe(facts.results(), hide_index=True)

st.header("Get the data", divider="gray")
st.markdown(facts.how_to_get())
st.code(facts.COMMANDS, language="bash")
st.caption(facts.room(cache.roots().writable))
st.subheader("Cite")
st.code(card["citation"], language="bibtex", wrap_lines=True)
