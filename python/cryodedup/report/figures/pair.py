"""Two micrographs of a pair, superimposed as on their card in the gallery."""

from __future__ import annotations

from cryodedup.report.cards import Card, Rectangle
from cryodedup.report.figure import Figure
from cryodedup.report.svg import WIDTH, Drawing, Svg, element, joined


def draw(card: Card) -> Figure:
    """Draws the second micrograph, half transparent, on the first; dashed: their overlap."""
    height = WIDTH / card.aspect

    def drawn(tag: str, rectangle: Rectangle, **attributes: str | float) -> Svg:
        left, top, width, tall = rectangle
        sides = {"width": 0.01 * width * WIDTH, "height": 0.01 * tall * height}
        return element(tag, x=0.01 * left * WIDTH, y=0.01 * top * height, **sides, **attributes)

    pictures = [
        drawn("image", rectangle, preserveAspectRatio="none", opacity=opacity, **{"xlink:href": address})
        for rectangle, address, opacity in zip(card.frames, card.raw, (1.0, 0.5), strict=True)
    ]
    overlap = drawn("rect", card.overlap, class_="line stroke-mark dashed")
    facts = "; ".join(f"{name}: {value}" for name, value in card.facts)
    first, second = card.names
    body = joined([*pictures, overlap])
    drawing = Drawing(WIDTH, height, f"{second} on {first}", body)
    return Figure(f"pair_{card.number}", (drawing,), f"{second} on {first}, at the measured shift. {facts}.")
