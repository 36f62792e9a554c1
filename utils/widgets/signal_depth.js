// Signal and depth: the size of activations and gradients layer by layer, in a random network and in theory.

const UNITS = 100;
const Y = [-12, 6]; // powers of ten
const sigma = (z) => 1 / (1 + Math.exp(-z));
const BENDS = {
  relu: { name: "ReLU", f: (z) => Math.max(0, z), slope: (z) => Number(z > 0) },
  tanh: { name: "tanh", f: Math.tanh, slope: (z) => 1 - Math.tanh(z) ** 2 },
  sigmoid: { name: "sigmoid σ", f: sigma, slope: (z) => sigma(z) * (1 - sigma(z)) },
  centred: { name: "4σ(z) \u2212 2", f: (z) => 2 * Math.tanh(z / 2), slope: (z) => 1 - Math.tanh(z / 2) ** 2 },
};

/** Standard normal numbers, the same for the same seed. */
function normals(seed, count) {
  let state = seed >>> 0;
  const uniform = () => { // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Float64Array.from({ length: count }, () =>
    Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

const rms = (x) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length);
const unit = (x) => { const size = rms(x); return x.map((value) => value / size); };

/** What is drawn by chance, kept while the seed stays: input, gradient at the top, weights of variance 1. */
function draws(seed) {
  const layers = [];
  const from = (k) => (seed * 1009 + k) * 7919;
  return {
    seed, input: unit(normals(from(0), UNITS)), top: unit(normals(from(1), UNITS)),
    layer: (l) => (layers[l] ??= normals(from(l + 2), UNITS * UNITS)),
  };
}

/** Root mean squares at the inputs of all layers and at the end: activations, and gradients on their way back. */
function measure({ f, slope }, gain, depth, drawn) {
  const scale = gain / Math.sqrt(UNITS);
  const [forward, backward, sums] = [[rms(drawn.input)], [rms(drawn.top)], []];
  let h = drawn.input;
  for (let l = 0; l < depth; l++) {
    const [W, z] = [drawn.layer(l), new Float64Array(UNITS)];
    for (let i = 0; i < UNITS; i++) {
      for (let j = 0; j < UNITS; j++) z[i] += W[i * UNITS + j] * h[j];
      z[i] *= scale;
    }
    sums.push(z);
    h = z.map(f);
    forward.push(rms(h));
  }
  let g = drawn.top;
  for (let l = depth - 1; l >= 0; l--) {
    const [W, below] = [drawn.layer(l), new Float64Array(UNITS)];
    for (let i = 0; i < UNITS; i++) {
      const back = scale * g[i] * slope(sums[l][i]);
      for (let j = 0; j < UNITS; j++) below[j] += W[i * UNITS + j] * back;
    }
    g = below;
    backward.unshift(rms(g));
  }
  return { forward, backward };
}

/** The mean of a function of a normal variable of mean 0 and this standard deviation; the grid leaves out 0. */
function mean(f, deviation) {
  let total = 0;
  for (let k = -1599; k < 1600; k += 2) total += f(deviation * k / 200) * Math.exp(-((k / 200) ** 2) / 2);
  return total / (100 * Math.sqrt(2 * Math.PI));
}

/** The same by the two recursions, for infinitely many units. */
function predict({ f, slope }, gain, depth) {
  const [forward, factors] = [[1], []];
  for (let l = 0; l < depth; l++) {
    const deviation = gain * forward[l];
    forward.push(Math.sqrt(mean((z) => f(z) ** 2, deviation)));
    factors.push(gain * Math.sqrt(mean((z) => slope(z) ** 2, deviation)));
  }
  const backward = [1];
  for (const factor of factors.reverse()) backward.unshift(backward[0] * factor);
  return { forward, backward };
}

const short = (value) => (value >= 0.01 && value < 1000 ? format(value, value < 10 ? 2 : 0) : value.toExponential(1).replace("-", "\u2212").replace("+", ""));

class SignalFigure {
  constructor(model) {
    this.model = model;
    const options = Object.entries(BENDS).map(([value, { name }]) => make("option", { value }, name));
    this.bend = make("select", {}, ...options);
    this.bend.addEventListener("change", () => put(model, { activation: this.bend.value }));
    this.gain = slider(["Gain ", italic("g")], (value) => put(model, { gain: Number(value.toFixed(2)) }));
    this.gain.limit([0.1, 5], 0.01);
    this.depth = slider(["Layers"], (value) => put(model, { depth: value }));
    this.depth.limit([2, 60], 1);
    const button = (text, act) => {
      const node = make("button", { type: "button", class: "cw-button" }, text);
      node.addEventListener("click", act);
      return node;
    };
    this.picture = make("div");
    this.cells = {};
    const row = (key, name) => make("tr", {}, make("th", { scope: "row" }, name),
      ...["measured", "predicted"].map((kind) => (this.cells[key + kind] = make("td"))));
    const table = make("table", {},
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Size"), make("th", { scope: "col" }, "measured"), make("th", { scope: "col" }, "predicted"))),
      make("tbody", {}, row("forward", "Activations, at the end"), row("backward", "Gradient, at the input")));
    this.note = make("p", { class: "cw-note" });
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-signal", role: "group", "aria-label": "Signal and depth" },
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "Size at each layer"), this.picture,
          make("p", { class: "cw-help" }, make("span", { class: "cw-key cw-key-forward" }, "activations, forward"), " ",
            make("span", { class: "cw-key cw-key-backward" }, "gradient, backward"), " Lines: predicted.")),
        make("div", { class: "cw-controls" }, make("label", { class: "cw-choice" }, make("span", {}, "Activation"), this.bend),
          this.gain.root, this.depth.root,
          make("div", { class: "cw-buttons" }, button("g = 1", () => put(model, { gain: 1 })),
            button("g = √2", () => put(model, { gain: Math.SQRT2 })),
            button("New weights", () => put(model, { seed: (model.get("seed") + 1) % 10000 }))),
          table, this.note)),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["activation", "gain", "depth", "seed"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  build(depth) {
    this.built = depth;
    const where = panel("Size at each layer", [0, depth], Y, ["layer"], ["size, as a power of ten"]);
    this.where = where;
    this.lines = ["forward", "backward"].map((name) => make("svg:path", { class: `cw-line-${name}` }));
    this.dots = ["forward", "backward"].map((name) => make("svg:path", { class: `cw-dots-${name}` }));
    where.marks.append(...this.lines, ...this.dots);
    this.picture.replaceChildren(where.svg);
  }

  draw() {
    const [activation, gain, depth, seed] = ["activation", "gain", "depth", "seed"].map((name) => this.model.get(name));
    if (this.built !== depth) this.build(depth);
    if (this.drawn?.seed !== seed) this.drawn = draws(seed);
    const bend = BENDS[activation];
    const found = { measured: measure(bend, gain, depth, this.drawn), predicted: predict(bend, gain, depth) };
    this.root.found = { ...found, drawn: this.drawn }; // for the tests, which compare it with torch's
    // Far points are kept near the panel, a size of zero too.
    const places = (sizes) => sizes.map((size, l) => [l, clamp(Math.log10(size), [2 * Y[0] - Y[1], 2 * Y[1] - Y[0]])]);
    ["forward", "backward"].forEach((way, i) => {
      change(this.lines[i], { d: trace(this.where, places(found.predicted[way])) });
      change(this.dots[i], { d: places(found.measured[way]).map((place) => `${trace(this.where, [place])}h0`).join("") });
      for (const kind of ["measured", "predicted"]) {
        this.cells[way + kind].textContent = short(found[kind][way].at(way === "forward" ? -1 : 0));
      }
    });
    const level = (ratio) => short(Math.abs(ratio) ** (1 / depth));
    const factors = [level(found.predicted.forward.at(-1)), level(found.predicted.backward[0])];
    this.note.textContent = `Predicted, on average over the layers: activations × ${factors[0]}, gradient × ${factors[1]} a layer.`;
    this.bend.value = activation;
    this.gain.show(gain, format(gain));
    this.depth.show(depth, String(depth));
    this.speech.say(`${bend.name}, gain ${format(gain)}: activations ${this.cells.forwardmeasured.textContent} after ${depth} layers, `
      + `gradient ${this.cells.backwardmeasured.textContent} at the input.`);
  }
}

export default {
  render({ model, el }) {
    const figure = new SignalFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
