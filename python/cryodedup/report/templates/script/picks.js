// The particles of a row of a long table, with the image of the micrograph where the page has it; `given` is what the table was made from.
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const drawn = (tag, attributes, ...content) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
};
const LONGEST = 920;
const MANY = 800;
const opener = (place, given, names) => {
  const { unit, inputs, frames, frame_of: frameOf, images } = given.drawings;
  const [places, sources] = [given.drawings.places, given.drawings.sources].map(bytesOf);
  const [counts, kept] = given.columns;
  const starts = [0];
  for (const k of frameOf.keys()) starts.push(starts[k] + counts[k]);
  const panel = make("figure", { class: "opened", hidden: "", tabindex: "-1" });
  place.append(panel);
  // Circles and crosses of one colour as one path each.
  const marks = (k, size) => {
    const radius = counts[k] < MANY ? 5 : 2.5;
    const circle = `m${-radius} 0a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;
    const cross = `m${-radius} ${-radius}l${2 * radius} ${2 * radius}m${-2 * radius} 0l${2 * radius} ${-2 * radius}`;
    const paths = new Map();
    for (let i = 0; i < counts[k]; i += 1) {
      const at = starts[k] + i;
      const [a, b, c] = places.subarray(3 * at, 3 * at + 3);
      const stays = i < kept[k];
      const paint = inputs.length > 1 ? inputs[Math.min(sources[at], inputs.length - 1)][1] : stays ? "first" : "mark";
      const x = (((a << 4) | (b >> 4)) / 4095) * size[0];
      const y = (1 - (((b & 15) << 8) | c) / 4095) * size[1];
      const path = `${stays ? "circles" : "crosses"} ${paint}`;
      paths.set(path, `${paths.get(path) ?? ""}M${x.toFixed(1)} ${y.toFixed(1)}${stays ? circle : cross}`);
    }
    return [...paths].map(([path, d]) => drawn("path", { d, class: `line stroke-${path.split(" ")[1]}` }));
  };
  const drawing = (k) => {
    const [left, right, bottom, top] = frames[frameOf[k]];
    const scale = LONGEST / Math.max(right - left, top - bottom);
    const size = [(right - left) * scale, (top - bottom) * scale];
    const [address, width, height] = images[k] ?? ["", 0, 0];
    const image = { href: address, x: -left * scale, y: (top - height) * scale, width: width * scale, height: height * scale };
    const label = `${given.heads[2]} particles as circles, ${given.heads[3]} as crosses`;
    return drawn("svg", { class: "chart", role: "img", "aria-label": label, viewBox: `0 0 ${size[0]} ${size[1]}`, style: `max-width:${size[0]}px` },
      ...(address ? [drawn("image", { ...image, preserveAspectRatio: "none", opacity: "0.5" })] : []),
      drawn("rect", { width: size[0], height: size[1], class: "axis" }), ...marks(k, size));
  };
  const caption = (k) => {
    const [left, right, bottom, top] = frames[frameOf[k]];
    const words = `○ ${plain(kept[k])} ${given.heads[2]}, × ${plain(counts[k] - kept[k])} ${given.heads[3]}. `
      + `The frame is ${[right - left, top - bottom].map((side) => plain(Number(side.toPrecision(4)))).join(" x ")} ${unit}.`
      + (images.length && !images[k]?.[0] ? " Its image is not in this page." : "");
    const symbol = (paint) => drawn("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, drawn("circle", { cx: 6, cy: 6, r: 4, class: `line stroke-${paint}` }));
    const keys = inputs.length > 1 ? inputs.map(([name, paint]) => make("span", { class: "key" }, symbol(paint), ` ${name}`)) : [];
    return make("figcaption", {}, words, ...(keys.length ? [make("br"), ...keys] : []));
  };
  return (k) => {
    const close = make("button", { type: "button" }, "Close");
    close.addEventListener("click", () => { panel.hidden = true; place.querySelector(".window").focus(); });
    const left = `The particles of this ${given.heads[0]} are not in this page, which would become too large. Draw them in Python: result.plot_micrograph(${JSON.stringify(names[k])})`;
    panel.replaceChildren(make("h3", {}, names[k], " ", close), ...(k < frameOf.length ? [drawing(k), caption(k)] : [make("p", { class: "note" }, left)]));
    panel.hidden = false;
    panel.focus({ preventScroll: true });
    panel.scrollIntoView({ block: "nearest" });
  };
};
