// Roofline: a fully connected layer under the roofs of two machines.

const X = [-1, 4]; // operations a byte, as a power of ten
const Y = [-1, 6]; // GFLOP/s, likewise
const BYTES = { fp32: 4, bf16: 2 };

/** Operations and bytes of (batch, width) times (width, width): two matrices are read, one is written. */
function work(batch, width, precision) {
  const operations = 2 * batch * width * width;
  const bytes = BYTES[precision] * (2 * batch * width + width * width);
  return { operations, bytes, intensity: operations / bytes };
}

/** The best rate on a machine in GFLOP/s, what limits it, and the shortest time in seconds. */
function limit(machine, { operations, intensity }, precision) {
  const [peak, slope] = [machine[precision], intensity * machine.bandwidth];
  const rate = Math.min(peak, slope);
  return { rate, share: rate / peak, memory: slope < peak, ridge: peak / machine.bandwidth, seconds: operations / (rate * 1e9) };
}

/** A number to three digits, with a sign for thousands. */
const three = (value) => (value >= 1000 ? Math.round(Number(value.toPrecision(3))).toLocaleString("en") : String(Number(value.toPrecision(3))));

/** Seconds in the unit that fits. */
function lasts(seconds) {
  const [scale, unit] = seconds < 1e-6 ? [1e9, "ns"] : seconds < 1e-3 ? [1e6, "µs"] : seconds < 1 ? [1e3, "ms"] : [1, "s"];
  return `${three(seconds * scale)}\u00a0${unit}`;
}

class RoofFigure {
  constructor(model) {
    this.model = model;
    const power = (name, trait, range) => {
      const made = slider([name], (value) => put(model, { [trait]: 2 ** value }));
      made.limit(range, 1);
      return made;
    };
    this.batch = power("Batch size", "batch", [0, 12]);
    this.width = power("Width", "width", [4, 13]);
    this.precision = make("select", {}, make("option", { value: "fp32" }, "fp32, 4 bytes"), make("option", { value: "bf16" }, "bf16, 2 bytes"));
    this.precision.addEventListener("change", () => put(model, { precision: this.precision.value }));
    const where = panel("Roofs and the layer", X, Y, ["operations a byte, as a power of ten"], ["GFLOP/s, as a power of ten"]);
    this.where = where;
    this.level = make("svg:line", { class: "cw-here", y1: where.y(Y[0]), y2: where.y(Y[1]) });
    where.marks.append(this.level);
    this.marks = ["one", "two"].map((kind) => {
      const parts = { roof: make("svg:path", { class: `cw-roof cw-roof-${kind}` }), dot: make("svg:path", { class: `cw-dot cw-dot-${kind}` }),
        name: make("svg:text", { class: "cw-level", "text-anchor": "end" }) };
      where.marks.append(parts.roof, parts.dot, parts.name);
      return parts;
    });
    this.heads = [0, 1].map(() => make("th", { scope: "col" }));
    this.cells = {};
    const row = (key, name) => make("tr", {}, make("th", { scope: "row" }, name), ...[0, 1].map((i) => (this.cells[key + i] = make("td"))));
    const table = make("table", {},
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "At best"), ...this.heads)),
      make("tbody", {}, row("rate", "GFLOP/s"), row("share", "Share of peak"), row("seconds", "Time"), row("ridge", "Ridge, op/byte"), row("what", "Limit")));
    this.count = make("p", { class: "cw-note" });
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-roofline", role: "group", "aria-label": "Roofline" },
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "Roofs and the layer"), where.svg),
        make("div", { class: "cw-controls" }, this.batch.root, this.width.root,
          make("label", { class: "cw-choice" }, make("span", {}, "Precision"), this.precision), this.count, table)),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["batch", "width", "precision", "machines"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  draw() {
    const { where } = this;
    const [batch, width, precision, machines] = ["batch", "width", "precision", "machines"].map((name) => this.model.get(name));
    const layer = work(batch, width, precision);
    const limits = machines.map((machine) => limit(machine, layer, precision));
    this.root.found = { layer, limits }; // for the tests, which compute the same in Python
    const x = where.x(Math.log10(layer.intensity));
    change(this.level, { x1: x, x2: x });
    machines.forEach((machine, i) => {
      const { rate, share, memory, ridge, seconds } = limits[i];
      const [top, corner] = [Math.log10(machine[precision]), Math.log10(ridge)];
      const foot = Math.log10(machine.bandwidth) + X[0];
      const path = corner > X[0] ? [[X[0], foot], [corner, top], [X[1], top]] : [[X[0], top], [X[1], top]];
      change(this.marks[i].roof, { d: trace(where, path) });
      change(this.marks[i].dot, { d: `${trace(where, [[Math.log10(layer.intensity), Math.log10(rate)]])}h0` });
      change(this.marks[i].name, { x: where.x(X[1]) - 4, y: where.y(top) - 7 });
      this.marks[i].name.textContent = this.heads[i].textContent = machine.name;
      const values = { rate: three(rate), share: percent(share), seconds: lasts(seconds), ridge: three(ridge), what: memory ? "memory" : "arithmetic" };
      for (const [key, text] of Object.entries(values)) this.cells[key + i].textContent = text;
    });
    this.count.textContent = `${three(layer.operations / 1e6)} million operations, ${three(layer.bytes / 1e6)} MB: ${three(layer.intensity)} operations a byte.`;
    this.batch.show(Math.log2(batch), String(batch));
    this.width.show(Math.log2(width), String(width));
    change(this.batch.input, { "aria-valuetext": batch });
    change(this.width.input, { "aria-valuetext": width });
    this.precision.value = precision;
    this.speech.say(`${three(layer.intensity)} operations a byte. ${machines.map((machine, i) =>
      `${machine.name}: at best ${three(limits[i].rate)} GFLOP/s, limited by ${limits[i].memory ? "memory" : "arithmetic"}`).join(". ")}.`);
  }
}

export default {
  render({ model, el }) {
    const figure = new RoofFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
