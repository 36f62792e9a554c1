// Residual branches: switch branches of a trained network off and see what is still read correctly.

const CHUNK = 12; // milliseconds of computing before the page may draw again
const PAUSE = 900; // milliseconds between two branches that go off by themselves

/** Largest of each 3×3 window, stride 2, with a border of one that never wins. */
function pool3(x, [channels, height, width]) {
  const [rows, columns] = [(height + 1) >> 1, (width + 1) >> 1];
  const out = new Float32Array(channels * rows * columns);
  for (let c = 0, k = 0; c < channels; c++) {
    for (let r = 0; r < rows; r++) {
      for (let s = 0; s < columns; s++, k++) {
        out[k] = -Infinity;
        for (let i = Math.max(0, 2 * r - 1); i <= Math.min(height - 1, 2 * r + 1); i++) {
          for (let j = Math.max(0, 2 * s - 1); j <= Math.min(width - 1, 2 * s + 1); j++) {
            out[k] = Math.max(out[k], x[(c * height + i) * width + j]);
          }
        }
      }
    }
  }
  return [out, [channels, rows, columns]];
}

const bend = ([x, shape]) => [x.map((value) => Math.max(0, value)), shape];

/** The network in three steps: stem(bytes), block(i, input, on) and head(last). */
function network(model) {
  const numbers = halves(model.get("weights"));
  let at = 0;
  const take = (count) => numbers.subarray(at, (at += count));
  const load = (layer) => ({ ...layer,
    weight: take(layer.outputs * layer.inputs * layer.kernel[0] * layer.kernel[1]), bias: take(layer.outputs) });
  const { stem, blocks } = model.get("layers");
  const first = load(stem);
  const parts = blocks.map((layers) => layers.map(load));
  const last = load({ inputs: parts.at(-1)[1].outputs, outputs: 10, kernel: [1, 1] });
  const [shape, mean, std] = ["shape", "mean", "std"].map((name) => model.get(name));
  const size = shape[1] * shape[2];
  return {
    stem: (pixels) => pool3(...bend(convolve(first,
      Float32Array.from(pixels, (value, i) => (value / 255 - mean[i / size | 0]) / std[i / size | 0]), shape))),
    block(i, input, on) {
      const [one, two, projection] = parts[i];
      const [x, to] = projection ? convolve(projection, ...input) : input;
      if (!on) return bend([x, to]);
      const [f] = convolve(two, ...bend(convolve(one, ...input)));
      return bend([f.map((value, k) => value + x[k]), to]);
    },
    head([x, [channels, height, width]]) {
      const area = height * width;
      const means = Float32Array.from({ length: channels }, (_, c) =>
        x.subarray(c * area, (c + 1) * area).reduce((sum, value) => sum + value, 0) / area);
      return Array.from(multiply(last, means)[0]);
    },
  };
}

/** A canvas that shows one picture of bytes, channel after channel. */
function colours(pixels, [, height, width]) {
  const canvas = make("canvas", { width, height, class: "cw-picture" });
  const image = new ImageData(width, height);
  const size = height * width;
  for (let i = 0; i < size; i++) image.data.set([pixels[i], pixels[size + i], pixels[2 * size + i], 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** One block as a picture: the way through, with its projection, and the branch around it. */
function branch(i, projected, onChange) {
  const input = make("input", { type: "checkbox", "aria-label": `Branch ${i + 1}` });
  input.addEventListener("change", () => onChange(i, input.checked));
  const svg = make("svg:svg", { viewBox: "0 0 40 44", preserveAspectRatio: "none", "aria-hidden": "true" },
    make("svg:path", { d: "M0 36H40" }),
    make("svg:path", { class: "cw-arc", d: "M7 36C7 0 33 0 33 36" }));
  if (projected) svg.append(make("svg:path", { d: "M16 31H24V41H16Z" }));
  const root = make("label", { class: "cw-branch" }, svg, make("span", {}, String(i + 1)), input);
  return { root, show(on) { input.checked = on; root.classList.toggle("cw-lit", on); } };
}

class BranchFigure {
  constructor(model) {
    this.model = model;
    this.net = network(model);
    [this.labels, this.shape] = [model.get("labels"), model.get("shape")];
    const [all, size] = [bytes(model.get("pictures")), this.shape.reduce((product, side) => product * side)];
    this.pixels = this.labels.map((_, p) => all.subarray(p * size, (p + 1) * size));
    this.inputs = this.labels.map(() => []); // of each picture, the input of every block as far as it is valid
    this.logits = this.labels.map(() => null);
    this.seen = new Set(); // the patterns of switches that were tried
    this.done = model.get("on").map(() => null); // the switches for which inputs were computed
    this.root = this.layout();
    const forget = [watch(model, ["on"], () => this.change()), watch(model, ["chosen"], () => this.choose())];
    this.stop = () => { forget.forEach((undo) => undo()); clearTimeout(this.timer); this.pause(); this.speech.stop(); };
    this.choose();
    this.change();
  }

  get on() { return this.model.get("on"); }

  layout() {
    const { stages, blocks } = this.model.get("layers");
    this.branches = blocks.map((layers, i) => branch(i, layers.length > 2, (k, on) => {
      this.pause();
      put(this.model, { on: this.on.map((old, j) => (j === k ? on : old)) });
    }));
    let at = 0;
    const way = stages.map((count, s) => make("div", { class: "cw-stage", role: "group", "aria-label": `Stage ${s + 1}` },
      make("div", {}, ...this.branches.slice(at, (at += count)).map(({ root }) => root)), `stage ${s + 1}`));
    const button = (text, act) => {
      const node = make("button", { type: "button", class: "cw-button" }, text);
      node.addEventListener("click", act);
      return node;
    };
    const all = (on) => () => { this.pause(); put(this.model, { on: this.on.map(() => on) }); };
    this.player = button("Off one by one", () => (this.playing ? this.pause() : this.play()));
    this.score = make("p", { class: "cw-score" });
    this.thumbs = this.pixels.map((pixels, p) => this.thumb(pixels, p));
    this.one = make("div", { class: "cw-one" });
    this.chart = bars();
    this.speech = announcer();
    const grid = make("div", { class: "cw-thumbs", role: "group", "aria-label": "Test pictures" }, ...this.thumbs.map(({ root }) => root));
    grid.addEventListener("keydown", (event) => this.walk(event));
    return make("div", { class: "cw cw-branches", role: "group", "aria-label": "Branches of a residual network" },
      make("div", { class: "cw-way" }, ...way),
      make("div", { class: "cw-buttons" }, button("All on", all(true)), button("All off", all(false)), this.player, this.score),
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "Test pictures, and what is read"), grid),
        make("div", {}, this.one, this.chart.root),
        this.plot(blocks.length), this.note()),
      this.speech.node);
  }

  thumb(pixels, p) {
    const said = make("span");
    const name = { "aria-label": `Picture ${p + 1}, a ${this.labels[p]}` }; // until it is read
    const root = make("button", { type: "button", class: "cw-example", ...name }, colours(pixels, this.shape), said);
    root.addEventListener("click", () => put(this.model, { chosen: p }));
    return { root, said };
  }

  /** Share of right answers against the number of branches that are off, a dot for each pattern tried. */
  plot(count) {
    this.at = (off, share) => ({ cx: 56 + (off * 272) / count, cy: 122 - 110 * share });
    const text = (x, y, words, anchor) => make("svg:text", { x, y, "text-anchor": anchor }, words);
    const line = (share, name) => {
      const { cy } = this.at(0, share);
      return make("svg:line", { class: name, x1: 44, x2: 338, y1: cy, y2: cy });
    };
    this.now = make("svg:circle", { class: "cw-now-dot", r: 7, visibility: "hidden" });
    this.trail = make("svg:g", {}, this.now);
    const svg = make("svg:svg", { viewBox: "0 0 340 146", role: "img", "aria-label": "Pictures read correctly, by number of branches that are off" },
      line(0, "cw-zero"), line(0.5, "cw-grid"), line(1, "cw-grid"), line(0.1, "cw-guess"),
      ...[0, 0.5, 1].map((share) => text(38, 126.5 - 110 * share, `${100 * share}%`, "end")),
      ...Array.from({ length: count + 1 }, (_, off) => text(this.at(off, 0).cx, 142, String(off), "middle")), this.trail);
    return make("figure", {}, make("figcaption", {}, "Right answers by branches off"), svg);
  }

  note() {
    return make("p", { class: "cw-help" }, "Each arc is a branch, the line below it the shortcut; a square on the line is a projection. ",
      "Under each picture stands the digit that the network reads, with \u2717 where it is wrong. ",
      "Every pattern of switches that you try leaves a dot in the chart; the dotted line is guessing.");
  }

  walk(event) {
    const step = arrow(event);
    if (!step) return;
    const next = clamp(this.model.get("chosen") + Math.sign(step[0]) - 10 * Math.sign(step[1]), [0, this.labels.length - 1]);
    put(this.model, { chosen: next });
    this.thumbs[next].root.focus();
  }

  play() {
    if (!this.on.some(Boolean)) put(this.model, { on: this.on.map(() => true) });
    const next = () => {
      const k = this.on.lastIndexOf(true);
      if (k < 0) { this.pause(); return; }
      put(this.model, { on: this.on.map((old, j) => old && j !== k) });
      this.playing = setTimeout(next, PAUSE);
    };
    this.player.textContent = "Stop";
    this.playing = setTimeout(next, 0);
  }

  pause() {
    clearTimeout(this.playing);
    this.playing = null;
    this.player.textContent = "Off one by one";
  }

  /** Forget what lies behind the first switch that moved, and compute it again, the chosen picture first. */
  change() {
    const on = this.on;
    if (on.length !== this.branches.length) return;
    const first = on.findIndex((value, i) => value !== this.done[i]);
    this.branches.forEach((one, i) => one.show(on[i]));
    if (first < 0) return;
    this.done = [...on];
    this.inputs.forEach((kept) => { kept.length = Math.min(kept.length, first + 1); });
    const chosen = this.model.get("chosen");
    this.waiting = [chosen, ...this.labels.keys()].filter((p, i) => !i || p !== chosen);
    change(this.score, { "aria-busy": "true" });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.compute(), 0);
  }

  /** As many pictures as fit into a moment; the rest after the page has drawn. */
  compute() {
    const until = performance.now() + CHUNK;
    do this.read(this.waiting.shift()); while (this.waiting.length && performance.now() < until);
    if (this.waiting.length) this.timer = setTimeout(() => this.compute(), 0);
    else this.finish();
  }

  read(p) {
    const kept = this.inputs[p];
    if (!kept.length) kept.push(this.net.stem(this.pixels[p]));
    while (kept.length <= this.done.length) kept.push(this.net.block(kept.length - 1, kept.at(-1), this.done[kept.length - 1]));
    this.logits[p] = this.net.head(kept.at(-1));
    this.mark(p);
  }

  mark(p) {
    const { root, said } = this.thumbs[p];
    const digit = this.logits[p].indexOf(Math.max(...this.logits[p]));
    const right = digit === this.labels[p];
    said.textContent = right ? String(digit) : `\u2717${digit}`;
    root.classList.toggle("cw-wrong", !right);
    change(root, { "aria-label": `Picture ${p + 1}, a ${this.labels[p]}, read as ${digit}` });
    if (p === this.model.get("chosen")) this.answer();
    return right;
  }

  finish() {
    const count = this.labels.length;
    const right = this.logits.filter((logits, p) => logits.indexOf(Math.max(...logits)) === this.labels[p]).length;
    const off = this.done.filter((value) => !value).length;
    this.score.replaceChildren(make("strong", {}, String(right)), ` of ${count} right`);
    change(this.score, { "aria-busy": false });
    const place = this.at(off, right / count);
    if (!this.seen.has(String(this.done))) this.trail.prepend(make("svg:circle", { class: "cw-seen-dot", r: 4, ...place }));
    this.seen.add(String(this.done));
    change(this.now, { ...place, visibility: "visible" });
    if (this.seen.size > 1) this.speech.say(`${off} branches off, ${right} of ${count} right`);
  }

  choose() {
    const chosen = this.model.get("chosen");
    this.thumbs.forEach(({ root }, p) => change(root, { "aria-pressed": String(p === chosen), tabindex: p === chosen ? 0 : -1 }));
    this.large = make("p", { class: "cw-answer" });
    this.one.replaceChildren(colours(this.pixels[chosen], this.shape), this.large);
    if (this.logits[chosen]) this.answer();
  }

  answer() {
    const chosen = this.model.get("chosen");
    const shares = softmax(this.logits[chosen]);
    const best = shares.indexOf(Math.max(...shares));
    this.large.replaceChildren(`This is a ${this.labels[chosen]}; the network says `, make("strong", {}, String(best)), ` (${percent(shares[best])})`);
    this.chart.show(shares);
  }
}

export default {
  render({ model, el }) {
    const figure = new BranchFigure(model);
    el.append(figure.root);
    el.logits = (on) => figure.pixels.map((pixels) => { // for tests: of all pictures
      let x = figure.net.stem(pixels);
      on.forEach((value, i) => { x = figure.net.block(i, x, value); });
      return figure.net.head(x);
    });
    return () => { figure.stop(); delete el.logits; };
  },
};
