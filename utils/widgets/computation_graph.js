// Computation graph: a small reverse-mode engine, its graph, and one step of either pass at a time.

const WIDE = 560; // pixels: from here on the graph runs from left to right, below from top to bottom
const BOX = { width: 80, height: 46 };
const BETWEEN = 82; // pixels between nodes side by side
const SIGNS = { "+": "+", "-": "\u2212", "*": "\u00d7", "/": "/" };

/** About two digits that count, a true minus sign, no zeros at the end. */
function short(value) {
  if (!Number.isFinite(value)) return "undefined";
  const size = Math.abs(value);
  const text = size > 0.0995 || !size ? value.toFixed(2) : size > 0.00095 ? value.toPrecision(2) : value.toExponential(0);
  return text.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "").replaceAll("-", "\u2212");
}

/** The value of an operation and its local derivatives, given those of its operands. */
const COMPUTE = {
  "+": (x, y) => [x + y, 1, 1],
  "-": (x, y) => [x - y, 1, -1],
  "*": (x, y) => [x * y, y, x],
  "/": (x, y) => [x / y, 1 / y, -x / (y * y)],
  neg: (x) => [-x, -1],
  tanh: (x) => [Math.tanh(x), 1 - Math.tanh(x) ** 2],
  exp: (x) => [Math.exp(x), Math.exp(x)],
  log: (x) => [Math.log(x), 1 / x],
  relu: (x) => [Math.max(x, 0), x > 0 ? 1 : 0],
};

/** The same derivatives in letters; node is the result, x and y are the operands. */
function letters(node, x, y) {
  return {
    "+": ["1", "1"], "-": ["1", "\u22121"], "*": [y, x], "/": [`1/${y}`, `\u2212${x}/${y}²`], neg: ["\u22121"],
    "**": [node.exponent === 2 ? `2${x}` : `${short(node.exponent)}\u00b7${x}^${short(node.exponent - 1)}`],
    tanh: [`1 \u2212 ${node.name}²`], exp: [node.name], log: [`1/${x}`], relu: [`1 if ${x} > 0, else 0`],
  }[node.op];
}

/** An operation written with its operands, as names or as numbers. */
function formula(node, [x, y]) {
  if (node.op === "**") return node.exponent === 2 ? `${x}²` : `${x}^${short(node.exponent)}`;
  if (node.op === "neg") return `\u2212${x}`;
  return node.op in SIGNS ? `${x} ${SIGNS[node.op]} ${y}` : `${node.op}(${x})`;
}

/** Values, local derivatives, shares (local derivative times gradient) and gradients of all nodes. */
function run(nodes, inputs) {
  const results = nodes.map((node) => ({ grad: 0, shares: [], added: [], local: [] }));
  nodes.forEach((node, i) => {
    const operands = node.parents.map((p) => results[p].value);
    const [value, ...local] = node.op === "input" ? [inputs[node.name]] : node.op === "constant" ? [node.value]
      : node.op === "**" ? [operands[0] ** node.exponent, node.exponent * operands[0] ** (node.exponent - 1)]
        : COMPUTE[node.op](...operands);
    Object.assign(results[i], { value, local });
  });
  results.at(-1).grad = 1;
  for (let i = nodes.length - 1; i >= 0; i--) {
    results[i].shares = results[i].local.map((local) => local * results[i].grad);
    nodes[i].parents.forEach((p, k) => {
      results[p].grad += results[i].shares[k];
      results[p].added.unshift(results[i].shares[k]);
    });
  }
  return results;
}

/** Places of the nodes as [layer, row], and for each edge the places that it passes. */
function layout(nodes) {
  const layer = [];
  nodes.forEach((node, i) => { layer[i] = 1 + Math.max(-1, ...node.parents.map((p) => layer[p])); });
  nodes.forEach((node, i) => { // an input stands next to the first node that uses it
    if (!node.parents.length) layer[i] = Math.min(...nodes.flatMap((n, j) => (n.parents.includes(i) ? [layer[j]] : []))) - 1;
  });
  const items = nodes.map((node, i) => ({ layer: layer[i], from: [] }));
  const edges = nodes.flatMap((node, i) => node.parents.map((p, k) => {
    const path = [items[p]]; // a long edge gets a place of its own in each layer that it crosses
    for (let l = layer[p] + 1; l < layer[i]; l++) {
      const bend = { layer: l, from: [path.at(-1)], bend: true };
      items.push(bend);
      path.push(bend);
    }
    items[i].from.push(path.at(-1));
    return { child: i, k, path: [...path, items[i]], twin: node.parents.indexOf(p) !== k };
  }));
  const layers = Array.from({ length: Math.max(...layer) + 1 }, (_, l) => items.filter((item) => item.layer === l));
  for (const row of layers) {
    const place = ({ from }) => (from.length ? from.reduce((sum, f) => sum + f.row, 0) / from.length : Infinity);
    if (row !== layers[0]) row.sort((s, t) => (place(s) > place(t)) - (place(s) < place(t)));
    row.forEach((item, i) => { item.row = i - (row.length - 1) / 2; });
  }
  return { items: items.slice(0, nodes.length), edges, layers: layers.length, rows: Math.max(...layers.map((row) => row.length)) };
}

class GraphFigure {
  constructor(model) {
    this.model = model;
    this.select = make("select");
    this.select.addEventListener("change", () => put(model, { chosen: this.select.selectedIndex, step: 999 }));
    this.drawing = make("div");
    this.controls = make("div", { class: "cw-controls" });
    this.told = make("div", { class: "cw-told" });
    const buttons = [["Clear", () => 0], ["Next step", () => this.step + 1], ["Forward", () => this.count],
      ["Backward", () => this.last]].map(([name, target]) => {
      const button = make("button", { type: "button", class: "cw-button" }, name);
      button.addEventListener("click", () => put(model, { step: Math.min(target(), this.last) }));
      return button;
    });
    this.next = buttons[1];
    this.help = make("p", { class: "cw-help" });
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-graph", role: "group", "aria-label": "Computation graph" },
      make("label", { class: "cw-choice" }, make("span", {}, "Expression"), this.select),
      this.drawing, this.help, make("div", { class: "cw-buttons" }, ...buttons),
      make("div", { class: "cw-columns" }, this.controls, this.told), this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = [watch(model, ["values", "step"], draw),
      watch(model, ["graphs", "chosen"], () => { this.stale = true; draw(); })];
    const observer = new ResizeObserver(() => { if (this.room() !== this.width) { this.stale = true; draw(); } });
    observer.observe(this.drawing);
    this.stop = () => { forget.forEach((undo) => undo()); observer.disconnect(); draw.cancel(); this.speech.stop(); };
    this.stale = true;
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  get step() { return Math.min(this.model.get("step"), this.last); }

  /** Steps: the inputs alone, each operation forward, each operation backward, and all at once. */
  get last() { return 2 * this.count + 1; }

  room() { return Math.floor(this.drawing.clientWidth) || 640; }

  draw() {
    const [graphs, chosen, inputs] = ["graphs", "chosen", "values"].map((name) => this.model.get(name));
    const nodes = graphs[chosen];
    if (!nodes?.every((node) => node.op !== "input" || node.name in inputs)) return; // Python is about to send the rest
    if (this.stale) this.build(graphs, chosen);
    this.stale = false;
    this.results = run(nodes, inputs);
    for (const [name, control] of this.sliders) control.show(inputs[name], format(inputs[name], 1));
    this.showGraph();
    this.tell();
    change(this.next, { "aria-disabled": String(this.step === this.last) });
  }

  build(graphs, chosen) {
    this.nodes = graphs[chosen];
    this.result = this.nodes.at(-1).name;
    this.order = this.nodes.flatMap((node, i) => (node.parents.length ? [i] : [])); // the operations
    this.count = this.order.length;
    const texts = this.model.get("expressions").map((text) => text.replace(/ ?\*\* ?2(?!\d)/g, "²").replaceAll("*", "\u00d7").replaceAll(" - ", " \u2212 "));
    this.select.replaceChildren(...texts.map((text, i) => make("option", { selected: i === chosen }, text)));
    this.select.selectedIndex = chosen;
    this.help.replaceChildren(make("b", { class: "cw-blue" }, "Values"), " flow forward; ",
      make("b", { class: "cw-orange" }, "gradients"), " of ", italic(this.result), " flow back, and add up where edges leave a node.");
    const names = this.nodes.filter((node) => node.op === "input").map((node) => node.name);
    if (String(names) !== String(this.names)) this.buildSliders(names); // else a slider keeps its focus
    this.buildGraph();
  }

  buildSliders(names) {
    this.names = names;
    this.sliders = names.map((name) => {
      const control = slider([italic(name)], (value) => put(this.model, { values: { ...this.model.get("values"), [name]: value } }));
      control.limit([-3, 3], 0.1);
      return [name, control];
    });
    this.controls.replaceChildren(...this.sliders.map(([, control]) => control.root));
  }

  buildGraph() {
    const { items, edges, layers, rows } = layout(this.nodes);
    const width = this.width = this.room();
    const wide = width >= WIDE;
    const [along, across] = wide ? ["width", "height"] : ["height", "width"];
    const gap = wide ? Math.min(190, (width - BOX.width - 2) / (layers - 1)) : 92;
    const beside = wide ? BETWEEN : Math.min(116, (width - BOX.width - 2) / Math.max(1, rows - 1));
    const height = wide ? rows * BETWEEN : (layers - 1) * gap + BOX.height + 24;
    const middle = wide ? height / 2 + 5 : width / 2;
    const start = wide ? (width - (layers - 1) * gap) / 2 : BOX.height / 2 + 20;
    const at = (item) => [start + item.layer * gap, middle + item.row * beside];
    const xy = (u, v) => (wide ? `${u.toFixed(1)} ${v.toFixed(1)}` : `${v.toFixed(1)} ${u.toFixed(1)}`);
    this.edges = edges.map(({ child, k, path, twin }) => {
      const points = path.map(at).map(([u, v]) => [u, v + (twin ? 24 : 0)]);
      const half = BOX[along] / 2;
      const d = points.slice(1).map(([u, v], i) => {
        const [u0, v0] = [points[i][0] + (i ? 0 : half), points[i][1]];
        const u1 = i === points.length - 2 ? u - half - 5 : u;
        const bend = (u1 - u0) / 2;
        return `${i ? "" : `M${xy(u0, v0)}`}C${xy(u0 + bend, v0)} ${xy(u1 - bend, v)} ${xy(u1, v)}`;
      }).join("");
      const [[u0, v0], [u1, v1]] = points.slice(-2);
      const [x, y] = xy((u0 + u1 + (points.length > 2 ? -half : 0)) / 2, (v0 + v1) / 2).split(" ");
      const line = make("svg:path", { class: "cw-edge", d });
      const end = make("svg:path", { class: "cw-tip", d: wide ? "M-5 -4L3 0L-5 4Z" : "M-4 -5L0 3L4 -5Z",
        transform: `translate(${xy(u1 - half - 5, v1)})` });
      const text = make("svg:text", { class: "cw-share", x, y: Number(y) + 4, "text-anchor": "middle" });
      return { child, k, line, text, root: make("svg:g", {}, line, end) };
    });
    this.boxes = this.nodes.map((node, i) => {
      const [x, y] = xy(...at(items[i])).split(" ").map(Number);
      const text = (dy, kind) => make("svg:text", { class: kind, y: dy, "text-anchor": "middle" });
      const [value, grad] = [text(-4, "cw-number"), text(14, "cw-gradient")];
      const operation = { "**": `^${node.exponent}`, neg: "\u2212", ...SIGNS }[node.op] ?? node.op;
      const root = make("svg:g", { class: `cw-node cw-${node.parents.length ? "operation" : node.op}`, transform: `translate(${x} ${y})` },
        make("svg:rect", { x: -BOX.width / 2, y: -BOX.height / 2, width: BOX.width, height: BOX.height, rx: 8 }), value, grad);
      if (node.parents.length) root.append(make("svg:text", { x: 4 - BOX.width / 2, y: -BOX.height / 2 - 5 }, operation));
      return { value, grad, root };
    });
    this.svg = make("svg:svg", { viewBox: `0 0 ${width} ${height + 8}`, role: "img" },
      ...this.edges.map((edge) => edge.root), ...this.boxes.map((box) => box.root), ...this.edges.map((edge) => edge.text));
    this.svg.style.maxWidth = `${width}px`;
    this.drawing.replaceChildren(this.svg);
  }

  /** The operation that this step is about, and whether it goes backward; none at the start and at the end. */
  get current() {
    const { step, count } = this;
    if (step === 0 || step === this.last) return {};
    return step <= count ? { node: this.order[step - 1] } : { node: this.order[2 * count - step], back: true };
  }

  showGraph() {
    const { nodes, results, step, count, order } = this;
    const known = (i) => !nodes[i].parents.length || order.indexOf(i) < step;
    const passed = (i) => step > count && order.indexOf(i) >= 2 * count - step; // its shares are sent
    const { node: now, back } = this.current;
    this.edges.forEach(({ child, k, line, text }) => {
      text.textContent = passed(child) && nodes[nodes[child].parents[k]].op !== "constant" ? short(results[child].shares[k]) : "";
      change(line, { class: `cw-edge${now === child ? (back ? " cw-flow-back" : " cw-flow") : ""}` });
    });
    const words = [];
    this.boxes.forEach(({ value, grad, root }, i) => {
      const { name, op } = nodes[i];
      const users = nodes.flatMap((node, j) => (node.parents.includes(i) ? [j] : []));
      const share = op !== "constant" && step > count && (users.some(passed) || !users.length);
      const done = users.every(passed);
      const soFar = users.filter(passed).flatMap((j) => nodes[j].parents.flatMap((p, k) => (p === i ? [results[j].shares[k]] : [])));
      const sum = users.length ? soFar.reduce((total, one) => total + one, 0) : 1;
      value.textContent = op === "constant" ? name : known(i) ? `${name} = ${short(results[i].value)}` : name;
      grad.textContent = !share ? "" : done ? `grad ${short(sum)}` : `${short(sum)} + \u2026`;
      change(root, { "data-name": name, "data-value": known(i) && results[i].value, "data-grad": share && done && results[i].grad });
      root.classList.toggle("cw-now", now === i);
      words.push(value.textContent + (share ? `, gradient ${short(sum)}` : ""));
    });
    change(this.svg, { "aria-label": `Graph: ${words.join("; ")}` });
  }

  /** What this step does, in letters and numbers. */
  tell() {
    const { nodes, results } = this;
    const { node: i, back } = this.current;
    const name = (p) => nodes[p].name;
    const partial = (of, by) => `\u2202${of}/\u2202${by}`;
    const table = (head, rows) => make("table", {},
      make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((text) => make("td", {}, text))))));
    let [title, body, said] = ["", [], ""];
    if (i === undefined && this.step === 0) {
      [title, said] = ["The inputs are set. Next: the first operation.", "Only the inputs are set"];
    } else if (i === undefined) {
      const rows = nodes.flatMap((node, p) => (node.op === "input"
        ? [[partial(this.result, node.name), results[p].added.map(short).join(" + ").replaceAll("+ \u2212", "\u2212 "), short(results[p].grad)]] : []));
      title = "Both passes are done. The gradients of the inputs:";
      body = [table(["derivative", "shares", "sum"], rows)];
      said = `${this.result} is ${short(results.at(-1).value)}; ` + rows.map((row) => `${row[0]} is ${row[2]}`).join(", ");
    } else if (!back) {
      const node = nodes[i];
      title = `Forward, step ${this.step} of ${this.count}`;
      said = `${node.name} = ${formula(node, node.parents.map(name))} = ${formula(node, node.parents.map((p) => short(results[p].value)))} = ${short(results[i].value)}`;
      body = [make("p", { class: "cw-line" }, said)];
    } else {
      const node = nodes[i];
      const inLetters = letters(node, ...node.parents.map(name));
      const rows = node.parents.flatMap((p, k) => (nodes[p].op === "constant" ? [] : [[`to ${name(p)}`,
        `${partial(node.name, name(p))} = ${inLetters[k]}${inLetters[k] === short(results[i].local[k]) ? "" : ` = ${short(results[i].local[k])}`}`,
        `\u00d7 ${short(results[i].grad)}`, `= ${short(results[i].shares[k])}`]]));
      title = `Backward, step ${this.step - this.count} of ${this.count}: through ${node.name} = ${formula(node, node.parents.map(name))}`;
      body = [table(["edge", "local derivative", `\u00d7 grad ${node.name}`, "= share"], rows)];
      said = `${title}. ${rows.map((row) => row.join(" ")).join("; ")}`;
    }
    this.told.replaceChildren(make("p", { class: "cw-title" }, title), ...body);
    this.speech.say(said);
  }
}

export default {
  render({ model, el }) {
    const figure = new GraphFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
