// Sliding window: a convolution place by place, and the receptive field of a stack of layers.

const KERNELS = {
  "1 to 9": [1, 2, 3, 4, 5, 6, 7, 8, 9],
  identity: [0, 0, 0, 0, 1, 0, 0, 0, 0],
  blur: Array(9).fill(1 / 9),
  "edge, left to right": [-1, 0, 1, -2, 0, 2, -1, 0, 1],
  "edge, top to bottom": [-1, -2, -1, 0, 0, 0, 1, 2, 1],
  "edge, all directions": [0, 1, 0, 1, -4, 1, 0, 1, 0],
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
};
const SIDE = 340; // width of a drawing, in its own units
const count = (n) => Array.from({ length: n }, (_, i) => i);
const reach = (k, d) => d * (k - 1) + 1;
const outputSize = (m, k, s, p, d) => Math.max(0, Math.floor((m + 2 * p - reach(k, d)) / s) + 1);
const button = (text, onClick) => {
  const node = make("button", { type: "button", class: "cw-button" }, text);
  node.addEventListener("click", onClick);
  return node;
};
const pick = (options, onChange, attributes = {}) => {
  const node = make("select", attributes, ...options.map((text) => make("option", {}, String(text))));
  node.addEventListener("change", () => onChange(node.value));
  return node;
};

/** Where a stack looks: for each layer its field, the input pixels a step is worth, and its cells. */
function look(layers) {
  const levels = [{ field: 1, jump: 1, centre: 0 }];
  for (const [k, s, d] of layers) {
    const { field, jump, centre } = levels.at(-1);
    const more = (reach(k, d) - 1) * jump;
    levels.push({ field: field + more, jump: jump * s, centre: centre + more / 2 });
  }
  levels.at(-1).cells = [0];
  for (let i = layers.length; i > 0; i--) {
    const [k, s, d] = layers[i - 1];
    levels[i - 1].cells = [...new Set(levels[i].cells.flatMap((at) => count(k).map((a) => s * at + d * a)))];
  }
  return levels;
}

class SlidingFigure {
  constructor(model) {
    this.model = model;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.speech = announcer();
    this.modes = { window: this.buildWindow(), field: this.buildField() };
    this.tabs = [["window", "Sliding window"], ["field", "Receptive field"]].map(([mode, text]) => [mode,
      button(text, () => put(model, { mode }))]);
    this.root = make("div", { class: "cw cw-slide", role: "group", "aria-label": "Sliding window" },
      make("div", { class: "cw-tabs" }, ...this.tabs.map(([, node]) => node)),
      ...Object.values(this.modes), this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["picture", "kernel", "padding", "stride", "dilation", "position", "mode", "layers"], draw);
    this.stop = () => { forget(); draw.cancel(); this.pause(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  draw() {
    const mode = this.model.get("mode");
    for (const [name, node] of this.tabs) change(node, { "aria-pressed": String(name === mode) });
    for (const [name, node] of Object.entries(this.modes)) node.hidden = name !== mode;
    if (mode === "field") { this.pause(); this.drawField(); } else this.drawWindow();
  }

  // The sliding window

  buildWindow() {
    const set = (name) => (value) => put(this.model, { [name]: value });
    this.sliders = { padding: [0, 2], stride: [1, 3], dilation: [1, 3] };
    for (const [name, range] of Object.entries(this.sliders)) {
      const one = slider([name[0].toUpperCase() + name.slice(1)], set(name));
      one.limit(range, 1);
      this.sliders[name] = one;
    }
    this.place = slider(["Place"], (at) => this.move(at - 1));
    this.input = make("svg:svg", { role: "img" });
    this.output = make("svg:svg", { class: "cw-places", tabindex: 0, role: "slider", "aria-label": "Place of the window" });
    const choose = (event) => { const at = event.target.dataset?.at; if (at !== undefined) this.move(Number(at)); };
    this.output.addEventListener("click", choose);
    this.output.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" && event.buttons === 1) choose(event);
    });
    this.output.addEventListener("keydown", (event) => {
      const last = this.rows * this.columns - 1;
      const end = { Home: 0, End: last }[event.key];
      const [x, y] = (end === undefined && arrow(event, 1)) || [0, 0];
      const [i, j] = [Math.floor(this.at / this.columns) - y, this.at % this.columns + x];
      if (end !== undefined) { event.preventDefault(); this.move(end); }
      else if (i >= 0 && i < this.rows && j >= 0 && j < this.columns) this.move(i * this.columns + j);
    });
    this.play = button("", () => this.toggle());
    this.choice = pick([...Object.keys(KERNELS), "your own"], (name) => {
      const flat = KERNELS[name];
      if (flat) put(this.model, { kernel: count(3).map((i) => flat.slice(3 * i, 3 * i + 3)) });
      else this.draw();
    }, { "aria-label": "Kernel" });
    this.kernel = make("div", { class: "cw-kernel", role: "group", "aria-label": "Weights of the kernel" });
    this.terms = make("span");
    this.sum = make("strong");
    this.size = make("p", { class: "cw-terms" });
    const figure = (title, node) => make("figure", {}, make("figcaption", {}, title), node);
    const { padding, stride, dilation } = this.sliders;
    return make("div", {},
      make("div", { class: "cw-columns" }, figure("Picture, in its frame of zeros", this.input), figure("Output", this.output)),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, padding.root, stride.root, dilation.root, this.place.root,
          make("div", { class: "cw-buttons" }, this.play)),
        make("div", { class: "cw-controls" },
          make("label", { class: "cw-choice" }, make("span", {}, "Kernel"), this.choice),
          make("div", { class: "cw-choice" }, make("span", {}, "Weights"), this.kernel))),
      make("div", {}, make("p", { class: "cw-terms" }, this.terms, " = ", this.sum), this.size));
  }

  /** Put the window on a place, as a reader does: that ends the playing. */
  move(position) { this.pause(); put(this.model, { position }); }

  pause() { clearInterval(this.timer); this.timer = null; if (this.play) this.nameButton(); }

  nameButton() { this.play.textContent = this.calm ? "Next place" : this.timer ? "Pause" : "Play"; }

  toggle() {
    const last = this.rows * this.columns - 1;
    const next = () => {
      put(this.model, { position: this.at < last ? this.at + 1 : 0 });
      if (this.at >= last - 1) this.pause();
    };
    if (this.calm) next(); // a reader who wants less motion takes the steps one by one
    else if (this.timer) this.pause();
    else {
      if (this.at >= last) put(this.model, { position: 0 });
      this.timer = setInterval(next, 700);
      this.nameButton();
    }
  }

  drawWindow() {
    const [picture, kernel, p, s, d] = ["picture", "kernel", "padding", "stride", "dilation"].map((name) => this.model.get(name));
    const [h, w, kh, kw] = [picture.length, picture[0].length, kernel.length, kernel[0].length];
    this.rows = outputSize(h, kh, s, p, d);
    this.columns = outputSize(w, kw, s, p, d);
    const places = this.rows * this.columns;
    this.at = clamp(this.model.get("position"), [0, Math.max(0, places - 1)]);
    const [row, column] = places ? [Math.floor(this.at / this.columns), this.at % this.columns] : [0, 0];
    const pixel = (i, j) => picture[i - p]?.[j - p] ?? 0;
    const pairs = (i, j) => kernel.flatMap((weights, a) => weights.map((weight, b) => [pixel(s * i + d * a, s * j + d * b), weight]));
    const value = (i, j) => pairs(i, j).reduce((sum, [x, weight]) => sum + x * weight, 0);
    const whole = [...picture, ...kernel].flat().every(Number.isInteger);
    const text = (number, digits) => format(number, Number.isInteger(number) ? 0 : digits);
    const size = Math.min(44, SIDE / (w + 2 * p));
    const seen = (i, j) => places && [[i - s * row, kh], [j - s * column, kw]].every(([at, k]) => at >= 0 && at % d === 0 && at / d < k);
    this.grid(this.input, h + 2 * p, w + 2 * p, size, (i, j) => {
      const inside = i >= p && i < h + p && j >= p && j < w + p;
      return [`${inside ? "" : "cw-frame"} ${seen(i, j) ? "cw-seen" : ""}`, text(pixel(i, j), 1), inside ? "" : "cw-zeros"];
    });
    if (places) this.input.append(make("svg:rect", { class: "cw-span", x: size * s * column, y: size * s * row,
      width: size * reach(kw, d), height: size * reach(kh, d) }));
    this.grid(this.output, this.rows, this.columns, size, (i, j, at) =>
      [at === this.at ? "cw-here" : "", at <= this.at ? format(value(i, j), whole ? 0 : 1) : "", ""]);
    const result = places ? format(value(row, column), whole ? 0 : 2) : "\u2013";
    const spoken = places ? `row ${row + 1}, column ${column + 1}: ${result}` : "no place";
    if (places) this.output.append(make("svg:rect", { class: "cw-span cw-now", x: size * column, y: size * row, width: size, height: size }));
    change(this.input, { "aria-label": `Picture of ${h} by ${w} pixels, padding ${p}; window at ${spoken}` });
    change(this.output, { "aria-valuemin": 1, "aria-valuemax": Math.max(1, places), "aria-valuenow": this.at + 1, "aria-valuetext": spoken });
    for (const [name, number] of Object.entries({ padding: p, stride: s, dilation: d })) this.sliders[name].show(number, String(number));
    this.place.limit([1, Math.max(1, places)], 1);
    this.place.show(this.at + 1, `${places ? this.at + 1 : 0}/${places}`);
    change(this.place.input, { "aria-valuetext": spoken });
    this.terms.textContent = !places ? "The window reaches beyond the picture and its frame: there is no output." :
      pairs(row, column).map(([x, weight]) => `${text(x, 2)}\u00b7${weight < 0 ? `(${text(weight, 2)})` : text(weight, 2)}`).join(" + ");
    this.sum.textContent = result;
    const rule = (m, k, n) => `\u230a(${m} + 2\u00b7${p} \u2212 ${d}\u00b7(${k} \u2212 1) \u2212 1) / ${s}\u230b + 1 = ${n}`;
    this.size.textContent = h === w && kh === kw ? `Places along a side: ${rule(h, kh, this.rows)}` :
      `Rows: ${rule(h, kh, this.rows)}; columns: ${rule(w, kw, this.columns)}`;
    this.showKernel(kernel);
    this.nameButton();
    this.speech.say(`Output ${this.rows} by ${this.columns}; ${spoken}`);
  }

  /** Cells with numbers; look(i, j, at) gives a cell's class, its text and the text's class. */
  grid(svg, rows, columns, size, cell) {
    change(svg, { viewBox: `${(size * columns - SIDE) / 2 || 0} -2 ${SIDE} ${size * Math.max(1, rows) + 4}` });
    svg.replaceChildren(...count(rows * columns).flatMap((at) => {
      const [i, j] = [Math.floor(at / columns), at % columns];
      const [kind, text, tone] = cell(i, j, at);
      return [make("svg:rect", { class: `cw-cell ${kind}`, "data-at": at, x: size * j, y: size * i, width: size, height: size }),
        make("svg:text", { class: tone, x: size * (j + 0.5), y: size * (i + 0.5) + 4.5, "text-anchor": "middle" }, text)];
    }));
  }

  showKernel(kernel) {
    const shape = `${kernel.length} ${kernel[0].length}`;
    if (shape !== this.shape) {
      this.shape = shape;
      this.weights = kernel.map((row, a) => row.map((_, b) => {
        const node = make("input", { type: "number", min: -9, max: 9, step: "any", "aria-label": `Weight in row ${a + 1}, column ${b + 1}` });
        node.addEventListener("input", () => {
          const number = node.valueAsNumber;
          if (Math.abs(number) <= 9) put(this.model, { kernel: this.model.get("kernel").map((r, i) => r.map((old, j) => (i === a && j === b ? number : old))) });
        });
        node.addEventListener("blur", () => this.showKernel(this.model.get("kernel")));
        return node;
      }));
      this.kernel.style.gridTemplateColumns = `repeat(${kernel[0].length}, auto)`;
      this.kernel.replaceChildren(...this.weights.flat());
    }
    const flat = kernel.flat();
    this.weights.flat().forEach((node, i) => { if (!node.matches(":focus")) node.value = Number(flat[i].toFixed(2)); });
    const name = Object.keys(KERNELS).find((one) => shape === "3 3" && KERNELS[one].every((weight, i) => Math.abs(weight - flat[i]) < 1e-9));
    this.choice.value = name ?? "your own";
  }

  // The receptive field

  buildField() {
    this.stack = make("svg:svg", { role: "img" });
    this.body = make("tbody");
    this.steps = make("span");
    this.field = make("strong");
    this.holes = make("p", { class: "cw-terms" });
    const layers = () => this.model.get("layers");
    this.more = button("Add a layer", () => { if (layers().length < 5) put(this.model, { layers: [...layers(), layers().at(-1)] }); });
    this.less = button("Remove the last", () => { if (layers().length > 1) put(this.model, { layers: layers().slice(0, -1) }); });
    const head = ["Layer", "Kernel", "Stride", "Dilation", "Sees"].map((name) => make("th", { scope: "col" }, name));
    return make("div", {},
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "One output and what it sees"), this.stack),
        make("div", { class: "cw-controls" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), this.body),
          make("div", { class: "cw-buttons" }, this.more, this.less))),
      make("div", {}, make("p", { class: "cw-terms" }, this.steps, " = ", this.field), this.holes));
  }

  drawField() {
    const layers = this.model.get("layers");
    const levels = look(layers);
    const { field } = levels.at(-1);
    const seen = levels[0].cells.length;
    const [left, high] = [56, 46];
    const unit = Math.min(26, (SIDE - left) / field);
    const middle = left + (SIDE - left) / 2;
    const x = (level, at) => middle + (level.jump * at + level.centre - (field - 1) / 2) * unit;
    const y = (i) => 14 + (layers.length - i) * high;
    const side = Math.max(1.2, Math.min(18, 0.82 * unit));
    const point = (...at) => at.map((value) => value.toFixed(1)).join(" ");
    change(this.stack, { viewBox: `0 0 ${SIDE} ${28 + layers.length * high}`,
      "aria-label": `${layers.length} layers; one output sees ${field} pixels along a side` });
    const lines = layers.map(([k, s, d], i) => levels[i + 1].cells.flatMap((at) => count(k).map((a) =>
      `M${point(x(levels[i + 1], at), y(i + 1))}L${point(x(levels[i], s * at + d * a), y(i))}`)).join(""));
    const row = (level, cells, i) => cells.map((at) => `M${point(x(level, at) - side / 2, y(i) - side / 2)}h${side.toFixed(1)}v${side.toFixed(1)}h-${side.toFixed(1)}z`).join("");
    const blocks = levels.map((level, i) => make("svg:path", { class: "cw-block", d: row(level, level.cells, i) })).reverse();
    this.stack.replaceChildren(
      make("svg:path", { class: "cw-cell", d: row(levels[0], count(field), 0) }),
      ...lines.map((d) => make("svg:path", { class: "cw-reach", d })),
      make("svg:g", {}, ...blocks),
      ...levels.map((_, i) => make("svg:text", { class: "cw-name", x: 0, y: y(i) + 4.5 }, i ? `layer ${i}` : "input")));
    this.showLayers(layers, levels);
    this.steps.textContent = `1 + the sum of dilation \u00b7 (kernel \u2212 1) \u00b7 strides before it = 1 + ${layers.map(([k, , d], i) => `${d}\u00b7${k - 1}\u00b7${levels[i].jump}`).join(" + ")}`;
    this.field.textContent = field;
    this.holes.textContent = `One output sees ${field} × ${field} pixels` + (seen < field
      ? `, but only ${seen} of ${field} along a side meet a weight.` : ": every one of them meets a weight.");
    this.speech.say(`Receptive field ${field}`);
  }

  showLayers(layers, levels) {
    if (this.body.children.length !== layers.length) {
      const options = [count(5), count(2), count(9)].map((numbers) => numbers.map((n) => n + 1));
      this.picks = layers.map((_, i) => options.map((numbers, j) => pick(numbers, (text) => put(this.model, {
        layers: this.model.get("layers").map((layer, l) => (l === i ? layer.map((old, m) => (m === j ? Number(text) : old)) : layer)),
      }), { "aria-label": `${["Kernel", "Stride", "Dilation"][j]} of layer ${i + 1}` })));
      this.body.replaceChildren(...this.picks.map((three, i) => make("tr", {},
        ...[String(i + 1), ...three, ""].map((node) => make("td", {}, node)))));
    }
    layers.forEach((layer, i) => {
      this.picks[i].forEach((node, j) => { node.value = layer[j]; });
      this.body.children[i].lastChild.textContent = levels[i + 1].field;
    });
    change(this.more, { "aria-disabled": String(layers.length === 5) });
    change(this.less, { "aria-disabled": String(layers.length === 1) });
  }
}

export default {
  render({ model, el }) {
    const figure = new SlidingFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
