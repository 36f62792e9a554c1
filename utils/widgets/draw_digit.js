// Draw a digit: a trained convolutional network in plain JavaScript, weights from the widget's state.

const SIZE = 280; // drawing area in its own pixels, ten for each pixel of the network
const BRUSH = 20;

const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** Cross-correlation with zero padding, stride 1. */
function convolve({ inputs, outputs, kernel, padding, weight, bias }, x, [, height, width]) {
  const rows = height + 2 * padding[0] - kernel[0] + 1;
  const columns = width + 2 * padding[1] - kernel[1] + 1;
  const out = new Float32Array(outputs * rows * columns);
  for (let o = 0, k = 0; o < outputs; o++) {
    const map = out.subarray(o * rows * columns, (o + 1) * rows * columns).fill(bias[o]);
    for (let c = 0; c < inputs; c++) {
      for (let i = -padding[0]; i < kernel[0] - padding[0]; i++) {
        for (let j = -padding[1]; j < kernel[1] - padding[1]; j++) {
          const value = weight[k++];
          const last = Math.min(columns, width - j);
          for (let r = Math.max(0, -i); r < Math.min(rows, height - i); r++) {
            const row = (c * height + r + i) * width + j;
            for (let s = Math.max(0, -j); s < last; s++) map[r * columns + s] += value * x[row + s];
          }
        }
      }
    }
  }
  return [out, [outputs, rows, columns]];
}

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

function multiply({ inputs, outputs, weight, bias }, x) {
  const out = Float32Array.from(bias);
  for (let o = 0, k = 0; o < outputs; o++) {
    let sum = 0;
    for (let i = 0; i < inputs; i++) sum += weight[k++] * x[i];
    out[o] += sum;
  }
  return [out, [outputs]];
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

function softmax(logits) {
  const top = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - top));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
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
  return Uint8Array.from(sums, (sum) => Math.min(255, Math.round(sum / scale ** 2)));
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

/** The drawing area: pointer and keyboard put ink on a transparent canvas. */
function board(onInk, onEnd, onClear, describedBy) {
  const canvas = make("canvas", { width: SIZE, height: SIZE, tabindex: 0, role: "application",
    "aria-label": "Drawing area", "aria-describedby": describedBy });
  const cursor = make("span", { class: "cw-cursor" });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { lineCap: "round", lineWidth: BRUSH, strokeStyle: "#fff", shadowColor: "#fff", shadowBlur: 6 });
  let pen = null; // where the pen is while it is down
  let at = [SIZE / 2, SIZE / 2]; // the keyboard's cursor
  let typing = false;
  const draw = (x, y) => {
    context.beginPath();
    context.moveTo(...(pen ?? [x, y]));
    context.lineTo(x, y);
    context.stroke();
    pen = [x, y];
    onInk();
  };
  const lift = () => { if (pen) { pen = null; typing = false; onEnd(); } showCursor(); };
  const showCursor = () => {
    change(cursor, { style: `left:${at[0] / 2.8}%;top:${at[1] / 2.8}%`, class: `cw-cursor${typing ? " cw-down" : ""}` });
  };
  const position = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    lift();
    canvas.setPointerCapture(event.pointerId);
    draw(...position(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pen || typing || !canvas.hasPointerCapture(event.pointerId)) return;
    const parts = event.getCoalescedEvents?.() ?? [];
    for (const part of parts.length ? parts : [event]) draw(...position(part));
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => !typing && lift());
  canvas.addEventListener("blur", lift);
  canvas.addEventListener("keydown", (event) => {
    const step = arrow(event, 3);
    if (step) {
      at = [clamp(at[0] + 10 * step[0], [0, SIZE]), clamp(at[1] - 10 * step[1], [0, SIZE])];
      if (typing) draw(...at);
      showCursor();
    } else if (event.key === " ") {
      event.preventDefault();
      if (event.repeat) return;
      if (typing) lift();
      else { typing = true; draw(...at); showCursor(); }
    } else if (event.key.toLowerCase() === "c" && !event.ctrlKey && !event.metaKey) onClear();
  });
  showCursor();
  return {
    root: make("div", { class: "cw-board" }, canvas, cursor),
    pixels: () => centre(context.getImageData(0, 0, SIZE, SIZE).data),
    /** Replace the drawing by a 28×28 picture, enlarged. */
    show(pixels) {
      const small = make("canvas", { width: 28, height: 28 });
      const image = new ImageData(28, 28);
      pixels.forEach((value, i) => image.data.set([255, 255, 255, value], 4 * i));
      small.getContext("2d").putImageData(image, 0, 0);
      pen = null;
      typing = false;
      showCursor();
      context.clearRect(0, 0, SIZE, SIZE);
      context.save();
      context.shadowBlur = 0;
      context.drawImage(small, 0, 0, SIZE, SIZE);
      context.restore();
    },
  };
}

/** Ten labelled bars. */
function bars() {
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const [fill, share] = [make("span"), make("span", { class: "cw-share" })];
    return { fill, share, root: make("li", {}, make("b", {}, String(digit)), make("span", { class: "cw-bar" }, fill), share) };
  });
  return {
    root: make("ol", { class: "cw-bars", "aria-label": "Probability of each digit" }, ...rows.map((row) => row.root)),
    show(probabilities) {
      const top = Math.max(...probabilities);
      rows.forEach(({ fill, share, root }, digit) => {
        const value = probabilities[digit];
        fill.style.width = `${100 * value}%`;
        share.textContent = value > 0 && value < 0.01 ? "< 1 %" : `${Math.round(100 * value)} %`;
        root.classList.toggle("cw-top", value > 0 && value === top);
      });
    },
  };
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

export default {
  render({ model, el }) {
    const net = network(model);
    const examples = bytes(model.get("examples"));
    const help = `cw-help-${Math.random().toString(36).slice(2)}`;
    let own = false; // whether the change of pixels comes from this view's own drawing
    let current = new Uint8Array(784);
    const set = (pixels) => model.set("pixels", new DataView(Uint8Array.from(pixels).buffer));
    const choose = (pixels) => { set(pixels); model.save_changes(); announce(); };
    const clear = () => choose(new Uint8Array(784));
    const speech = announcer();
    const answer = make("p", { class: "cw-answer" });
    const chart = bars();
    const maps = featureMaps();
    const seen = picture(28, 28);
    change(seen, { role: "img", "aria-label": "What the network sees" });

    const ink = perFrame(() => { own = true; set(area.pixels()); own = false; });
    const area = board(ink, () => { ink.now(); model.save_changes(); announce(); }, clear, help);
    const announce = () => speech.say(answer.textContent);

    function show() {
      const view = model.get("pixels");
      current = view?.byteLength ? bytes(view) : examples.length ? examples.subarray(0, 784) : new Uint8Array(784);
      const { logits, maps: first } = net(current);
      const blank = current.every((value) => !value);
      const probabilities = blank ? logits.map(() => 0) : softmax(logits);
      const best = probabilities.indexOf(Math.max(...probabilities));
      answer.replaceChildren(...(blank ? ["Draw a digit from 0 to 9."] : ["The network says ", make("strong", {}, String(best)), ` (${Math.round(100 * probabilities[best])} %)`]));
      chart.show(probabilities);
      seen.show(Array.from(current, (value) => value / 255));
      if (first) maps.show(first);
      if (!own) area.show(current);
    }

    const button = make("button", { type: "button", class: "cw-button" }, "Clear");
    button.addEventListener("click", clear);
    const choices = exampleButtons(examples, model.get("labels"), choose);
    el.append(make("div", { class: "cw cw-draw", role: "group", "aria-label": "Draw a digit" },
      make("div", { class: "cw-desk" }, area.root,
        make("div", { class: "cw-side" },
          make("figure", { class: "cw-seen" }, seen, make("figcaption", {}, "What the network sees")), button)),
      make("div", { class: "cw-result" }, answer, chart.root),
      make("div", { class: "cw-wide" },
        ...(choices.length ? [make("div", { class: "cw-row" }, make("span", {}, "Test digits"), make("div", { class: "cw-tray" }, ...choices))] : []),
        make("div", { class: "cw-row" }, make("span", {}, "First layer"), maps.root),
        make("p", { class: "cw-help", id: help }, "Draw with mouse, pen or finger. Keyboard: arrow keys move the cursor, ",
          make("kbd", {}, "Space"), " lowers and lifts the pen, ", make("kbd", {}, "C"), " clears.")),
      speech.node));
    el.logits = (pixels) => net(pixels).logits;
    const forget = watch(model, ["pixels"], show);
    show();
    return () => { forget(); ink.cancel(); speech.stop(); delete el.logits; };
  },
};
