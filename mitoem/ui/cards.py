"""The card of a volume on the Datasets page."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from urllib.parse import urlsplit

import streamlit as st

from mitoem import render
from mitoem.errors import MitoEMError
from mitoem.front import agreement
from mitoem.geometry import Box
from mitoem.manifest import LabelSet, VolumeInfo
from mitoem.server import tokens
from mitoem.ui import address, cache, facts, menu, modules, panels, signin
from mitoem.ui.controls import SYNTHETIC

PREVIEW_PIXELS = 320
MOST_LABELS = 3
"""Label sets, or boxes of one, that a card names before it is unfolded."""

_DIGEST = {
    True: "of the arrays as they were drawn",
    False: "as `sha256sum` prints it; of a folder, over its files' names, sizes and digests",
}

_CSS = """
<style>
[class*="st-key-card_"] :is(h4, p, li, code) { overflow-wrap: anywhere; }
[class*="st-key-card_"] h4 { padding-top: 0; }
[class*="st-key-card_"] [data-testid="stImage"] img { max-height: 17rem; object-fit: contain;
  object-position: left top; }
</style>
"""


def style() -> None:
    """The rules of the cards; once per page, before the first."""
    st.html(_CSS)


def volume(name: str) -> None:
    """Preview, facts, label sets, sources and citation of one volume."""
    found = cache.volume(name)
    info = found.info
    key = f"card_{name.replace('.', '_')}"
    with st.container(border=True, key=key, height="stretch"):
        picture, facts_of_it = st.columns([2, 3], gap="medium")
        with picture:
            _picture(info)
        with facts_of_it:
            st.markdown(f"#### {facts.plain(info.name)}{_badges(info)}")
            st.markdown(summary(info))
            st.button(
                "Explore",
                key=f"open_{name}",
                icon=":material/visibility:",
                on_click=_open,
                args=(name,),
            )
        with st.expander("Sources, checksums, labels, citation"):
            _provenance(info)
    if st.session_state.pop("mitoem_go", "") == name:
        st.switch_page(menu.page("explore"))


def _picture(info: VolumeInfo) -> None:
    """The preview, or why there is none; the rest of the card stands without it."""
    try:
        st.image(preview(info.name, info.version), width="stretch")
    except MitoEMError as error:
        panels.empty(
            "No preview",
            f"{type(error).__name__}: {facts.plain(str(error)[:120])} …",
            code=f"python -m mitoem check {info.name}",
        )


def _open(name: str) -> None:
    address.enter(name)
    st.session_state["mitoem_go"] = name


def _badges(info: VolumeInfo) -> str:
    """What a person must not miss of a volume."""
    letter = agreement.identify(info).letter
    known = f" :green-badge[MitoEM {letter}]" if letter else ""
    return (f" :orange-badge[{SYNTHETIC}]" if info.synthetic else known) + _access(info.name)


def _access(name: str) -> str:
    """Who else sees a volume, where that is not everyone."""
    rule = cache.roots().rules().of(name)
    if rule.see == "public":
        return ""
    until = f"{datetime.fromtimestamp(rule.until):%-d %b %Y}" if isfinite(rule.until) else ""
    return f" :gray-badge[:material/lock: {rule.see}{f' until {until}' if until else ''}]"


def summary(info: VolumeInfo) -> str:
    """Shape, voxel, extent, labels and licence in a few lines of Markdown."""
    z, y, x = info.shape
    extent = " × ".join(
        f"{n * v / 1000:.2f}" for n, v in zip(info.shape, info.voxel_size, strict=True)
    )
    voxel = " × ".join(f"{v:g}" for v in info.voxel_size)
    lines = [
        f"**{z:,} × {y:,} × {x:,}** voxels (z, y, x)",
        f"**{voxel}** nm a voxel · {facts.plain(info.voxel_size_source)}",
        f"**{extent}** µm · {_size(stored(info))} on disk",
    ]
    lines += [_labels_line(info, one) for one in info.labels[:MOST_LABELS]]
    if len(info.labels) > MOST_LABELS:
        lines.append(f"and {len(info.labels) - MOST_LABELS} more label sets, listed below")
    if not info.labels:
        lines.append("no labels")
    if info.splits:
        lines.append(
            " · ".join(f"{facts.plain(s.name)} {s.start}–{s.stop - 1}" for s in info.splits)
        )
    lines.append(f"licence: {facts.plain(info.licence)}")
    return "  \n".join(lines)


def _labels_line(info: VolumeInfo, labels: LabelSet) -> str:
    share = 100 * sum(box.size for box in labels.coverage) / Box.whole(info.shape).size
    kind = " · prediction" if labels.kind == "prediction" else ""
    return (
        f"**{labels.instances:,}** instances in “{facts.plain(labels.name)}” · "
        f"{share:.3g} % labelled{kind}"
    )


def stored(info: VolumeInfo) -> int:
    """Bytes on disk of every array of a volume."""
    return sum(size for files in info.shards.values() for size in files.values())


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


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


def checksums(info: VolumeInfo) -> str:
    """The sources as ``sha256sum`` prints them, a line each."""
    return "\n".join(f"{one.sha256}  {one.file}" for one in info.sources)


def _reading(info: VolumeInfo) -> None:
    """How Python and Neuroglancer read the volume's arrays from this server."""
    seen = urlsplit(st.context.url or "")
    token = signin.token(info.name)
    path = f"{modules.base()}{f'/token/{token}' if token else ''}/zarr/{info.name}/"
    st.caption(
        "Read it from elsewhere, as OME-Zarr"
        + (f"; this address is yours, and ends within {tokens.hours():g} hours" if token else "")
    )
    st.code(f'zarr.open_group("{seen.scheme}://{seen.netloc}{path}", mode="r")', wrap_lines=True)


def _provenance(info: VolumeInfo) -> None:
    if info.description:
        st.markdown(facts.plain(info.description))
    st.markdown(
        "\n".join(
            f"- **{facts.plain(one.role)}** · {facts.plain(one.file)} · "
            f"{facts.plain(one.format)} · {_size(one.bytes)}"
            for one in info.sources
        )
        or "Its sources are not recorded."
    )
    if info.sources:
        st.caption(f"SHA-256 {_DIGEST[info.synthetic]}")
        st.code(checksums(info), language=None, wrap_lines=True)
    lines = [_labels_line(info, one) + _covered(one) for one in info.labels]
    st.markdown("\n".join(f"- {line}" for line in lines) or "No labels.")
    _reading(info)
    if info.citation:
        st.code(info.citation, language="bibtex", wrap_lines=True)
    elif info.synthetic:
        st.caption("Nothing to cite but [this program](#cite).")
    elif agreement.identify(info).letter:
        st.caption("Cite [the data set](#cite); its licence is told there.")
    else:
        st.caption("No citation is recorded for this volume.")


def _covered(labels: LabelSet) -> str:
    """Which boxes are labelled, and where the labels come from."""
    boxes = [f"`{box}`" for box in labels.coverage[:MOST_LABELS]]
    more = len(labels.coverage) - len(boxes)
    text = ", ".join(boxes) + (f" and {more} more" if more else "")
    origin = f" · {facts.plain(labels.provenance)}" if labels.provenance else ""
    return f" · z,y,x {text or 'nowhere'}{origin}"
