// Labels and curve: click a student to pass or fail, drag one to other hours; the curve is fitted at once.

const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
const sum = (values) => values.reduce((total, value) => total + value, 0);
const STRENGTHS = [0, ...Array.from({ length: 17 }, (_, i) => Number((10 ** (i / 4 - 4)).toPrecision(2)))];

/** Least mean cross-entropy plus (penalty/2)w², by Newton's method; no step moves a logit by more than 1. */
function newton(xs, ys, penalty) {
  const centre = sum(xs) / xs.length;
  const us = xs.map((x) => x - centre);
  const average = (f) => sum(us.map(f)) / us.length;
  let [w, a] = [0, 0];
  for (let i = 0; i < 3000; i++) {
    const ps = us.map((u) => sigmoid(w * u + a));
    const [gw, ga] = [average((u, j) => (ps[j] - ys[j]) * u) + penalty * w, average((_, j) => ps[j] - ys[j])];
    const [ww, wa, aa] = [2, 1, 0].map((k) => average((u, j) => ps[j] * (1 - ps[j]) * u ** k));
    const determinant = (ww + penalty) * aa - wa * wa;
    const [dw, da] = [(aa * gw - wa * ga) / determinant, ((ww + penalty) * ga - wa * gw) / determinant];
    const far = Math.max(...us.map((u) => Math.abs(dw * u + da)));
    if (!(far > 1e-13)) break; // also where the curvature has vanished
    w -= dw / Math.max(1, far);
    a -= da / Math.max(1, far);
  }
  return [w, a - w * centre];
}

/** The fit with all that is shown of it; kind says which of the four cases the students are. */
function fitCurve(xs, ys, penalty) {
  const count = xs.length;
  const share = sum(ys) / count;
  const of = (label, best) => best(...xs.filter((_, i) => ys[i] === label));
  const done = (kind, w, b, at, p) => {
    const surprise = (y, q) => -Math.log(y ? q : 1 - q);
    const steep = !Number.isFinite(w) || !Number.isFinite(b);
    const terms = xs.map((x, i) => (steep ? surprise(ys[i], p(x)) : softplus(w * x + b) - ys[i] * (w * x + b)));
    return { kind, w, b, at, p, bce: sum(terms) / count, right: xs.filter((x, i) => (p(x) > 0.5) === (ys[i] === 1)).length };
  };
  if (share === 0 || share === 1) return done("same", 0, share ? Infinity : -Infinity, null, () => share);
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  if (low === high) return done("level", 0, Math.log(share / (1 - share)), null, () => share);
  const up = of(0, Math.max) <= of(1, Math.min);
  const down = of(1, Math.max) <= of(0, Math.min);
  if ((up || down) && !penalty) {
    const at = (up ? of(0, Math.max) + of(1, Math.min) : of(1, Math.max) + of(0, Math.min)) / 2;
    const there = ys.filter((_, i) => xs[i] === at); // both labels at the threshold itself
    const sign = up ? 1 : -1;
    const p = (x) => (x === at ? (there.length ? sum(there) / there.length : 0.5) : sign * (x - at) > 0 ? 1 : 0);
    return done("separable", sign * Infinity, at ? -sign * at * Infinity : 0, at, p);
  }
  const [w, b] = newton(xs, ys, penalty);
  return done(up || down ? "restrained" : "overlap", w, b, Math.abs(w) > 1e-9 ? -b / w : null, (x) => sigmoid(w * x + b));
}

const number = (value, digits) => (Number.isFinite(value) ? format(value, digits) : value > 0 ? "∞" : "\u2212∞");
const hour = (x) => format(x, 1);

class CurveFigure {
  constructor(model) {
    this.model = model;
    this.picture = make("div");
    this.penalty = slider(["Penalty λ"], (i) => put(model, { penalty: STRENGTHS[i] }));
    this.penalty.limit([0, STRENGTHS.length - 1], 1);
    this.cells = {};
    const row = (key, ...name) => make("tr", {}, make("th", { scope: "row" }, ...name), this.cells[key] = make("td"));
    const table = make("table", {}, make("tbody", {}, row("w", "Slope ", italic("w")), row("b", "Intercept ", italic("b")),
      row("at", "One half at"), row("nats", "Mean cross-entropy"), row("bits", "the same in bits"), row("right", "Accuracy")));
    this.note = make("p", { class: "cw-state" });
    this.reset = make("button", { type: "button", class: "cw-button" }, "Start again");
    const first = { hours: model.get("hours"), labels: model.get("labels"), penalty: model.get("penalty") };
    this.reset.addEventListener("click", () => put(model, first));
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-labels", role: "group", "aria-label": "Labels and curve" },
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "Students and fitted probability"), this.picture,
          make("p", { class: "cw-help" }, "Click a student, or press ", make("kbd", {}, "Space"), ": pass or fail. Drag, or ",
            make("kbd", {}, "←"), " ", make("kbd", {}, "→"), ": other hours.")),
        make("div", { class: "cw-controls" }, table, this.penalty.root, this.note, make("div", { class: "cw-buttons" }, this.reset))),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["hours", "labels", "x_range", "penalty"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  build(range, count) {
    this.built = `${range} ${count}`;
    this.step = niceStep(range[1] - range[0], 60);
    const where = panel("Students and fitted probability", range, [-0.1, 1.1], ["hours of study"], ["probability of a pass"]);
    this.where = where;
    this.half = make("svg:path", { class: "cw-half" });
    this.gap = make("svg:rect", { class: "cw-gap", y: where.y(1.1), height: where.y(-0.1) - where.y(1.1) });
    this.curve = make("svg:path", { class: "cw-model cw-curve" });
    this.crossing = make("svg:circle", { class: "cw-crossing", r: 4.5, cy: where.y(0.5) });
    this.surprises = Array.from({ length: count }, () => make("svg:line", { class: "cw-residual" }));
    where.marks.append(this.gap, this.half, ...this.surprises, this.curve, this.crossing);
    this.students = Array.from({ length: count }, (_, i) => this.student(i));
    where.svg.append(...this.students);
    this.picture.replaceChildren(where.svg);
  }

  /** A student: dragged along the hours (and up or down to the other label), clicked, or moved by keys. */
  student(i) {
    const node = make("svg:g", { class: "cw-handle", tabindex: 0, role: "slider", "aria-label": `Hours of student ${i + 1}` },
      make("svg:circle", { class: "cw-hit", r: 22 }), make("svg:circle", { class: "cw-focus", r: 12 }),
      make("svg:circle", { class: "cw-knob", r: 7 }));
    const at = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(this.where.inside.getScreenCTM().inverse());
    let held = null; // the student under the pointer, and where it went down
    node.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      held = { who: this.nearest(at(event)), from: [event.clientX, event.clientY], moved: false };
      node.setPointerCapture(event.pointerId);
      this.students[held.who].focus({ preventScroll: true });
    });
    node.addEventListener("pointermove", (event) => {
      if (!held) return;
      held.moved ||= Math.hypot(event.clientX - held.from[0], event.clientY - held.from[1]) > 4;
      if (!held.moved) return;
      const { x, y } = at(event);
      this.set(held.who, this.where.atX(x), this.where.atY(y) > 0.5 ? 1 : 0);
    });
    const release = (event) => {
      if (held && !held.moved && event.type === "pointerup") this.toggle(held.who);
      held = null;
    };
    for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, release);
    node.addEventListener("keydown", (event) => {
      const { hours, labels } = this.data;
      if (event.key === " " || event.key === "Enter") {
        event.preventDefault();
        if (!event.repeat) this.toggle(i);
        return;
      }
      const move = arrow(event);
      if (move) this.set(i, hours[i] + move[0] * this.step, move[1] ? Number(move[1] > 0) : labels[i]);
    });
    return node;
  }

  /** Which student is nearest to a point of the drawing: their areas for the finger overlap. */
  nearest(point) {
    const { hours, labels } = this.data;
    const distances = hours.map((x, i) => Math.hypot(this.where.x(x) - point.x, this.where.y(labels[i]) - point.y));
    return distances.indexOf(Math.min(...distances));
  }

  get data() { return { hours: this.model.get("hours"), labels: this.model.get("labels") }; }

  set(i, x, y) {
    const { hours, labels } = this.data;
    const value = clamp(snap(x, this.step), this.model.get("x_range"));
    const exchange = (list, one) => list.map((old, j) => (j === i ? one : old));
    put(this.model, { hours: exchange(hours, value), labels: exchange(labels, y) });
  }

  toggle(i) { this.set(i, this.data.hours[i], 1 - this.data.labels[i]); }

  draw() {
    const { hours, labels } = this.data;
    const [range, penalty] = [this.model.get("x_range"), this.model.get("penalty")];
    if (hours.length !== labels.length) return; // Python is about to send the other one
    if (this.built !== `${range} ${hours.length}`) this.build(range, hours.length);
    const fit = fitCurve(hours, labels, penalty);
    this.root.fit = fit; // for the tests, which compare it with scikit-learn's
    this.showCurve(fit, range);
    hours.forEach((x, i) => this.showStudent(i, x, labels[i], fit.p(x), range));
    this.showNumbers(fit, labels);
    const index = STRENGTHS.reduce((best, value, j) => (Math.abs(value - penalty) < Math.abs(STRENGTHS[best] - penalty) ? j : best), 0);
    const strength = penalty ? String(Number(penalty.toPrecision(2))) : "none";
    this.penalty.show(index, strength);
    change(this.penalty.input, { "aria-valuetext": strength });
  }

  showCurve(fit, range) {
    const { where } = this;
    const points = Array.from({ length: 241 }, (_, i) => range[0] + (i / 240) * (range[1] - range[0]));
    if (fit.kind === "separable") points.push(fit.at - 1e-9, fit.at + 1e-9);
    const path = points.filter((x) => x !== fit.at || fit.kind !== "separable").sort((s, t) => s - t);
    change(this.curve, { d: trace(where, path.map((x) => [x, fit.p(x)])) });
    const shown = fit.at !== null && fit.at >= range[0] && fit.at <= range[1];
    for (const node of [this.half, this.crossing]) node.style.display = shown ? "" : "none";
    if (shown) {
      change(this.half, { d: `M${where.x(range[0])} ${where.y(0.5)}H${where.x(fit.at)}V${where.y(-0.1)}` });
      change(this.crossing, { cx: where.x(fit.at) });
    }
    // Every threshold between the nearest two students separates as well.
    const { hours, labels } = this.data;
    const sides = fit.kind !== "separable" ? [] : [-1, 1].map((side) => side * Math.min(...hours
      .filter((x, i) => (labels[i] ? fit.w > 0 : fit.w < 0) === side > 0).map((x) => side * x)));
    change(this.gap, { x: where.x(sides[0] ?? 0), width: sides.length ? where.x(sides[1]) - where.x(sides[0]) : 0 });
  }

  showStudent(i, x, y, p, range) {
    const { where } = this;
    const node = this.students[i];
    node.classList.toggle("cw-failed", !y);
    change(node, { transform: `translate(${where.x(x)} ${where.y(y)})`, "aria-valuenow": x, "aria-valuemin": range[0],
      "aria-valuemax": range[1], "aria-valuetext": `${hour(x)} hours, ${y ? "passed" : "failed"}, probability ${format(p)}` });
    change(this.surprises[i], { x1: where.x(x), x2: where.x(x), y1: where.y(y), y2: where.y(p) });
  }

  showNumbers({ kind, w, b, at, bce, right }, labels) {
    const values = {
      w: number(w, 3), b: number(b, 3), at: at === null ? "nowhere" : `${number(at, 2)} hours`,
      nats: `${format(bce, 4)} nats`, bits: `${format(bce / Math.LN2, 4)} bits`,
      right: `${right} of ${labels.length}, ${format((100 * right) / labels.length, 0)}\u00a0%`,
    };
    for (const [key, text] of Object.entries(values)) this.cells[key].textContent = text;
    this.root.classList.toggle("cw-infinite", kind === "separable" || kind === "same");
    this.note.textContent = {
      overlap: "The classes overlap: one curve is best.",
      restrained: "A threshold separates the classes. Without the penalty w would grow without end.",
      separable: "A threshold separates the classes: the steeper the curve, the smaller the loss. No finite w is best; "
        + "the step is the limit. A penalty makes w finite.",
      same: `All students ${labels[0] ? "passed" : "failed"}: the loss falls as b goes to ${labels[0] ? "" : "\u2212"}∞, and no curve is best.`,
      level: "All students studied equally long: their hours say nothing about w, and 0 is shown.",
    }[kind];
    this.speech.say(`w ${values.w}, one half at ${values.at}, mean cross-entropy ${values.nats}. ${this.note.textContent}`);
  }
}

export default {
  render({ model, el }) {
    const figure = new CurveFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
