// One place of a micrograph after the other: in the enlargement, as a frame in the whole, and in words.
for (const figure of all("figure.spots")) {
  const turn = figure.querySelector(".turn");
  if (!turn) continue;
  const count = all("p.spot", figure).length;
  let at = 0;
  for (const button of all("button", turn)) {
    button.addEventListener("click", () => {
      at = (at + Number(button.dataset.turn) + count) % count;
      for (const one of all("[data-spot]", figure)) {
        const shown = Number(one.dataset.spot) === at;
        if (one instanceof SVGElement) one.setAttribute("display", shown ? "inline" : "none");
        else one.hidden = !shown;
      }
    });
  }
}
