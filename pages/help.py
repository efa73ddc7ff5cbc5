"""Help: keys, columns, metrics, versions, licences, citation, serving."""

import streamlit as st

st.title("Help")
