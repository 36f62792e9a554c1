// Line and loss: drag the line or the point on the loss map; everything moves together.

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const italic = (text) => make("i", {}, text);
const slanted = (text) => make("svg:tspan", { "font-style": "italic" }, text);
const MSE = "mean squared error";
const FEW = 6; // up to so many points, squares and terms are shown one by one

/** Error of a line and the least-squares lines, with and without intercept. */
function leastSquares(xs, ys) {
  const [mx, my] = [mean(xs), mean(ys)];
  const xx = mean(xs.map((x) => x * x));
  const xy = mean(xs.map((x, i) => x * ys[i]));
  const slope = (xy - mx * my) / (xx - mx * mx);
  return {
    error: (w, b) => mean(xs.map((x, i) => (w * x + b - ys[i]) ** 2)),
    best: [slope, my - slope * mx], through0: [xy / xx, 0], mx, xx,
  };
}

/** The points (w, b) whose error is excess above the least: an ellipse, by the Cholesky factor of the Hessian. */
function ellipse({ best, mx, xx }, excess) {
  const p = Math.sqrt(xx);
  const q = mx / p;
  const r = Math.sqrt(1 - q * q);
  return Array.from({ length: 121 }, (_, i) => {
    const angle = (i * Math.PI) / 60;
    const b = (Math.sqrt(excess) * Math.sin(angle)) / r;
    return [best[0] + (Math.sqrt(excess) * Math.cos(angle) - q * b) / p, best[1] + b];
  });
}

/** Round levels 1, 3, 10, 30, ... below top, highest first. */
function levels(top, count) {
  const k = Math.floor(2 * Math.log10(top));
  return Array.from({ length: count }, (_, i) => k - i).map((j) => (j % 2 ? 3 : 1) * 10 ** Math.floor(j / 2));
}

export default {
  render({ model, el }) {
    const few = () => model.get("xs").length <= FEW;
    const line = () => [model.get("w"), model.get("one_parameter") ? 0 : model.get("b")];
    const steps = () => ["w", "b"].map((name) => { const [low, high] = model.get(`${name}_range`); return niceStep(high - low, 120); });
    const set = (w, b) => {
      const [stepW, stepB] = steps();
      const values = { w: clamp(snap(w, stepW), model.get("w_range")) };
      if (!model.get("one_parameter")) values.b = clamp(snap(b, stepB), model.get("b_range"));
      put(model, values);
    };

    const left = make("figure");
    const right = make("figure");
    const sliderW = slider(["Slope ", italic("w")], (w) => set(w, line()[1]));
    const sliderB = slider(["Intercept ", italic("b")], (b) => set(line()[0], b));
    const only = checkbox([italic("w"), " only (", italic("b"), " = 0)"], (on) => put(model, { one_parameter: on }));
    const optimum = checkbox(["Show the least-squares solution"], (on) => put(model, { show_optimum: on }));
    const terms = make("div", { class: "cw-terms" });
    const speech = announcer();
    const root = make("div", { class: "cw cw-line", role: "group", "aria-label": "Line and loss" },
      make("div", { class: "cw-columns" }, left, right),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, sliderW.root, sliderB.root, only.root, optimum.root), terms),
      speech.node);
    let fit, data, loss; // rebuilt when the data or the kind of line change

    function buildData() {
      const [xs, ys] = [model.get("xs"), model.get("ys")];
      const reach = (values, share) => {
        const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
        return [low - (low < 0 ? share : share / 3) * (high - low), high + (high > 0 ? share : share / 3) * (high - low)];
      };
      const yRange = reach([...ys, ...model.get("b_range")], 0.06);
      data = panel("Data and line", reach(xs, 0.15), yRange, [slanted("x")], [slanted("y")]);
      data.squares = xs.map(() => make("svg:rect", { class: "cw-square" }));
      data.residuals = xs.map(() => make("svg:line", { class: "cw-residual" }));
      data.line = make("svg:line", { class: "cw-model" });
      data.best = make("svg:line", { class: "cw-best" });
      data.marks.append(...(few() ? data.squares : []), ...data.residuals, data.best, data.line,
        ...xs.map((x, i) => make("svg:circle", { class: "cw-point", cx: data.x(x), cy: data.y(ys[i]), r: few() ? 5 : 3 })));
      const far = data.xRange[0] + data.xRange[1] >= 0 ? data.xRange[1] : data.xRange[0];
      data.grip = 0.96 * far;
      const turn = (x, y) => set((y - line()[1]) / (x / far > 0.25 ? x : 0.25 * far), line()[1]);
      data.slope = handle(data, "Slope w", { move: turn, nudge: (x, y) => set(line()[0] + (x + y) * steps()[0], line()[1]) });
      if (!model.get("one_parameter")) {
        data.intercept = handle(data, "Intercept b", { move: (x, y) => set(line()[0], y),
          nudge: (x, y) => set(line()[0], line()[1] + (x + y) * steps()[1]) });
      }
      left.replaceChildren(make("figcaption", {}, "Data and line"), data.svg);
    }

    function buildLoss() {
      const [wRange, bRange] = [model.get("w_range"), model.get("b_range")];
      if (model.get("one_parameter")) {
        const curve = Array.from({ length: 101 }, (_, i) => wRange[0] + (i / 100) * (wRange[1] - wRange[0])).map((w) => [w, fit.error(w, 0)]);
        loss = panel("Loss over w", wRange, [0, 1.05 * Math.max(...curve.map(([, e]) => e))], [slanted("w")], [MSE]);
        loss.marks.append(make("svg:path", { class: "cw-loss", d: trace(loss, curve) }));
      } else {
        loss = panel("Loss over w and b", wRange, bRange, [slanted("w")], [slanted("b")]);
        buildBands();
      }
      loss.best = make("svg:path", { class: "cw-cross", d: "M-7 0H7M0 -7V7" });
      loss.marks.append(loss.best);
      loss.point = handle(loss, "Point on the loss map", { move: set,
        nudge: (x, y) => set(line()[0] + (model.get("one_parameter") ? x + y : x) * steps()[0], line()[1] + y * steps()[1]) });
      // A mouse may press anywhere on the map; a finger taps, so that the page can still be scrolled over it.
      loss.inside.addEventListener("pointerdown", (event) => {
        if (event.pointerType === "mouse") { loss.point.start(event); loss.point.follow(event); }
      });
      loss.inside.addEventListener("click", loss.point.follow);
      right.replaceChildren(make("figcaption", {}, model.get("one_parameter") ? "Loss over " : "Loss over ", italic("w"),
        ...(model.get("one_parameter") ? [] : [" and ", italic("b"), make("small", {}, ` (contours: ${MSE})`)])), loss.svg);
    }

    function buildBands() {
      const [[w0, w1], [b0, b1]] = [loss.xRange, loss.yRange];
      const least = fit.error(...fit.best);
      const top = Math.max(...[w0, w1].flatMap((w) => [b0, b1].map((b) => fit.error(w, b)))) - least;
      loss.ground.classList.add("cw-high");
      const labels = levels(top, 6).map((excess) => {
        const ring = ellipse(fit, excess);
        loss.marks.append(make("svg:path", { class: "cw-band", d: trace(loss, ring) + "Z" }));
        const inset = ring.filter(([w, b]) => loss.x(w) > 66 && loss.x(w) < 310 && loss.y(b) > 22 && loss.y(b) < 244);
        const [w, b] = inset.sort((s, t) => t[1] - s[1])[0] ?? [];
        return w === undefined ? "" : make("svg:text", { class: "cw-level", x: loss.x(w), y: loss.y(b) + 4, "text-anchor": "middle" },
          String(Number((least + excess).toPrecision(2))));
      });
      loss.marks.append(...labels);
    }

    function showLine(w, b) {
      const [xs, ys] = [model.get("xs"), model.get("ys")];
      const ends = (slope, intercept) => { const [x1, x2] = data.xRange;
        return { x1: data.x(x1), x2: data.x(x2), y1: data.y(slope * x1 + intercept), y2: data.y(slope * x2 + intercept) }; };
      change(data.line, ends(w, b));
      change(data.best, ends(...(model.get("one_parameter") ? fit.through0 : fit.best)));
      xs.forEach((x, i) => {
        const [px, py, pq] = [data.x(x), data.y(ys[i]), data.y(w * x + b)];
        const side = Math.abs(py - pq);
        change(data.residuals[i], { x1: px, x2: px, y1: py, y2: pq });
        change(data.squares[i], { x: px - side, y: Math.min(py, pq), width: side, height: side });
      });
      // The handle sits near the end of the line, or where the line leaves the panel.
      const edge = clamp(w * data.grip + b, data.yRange);
      const x = edge === w * data.grip + b ? data.grip : (edge - b) / w;
      data.slope.show(x, w * x + b, w, model.get("w_range"), format(w));
      data.intercept?.show(0, b, b, model.get("b_range"), format(b));
    }

    function showTerms(w, b, error) {
      const digits = Math.abs(error) < 1000 ? 2 : 0;
      const total = make("p", { class: "cw-total" }, "MSE = ");
      if (few()) {
        const [xs, ys] = [model.get("xs"), model.get("ys")];
        const head = [["x"], ["y"], ["ŷ"], ["y", " − ", "ŷ"], ["(", "y", " − ", "ŷ", ")²"]];
        const row = (cells, tag) => make("tr", {}, ...cells.map((cell) => make(tag, tag === "th" ? { scope: "col" } : {}, ...[cell].flat())));
        const squares = xs.map((x, i) => (ys[i] - w * x - b) ** 2);
        terms.replaceChildren(make("table", {}, make("thead", {}, row(head.map((parts) => parts.map((t) => /[xyŷ]/.test(t) ? italic(t) : t)), "th")),
          make("tbody", {}, ...xs.map((x, i) => row([String(x), String(ys[i]), format(w * x + b), format(ys[i] - w * x - b), format(squares[i], digits)], "td")))));
        total.append(`(${squares.map((s) => format(s, digits)).join(" + ")}) / ${xs.length} = `);
      } else {
        terms.replaceChildren();
        total.append(`mean of ${model.get("xs").length} squared residuals = `);
      }
      total.append(make("strong", {}, format(error, digits)));
      terms.append(total);
      speech.say(`Mean squared error ${format(error, digits)}`);
    }

    function update() {
      const [w, b] = line();
      const one = model.get("one_parameter");
      const error = fit.error(w, b);
      showLine(w, b);
      const text = one ? `w ${format(w)}` : `w ${format(w)}, b ${format(b)}`;
      loss.point.show(w, one ? error : b, w, model.get("w_range"), `${text}, error ${format(error)}`);
      const [bestW, bestB] = one ? fit.through0 : fit.best;
      change(loss.best, { transform: `translate(${loss.x(bestW)} ${loss.y(one ? fit.error(bestW, 0) : bestB)})` });
      root.classList.toggle("cw-show-best", model.get("show_optimum"));
      sliderW.show(w, format(w));
      sliderB.show(b, format(b));
      sliderB.root.hidden = one;
      only.input.checked = one;
      optimum.input.checked = model.get("show_optimum");
      showTerms(w, b, error);
    }

    function rebuild() {
      fit = leastSquares(model.get("xs"), model.get("ys"));
      sliderW.limit(model.get("w_range"), steps()[0]);
      sliderB.limit(model.get("b_range"), steps()[1]);
      buildData();
      buildLoss();
      update();
    }

    const lazyUpdate = perFrame(update);
    const lazyRebuild = perFrame(rebuild);
    const forget = [watch(model, ["w", "b", "show_optimum"], lazyUpdate),
      watch(model, ["xs", "ys", "w_range", "b_range", "one_parameter"], lazyRebuild)];
    rebuild();
    speech.stop(); // nothing to announce before the reader does something
    el.append(root);
    return () => { forget.forEach((undo) => undo()); lazyUpdate.cancel(); lazyRebuild.cancel(); speech.stop(); };
  },
};
