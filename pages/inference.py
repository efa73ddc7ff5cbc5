"""Inference: choose a crop or upload one, run the bundled model, judge the result."""

import streamlit as st

from mitoem import Box
from mitoem.ui import address, cache, crop, model_card, panels, placing, prediction, signin

at = address.here() if address.somewhere() else None
left, right = st.columns([2, 5], gap="large")
with left:
    st.subheader("1  Crop")
    box: Box | None = None
    with panels.edge():
        box = crop.choose(at)
        if at and box and crop.fits(box, at.info):
            st.markdown(crop.facts(box, at.info))
            prediction.start(at, box)
            if address.word("run", ""):
                placing.planes(at, box, beside=False)
    st.subheader("2  Model")
    with panels.edge():
        if st.button(f"Model card · {cache.model()['name']}", width="stretch"):
            model_card.show()
    if at:
        prediction.earlier(at)
with right:
    run_id = address.word("run", "")
    if run_id:
        with panels.edge():
            prediction.show(at, run_id)
    elif at is None and signin.stranger():
        panels.empty("No volume here is open to everyone", "Sign in, in the line above.")
    elif at is None:
        panels.empty(
            "No volume yet",
            "Upload an image of your own on the left. The demo volumes take less than a minute:",
            code=panels.DEMO,
        )
    else:
        panels.empty(
            "No run yet",
            "Choose a crop and press Run. The result appears here, beside the truth where there "
            "is one; the address of this page then leads back to it.",
        )
        if box is not None:
            placing.planes(at, box, beside=True)
