// Draw a digit: a trained convolutional network in plain JavaScript, weights from the widget's state.

const SIZE = 280; // drawing area in its own pixels, ten for each pixel of the network
const BRUSH = 20;

/** Largest of each 2×2 block; an odd last row or column is left out, as in PyTorch. */
function pool(x, [channels, height, width]) {
  const [rows, columns] = [height >> 1, width >> 1];
  const out = new Float32Array(channels * rows * columns);
  for (let c = 0, k = 0; c < channels; c++) {
    for (let r = 0; r < rows; r++) {
      for (let s = 0; s < columns; s++) {
        const at = (c * height + 2 * r) * width + 2 * s;
        out[k++] = Math.max(x[at], x[at + 1], x[at + width], x[at + width + 1]);
      }
    }
  }
  return [out, [channels, rows, columns]];
}

/** A function from 784 bytes to the logits and the first layer's feature maps after ReLU. */
function network(model) {
  const view = model.get("weights");
  const weights = new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  let at = 0;
  const take = (count) => weights.subarray(at, (at += count));
  const layers = model.get("layers").map((layer) => {
    const [high, wide] = layer.kernel ?? [1, 1];
    return layer.outputs
      ? { ...layer, weight: take(layer.outputs * layer.inputs * high * wide), bias: take(layer.outputs) } : layer;
  });
  const compute = {
    conv: convolve, pool: (_, x, shape) => pool(x, shape), linear: multiply,
    relu: (_, x, shape) => [x.map((value) => Math.max(0, value)), shape], flatten: (_, x) => [x, [x.length]],
  };
  return (pixels) => {
    let x = Float32Array.from(pixels, (value) => (value / 255 - model.get("mean")) / model.get("std"));
    let shape = [1, 28, 28];
    let maps = null;
    for (const layer of layers) {
      [x, shape] = compute[layer.type](layer, x, shape);
      if (layer.type === "conv") maps ??= { data: x, shape };
    }
    return { logits: Array.from(x), maps };
  };
}

/** MNIST's form: longer side 20 pixels, area-averaged, centre of mass in the middle of 28×28. */
function centre(alpha) {
  let [mass, mx, my] = [0, 0, 0];
  let [x0, x1, y0, y1] = [SIZE, 0, SIZE, 0];
  for (let y = 0, k = 3; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++, k += 4) {
      if (alpha[k] < 8) continue;
      [x0, x1, y0, y1] = [Math.min(x0, x), Math.max(x1, x), Math.min(y0, y), Math.max(y1, y)];
      [mass, mx, my] = [mass + alpha[k], mx + alpha[k] * (x + 0.5), my + alpha[k] * (y + 0.5)];
    }
  }
  const sums = new Float32Array(784);
  if (!mass) return new Uint8Array(784);
  const scale = Math.max(x1 - x0 + 1, y1 - y0 + 1, 60) / 20; // a dot is not blown up to a disc
  for (let y = y0; y <= y1; y++) {
    const v = Math.floor((y + 0.5 - my / mass) / scale + 14);
    for (let x = x0; x <= x1; x++) {
      const u = Math.floor((x + 0.5 - mx / mass) / scale + 14);
      if (u >= 0 && u < 28 && v >= 0 && v < 28) sums[v * 28 + u] += alpha[(y * SIZE + x) * 4 + 3];
    }
  }
  // Drawn pixels that fall into one of the 28: they differ by one from the next, which would show as stripes.
  const count = (i, middle) => [i - 13, i - 14].map((j) => Math.ceil(j * scale + middle / mass - 0.5)).reduce((a, b) => a - b);
  return Uint8Array.from(sums, (sum, i) => Math.round(sum / (count(i % 28, mx) * count(i / 28 | 0, my))));
}

/** A small canvas that shows grey values in [0, 1], white on black. */
function picture(width, height) {
  const canvas = make("canvas", { width, height, class: "cw-picture" });
  const context = canvas.getContext("2d");
  canvas.show = (values) => {
    const image = context.createImageData(width, height);
    image.data.set(Uint8ClampedArray.from({ length: 4 * values.length }, (_, i) => (i % 4 === 3 ? 255 : 255 * values[i >> 2])));
    context.putImageData(image, 0, 0);
  };
  return canvas;
}

/** The drawing area: pointer and keyboard put white ink on a transparent canvas. */
class Board {
  constructor(describedBy, { onInk, onEnd, onClear }) {
    this.canvas = make("canvas", { width: SIZE, height: SIZE, tabindex: 0, role: "application",
      "aria-label": "Drawing area", "aria-describedby": describedBy });
    this.cursor = make("span");
    this.root = make("div", { class: "cw-board" }, this.canvas, this.cursor);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    Object.assign(this.context, { lineCap: "round", lineWidth: BRUSH, strokeStyle: "#fff", shadowColor: "#fff", shadowBlur: 6 });
    Object.assign(this, { onInk, onEnd, onClear });
    this.last = null; // where the pen is while it is down
    this.typing = false; // whether the keyboard holds it down
    this.at = [SIZE / 2, SIZE / 2]; // the keyboard's cursor
    this.showCursor();
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || !event.isPrimary) return;
      this.lift();
      canvas.setPointerCapture(event.pointerId);
      this.draw(this.position(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.last || this.typing || !canvas.hasPointerCapture(event.pointerId)) return;
      const parts = event.getCoalescedEvents?.() ?? [];
      for (const part of parts.length ? parts : [event]) this.draw(this.position(part));
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.typing || this.lift());
    canvas.addEventListener("blur", () => this.lift());
    canvas.addEventListener("keydown", (event) => this.type(event));
  }

  type(event) {
    const step = arrow(event, 3);
    if (step) {
      this.at = [clamp(this.at[0] + 10 * step[0], [0, SIZE]), clamp(this.at[1] - 10 * step[1], [0, SIZE])];
      if (this.typing) this.draw(this.at);
    } else if (event.key === " ") {
      event.preventDefault();
      if (event.repeat) return;
      if (this.typing) this.lift();
      else { this.lift(); this.typing = true; this.draw(this.at); }
    } else if (event.key.toLowerCase() === "c" && !event.ctrlKey && !event.metaKey) this.onClear();
    this.showCursor();
  }

  draw(to) {
    this.context.beginPath();
    this.context.moveTo(...(this.last ?? to));
    this.context.lineTo(...to);
    this.context.stroke();
    this.last = to;
    this.onInk();
  }

  lift() {
    const drawn = this.last;
    this.last = null;
    this.typing = false;
    this.showCursor();
    if (drawn) this.onEnd();
  }

  position(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
  }

  showCursor() {
    change(this.cursor, { class: this.typing ? "cw-cursor cw-down" : "cw-cursor" });
    Object.assign(this.cursor.style, { left: `${(100 * this.at[0]) / SIZE}%`, top: `${(100 * this.at[1]) / SIZE}%` });
  }

  pixels() { return centre(this.context.getImageData(0, 0, SIZE, SIZE).data); }

  /** Replace the drawing by a 28×28 picture, enlarged. */
  show(pixels) {
    const small = make("canvas", { width: 28, height: 28 });
    const image = new ImageData(28, 28);
    pixels.forEach((value, i) => image.data.set([255, 255, 255, value], 4 * i));
    small.getContext("2d").putImageData(image, 0, 0);
    this.last = null;
    this.typing = false;
    this.showCursor();
    this.context.clearRect(0, 0, SIZE, SIZE);
    this.context.shadowBlur = 0;
    this.context.drawImage(small, 0, 0, SIZE, SIZE);
    this.context.shadowBlur = 6;
  }
}

/** The first layer's feature maps, at most 16, each scaled to its own largest value. */
function featureMaps() {
  const root = make("div", { class: "cw-maps", role: "img", "aria-label": "Feature maps of the first layer" });
  let canvases = null;
  return {
    root,
    show({ data, shape: [channels, height, width] }) {
      canvases ??= Array.from({ length: Math.min(channels, 16) }, () => picture(width, height));
      if (!root.firstChild) root.append(...canvases);
      const top = Math.max(1e-6, ...data);
      canvases.forEach((canvas, c) => canvas.show(data.subarray(c * height * width, (c + 1) * height * width).map((v) => Math.max(0, v) / top)));
    },
  };
}

function exampleButtons(examples, labels, choose) {
  return labels.map((label, i) => {
    const pixels = examples.subarray(784 * i, 784 * (i + 1));
    const image = picture(28, 28);
    image.show(Array.from(pixels, (value) => value / 255));
    const button = make("button", { type: "button", class: "cw-example", "aria-label": `Example ${i + 1}: a ${label}` }, image);
    button.addEventListener("click", () => choose(pixels));
    return button;
  });
}

class DigitFigure {
  constructor(model) {
    this.model = model;
    this.net = network(model);
    this.examples = bytes(model.get("examples"));
    this.own = false; // whether a change of pixels comes from the drawing in this view
    this.ink = perFrame(() => { this.own = true; this.set(this.board.pixels()); this.own = false; });
    const help = `cw-help-${Math.random().toString(36).slice(2)}`;
    const clear = () => this.choose(new Uint8Array(784));
    this.board = new Board(help, {
      onInk: this.ink, onClear: clear, onEnd: () => { this.ink.now(); model.save_changes(); this.announce(); },
    });
    this.seen = picture(28, 28);
    change(this.seen, { role: "img", "aria-label": "The drawing as the network sees it" });
    this.answer = make("p", { class: "cw-answer" });
    this.chart = bars();
    this.maps = featureMaps();
    this.speech = announcer();
    this.root = this.layout(help, clear);
    const forget = watch(model, ["pixels"], () => this.show());
    this.stop = () => { forget(); this.ink.cancel(); this.speech.stop(); };
    this.show();
  }

  layout(help, clear) {
    const button = make("button", { type: "button", class: "cw-button" }, "Clear");
    button.addEventListener("click", clear);
    const choices = exampleButtons(this.examples, this.model.get("labels"), (pixels) => this.choose(pixels));
    const row = (name, ...content) => make("div", { class: "cw-row" }, make("span", {}, name), ...content);
    return make("div", { class: "cw cw-draw", role: "group", "aria-label": "Draw a digit" },
      this.board.root,
      make("div", { class: "cw-result" }, make("div", { class: "cw-seen" }, this.seen, this.answer), this.chart.root),
      make("div", { class: "cw-wide" },
        row(choices.length ? "Test digits" : "", make("div", { class: "cw-tray" }, ...choices, button)),
        row("First layer", this.maps.root),
        make("p", { class: "cw-help", id: help }, "Draw with mouse, pen or finger. Keyboard: arrow keys move the cursor, ",
          make("kbd", {}, "Space"), " lowers and lifts the pen, ", make("kbd", {}, "C"), " clears.")),
      this.speech.node);
  }

  set(pixels) { this.model.set("pixels", new DataView(Uint8Array.from(pixels).buffer)); }

  choose(pixels) {
    this.ink.cancel(); // a drawing that is not yet read must not come after this
    this.set(pixels);
    this.model.save_changes();
    this.announce();
  }

  announce() { this.speech.say(this.answer.textContent); }

  show() {
    const view = this.model.get("pixels");
    const shown = view?.byteLength ? bytes(view) : this.examples.slice(0, 784);
    const pixels = shown.length ? shown : new Uint8Array(784);
    const { logits, maps } = this.net(pixels);
    const blank = pixels.every((value) => !value);
    const probabilities = blank ? logits.map(() => 0) : softmax(logits);
    const best = probabilities.indexOf(Math.max(...probabilities));
    this.answer.replaceChildren(...(blank ? ["Draw a digit from 0 to 9."]
      : ["The network sees this and says ", make("strong", {}, String(best)), ` (${percent(probabilities[best])})`]));
    this.chart.show(probabilities);
    this.seen.show(Array.from(pixels, (value) => value / 255));
    if (maps) this.maps.show(maps);
    if (!this.own) this.board.show(pixels);
  }
}

export default {
  render({ model, el }) {
    const figure = new DigitFigure(model);
    el.append(figure.root);
    el.logits = (pixels) => figure.net(pixels).logits; // for tests: 784 bytes, no centring
    return () => { figure.stop(); delete el.logits; };
  },
};
