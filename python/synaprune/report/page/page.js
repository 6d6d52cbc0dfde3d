// The page, top to bottom.
function summarySection() {
  const s = facts.summary, tiles = [];
  const tile = (value, text) => tiles.push(make("div", null, make("b", null, value), make("span", null, text)));
  tile(count(s.synapses), s.full ? `synapses, of ${count(s.full.synapses)}` : "synapses");
  tile(count(s.inputs), s.full ? `inputs, of ${count(s.full.inputs)}` : "inputs");
  for (const [name, a] of Object.entries(s.accuracy))
    tile(score(a.final), `${scoreName}, ${name}` + (a.full === null ? "" : ` (${score(a.full)} at the start of the path)`));
  tile(s.bytes < 10000 ? `${count(s.bytes)} B` : `${(s.bytes / 1024).toFixed(1)} KiB`, "as sparse layers");
  const asked = s.contract.metric;
  const metric = !asked || asked === "auto" ? scoreName : asked === "r2" ? "R²" : asked.replaceAll("_", " ");
  // Of what is about numbers, only the drop of an error is a share.
  const amount = (k, v) => (numbers && !(k === "max_drop" && metric.startsWith("neg ")) ? String(v) : percent(v));
  const terms = { n_synapses: "at most %s synapses", n_inputs: "at most %s inputs", n_groups: "at most %s groups of inputs", input_cost: "inputs that cost at most %s", min_score: `${metric} of at least %s`, max_drop: `drop in ${metric} of at most %s`, confidence: "with confidence %s" };
  const contract = Object.entries(s.contract).filter(([k]) => terms[k]).map(([k, v]) => terms[k].replace("%s", k === "min_score" || k === "max_drop" ? amount(k, v) : count(v))).join(", ");
  return make("header", null, make("h1", null, `${s.dataset ? s.dataset + ": " : ""}a ${s.structure} network`),
    make("p", { class: "soft" }, s.full ? `Pruned from ${s.full.structure}.` : "",
      contract ? ` Constraint: ${contract}.` : "", s.stop_reason ? ` Stopped: ${s.stop_reason}.` : ""),
    Object.keys(s.accuracy).length ? "" : make("p", { class: "warn" }, "No data was given; sections that need samples are empty."),
    make("div", { class: "figures" }, ...tiles));
}

const codeLines = (lines) => make("ul", { class: "rules" }, ...lines.map((line) => make("li", null, make("code", null, line))));

function rulesSection() {
  return section("rules", "Rules", make("p", { class: "soft" }, facts.rules.text), codeLines(facts.rules.lines));
}

// Nothing of a network that is too large to be read.
function formulaSection() {
  const f = facts.formula;
  if (f === null) return [];
  return [section("formula", "Formula", codeLines(f.lines),
    ...f.notes.map((note) => make("p", { class: "soft" }, note)),
    ...(f.interactions.length ? [make("p", null, f.interactions[0]), codeLines(f.interactions.slice(1))] : []))];
}

function originSection() {
  const pairs = Object.entries(facts.origin).flatMap(([name, value]) => [make("dt", null, name), make("dd", null, value)]);
  return section("origin", "Origin", make("dl", null, ...pairs));
}

document.getElementById("page").append(summarySection(), networkSection(), ...(numbers
  ? [numberUnitsSection(), inputsSection(), responsesSection(), ...formulaSection(), curveSection()]
  : [unitsSection(), inputsSection(), curveSection(), rulesSection(), ...formulaSection(), samplesSection()]), originSection());
