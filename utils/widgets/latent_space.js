// Latent space: a trained generator, and its discriminator, in plain JavaScript; weights from the widget's state.

const MAP = 7; // digits on a side of the map
const SIDE = 28;

/** out[o] = bias[o] + the sum of weight[o, i] x[i]. */
function linear({ inputs, outputs, weight, bias }, x) {
  const out = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    let total = bias[o];
    for (let i = 0; i < inputs; i++) total += weight[o * inputs + i] * x[i];
    out[o] = total;
  }
  return [out, [outputs]];
}

/** A convolution, and with `up` the transposed one, which stamps the kernel where the other one reads. */
function windows({ inputs, outputs, kernel, stride, padding, up, weight, bias }, x, [, height, width]) {
  const size = (n) => (up ? (n - 1) * stride - 2 * padding + kernel : Math.floor((n + 2 * padding - kernel) / stride) + 1);
  const [rows, columns] = [size(height), size(width)];
  const out = new Float32Array(outputs * rows * columns);
  for (let o = 0; o < outputs; o++) out.fill(bias[o], o * rows * columns, (o + 1) * rows * columns);
  const [low, lowWide, large, largeWide] = up ? [height, width, rows, columns] : [rows, columns, height, width];
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      const slice = (up ? i * outputs + o : o * inputs + i) * kernel * kernel;
      for (let r = 0; r < low; r++) {
        for (let c = 0; c < lowWide; c++) {
          const small = r * lowWide + c; // a place of the smaller map, and the window that belongs to it
          for (let a = 0; a < kernel; a++) {
            const y = r * stride + a - padding;
            if (y < 0 || y >= large) continue;
            for (let b = 0; b < kernel; b++) {
              const z = c * stride + b - padding;
              if (z < 0 || z >= largeWide) continue;
              const [big, w] = [y * largeWide + z, weight[slice + a * kernel + b]];
              if (up) out[o * rows * columns + big] += w * x[i * height * width + small];
              else out[o * rows * columns + small] += w * x[i * height * width + big];
            }
          }
        }
      }
    }
  }
  return [out, [outputs, rows, columns]];
}

/** Each channel times a number plus a number: what batch norm is once training is over. */
function scale({ outputs, weight, bias }, x, shape) {
  const places = x.length / outputs;
  return [x.map((value, k) => value * weight[(k / places) | 0] + bias[(k / places) | 0]), shape];
}

const COMPUTE = {
  linear, windows, scale,
  shape: ({ to }, x) => [x, to],
  leaky: ({ slope }, x, shape) => [x.map((value) => (value > 0 ? value : slope * value)), shape],
  sigmoid: (_, x, shape) => [x.map((value) => 1 / (1 + Math.exp(-value))), shape],
};

/** The two networks, as functions from numbers to numbers. */
function networks(model) {
  const numbers = halves(model.get("weights"));
  let at = 0;
  const take = (count) => numbers.subarray(at, (at += count));
  const read = (layers) => layers.map((layer) => (layer.weights
    ? { ...layer, weight: take(layer.weights), bias: take(layer.outputs) } : layer));
  return ["generator", "discriminator"].map((name) => {
    const layers = read(model.get(name));
    return (values) => {
      let [x, shape] = [Float32Array.from(values), name === "generator" ? [values.length] : [1, SIDE, SIDE]];
      for (const layer of layers) [x, shape] = COMPUTE[layer.type](layer, x, shape);
      return x;
    };
  });
}

/** The code at a place of the map: the corners mixed, and as long as a random code is on average. */
function mix(corners, [u, v]) {
  const shares = [(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v];
  const length = Math.hypot(...shares);
  return corners[0].map((_, i) => shares.reduce((sum, share, k) => sum + share * corners[k][i], 0) / length);
}

/** A number of the standard normal distribution. */
const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** White ink on black, one digit at a place of a canvas. */
function ink(canvas, pixels, x = 0, y = 0) {
  const image = new ImageData(SIDE, SIDE);
  pixels.forEach((value, k) => image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * k));
  canvas.getContext("2d").putImageData(image, x, y);
}

class LatentFigure {
  constructor(model) {
    this.model = model;
    [this.generate, this.judge] = networks(model);
    this.map = make("canvas", { width: MAP * SIDE, height: MAP * SIDE, "aria-hidden": "true" });
    this.knob = make("span", { class: "cw-place" });
    this.board = make("div", { class: "cw-latent-map", tabindex: 0, role: "slider", "aria-valuemin": 0, "aria-valuemax": 100,
      "aria-label": "Place on the map" }, this.map, this.knob);
    this.digit = make("canvas", { width: SIDE, height: SIDE, class: "cw-picture cw-made", role: "img",
      "aria-label": "The digit at this place" });
    this.verdict = make("p", { class: "cw-verdict" });
    this.code = make("div", { class: "cw-code", "aria-hidden": "true" });
    this.speech = announcer();
    const button = (name, act) => {
      const node = make("button", { type: "button", class: "cw-button" }, name);
      node.addEventListener("click", () => { act(); this.announce(); });
      return node;
    };
    const first = { corners: model.get("corners"), point: model.get("point") };
    const fresh = () => put(model, { corners: first.corners.map((code) => code.map(normal)) });
    this.root = make("div", { class: "cw cw-latent", role: "group", "aria-label": "Latent space" },
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "A map: four codes and what lies between"), this.board,
          make("p", { class: "cw-help" }, "Drag, or use the arrow keys.")),
        make("div", { class: "cw-controls" }, make("p", {}, "The digit at this place"), this.digit, this.verdict,
          make("p", {}, `Its code, ${first.corners[0].length} numbers`), this.code,
          make("div", { class: "cw-buttons" }, button("Four new codes", fresh), button("Start again", () => put(model, first))))),
      this.speech.node);
    this.listen();
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["corners", "point"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
  }

  listen() {
    const { board } = this;
    const follow = (event) => {
      const box = this.map.getBoundingClientRect();
      this.move([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
    };
    board.addEventListener("pointerdown", (event) => {
      if (event.button || !event.isPrimary) return;
      board.setPointerCapture(event.pointerId);
      follow(event);
    });
    board.addEventListener("pointermove", (event) => board.hasPointerCapture(event.pointerId) && follow(event));
    board.addEventListener("pointerup", () => this.announce());
    board.addEventListener("keydown", (event) => {
      const step = arrow(event, 5);
      if (!step) return;
      const [u, v] = this.model.get("point");
      this.move([u + 0.02 * step[0], v - 0.02 * step[1]]);
      this.announce();
    });
  }

  move(point) { put(this.model, { point: point.map((value) => clamp(snap(value, 0.01), [0, 1])) }); }

  announce() { this.speech.say(this.verdict.textContent); }

  draw() {
    const [corners, point] = [this.model.get("corners"), this.model.get("point")];
    if (this.drawn !== corners) {
      this.drawn = corners;
      for (let k = 0; k < MAP * MAP; k++) {
        const [column, row] = [k % MAP, Math.floor(k / MAP)];
        ink(this.map, this.generate(mix(corners, [column / (MAP - 1), row / (MAP - 1)])), SIDE * column, SIDE * row);
      }
    }
    const code = mix(corners, point);
    const pixels = this.generate(code);
    const [logit] = this.judge(pixels);
    ink(this.digit, pixels);
    // The outer digits of the map lie half a digit inside its edge.
    const at = (share) => `${(100 * (0.5 + share * (MAP - 1))) / MAP}%`;
    Object.assign(this.knob.style, { left: at(point[0]), top: at(point[1]) });
    this.verdict.replaceChildren("The discriminator says: real with ", make("strong", {}, percent(1 / (1 + Math.exp(-logit)))));
    this.code.replaceChildren(...code.map((value) => make("span", { class: value < 0 ? "cw-low" : "cw-up",
      style: `height:${Math.min(50, 17 * Math.abs(value)).toFixed(1)}%` })));
    const where = point.map((share) => Math.round(100 * share));
    change(this.board, { "aria-valuenow": where[0], "aria-valuetext": `${where[0]} % to the right, ${where[1]} % down` });
  }
}

export default {
  render({ model, el }) {
    const figure = new LatentFigure(model);
    el.append(figure.root);
    // For tests: a code -> 784 shades and the discriminator's logit; and the code at a place.
    el.make = (code) => { const x = figure.generate(code); return [...x, ...figure.judge(x)]; };
    el.mix = (point) => mix(model.get("corners"), point);
    return () => { figure.stop(); delete el.make; delete el.mix; };
  },
};
