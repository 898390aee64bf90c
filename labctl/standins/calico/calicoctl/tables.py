"""The two layouts of calicoctl's output: boxes (``node status``) and columns (``get``).

They follow the Go libraries that calicoctl prints with: olekukonko/tablewriter v0.0.5 and text/tabwriter.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

_WIDEST_CELL = 30  # tablewriter's MAX_ROW_WIDTH
_NARROWEST_COLUMN = 5  # tabwriter.NewWriter(os.Stdout, 5, 1, 3, ' ', 0)
_COLUMN_GAP = 3

Row = Sequence[str]


def box(header: Row, rows: Sequence[Row]) -> str:
    """A table in a frame. Headers in capitals and centred; cells longer than 30 characters are wrapped."""
    wrapped = [[textwrap.wrap(cell, _WIDEST_CELL, break_long_words=False) or [""] for cell in row] for row in rows]
    titles = [title.upper() for title in header]
    widths = [max(len(title), *(len(line) for row in wrapped for line in row[n])) for n, title in enumerate(titles)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [rule, _framed([_centred(title, width) for title, width in zip(titles, widths, strict=True)]), rule]
    for row in wrapped:
        for n in range(max(len(cell) for cell in row)):
            cells = [cell[n] if n < len(cell) else "" for cell in row]
            lines.append(_framed([cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]))
    return "\n".join([*lines, rule, ""])


def columns(header: Row, rows: Sequence[Row]) -> str:
    """A table of columns, three blanks between them, and an empty line after it."""
    table = [header, *rows]
    widths = [max(_NARROWEST_COLUMN, *(len(row[n]) + _COLUMN_GAP for row in table)) for n in range(len(header))]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + "\n" for row in table
    ) + ("\n")


def _framed(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"


def _centred(text: str, width: int) -> str:
    """The odd blank goes to the right."""
    gap = width - len(text)
    return " " * (gap // 2) + text + " " * (gap - gap // 2)
