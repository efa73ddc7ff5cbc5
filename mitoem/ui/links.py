"""Links that leave this program with the view that is on screen."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from mitoem import neuroglancer
from mitoem.manifest import VolumeInfo
from mitoem.view import View


def base_url() -> str:
    """Where this server answers the person who looks, such as ``http://localhost:8501/em``."""
    here = st.context.url or f"http://localhost:{st.get_option('server.port')}"
    url = urlsplit(here)
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{url.scheme}://{url.netloc}" + (f"/{base}" if base else "")


def to_neuroglancer(info: VolumeInfo, view: View) -> None:
    """A button that opens the view in Neuroglancer, which reads the voxels from this server."""
    st.link_button(
        "Open in Neuroglancer",
        neuroglancer.link(info, view, base_url=base_url()),
        icon=":material/open_in_new:",
        type="tertiary",
        help="The same image, labels, selection and place. Its page loads from the internet; the "
        "voxels come from this server.",
    )
