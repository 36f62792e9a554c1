// Decision boundary: a small network, trained here by Adam on all points at once.

const LR = 0.03;
const LAST = 4000; // steps
const GRID = 60; // the heat map's rows and columns
const LEVELS = 16; // of its colours
const REACH = [1.8, 1.8 * (246 / 274)]; // of the plane that is shown, to both sides
const BENDS = { // function, and its derivative from sum z and output a
  linear: [(z) => z, () => 1],
  relu: [(z) => Math.max(0, z), (z) => (z > 0 ? 1 : 0)],
  tanh: [Math.tanh, (z, a) => 1 - a * a],
  sigmoid: [(z) => 1 / (1 + Math.exp(-z)), (z, a) => a * (1 - a)],
};

/** Numbers in [0, 1) from a seed (mulberry32): the same on every machine. */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 200 points [x, y, class]. */
function makePoints(name) {
  const random = randomNumbers(7);
  const noise = (size) => size * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: 200 }, (_, i) => {
    const [kind, t] = [i % 2, random()];
    if (name === "xor") {
      const [u, v] = [i & 2 ? 1 : -1, (i & 2 ? 1 : -1) * (kind ? -1 : 1)];
      return [0.75 * u + noise(0.18), 0.75 * v + noise(0.18), kind];
    }
    if (name === "moons") {
      const [u, v] = kind ? [1 - Math.cos(Math.PI * t), 0.5 - Math.sin(Math.PI * t)] : [Math.cos(Math.PI * t), Math.sin(Math.PI * t)];
      return [u - 0.5 + noise(0.1), v - 0.25 + noise(0.1), kind];
    }
    const radius = 1.4 * Math.sqrt(0.03 + 0.97 * t);
    const angle = 3 * Math.PI * (radius / 1.4) + Math.PI * kind;
    return [radius * Math.cos(angle) + noise(0.03), radius * Math.sin(angle) + noise(0.03), kind];
  });
}

/** A multilayer perceptron with one logit, its gradients by hand, and Adam. */
class Network {
  constructor({ data, hidden, layers, activation, seed }) {
    this.points = makePoints(data);
    [this.bend, this.slope] = BENDS[activation];
    this.sizes = [2, ...Array(layers).fill(hidden), 1];
    const random = randomNumbers(1000 + seed);
    this.layers = this.sizes.slice(1).map((out, l) => {
      const fan = this.sizes[l];
      const draw = () => (2 * random() - 1) / Math.sqrt(fan); // as nn.Linear
      const [W, b] = [Float64Array.from({ length: out * fan }, draw), Float64Array.from({ length: out }, draw)];
      const zeros = () => [new Float64Array(out * fan), new Float64Array(out)];
      return { out, fan, values: [W, b], gradients: zeros(), first: zeros(), second: zeros(),
        z: new Float64Array(out), a: new Float64Array(out), delta: new Float64Array(out) };
    });
    this.steps = 0;
    this.losses = [this.measure().loss];
  }

  /** The logit of one point; sums and outputs stay in the layers for the backward pass. */
  logit(x, y) {
    let input = [x, y];
    const last = this.layers.length - 1;
    this.layers.forEach((layer, l) => {
      const { out, fan, values: [W, b], z, a } = layer;
      for (let i = 0, k = 0; i < out; i++) {
        let sum = b[i];
        for (let j = 0; j < fan; j++) sum += W[k++] * input[j];
        z[i] = sum;
        a[i] = l < last ? this.bend(sum) : sum;
      }
      input = a;
    });
    return input[0];
  }

  /** Mean gradients over all points, into the layers. */
  differentiate() {
    for (const { gradients } of this.layers) gradients.forEach((part) => part.fill(0));
    for (const [x, y, kind] of this.points) {
      const p = 1 / (1 + Math.exp(-this.logit(x, y)));
      this.layers.at(-1).delta[0] = (p - kind) / this.points.length;
      for (let l = this.layers.length - 1; l >= 0; l--) {
        const { out, fan, values: [W], gradients: [dW, db], delta } = this.layers[l];
        const below = this.layers[l - 1];
        const input = below ? below.a : [x, y];
        below?.delta.fill(0);
        for (let i = 0, k = 0; i < out; i++) {
          db[i] += delta[i];
          for (let j = 0; j < fan; j++, k++) {
            dW[k] += delta[i] * input[j];
            if (below) below.delta[j] += delta[i] * W[k];
          }
        }
        below?.delta.forEach((d, j) => { below.delta[j] = d * this.slope(below.z[j], below.a[j]); });
      }
    }
  }

  step() {
    this.differentiate();
    const t = ++this.steps;
    const [scale, root] = [LR / (1 - 0.9 ** t), Math.sqrt(1 - 0.999 ** t)];
    for (const { values, gradients, first, second } of this.layers) {
      values.forEach((part, n) => part.forEach((_, i) => {
        const g = gradients[n][i];
        first[n][i] += 0.1 * (g - first[n][i]);
        second[n][i] += 0.001 * (g * g - second[n][i]);
        part[i] -= (scale * first[n][i]) / (Math.sqrt(second[n][i]) / root + 1e-8);
      }));
    }
    this.losses.push(this.measure().loss);
  }

  /** Mean cross-entropy and accuracy. */
  measure() {
    let [loss, right] = [0, 0];
    for (const [x, y, kind] of this.points) {
      const z = this.logit(x, y);
      loss += Math.max(z, 0) - kind * z + Math.log1p(Math.exp(-Math.abs(z)));
      right += (z > 0) === (kind === 1);
    }
    return { loss: loss / this.points.length, accuracy: right / this.points.length };
  }
}

/** A labelled choice; options are [value, text]. */
function choice(name, options, onChange) {
  const select = make("select", {}, ...options.map(([value, text]) => make("option", { value }, text)));
  select.addEventListener("change", () => onChange(select.value));
  return { select, root: make("label", { class: "cw-choice" }, make("span", {}, name), select) };
}

function button(text, onClick) {
  const node = make("button", { type: "button", class: "cw-button" }, text);
  node.addEventListener("click", onClick);
  return node;
}

/** A picture with three ticks on each axis; x and y map values to it, and marks holds what moves. */
function frame(name, xRange, yRange, xName, yName) {
  const scale = ([low, high], from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);
  const [x, y] = [scale(xRange, 52, 326), scale(yRange, 256, 10)];
  const box = { x: 52, y: 10, width: 274, height: 246 };
  const marks = make("svg:svg", { ...box, viewBox: "52 10 274 246" }, make("svg:rect", { class: "cw-ground", ...box }));
  const text = (u, v, words, anchor, more) => make("svg:text", { x: u, y: v, "text-anchor": anchor, ...more }, words);
  const ticks = ([low, high]) => [low, (low + high) / 2, high].map((value) => [value, format(value, high > 2 ? 0 : 1)]);
  return { x, y, marks, svg: make("svg:svg", { viewBox: "0 0 340 296", role: "group", "aria-label": name }, marks,
    ...ticks(xRange).map(([value, words]) => text(x(value), 273, words, "middle")),
    ...ticks(yRange).map(([value, words]) => text(46, y(value) + 4.5, words, "end")),
    text(189, 291, xName, "middle", { class: "cw-axis" }),
    text(0, 0, yName, "middle", { class: "cw-axis", transform: "translate(12 133) rotate(-90)" })) };
}

/** Segments along which a (GRID + 1)² table of logits is zero, as a path (marching squares). */
function zeroLine(table, place) {
  const side = GRID + 1;
  const parts = [];
  for (let r = 0; r < GRID; r++) {
    for (let c = 0; c < GRID; c++) {
      const corners = [[c, r], [c + 1, r], [c + 1, r + 1], [c, r + 1]];
      const values = corners.map(([u, v]) => table[v * side + u]);
      const cuts = [];
      for (let i = 0; i < 4; i++) {
        const [p, q] = [values[i], values[(i + 1) % 4]];
        if (p > 0 === q > 0) continue;
        const share = p / (p - q);
        const [from, to] = [corners[i], corners[(i + 1) % 4]];
        cuts.push(place(from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])));
      }
      for (let i = 0; i + 1 < cuts.length; i += 2) parts.push(`M${cuts[i]}L${cuts[i + 1]}`);
    }
  }
  return parts.join("");
}

const SETTINGS = ["data", "hidden", "layers", "activation", "seed"];

class BoundaryFigure {
  constructor(model) {
    this.model = model;
    this.running = false;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.drawn = 0; // time of the last picture
    this.speech = announcer();
    this.build();
    this.wake = () => { this.frame ||= requestAnimationFrame((now) => this.tick(now)); };
    const forget = [
      watch(model, SETTINGS, () => { this.net = null; this.wake(); }),
      watch(model, ["steps"], this.wake),
    ];
    this.stop = () => {
      forget.forEach((undo) => undo());
      cancelAnimationFrame(this.frame);
      this.running = false;
      this.speech.stop();
    };
    this.reset();
    this.work(400);
    this.draw();
    this.wake();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  get settings() { return Object.fromEntries(SETTINGS.map((name) => [name, this.model.get(name)])); }

  reset() { this.net = new Network(this.settings); }

  /** Change a setting: a new network, untrained. */
  choose(values) { put(this.model, { ...values, steps: 0 }); }

  build() {
    const [data, activation] = [
      choice("Data", [["xor", "XOR"], ["moons", "moons"], ["spirals", "spirals"]], (value) => this.choose({ data: value })),
      choice("Activation", [["linear", "none (linear)"], ["relu", "ReLU"], ["tanh", "tanh"], ["sigmoid", "sigmoid"]],
        (value) => this.choose({ activation: value })),
    ];
    const hidden = slider(["Units a layer"], (value) => this.choose({ hidden: value }));
    hidden.limit([1, 16], 1);
    const layers = slider(["Layers"], (value) => this.choose({ layers: value }));
    layers.limit([1, 2], 1);
    this.controls = { data, activation, hidden, layers };
    this.train = button("Train", () => this.toggle());
    this.again = button("New start", () => this.choose({ seed: (this.model.get("seed") + 1) % 10000 }));
    this.one = button("Step", () => { this.pause(); this.advance(1); });
    this.zero = button("Reset", () => { this.pause(); this.choose({}); });
    this.result = make("p", { class: "cw-result-line" });
    this.plane = frame("Points and boundary", ...REACH.map((reach) => [-reach, reach]), "x₁", "x₂");
    // half of the levels in the colour of each class, stronger the surer the network is
    this.bands = Array.from({ length: LEVELS }, (_, i) => {
      const sure = (2 * i + 1) / LEVELS - 1;
      return make("svg:path", { class: sure > 0 ? "cw-square-point" : "cw-round-point", "fill-opacity": (0.08 + 0.42 * Math.abs(sure)).toFixed(2) });
    });
    this.units = make("svg:g");
    this.dots = make("svg:g", { class: "cw-dots" });
    this.edge = make("svg:path", { class: "cw-edge" });
    this.plane.marks.append(make("svg:g", { class: "cw-heat" }, ...this.bands), this.units, this.edge, this.dots);
    this.right = make("figure");
    this.root = make("div", { class: "cw cw-boundary", role: "group", "aria-label": "Decision boundary" },
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "Probability of ", make("b", { class: "cw-second" }, "squares"), " over the plane"),
          this.plane.svg),
        this.right),
      this.result,
      make("div", { class: "cw-buttons" }, this.train, this.one, this.zero, this.again),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, data.root, activation.root),
        make("div", { class: "cw-controls" }, hidden.root, layers.root)),
      this.speech.node);
  }

  toggle() {
    if (this.running) { this.pause(); this.draw(); return; }
    if (this.model.get("steps") >= LAST) this.choose({});
    this.running = true;
    this.drawn = performance.now();
    this.labelTrain();
    this.wake();
  }

  pause() {
    this.running = false;
    this.labelTrain();
    this.model.save_changes();
  }

  labelTrain() { this.train.textContent = this.running ? "Pause" : "Train"; }

  advance(count) { put(this.model, { steps: Math.min(LAST, this.model.get("steps") + count) }); }

  /** Train towards the model's step for at most so many milliseconds; says whether it got there. */
  work(budget) {
    if (!this.net || this.net.steps > this.model.get("steps")) this.reset();
    const until = performance.now() + budget;
    while (this.net.steps < this.model.get("steps") && performance.now() < until) this.net.step();
    return this.net.steps === this.model.get("steps");
  }

  /** One frame: catch up with the model's step, go on if training, draw. Little motion: a picture a second. */
  tick(now) {
    this.frame = 0;
    if (this.work(10) && this.running) {
      const [until, from] = [performance.now() + 6, this.net.steps];
      while (this.net.steps < LAST && this.net.steps < from + 8 && performance.now() < until) this.net.step();
      this.model.set("steps", this.net.steps);
      if (this.net.steps >= LAST) this.pause();
    }
    const behind = this.net.steps < this.model.get("steps");
    if (!this.calm.matches || !(this.running || behind) || now - this.drawn > 1000) {
      this.drawn = now;
      this.draw();
    }
    if (this.running || behind) this.wake();
  }

  draw() {
    if (!this.net) return;
    this.drawControls();
    this.drawPlane();
    this.drawLoss();
    const { loss, accuracy } = this.net.measure();
    const text = `Step ${this.net.steps}: loss ${format(loss, 3)}, accuracy ${percent(accuracy, 1)}`;
    this.result.textContent = text;
    if (!this.running) this.speech.say(text);
  }

  drawControls() {
    const { data, activation, hidden, layers } = this.controls;
    const settings = this.settings;
    data.select.value = settings.data;
    activation.select.value = settings.activation;
    hidden.show(settings.hidden, String(settings.hidden));
    layers.show(settings.layers, String(settings.layers));
  }

  drawPlane() {
    const { net, plane } = this;
    const side = GRID + 1;
    const at = (i, n) => REACH[n] * ((2 * i) / GRID - 1);
    const table = new Float64Array(side * side);
    for (let v = 0, k = 0; v < side; v++) for (let u = 0; u < side; u++) table[k++] = net.logit(at(u, 0), -at(v, 1));
    const paths = Array(LEVELS).fill("");
    const [left, top] = [plane.x(-REACH[0]), plane.y(REACH[1])];
    const [width, height] = [(plane.x(REACH[0]) - left) / GRID, (plane.y(-REACH[1]) - top) / GRID];
    for (let v = 0; v < GRID; v++) {
      for (let u = 0, from = 0, level; u <= GRID; u++) { // runs of one level
        const k = v * side + u;
        const z = (table[k] + table[k + 1] + table[k + side] + table[k + side + 1]) / 4;
        const next = u < GRID ? Math.min(LEVELS - 1, Math.floor(LEVELS / (1 + Math.exp(-z)))) : -1;
        if (next !== level && u) {
          paths[level] += `M${left + from * width} ${top + v * height}h${(u - from) * width}v${height}h${(from - u) * width}z`;
          from = u;
        }
        level = next;
      }
    }
    this.bands.forEach((band, i) => change(band, { d: paths[i] }));
    change(this.edge, { d: zeroLine(table, (u, v) => `${plane.x(at(u, 0)).toFixed(1)} ${plane.y(-at(v, 1)).toFixed(1)}`) });
    this.drawUnits();
    if (this.shown !== net.points) this.drawPoints();
  }

  /** Where the sum of each unit of a single hidden layer is zero. */
  drawUnits() {
    const { net: { layers: [{ values: [W, b] }], sizes }, plane } = this;
    const bent = sizes.length === 3 && this.model.get("activation") !== "linear";
    this.units.replaceChildren(...Array.from(bent ? b : [], (offset, i) => {
      const [u, v] = [W[2 * i], W[2 * i + 1]];
      const size = Math.hypot(u, v);
      const end = (far) => [plane.x((-offset * u / size - far * v) / size), plane.y((-offset * v / size + far * u) / size)];
      const [[x1, y1], [x2, y2]] = [end(-9), end(9)];
      return make("svg:line", { class: "cw-unit", x1, y1, x2, y2 });
    }));
  }

  drawPoints() {
    const { plane } = this;
    this.shown = this.net.points;
    this.dots.replaceChildren(...this.shown.map(([x, y, kind]) => (kind
      ? make("svg:rect", { class: "cw-square-point", x: plane.x(x) - 3, y: plane.y(y) - 3, width: 6, height: 6 })
      : make("svg:circle", { class: "cw-round-point", cx: plane.x(x), cy: plane.y(y), r: 3.4 }))));
  }

  drawLoss() {
    const { losses } = this.net;
    const reach = [100, 200, 500, 1000, 2000, LAST].find((end) => end >= losses.length - 1);
    if (this.reach !== reach) {
      this.reach = reach;
      this.loss = frame("Loss by step", [0, reach], [0, 1], "steps", "cross-entropy");
      this.curve = make("svg:path", { class: "cw-curve" });
      this.loss.marks.append(this.curve);
      this.right.replaceChildren(make("figcaption", {}, "Loss on the 200 points"), this.loss.svg);
    }
    const stride = Math.max(1, Math.floor(reach / 200));
    const points = losses.map((value, i) => [i, Math.min(value, 1)]).filter(([i]) => i % stride === 0 || i === losses.length - 1);
    change(this.curve, { d: "M" + points.map(([i, value]) => `${this.loss.x(i).toFixed(1)} ${this.loss.y(value).toFixed(1)}`).join("L") });
  }
}

export default {
  render({ model, el }) {
    const figure = new BoundaryFigure(model);
    el.append(figure.root);
    el.figure = figure; // for tests
    return () => { figure.stop(); delete el.figure; };
  },
};
