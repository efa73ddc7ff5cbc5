"""The few style rules that the theme cannot say, and the mark of the project."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_ASSETS = Path(__file__).parents[1] / "assets"

ICON = str(_ASSETS / "icon.svg")
LOGO = str(_ASSETS / "logo.svg")

FONT = '"Source Sans", "Source Sans 3", sans-serif'
"""The pages' own type, for plots."""

_CSS = """
<style>
.stMainBlockContainer { padding: 3.2rem 2rem 1rem; max-width: 1900px; }
[data-testid="stHeader"], [data-testid="stHeader"] > * { height: 3rem; min-height: 3rem; }
[data-testid="stCaptionContainer"] { opacity: 1;
  color: color-mix(in srgb, light-dark(#17212a, #e6ecee) 74%, transparent); }
[data-testid="stCaptionContainer"] :not(a) { color: inherit; }
[data-testid="stCode"] .token:is(.comment, .punctuation) {
  color: light-dark(#5a676f, #93a4ac) !important; }
[data-testid="stCode"] .token.operator { color: light-dark(#a34700, #f0a35e) !important; }
[data-testid="stCode"] .token.string { color: light-dark(#0a6b4a, #43c59e) !important; }
[data-testid="stCode"] .token:is(.parameter, .variable) {
  color: light-dark(#0069a8, #5cc3ee) !important; }
[data-testid="stCode"] .token.function { color: light-dark(#0b5cad, #7ab8ff) !important; }
[data-testid="stAppDeployButton"] { display: none; }
[data-testid="stTopNavLink"]:focus-visible { outline: 2px solid var(--st-primary-color, #0b6b74);
  outline-offset: 1px; }
.st-key-frame { padding-bottom: .4rem; margin-bottom: -.35rem;
  border-bottom: 1px solid color-mix(in srgb, currentColor 16%, transparent);
  flex-wrap: nowrap !important; overflow-x: auto; }
.st-key-frame > div { flex: 0 0 auto; }
[class*="st-key-facts_"] :is(th, td):nth-child(1) { width: 13%; }
[class*="st-key-facts_"] :is(th, td):nth-child(2) { width: 17%; }
[class*="st-key-facts_"] :is(th, td):nth-child(4) { width: 6%; }
[class*="st-key-facts_"] :is(th, td):nth-child(5) { width: 8%; }
[class*="st-key-facts_"] :is(th, td):nth-child(6) { width: 21%; }
[class*="st-key-facts_"] table { table-layout: fixed; }
[class*="st-key-rows_"] [data-testid="stElementToolbar"],
body:has([class*="st-key-rows_"] [data-testid="stDataFrame"])
  [data-testid="stDataFrameColumnMenu"] [role="menu"] > :is(:nth-child(2), :nth-child(3)) {
  display: none; } /* the page has columns, downloads and an order of its own */
.st-key-filter_chips button { min-height: 1.7rem; padding: 0 .55rem; font-size: .8rem; }
.st-key-filter_chips button p { font-size: .8rem; }
[data-testid="stButtonGroup"] > div { flex-wrap: wrap; row-gap: .25rem; }
.st-key-help_keys { max-width: 46rem; }
.st-key-help_versions { max-width: 46rem; }
.st-key-metrics_table table { table-layout: fixed; }
.st-key-metrics_table :is(th, td):nth-child(1) { width: 30%; }
.st-key-metrics_table :is(th, td):nth-child(2) { width: 8%; }
[data-testid="stTable"] td [data-testid="stMarkdownContainer"] { max-width: none; }
button[kind^="primary"]:enabled, button[kind^="primary"]:enabled :is(p, span) {
  color: light-dark(#ffffff, #0f1518); }
h1 { padding: .2rem 0 .4rem !important; }
h1, h2, h3 { letter-spacing: -0.01em; }
</style>
"""


BUTTON = """
button { font: inherit; font-size: .875rem; height: 2.5rem; padding: 0 .75rem; width: 100%;
  color: var(--st-text-color); background: var(--st-background-color); cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius, .35rem);
  white-space: nowrap; }
button:hover, button:focus-visible { border-color: var(--st-primary-color);
  color: var(--st-primary-color); outline: none; }
"""
"""Of a button inside a component, where the rules of the page do not reach."""


def apply() -> None:
    """Put the rules on the page; they hold no data."""
    st.html(_CSS)
    st.logo(LOGO, size="large", link=None)
