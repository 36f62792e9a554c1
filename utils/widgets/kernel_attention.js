// Kernel attention: move the query, change the width, and see which keys are listened to.

const CURVE = 200; // steps of the answer's line

/** Weights of the keys for a query, and the answer: softmax of the scores, then the average. */
function attend(query, keys, values, width) {
  const weights = softmax(keys.map((key) => -((query - key) ** 2) / (2 * width * width)));
  return { weights, answer: weights.reduce((sum, weight, i) => sum + weight * values[i], 0) };
}

class KernelFigure {
  constructor(model) {
    this.model = model;
    this.left = make("figure");
    this.right = make("figure");
    this.sliderQ = slider(["Query"], (query) => this.ask(query));
    this.sliderW = slider(["Width"], (power) => this.widen(power));
    this.result = make("dl", { class: "cw-facts" });
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-kernel", role: "group", "aria-label": "Kernel attention" },
      make("div", { class: "cw-columns" }, this.left, this.right),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, this.sliderQ.root, this.sliderW.root), this.result),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = [
      watch(model, ["query", "width"], draw),
      watch(model, ["xs", "ys", "query_range", "width_range"], () => { this.stale = true; draw(); }),
    ];
    this.stop = () => { forget.forEach((undo) => undo()); draw.cancel(); this.speech.stop(); };
    this.stale = true;
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  get(name) { return this.model.get(name); }

  ask(query) { put(this.model, { query: clamp(snap(query, this.step), this.get("query_range")) }); }

  /** The slider of the width is logarithmic: equal steps multiply. */
  widen(power) { put(this.model, { width: clamp(10 ** power, this.get("width_range")) }); }

  draw() {
    const [keys, values] = [this.get("xs"), this.get("ys")];
    if (keys.length !== values.length) return; // Python is about to send the other one
    if (this.stale) this.rebuild(keys, values);
    this.stale = false;
    const [query, width] = [this.get("query"), this.get("width")];
    const { weights, answer } = attend(query, keys, values, width);
    this.showAnswer(query, answer, width, weights);
    this.showWeights(query, weights);
    this.sliderQ.show(query, format(query));
    this.sliderW.show(Math.log10(width), String(Number(width.toPrecision(2))));
    change(this.sliderW.input, { "aria-valuetext": Number(width.toPrecision(2)) });
    const alike = 1 / weights.reduce((sum, weight) => sum + weight * weight, 0);
    const facts = [["Answer", format(answer, 3)], ["Largest weight", format(Math.max(...weights), 3)],
      ["As if from so many equal keys", format(alike, 1)]];
    this.result.replaceChildren(...facts.map(([name, value]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, value))));
    this.speech.say(`Answer ${format(answer)}, from about ${format(alike, 1)} keys`);
  }

  rebuild(keys, values) {
    const range = this.get("query_range");
    this.step = niceStep(range[1] - range[0], 500);
    this.sliderQ.limit(range, this.step);
    this.sliderW.limit(this.get("width_range").map((width) => snap(Math.log10(width), 0.01)), 0.01);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const spare = 0.08 * (high - low) || 1;
    const data = panel("Keys and values", range, [low - spare, high + spare], ["query, key"], ["answer, value"]);
    this.data = data;
    data.asked = make("svg:line", { class: "cw-asked", y1: data.y(data.yRange[0]), y2: data.y(data.yRange[1]) });
    data.line = make("svg:path", { class: "cw-curve" });
    data.points = keys.map((key, i) => make("svg:circle", { class: "cw-point", cx: data.x(key), cy: data.y(values[i]) }));
    data.marks.append(data.asked, data.line, ...data.points);
    data.handle = handle(data, "Query", { move: (x) => this.ask(x), nudge: (x, y) => this.ask(this.get("query") + (x + y) * this.step) });
    data.inside.addEventListener("pointerdown", (event) => { // a finger taps, so that the page still scrolls
      if (event.pointerType === "mouse") { data.handle.start(event); data.handle.follow(event); }
    });
    data.inside.addEventListener("click", data.handle.follow);
    this.left.replaceChildren(make("figcaption", {}, "What a query answers"), data.svg);
    const weigh = panel("Weights of the keys", range, [0, 1], ["key"], ["weight"]);
    this.weigh = weigh;
    weigh.asked = make("svg:line", { class: "cw-asked", y1: weigh.y(0), y2: weigh.y(1) });
    weigh.stems = keys.map((key) => make("svg:line", { class: "cw-stem", x1: weigh.x(key), x2: weigh.x(key), y1: weigh.y(0) }));
    weigh.heads = keys.map((key) => make("svg:circle", { class: "cw-head", cx: weigh.x(key), r: 3 }));
    weigh.marks.append(weigh.asked, ...weigh.stems, ...weigh.heads);
    this.right.replaceChildren(make("figcaption", {}, "How much it listens to each key"), weigh.svg);
  }

  showAnswer(query, answer, width, weights) {
    const { data } = this;
    const [keys, values, [low, high]] = [this.get("xs"), this.get("ys"), data.xRange];
    const places = Array.from({ length: CURVE + 1 }, (_, i) => low + (i / CURVE) * (high - low));
    change(data.line, { d: trace(data, places.map((place) => [place, attend(place, keys, values, width).answer])) });
    change(data.asked, { x1: data.x(query), x2: data.x(query) });
    const most = Math.max(...weights);
    data.points.forEach((point, i) => change(point, { r: (3 + 4 * (weights[i] / most)).toFixed(2),
      "fill-opacity": (0.15 + 0.85 * (weights[i] / most)).toFixed(3) }));
    data.handle.show(query, answer, query, this.get("query_range"), `query ${format(query)}, answer ${format(answer)}`);
  }

  showWeights(query, weights) {
    const { weigh } = this;
    change(weigh.asked, { x1: weigh.x(query), x2: weigh.x(query) });
    weights.forEach((weight, i) => {
      change(weigh.stems[i], { y2: weigh.y(weight) });
      change(weigh.heads[i], { cy: weigh.y(weight) });
    });
  }
}

export default {
  render({ model, el }) {
    const figure = new KernelFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
