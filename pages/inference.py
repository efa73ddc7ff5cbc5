import streamlit as st

st.title("inference")
