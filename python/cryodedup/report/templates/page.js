"use strict";
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const make = (tag, attributes = {}, ...content) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
};
const plain = (value) => (typeof value === "number" ? value.toLocaleString("en") : value);

// A head of a table is a button that sorts; it says which way. `sort` gets the number of the column and 1 or -1.
const headButton = (head, at, heads, sort) => {
  const button = make("button", { type: "button" }, ...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    sort(at, sign);
  });
};
const compare = (a, b) => {
  const [x, y] = [a, b].map((text) => (text === "" ? NaN : Number(String(text).replaceAll(",", ""))));
  return Number.isNaN(x) || Number.isNaN(y) ? String(a).localeCompare(String(b), undefined, { numeric: true }) : x - y;
};
for (const table of all("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, at) => row.cells[at].dataset.value ?? row.cells[at].textContent.trim();
  const sort = (at, sign) => {
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort((a, b) => sign * compare(value(a, at), value(b, at))));
  };
  heads.forEach((head, at) => headButton(head, at, heads, sort));
}

// A long table: only the rows in its window are elements.
const SPARE = 10;
for (const place of all(".long")) {
  const given = JSON.parse(place.querySelector("script").textContent);
  const names = [];
  given.rests.forEach((rest, k) => names.push(k ? names[k - 1].slice(0, given.shared[k]) + rest : rest));
  const columns = [names, ...given.columns.map((values, k) => (given.numbers[k + 1] ? values : values.map((word) => given.words[word])))];
  const [port, status] = [place.querySelector(".window"), place.querySelector("[role=status]")];
  const table = port.querySelector("table");
  let rows = names.map((_, k) => k);
  let sorted = [0, 0];
  const heads = given.heads.map((text, at) => make("th", { scope: "col", class: given.numbers[at] ? "number" : "" }, text));
  table.tHead.append(make("tr", {}, ...heads));
  table.setAttribute("aria-rowcount", names.length + 1);
  const space = (count, height) => {
    const row = make("tr", { "aria-hidden": "true" });
    row.style.height = `${count * height}px`;
    return row;
  };
  const row = (k, at) =>
    make("tr", { "aria-rowindex": at + 2 }, ...columns.map((values, c) => make("td", given.numbers[c] ? { class: "number" } : {}, plain(values[k]))));
  const HEIGHT = 30;
  const draw = () => {
    const first = Math.max(0, Math.min(Math.floor(port.scrollTop / HEIGHT) - SPARE, rows.length));
    const last = Math.min(rows.length, first + Math.ceil(400 / HEIGHT) + 2 * SPARE);
    const body = rows.slice(first, last).map((k, at) => row(k, first + at));
    for (const one of body) one.style.height = `${HEIGHT}px`;
    table.tBodies[0].replaceChildren(space(first, HEIGHT), ...body, space(rows.length - last, HEIGHT));
    status.textContent = rows.length === names.length ? `${plain(names.length)} rows` : `${plain(rows.length)} of ${plain(names.length)} rows`;
  };
  const order = () => {
    const [at, sign] = sorted;
    if (sign) rows.sort((a, b) => sign * compare(columns[at][a], columns[at][b]) || a - b);
  };
  heads.forEach((head, at) => headButton(head, at, heads, (column, sign) => { sorted = [column, sign]; order(); draw(); }));
  const input = place.querySelector("input");
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    rows = names.map((_, k) => k).filter((k) => columns.some((values, c) => !given.numbers[c] && values[k].toLowerCase().includes(wanted)));
    order();
    port.scrollTop = 0;
    draw();
  });
  const quoted = (value) => (/[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
  place.querySelector("button").addEventListener("click", () => {
    const lines = [given.heads, ...rows.map((k) => columns.map((values) => values[k]))].map((line) => line.map(quoted).join(","));
    const address = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    make("a", { href: address, download: given.file }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  });
  port.addEventListener("scroll", draw);
  draw();
}

// Numbers under the mouse, in charts that have readings.
const tip = make("div", { class: "tip", hidden: "" });
document.body.append(tip);
const SVG = "http://www.w3.org/2000/svg";
const onAxis = ([low, high, log], share) => (log ? low * (high / low) ** share : low + share * (high - low));
const shareOf = ([low, high, log], value) => (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
const short = (value) => plain(Number(value.toPrecision(4)));
const charts = all("svg[data-readings]").map((frame) => ({ frame, ...JSON.parse(frame.dataset.readings) }));
const readings = (chart, share, down, width, height) => {
  const x = onAxis(chart.x, share);
  const found = [];
  for (const layer of chart.layers) {
    if (layer.names) {
      const off = (k) => Math.hypot((shareOf(chart.x, layer.x[k]) - share) * width, (1 - shareOf(chart.y, layer.y[k]) - down) * height);
      layer.names.forEach((name, k) => { if (off(k) < 8) found.push([off(k), `${name}\n${short(layer.x[k])}, ${short(layer.y[k])}`]); });
      continue;
    }
    const bins = layer.x.length > layer.y.length;
    let k = layer.x.findLastIndex((value) => value <= x);
    if (!bins && k + 1 < layer.x.length && (k < 0 || layer.x[k + 1] - x < x - layer.x[k])) k += 1;
    if (k < 0 || k >= layer.y.length) continue;
    const at = bins ? `${short(layer.x[k])} to ${short(layer.x[k + 1])}` : short(layer.x[k]);
    found.push([found.length, `${layer.label || chart.y[3]}: ${short(layer.y[k])} at ${at}`]);
  }
  return found.sort((a, b) => a[0] - b[0]).slice(0, 4).map(([, text]) => text).join("\n");
};
for (const chart of charts) {
  // An inner svg has no box of its own in some browsers: an invisible rectangle of its size has one, and catches the mouse.
  const cover = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ width: "100%", height: "100%", fill: "transparent" })) cover.setAttribute(name, value);
  chart.frame.append(cover);
  const show = (event) => {
    const box = cover.getBoundingClientRect();
    const text = readings(chart, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, box.width, box.height);
    tip.hidden = !text;
    tip.textContent = text;
    const left = Math.min(event.pageX + 14, scrollX + document.documentElement.clientWidth - tip.offsetWidth - 4);
    Object.assign(tip.style, { left: `${Math.max(scrollX, left)}px`, top: `${event.pageY + 14}px` });
  };
  cover.addEventListener("pointermove", show);
  cover.addEventListener("pointerdown", show);
  cover.addEventListener("pointerleave", () => { tip.hidden = true; });
}

// The slider shows what another separation would keep, as a line in all charts over distances in Å.
for (const slider of all(".slider")) {
  const curve = JSON.parse(slider.dataset.curve);
  const [input, output] = [slider.querySelector("input"), slider.querySelector("output")];
  const lines = charts.filter((chart) => chart.x[3].includes("(Å)") && slider.closest(".columns").contains(chart.frame)).map((chart) => {
    const line = document.createElementNS(SVG, "line");
    line.setAttribute("display", "none");
    for (const [name, value] of Object.entries({ y1: "0", y2: "100%", class: "line stroke-fourth" })) line.setAttribute(name, value);
    chart.frame.append(line);
    return [chart, line];
  });
  const show = () => {
    const [separation, kept] = curve[input.value];
    output.textContent = `${plain(separation)} Å keeps ${plain(kept)} particles (${((100 * kept) / Math.max(1, slider.dataset.particles)).toFixed(1)} %)`;
    input.setAttribute("aria-valuetext", output.textContent);
    for (const [chart, line] of lines) for (const end of ["x1", "x2"]) line.setAttribute(end, `${100 * shareOf(chart.x, separation)}%`);
  };
  const off = curve.map(([separation]) => Math.abs(separation - slider.dataset.used));
  input.value = off.indexOf(Math.min(...off));
  input.addEventListener("input", () => {
    for (const [, line] of lines) line.setAttribute("display", "inline");
    show();
  });
  slider.hidden = false;
  show();
}

// One place of a micrograph after the other: in the enlargement, as a frame in the whole, and in words.
for (const figure of all("figure.spots")) {
  const turn = figure.querySelector(".turn");
  if (!turn) continue;
  turn.hidden = false;
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

// Two superimposed images blink while the mouse is over them, or from one click to the next; "b" blinks all.
const stages = all(".stage");
let blinking = false;
let phase = false;
const hovers = matchMedia("(hover: hover)").matches;
const blinks = (stage) => blinking || stage.dataset.blink === "on" || (hovers && stage.matches(":hover") && stage.dataset.blink !== "off");
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
  const sides = make("div", { class: "sides" });
  for (const image of all("img", stage)) {
    const side = make("span");
    side.style.cssText = `aspect-ratio: ${aspect}; width: min(100%, ${11 * aspect}rem)`;
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
  r: () => pressed("raw", document.body.classList.toggle("raws")),
};
for (const [key, name] of [["b", "blink"], ["r", "raw"]]) document.getElementById(name)?.addEventListener("click", keys[key]);
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches?.("input")) keys[event.key.toLowerCase()]?.();
});
addEventListener("beforeprint", () => all("details").forEach((one) => { one.open = true; }));
