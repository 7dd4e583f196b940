"""The page of a report: plain HTML that needs no other file."""

from __future__ import annotations

import html
from collections.abc import Sequence

CSS = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2937; max-width: 1020px; margin: 2.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.25rem; margin: 2.4rem 0 .3rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.note, figcaption { color: #6b7280; font-size: .86rem; margin: .2rem 0 .8rem; }
h2 { border-top: 1px solid #e5e7eb; padding-top: 1.2rem; }
table { border-collapse: collapse; margin: .6rem 0 1rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .28rem 1.1rem .28rem 0; border-bottom: 1px solid #e5e7eb; }
th { font-weight: 600; color: #6b7280; font-size: .86rem; }
img, video { max-width: 100%; display: block; margin: .4rem 0; }
.clips { display: grid; grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); gap: 0 1rem; }
figure { margin: 0 0 .6rem; } video { width: 100%; background: #111; }
"""


def page(title: str, subtitle: str, parts: Sequence[str]) -> str:
    """The whole file."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{CSS}</style></head><body>'
        f'<h1>{html.escape(title)}</h1><p class="note">{html.escape(subtitle)}</p>'
        + "\n".join(parts)
        + "</body></html>\n"
    )


def section(title: str, body: str, note: str = "") -> str:
    """A heading, a remark in grey, and HTML."""
    remark = f'<p class="note">{html.escape(note)}</p>' if note else ""
    return f"<section><h2>{html.escape(title)}</h2>{remark}{body}</section>"


def table_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
