"""The web application: Streamlit's pages and the data routes on one port.

Start it with ``streamlit run app.py``.
"""

import streamlit as st

from mitoem import server

base = st.get_option("server.baseUrlPath") or ""
app = st.App(
    "mitoem/ui/main.py",
    routes=server.routes(base),
    middleware=server.middleware(base),
    lifespan=server.lifespan,
)
