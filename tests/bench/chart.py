# SPDX-License-Identifier: Apache-2.0
"""Line charts on logarithmic axes, as SVG."""

import math
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 620, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 142, 40, 46
# On a dark page: the same hues, on black.
DARK = "@media (prefers-color-scheme: dark) { svg > g { filter: invert(0.92) hue-rotate(180deg) } }"
FONT = 'font-family="system-ui, sans-serif"'
STYLES = {  # colour, width, dashes
    "C": ("#0b57d0", 2.6, ""),
    "Go": ("#00875a", 2.6, ""),
    "tokio": ("#c4441c", 1.8, ""),
    "smol": ("#8e44ad", 1.8, ""),
    "goroutines": ("#b8860b", 1.8, ""),
    "touch": ("#808080", 1.4, "4 3"),
}
NAMES = {"C": "Pillion, C", "Go": "Pillion, Go", "touch": "a memory access"}


class Panel(NamedTuple):
    title: str
    what: str  # counted on the x axis
    lines: dict  # name: [(x, y)]


class Axis(NamedTuple):
    """Maps a range of values, by their logarithm, to one of the picture."""
    least: float
    most: float
    start: float
    end: float

    def at(self, value):
        span = math.log10(self.most / self.least)
        return self.start + (self.end - self.start) * math.log10(value / self.least) / span


def text(x, y, what, size=11, anchor="middle", colour="#444", more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}" {FONT} {more}>{escape(what)}</text>')


def power(n):
    """10 to the n, as one writes it."""
    return "10" + str(n).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def number(n):
    return f"{n / 1000:g} µs" if n >= 1000 else f"{n:g}"


def bounds(lines):
    values = [y for points in lines.values() for _, y in points]
    least = 10 ** math.floor(math.log10(min(values)))
    most = 10 ** math.ceil(math.log10(max(values)))
    return least, max(most, 10 * least)


def grid(panel, xs, ys):
    yield text(LEFT, 22, panel.title, 15, "start", "#111", 'font-weight="600"')
    decade = ys.least
    while decade <= ys.most * 1.001:
        for step, colour in ((1, "#d0d0d0"), (2, "#eeeeee"), (5, "#eeeeee")):
            value = decade * step
            if value > ys.most * 1.001:
                break
            y = ys.at(value)
            yield (f'<line x1="{LEFT}" x2="{xs.end:.1f}" y1="{y:.1f}" y2="{y:.1f}" '
                   f'stroke="{colour}"/>')
            if step == 1:
                yield text(LEFT - 7, y + 4, number(value), anchor="end")
        decade *= 10
    for n in range(round(math.log10(xs.least)), round(math.log10(xs.most)) + 1):
        x = xs.at(10**n)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ys.end}" y2="{ys.start + 4}" stroke="#e4e4e4"/>'
        yield text(x, ys.start + 18, power(n))
    yield text((xs.start + xs.end) / 2, HEIGHT - 8, panel.what)
    yield text(15, (ys.start + ys.end) / 2, "ns for each", more=(
        f'transform="rotate(-90 15 {(ys.start + ys.end) / 2:.1f})"'))


def spread(labels, gap=12.5):
    """Moves labels apart that would lie on each other."""
    labels = sorted(labels)
    for i in range(1, len(labels)):
        if labels[i][0] < labels[i - 1][0] + gap:
            labels[i] = (labels[i - 1][0] + gap, *labels[i][1:])
    return labels


def draw(panel):
    xvalues = [x for points in panel.lines.values() for x, _ in points]
    xs = Axis(min(xvalues), max(xvalues), LEFT + 8, WIDTH - RIGHT)
    ys = Axis(*bounds(panel.lines), HEIGHT - BOTTOM, TOP)
    yield from grid(panel, xs, ys)
    labels = []
    for name, points in panel.lines.items():
        colour, width, dashes = STYLES[name]
        path = " ".join(f"{xs.at(x):.1f},{ys.at(y):.1f}" for x, y in points)
        yield (f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
               f'stroke-dasharray="{dashes}" stroke-linejoin="round"/>')
        for x, y in points:
            yield f'<circle cx="{xs.at(x):.1f}" cy="{ys.at(y):.1f}" r="2.8" fill="{colour}"/>'
        labels.append((ys.at(points[-1][1]) + 4, name, colour, points[-1][1]))
    for y, name, colour, value in spread(labels):
        shown = f"{value:.0f}" if value >= 10 else f"{value:.1f}"
        yield text(xs.end + 8, y, f"{NAMES.get(name, name)} {shown}", 11, "start", colour)


def page(panels, columns, notes):
    """All panels in one picture, with the notes below them."""
    bottom = -(-len(panels) // columns) * HEIGHT
    width, height = columns * WIDTH, bottom + 16 * len(notes) + 10
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             f'width="{width}" height="{height}">', f"<style>{DARK}</style>", "<g>",
             f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    for i, panel in enumerate(panels):
        x, y = i % columns * WIDTH, i // columns * HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *draw(panel), "</g>"]
    for i, note in enumerate(notes):
        parts.append(text(LEFT, bottom + 10 + 16 * i, note, 11, "start", "#666"))
    return "\n".join([*parts, "</g>", "</svg>\n"])
