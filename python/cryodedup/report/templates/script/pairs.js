// Two superimposed images blink while the mouse is over them, or from one click to the next; "b" blinks all.
const stages = all(".stage");
let blinking = false;
let phase = false;
// Nothing moves by itself for those who asked their system for that; a click still makes a pair blink.
const hovers = matchMedia("(hover: hover)").matches && !matchMedia("(prefers-reduced-motion: reduce)").matches;
const blinks = (stage) => blinking || stage.dataset.blink === "on" || (hovers && stage.matches(":hover") && stage.dataset.blink !== "off");
setInterval(() => {
  phase = !phase;
  for (const stage of stages) {
    const on = blinks(stage);
    stage.classList.toggle("first", on && phase);
    stage.classList.toggle("alone", on && !phase);
  }
}, 450);
// Below each pair the overlap from both images, side by side: on paper and on a phone that shows more than the superposition does. A click
// makes a pair as wide as the page.
const box = (element) => ["left", "top", "width", "height"].map((side) => parseFloat(element.style[side]));
for (const stage of stages) {
  const [left, top, width, height] = box(stage.querySelector(".overlap"));
  const aspect = (parseFloat(stage.style.aspectRatio) * width) / height;
  const sides = make("button", { type: "button", class: "sides", "aria-label": "Enlarge this pair", "aria-pressed": "false" });
  sides.addEventListener("click", () => {
    const pair = sides.closest(".pair");
    const large = pair.classList.toggle("large");
    for (const one of all(".sides", pair)) one.setAttribute("aria-pressed", large);
    pair.scrollIntoView({ block: "nearest" });
  });
  for (const image of all("img", stage)) {
    const side = make("span");
    side.style.cssText = `aspect-ratio: ${aspect}; width: min(100%, calc(${aspect} * var(--tall)))`;
    const [x, y, w, h] = box(image);
    const copy = image.cloneNode();
    copy.className = "";
    copy.alt = `Overlap in ${image.alt}`;
    const places = { left: (x - left) / width, top: (y - top) / height, width: w / width, height: h / height };
    for (const [name, share] of Object.entries(places)) copy.style[name] = `${100 * share}%`;
    side.append(copy);
    sides.append(side);
  }
  stage.after(sides);
}
for (const stage of stages) {
  stage.addEventListener("mouseleave", () => { if (stage.dataset.blink === "off") delete stage.dataset.blink; });
  stage.addEventListener("click", () => {
    stage.dataset.blink = stage.dataset.blink === "on" ? "off" : "on";
    stage.setAttribute("aria-pressed", stage.dataset.blink === "on");
  });
}
const pressed = (name, on) => document.getElementById(name)?.setAttribute("aria-pressed", on);
const keys = {
  b: () => { blinking = !blinking; pressed("blink", blinking); },
  r: () => {
    const from = document.activeElement;
    pressed("raw", document.body.classList.toggle("raws"));
    // The pair that had the focus is hidden now: its other picture gets it, and blinks if it blinked.
    for (const pair of all(".pair")) {
      const [filtered, raw] = [pair.querySelector(".stage.filtered"), pair.querySelector(".stage.raw")];
      if (!filtered || !raw) continue;
      const [hidden, shown] = document.body.classList.contains("raws") ? [filtered, raw] : [raw, filtered];
      if (hidden.dataset.blink) shown.dataset.blink = hidden.dataset.blink;
      delete hidden.dataset.blink;
      shown.setAttribute("aria-pressed", shown.dataset.blink === "on");
      if (from === hidden) shown.focus();
    }
  },
};
for (const [key, name] of [["b", "blink"], ["r", "raw"]]) document.getElementById(name)?.addEventListener("click", keys[key]);
if (stages.length) document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches?.("input")) keys[event.key.toLowerCase()]?.();
});
// On paper everything is unfolded.
let folded = [];
addEventListener("beforeprint", () => { folded = all("details:not([open])"); folded.forEach((one) => { one.open = true; }); });
addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
