// Transposed convolution: stamp by stamp, or as a window with the turned kernel over numbers set apart by zeros.

const KERNELS = {
  "0 to 3": [[0, 1], [2, 3]],
  "four ones": [[1, 1], [1, 1]],
  "nine ones": [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
  "1 to 9": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
  "bilinear, for stride 2": [1, 3, 3, 1].map((a) => [1, 3, 3, 1].map((b) => a * b / 16)),
};
const SIDE = 340; // width of a drawing, in its own units
const count = (n) => Array.from({ length: n }, (_, i) => i);
const button = (text, onClick) => {
  const node = make("button", { type: "button", class: "cw-button" }, text);
  node.addEventListener("click", onClick);
  return node;
};
const written = (value, digits = 2) => format(value, Number.isInteger(value) ? 0 : digits);

/** All that is shown of one setting: sizes, the spread input of the window, and the value at a place. */
function transposed({ picture, kernel, stride: s, padding }) {
  const [h, w, kh, kw] = [picture.length, picture[0].length, kernel.length, kernel[0].length];
  const p = Math.min(padding, kh - 1, kw - 1);
  const [rows, columns] = [(h - 1) * s + kh, (w - 1) * s + kw]; // before the frame is cut off
  const [down, right] = [kh - 1 - p, kw - 1 - p]; // the frame of zeros for the window
  const spread = (i, j) => {
    const [y, x] = [i - down, j - right];
    return y % s || x % s ? null : picture[y / s]?.[x / s] ?? null; // null: a zero that was put in
  };
  const turned = kernel.map((row) => [...row].reverse()).reverse();
  const pairs = (i, j) => turned.flatMap((row, a) => row.map((weight, b) => [spread(i + a, j + b), weight]));
  /** Sum of the stamps of the first numbers at a place of the uncut output; null where none has been. */
  const stamped = (u, v, numbers) => {
    let sum = null;
    for (const at of count(numbers)) {
      const [i, j] = [Math.floor(at / w), at % w];
      const weight = kernel[u - s * i]?.[v - s * j];
      if (weight !== undefined) sum = (sum ?? 0) + picture[i][j] * weight;
    }
    return sum;
  };
  return { h, w, kh, kw, s, p, rows, columns, outRows: Math.max(0, rows - 2 * p), outColumns: Math.max(0, columns - 2 * p),
    wide: (w - 1) * s + 1 + 2 * right, high: (h - 1) * s + 1 + 2 * down, spread, pairs, stamped };
}

class TransposedFigure {
  constructor(model) {
    this.model = model;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.speech = announcer();
    this.tabs = [["stamp", "Stamp by stamp"], ["window", "With a window"]].map(([mode, text]) => [mode,
      button(text, () => { this.pause(); put(model, { mode, position: 0 }); })]);
    this.build();
    this.root = make("div", { class: "cw cw-stamp", role: "group", "aria-label": "Transposed convolution" },
      make("div", { class: "cw-tabs" }, ...this.tabs.map(([, node]) => node)), this.body, this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["picture", "kernel", "stride", "padding", "position", "mode"], draw);
    this.stop = () => { forget(); draw.cancel(); this.pause(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  build() {
    const { model } = this;
    this.stride = slider(["Stride"], (value) => put(model, { stride: value }));
    this.padding = slider(["Padding"], (value) => put(model, { padding: value }));
    this.place = slider(["Place"], (at) => this.move(at - 1));
    this.drawings = ["input", "output"].map((name) => {
      const node = make("svg:svg", {});
      const choose = (event) => { const at = event.target.dataset?.at; if (at !== undefined) this.move(Number(at)); };
      node.addEventListener("click", choose);
      node.addEventListener("keydown", (event) => this.walk(event));
      return node;
    });
    this.titles = this.drawings.map(() => make("figcaption"));
    this.play = button("", () => this.toggle());
    this.choice = make("select", { "aria-label": "Kernel" }, ...[...Object.keys(KERNELS), "your own"].map((text) => make("option", {}, text)));
    this.choice.addEventListener("change", () => {
      if (KERNELS[this.choice.value]) put(model, { kernel: KERNELS[this.choice.value].map((row) => [...row]) });
      else this.draw();
    });
    this.kernel = make("div", { class: "cw-kernel", role: "group", "aria-label": "Weights of the kernel" });
    this.words = make("p", { class: "cw-terms" });
    this.size = make("p", { class: "cw-terms" });
    const [input, output] = this.drawings.map((node, i) => make("figure", {}, this.titles[i], node));
    this.body = make("div", {},
      make("div", { class: "cw-columns" }, input, output),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, this.stride.root, this.padding.root, this.place.root, make("div", { class: "cw-buttons" }, this.play)),
        make("div", { class: "cw-controls" },
          make("label", { class: "cw-choice" }, make("span", {}, "Kernel"), this.choice),
          make("div", { class: "cw-choice" }, make("span", {}, "Weights"), this.kernel))),
      make("div", {}, this.words, this.size));
  }

  /** Go to a place, as a reader does: that ends the playing. */
  move(position) { this.pause(); put(this.model, { position }); }

  walk(event) {
    const last = this.places - 1;
    const end = { Home: 0, End: last }[event.key];
    if (end !== undefined) { event.preventDefault(); this.move(end); return; }
    const step = arrow(event, 1);
    if (!step) return;
    const [i, j] = [Math.floor(this.at / this.across) - step[1], (this.at % this.across) + step[0]];
    if (i >= 0 && j >= 0 && j < this.across && i * this.across + j <= last) this.move(i * this.across + j);
  }

  pause() { clearInterval(this.timer); this.timer = null; if (this.play) this.nameButton(); }

  nameButton() { this.play.textContent = this.calm ? "Next place" : this.timer ? "Pause" : "Play"; }

  toggle() {
    const next = () => {
      put(this.model, { position: this.at < this.places - 1 ? this.at + 1 : 0 });
      if (this.at >= this.places - 2) this.pause();
    };
    if (this.calm) next(); // a reader who wants less motion takes the steps one by one
    else if (this.timer) this.pause();
    else {
      if (this.at >= this.places - 1) put(this.model, { position: 0 });
      this.timer = setInterval(next, 800);
      this.nameButton();
    }
  }

  draw() {
    const [picture, kernel, stride, padding, mode] = ["picture", "kernel", "stride", "padding", "mode"].map((name) => this.model.get(name));
    const found = transposed({ picture, kernel, stride, padding });
    const stamping = mode === "stamp";
    for (const [name, node] of this.tabs) change(node, { "aria-pressed": String(name === mode) });
    this.across = stamping ? found.w : found.outColumns;
    this.places = stamping ? found.h * found.w : found.outRows * found.outColumns;
    this.at = clamp(this.model.get("position"), [0, Math.max(0, this.places - 1)]);
    const [row, column] = this.places ? [Math.floor(this.at / this.across), this.at % this.across] : [0, 0];
    const size = Math.min(44, SIDE / Math.max(found.columns, stamping ? 0 : found.wide));
    const told = stamping ? this.drawStamp(found, picture, row, column, size) : this.drawWindow(found, row, column, size);
    const [chosen, other] = stamping ? this.drawings : [...this.drawings].reverse();
    change(other, { role: "img", tabindex: false, class: "", "aria-valuemin": false, "aria-valuemax": false, "aria-valuenow": false, "aria-valuetext": false });
    change(chosen, { role: "slider", tabindex: 0, class: "cw-places", "aria-valuemin": 1, "aria-valuemax": Math.max(1, this.places),
      "aria-valuenow": this.at + 1, "aria-valuetext": told });
    this.stride.limit([1, 3], 1);
    this.stride.show(stride, String(stride));
    const most = Math.min(2, found.kh - 1, found.kw - 1);
    this.padding.limit([0, Math.max(1, most)], 1);
    this.padding.input.disabled = most === 0;
    this.padding.show(found.p, String(found.p));
    this.place.limit([1, Math.max(1, this.places)], 1);
    this.place.show(this.at + 1, `${this.places ? this.at + 1 : 0}/${this.places}`);
    change(this.place.input, { "aria-valuetext": told });
    const rule = (m, k, n) => `(${m} \u2212 1)\u00b7${stride} + ${k} \u2212 2\u00b7${found.p} = ${n}`;
    const [rows, columns] = [rule(found.h, found.kh, found.rows - 2 * found.p), rule(found.w, found.kw, found.columns - 2 * found.p)];
    this.size.textContent = rows === columns ? `Side of the output: ${rows}` : `Rows: ${rows}; columns: ${columns}`;
    this.showKernel(kernel);
    this.nameButton();
    this.speech.say(`Output ${found.outRows} by ${found.outColumns}; ${told}`);
  }

  drawStamp(found, picture, row, column, size) {
    const { h, w, kh, kw, s, p, rows, columns, stamped } = found;
    const [input, output] = this.drawings;
    const own = (i, j) => i >= s * row && i < s * row + kh && j >= s * column && j < s * column + kw;
    const kept = (i, j) => i >= p && i < rows - p && j >= p && j < columns - p;
    this.titles[0].textContent = "Input: click a number";
    this.titles[1].textContent = p ? "Output: the dashed frame is cut off" : "Output so far";
    this.grid(input, h, w, size, (i, j, at) => [at === this.at ? "cw-seen" : "", written(picture[i][j], 1), at <= this.at ? "" : "cw-zeros"]);
    this.grid(output, rows, columns, size, (i, j) => {
      const value = stamped(i, j, this.at + 1);
      return [`${kept(i, j) ? "" : "cw-frame"} ${own(i, j) ? "cw-seen" : ""}`, value === null ? "" : written(value, size < 34 ? 1 : 2), kept(i, j) ? "cw-kept" : "cw-zeros"];
    });
    this.outline(input, size, row, column, 1, 1);
    this.outline(output, size, s * row, s * column, kh, kw);
    const told = `${written(picture[row][column])} stamps rows ${s * row + 1} to ${s * row + kh}, columns ${s * column + 1} to ${s * column + kw}`;
    change(input, { "aria-label": "Number of the input that stamps" });
    change(output, { "aria-label": `Output of ${found.outRows} by ${found.outColumns} numbers after ${this.at + 1} of ${h * w} stamps` });
    this.words.replaceChildren(make("strong", {}, written(picture[row][column])), ` times the kernel is added to what lies in the window. Stamps put down: ${this.at + 1} of ${h * w}.`);
    return told;
  }

  drawWindow(found, row, column, size) {
    const { kh, kw, outRows, outColumns, wide, high, spread, pairs } = found;
    const [input, output] = this.drawings;
    const value = (i, j) => pairs(i, j).reduce((sum, [x, weight]) => sum + (x ?? 0) * weight, 0);
    const seen = (i, j) => this.places && i >= row && i < row + kh && j >= column && j < column + kw;
    this.titles[0].textContent = "Input, set apart and framed by zeros";
    this.titles[1].textContent = "Output: click a place";
    this.grid(input, high, wide, size, (i, j) => {
      const x = spread(i, j);
      return [`${x === null ? "cw-frame" : ""} ${seen(i, j) ? "cw-seen" : ""}`, written(x ?? 0, 1), x === null ? "cw-zeros" : ""];
    });
    this.grid(output, outRows, outColumns, size, (i, j, at) => [at === this.at ? "cw-here" : "", at <= this.at ? written(value(i, j), size < 34 ? 1 : 2) : "", "cw-kept"]);
    if (!this.places) {
      this.words.textContent = "The padding cuts everything off: there is no output.";
      change(input, { "aria-label": "Input" });
      change(output, { "aria-label": "Place of the window" });
      return "no place";
    }
    this.outline(input, size, row, column, kh, kw);
    this.outline(output, size, row, column, 1, 1);
    const terms = pairs(row, column).filter(([x]) => x !== null).map(([x, weight]) => `${written(x)}\u00b7${weight < 0 ? `(${written(weight)})` : written(weight)}`);
    const result = written(value(row, column));
    this.words.replaceChildren(`The kernel, turned by half a turn, meets ${terms.length === 1 ? "one number" : `${terms.length} numbers`} here: ${terms.length ? terms.join(" + ") : "only zeros"} = `,
      make("strong", {}, result));
    change(input, { "aria-label": `Input of ${found.h} by ${found.w} numbers, ${high} by ${wide} with the zeros` });
    change(output, { "aria-label": "Place of the window" });
    return `row ${row + 1}, column ${column + 1}: ${result}`;
  }

  outline(svg, size, i, j, rows, columns) {
    svg.append(make("svg:rect", { class: "cw-span", x: size * j, y: size * i, width: size * columns, height: size * rows }));
  }

  /** Cells with numbers; look(i, j, at) gives a cell's class, its text and the text's class. */
  grid(svg, rows, columns, size, cell) {
    change(svg, { viewBox: `${(size * columns - SIDE) / 2 || 0} -2 ${SIDE} ${size * Math.max(1, rows) + 4}` });
    svg.replaceChildren(...count(rows * columns).flatMap((at) => {
      const [i, j] = [Math.floor(at / columns), at % columns];
      const [kind, text, tone] = cell(i, j, at);
      return [make("svg:rect", { class: `cw-cell ${kind}`, "data-at": at, x: size * j, y: size * i, width: size, height: size }),
        make("svg:text", { class: `${tone} ${size < 30 ? "cw-small" : ""}`, x: size * (j + 0.5), y: size * (i + 0.5) + 4.5, "text-anchor": "middle" }, text)];
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
    this.choice.value = Object.keys(KERNELS).find((name) => JSON.stringify(KERNELS[name]) === JSON.stringify(kernel)) ?? "your own";
  }
}

export default {
  render({ model, el }) {
    const figure = new TransposedFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
