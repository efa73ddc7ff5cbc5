"""The dashboard: what is drawn with Streamlit, and nothing of the science."""
