// Numbers under the mouse, in charts that have readings.
const tip = make("div", { class: "tip", role: "status", hidden: "" });
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
  // By keyboard: the chart takes the focus, and arrow keys go along its axis, or from point to point.
  const chartOf = chart.frame.closest("svg.chart");
  const points = chart.layers.flatMap((layer) => (layer.names ? layer.x.map((x, k) => [shareOf(chart.x, x), 1 - shareOf(chart.y, layer.y[k])]) : []));
  points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let [at, share] = [-1, 0];
  chartOf.setAttribute("tabindex", "0");
  chartOf.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") tip.hidden = true;
    if (!step) return;
    event.preventDefault();
    at = Math.min(Math.max(at + step, 0), Math.max(points.length - 1, 0));
    share = Math.min(Math.max(share + 0.02 * step, 0), 1);
    const [across, down] = points.length ? points[at] : [share, 0.5];
    const box = cover.getBoundingClientRect();
    const place = { clientX: box.left + across * box.width, clientY: box.top + down * box.height };
    show({ ...place, pageX: place.clientX + scrollX, pageY: place.clientY + scrollY });
  });
  chartOf.addEventListener("blur", () => { tip.hidden = true; });
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
