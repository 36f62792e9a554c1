// Optimizer path: where five optimizers go from a start that can be dragged, on four surfaces.

const square = [[-2, 2], [-2, 2]];
/** Half of u² + κv² in axes u, v turned by 45° or not. */
const valley = (name, turn, start) => {
  const axes = ([x, y]) => (turn ? [(x + y) / Math.SQRT2, (y - x) / Math.SQRT2] : [x, y]);
  return { name, window: square, start, low: [[0, 0]], narrow: true,
    f(at, k) { const [u, v] = axes(at); return (u * u + k * v * v) / 2; },
    slope(at, k) {
      const [u, v] = axes(at);
      return turn ? [(u - k * v) / Math.SQRT2, (u + k * v) / Math.SQRT2] : [u, k * v];
    } };
};
const SURFACES = {
  valley: valley("Valley along the axes", false, [-1.7, 0.8]),
  turned: valley("Valley turned by 45°", true, [-1.7, -0.2]),
  rosenbrock: { name: "Rosenbrock’s valley", window: [[-2, 2], [-1, 3]], start: [-1.2, 1], low: [[1, 1]],
    f: ([x, y]) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    slope: ([x, y]) => [2 * (x - 1) - 400 * x * (y - x * x), 200 * (y - x * x)] },
  saddle: { name: "Saddle between two minima", window: square, start: [-1.6, 0.02], low: [[0, 1], [0, -1]],
    f: ([x, y]) => x * x / 2 + (y * y - 1) ** 2 / 4, slope: ([x, y]) => [x, y ** 3 - y] },
};
// What is subtracted, divided by the learning rate, for one coordinate with gradient g and memory s.
const OPTIMIZERS = {
  sgd: { name: "SGD", uses: [], step: (g) => g },
  momentum: { name: "Momentum", uses: ["beta1"], step: (g, s, { beta1 }) => (s.m = beta1 * s.m + g) },
  nesterov: { name: "Nesterov", uses: ["beta1"], step: (g, s, { beta1 }) => g + beta1 * (s.m = beta1 * s.m + g) },
  rmsprop: { name: "RMSProp", uses: ["beta2"], step(g, s, { beta2 }) {
    s.v = beta2 * s.v + (1 - beta2) * g * g;
    return g / (Math.sqrt(s.v) + 1e-8);
  } },
  adam: { name: "Adam", uses: ["beta1", "beta2"], step(g, s, { beta1, beta2 }, t) {
    s.m = beta1 * s.m + (1 - beta1) * g;
    s.v = beta2 * s.v + (1 - beta2) * g * g;
    return s.m / (1 - beta1 ** t) / (Math.sqrt(s.v / (1 - beta2 ** t)) + 1e-8);
  } },
};
const SETTING = ["optimizer", "lr", "beta1", "beta2", "start"]; // what the faint path may have of its own
const TRAITS = [...SETTING, "surface", "kappa", "steps", "previous"];

/** Points and losses of a walk; one that leaves for infinity ends there. */
function walk({ f, slope }, kappa, setting, steps) {
  const memory = [{ m: 0, v: 0 }, { m: 0, v: 0 }];
  const path = [setting.start];
  while (path.length <= steps && Math.hypot(...path.at(-1)) < 1e6) {
    const g = slope(path.at(-1), kappa);
    path.push(path.at(-1).map((value, i) => value
      - setting.lr * OPTIMIZERS[setting.optimizer].step(g[i], memory[i], setting, path.length)));
  }
  return { path, losses: path.map((at) => f(at, kappa)) };
}

const brief = (value) => (value >= 0.01 && value < 1000 ? value.toPrecision(3) : value.toExponential(1)).replace("-", "\u2212");

/** A labelled list to choose from. */
function choice(name, options, onChange) {
  const input = make("select", {}, ...Object.entries(options).map(([value, { name: text }]) => make("option", { value }, text)));
  input.addEventListener("change", () => onChange(input.value));
  return { input, root: make("label", { class: "cw-choice" }, make("span", {}, name), input) };
}

class PathFigure {
  constructor(model) {
    this.model = model;
    const power = (name, digits) => (value) => this.set({ [name]: Number((10 ** value).toPrecision(digits)) });
    const sub = (letter, index) => [italic(letter), make("sub", {}, index)];
    this.surface = choice("Surface", SURFACES, (surface) => this.set({ surface, start: SURFACES[surface].start }));
    this.optimizer = choice("Optimizer", OPTIMIZERS, (optimizer) => this.set({ optimizer }));
    this.sliders = {
      lr: slider(["Learning rate ", italic("η")], power("lr", 3)),
      beta1: slider(["Momentum ", ...sub("β", "1")], (value) => this.set({ beta1: value })),
      beta2: slider(["Averaging ", ...sub("β", "2")], (value) => this.set({ beta2: Number((1 - 10 ** -value).toFixed(4)) })),
      steps: slider(["Steps"], (value) => this.set({ steps: value })),
      kappa: slider(["Narrowness ", italic("κ")], power("kappa", 2)),
    };
    this.sliders.lr.limit([-4, Math.log10(3)], 0.01);
    this.sliders.beta1.limit([0, 0.99], 0.01);
    this.sliders.beta2.limit([0, 4], 0.05);
    this.sliders.steps.limit([10, 500], 10);
    this.sliders.kappa.limit([0, 2.5], 0.05);
    this.left = make("figure");
    this.right = make("figure");
    this.now = make("p", { class: "cw-told cw-here-told" });
    this.before = make("p", { class: "cw-told cw-before-told" });
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-walk", role: "group", "aria-label": "Optimizer path" },
      make("div", { class: "cw-columns" }, this.optimizer.root, this.surface.root),
      make("div", { class: "cw-columns" }, this.left, this.right),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, ...Object.values(this.sliders).map(({ root }) => root)),
        make("div", {}, this.now, this.before)),
      this.speech.node);
    this.root.walk = () => this.walk;
    this.still = -Infinity; // when the reader last changed something
    this.root.addEventListener("pointerdown", () => { this.down = true; });
    this.stopDrag = () => { this.down = false; this.still = Math.min(this.still, performance.now()); };
    for (const type of ["pointerup", "pointercancel"]) addEventListener(type, this.stopDrag);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, TRAITS, draw);
    this.stop = () => {
      forget();
      for (const type of ["pointerup", "pointercancel"]) removeEventListener(type, this.stopDrag);
      draw.cancel();
      this.speech.stop();
    };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  get setting() { return Object.fromEntries(SETTING.map((name) => [name, this.model.get(name)])); }

  /** Change traits; what was there before a new gesture stays as the faint path. */
  set(values) {
    if (performance.now() - this.still > 800) values.previous = values.surface ? {} : this.setting;
    this.still = this.down ? Infinity : performance.now();
    put(this.model, values);
  }

  move(x, y) {
    const near = (value, range) => Number(clamp(snap(value, 0.02), range).toFixed(2));
    this.set({ start: [near(x, this.map.xRange), near(y, this.map.yRange)] });
  }

  draw() {
    const [surface, kappa, steps, previous] = ["surface", "kappa", "steps", "previous"].map((name) => this.model.get(name));
    const [scene, { setting }] = [SURFACES[surface], this];
    if (this.shown !== surface) this.buildMap(scene);
    if (this.shown !== surface || this.narrow !== kappa) this.buildContours(scene, kappa);
    if (this.length !== steps) this.buildLoss(steps);
    [this.shown, this.narrow, this.length] = [surface, kappa, steps];
    this.walk = walk(scene, kappa, setting, steps);
    const old = { ...setting, ...previous };
    const faint = previous.optimizer ? walk(scene, kappa, old, steps) : { path: [], losses: [] };
    for (const [name, { path, losses }] of [["here", this.walk], ["ghost", faint]]) {
      this.trace(this.map, name, path);
      this.trace(this.loss, name, losses.map((loss, t) => [t, Math.log10(loss)]));
    }
    const [x, y] = setting.start;
    this.grip.show(x, y, x, this.map.xRange, `x ${format(x)}, y ${format(y)}`);
    const told = this.tell(this.now, setting, this.walk);
    if (previous.optimizer) this.tell(this.before, old, faint);
    this.before.hidden = !previous.optimizer;
    this.speech.say(told);
    this.showControls(setting, { surface, kappa, steps });
  }

  /** A line through the points and a dot at each, kept near the panel so that far points do no harm. */
  trace(where, name, points) {
    const near = (value, [low, high]) => clamp(value, [2 * low - high, 2 * high - low]);
    const kept = points.map(([u, v]) => [near(u, where.xRange), near(v, where.yRange)]);
    change(where[name][0], { d: kept.length > 1 && trace(where, kept) });
    change(where[name][1], { d: kept.map((point) => `${trace(where, [point])}h0`).join("") });
  }

  tell(node, setting, { losses }) {
    const { name, uses } = OPTIMIZERS[setting.optimizer];
    const first = losses.findIndex((loss) => loss < 1e-3);
    const options = uses.map((use) => `, ${use === "beta1" ? "β₁" : "β₂"} ${setting[use]}`).join("");
    const text = `${losses.at(-1) < 1e9 ? `loss ${brief(losses.at(-1))}` : "diverged"} after ${losses.length - 1} steps`
      + (first < 0 ? "" : `, first below 0.001 after ${first}`);
    node.replaceChildren(make("b", {}, name), ` (η ${setting.lr}${options}): ${text}`);
    return `${name}: ${text}`;
  }

  showControls(setting, { surface, kappa, steps }) {
    const { lr, beta1, beta2 } = setting;
    this.surface.input.value = surface;
    this.optimizer.input.value = setting.optimizer;
    const show = (name, at, text) => {
      this.sliders[name].show(at, text);
      change(this.sliders[name].input, { "aria-valuetext": text });
    };
    show("lr", Math.log10(lr), String(lr));
    show("beta1", beta1, format(beta1));
    show("beta2", -Math.log10(1 - beta2), String(beta2));
    show("steps", steps, String(steps));
    show("kappa", Math.log10(kappa), String(kappa));
    for (const name of ["beta1", "beta2"]) this.sliders[name].root.hidden = !OPTIMIZERS[setting.optimizer].uses.includes(name);
    this.sliders.kappa.root.hidden = !SURFACES[surface].narrow;
  }

  lines(where) {
    for (const name of ["ghost", "here"]) {
      where[name] = ["line", "dots"].map((kind) => make("svg:path", { class: `cw-${name} cw-${kind}` }));
      where.marks.append(...where[name]);
    }
  }

  buildMap({ window, low }) {
    this.map = panel("Surface and path", ...window, ["x"], ["y"]);
    this.map.marks.append(...low.map(([u, v]) => make("svg:path", { class: "cw-low",
      d: `M${this.map.x(u) - 6} ${this.map.y(v)}h12m-6 -6v12` })));
    this.lines(this.map);
    this.grip = handle(this.map, "Start", {
      move: (u, v) => this.move(u, v),
      nudge: (u, v) => this.move(...this.setting.start.map((value, i) => value + 0.02 * [u, v][i])),
    });
    // A mouse may press anywhere on the map; a finger taps, so that the page still scrolls over it.
    this.map.inside.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse") { this.grip.start(event); this.grip.follow(event); }
    });
    this.map.inside.addEventListener("click", this.grip.follow);
    this.left.replaceChildren(make("figcaption", {}, "Surface and path"), this.map.svg);
    this.group = null;
  }

  buildContours({ f, window: [xs, ys] }, kappa) {
    this.group?.remove();
    const top = Math.max(...xs.flatMap((x) => ys.map((y) => f([x, y], kappa))));
    const levels = Array.from({ length: 6 }, (_, i) => Number((top / 1.6 / 4 ** i).toPrecision(1)));
    this.group = contours(this.map, (x, y) => f([x, y], kappa), levels, { n: 56 });
  }

  buildLoss(steps) {
    this.loss = panel("Loss at each step", [0, steps], [-8, 4], ["step"], ["log₁₀ of the loss"]);
    this.lines(this.loss);
    this.right.replaceChildren(make("figcaption", {}, "Loss at each step"), this.loss.svg);
  }
}

export default {
  render({ model, el }) {
    const figure = new PathFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
