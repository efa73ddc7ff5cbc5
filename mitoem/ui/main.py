"""The frame of every page: the menu, one line under it, and the page.

Pages are given by absolute path: a folder ``pages/`` beside this script would switch on
Streamlit's own discovery, which breaks cold deep links.
"""

from __future__ import annotations

import streamlit as st

from mitoem.errors import MitoEMError, VolumeNotFound
from mitoem.ui import address, controls, menu, panels, style


def main() -> None:
    """Draw the frame and run the page that the address names."""
    st.set_page_config(page_title="MitoEM explorer", page_icon=style.ICON, layout="wide")
    style.apply()
    pages = menu.pages()
    chosen = st.navigation(pages, position="top")
    name = chosen.url_path or menu.FIRST
    address.begin(name)
    if chosen.url_path == menu.FIRST:
        st.switch_page(pages[0])
    at, problem = _here()
    controls.line(at)
    notices = st.container()
    if problem and not (isinstance(problem, VolumeNotFound) and name in menu.WITHOUT_VOLUME):
        panels.error(problem)
    elif at or name in menu.WITHOUT_VOLUME:
        with panels.edge():
            chosen.run()
    with notices:
        panels.notices([*([one.message for one in at.notices] if at else []), *address.told()])
    address.emit(_here()[0])


def _here() -> tuple[address.Here | None, MitoEMError | None]:
    try:
        return address.here(), None
    except MitoEMError as error:
        return None, error


main()
