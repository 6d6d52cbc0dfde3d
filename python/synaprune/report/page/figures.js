// Maps, curve, tables and samples.
function ramp(t, dark) {
  const stops = dark ? [[38, 44, 58], [33, 102, 172], [90, 200, 200], [253, 231, 110]] : [[222, 235, 247], [107, 174, 214], [33, 102, 172], [8, 29, 88]];
  const x = Math.max(0, Math.min(1, t)) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(x));
  return stops[i].map((v, k) => Math.round(v + (x - i) * (stops[i + 1][k] - v)));
}

// An image of cells [rows * columns], each a colour or null; drawn again when the theme changes.
function picture(paint, label) {
  const [rows, columns] = facts.image_shape;
  const canvas = make("canvas", { width: columns, height: rows, role: "img", "aria-label": label });
  const query = window.matchMedia("(prefers-color-scheme: dark)");
  const draw = () => {
    const context = canvas.getContext("2d"), data = context.createImageData(columns, rows);
    paint(query.matches).forEach((c, i) => { if (c) data.data.set([...c, 255], 4 * i); });
    context.putImageData(data, 0, 0);
  };
  draw();
  query.addEventListener("change", draw);
  return canvas;
}

function energyMap(energies, label) {
  const top = Math.max(...energies.map(([, e]) => e), 1e-12);
  const n = facts.image_shape[0] * facts.image_shape[1];
  return picture((dark) => {
    const cells = new Array(n).fill(null);
    for (const [id, e] of energies) if (e > 0) cells[id] = ramp(Math.sqrt(e / top), dark);
    return cells;
  }, label);
}

function inputsSection() {
  const inputs = facts.network.columns[0], parts = [];
  const of = (o) => inputs.map((i) => [i.id, o < 0 ? i.mean : i.energy[o] || 0]);
  parts.push(make("p", { class: "soft" }, `The network uses ${count(facts.summary.inputs)} inputs. ${facts.image_shape ? "The shade shows" : "The table shows"} their feature energy: the summed strength of all paths from the input to the ${numbers ? "output" : "class"}.`));
  if (facts.image_shape) {
    const views = [[numbers ? "all outputs" : "all classes", -1], ...(outputs === 1 || outputs > MOST ? [] : (facts.classes || facts.numbers).map((c, code) => [c, code]))];
    parts.push(make("div", { class: "maps" }, ...views.map(([name, o]) => {
      const energies = of(o), n = energies.filter(([, e]) => e > 0).length;
      return make("figure", null, energyMap(energies, `inputs for ${name}`), make("figcaption", null, `${name}: ${n} inputs`));
    })));
  }
  const lost = new Map(((facts.units || {}).units?.input || []).map((u) => [u.id, u]));
  const rows = of(-1).sort((a, b) => b[1] - a[1]).slice(0, 20).map(([id, e]) => {
    const u = lost.get(id), input = inputs.find((i) => i.id === id);
    return [input.name, percent(e, 1), ...(u ? [change(u.total), ...(numbers ? [] : [serves(u)])] : [])];
  });
  const details = make("details", facts.image_shape ? null : { open: "" }, make("summary", null, `The ${rows.length} strongest inputs`),
    table(["input", "energy", ...(lost.size ? [numbers ? "change in R² without it" : "change without it", ...(numbers ? [] : ["serves"])] : [])], rows));
  return section("inputs", "Used inputs", ...parts, details);
}

function curveSection() {
  const steps = facts.curve, metric = facts.summary.metric || scoreName;
  const title = `${metric[0].toUpperCase()}${metric.slice(1)} against synapses`;
  if (!steps) return section("curve", title, make("p", { class: "soft" }, "The model file holds a network without its pruning path."));
  const W = 1000, H = 330, m = { l: 62, r: 24, t: 16, b: 42 };
  const xs = steps.map((s) => Math.log(Math.max(1, s.synapses))), ys = steps.map((s) => s.accuracy);
  const x0 = Math.min(...xs), x1 = Math.max(...xs, x0 + 1e-9), low = Math.min(...ys), high = Math.max(...ys), pad = 0.12 * (high - low) || 0.01;
  const X = (v) => m.l + (W - m.l - m.r) * ((v - x0) / (x1 - x0)), Y = (v) => H - m.b - (H - m.t - m.b) * ((v - low + pad) / (high - low + 2 * pad));
  const shown = metric !== "R²" && ys.every((y) => y >= 0 && y <= 1) ? (y) => percent(y, 1) : (y) => y.toPrecision(4);
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": title });
  for (let i = 0; i <= 4; i++) {
    const v = low - pad + ((high - low + 2 * pad) * i) / 4;
    svg.append(make("line", { x1: m.l, x2: W - m.r, y1: Y(v), y2: Y(v), stroke: "var(--line)" }), make("text", { class: "soft", x: m.l - 8, y: Y(v) + 4, "text-anchor": "end" }, shown(v)));
  }
  for (let e = 0; e < 9; e++) for (const k of [1, 2, 5]) {
    const v = Math.log(k * 10 ** e);
    if (v >= x0 && v <= x1) svg.append(make("text", { class: "soft", x: X(v), y: H - 18, "text-anchor": "middle" }, count(k * 10 ** e)));
  }
  svg.append(make("text", { class: "soft", x: (W + m.l) / 2, y: H - 2, "text-anchor": "middle" }, "synapses"));
  svg.append(make("path", { d: steps.map((s, i) => `${i ? "L" : "M"}${X(xs[i]).toFixed(1)} ${Y(ys[i]).toFixed(1)}`).join(""), fill: "none", stroke: "var(--plus)", "stroke-width": 2 }));
  steps.forEach((s, i) => svg.append(make("circle", { cx: X(xs[i]), cy: Y(ys[i]), r: 4.5, fill: "var(--plus)", stroke: "var(--card)" },
    make("title", null, `${s.structure}, ${count(s.synapses)} synapses, ${shown(s.accuracy)}`))));
  return section("curve", title, make("p", { class: "soft" }, "Every network of the pruning path, on the validation split."), svg,
    make("details", null, make("summary", null, "As a table"), table(["synapses", "structure", "removed", "epochs", metric],
      steps.map((s) => [count(s.synapses), s.structure, count(s.removed), String(s.epochs), shown(s.accuracy)]))));
}

// The classes or numbers that a table of losses shows: all, or of many those that change most.
function columnsOf(units, names) {
  if (names.length <= MOST) return names.map((_, c) => c);
  const largest = new Map();
  for (const u of units) for (const [c, x] of Object.entries(u.loss)) largest.set(c, Math.max(largest.get(c) || 0, Math.abs(x)));
  return [...largest].sort((a, b) => b[1] - a[1]).slice(0, MOST).map(([c]) => Number(c)).sort((a, b) => a - b);
}

// The hidden neurons with the largest changes, by layer.
function mostChanging(units) {
  const largest = (u) => Math.max(0, ...Object.values(u.loss).map(Math.abs));
  return [...units].sort((a, b) => largest(b) - largest(a)).slice(0, 40).sort((a, b) => a.layer - b.layer || a.id - b.id);
}

function numberUnitsSection() {
  const found = facts.units;
  if (!found) return section("units", "What its units do", make("p", { class: "warn" }, "Ablations need samples: pass validation or test data."));
  const shown = mostChanging(found.units.neuron), several = facts.network.columns.length > 3;
  const top = Math.max(...shown.flatMap((u) => Object.values(u.loss)), 1e-9), columns = columnsOf(shown, facts.numbers);
  return section("units", "What its units do",
    make("p", { class: "soft" }, `Change in R² of each number when a hidden neuron is removed and nothing is retrained, on the ${found.measured_on} split.`),
    shown.length ? table(["neuron", ...columns.map((c) => facts.numbers[c])], shown.map((u) => [several ? `${u.id} of layer ${u.layer}` : String(u.id),
      ...columns.map((c) => u.loss[c] || 0).map((x) => shaded(change(x), x / top))])) : make("p", null, "The network has no hidden neurons."),
    found.units.neuron.length > shown.length ? make("p", { class: "soft" }, `The table shows the ${shown.length} neurons with the largest changes, of ${count(found.units.neuron.length)}.`) : null);
}

// How each number answers to each input: a small chart each, of one range for one number.
function responsesSection() {
  const found = facts.responses, title = "How it answers to its inputs";
  if (!found) return section("responses", title, make("p", { class: "warn" }, "Response curves need samples: pass validation or test data."));
  const W = 290, H = 150, m = { l: 88, r: 10, t: 8, b: 22 };
  const short = (v, digits = 3) => (Math.abs(v) < 1e5 ? String(Number(v.toPrecision(digits))) : v.toPrecision(digits));
  const ranges = facts.numbers.slice(0, found.outputs).map((_, o) => {
    const all = found.curves.flatMap((c) => c.average[o]), low = Math.min(...all), high = Math.max(...all);
    return [low, high - low || Math.abs(low) || 1];
  });
  const chart = (c, o) => {
    const [low, span] = ranges[o], size = Math.max(Math.abs(low), Math.abs(low + span));
    const digits = Math.min(7, Math.max(3, 3 + Math.ceil(Math.log10(size / span)))); // a small range far from 0 needs more
    const x0 = c.values[0], x1 = c.values[c.values.length - 1];
    const X = (v) => m.l + (W - m.l - m.r) * ((v - x0) / (x1 - x0 || 1)), Y = (v) => H - m.b - (H - m.t - m.b) * ((v - low) / span);
    const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${facts.numbers[o]} against ${c.input}` });
    for (const v of [low, low + span]) svg.append(make("line", { x1: m.l, x2: W - m.r, y1: Y(v), y2: Y(v), stroke: "var(--line)" }),
      make("text", { class: "soft", x: m.l - 6, y: Y(v) + 4, "text-anchor": "end" }, short(v, digits)));
    svg.append(make("text", { class: "soft", x: m.l, y: H - 5 }, short(x0)), make("text", { class: "soft", x: W - m.r, y: H - 5, "text-anchor": "end" }, short(x1)));
    svg.append(make("path", { d: c.values.map((v, i) => `${i ? "L" : "M"}${X(v).toFixed(1)} ${Y(c.average[o][i]).toFixed(1)}`).join(""), fill: "none", stroke: "var(--plus)", "stroke-width": 2 }));
    c.values.forEach((v, i) => svg.append(make("circle", { cx: X(v), cy: Y(c.average[o][i]), r: 2, fill: "var(--plus)" },
      make("title", null, `${c.input} = ${short(v)}: ${c.average[o][i]}`))));
    return make("figure", null, svg, make("figcaption", null, outputs === 1 ? c.input : `${facts.numbers[o]} against ${c.input}`));
  };
  return section("responses", title,
    make("p", { class: "soft" }, `The mean prediction over ${count(found.samples)} samples while one input takes its quantiles and all others stay as they are (partial dependence)${found.curves.length < facts.summary.inputs ? `, for the ${found.curves.length} inputs of the largest energy` : ""}${found.outputs < outputs ? `, for the first ${found.outputs} of ${outputs} numbers` : ""}. Where inputs depend on each other, some of these combinations do not occur.`),
    ...ranges.map((_, o) => make("div", { class: "curves" }, ...found.curves.map((c) => chart(c, o)))));
}

function unitsSection() {
  const found = facts.units;
  if (!found) return section("units", "What its units do", make("p", { class: "warn" }, "Labels and ablations need samples: pass validation or test data."));
  const neurons = found.units.neuron, shown = mostChanging(neurons);
  const top = Math.max(...shown.flatMap((u) => Object.values(u.loss)), 1e-9), columns = columnsOf(shown, facts.classes);
  const several = facts.network.columns.length > 3;
  const parts = [make("p", { class: "soft" }, `Change in accuracy, in percentage points, of each class when a hidden neuron is removed and nothing is retrained, on the ${found.labelled_on} split. A neuron is labelled with a class only if removing it hurts that class significantly more than every other class (paired tests, p < 0.01).`)];
  if (shown.length) parts.push(table(["neuron", "serves", ...columns.map((c) => facts.classes[c])], shown.map((u) => [
    several ? `${u.id} of layer ${u.layer}` : String(u.id), serves(u),
    ...columns.map((c) => u.loss[c] || 0).map((x) => shaded(Math.abs(x) < 0.0005 ? "" : points(x), x / top))])));
  if (columns.length < facts.classes.length) parts.push(make("p", { class: "soft" }, `The table shows the ${columns.length} classes with the largest changes, of ${count(facts.classes.length)}.`));
  if (neurons.length > shown.length) parts.push(make("p", { class: "soft" }, `The table shows the ${shown.length} neurons with the largest changes, of ${count(neurons.length)}.`));
  const kinds = { neuron: "Hidden neurons", synapse: "Synapses", input: "Inputs" };
  if (found.replicated_on) parts.push(make("p", { style: "margin-top:12px" }, `Labels tested again on the ${found.replicated_on} split, which was not used to choose them:`),
    make("ul", null, ...Object.entries(kinds).filter(([k]) => found.replicated[k]).map(([k, name]) => make("li", null, `${name}: ${found.replicated[k]}.`))));
  if (found.confusion) {
    const worst = Math.max(...found.confusion.flatMap((row, i) => row.filter((_, j) => i !== j)), 1);
    parts.push(make("details", null, make("summary", null, `Confusion matrix (${found.confusion_on} split)`),
      table(["true \\ predicted", ...facts.classes], found.confusion.map((row, i) => [facts.classes[i],
        ...row.map((n, j) => (i === j ? make("td", { class: "cell soft" }, count(n)) : shaded(n ? String(n) : "", n / worst)))]))));
  }
  return section("units", "What its units do", ...parts);
}

function samplesSection() {
  const samples = facts.samples;
  if (!samples) return section("samples", "Samples", make("p", { class: "warn" }, "Prototypes and attributions need samples: pass validation or test data."));
  const why = make("div", { class: "why", "aria-live": "polite" });
  const names = new Map(facts.network.columns[0].map((i) => [i.id, i.name]));
  const buttons = samples.picked.map((s) => {
    const picture_ = s.pixels ? picture(() => s.pixels.map((v) => [255 - v, 255 - v, 255 - v]), `sample of ${s.label}`) : null;
    return make("button", { type: "button", "aria-pressed": "false", onclick: () => explain(s) }, picture_,
      make("div", null, make("span", { class: "dot", style: `background:${colour(facts.classes.indexOf(s.label))}` }), s.label, s.predicted === s.label ? "" : ` predicted as ${s.predicted}`),
      make("div", { class: "soft" }, s.kind));
  });
  function explain(s) {
    buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(samples.picked[i] === s)));
    const top = Math.max(...s.attributions.map(Math.abs), 1e-12);
    const map = s.pixels ? picture((dark) => {
      const cells = s.pixels.map((v) => { const g = dark ? 32 + v * 0.35 : 255 - v * 0.3; return [g, g, g]; });
      samples.inputs.forEach((id, k) => {
        const t = Math.abs(s.attributions[k]) / top, tint = s.attributions[k] > 0 ? [0, 119, 187] : [238, 119, 51];
        if (t > 0.01) cells[id] = cells[id].map((g, c) => Math.round(g + Math.sqrt(t) * (tint[c] - g)));
      });
      return cells;
    }, "attributions") : null;
    const strongest = s.attributions.map((v, k) => [v, k]).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).slice(0, 8);
    const path = (p) => p.neurons.map((id, l) => (l === 0 ? names.get(id) || `x${id}` : l === p.neurons.length - 1 ? facts.classes[outputs === 1 ? 1 : id] : `neuron ${id}`)).join(" → ");
    why.classList.toggle("plain", !map);
    why.replaceChildren(map ? make("div", null, map, make("p", { class: "soft" }, "Blue inputs raise the logit, orange inputs lower it.")) : "",
      make("div", null, make("p", null, `Why ${s.predicted}: the attributions of the inputs and the bias (${s.bias}) sum to the logit ${s.logit}.`),
        table(["input", "value", "attribution"], strongest.map(([v, k]) => [names.get(samples.inputs[k]) || `x${samples.inputs[k]}`, String(s.values[k]), v.toPrecision(3)])),
        make("p", { style: "margin-top:10px" }, "Strongest paths:"), make("ul", null, ...s.paths.map((p) => make("li", null, `${path(p)}: ${p.value > 0 ? "+" : ""}${p.value}`)))));
  }
  const g = samples.patterns;
  const list = make("div", { class: "samples" }, ...buttons);
  if (samples.picked.length) explain(samples.picked[0]);
  return section("samples", "Samples", make("p", { class: "soft" }, "Prototypes are nearest to the mean of their class in the last hidden layer, outliers farthest from it. Choose a sample to see why it was classified as it was."), list, why,
    make("details", null, make("summary", null, `Activation patterns: ${count(g.n)} in ${count(g.samples)} samples`),
      table(["samples", "active neurons", "classes"], g.largest.map((x) => [count(x.samples), String(x.active), x.classes.map(([c, n]) => `${c} (${count(n)})`).join(", ")]))));
}
