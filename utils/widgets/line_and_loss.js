// Line and loss: drag the line or the point on the loss map; everything moves together.

const FEW = 6; // up to so many points, squares and terms are shown one by one

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const slanted = (text) => make("svg:tspan", { "font-style": "italic" }, text);
const places = (step) => Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));

/** The error of a line, and the least-squares lines with and without intercept. */
function leastSquares(xs, ys) {
  const [mx, my, xx, xy] = [mean(xs), mean(ys), mean(xs.map((x) => x * x)), mean(xs.map((x, i) => x * ys[i]))];
  const slope = (xy - mx * my) / (xx - mx * mx);
  return {
    error: (w, b) => mean(xs.map((x, i) => (ys[i] - w * x - b) ** 2)),
    best: [slope, my - slope * mx], through0: [xy / xx, 0], mx, xx,
  };
}

/** The (w, b) whose error is excess above the least: an ellipse, by Cholesky's factor of the Hessian. */
function ellipse({ best, mx, xx }, excess) {
  const p = Math.sqrt(xx);
  const q = mx / p;
  return Array.from({ length: 121 }, (_, i) => {
    const [u, v] = [Math.cos((i * Math.PI) / 60), Math.sin((i * Math.PI) / 60)].map((t) => t * Math.sqrt(excess));
    const b = v / Math.sqrt(1 - q * q);
    return [best[0] + (u - q * b) / p, best[1] + b];
  });
}

/** Levels 1, 3, 10, 30, ... times a power of ten below top, highest first. */
function levels(top, count) {
  const highest = Math.floor(2 * Math.log10(top));
  return Array.from({ length: count }, (_, i) => (highest - i) % 2 ? 3 * 10 ** ((highest - i - 1) / 2) : 10 ** ((highest - i) / 2));
}

class LineFigure {
  constructor(model) {
    this.model = model;
    this.left = make("figure");
    this.right = make("figure");
    this.sliderW = slider(["Slope ", italic("w")], (w) => this.set(w, this.line[1]));
    this.sliderB = slider(["Intercept ", italic("b")], (b) => this.set(this.line[0], b));
    this.only = checkbox([italic("w"), " only (", italic("b"), " = 0)"], (on) => put(model, { one_parameter: on }));
    this.optimum = checkbox(["Show the least-squares solution"], (on) => put(model, { show_optimum: on }));
    this.terms = make("div");
    this.speech = announcer();
    this.root = make("div", { class: "cw", role: "group", "aria-label": "Line and loss" },
      make("div", { class: "cw-columns" }, this.left, this.right),
      make("div", { class: "cw-columns" }, make("div", { class: "cw-controls" },
        this.sliderW.root, this.sliderB.root, this.only.root, this.optimum.root), this.terms),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = [
      watch(model, ["w", "b", "show_optimum"], draw),
      watch(model, ["xs", "ys", "w_range", "b_range", "one_parameter"], () => { this.stale = true; draw(); }),
    ];
    this.stop = () => { forget.forEach((undo) => undo()); draw.cancel(); this.speech.stop(); };
    this.stale = true;
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  get one() { return this.model.get("one_parameter"); }
  get line() { return [this.model.get("w"), this.one ? 0 : this.model.get("b")]; }

  set(w, b) {
    const near = (value, name) => clamp(snap(value, this.steps[name]), this.model.get(`${name}_range`));
    put(this.model, this.one ? { w: near(w, "w") } : { w: near(w, "w"), b: near(b, "b") });
  }

  /** Move by so many steps of w and of b. */
  nudge(w, b) {
    this.set(this.line[0] + w * this.steps.w, this.line[1] + b * this.steps.b);
  }

  draw() {
    const [xs, ys] = [this.model.get("xs"), this.model.get("ys")];
    if (xs.length !== ys.length) return; // Python is about to send the other one
    if (this.stale) this.rebuild(xs, ys);
    this.stale = false;
    const [w, b] = this.line;
    const best = this.one ? this.fit.through0 : this.fit.best;
    const error = this.fit.error(w, b);
    this.showLine(w, b, best);
    this.showLoss(w, b, best, error);
    this.showTerms(w, b, error);
    this.sliderW.show(w, this.text(w, "w"));
    this.sliderB.show(b, this.text(b));
    this.sliderB.root.hidden = this.one;
    this.only.input.checked = this.one;
    this.optimum.input.checked = this.model.get("show_optimum");
    this.root.classList.toggle("cw-show-best", this.optimum.input.checked);
  }

  /** A number with the digits that one step of w, or of b, makes sense of. */
  text(value, name = "b") { return format(value, places(this.steps[name])); }

  rebuild(xs, ys) {
    const step = ([low, high]) => niceStep(high - low, 240);
    this.steps = { w: step(this.model.get("w_range")), b: step(this.model.get("b_range")) };
    this.points = xs.map((x, i) => [x, ys[i]]);
    this.few = xs.length <= FEW;
    this.fit = leastSquares(xs, ys);
    this.sliderW.limit(this.model.get("w_range"), this.steps.w);
    this.sliderB.limit(this.model.get("b_range"), this.steps.b);
    this.buildData(xs, ys);
    this.buildLoss();
  }

  buildData(xs, ys) {
    const reach = (values, share) => {
      const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
      const spare = share * (high - low);
      return [low - (low < 0 ? spare : spare / 3), high + (high > 0 ? spare : spare / 3)];
    };
    const data = panel("Data and line", reach(xs, 0.15), reach([...ys, ...this.model.get("b_range")], 0.06),
      [slanted("x")], [slanted("y")]);
    this.data = data;
    data.svg.classList.toggle("cw-many", !this.few);
    data.squares = this.points.map(() => make("svg:rect", { class: "cw-square" }));
    data.residuals = this.points.map(() => make("svg:line", { class: "cw-residual" }));
    data.line = make("svg:line", { class: "cw-model" });
    data.best = make("svg:line", { class: "cw-best" });
    data.marks.append(...(this.few ? data.squares : []), ...data.residuals, data.best, data.line,
      ...this.points.map(([x, y]) => make("svg:circle", { class: "cw-point", cx: data.x(x), cy: data.y(y), r: this.few ? 5 : 3.5 })));
    const [low, high] = data.xRange;
    const far = high + low >= 0 ? high : low; // the end that is farther from the y axis
    data.grip = 0.96 * far;
    data.slope = handle(data, "Slope w", {
      move: (x, y) => this.set((y - this.line[1]) / (x / far > 0.25 ? x : 0.25 * far), this.line[1]),
      nudge: (x, y) => this.nudge(x + y, 0),
    });
    data.intercept = this.one ? null : handle(data, "Intercept b", {
      move: (x, y) => this.set(this.line[0], y), nudge: (x, y) => this.nudge(0, x + y),
    });
    this.left.replaceChildren(make("figcaption", {}, "Data and line"), data.svg);
  }

  buildLoss() {
    const [wRange, bRange] = [this.model.get("w_range"), this.model.get("b_range")];
    if (this.one) {
      const curve = Array.from({ length: 101 }, (_, i) => wRange[0] + (i / 100) * (wRange[1] - wRange[0]))
        .map((w) => [w, this.fit.error(w, 0)]);
      this.loss = panel("Loss over w", wRange, [0, 1.05 * Math.max(...curve.map(([, e]) => e))], [slanted("w")], ["MSE"]);
      this.loss.marks.append(make("svg:path", { class: "cw-loss", d: trace(this.loss, curve) }));
    } else {
      this.loss = panel("Loss over w and b", wRange, bRange, [slanted("w")], [slanted("b")]);
      this.buildBands(this.loss);
    }
    const { loss } = this;
    loss.best = make("svg:path", { class: "cw-cross", d: "M-7 0H7M0 -7V7" });
    loss.marks.append(loss.best);
    loss.point = handle(loss, "Point on the loss", {
      move: (w, b) => this.set(w, b), nudge: (x, y) => (this.one ? this.nudge(x + y, 0) : this.nudge(x, y)),
    });
    // A mouse may press anywhere on the map; a finger taps, so that the page still scrolls over it.
    loss.inside.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse") { loss.point.start(event); loss.point.follow(event); }
    });
    loss.inside.addEventListener("click", loss.point.follow);
    this.right.replaceChildren(make("figcaption", {}, "Mean squared error over ", italic("w"),
      ...(this.one ? [] : [" and ", italic("b")])), loss.svg);
  }

  /** Bands of the error about the least-squares solution, paler where it is lower, with its value. */
  buildBands(loss) {
    const least = this.fit.error(...this.fit.best);
    const corners = loss.xRange.flatMap((w) => loss.yRange.map((b) => this.fit.error(w, b)));
    const labels = [];
    loss.ground.classList.add("cw-high");
    for (const excess of levels(Math.max(...corners) - least, 6)) {
      const ring = ellipse(this.fit, excess);
      loss.marks.append(make("svg:path", { class: "cw-band", d: trace(loss, ring) + "Z" }));
      const place = ring.map(([w, b]) => [loss.x(w), loss.y(b)])
        .filter(([x, y]) => x > 66 && x < 310 && y > 22 && y < 244).sort((s, t) => s[1] - t[1])[0];
      const free = labels.every(([x, y]) => Math.abs(x - place?.[0]) > 30 || Math.abs(y - place?.[1]) > 14);
      if (place && free) labels.push([...place, String(Number((least + excess).toPrecision(2)))]);
    }
    loss.marks.append(...labels.map(([x, y, text]) => make("svg:text", { class: "cw-level", x, y: y + 4, "text-anchor": "middle" }, text)));
  }

  showLine(w, b, best) {
    const { data } = this;
    const ends = (slope, intercept) => {
      const [x1, x2] = data.xRange;
      return { x1: data.x(x1), x2: data.x(x2), y1: data.y(slope * x1 + intercept), y2: data.y(slope * x2 + intercept) };
    };
    change(data.line, ends(w, b));
    change(data.best, ends(...best));
    this.points.forEach(([x, y], i) => {
      const [px, py, pq] = [data.x(x), data.y(y), data.y(w * x + b)];
      const side = Math.abs(py - pq);
      change(data.residuals[i], { x1: px, x2: px, y1: py, y2: pq });
      change(data.squares[i], { x: px - side, y: Math.min(py, pq), width: side, height: side });
    });
    // The handle sits near the end of the line, or where the line leaves the panel.
    const edge = clamp(w * data.grip + b, data.yRange);
    const x = edge === w * data.grip + b ? data.grip : (edge - b) / w;
    data.slope.show(x, w * x + b, w, this.model.get("w_range"), this.text(w, "w"));
    data.intercept?.show(0, b, b, this.model.get("b_range"), this.text(b));
  }

  showLoss(w, b, best, error) {
    const height = (slope, intercept) => (this.one ? this.fit.error(slope, 0) : intercept);
    const text = `w ${this.text(w, "w")}${this.one ? "" : `, b ${this.text(b)}`}, mean squared error ${this.text(error)}`;
    this.loss.point.show(w, height(w, b), w, this.model.get("w_range"), text);
    change(this.loss.best, { transform: `translate(${this.loss.x(best[0])} ${this.loss.y(height(...best))})` });
  }

  showTerms(w, b, error) {
    const total = (text) => make("p", { class: "cw-total" }, make("span", {}, text), make("strong", {}, this.text(error)));
    if (this.few) {
      const row = (cells, tag) => make("tr", {}, ...cells.map((cell) => make(tag, tag === "th" ? { scope: "col" } : {}, ...cell)));
      const head = [["x"], ["y"], ["ŷ"], ["y", " \u2212 ", "ŷ"], ["(", "y", " \u2212 ", "ŷ", ")²"]];
      const body = this.points.map(([x, y]) => [x, y, w * x + b, y - w * x - b, (y - w * x - b) ** 2]);
      this.terms.replaceChildren(
        make("table", {},
          make("thead", {}, row(head.map((parts) => parts.map((part) => (/[xyŷ]/.test(part) ? italic(part) : part))), "th")),
          make("tbody", {}, ...body.map(([x, y, ...rest]) => row([...[x, y].map((v) => [String(Number(v.toPrecision(4)))]), ...rest.map((v) => [this.text(v)])], "td")))),
        total(`MSE = (${body.map((cells) => this.text(cells[4])).join(" + ")}) / ${body.length} =`));
    } else this.terms.replaceChildren(total(`MSE over ${this.points.length} points =`));
    this.speech.say(`Mean squared error ${this.text(error)}`);
  }
}

export default {
  render({ model, el }) {
    const figure = new LineFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
