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
const words = new Intl.Collator(undefined, { numeric: true });
const compare = (a, b) => {
  const [x, y] = [a, b].map((text) => (text === "" ? NaN : Number(String(text).replaceAll(",", ""))));
  return Number.isNaN(x) || Number.isNaN(y) ? words.compare(a, b) : x - y;
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
  // What a column is sorted by: numbers as they are, nothing before all; texts by their place among the sorted ones, found when needed.
  const keys = [];
  const keyOf = (c) => {
    if (!keys[c]) {
      const places = given.numbers[c] ? null : new Map([...new Set(columns[c])].sort(words.compare).map((text, place) => [text, place]));
      keys[c] = columns[c].map((value) => (places ? places.get(value) : value === "" ? -Infinity : value));
    }
    return keys[c];
  };
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
  const open = given.drawings && opener(place, given, names);
  // Where a name is too long, its end stays, by which names differ: the cell goes from right to left, the name in it does not.
  const named = (k) => {
    const name = make("bdi", { dir: "ltr" }, names[k]);
    if (!open) return make("td", { title: names[k] }, name);
    const button = make("button", { type: "button", class: "open" }, name);
    button.addEventListener("click", () => open(k));
    return make("td", { title: names[k] }, button);
  };
  const cell = (value, c) => make("td", given.numbers[c] ? { class: "number" } : {}, plain(value));
  const row = (k, at) => make("tr", { "aria-rowindex": at + 2 }, named(k), ...columns.slice(1).map((values, c) => cell(values[k], c + 1)));
  const show = (text) => { if (status.textContent !== text) status.textContent = text; };
  const counted = (count) => `${plain(count)} row${count === 1 ? "" : "s"}`;
  const listed = place.dataset.rows === place.dataset.total ? "" : " in this page";
  // On paper: the first rows, without the room for the others.
  const PRINTED = 300;
  addEventListener("beforeprint", () => {
    table.tBodies[0].replaceChildren(...rows.slice(0, PRINTED).map(row));
    if (rows.length > PRINTED) table.tBodies[0].append(make("tr", {}, make("td", { colspan: heads.length }, `${counted(rows.length - PRINTED)} more`)));
  });
  addEventListener("afterprint", () => draw());
  const HEIGHT = 30;
  const draw = () => {
    const first = Math.max(0, Math.min(Math.floor(port.scrollTop / HEIGHT) - SPARE, rows.length));
    const last = Math.min(rows.length, first + Math.ceil(400 / HEIGHT) + 2 * SPARE);
    const body = rows.slice(first, last).map((k, at) => row(k, first + at));
    for (const one of body) one.style.height = `${HEIGHT}px`;
    table.tBodies[0].replaceChildren(space(first, HEIGHT), ...body, space(rows.length - last, HEIGHT));
    show(rows.length === names.length ? counted(names.length) : `${plain(rows.length)} of ${counted(names.length)}${listed}`);
  };
  const order = () => {
    const [at, sign] = sorted;
    const key = sign && keyOf(at);
    if (sign) rows.sort((a, b) => sign * (key[a] - key[b]) || a - b);
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
  // As in duplicates.csv: what a spreadsheet would take for a formula stands behind an apostrophe.
  const safe = (value) => (typeof value === "string" && /^'*[=+\-@]/.test(value) ? `'${value}` : value);
  const quoted = (value) => (/[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
  place.querySelector("button").addEventListener("click", () => {
    const lines = [given.heads, ...rows.map((k) => columns.map((values) => values[k]))].map((line) => line.map(safe).map(quoted).join(","));
    const address = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    make("a", { href: address, download: given.file }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  });
  port.addEventListener("scroll", draw);
  draw();
}
