"""A picture of some lines, as SVG, with both axes logarithmic or the upward one from nought."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 400
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 48, 56
COLOURS: Final = ("#1565c0", "#c62828", "#2e7d32", "#6a1b9a")


def lines(path: Path, series: Mapping[str, Mapping[int, float]], *, title: str, across: str, up: str) -> None:
    """Draw each series; across is logarithmic, up begins at nought."""
    xs = sorted({x for line in series.values() for x in line})
    top = _round_up(max(y for line in series.values() for y in line.values()))
    low, high = math.log10(xs[0]), math.log10(xs[-1])

    def x_at(x: float) -> float:
        return LEFT + (math.log10(x) - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT)

    def y_at(y: float) -> float:
        return HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" font-size="16">{title}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{across}</text>',
        f'<text transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">{up}</text>',
    ]
    for step in range(5):
        y = top * step / 4
        parts.append(
            f'<path d="M{LEFT} {y_at(y):.1f}H{WIDTH - RIGHT}" stroke="#e0e0e0"/>'
            f'<text x="{LEFT - 8}" y="{y_at(y) + 4:.1f}" text-anchor="end">{y:g}</text>'
        )
    parts += [f'<text x="{x_at(x):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{x:,}</text>' for x in xs]
    for colour, (name, line) in zip(COLOURS, series.items(), strict=False):
        points = [(x_at(x), y_at(y)) for x, y in sorted(line.items())]
        path_text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path_text}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        parts.append(f'<text x="{points[-1][0] + 10:.1f}" y="{points[-1][1] + 4:.1f}" fill="{colour}">{name}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def _round_up(value: float) -> float:
    step = 10.0 ** math.floor(math.log10(value))
    return next(step * many for many in (1, 2, 4, 6, 8, 10) if step * many >= value)
