"""Signing in by OpenID Connect, as Streamlit does it: one session for the pages and the routes.

Configured by the section ``[auth]`` of Streamlit's ``secrets.toml``; without it nobody signs in.
What is private to Streamlit about its cookie is used here alone.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.auth_util import (
    get_cookie_with_chunks,
    get_origin_from_redirect_uri,
    get_secrets_auth_section,
)
from streamlit.errors import StreamlitAuthError
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from mitoem import access, catalog
from mitoem.errors import AccessInvalid, SignInNeeded, VolumeInvalid
from mitoem.server import tokens
from mitoem.server.admission import HERE, network
from mitoem.ui import style

SHORTEST = 32
FEWEST_LETTERS = 10
"""Letters of a secret, and different ones among them, at least: no word, and no filler."""

ALONE = "default"
"""Streamlit's name of a provider that has none."""

_LEAVE_JS = """
export default function ({ parentElement, setTriggerValue, data }) {
  const button = parentElement.querySelector("button");
  button.textContent = data.text;
  button.onclick = () => {
    sessionStorage.setItem("mitoem_return", window.location.href);
    setTriggerValue("leave", true);
  };
}
"""
_RETURN_JS = """
export default function () {
  const there = sessionStorage.getItem("mitoem_return");
  sessionStorage.removeItem("mitoem_return");
  if (there && there !== window.location.href) window.location.replace(there);
}
"""
"""The provider leads back to the first page; this leads on to where the person left."""


@cache
def enabled() -> bool:
    """Whether people can sign in here, as it was when the server started.

    Raises AccessInvalid for secrets that do not parse, or sign with what others may know: a server
    that was meant to be closed does not start open.
    """
    for path in map(Path, st.get_option("secrets.files")):
        if path.is_file():
            try:
                tomllib.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise AccessInvalid(f"{path.name}: expected TOML, found: {error}") from error
    section = get_secrets_auth_section()
    given = str(section.get("cookie_secret", ""))
    if section and (len(given) < SHORTEST or len(set(given)) < FEWEST_LETTERS):
        raise AccessInvalid(
            f"[auth] cookie_secret: expected at least {SHORTEST} letters, {FEWEST_LETTERS} of them "
            f"different, found {len(given)} and {len(set(given))}; "
            'python -c "import secrets; print(secrets.token_hex(32))" prints some'
        )
    return bool(section)


def secret() -> str:
    """What the server signs with."""
    return get_cookie_secret()


def _key() -> str:
    """What names people are made with: of the data root, or of this server where none is kept."""
    try:
        return access.key(catalog.from_environment().writable)
    except (OSError, VolumeInvalid):
        return secret()


def who(cookies: Mapping[str, str]) -> str | None:
    """The person whose sign-in the cookies of a request show, for the routes."""
    if USER_COOKIE_NAME not in cookies or not enabled():
        return None

    def one(name: str) -> bytes | None:
        value = cookies.get(name)
        return decode_signed_value(secret(), name, value) if value else None

    try:
        claims = json.loads(get_cookie_with_chunks(one, USER_COOKIE_NAME) or b"{}")
    except ValueError:
        return None
    if not isinstance(claims, dict) or claims.get("origin") != get_origin_from_redirect_uri():
        return None
    return access.person(claims, _key())


def user() -> str | None:
    """The person who looks at this page; None for a stranger, and where nobody signs in."""
    return access.person(st.user.to_dict(), _key()) if enabled() else None


def stranger() -> bool:
    """Whether this person could sign in and has not: they look, and change nothing."""
    return enabled() and user() is None


def need(what: str) -> None:
    """Raise SignInNeeded for a stranger; ``what`` is what they wanted."""
    if stranger():
        raise SignInNeeded(f"sign in to {what}")


def client() -> str:
    """Who works here, for their share of the server: a person, else an address, by names that tell
    nothing of them; empty on the machine itself.
    """
    told = st.context.ip_address
    host = network(told) if isinstance(told, str) else HERE
    return user() or (access.pseudonym(_key(), host) if host != HERE else "")


def token(volume: str) -> str:
    """What lets this person's other programs read a volume that is for those who have signed in;
    empty for a volume that everyone may see who knows its name.
    """
    name = user()
    if name is None or catalog.may_see(volume, None):
        return ""
    return tokens.issue(secret(), volume, name)


def control() -> None:
    """Sign in, or who is signed in and the way out; nothing where nobody signs in."""
    if not enabled():
        return
    if user() is not None:
        told = st.user.to_dict()
        with st.popover(str(told.get("name") or told.get("email") or "Signed in")[:24]):
            st.caption(f"Signed in as {told.get('email') or told.get('name') or told['sub']}")
            st.button("Sign out", key="sign_out", on_click=st.logout, width="stretch")
        st.components.v2.component("mitoem_return", html="<i></i>", js=_RETURN_JS)(
            key="return", height=1, width=1
        )
        return
    names = _providers()
    if len(names) == 1:
        _enter(names[0], "Sign in")
        return
    with st.popover("Sign in"):
        for name in names:
            _enter(name, name.capitalize())


def _providers() -> list[str]:
    section = get_secrets_auth_section().to_dict()
    named = [name for name, one in section.items() if isinstance(one, dict) and "client_id" in one]
    return named if "client_id" not in section else [ALONE, *named]


def _enter(provider: str, text: str) -> None:
    leave = st.components.v2.component(
        "mitoem_sign_in", html="<button type=button></button>", css=style.BUTTON, js=_LEAVE_JS
    )
    pressed = leave(
        key=f"sign_in_{provider}", data={"text": text}, width=105, on_leave_change=lambda: None
    )
    if pressed.leave:
        try:
            st.login(None if provider == ALONE else provider)
        except StreamlitAuthError as error:
            st.toast(f"Sign-in is not set up: {error}", icon=":material/error:")
