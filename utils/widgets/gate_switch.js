// Gate switch: a small GRU that keeps the last marked number; its gates forced open or shut.

const MAP = { left: 8, width: 322, height: 84, gap: 20 }; // of each heat map, in the drawing's units
const NAMES = { update: "Update gate", reset: "Reset gate" };
const LETTERS = { update: "z", reset: "r" };
const MEANING = { update: { 0: "write", 1: "keep" }, reset: { 0: "hide", 1: "show" } };

/** A function from numbers, marks, what gates are forced to and where, to what happens at each step. */
function network(model) {
  const n = model.get("hidden");
  const weights = halves(model.get("weights"));
  let at = 0;
  const take = (rows, columns) => Array.from({ length: rows }, () => weights.subarray(at, (at += columns)));
  const [fromInput, fromState] = [take(3 * n, 2), take(3 * n, n)];
  const [[bias], [second], [out], [last]] = [take(1, 3 * n), take(1, 3 * n), take(1, n), take(1, 1)];
  const dot = (u, v) => u.reduce((sum, value, i) => sum + value * v[i], 0);
  const sigmoid = (a) => 1 / (1 + Math.exp(-a));
  return (values, marks, force, [first, end]) => {
    let state = new Float64Array(n);
    return values.map((value, t) => {
      const x = fromInput.map((w, i) => w[0] * value + (marks[t] ? w[1] : 0) + bias[i]);
      const h = fromState.map((w, i) => dot(w, state) + second[i]);
      const gate = (name, block) => Float64Array.from(state, (_, i) => {
        const forced = force[name] !== "free" && t + 1 >= first && t + 1 <= end;
        return forced ? Number(force[name]) : sigmoid(x[block * n + i] + h[block * n + i]);
      });
      const [reset, update] = [gate("reset", 0), gate("update", 1)];
      state = state.map((old, i) => {
        const candidate = Math.tanh(x[2 * n + i] + reset[i] * h[2 * n + i]);
        return (1 - update[i]) * candidate + update[i] * old;
      });
      return { state, update, reset, answer: dot(out, state) + last[0] };
    });
  };
}

/** Three choices in a row: free, 0 and 1. */
function threeWay(name, onChange) {
  const group = `cw-gate-${Math.random().toString(36).slice(2)}`; // JupyterLab imports the module anew for each figure
  const inputs = ["free", "0", "1"].map((value) => {
    const input = make("input", { type: "radio", name: group, value });
    input.addEventListener("change", () => onChange(value));
    const text = value === "free" ? ["free"] : [`${value} `, make("small", {}, MEANING[name][value])];
    return [input, make("label", {}, input, make("span", {}, ...text))];
  });
  return {
    root: make("fieldset", { class: "cw-three" }, make("legend", {}, `${NAMES[name]} `, italic(LETTERS[name])),
      ...inputs.map(([, label]) => label)),
    show(value) { for (const [input] of inputs) input.checked = input.value === value; },
  };
}

class GateFigure {
  constructor(model) {
    this.model = model;
    this.net = network(model);
    this.speech = announcer();
    this.build();
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["values", "marks", "update", "reset", "span", "chosen"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  get(name) { return this.model.get(name); }
  get count() { return this.get("values").length; }

  /** The chosen step gets another number. */
  set(value) {
    const number = clamp(snap(value, 0.05), [-1, 1]);
    put(this.model, { values: this.get("values").map((old, t) => (t + 1 === this.get("chosen") ? number : old)) });
  }

  choose(step) { put(this.model, { chosen: clamp(Math.round(step), [1, this.count]) }); }

  cover(from, to) { put(this.model, { span: [from, to].map((step) => clamp(step, [1, this.count])) }); }

  build() {
    const button = (text, act) => {
      const node = make("button", { type: "button", class: "cw-button" }, text);
      node.addEventListener("click", act);
      return node;
    };
    this.step = slider(["Step"], (value) => this.choose(value));
    this.value = slider(["Number"], (value) => this.set(value));
    this.value.limit([-1, 1], 0.05);
    this.mark = checkbox(["marked: to be remembered"], (on) =>
      put(this.model, { marks: this.get("marks").map((old, t) => (t + 1 === this.get("chosen") ? on : old)) }));
    this.force = Object.fromEntries(Object.keys(NAMES).map((name) => [name, threeWay(name, (value) => put(this.model, { [name]: value }))]));
    this.from = slider(["Forced from"], (step) => this.cover(step, Math.max(step, this.get("span")[1])));
    this.to = slider(["Forced up to"], (step) => this.cover(Math.min(step, this.get("span")[0]), step));
    this.total = make("p", { class: "cw-note cw-result" });
    this.chart = make("figure");
    this.maps = make("figure");
    const roll = () => put(this.model, { values: this.get("values").map(() => snap(2 * Math.random() - 1, 0.05)) });
    const key = (kind, text) => make("span", { class: `cw-key cw-${kind}-key` }, text);
    this.legend = make("p", { class: "cw-note cw-legend" }, key("mark", "marked"), key("target", "to be answered"),
      key("free", "answer, gates free"), key("forced", "answer as forced"));
    this.root = make("div", { class: "cw cw-gates", role: "group", "aria-label": "Gates of a small GRU" },
      make("div", { class: "cw-columns" }, this.chart, this.maps),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, this.step.root, this.value.root, this.mark.root,
          make("div", { class: "cw-buttons" }, button("New numbers", roll),
            button("Free both gates", () => put(this.model, { update: "free", reset: "free" })))),
        make("div", { class: "cw-controls" }, this.force.update.root, this.force.reset.root, this.from.root, this.to.root)),
      this.total, this.speech.node);
    this.sized = 0;
  }

  /** What depends on the number of steps. */
  size() {
    const steps = this.count;
    const chart = panel("Numbers and answers", [0.5, steps + 0.5], [-1.15, 1.15], ["step"], ["number"]);
    this.band = make("svg:rect", { class: "cw-span", y: chart.y(1.15), height: chart.y(-1.15) - chart.y(1.15) });
    this.stems = this.get("values").map(() => make("svg:line", { class: "cw-stem" }));
    this.dots = this.get("values").map(() => make("svg:circle", { r: 3 }));
    this.lines = ["target", "free", "forced"].map((kind) => make("svg:path", { class: `cw-${kind}` }));
    chart.marks.append(this.band, ...this.stems, ...this.lines, ...this.dots);
    this.grip = handle(chart, "Number at the chosen step", {
      move: (_, y) => this.set(y),
      nudge: (x, y) => (x ? this.choose(this.get("chosen") + x) : this.set(this.get("values")[this.get("chosen") - 1] + 0.05 * y)),
    });
    const at = (event) => chart.atX(new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.inside.getScreenCTM().inverse()).x);
    let mouse = false; // a mouse drags at once; a finger taps, so that the page still scrolls over the chart
    chart.inside.addEventListener("pointerdown", (event) => {
      mouse = event.pointerType === "mouse";
      if (mouse && !event.button) { this.choose(at(event)); this.grip.start(event); this.grip.follow(event); }
    });
    chart.inside.addEventListener("click", (event) => { if (!mouse) { this.choose(at(event)); this.grip.follow(event); } });
    this.panel = chart;
    this.chart.replaceChildren(make("figcaption", {}, "Keep the last marked number"), chart.svg, this.legend);
    this.sizeMaps(steps);
    for (const control of [this.step, this.from, this.to]) control.limit([1, steps], 1);
    this.sized = steps;
  }

  sizeMaps(steps) {
    const n = this.get("hidden");
    const [wide, high] = [MAP.width / steps, MAP.height / n];
    const svg = make("svg:svg", { viewBox: `0 0 340 ${3 * (MAP.height + MAP.gap) + 4}`, "aria-hidden": "true" });
    const words = { update: "Update gate z: full colour keeps", reset: "Reset gate r: full colour shows the old state", state: "State h: blue above 0, orange below" };
    this.cells = Object.fromEntries(Object.entries(words).map(([name, text], k) => {
      const top = k * (MAP.height + MAP.gap) + 16;
      const cells = Array.from({ length: steps }, (_, t) => Array.from({ length: n }, (_, i) => make("svg:rect", {
        x: (MAP.left + t * wide).toFixed(2), y: (top + i * high).toFixed(2), width: (wide - 0.8).toFixed(2), height: (high - 0.4).toFixed(2) })));
      const frame = make("svg:rect", { class: "cw-frame", y: top - 1, height: MAP.height + 1.6 });
      const now = make("svg:path", { class: "cw-now" });
      svg.append(make("svg:text", { x: MAP.left, y: top - 5 }, text), ...cells.flat(), frame, now);
      return [name, { cells, frame, now, top }];
    }));
    this.place = (first, end = first) => ({ x: MAP.left + (first - 1) * wide - 1, width: (end - first + 1) * wide + 1.2 });
    this.maps.replaceChildren(make("figcaption", {}, `Gates and state of ${n} units`), svg);
  }

  draw() {
    const [values, marks, update, reset, span, chosen] =
      ["values", "marks", "update", "reset", "span", "chosen"].map((name) => this.get(name));
    if (marks.length !== values.length || span[1] > values.length || chosen > values.length) return; // Python is about to send the rest
    if (this.sized !== values.length) this.size();
    const free = this.net(values, marks, { update: "free", reset: "free" }, span);
    const run = this.net(values, marks, { update, reset }, span);
    const targets = [];
    values.forEach((value, t) => targets.push(marks[t] ? value : targets[t - 1]));
    const forced = update !== "free" || reset !== "free";
    this.drawChart(values, marks, targets, free, run, forced, span);
    this.drawMaps(run, { update, reset }, span, chosen);
    const [value, marked] = [values[chosen - 1], marks[chosen - 1]];
    this.grip.show(chosen, value, value, [-1, 1], `step ${chosen}: ${format(value)}${marked ? ", marked" : ""}`);
    this.step.show(chosen, `${chosen}`);
    this.value.show(value, format(value));
    this.mark.input.checked = marked;
    this.force.update.show(update);
    this.force.reset.show(reset);
    this.from.show(span[0], `${span[0]}`);
    this.to.show(span[1], `${span[1]}`);
    this.judge(targets, free, run, forced);
  }

  drawChart(values, marks, targets, free, run, forced, span) {
    const { x, y } = this.panel;
    change(this.band, { x: x(span[0] - 0.5), width: x(span[1] + 0.5) - x(span[0] - 0.5), visibility: forced ? "visible" : "hidden" });
    values.forEach((value, t) => {
      change(this.stems[t], { x1: x(t + 1), x2: x(t + 1), y1: y(0), y2: y(value) });
      change(this.dots[t], { cx: x(t + 1), cy: y(value), r: marks[t] ? 5.5 : 2.6, class: marks[t] ? "cw-marked" : "cw-other" });
    });
    const first = targets.findIndex((target) => target !== undefined);
    const steps = targets.slice(first < 0 ? targets.length : first).flatMap((target, k) => [[first + k + 0.5, target], [first + k + 1.5, target]]);
    const path = (rows) => trace(this.panel, rows.map(({ answer }, t) => [t + 1, answer]));
    change(this.lines[0], { d: steps.length ? trace(this.panel, steps) : "M0 0" });
    change(this.lines[1], { d: path(free) });
    change(this.lines[2], { d: path(run), visibility: forced ? "visible" : "hidden" });
    this.root.classList.toggle("cw-is-forced", forced);
  }

  drawMaps(run, force, span, chosen) {
    for (const [name, { cells, frame, now, top }] of Object.entries(this.cells)) {
      run.forEach((row, t) => row[name].forEach((value, i) => change(cells[t][i],
        { class: value < 0 ? "cw-below" : "cw-above", "fill-opacity": Math.min(1, Math.abs(value)).toFixed(3) })));
      const { x, width } = this.place(chosen);
      change(now, { d: `M${x} ${top + MAP.height + 2}h${width}` });
      change(frame, { ...this.place(...span), visibility: force[name] && force[name] !== "free" ? "visible" : "hidden" });
    }
  }

  /** Root mean square error from the first mark on. */
  judge(targets, free, run, forced) {
    const error = (rows) => {
      const squares = rows.flatMap(({ answer }, t) => (targets[t] === undefined ? [] : [(answer - targets[t]) ** 2]));
      return squares.length ? Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / squares.length) : null;
    };
    const [alone, with_] = [error(free), error(run)];
    const said = alone === null ? "No step is marked: there is nothing to remember."
      : `Root mean square error: ${format(alone, 3)} with free gates${forced ? `, ${format(with_, 3)} as forced` : ""}`;
    this.total.textContent = said;
    this.speech.say(said);
  }
}

export default {
  render({ model, el }) {
    const figure = new GateFigure(model);
    el.append(figure.root);
    el.run = (update, reset, span) => // for tests: all that the page computes
      figure.net(model.get("values"), model.get("marks"), { update, reset }, span)
        .map((row) => ({ answer: row.answer, state: [...row.state], update: [...row.update], reset: [...row.reset] }));
    return () => { figure.stop(); delete el.run; };
  },
};
