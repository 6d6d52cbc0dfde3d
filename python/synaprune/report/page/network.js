// The network: hover, tap or focus a neuron to highlight its paths; filter by class.
function networkSection() {
  const net = facts.network, last = net.columns.length - 1;
  const shape = facts.image_shape, W = 1000, H = 560, image = 400;
  const named = !shape && net.columns[0].length <= 40;
  const short = (text) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);
  const longest = named ? Math.max(...net.columns[0].map((n) => short(n.name).length), 0) : 0;
  const left = shape ? image / 2 + 20 : Math.max(120, 30 + 6.6 * longest), right = W - 110;
  const cell = shape ? image / Math.max(...shape) : 0;
  const key = (column, id) => `${column}:${id}`; // column 0 are the inputs, column l + 1 is layer l
  const spots = new Map(), lines = [], ins = new Map(), outs = new Map();
  let held = null;

  net.columns.forEach((column, l) => column.forEach((neuron) => {
    let x = left + (right - left) * (l / Math.max(1, last)), y = 14 + (H - 28) * neuron.y;
    if (l === 0 && shape) {
      x = 20 + (neuron.id % shape[1] + 0.5) * cell;
      y = (H - cell * shape[0]) / 2 + (Math.floor(neuron.id / shape[1]) + 0.5) * cell;
    } else if (l > 0 && shape) x = image + 150 + (right - image - 150) * ((l - 1) / Math.max(1, last - 1));
    spots.set(key(l, neuron.id), { x, y, l, neuron });
  }));

  const svg = make("svg", { class: "network", viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": "network" });
  if (shape) svg.append(make("rect", {
    class: "frame", x: 20, y: (H - cell * shape[0]) / 2, width: cell * shape[1], height: cell * shape[0] }));
  const strongest = net.columns.map((_, l) =>
    net.synapses.reduce((top, s) => (s.layer === l ? Math.max(top, Math.abs(s.weight)) : top), 1e-12));
  const many = net.synapses.length > 400;
  const lost = new Map(((facts.units || {}).units?.synapse || []).map((u) => [`${u.layer}:${u.from}:${u.id}`, u]));
  net.synapses.map((s) => [Math.abs(s.weight) / strongest[s.layer], s]).sort((a, b) => a[0] - b[0]).forEach(([strength, s]) => {
    const a = spots.get(key(s.layer, s.from)), b = spots.get(key(s.layer + 1, s.to));
    const line = make("line", {
      x1: a.x.toFixed(1), y1: a.y.toFixed(1), x2: b.x.toFixed(1), y2: b.y.toFixed(1),
      class: s.weight < 0 ? "minus" : "plus", "stroke-width": (0.3 + 3.4 * strength).toFixed(2) });
    const entry = { line, s, rest: (many ? 0.12 : 0.35) + 0.6 * strength };
    line.style.opacity = entry.rest;
    line.addEventListener("pointerenter", () => { if (!held) describeSynapse(s); });
    lines.push(entry);
    for (const [map, k] of [[ins, key(s.layer + 1, s.to)], [outs, key(s.layer, s.from)]])
      map.has(k) ? map.get(k).push(entry) : map.set(k, [entry]);
    svg.append(line);
  });

  const units = new Map();
  for (const kind of ["input", "neuron"])
    for (const u of (facts.units || {}).units?.[kind] || []) units.set(key(u.layer + 1, u.id), u);
  const details = make("div", { class: "details", "aria-live": "polite" });
  const hint = "Hover over a neuron, tap it or tab to it to highlight its paths and to see what it does.";
  const nothing = () => details.replaceChildren(make("p", { class: "soft hint" }, hint));

  function role(u) {
    if (numbers) return `R² changes by ${change(u.total)} without it`;
    if (u.status === "labelled") return `serves ${serves(u)} (p ${u.p < 1e-4 ? "< 0.0001" : "= " + u.p})`;
    return u.status === "shared" ? "shared: no small set of classes stands out" : "unclear: no class loses significantly without it";
  }
  function losses(u) {
    const names = facts.numbers || facts.classes, top = Math.max(...Object.values(u.loss).map(Math.abs), 1e-9);
    return table(numbers ? ["number", "R² without it"] : ["class", "accuracy without it"], columnsOf([u], names).map((c) => [names[c], u.loss[c] || 0]).map(([name, x]) =>
      [name, shaded(change(x) + (numbers ? "" : " points"), x > 0 ? x / top : 0)]));
  }
  function describe(spot) {
    const k = key(spot.l, spot.neuron.id), u = units.get(k);
    const parts = [make("h3", null, spot.neuron.name)];
    if (u) parts.push(make("p", null, role(u)), losses(u));
    else if (spot.l === last) parts.push(make("p", { class: "soft" }, `${count(net.leading[spot.neuron.id])} synapses lead to this output.`));
    else if (!facts.units) parts.push(make("p", { class: "soft" }, "Ablation needs samples."));
    const sharing = Object.entries(spot.neuron.energy).map(([o, e]) => [e, Number(o)]).filter(([e]) => e > 0.001).sort((a, b) => b[0] - a[0]).slice(0, 3);
    if (spot.l < last && sharing.length && outputs > 1)
      parts.push(make("p", { class: "soft" }, "Energy: " + sharing.map(([e, o]) => `${percent(e, 1)} of ${numbers ? "" : "class "}${outputName(o)}`).join(", ") + "."));
    details.replaceChildren(...parts);
  }
  function describeSynapse(s) {
    const u = lost.get(`${s.layer}:${s.from}:${s.to}`);
    const name = (l, id) => spots.get(key(l, id)).neuron.name;
    details.replaceChildren(make("h3", null, `${name(s.layer, s.from)} → ${name(s.layer + 1, s.to)}`),
      make("p", null, `weight ${s.weight}`), u ? make("p", null, role(u)) : "", u ? losses(u) : "");
  }

  // The fewest synapses that carry nine tenths of the energy of a class, and the neurons that serve it.
  function describeClass(code) {
    const serving = [...units].filter(([k, u]) => !k.startsWith("0:") && u.serves.includes(code)).map(([k]) => spots.get(k)?.neuron.name).filter(Boolean);
    details.replaceChildren(make("h3", null, `class ${facts.classes[code]}`),
      net.carrying ? make("p", null, `${count(net.carrying[outputOf(code)])} synapses carry nine tenths of its energy.`) : "",
      make("p", null, serving.length ? `Served by ${serving.join(", ")}.` : facts.units ? "No hidden neuron serves it significantly." : ""));
  }

  // All synapses and neurons on paths to and from a neuron.
  function pathsOf(k) {
    const lit = new Set(), nodes = new Set([k]);
    for (const [map, end] of [[ins, (e) => key(e.s.layer, e.s.from)], [outs, (e) => key(e.s.layer + 1, e.s.to)]]) {
      const queue = [k], seen = new Set([k]);
      while (queue.length)
        for (const entry of map.get(queue.pop()) || []) {
          lit.add(entry);
          if (!seen.has(end(entry))) { seen.add(end(entry)); nodes.add(end(entry)); queue.push(end(entry)); }
        }
    }
    return [lit, nodes];
  }
  function light(k) {
    const [lit, nodes] = k ? pathsOf(k) : [new Set(), new Set()];
    svg.classList.toggle("dimmed", Boolean(k));
    for (const entry of lines) entry.line.classList.toggle("lit", lit.has(entry));
    for (const [other, group] of groups) {
      group.classList.toggle("lit", nodes.has(other));
      group.classList.toggle("chosen", other === held);
    }
  }
  function show(k) { light(k); k ? describe(spots.get(k)) : nothing(); }
  function hold(k) { held = held === k ? null : k; show(held || k); }

  const groups = new Map();
  for (const [k, spot] of spots) {
    const u = units.get(k), isOutput = spot.l === last;
    const tint = isOutput ? colour(outputs === 1 ? 1 : spot.neuron.id) : u && u.status === "labelled" ? colour(u.serves[0]) : "#9a9a9a";
    const label = isOutput ? outputName(spot.neuron.id) : u && spot.l > 0 && u.status === "labelled" ? serves(u) : "";
    const size = spot.l === 0 ? (shape ? cell * 0.46 : 4) : Math.max(3, Math.min(10, 170 / net.columns[spot.l].length));
    const dot = spot.l === 0 && shape
      ? make("rect", { x: spot.x - size, y: spot.y - size, width: 2 * size, height: 2 * size, fill: tint })
      : make("circle", { cx: spot.x, cy: spot.y, r: size, fill: tint });
    const naming = spot.l === 0 ? (named ? short(spot.neuron.name) : "") : label;
    const group = make("g", {
      class: "neuron", tabindex: 0, role: "button", "data-key": k,
      "aria-label": spot.neuron.name + (u ? `, ${role(u)}` : ""),
      onpointerenter: () => { if (!held) show(k); },
      onpointerleave: () => { if (!held) show(null); },
      onfocus: () => { if (!held) show(k); },
      onclick: () => hold(k),
      onkeydown: (e) => {
        if (e.key === "Enter" || e.key === " ") { e.preventDefault(); hold(k); }
        if (e.key === "Escape") { held = null; show(null); }
      },
    }, dot, naming ? make("text", {
      x: spot.l === 0 ? spot.x - 9 : isOutput ? spot.x + 15 : spot.x, "text-anchor": spot.l === 0 ? "end" : isOutput ? "start" : "middle",
      y: spot.l > 0 && !isOutput ? spot.y - size - 3 : spot.y + 4 }, naming) : null);
    groups.set(k, group);
    svg.append(group);
  }

  function byClass(code) {
    held = null;
    show(null);
    if (code >= 0) describeClass(code);
    svg.dataset.class = code < 0 ? "" : facts.classes[code];
    const o = outputOf(code);
    const top = code < 0 ? 1 : lines.reduce((t, e) => { t[e.s.layer] = Math.max(t[e.s.layer] || 0, e.s.energy[o] || 0); return t; }, {});
    for (const entry of lines) {
      const share = code < 0 ? null : (entry.s.energy[o] || 0) / (top[entry.s.layer] || 1);
      entry.line.style.opacity = code < 0 ? entry.rest : share > 0 ? 0.03 + 0.95 * share : 0.015;
    }
    for (const [k, group] of groups) {
      const spot = spots.get(k);
      const related = code < 0 || (spot.l === last ? outputs === 1 || spot.neuron.id === code : spot.neuron.energy[o] > 0);
      group.style.opacity = related ? 1 : 0.15;
    }
  }
  nothing();
  const out = [];
  if (net.synapses_left_out) out.push(`${count(net.synapses_left_out)} weaker synapses are not drawn.`);
  if (outputs > MOST) out.push(`Shares are kept for the ${MOST} ${numbers ? "numbers" : "classes"} for which they are largest.`);
  if (net.neurons_left_out) out.push(`${count(net.neurons_left_out)} neurons of low energy are not drawn.`);
  document.addEventListener("keydown", (e) => { if (e.key === "Escape" && held) { held = null; show(null); } });
  return section("network", "The network",
    make("p", { class: "soft" }, "Lines are synapses, as wide as their weights are large: ",
      make("span", { style: "color:var(--plus)" }, "blue is positive"), ", ", make("span", { style: "color:var(--minus)" }, "orange is negative"),
      numbers ? ". " : ". Neurons have the colour of the class that they serve, where that is significant, and are grey otherwise. ", out.join(" ")),
    numbers ? null : classFilter(byClass), make("div", { class: "split" }, make("div", { class: "scroll" }, svg), details));
}
