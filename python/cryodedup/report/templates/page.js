"use strict";
// A click on a column head sorts the table, numbers as numbers (by data-value, if given, else by the text).
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, at) => row.cells[at].dataset.value ?? row.cells[at].textContent.trim();
  const compare = (a, b) => {
    const [x, y] = [a, b].map((text) => (text === "" ? NaN : Number(text.replaceAll(",", ""))));
    return Number.isNaN(x) || Number.isNaN(y) ? String(a).localeCompare(String(b), undefined, { numeric: true }) : x - y;
  };
  heads.forEach((head, at) => {
    head.tabIndex = 0;
    const sort = () => {
      const sign = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => sign * compare(value(a, at), value(b, at))));
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}
// Two superimposed images blink while the mouse is over them, or from one click to the next; "b" blinks all.
const stages = [...document.querySelectorAll(".stage")];
let all = false;
let phase = false;
const hovers = matchMedia("(hover: hover)").matches;
const blinks = (stage) => all || stage.dataset.blink === "on" || (hovers && stage.matches(":hover") && stage.dataset.blink !== "off");
setInterval(() => {
  phase = !phase;
  for (const stage of stages) {
    const on = blinks(stage);
    stage.classList.toggle("first", on && phase);
    stage.classList.toggle("alone", on && !phase);
  }
}, 450);
// Below each pair the overlap from both images, side by side: on paper and on a phone that shows more than the superposition does.
const box = (element) => ["left", "top", "width", "height"].map((side) => parseFloat(element.style[side]));
for (const stage of stages) {
  const [left, top, width, height] = box(stage.querySelector(".overlap"));
  const aspect = (parseFloat(stage.style.aspectRatio) * width) / height;
  const sides = document.createElement("div");
  sides.className = "sides";
  for (const image of stage.querySelectorAll("img")) {
    const side = document.createElement("span");
    side.style.cssText = `aspect-ratio: ${aspect}; width: min(100%, ${11 * aspect}rem)`;
    const [x, y, w, h] = box(image);
    const copy = image.cloneNode();
    copy.className = "";
    const places = { left: (x - left) / width, top: (y - top) / height, width: w / width, height: h / height };
    for (const [name, share] of Object.entries(places)) copy.style[name] = `${100 * share}%`;
    side.append(copy);
    sides.append(side);
  }
  stage.after(sides);
}
for (const stage of stages) {
  stage.addEventListener("mouseleave", () => { if (stage.dataset.blink === "off") delete stage.dataset.blink; });
  stage.addEventListener("click", () => { stage.dataset.blink = stage.dataset.blink === "on" ? "off" : "on"; });
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
document.addEventListener("keydown", (event) => { if (event.key.toLowerCase() === "b" && !event.ctrlKey && !event.metaKey) all = !all; });
