// Threshold and costs: drag a threshold along the ROC curve; counts, precision, recall and cost follow.

const STEPS = 100; // of the threshold, from 0 to 1
const WORDS = { found: "found", missed: "missed", alarms: "false alarms", spared: "spared" };

/** The four counts when everybody with at least the threshold is called positive. */
function countAt(people, threshold) {
  const counts = { found: 0, missed: 0, alarms: 0, spared: 0 };
  for (const [p, y] of people) {
    if (p >= threshold) counts[y ? "found" : "alarms"] += 1;
    else counts[y ? "missed" : "spared"] += 1;
  }
  return counts;
}

/** Shares and cost of counts; a share of nobody is null. */
function measure({ found, missed, alarms, spared }, cost) {
  const share = (a, b) => (a + b ? a / (a + b) : null);
  return { precision: share(found, alarms), recall: share(found, missed), specificity: share(spared, alarms),
    alarmRate: alarms / (alarms + spared), cost: (cost * missed + alarms) / (found + missed + alarms + spared) };
}

const share = (value) => (value === null ? "nobody called" : percent(value, 1));

class ThresholdFigure {
  constructor(model) {
    this.model = model;
    this.threshold = slider(["Threshold"], (i) => put(model, { threshold: i / STEPS }));
    this.threshold.limit([0, STEPS], 1);
    this.cost = slider(["A miss costs"], (cost) => put(model, { cost }));
    this.cost.limit([1, 20], 1);
    this.cells = {};
    const cell = (key) => (this.cells[key] = make("td"));
    const row = (name, ...keys) => make("tr", {}, make("th", { scope: "row" }, name), ...keys.map(cell));
    const head = (...names) => make("thead", {}, make("tr", {}, make("td"), ...names.map((name) => make("th", { scope: "col" }, name))));
    const counts = make("table", { class: "cw-counts" }, head("called ill", "called well"), make("tbody", {},
      row("ill", "found", "missed"), row("well", "alarms", "spared")));
    const numbers = make("table", {}, make("tbody", {}, row("Precision", "precision"), row("Recall (sensitivity)", "recall"),
      row("Specificity", "specificity"), row("Cost a person", "price"), row("Lowest cost", "lowest")));
    this.reset = make("button", { type: "button", class: "cw-button" }, "Start again");
    const first = { threshold: model.get("threshold"), cost: model.get("cost") };
    this.reset.addEventListener("click", () => put(model, first));
    this.curveBox = make("div");
    this.costBox = make("div");
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-threshold", role: "group", "aria-label": "Threshold and costs" },
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "ROC curve"), this.curveBox,
          make("p", { class: "cw-help" }, "Drag the point, or press ", make("kbd", {}, "←"), " ", make("kbd", {}, "→"), ".")),
        make("figure", {}, make("figcaption", {}, "Cost at every threshold"), this.costBox,
          make("p", { class: "cw-help" }, "Dashed: the threshold 1/(1 + cost of a miss)."))),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, this.threshold.root, this.cost.root, counts),
        make("div", { class: "cw-controls" }, numbers, make("div", { class: "cw-buttons" }, this.reset))),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["probabilities", "labels", "threshold", "cost"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  /** What depends on the people alone: the curve, and the counts at each step of the threshold. */
  build(probabilities, labels) {
    this.people = probabilities.map((p, i) => [p, labels[i]]);
    this.steps = Array.from({ length: STEPS + 1 }, (_, i) => countAt(this.people, i / STEPS));
    this.points = this.steps.map((counts) => measure(counts, 1));
    const every = [...new Set(probabilities), 2].sort((a, b) => b - a).map((p) => measure(countAt(this.people, p), 1));
    const where = panel("ROC curve", [0, 1], [0, 1], ["false alarms, share of the well"], ["recall, share of the ill"]);
    where.marks.append(make("svg:path", { class: "cw-chance", d: trace(where, [[0, 0], [1, 1]]) }),
      make("svg:path", { class: "cw-model cw-curve", d: trace(where, every.map((m) => [m.alarmRate, m.recall])) }));
    this.where = where;
    this.handle = handle(where, "Place on the curve", {
      move: (x, y) => {
        const away = this.points.map((m) => Math.hypot(m.alarmRate - x, m.recall - y));
        put(this.model, { threshold: away.indexOf(Math.min(...away)) / STEPS });
      },
      nudge: (across, up) => this.set(this.model.get("threshold") - (across + up) / STEPS),
    });
    this.curveBox.replaceChildren(where.svg);
  }

  set(threshold) { put(this.model, { threshold: clamp(snap(threshold, 1 / STEPS), [0, 1]) }); }

  draw() {
    const [probabilities, labels] = [this.model.get("probabilities"), this.model.get("labels")];
    if (probabilities.length !== labels.length) return; // Python is about to send the other one
    const built = JSON.stringify([probabilities, labels]);
    if (this.built !== built) this.build(probabilities, labels);
    this.built = built;
    const [threshold, cost] = [this.model.get("threshold"), this.model.get("cost")];
    const counts = countAt(this.people, threshold);
    const now = measure(counts, cost);
    const prices = this.steps.map((step) => measure(step, cost).cost);
    const lowest = Math.min(...prices);
    const at = prices.indexOf(lowest) / STEPS;
    this.root.figure = { counts, ...now, lowest, at, advised: 1 / (1 + cost) }; // for the tests
    this.drawCost(threshold, cost, prices);
    this.threshold.show(Math.round(threshold * STEPS), format(threshold));
    this.cost.show(cost, `${format(cost, 0)}\u00a0alarm${cost === 1 ? "" : "s"}`);
    change(this.threshold.input, { "aria-valuetext": format(threshold) });
    change(this.cost.input, { "aria-valuetext": `${format(cost, 0)} false alarms` });
    const rate = percent(now.alarmRate, 1);
    this.handle.show(now.alarmRate, now.recall, Math.round(100 * now.alarmRate), [0, 100],
      `false alarms ${rate}, recall ${share(now.recall)}, threshold ${format(threshold)}`);
    for (const [key, count] of Object.entries(counts)) this.cells[key].textContent = `${count} ${WORDS[key]}`;
    for (const key of ["precision", "recall", "specificity"]) this.cells[key].textContent = share(now[key]);
    this.cells.price.textContent = format(now.cost, 3);
    this.cells.lowest.textContent = `${format(lowest, 3)} at ${format(at)}`;
    this.speech.say(`Threshold ${format(threshold)}: ${counts.found} found, ${counts.missed} missed, ${counts.alarms} false alarms. `
      + `Precision ${share(now.precision)}, recall ${share(now.recall)}, cost ${format(now.cost, 3)} a person, lowest ${format(lowest, 3)} at ${format(at)}.`);
  }

  /** The panel of costs; its scale changes with the cost of a miss, so it is drawn anew. */
  drawCost(threshold, cost, prices) {
    if (this.priced !== `${cost} ${this.built}`) {
      this.priced = `${cost} ${this.built}`;
      const where = panel("Cost at every threshold", [0, 1], [0, 1.08 * Math.max(...prices)], ["threshold"], ["cost a person"]);
      const advised = 1 / (1 + cost);
      this.line = make("svg:line", { class: "cw-now", y1: where.y(0), y2: where.y(where.yRange[1]) });
      this.dot = make("svg:circle", { class: "cw-point", r: 5.5 });
      where.marks.append(make("svg:line", { class: "cw-advised", x1: where.x(advised), x2: where.x(advised), y1: where.y(0), y2: where.y(where.yRange[1]) }),
        make("svg:path", { class: "cw-loss", d: trace(where, prices.map((price, i) => [i / STEPS, price])) }), this.line, this.dot);
      this.prices = where;
      this.costBox.replaceChildren(where.svg);
    }
    const x = this.prices.x(threshold);
    change(this.line, { x1: x, x2: x });
    change(this.dot, { cx: x, cy: this.prices.y(measure(countAt(this.people, threshold), cost).cost) });
  }
}

export default {
  render({ model, el }) {
    const figure = new ThresholdFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
