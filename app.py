"""The web application: Streamlit's pages and the data routes on one port.

Start it with ``streamlit run app.py``.
"""

import streamlit as st

from mitoem import server
from mitoem.ui import signin

signin.enabled()  # or it does not start
base = st.get_option("server.baseUrlPath") or ""
sites = st.get_option("server.corsAllowedOrigins")
app = st.App(
    "mitoem/ui/main.py",
    routes=server.routes(base, who=signin.who, secret=signin.secret()),
    middleware=server.middleware(base, who=signin.who, closed=signin.enabled, origins=sites),
    lifespan=server.lifespan,
)
