"""Evaluate: truth against a saved prediction."""

import streamlit as st

from mitoem.ui import address, evaluation, panels, runs

at = address.here()
chosen = evaluation.choose(at)
if chosen:
    state = evaluation.run_of(at, *chosen)
    if state is None:
        st.button(
            "Evaluate",
            type="primary",
            on_click=evaluation.start,
            args=(at, *chosen),
        )
        st.caption("Scored in the worker, slab by slab, where both label sets cover the volume.")
    elif not state.finished:
        runs.waiting(state.id)
    else:
        with panels.edge():
            if runs.ended(state):
                evaluation.scored(at, state, *chosen)
