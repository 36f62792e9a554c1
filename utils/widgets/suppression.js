// Non-maximum suppression on real detections: two thresholds, and what is kept, found and missed.

const OVERLAP = 0.5; // from this IoU on an object is found
const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

function iou(a, b) {
  const [w, h] = [0, 1].map((i) => Math.max(0, Math.min(a[i + 2], b[i + 2]) - Math.max(a[i], b[i])));
  const union = area(a) + area(b) - w * h;
  return union > 0 ? (w * h) / union : 0;
}

/** Of boxes in falling order of score, those that overlap no better kept one by more than the threshold. */
function suppress(boxes, threshold) {
  const kept = [];
  boxes.forEach((box, i) => { if (kept.every((k) => iou(boxes[k], box) <= threshold)) kept.push(i); });
  return kept;
}

/** Which of the boxes find an object that no better one has found. */
function hits(boxes, truth) {
  const free = new Set(truth.keys());
  return boxes.map((box) => {
    const [best] = [...free].sort((i, j) => iou(box, truth[j]) - iou(box, truth[i]) || i - j);
    return best !== undefined && iou(box, truth[best]) >= OVERLAP && free.delete(best);
  });
}

class SuppressionFigure {
  constructor(model) {
    this.model = model;
    this.picture = make("div");
    const control = (name, trait) => slider([name], (value) => put(model, { [trait]: value / 100 }));
    this.controls = { score: control("Least score", "score"), threshold: control("NMS threshold", "threshold") };
    this.controls.score.limit([5, 95], 5);
    this.controls.threshold.limit([0, 100], 5);
    this.cells = {};
    const row = (key, name) => make("tr", {}, make("th", { scope: "row" }, name), this.cells[key] = make("td"));
    const table = make("table", {}, make("tbody", {}, row("before", "Boxes of this score"), row("kept", "Kept"),
      row("found", "Digits found"), row("false", "False alarms")));
    const step = (by) => {
      const count = model.get("detections").length;
      put(model, { chosen: (model.get("chosen") + by + count) % count });
    };
    const button = (text, by) => {
      const node = make("button", { type: "button", class: "cw-button" }, text);
      node.addEventListener("click", () => step(by));
      return node;
    };
    this.title = make("figcaption");
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-nms", role: "group", "aria-label": "Non-maximum suppression" },
      make("div", { class: "cw-columns" },
        make("figure", {}, this.title, this.picture),
        make("div", { class: "cw-controls" }, ...Object.values(this.controls).map(({ root }) => root), table,
          make("p", { class: "cw-help" }, "Solid: kept and right. Dashed: kept, a false alarm. Thin: dropped by NMS. White: the digits' own boxes."),
          make("div", { class: "cw-buttons" }, button("Previous", -1), button("Next picture", 1)))),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["chosen", "score", "threshold"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  /** The picture number i, as the address of an image. */
  pixels(i) {
    const side = this.model.get("side");
    const view = this.model.get("pictures");
    const bytes = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength).subarray(3 * i * side * side);
    const canvas = make("canvas", { width: side, height: side });
    const image = new ImageData(side, side);
    for (let k = 0; k < side * side; k++) image.data.set([...bytes.subarray(3 * k, 3 * k + 3), 255], 4 * k);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas.toDataURL();
  }

  draw() {
    const [chosen, score, threshold, side] = ["chosen", "score", "threshold", "side"].map((name) => this.model.get(name));
    const truth = this.model.get("truths")[chosen];
    const boxes = this.model.get("detections")[chosen].filter((box) => box[4] >= score - 1e-9);
    const kept = suppress(boxes, threshold);
    const right = hits(kept.map((i) => boxes[i]), truth);
    const kind = new Map(kept.map((i, k) => [i, right[k] ? "cw-right" : "cw-wrong"]));
    const rect = ([x1, y1, x2, y2], name) => make("svg:rect", { class: name, x: x1, y: y1, width: x2 - x1, height: y2 - y1 });
    const svg = make("svg:svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": `Picture ${chosen + 1} with its boxes` },
      make("svg:image", { href: this.pixels(chosen), width: side, height: side }),
      ...truth.map((box) => rect(box, "cw-true")),
      ...boxes.map((box, i) => [kind.get(i) ?? "cw-dropped", box]).sort(([a], [b]) => (a === "cw-dropped" ? -1 : b === "cw-dropped" ? 1 : 0))
        .map(([name, box]) => rect(box, name)));
    this.picture.replaceChildren(svg);
    const found = right.filter(Boolean).length;
    const texts = { before: boxes.length, kept: kept.length, found: `${found} of ${truth.length}`, false: kept.length - found };
    for (const [key, text] of Object.entries(texts)) this.cells[key].textContent = text;
    this.title.textContent = `Picture ${chosen + 1} of ${this.model.get("detections").length}`;
    for (const [name, value] of [["score", score], ["threshold", threshold]]) {
      this.controls[name].show(Math.round(100 * value), format(value, 2));
      change(this.controls[name].input, { "aria-valuetext": format(value, 2) });
    }
    this.root.state = { kept: kept.map((i) => boxes[i]), right };
    this.speech.say(`${kept.length} of ${boxes.length} boxes kept, ${found} of ${truth.length} digits found, ${kept.length - found} false alarms.`);
  }
}

export default {
  render({ model, el }) {
    const figure = new SuppressionFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
