"""Widgets whose state is the address: a link shows what its sender saw, and "back" goes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

_RESET = ("after",)
"""What no longer holds once a filter changed."""


def choose(
    place: DeltaGenerator,
    label: str,
    known: Sequence[str],
    name: str,
    *,
    shown: Callable[[str], str],
    visible: bool = True,
) -> str:
    """Offer values under a parameter of the address; the empty text means none. An unknown value asked for
    stays offered.
    """
    asked = st.query_params.get(name, "")
    options = ["", *known, *([asked] if asked and asked not in known else [])]
    key = f"choose_{name}"
    st.session_state[key] = asked
    return place.selectbox(
        label,
        options,
        format_func=shown,
        key=key,
        on_change=_write,
        args=(key, name),
        label_visibility="visible" if visible else "collapsed",
    )


def search(place: DeltaGenerator, label: str, name: str, *, hint: str) -> str:
    """Offer a text under a parameter of the address."""
    key = f"search_{name}"
    st.session_state[key] = st.query_params.get(name, "")
    return place.text_input(
        label, placeholder=hint, key=key, on_change=_write, args=(key, name), icon=":material/search:"
    )


def _write(key: str, name: str) -> None:
    """Streamlit calls this before the page runs again."""
    value = str(st.session_state[key] or "").strip()
    state = {one: given for one, given in st.query_params.to_dict().items() if one not in {name, *_RESET}}
    if value:
        state[name] = value
    st.query_params.from_dict(state)
