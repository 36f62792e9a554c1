// Two boxes: move and resize them, and read off intersection, union and IoU.

const SIDE = 64; // pixels of the picture in which the boxes lie
const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

/** The common part of two boxes, its sides and area, the area of the union, and their ratio. */
function overlap(a, b) {
  const common = [0, 1].map((i) => Math.max(a[i], b[i])).concat([2, 3].map((i) => Math.min(a[i], b[i])));
  const [w, h] = [0, 1].map((i) => Math.max(0, common[i + 2] - common[i]));
  const union = area(a) + area(b) - w * h;
  return { common, w, h, inter: w * h, union, iou: union > 0 ? (w * h) / union : 0 };
}

/** A square of pixels with y downwards, as far as handle() needs it. */
function plane() {
  const [left, top, size] = [26, 22, 290];
  const [x, y] = [left, top].map((edge) => (value) => edge + (value / SIDE) * size);
  const [atX, atY] = [left, top].map((edge) => (place) => ((place - edge) / size) * SIDE);
  const svg = make("svg:svg", { viewBox: "0 0 326 320", role: "group", "aria-label": "Two boxes" });
  const inside = make("svg:svg", { x: left, y: top, width: size, height: size, viewBox: `${left} ${top} ${size} ${size}` });
  inside.append(make("svg:rect", { class: "cw-ground", x: left, y: top, width: size, height: size }));
  for (let i = 0; i <= SIDE; i += 8) {
    inside.append(make("svg:line", { class: "cw-grid", x1: x(i), x2: x(i), y1: top, y2: top + size }),
      make("svg:line", { class: "cw-grid", y1: y(i), y2: y(i), x1: left, x2: left + size }));
    if (i % 16 === 0) {
      svg.append(make("svg:text", { x: x(i), y: top - 7, "text-anchor": "middle" }, String(i)),
        make("svg:text", { x: left - 6, y: y(i) + 4.5, "text-anchor": "end" }, i ? String(i) : ""));
    }
  }
  svg.append(inside);
  return { svg, inside, x, y, atX, atY };
}

class OverlapFigure {
  constructor(model) {
    this.model = model;
    this.where = plane();
    this.rects = ["a", "b", "common"].map((name) => make("svg:rect", { class: `cw-box cw-box-${name}` }));
    this.names = ["A", "B"].map((name) => make("svg:text", { class: "cw-axis", "text-anchor": "middle" }, name));
    this.where.inside.append(this.rects[2], this.rects[0], this.rects[1], ...this.names);
    this.corners = ["first", "second"].map((trait, i) => this.handles(trait, "AB"[i]));
    this.cells = {};
    const row = (key, name) => make("tr", {}, make("th", { scope: "row" }, name), this.cells[key] = make("td"));
    const table = make("table", {}, make("tbody", {}, row("a", "Box A"), row("b", "Box B"), row("inter", "Intersection"),
      row("union", "Union"), row("iou", "IoU")));
    this.note = make("p", { class: "cw-note" });
    this.reset = make("button", { type: "button", class: "cw-button" }, "Start again");
    const start = { first: model.get("first"), second: model.get("second") };
    this.reset.addEventListener("click", () => put(model, start));
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-overlap", role: "group", "aria-label": "Overlap of two boxes" },
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "Two boxes in a picture of 64 × 64 pixels"), this.where.svg),
        make("div", { class: "cw-controls" }, table, this.note,
          make("p", { class: "cw-help" }, "Drag the upper left corner of a box to move it, the lower right corner to resize it; or use ",
            make("kbd", {}, "Tab"), " and the arrow keys (with ", make("kbd", {}, "Shift"), " ten pixels)."),
          make("div", { class: "cw-buttons" }, this.reset))),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["first", "second"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  /** The corner that moves a box and the corner that resizes it. */
  handles(trait, name) {
    const set = (box) => put(this.model, { [trait]: box.map(Math.round) });
    const to = (x, y) => {
      const [x1, y1, x2, y2] = this.model.get(trait);
      const [left, top] = [clamp(Math.round(x), [0, SIDE - x2 + x1]), clamp(Math.round(y), [0, SIDE - y2 + y1])];
      set([left, top, left + x2 - x1, top + y2 - y1]);
    };
    const size = (x, y) => {
      const [x1, y1] = this.model.get(trait);
      set([x1, y1, clamp(x, [x1, SIDE]), clamp(y, [y1, SIDE])]);
    };
    const nudge = (move, i) => (dx, dy) => {
      const box = this.model.get(trait);
      move(box[i] + dx, box[i + 1] - dy);
    };
    const kinds = [["Place", to, 0], ["Size", size, 2]];
    return kinds.map(([what, move, i]) => {
      const corner = handle(this.where, `${what} of box ${name}`, { move, nudge: nudge(move, i) });
      corner.node.classList.add(`cw-corner-${name.toLowerCase()}`);
      return corner;
    });
  }

  draw() {
    const [a, b] = [this.model.get("first"), this.model.get("second")];
    const found = overlap(a, b);
    const { x, y } = this.where;
    const place = (node, [x1, y1, x2, y2]) => change(node, { x: x(x1), y: y(y1), width: Math.max(0, x(x2) - x(x1)), height: Math.max(0, y(y2) - y(y1)) });
    [a, b, found.common].forEach((box, i) => place(this.rects[i], box));
    this.rects[2].style.display = found.inter ? "" : "none";
    [a, b].forEach(([x1, y1, x2, y2], i) => {
      change(this.names[i], { x: x(i ? x2 : x1) + (i ? -12 : 14), y: i ? y(y1) + 17 : y(y2) - 7 });
      const [corner, opposite] = this.corners[i];
      corner.show(x1, y1, x1, [0, SIDE], `${x1} from the left, ${y1} from the top`);
      opposite.show(x2, y2, x2 - x1, [0, SIDE], `${x2 - x1} wide, ${y2 - y1} high`);
    });
    this.show(a, b, found);
  }

  show(a, b, found) {
    const product = (w, h) => `${w} × ${h} = ${w * h}`;
    const { inter, union, iou } = found;
    const texts = {
      a: product(a[2] - a[0], a[3] - a[1]), b: product(b[2] - b[0], b[3] - b[1]), inter: product(found.w, found.h),
      union: `${area(a)} + ${area(b)} \u2212 ${inter} = ${union}`, iou: union ? `${inter} / ${union} = ${format(iou, 3)}` : "0 by agreement",
    };
    for (const [key, text] of Object.entries(texts)) this.cells[key].textContent = text;
    const [across, down] = [0, 1].map((i) => found.common[i + 2] - found.common[i]);
    this.note.textContent = inter ? (iou >= 0.5 ? "At the usual threshold of 0.5, one would count as having found the other."
      : "Below the usual threshold of 0.5.") : across >= 0 && down >= 0 ? "They touch: what they have in common has no area." : "They are apart.";
    this.root.found = found;
    this.speech.say(`Intersection ${inter}, union ${union}, IoU ${format(iou, 3)}. ${this.note.textContent}`);
  }
}

export default {
  render({ model, el }) {
    const figure = new OverlapFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
