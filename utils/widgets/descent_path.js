// Descent path: the steps of gradient descent on the contours of the loss, and the loss at each.

const slanted = (text) => make("svg:tspan", { "font-style": "italic" }, text);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const significant = (value, digits = 3) => (Number.isFinite(value)
  ? String(Number(value.toPrecision(digits))).replace("e+", "e").replace(/-/g, "\u2212") : "\u221e");
const REACH = 1.3; // the learning-rate slider ends at so many times the limit

/** Numbers in [0, 1) from a seed (mulberry32), the same in every browser. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Batches without end: the numbers 0 to n - 1, shuffled anew for each epoch, the last batch may be short. */
function* batches(n, size, seed) {
  const random = generator(seed);
  const order = Array.from({ length: n }, (_, i) => i);
  for (;;) {
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    for (let i = 0; i < n; i += size) yield order.slice(i, i + size);
  }
}

/** The mean squared error of a line: least value, Hessian's largest eigenvalue, gradient on some examples. */
function meanSquaredError(xs, ys) {
  const [mx, my, xx, xy] = [mean(xs), mean(ys), mean(xs.map((x) => x * x)), mean(xs.map((x, i) => x * ys[i]))];
  const slope = (xy - mx * my) / (xx - mx * mx);
  const error = (w, b) => mean(xs.map((x, i) => (w * x + b - ys[i]) ** 2));
  const best = [slope, my - slope * mx];
  return {
    error, best, least: error(...best), steepest: xx + 1 + Math.hypot(xx - 1, 2 * mx),
    gradient: (w, b, chosen) => {
      const errors = chosen.map((i) => w * xs[i] + b - ys[i]);
      return [2 * mean(chosen.map((i, k) => errors[k] * xs[i])), 2 * mean(errors)];
    },
  };
}

/** The points that descent visits, and the loss at each. */
function descend(loss, n, { start, lr, steps, size, seed }) {
  const path = [[...start]];
  for (const chosen of batches(n, size, seed)) {
    if (path.length > steps) break;
    const [w, b] = path.at(-1);
    const [gw, gb] = loss.gradient(w, b, chosen);
    path.push([w - lr * gw, b - lr * gb]);
  }
  return { path, losses: path.map(([w, b]) => loss.error(w, b)) };
}

class DescentFigure {
  constructor(model) {
    this.model = model;
    [this.map, this.course, this.data] = [make("figure"), make("figure"), make("figure")];
    this.rate = slider(["Learning rate ", italic("η")], (k) => put(model, { lr: Number((k * this.rateStep).toPrecision(6)) }));
    this.count = slider(["Steps"], (steps) => put(model, { steps }));
    this.mark = make("small", { "aria-hidden": "true" }, "2/", italic("λ"), make("sub", {}, "max"));
    const track = make("span", { class: "cw-track" });
    this.rate.input.replaceWith(track);
    track.append(this.rate.input, this.mark);
    this.options = make("div", { class: "cw-options" });
    this.again = make("button", { class: "cw-button", type: "button" }, "New sample");
    this.again.addEventListener("click", () => this.size < this.n && put(model, { seed: (model.get("seed") + 1) % 2 ** 31 }));
    this.verdict = make("p", { class: "cw-verdict" });
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-descent", role: "group", "aria-label": "Gradient descent" },
      make("div", { class: "cw-columns" }, this.map, this.course),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, this.rate.root, this.count.root,
          make("div", { class: "cw-sizes" }, make("fieldset", {}, make("legend", {}, "Examples in a step"), this.options), this.again),
          this.verdict),
        this.data),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = [
      watch(model, ["start", "lr", "batch_size", "seed"], draw),
      watch(model, ["xs", "ys", "w_range", "b_range", "steps"], () => { this.stale = true; draw(); }),
    ];
    this.stop = () => { forget.forEach((undo) => undo()); draw.cancel(); this.speech.stop(); };
    this.stale = true;
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  get n() { return this.model.get("xs").length; }
  get size() { return this.model.get("batch_size") || this.n; }
  get limit() { return 2 / this.loss.steepest; }

  /** Move the start, inside the map. */
  set(w, b) {
    const near = (value, name) => clamp(snap(value, this.step[name]), this.model.get(`${name}_range`));
    put(this.model, { start: [near(w, "w"), near(b, "b")] });
  }

  draw() {
    const [xs, ys] = [this.model.get("xs"), this.model.get("ys")];
    if (xs.length !== ys.length) return; // Python is about to send the other one
    if (this.stale) this.rebuild(xs, ys);
    this.stale = false;
    const [lr, steps, seed] = ["lr", "steps", "seed"].map((name) => this.model.get(name));
    const start = this.model.get("start");
    this.run = descend(this.loss, xs.length, { start, lr, steps, size: this.size, seed });
    this.showMap(start);
    this.showCourse();
    this.showLines(start);
    this.rate.show(clamp(Math.round(lr / this.rateStep), [1, 1000]), significant(lr));
    this.rate.input.setAttribute("aria-valuetext", `${significant(lr)}, ${significant(lr / this.limit, 2)} times 2 over lambda max`);
    this.count.show(steps, String(steps));
    for (const input of this.options.querySelectorAll("input")) {
      const own = Number(input.value);
      input.checked = own === this.size || (own > 1 && own < xs.length && this.size > 1 && this.size < xs.length);
    }
    change(this.again, { "aria-disabled": this.size === xs.length && "true" });
    this.showVerdict(lr, steps);
  }

  rebuild(xs, ys) {
    const { model } = this;
    const [wRange, bRange, steps] = ["w_range", "b_range", "steps"].map((name) => model.get(name));
    const step = ([low, high]) => niceStep(high - low, 240);
    this.step = { w: step(wRange), b: step(bRange) };
    this.loss = meanSquaredError(xs, ys);
    this.above = (w, b) => this.loss.error(w, b) - this.loss.least;
    const highest = Math.max(...wRange.flatMap((w) => bRange.map((b) => this.above(w, b))));
    this.rateStep = niceStep(REACH * this.limit, 200);
    const marks = Math.ceil((REACH * this.limit) / this.rateStep);
    this.rate.limit([1, marks], 1);
    const share = (this.limit / this.rateStep - 1) / (marks - 1);
    this.mark.style.left = `calc(8px + ${share.toFixed(4)} * (100% - 16px))`;
    this.count.limit([1, 200], 1);
    this.buildOptions(xs.length);
    this.buildMap(wRange, bRange, highest);
    this.buildCourse(steps, Math.log10(highest));
    this.buildData(xs, ys);
  }

  buildOptions(n) {
    const some = clamp(this.size > 1 && this.size < n ? this.size : n < 16 ? Math.ceil(n / 2) : 8, [1, n]);
    const sizes = [[n, `All ${n}`], [some, String(some)], [1, "One"]].filter(([size], i) => i !== 1 || (size > 1 && size < n));
    const name = `cw-size-${Math.random().toString(36).slice(2)}`;
    this.options.replaceChildren(...sizes.map(([size, text]) => {
      const input = make("input", { type: "radio", name, value: size });
      input.addEventListener("change", () => put(this.model, { batch_size: size === n ? 0 : size }));
      return make("label", { class: "cw-check" }, input, text);
    }));
  }

  buildMap(wRange, bRange, highest) {
    const map = panel("Loss over w and b", wRange, bRange, [slanted("w")], [slanted("b")]);
    const top = Math.floor(2 * Math.log10(highest));
    const levels = Array.from({ length: 7 }, (_, i) => Number((10 ** ((top - i) / 2)).toPrecision(1)));
    contours(map, this.above, levels);
    map.path = make("svg:path", { class: "cw-path" });
    map.dots = make("svg:g", { class: "cw-visited" });
    const [x, y] = [map.x(this.loss.best[0]), map.y(this.loss.best[1])];
    map.marks.append(map.path, map.dots, make("svg:path", { class: "cw-lowest", d: `M${x - 7} ${y}h14M${x} ${y - 7}v14` }));
    map.start = handle(map, "Start of the descent", {
      move: (w, b) => this.set(w, b),
      nudge: (right, up) => this.set(this.model.get("start")[0] + right * this.step.w, this.model.get("start")[1] + up * this.step.b),
    });
    // A mouse may press anywhere on the map; a finger taps, so that the page still scrolls over it.
    map.inside.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse") { map.start.start(event); map.start.follow(event); }
    });
    map.inside.addEventListener("click", map.start.follow);
    this.map.panel = map;
    this.map.replaceChildren(make("figcaption", {}, "Path on the loss ", make("small", {}, "(above its lowest)")), map.svg);
  }

  buildCourse(steps, highest) {
    const top = Math.ceil(highest + 0.5);
    const power = (value) => (Number.isInteger(snap(value, 1e-6))
      ? `10${String(snap(value, 1)).replace(/[-\d]/g, (sign) => "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"["-0123456789".indexOf(sign)])}` : "");
    const course = panel("Loss at every step", [0, steps], [top - 8, top], ["step"], ["MSE above the lowest"]);
    for (const text of course.svg.querySelectorAll("text[text-anchor=end]")) {
      text.textContent = power(Number(text.textContent.replace("\u2212", "-")));
    }
    for (const line of course.svg.querySelectorAll(".cw-zero")) line.setAttribute("class", "cw-grid");
    course.line = make("svg:path", { class: "cw-path" });
    course.dots = make("svg:g", { class: "cw-visited" });
    course.marks.append(course.line, course.dots);
    this.course.panel = course;
    this.course.replaceChildren(make("figcaption", {}, "Loss at every step"), course.svg);
  }

  buildData(xs, ys) {
    const wide = (values, ...more) => {
      const [low, high] = [Math.min(...values, ...more), Math.max(...values, ...more)];
      return [low - 0.06 * (high - low), high + 0.06 * (high - low)];
    };
    const data = panel("Data and line", wide(xs), wide(ys, 0), [slanted("x")], [slanted("y")]);
    data.first = make("svg:line", { class: "cw-first" });
    data.line = make("svg:line", { class: "cw-model" });
    data.marks.append(...xs.map((x, i) => make("svg:circle", { class: "cw-point", cx: data.x(x), cy: data.y(ys[i]), r: xs.length > 6 ? 3 : 5 })),
      data.first, data.line);
    this.data.panel = data;
    this.data.replaceChildren(make("figcaption", {}, "The line ", make("small", {}, "(dashed: at the start)")), data.svg);
  }

  /** Points of the path as drawn: far ones are brought near, since SVG has no infinity. */
  place(where, points) {
    const near = (value) => (Number.isNaN(value) ? 9999 : clamp(value, [-9999, 9999]));
    const placed = points.map(([u, v]) => [near(where.x(u)), near(where.y(v))]);
    const end = placed.findIndex(([x, y]) => Math.abs(x) > 9000 || Math.abs(y) > 9000);
    return end < 0 ? placed : placed.slice(0, end + 1);
  }

  showRun(where, line, points) {
    const placed = this.place(where, points);
    change(line, { d: "M" + placed.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L") });
    const r = points.length > 60 ? 1.7 : 2.8;
    where.dots.replaceChildren(...placed.map(([cx, cy]) => make("svg:circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r })));
  }

  showMap([w, b]) {
    const map = this.map.panel;
    this.showRun(map, map.path, this.run.path);
    map.start.show(w, b, w, this.model.get("w_range"), `w ${significant(w)}, b ${significant(b)}`);
  }

  showCourse() {
    const course = this.course.panel;
    const floor = 10 ** (course.yRange[0] - 1);
    this.showRun(course, course.line, this.run.losses.map((loss, k) => [k, Math.log10(Math.max(loss - this.loss.least, floor))]));
  }

  showLines(start) {
    const data = this.data.panel;
    const place = (line, [w, b]) => {
      const [[x1, y1], [x2, y2]] = this.place(data, data.xRange.map((x) => [x, w * x + b])).concat([[0, 9999]]);
      change(line, { x1, y1, x2, y2 });
    };
    place(data.first, start);
    place(data.line, this.run.path.at(-1));
  }

  showVerdict(lr, steps) {
    const share = lr / this.limit;
    const end = this.run.losses.at(-1);
    const grown = !(end - this.loss.least <= 10 * (this.run.losses[0] - this.loss.least) + 1e-9 * (1 + this.loss.least));
    const all = this.size === this.n;
    const [word, why] = all
      ? share >= 1 ? ["Diverges", "the steepest direction grows at every step"]
        : share > 0.5 ? ["Oscillates and converges", "it jumps from side to side of the valley"]
          : ["Converges", "every direction shrinks at every step"]
      : grown ? ["Diverges", "some examples have a steeper bowl than their mean"]
        : ["Wanders", "every sample pulls to a place of its own"];
    const text = `η is ${significant(share, 2)} of 2/\u2060λmax: ${why}. After ${steps} ${steps > 1 ? "steps" : "step"} the MSE is ${significant(end, 4)}; the lowest is ${significant(this.loss.least, 4)}.`;
    this.verdict.replaceChildren(make("strong", { class: word === "Diverges" ? "cw-away" : "" }, word), `. ${text}`);
    this.speech.say(`${word}. ${text}`);
  }
}

export default {
  render({ model, el }) {
    const figure = new DescentFigure(model);
    el.append(figure.root);
    el.descent = () => figure.run; // for tests: the path and the losses
    return () => { figure.stop(); delete el.descent; };
  },
};
