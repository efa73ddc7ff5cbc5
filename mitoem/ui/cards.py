"""The card of a volume on the Datasets page."""

from __future__ import annotations

import streamlit as st

from mitoem import render
from mitoem.geometry import Box
from mitoem.manifest import VolumeInfo
from mitoem.ui import address, cache, menu
from mitoem.ui.controls import SYNTHETIC

PREVIEW_PIXELS = 320


def volume(name: str) -> None:
    """Preview, facts, label sets, sources and citation of one volume."""
    found = cache.volume(name)
    info = found.info
    with st.container(border=True, key=f"card_{name.replace('.', '_')}"):
        picture, facts = st.columns([2, 3], gap="medium")
        picture.image(preview(name, info.version), width="stretch")
        with facts:
            badge = f" :orange-badge[{SYNTHETIC}]" if info.synthetic else ""
            st.markdown(f"#### {info.name}{badge}")
            st.markdown(summary(info))
            st.button(
                "Explore",
                key=f"open_{name}",
                icon=":material/visibility:",
                on_click=_open,
                args=(name,),
            )
        with st.expander("Sources, checksums, citation"):
            _provenance(info)
    if st.session_state.pop("mitoem_go", "") == name:
        st.switch_page(menu.page("explore"))


def _open(name: str) -> None:
    address.enter(name)
    st.session_state["mitoem_go"] = name


def summary(info: VolumeInfo) -> str:
    """Shape, voxel, extent, labels and licence in a few lines of Markdown."""
    z, y, x = info.shape
    extent = " × ".join(
        f"{n * v / 1000:.2f}" for n, v in zip(info.shape, info.voxel_size, strict=True)
    )
    voxel = " × ".join(f"{v:g}" for v in info.voxel_size)
    lines = [
        f"**{z:,} × {y:,} × {x:,}** voxels (z, y, x)",
        f"**{voxel}** nm a voxel · {info.voxel_size_source}",
        f"**{extent}** µm",
    ]
    for labels in info.labels:
        share = 100 * sum(box.size for box in labels.coverage) / Box.whole(info.shape).size
        lines.append(
            f"**{labels.instances:,}** instances in “{labels.name}” · {share:.3g} % labelled"
        )
    if info.splits:
        lines.append(" · ".join(f"{s.name} {s.start}–{s.stop - 1}" for s in info.splits))
    lines.append(f"licence: {info.licence}")
    return "  \n".join(lines)


@st.cache_data(max_entries=64, show_spinner=False)
def preview(name: str, version: str) -> bytes:
    """The labelled middle section as a small PNG, instances laid over it."""
    del version
    found = cache.volume(name)
    info = found.info
    level = next(
        (n for n, one in enumerate(info.levels) if max(one.shape[1:]) <= PREVIEW_PIXELS * 1.5),
        len(info.levels) - 1,
    )
    labels = next((one for one in info.labels if one.coverage), None)
    middle = info.shape[0] // 2
    if labels:
        box = labels.coverage[0]
        middle = (box.start[0] + box.stop[0]) // 2
    depth, height, width = info.levels[level].shape
    z = min(middle // info.levels[level].factors[0], depth - 1)
    plane = Box((z, 0, 0), (z + 1, height, width))
    grey = found.read(plane, level=level)[0]
    ids = found.read(plane, level=level, layer=labels.name)[0] if labels else None
    paint = render.Paint(window=(info.grey.p1, info.grey.p99), other_opacity=0.45)
    return render.Figure(render.overlay(grey, ids, paint=paint), 1.0, None, "").png()


def _provenance(info: VolumeInfo) -> None:
    if info.description:
        st.markdown(info.description)
    for source in info.sources:
        st.markdown(
            f"**{source.role}** · {source.file} · {source.format} · {source.bytes / 1e6:,.1f} MB"
        )
        st.code(f"sha256 {source.sha256}", language=None)
    for labels in info.labels:
        if labels.provenance:
            st.caption(f"{labels.name}: {labels.provenance}")
    if info.citation:
        st.code(info.citation, language="bibtex")
