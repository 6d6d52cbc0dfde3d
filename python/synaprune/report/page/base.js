"use strict";
// Shared by all sections. Text from data becomes text nodes, never markup.
const facts = JSON.parse(document.getElementById("facts").textContent);
const colours = ["#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499", "#777777"];

function make(kind, attributes, ...children) {
  const inSvg = make.svg.has(kind);
  const node = inSvg ? document.createElementNS("http://www.w3.org/2000/svg", kind) : document.createElement(kind);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
make.svg = new Set(["svg", "g", "line", "circle", "rect", "text", "path", "title"]);

const percent = (x, digits = 2) => `${(100 * x).toFixed(digits)} %`;
const points = (x) => `${x > 0 ? "−" : x < 0 ? "+" : ""}${Math.abs(100 * x).toFixed(1)}`;
const colour = (code) => colours[code % colours.length];
// A network predicts either classes or numbers; the score of numbers is R².
const numbers = facts.classes === null;
const scoreName = numbers ? "R²" : "accuracy";
const score = (x) => (numbers ? x.toFixed(4) : percent(x));
const change = (x) => (numbers ? `${x > 0 ? "−" : x < 0 ? "+" : ""}${Math.abs(x).toPrecision(3)}` : points(x));
const MOST = 60; // classes of which a unit has all figures; of more it has the largest
const count = (n) => n.toLocaleString("en");
const outputs = facts.network.columns[facts.network.columns.length - 1].length;
// The output of a class: two classes may share one.
const outputOf = (code) => (outputs === 1 ? 0 : code);
// What an output is for.
const outputName = (output) => (numbers ? facts.numbers[output] : facts.classes[outputs === 1 ? 1 : output]);

// The classes that a unit serves, or why it has no label.
const serves = (u) => (u.status === "labelled" ? u.serves.map((c) => facts.classes[c]).join(", ") : u.status);

function section(id, title, ...children) {
  return make("section", { id }, make("h2", null, title), ...children);
}

function table(header, rows) {
  const head = make("tr", null, ...header.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => make("tr", null, ...row.map((cell) =>
    cell instanceof Node ? cell : make("td", null, cell))));
  return make("div", { class: "scroll" }, make("table", null, make("thead", null, head), make("tbody", null, ...body)));
}

// A table cell with a background in proportion to its share of the largest value.
function shaded(text, share) {
  const cell = make("td", { class: "cell" }, text);
  if (share > 0.004) cell.style.background = `rgba(var(--shade), ${(0.75 * Math.min(1, share)).toFixed(3)})`;
  if (share > 0.62) cell.style.color = "var(--card)";
  return cell;
}

// A group of buttons of which one is pressed; the first is the default.
function filter(label, names, choose) {
  const buttons = names.map(([text, tint], i) => make("button", {
    type: "button", "aria-pressed": String(i === 0),
    onclick: () => {
      buttons.forEach((b) => b.setAttribute("aria-pressed", String(b === buttons[i])));
      choose(i - 1);
    },
  }, tint ? make("span", { class: "dot", style: `background:${tint}` }) : null, text));
  return make("div", { class: "filter", role: "group", "aria-label": label }, ...buttons);
}

const classFilter = (choose) => filter("class", [["all classes", null],
  ...facts.classes.map((name, code) => [name, colour(code)])], choose);
