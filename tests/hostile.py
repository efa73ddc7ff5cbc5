"""Files made to harm who reads them: each a few kilobytes, or megabytes that cost no time."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import files
import h5py
import nibabel as nib
import numpy as np
import tifffile

IMAGE = files.image((4, 20, 24))
SECRET = 77
"""Every voxel of the files on this disk that an upload must not reach."""

MIB, MANY = 1 << 20, 1 << 31

Make = Callable[[Path], Path]


def zeros(count: int, *, wbits: int = 31) -> bytes:
    """A gzip (31) or zlib (15) stream of zeros, 1 : 1030, with a false checksum at its end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * ((count >> 20) - 1) + packer.flush()


# --- zip


def _zip(at: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(at / "i.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return at / "i.zip"


def zip_in_zip(at: Path) -> Path:
    """Six levels of ten: a million pictures in 20 kB, for whoever unpacks what is inside."""
    data = files.png(IMAGE[0])
    for level in range(6):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(10):
                archive.writestr(f"{level}-{n}.zip" if level else f"i{n}.png", data)
        data = out.getvalue()
    (at / "i.zip").write_bytes(data)
    return at / "i.zip"


def zip_of_zeros(at: Path) -> Path:
    return _zip(at, {"i.nii": nifti_head(dim=(100, 100, 100)) + bytes(1 << 26)})


def zip_of_many(at: Path) -> Path:
    """More entries than any volume has, none with content."""
    with zipfile.ZipFile(at / "i.zip", "w") as archive:
        archive.writestr("i.png", b"")
        for n in range((1 << 17) + 2):
            entry = zipfile.ZipInfo(f"i{n}.png")
            entry.header_offset = entry.CRC = 0
            archive.filelist.append(entry)
        archive._didModify = True
    return at / "i.zip"


def zip_overlapping(at: Path) -> Path:
    """A thousand entries that share the bytes of one, after D. Fifield, 2019."""
    path = _zip(at, {"i000.png": files.png(np.zeros((4000, 4000), np.uint8))})
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    entry = data[start : data.index(b"PK\x05\x06")]
    entries = b"".join(entry.replace(b"i000", b"i%03d" % n) for n in range(1000))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1000, 1000, len(entries), start, 0)
    path.write_bytes(data[:start] + entries + tail)
    return path


def npz_declared_small(at: Path) -> Path:
    """An array of 4 GB, by its header, in a member of 1 kB, by the zip's directory."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "|u1", "fortran_order": False, "shape": (1000, 1000, 1000)}
    )
    path = _zip(at, {"image.npy": out.getvalue() + bytes(1 << 26)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 1000)
    path.write_bytes(data)
    return path


# --- numpy


def npy(at: Path, header: str, data: bytes = b"", name: str = "i.npy") -> Path:
    text = header.encode("latin1")
    (at / name).write_bytes(b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + data)
    return at / name


def npy_pickle(at: Path) -> Path:
    np.save(at / "i.npy", np.array([[[{"a": 1}]]], object), allow_pickle=True)
    return at / "i.npy"


def npz_pickle(at: Path) -> Path:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (at / "pwned",))

    out = io.BytesIO()
    out.write(b"\x93NUMPY\x01\x00")
    text = b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 1)}"
    out.write(struct.pack("<H", len(text)) + text + pickle.dumps(Evil()))
    return _zip(at, {"image.npy": out.getvalue()}).rename(at / "i.npz")


def npy_plain_pickle(at: Path) -> Path:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (at / "pwned",))

    (at / "i.npy").write_bytes(pickle.dumps(Evil()))
    return at / "i.npy"


HEADER = "{{'descr': {0}, 'fortran_order': {1}, 'shape': {2}}}"


def npys() -> dict[str, Make]:
    texts = {
        "nested": "(" * 30000,
        "nested brackets": "[" * 60000,
        "many minus": "-" * 60000 + "1",
        "infinite": HEADER.format("'|u1'", False, "(1e999, 2, 3)"),
        "absurd": HEADER.format("'|u1'", False, f"({10**30}, 2, 3)"),
        "absurd rows": HEADER.format("'|u1'", False, "(1, 2000000000, 2000000000)"),
        "negative": HEADER.format("'|u1'", False, "(-4, -20, 24)"),
        "negative fortran": HEADER.format("'|u1'", True, "(-4, -20, 24)"),
        "zero size": HEADER.format("'|V0'", False, "(1000, 1000, 1000)"),
        "zero text": HEADER.format("'|S0'", False, "(1000000, 60000, 60000)"),
        "wide": HEADER.format("'|V2000000000'", False, "(1, 1, 1)"),
        "sub array": HEADER.format("'(20000,20000)u1'", False, "(1, 1, 1)"),
        "record": HEADER.format("[('a', '|u1'), ('b', '|O')]", False, "(4, 20, 24)"),
        "many axes": HEADER.format("'|u1'", False, str((1,) * 5000)),
        "no tuple": HEADER.format("'|u1'", False, "{'a': 1}"),
        "dict keys": "{[]: 1}",
        "number": "7",
        "date": HEADER.format("'<M8[D]'", False, "(4, 20, 24)"),
        "control": HEADER.format("'|u1\\n\\x1b[31m'", False, "(4, 20, 24)"),
        "datetime lie": HEADER.format("'<M8[999999999999999999999D]'", False, "(4, 20, 24)"),
    }
    return {
        f"npy {k}": (lambda at, text=text: npy(at, text, IMAGE.tobytes()))
        for k, text in texts.items()
    }


def npy_header_length(at: Path) -> Path:
    (at / "i.npy").write_bytes(b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\xff" + b"{}" * 100)
    return at / "i.npy"


# --- NIfTI


def nifti_head(
    *, dim: tuple[int, ...] = (24, 20, 4), offset: float = 352.0, kind: int = 2, **more: Any
) -> bytes:
    header = np.zeros((), nib.Nifti1Header.template_dtype)
    header["sizeof_hdr"], header["magic"], header["vox_offset"] = 348, b"n+1", offset
    header["dim"] = (len(dim), *dim, *(1,) * (7 - len(dim)))
    header["datatype"], header["bitpix"] = kind, 8
    header["pixdim"], header["scl_slope"] = 1, 1
    for field, value in more.items():
        header[field] = value
    return header.tobytes() + bytes(4)


def nifti2_head(dim: tuple[int, ...], offset: int = 544) -> bytes:
    header = np.zeros((), nib.Nifti2Header.template_dtype)
    header["sizeof_hdr"], header["magic"], header["vox_offset"] = 540, b"n+2\0\r\n\x1a\n", offset
    header["dim"] = (len(dim), *dim, *(1,) * (7 - len(dim)))
    header["datatype"], header["bitpix"], header["pixdim"] = 2, 8, 1
    return header.tobytes() + bytes(4)


def _write(name: str, data: Callable[[], bytes]) -> Make:
    def make(at: Path) -> Path:
        (at / name).write_bytes(data())
        return at / name

    return make


def niftis() -> dict[str, Make]:
    voxels = IMAGE.tobytes()
    heads = {
        "absurd": nifti2_head((1 << 40, 1 << 40, 1 << 40)),
        "product wraps": nifti2_head((1 << 32, 1 << 32, 1)),
        "negative": nifti_head(dim=(-24, 20, 4)),
        "negative 2": nifti2_head((-24, -20, 4)),
        "zero": nifti_head(dim=(0, 20, 4)),
        "offset beyond": nifti_head(offset=1e6),
        "offset huge": nifti_head(offset=1e30),
        "offset negative": nifti_head(offset=-400),
        "offset inf": nifti_head(offset=float("inf")),
        "offset nan": nifti_head(offset=float("nan")),
        "offset 0": nifti_head(offset=0),
        "offset 2 negative": nifti2_head((24, 20, 4), offset=-(1 << 62)),
        "slope nan": nifti_head(scl_slope=float("nan")),
        "slope": nifti_head(scl_slope=1e30),
        "unknown type": nifti_head(kind=9999),
        "bits": nifti_head(kind=1),
        "rgb": nifti_head(kind=128),
        "complex": nifti_head(kind=1792),
        "pixdim nan": nifti_head(pixdim=float("nan")),
        "pixdim inf": nifti_head(pixdim=float("inf")),
        "extension": nifti_head(offset=368)[:348] + b"\1\0\0\0" + struct.pack("<ii", 1 << 30, 4),
        "extension negative": nifti_head(offset=368)[:348]
        + b"\1\0\0\0"
        + struct.pack("<ii", -16, 4),
        "extension 0": nifti_head(offset=368)[:348]
        + b"\1\0\0\0"
        + struct.pack("<ii", 0, 4)
        + bytes(8),
    }
    big = bytearray(nifti_head())
    struct.pack_into("<h", big, 40, 32000)
    heads["many axes"] = bytes(big)
    return {
        f"nifti {k}": _write("i.nii", lambda head=head: head + voxels) for k, head in heads.items()
    }


def gzip_of_zeros(at: Path) -> Path:
    """A header of 1 MB of voxels, and 2 GB of zeros behind it."""
    head = gzip.compress(nifti_head(dim=(100, 100, 100)))
    (at / "i.nii.gz").write_bytes(head + zeros(MANY))
    return at / "i.nii.gz"


def gzip_by_header(at: Path) -> Path:
    """3.9 G voxels of zeros in 4 MB, as they are declared."""
    head = gzip.compress(nifti_head(dim=(2000, 2000, 1000)))
    (at / "i.nii.gz").write_bytes(head + zeros(MANY))
    return at / "i.nii.gz"


def gzip_wide(at: Path) -> Path:
    head = gzip.compress(nifti_head(dim=(32000, 32000, 3)))
    (at / "i.nii.gz").write_bytes(head + zeros(MANY))
    return at / "i.nii.gz"


def gzip_in_gzip(at: Path) -> Path:
    data = nifti_head() + IMAGE.tobytes()
    for _ in range(200):
        data = gzip.compress(data)
    (at / "i.nii.gz").write_bytes(data)
    return at / "i.nii.gz"


def gzip_offset(at: Path) -> Path:
    (at / "i.nii.gz").write_bytes(gzip.compress(nifti_head(offset=(1 << 24) - 16)) + zeros(1 << 25))
    return at / "i.nii.gz"


def gzip_members(at: Path) -> Path:
    """A million empty gzip members."""
    (at / "i.nii.gz").write_bytes(gzip.compress(nifti_head()) + gzip.compress(b"") * 500_000)
    return at / "i.nii.gz"


# --- PNG


def png_head(
    x: int, y: int, *, bits: int = 8, colour: int = 0, idat: bytes = b"", more: bytes = b""
) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    start = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", x, y, bits, colour, 0, 0, 0)
    )
    return start + more + chunk(b"IDAT", idat or zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def png_text() -> bytes:
    text = b"k\0\0" + zlib.compress(bytes(1 << 24))
    return (
        struct.pack(">I", len(text))
        + b"zTXt"
        + text
        + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    )


def pngs() -> dict[str, Make]:
    small = zlib.compress(b"".join(b"\0" + row.tobytes() for row in IMAGE[0]))
    pictures = {
        "100000²": png_head(100_000, 100_000),
        "30000² that is short": png_head(30_000, 30_000),
        "true zeros": png_head(30_000, 30_000, idat=zeros(30_001 * 30_000 + MIB, wbits=15)),
        "text": png_head(24, 20, idat=small, more=png_text()),
        "idat beyond": png_head(24, 20, idat=zlib.compress(bytes(1 << 24))),
        "rgba 16": png_head(16_000, 16_000, bits=16, colour=6),
        "0": png_head(0, 10),
        "2^31": png_head((1 << 32) - 1, (1 << 32) - 1),
    }
    return {
        f"png {k}": (lambda at, data=data: _zip(at, {"i0.png": data, "i1.png": data}))
        for k, data in pictures.items()
    }


# --- TIFF


def ifd(tags: dict[int, tuple[int, int, int]], following: int) -> bytes:
    """A little-endian IFD of tags → (type, count, value)."""
    out = struct.pack("<H", len(tags))
    for tag, (kind, count, value) in sorted(tags.items()):
        out += struct.pack("<HHII", tag, kind, count, value)
    return out + struct.pack("<I", following)


def tags(
    x: int, y: int, *, pack: int = 1, offset: int = 8, count: int = 480, **more: Any
) -> dict[int, tuple[int, int, int]]:
    found = {
        256: (4, 1, x),
        257: (4, 1, y),
        258: (3, 1, 8),
        259: (3, 1, pack),
        262: (3, 1, 1),
        273: (4, 1, offset),
        277: (3, 1, 1),
        278: (4, 1, y),
        279: (4, 1, count),
    }
    return found | {int(k[1:]): v for k, v in more.items()}


def tiff_file(
    data: bytes, *ifds: dict[int, tuple[int, int, int]], loop: int | None = None
) -> bytes:
    at = 8 + len(data)
    out = b"II*\0" + struct.pack("<I", at) + data
    for n, one in enumerate(ifds):
        size = 2 + 12 * len(one) + 4
        last = n == len(ifds) - 1
        out += ifd(one, (0 if loop is None else at if loop < 0 else loop) if last else at + size)
        at += size
    return out


def tiff_packed(at: Path, compression: str) -> Path:
    """One strip that unpacks to far more than its page of 24 × 20."""
    import imagecodecs

    packed = {
        "deflate": lambda: zeros(1 << 30, wbits=15),
        "lzw": lambda: imagecodecs.lzw_encode(bytes(1 << 24)),
        "zstd": lambda: imagecodecs.zstd_encode(bytes(1 << 26)),
        "lzma": lambda: imagecodecs.lzma_encode(bytes(1 << 24)),
        "packbits": lambda: b"\x81\0" * (1 << 20),
        "webp": lambda: imagecodecs.webp_encode(np.zeros((4000, 4000, 3), np.uint8)),
        "png": lambda: png_head(30_000, 30_000),
        "jpeg": lambda: imagecodecs.jpeg8_encode(np.zeros((8000, 8000), np.uint8)),
        "jp2": lambda: imagecodecs.jpeg2k_encode(np.zeros((4000, 4000), np.uint8)),
    }[compression]()
    code = {
        "deflate": 8,
        "lzw": 5,
        "zstd": 50000,
        "lzma": 34925,
        "packbits": 32773,
        "webp": 50001,
        "png": 34933,
        "jpeg": 7,
        "jp2": 33003,
    }[compression]
    (at / "i.tif").write_bytes(tiff_file(packed, tags(24, 20, pack=code, count=len(packed))))
    return at / "i.tif"


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
    )
    + "]><OME>&k;</OME>"
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a SYSTEM "file:///etc/passwd">]><OME>&a;</OME>'
)


def ome(at: Path, xml: str) -> Path:
    return pages(at / "i.tif", IMAGE, xml)


def pages(path: Path, image: files.Array, description: str | None = None) -> Path:
    """A page per section, none of them said to be part of a stack."""
    with tifffile.TiffWriter(path) as file:
        for n, one in enumerate(image):
            file.write(one, description=None if n else description, metadata=None, contiguous=False)
    return path


def ome_pixels(more: str = "", *, z: int = 4, inside: str = "<TiffData/>") -> str:
    return (
        '<?xml version="1.0"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
        f'SizeX="24" SizeY="20" SizeZ="{z}" SizeC="1" SizeT="1" {more}>{inside}</Pixels>'
        "</Image></OME>"
    )


def ome_elsewhere(at: Path) -> Path:
    """An OME-TIFF whose second half is said to lie in another file of this disk."""
    secret = at / "secret.tif"
    pages(secret, np.full_like(IMAGE, SECRET))
    inside = "".join(
        f'<TiffData FirstZ="{z}" IFD="{z}" PlaneCount="1">'
        f'<UUID FileName="{secret}">urn:uuid:2</UUID></TiffData>'
        for z in range(4)
    )
    return ome(at, ome_pixels(inside=inside))


def tiffs() -> dict[str, Make]:
    def one(data: bytes) -> Make:
        return _write("i.tif", lambda: data)

    page = tags(24, 20)
    voxels = IMAGE[0].tobytes()
    many = [page] * 2000
    return {
        "tiff 4 G × 4 G": one(tiff_file(voxels, tags((1 << 32) - 1, (1 << 32) - 1))),
        "tiff 60000²": one(tiff_file(voxels, tags(60_000, 60_000, count=3_600_000_000))),
        "tiff 60000² packed": one(
            tiff_file(zeros(1 << 20, wbits=15), tags(60_000, 60_000, pack=8, count=1000))
        ),
        "tiff rows per strip 0": one(tiff_file(voxels, page | {278: (4, 1, 0)})),
        "tiff tiles 0": one(
            tiff_file(
                voxels, page | {322: (4, 1, 0), 323: (4, 1, 0), 324: (4, 1, 8), 325: (4, 1, 480)}
            )
        ),
        "tiff tiles 2^31": one(
            tiff_file(
                voxels,
                page
                | {322: (4, 1, 1 << 31), 323: (4, 1, 1 << 31), 324: (4, 1, 8), 325: (4, 1, 480)},
            )
        ),
        "tiff tiles 16": one(
            tiff_file(
                voxels,
                tags(1 << 31, 1 << 31)
                | {322: (4, 1, 16), 323: (4, 1, 16), 324: (4, 1, 8), 325: (4, 1, 480)},
            )
        ),
        "tiff bits 4096": one(tiff_file(voxels, page | {258: (3, 1, 60000)})),
        "tiff samples 65535": one(tiff_file(voxels, page | {277: (3, 1, 65535)})),
        "tiff depth": one(tiff_file(voxels, page | {32997: (4, 1, 1 << 31)})),
        "tiff tag count": one(
            tiff_file(voxels, page | {273: (4, 1 << 31, 8), 279: (4, 1 << 31, 8)})
        ),
        "tiff tag offset": one(tiff_file(voxels, page | {273: (4, 1000, 0xFFFFFFF0)})),
        "tiff text": one(tiff_file(voxels, page | {270: (2, 1 << 31, 8)})),
        "tiff loop": one(tiff_file(voxels, page, loop=-1)),
        "tiff loop of two": one(tiff_file(voxels, page, page, loop=8 + len(voxels))),
        "tiff loop to header": one(tiff_file(voxels, page, loop=2)),
        "tiff pages": one(tiff_file(voxels, *many)),
        "tiff sub-ifds": one(tiff_file(voxels, page | {330: (4, 1, 8 + len(voxels))})),
        "tiff huge ifd": one(b"II*\0\x08\0\0\0" + b"\xff\xff" + bytes(12 * 65535)),
        "tiff ome laughs": lambda at: ome(at, LAUGHS),
        "tiff ome outside": lambda at: ome(at, OUTSIDE),
        "tiff ome elsewhere": ome_elsewhere,
        "tiff ome planes": lambda at: ome(at, ome_pixels(z=10**10)),
        "tiff ome planes more": lambda at: ome(
            at, ome_pixels(z=10**10, inside='<TiffData PlaneCount="9999999999"/>')
        ),
        "tiff ome negative": lambda at: ome(at, ome_pixels(z=-4)),
        "tiff ome size nan": lambda at: ome(
            at, ome_pixels('PhysicalSizeX="nan" PhysicalSizeY="inf" PhysicalSizeZ="1e999"')
        ),
        "tiff ome size text": lambda at: ome(
            at, ome_pixels('PhysicalSizeX="a" PhysicalSizeY="1" PhysicalSizeZ="1"')
        ),
        "tiff ome deep": lambda at: ome(at, "<OME>" + "<a>" * 20_000 + "</a>" * 20_000 + "</OME>"),
        "tiff shaped": lambda at: ome(at, '{"shape": [1000000000, 20, 24]}'),
        "tiff shaped deep": lambda at: ome(at, '{"shape": ' + "[" * 200_000),
        "tiff shaped negative": lambda at: ome(at, '{"shape": [-4, -20, 24]}'),
        "tiff imagej": lambda at: ome(at, "ImageJ=1.53\nimages=2000000000\nslices=2000000000\n"),
        "tiff scanimage": lambda at: ome(at, "state.software.version = '1'\nscanimage.SI.x = 1"),
        **{
            f"tiff {k} bomb": (lambda at, k=k: tiff_packed(at, k))
            for k in (
                "deflate",
                "lzw",
                "zstd",
                "lzma",
                "packbits",
                "webp",
                "png",
                "jpeg",
                "jp2",
            )
        },
    }


# --- HDF5


def h5(write: Callable[[h5py.File, Path], Any]) -> Make:
    def make(at: Path) -> Path:
        (at / "elsewhere").mkdir(exist_ok=True)
        secret = at / "elsewhere" / "secret.h5"
        with h5py.File(secret, "w") as file:
            file["main"] = np.full_like(IMAGE, SECRET)
        (at / "elsewhere" / "secret.raw").write_bytes(bytes([SECRET]) * IMAGE.size)
        with h5py.File(at / "i.h5", "w") as file:
            write(file, at / "elsewhere")
        return at / "i.h5"

    return make


def _virtual(file: h5py.File, at: Path) -> None:
    layout = h5py.VirtualLayout(IMAGE.shape, np.uint8)
    layout[...] = h5py.VirtualSource(at / "secret.h5", "main", IMAGE.shape)
    file.create_virtual_dataset("main", layout)


def _loop(file: h5py.File, at: Path) -> None:
    group = file.create_group("a")
    group["again"] = group
    group["root"] = file["/"]
    file["soft"] = h5py.SoftLink("/soft")
    file["main"] = h5py.SoftLink("/main")


def _bomb(file: h5py.File, at: Path) -> None:
    """A chunk of 24 × 20 × 4 whose deflate stream unpacks to 1 GB."""
    data = file.create_dataset(
        "main", IMAGE.shape, np.uint8, chunks=IMAGE.shape, compression="gzip"
    )
    data.id.write_direct_chunk((0, 0, 0), zeros(1 << 30, wbits=15))


def _true_bomb(file: h5py.File, at: Path) -> None:
    data = file.create_dataset(
        "main", (1, 32_000, 32_000), np.uint8, chunks=(1, 32_000, 32_000), compression="gzip"
    )
    data.id.write_direct_chunk((0, 0, 0), zeros(1 << 30, wbits=15))


def _deep_groups(file: h5py.File, at: Path) -> None:
    group = file
    for _ in range(3000):
        group = group.create_group("a")


def _many_names(file: h5py.File, at: Path) -> None:
    for n in range(3000):
        file.create_dataset(f"{n}" + "<img src=x>\n\x1b[31m" * 10, shape=(2,), dtype="u1")


def h5s() -> dict[str, Make]:
    made = {
        "external link": lambda f, at: f.__setitem__(
            "main", h5py.ExternalLink(at / "secret.h5", "main")
        ),
        "external storage": lambda f, at: f.create_dataset(
            "main", IMAGE.shape, np.uint8, external=[(str(at / "secret.raw"), 0, IMAGE.size)]
        ),
        "virtual": _virtual,
        "loop": _loop,
        "bomb": _bomb,
        "true bomb": _true_bomb,
        "absurd": lambda f, at: f.create_dataset(
            "main", (1 << 62, 1, 1), np.uint8, chunks=(1, 1, 1)
        ),
        "absurd all": lambda f, at: f.create_dataset(
            "main", (1 << 20, 1 << 20, 1 << 20), np.uint8, chunks=(64, 64, 64)
        ),
        "wide chunk": lambda f, at: f.create_dataset(
            "main", (4, 100, 100), np.uint8, chunks=(4, 30_000, 30_000), maxshape=(None,) * 3
        ),
        "opaque": lambda f, at: f.create_dataset("main", (4, 20, 24), np.dtype("V1000000")),
        "text": lambda f, at: f.create_dataset("main", (4, 20, 24), h5py.string_dtype()),
        "reference": lambda f, at: f.create_dataset("main", (4, 20, 24), h5py.ref_dtype),
        "ragged": lambda f, at: f.create_dataset("main", (4, 20, 24), h5py.vlen_dtype(np.uint8)),
        "enum": lambda f, at: f.create_dataset("main", (4, 20, 24), h5py.enum_dtype({"a": 1})),
        "deep": _deep_groups,
        "many names": _many_names,
        "empty": lambda f, at: f.create_dataset("main", data=h5py.Empty("u1")),
        "none": lambda f, at: f.create_dataset("main", (0, 20, 24), np.uint8),
    }
    return {f"hdf5 {k}": h5(write) for k, write in made.items()}


# --- Zarr in a zip


def zarr3(
    shape: Any = (4, 20, 24),
    chunk: Any = (4, 20, 24),
    *,
    codecs: Any = None,
    kind: Any = "uint8",
    **more: Any,
) -> dict[str, Any]:
    return {
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": kind, "fill_value": 0,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default"}, "codecs": codecs or [{"name": "bytes"}],
        "attributes": {},
    } | more  # fmt: skip


def zarr_zip(meta: Any, chunk: bytes | None = None, *, text: str | None = None) -> Make:
    def make(at: Path) -> Path:
        inside = {"i.zarr/zarr.json": (text or json.dumps(meta)).encode()}
        if chunk is not None:
            inside["i.zarr/c/0/0/0"] = chunk
        with zipfile.ZipFile(at / "i.zip", "w") as archive:
            for name, data in inside.items():
                archive.writestr(name, data)
        return at / "i.zip"

    return make


def zarrs() -> dict[str, Make]:
    import imagecodecs

    shard = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [1, 1, 1],
            "codecs": [{"name": "bytes"}],
            "index_codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                {"name": "crc32c"},
            ],
        },
    }
    multi = {
        "attributes": {
            "ome": {
                "version": "0.5",
                "multiscales": [
                    {
                        "axes": [{"name": a, "type": "space", "unit": "nanometer"} for a in "zyx"],
                        "datasets": [
                            {
                                "path": "0",
                                "coordinateTransformations": [
                                    {"type": "scale", "scale": [1e999, -1, 0]}
                                ],
                            }
                        ],
                    }
                ],
            }
        },
        "zarr_format": 3,
        "node_type": "group",
    }
    blosc = struct.pack("<BBBBIII", 2, 1, 0x01, 1, (1 << 31) - 1, 1 << 18, 100) + bytes(84)
    gz = [{"name": "bytes"}, {"name": "gzip", "configuration": {"level": 5}}]
    return {
        "zarr absurd": zarr_zip(zarr3([1 << 60, 1 << 60, 1 << 60])),
        "zarr absurd chunk": zarr_zip(zarr3([4, 20, 24], [1 << 40, 1 << 40, 1 << 40])),
        "zarr chunk 30000": zarr_zip(zarr3([4, 20, 24], [40, 30_000, 30_000]), b"abc"),
        "zarr negative": zarr_zip(zarr3([-4, 20, 24])),
        "zarr text": zarr_zip(zarr3(["a", {}, None])),
        "zarr chunk 0": zarr_zip(zarr3([4, 20, 24], [0, 0, 0])),
        "zarr no codec": zarr_zip(zarr3(codecs=[{"name": "<b>x</b>\n"}])),
        "zarr kind": zarr_zip(zarr3(kind={"a": [1] * 1000})),
        "zarr short chunk": zarr_zip(zarr3(), b"abc"),
        "zarr long chunk": zarr_zip(zarr3(), bytes(1 << 24)),
        "zarr gzip bomb": zarr_zip(zarr3(codecs=gz), zeros(MANY)),
        "zarr zstd bomb": zarr_zip(
            zarr3(codecs=[{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 1}}]),
            imagecodecs.zstd_encode(bytes(1 << 26)) * 8,
        ),
        "zarr blosc bomb": zarr_zip(
            zarr3(
                codecs=[
                    {"name": "bytes"},
                    {
                        "name": "blosc",
                        "configuration": {
                            "cname": "lz4",
                            "clevel": 5,
                            "shuffle": "noshuffle",
                            "typesize": 1,
                            "blocksize": 0,
                        },
                    },
                ]
            ),
            blosc,
        ),
        "zarr shards of voxels": zarr_zip(
            zarr3([1000, 1000, 1000], [1000, 1000, 1000], codecs=[shard]), bytes(1000)
        ),
        "zarr deep json": zarr_zip(None, text="[" * 200_000),
        "zarr deep object": zarr_zip(None, text='{"a":' * 200_000),
        "zarr number": zarr_zip(None, text='{"zarr_format": ' + "9" * 100_000 + "}"),
        "zarr attributes": zarr_zip(zarr3() | {"attributes": [1, 2]}),
        "zarr attributes ome": zarr_zip(
            {"zarr_format": 3, "node_type": "group", "attributes": {"ome": 7}}
        ),
        "zarr multiscales": zarr_zip(
            {
                "zarr_format": 3,
                "node_type": "group",
                "attributes": {
                    "ome": {"version": "0.5", "multiscales": [{"datasets": 3, "axes": [7]}]}
                },
            }
        ),
        "zarr scale": zarr_zip(multi),
        "zarr key encoding": zarr_zip(
            zarr3(chunk_key_encoding={"name": "default", "configuration": {"separator": "../"}})
        ),
    }


def zarr_outside(at: Path) -> Path:
    """A level that lies outside of the zip's folder."""
    level = {
        "path": "../../../../etc",
        "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}],
    }
    axes = [{"name": a, "type": "space"} for a in "zyx"]
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {
            "ome": {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
        },
    }
    return zarr_zip(group)(at)


def zarr_json_big(at: Path) -> Path:
    """Metadata of 256 MB in 256 kB."""
    return _zip(at, {"i.zarr/zarr.json": b" " * (1 << 28)})


# --- names


def named(name: str, *, link: bool = False) -> Make:
    def make(at: Path) -> Path:
        path = _zip(at, {f"i{n}.png": files.png(IMAGE[n]) for n in range(4)})
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo(name)
            info.filename = name
            info.external_attr = (0o120777 if link else 0o100644) << 16
            archive.writestr(info, b"/etc/passwd" if link else files.png(IMAGE[0]))
        return path

    return make


ALL: dict[str, Make] = {
    "zip in zip": zip_in_zip,
    "zip of zeros": zip_of_zeros,
    "zip of many": zip_of_many,
    "zip overlapping": zip_overlapping,
    "npz declared small": npz_declared_small,
    "npy pickle": npy_pickle,
    "npz pickle": npz_pickle,
    "plain pickle": npy_plain_pickle,
    "npy header length": npy_header_length,
    **npys(),
    **niftis(),
    "gzip of zeros": gzip_of_zeros,
    "gzip by header": gzip_by_header,
    "gzip wide": gzip_wide,
    "gzip in gzip": gzip_in_gzip,
    "gzip offset": gzip_offset,
    "gzip members": gzip_members,
    **pngs(),
    **tiffs(),
    **h5s(),
    **zarrs(),
    "zarr outside": zarr_outside,
    "zarr json big": zarr_json_big,
    "name ..": named("../../i9.png"),
    "name absolute": named("/etc/i9.png"),
    "name drive": named("C:\\i9.png"),
    "name backslash": named("a\\..\\..\\i9.png"),
    "name link": named("i9.png", link=True),
    "name html": named("<img src=x onerror=alert(1)>.png"),
    "name control": named("a\n\x1b[31m\u202egnp.9.png.txt"),
    "name empty": named("/"),
    "name nul": named("i9\0.png"),
    "name long": named("x" * 60_000 + "9.png"),
}
