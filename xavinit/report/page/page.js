// The table that sorts and searches, and the charts. All it shows is in the page: the JSON of
// `xavinit inspect --json` in #inspection, and what is shown as it is in #texts. Rows are made as
// they are scrolled to, details as they are opened, so that 10,000 tensors open at once.
"use strict";
(() => {
const CHUNK = 40; // rows that are made at once
const MOST_OPENED = 200; // tensors whose details are opened by one click
const LONGEST_NAME = 300; // characters in the table; the detail has all
const NOTHING = "–";
const CUT = 2; // a cut normal's, in its own std before the cut
const CUT_STD = 0.87962566103423975; // the std of a unit normal cut there
const CUT_SHARE = 0.95449973610364159; // of a unit normal that lies within: erf(√2)

const find = (id) => document.getElementById(id);
const { tensors } = JSON.parse(find("inspection").textContent);
const texts = JSON.parse(find("texts").textContent);
const table = find("tensors");
const body = table.tBodies[0];
const heads = [...table.querySelectorAll("th[data-key]")];
const opened = new Set(); // indices of tensors whose details are open
const order = { key: "", descending: false };
let view = []; // indices of the tensors that are shown, in their order
let made = 0; // how many of them have a row

// --- Elements ------------------------------------------------------------------------------

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const make = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

const draw = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// --- What is shown of a tensor -------------------------------------------------------------

const nameOf = (index) => texts.names[index] ?? tensors[index].name;
const labelOf = (index) => texts.labels[index] ?? tensors[index].label;
const lawOf = (index) => texts.laws[index] ?? "";
const shapeOf = (tensor) => tensor.shape.join("×") || "scalar";
const countNumbers = ({ count, dtype }) => (dtype.startsWith("complex") ? 2 * count : count); // its parts
const countInfinities = (tensor) => tensor.positive_infinities + tensor.negative_infinities;
const formatCount = (count) => count.toLocaleString("en");

/** All digits of a figure: JavaScript's are those that tell it from any other number. */
const formatExactly = (index, key) =>
  texts.exact[index]?.[key] ?? String(tensors[index][key] ?? NOTHING);

/** Four digits of a figure, small integers whole (as figures.py does). */
function formatFigure(number) {
  if (number === null) return NOTHING;
  if (Number.isInteger(number) && Math.abs(number) < 1e7) return String(number + 0);
  const [digits, power] = number.toExponential(3).split("e").map(Number);
  return power >= -4 && power < 6 ? String(Number(number.toPrecision(4))) : `${digits}e${power}`;
}

function formatShare(part, whole) {
  if (whole === 0) return NOTHING;
  const percent = (100 * part) / whole;
  if (part === 0 || part === whole) return `${percent}%`;
  if (percent < 0.1) return "<0.1%";
  return percent > 99.9 ? ">99.9%" : `${percent.toFixed(1)}%`;
}

/** What the rows are sorted by; null stands behind everything in either order. */
const KEYS = {
  name: nameOf,
  shape: (index) => tensors[index].shape,
  dtype: (index) => tensors[index].dtype,
  zeros: (index) => (tensors[index].count ? tensors[index].zeros / countNumbers(tensors[index]) : null),
  nonfinite: (index) => tensors[index].nans + countInfinities(tensors[index]),
  law: (index) => lawOf(index) || null,
};
const keyOf = (key, index) => (KEYS[key] ? KEYS[key](index) : tensors[index][key]);

const { compare: compareTexts } = new Intl.Collator("en", { numeric: true });

function compareKeys(a, b) {
  if (Array.isArray(a)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] - b[i];
    return a.length - b.length;
  }
  return typeof a === "string" ? compareTexts(a, b) : a - b;
}

// --- Rows ----------------------------------------------------------------------------------

/** A figure, rounded; its element's value and its tooltip have all digits. */
function makeFigure(key, index) {
  const exact = formatExactly(index, key);
  return make("data", { value: exact === NOTHING ? "" : exact, title: exact },
    formatFigure(tensors[index][key]));
}

const makeCell = (title, kind, ...children) =>
  make("td", { role: "cell", class: kind, "data-title": title }, ...children);

function makeRow(index) {
  const tensor = tensors[index];
  const name = nameOf(index);
  const short = name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name;
  const button = make("button", { type: "button", "aria-expanded": opened.has(index) }, short);
  const label = labelOf(index);
  const bad = tensor.nans + countInfinities(tensor);
  return make(
    "tr", { role: "row", class: "tensor", "data-index": index },
    make("th", { role: "rowheader", scope: "row", class: "name" }, button,
      ...(label ? [make("span", { class: "label" }, label)] : [])),
    makeCell("Shape", "shape", shapeOf(tensor)),
    makeCell("Dtype", "dtype", tensor.dtype),
    makeCell("Count", "number", make("data", { value: tensor.count }, formatCount(tensor.count))),
    ...["mean", "std", "min", "max"].map((key) =>
      makeCell(key[0].toUpperCase() + key.slice(1), "number", makeFigure(key, index))),
    makeCell("Zeros", "number", make("data", { value: tensor.zeros, title: formatCount(tensor.zeros) },
      formatShare(tensor.zeros, countNumbers(tensor)))),
    makeCell("NaN, inf", bad ? "number alarm" : "number",
      make("data", { value: bad }, formatCount(bad))),
    makeCell("Law", "law", ...(lawOf(index) ? [lawOf(index)] : [])),
    makeCell("Histogram", "chart", drawSmall(tensor.histogram)),
  );
}

/** Adds rows where the button below them comes near. */
const approach = new IntersectionObserver(
  ([{ isIntersecting }]) => isIntersecting && made < view.length && addRows(CHUNK),
  { rootMargin: "600px" },
);

/** The rows of the next tensors of the view, with the details that are open. */
function addRows(count) {
  const rows = document.createDocumentFragment();
  const end = Math.min(made + count, view.length);
  for (; made < end; made++) {
    const row = makeRow(view[made]);
    row.setAttribute("aria-rowindex", made + 2);
    rows.append(row);
  }
  body.append(rows);
  for (const row of opened.size ? [...body.querySelectorAll("tr.tensor")] : []) {
    const index = Number(row.dataset.index);
    if (opened.has(index) && !row.nextSibling?.matches?.(".detail")) row.after(makeDetail(index));
  }
  const left = view.length - made;
  find("more").hidden = left === 0;
  find("more").textContent = `Show more (${formatCount(left)} left)`;
  approach.unobserve(find("more")); // so that it tells again where the button is still near
  approach.observe(find("more"));
}

/** Search and sort: the view, and its first rows. */
function update() {
  const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  view = [];
  haystack.forEach((text, index) => words.every((word) => text.includes(word)) && view.push(index));
  if (order.key) {
    const keys = new Map(view.map((index) => [index, keyOf(order.key, index)]));
    const sign = order.descending ? -1 : 1;
    view.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return sign * compareKeys(x, y) || a - b;
    });
  }
  body.replaceChildren();
  made = 0;
  addRows(CHUNK);
  table.setAttribute("aria-rowcount", view.length + 1);
  const all = formatCount(tensors.length);
  const noun = tensors.length === 1 ? "tensor" : "tensors";
  find("status").textContent =
    view.length === tensors.length ? `${all} ${noun}` : `${formatCount(view.length)} of ${all} ${noun}`;
  for (const head of heads) {
    const sorted = order.descending ? "descending" : "ascending";
    head.setAttribute("aria-sort", head.dataset.key === order.key ? sorted : "none");
  }
  find("key").value = order.key;
  find("all").hidden = view.length === 0 || view.length > MOST_OPENED;
  find("direction").textContent = order.descending ? "Descending" : "Ascending";
}

// --- Details -------------------------------------------------------------------------------

function makeDetail(index) {
  const tensor = tensors[index];
  const room = Math.max(body.clientWidth, 280);
  const isNarrow = matchMedia("(max-width: 68rem)").matches; // as page.css
  const width = Math.round(isNarrow ? room - 26 : room * 0.58);
  const content = [];
  if (tensor.histogram) {
    const law = lawOf(index);
    content.push(make("figure", {},
      make("figcaption", {}, "How many values are in each bin",
        ...(hasCurve(tensor.law) ? [", and ", make("span", { class: "key" }, "━ the density"), ` of ${law}`] : [])),
      drawLarge(tensor.histogram, tensor.law, width, isNarrow ? 200 : 280),
      make("details", {}, make("summary", {}, "Bins"), makeBins(tensor.histogram))));
  } else {
    content.push(make("p", {}, tensor.count ? "No value is finite: there is no histogram." : "It is empty."));
  }
  content.push(makeFigures(index));
  const cell = make("td", { role: "cell", colspan: heads.length + 1 },
    make("section", { "aria-label": `Details of ${nameOf(index)}` },
      make("h2", {}, nameOf(index)), make("div", { class: "parts" }, ...content)));
  return make("tr", { role: "row", class: "detail" }, cell);
}

/** Every figure that the JSON has, in all digits. */
function makeFigures(index) {
  const tensor = tensors[index];
  const list = make("dl", { class: "figures" });
  const add = (title, key, text) => list.append(make("dt", {}, title), make("dd", { "data-key": key }, text));
  if (labelOf(index)) add("Label", "label", labelOf(index));
  add("Shape", "shape", shapeOf(tensor));
  add("Dtype", "dtype", tensor.dtype);
  for (const key of ["count", "bytes"]) add(key[0].toUpperCase() + key.slice(1), key, formatCount(tensor[key]));
  for (const key of ["mean", "std", "min", "max"]) {
    add(key[0].toUpperCase() + key.slice(1), key, formatExactly(index, key));
  }
  add("Zeros", "zeros", `${formatCount(tensor.zeros)} (${formatShare(tensor.zeros, countNumbers(tensor))})`);
  add("NaN", "nans", formatCount(tensor.nans));
  add("+inf", "positive_infinities", formatCount(tensor.positive_infinities));
  add("−inf", "negative_infinities", formatCount(tensor.negative_infinities));
  for (const [share, value] of Object.entries(tensor.quantiles ?? {})) {
    add(`Quantile ${share}`, `quantiles.${share}`, value === null ? NOTHING : String(value));
  }
  if (tensor.law) {
    const { type, initializers, fan_in, fan_out, ...numbers } = tensor.law;
    add("Law", "law.type", type.replace("_", " "));
    for (const [key, value] of Object.entries(numbers)) add(`Its ${key}`, `law.${key}`, String(value));
    if (initializers.length) add("Initializer", "law.initializers", initializers.join(" or "));
    if (fan_in !== null) add("Fans", "law.fans", `${fan_in} in, ${fan_out} out`);
  } else {
    add("Law", "law", "none that is known");
  }
  return list;
}

function makeBins({ edges, counts }) {
  const rows = counts.map((count, i) => make("tr", {},
    make("td", { class: "number" }, String(edges[i])), make("td", { class: "number" }, String(edges[i + 1])),
    make("td", { class: "number" }, formatCount(count))));
  const heads = ["From", "To", "Values"].map((title) => make("th", { scope: "col", class: "number" }, title));
  return make("div", { class: "bins", tabindex: 0 },
    make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)));
}

function toggle(row) {
  const index = Number(row.dataset.index);
  const isOpen = !opened.has(index);
  if (isOpen) opened.add(index); else opened.delete(index);
  row.querySelector(".name button").setAttribute("aria-expanded", isOpen);
  if (isOpen) row.after(makeDetail(index)); else row.nextSibling.remove();
}

// --- Charts --------------------------------------------------------------------------------

const countValues = ({ counts }) => counts.reduce((sum, count) => sum + count, 0);

/** A histogram in words. */
function describe({ edges, counts }) {
  const most = Math.max(...counts);
  const mode = counts.indexOf(most);
  return `Histogram of ${formatCount(countValues({ counts }))} values from ${formatFigure(edges[0])} to ` +
    `${formatFigure(edges.at(-1))}; most, ${formatCount(most)}, between ${formatFigure(edges[mode])} ` +
    `and ${formatFigure(edges[mode + 1])}`;
}

function drawSmall(histogram) {
  if (!histogram) return "";
  const { counts } = histogram;
  const most = Math.max(...counts, 1);
  const steps = counts.map((count, i) => `V${(28 - (27 * count) / most).toFixed(1)}H${i + 1}`);
  return draw("svg", { class: "small", role: "img", "aria-label": describe(histogram),
    viewBox: `0 0 ${counts.length} 28`, preserveAspectRatio: "none" },
  draw("path", { class: "bars", d: `M0 28${steps.join("")}V28Z` }));
}

const hasCurve = (law) => law !== null && ["uniform", "normal", "truncated_normal"].includes(law.type);

/** Points [x, density] of a law, between two numbers. */
function makeCurve(law, low, high) {
  if (law.type === "uniform") {
    const { bound } = law;
    const [left, right] = [Math.max(-bound, low), Math.min(bound, high)];
    return [[left, 0], [left, 0.5 / bound], [right, 0.5 / bound], [right, 0]];
  }
  const isCut = law.type === "truncated_normal";
  const std = isCut ? law.std / CUT_STD : law.std;
  const scale = 1 / (std * Math.sqrt(2 * Math.PI) * (isCut ? CUT_SHARE : 1));
  const [left, right] = isCut ? [Math.max(-CUT * std, low), Math.min(CUT * std, high)] : [low, high];
  const points = Array.from({ length: 201 }, (_, i) => left + ((right - left) * i) / 200);
  const curve = points.map((x) => [x, scale * Math.exp(-0.5 * (x / std) ** 2)]);
  return isCut ? [[left, 0], ...curve, [right, 0]] : curve;
}

/** Round numbers from low to high, about so many. */
function makeTicks(low, high, count) {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= rough) ?? 10 * unit;
  const first = Math.ceil(low / step);
  const ticks = [];
  for (let i = first; i * step <= high * (1 + 1e-12) && ticks.length < 20; i++) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

const formatTick = (value, text = String(value)) =>
  text.length <= 10 ? text : value.toExponential().replace("+", "");

function drawLarge(histogram, law, width, height) {
  const { edges, counts } = histogram;
  const [low, high] = [edges[0], edges.at(-1)];
  const scale = countValues(histogram) * (edges[1] - low); // density → values in a bin
  const curve = hasCurve(law) ? makeCurve(law, low, high).map(([x, y]) => [x, y * scale]) : [];
  const most = Math.max(...counts, ...curve.map(([, y]) => y), 1);
  const [left, top, bottom] = [8 + 7.2 * formatCount(Math.round(most)).length, 10, height - 22];
  const unit = Math.max(Math.abs(low), Math.abs(high)); // high − low may be infinite
  const atX = (value) =>
    left + ((width - 12 - left) * (value / unit - low / unit)) / (high / unit - low / unit);
  const atY = (value) => bottom - ((bottom - top) * value) / most;
  const bars = counts.map((count, i) => {
    const from = atX(edges[i]);
    const title = `${edges[i]} ≤ x < ${edges[i + 1]}: ${formatCount(count)}`;
    return draw("rect", { x: from.toFixed(2), y: atY(count).toFixed(2),
      width: Math.max(atX(edges[i + 1]) - from - 0.5, 0.5).toFixed(2), height: (bottom - atY(count)).toFixed(2) },
    draw("title", {}, title));
  });
  const scaleX = makeTicks(low, high, Math.max(Math.floor(width / 80), 3)).flatMap((value) => [
    draw("line", { class: "axis", x1: atX(value), x2: atX(value), y1: bottom, y2: bottom + 4 }),
    draw("text", { x: atX(value), y: height - 4, "text-anchor": "middle" }, formatTick(value)),
  ]);
  const scaleY = makeTicks(0, most, 4).filter(Number.isInteger).flatMap((value) => [
    draw("line", { class: "axis", x1: left, x2: width - 12, y1: atY(value), y2: atY(value) }),
    draw("text", { x: left - 6, y: atY(value) + 4, "text-anchor": "end" }, formatCount(value)),
  ]);
  const path = curve.map(([a, b], i) => `${i ? "L" : "M"}${atX(a).toFixed(2)} ${atY(b).toFixed(2)}`);
  return draw("svg", { class: "large", role: "img", "aria-label": describe(histogram),
    viewBox: `0 0 ${width} ${height}`, width, height },
  ...scaleY, draw("g", { class: "bars" }, ...bars), ...scaleX,
  ...(curve.length ? [draw("path", { class: "curve", d: path.join("") })] : []));
}

// --- The page ------------------------------------------------------------------------------

const haystack = tensors.map((tensor, index) =>
  [nameOf(index), labelOf(index) ?? "", shapeOf(tensor), tensor.dtype, lawOf(index)].join("\n").toLowerCase());

find("search").addEventListener("input", update);
for (const head of heads) {
  head.firstElementChild.addEventListener("click", () => {
    const { key } = head.dataset; // ascending, descending, the file's order
    if (order.key !== key) Object.assign(order, { key, descending: false });
    else if (order.descending) Object.assign(order, { key: "", descending: false });
    else order.descending = true;
    update();
  });
}
find("key").addEventListener("change", (event) => {
  order.key = event.target.value;
  update();
});
find("direction").addEventListener("click", () => {
  order.descending = !order.descending;
  update();
});
body.addEventListener("click", (event) => {
  const row = event.target.closest("tr.tensor");
  if (row && (event.target.closest("button") || !String(getSelection()))) toggle(row);
});
find("all").addEventListener("click", () => {
  const isOpening = !view.every((index) => opened.has(index));
  for (const index of view) if (isOpening) opened.add(index); else opened.delete(index);
  update();
});
find("more").addEventListener("click", () => addRows(CHUNK));
document.addEventListener("keydown", (event) => {
  const isText = event.target.matches?.("input, select, textarea");
  if (event.key === "/" && !isText && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    find("search").focus();
  }
});
addEventListener("beforeprint", () => addRows(view.length));

const root = document.documentElement;
find("theme").addEventListener("click", () => {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const shown = root.dataset.theme ?? (isDark ? "dark" : "light");
  root.dataset.theme = shown === "dark" ? "light" : "dark";
});

for (const id of ["theme", "app"]) find(id).hidden = false;
if (tensors.length === 1) opened.add(0);
update();
})();
