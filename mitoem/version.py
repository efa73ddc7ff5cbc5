"""The version of the project, and of what its numbers depend on."""

from importlib.metadata import version

VERSION = "0.1.0"


def versions() -> dict[str, str]:
    """Versions of the project and of the libraries that numbers depend on."""
    found = {name: version(name) for name in ("numpy", "scipy", "scikit-image", "tensorstore")}
    return {"mitoem": VERSION} | found
