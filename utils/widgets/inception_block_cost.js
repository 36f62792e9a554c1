// Inception block: six sliders for channels; the paths drawn as wide as they are, and what they cost.

const SLIDERS = ["1×1 path", "3×3: reduce", "3×3: out", "5×5: reduce", "5×5: out", "Pooling: out"];
const REDUCE = [1, 3]; // which of them are reductions
const PATHS = ["1×1", "3×3", "5×5", "Pooling"];
const [MOST, STEP, SLOT, GAP, HEIGHT] = [384, 4, 17, 6, 330];
const [IN, MIDDLE, OUT, BAR] = [0, 150, 318, 12]; // where the bars stand, and their width
const count = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");
const millions = (value) => value < 50000 ? count(value) : `${format(value / 1e6, 1)} M`;

/** Channels of each path: reduced (null where there is no reduction), and out. */
const paths = ([one, red3, three, red5, five, pool]) => [[null, one], [red3, three], [red5, five], [null, pool]];

/** Weights of each path, with its reduction and without. */
function weights(inside, channels) {
  return paths(channels).map(([reduced, out], i) => {
    const window = [1, 9, 25, 1][i];
    const plain = window * inside * out;
    return [reduced === null ? plain : inside * reduced + window * reduced * out, plain];
  });
}

class BlockFigure {
  constructor(model) {
    this.model = model;
    this.svg = make("svg:svg", { viewBox: `-2 -2 340 ${HEIGHT + 4}`, role: "img" });
    this.sliders = SLIDERS.map((name, i) => slider([name], (value) => {
      put(model, { channels: model.get("channels").map((old, j) => (j === i ? value : old)) });
    }));
    const row = (name) => make("tr", {}, make("th", { scope: "row" }, name), make("td"), make("td"));
    this.rows = [...PATHS, "Weights", "Multiplications"].map(row);
    const head = ["Weights of the path", "reduced", "plain"].map((name) => make("th", { scope: "col" }, name));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...this.rows));
    this.note = make("p", { class: "cw-help" });
    const reset = make("button", { type: "button", class: "cw-button" }, "Start again");
    const first = model.get("channels");
    reset.addEventListener("click", () => put(model, { channels: first }));
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-block", role: "group", "aria-label": "Inception block and its cost" },
      make("div", { class: "cw-columns" }, make("figure", {}, this.svg, this.note),
        make("div", { class: "cw-controls" }, ...this.sliders.map((one) => one.root), table,
          make("div", { class: "cw-buttons" }, reset))),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["channels", "in_channels", "side"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  draw() {
    const [channels, inside, side] = ["channels", "in_channels", "side"].map((name) => this.model.get(name));
    this.sliders.forEach((one, i) => {
      one.limit([STEP, REDUCE.includes(i) ? Math.min(inside, MOST) : MOST], STEP);
      one.show(channels[i], channels[i]);
    });
    const cost = weights(inside, channels);
    const totals = [0, 1].map((k) => cost.reduce((sum, one) => sum + one[k], 0));
    const lines = [...cost.map((one) => one.map(count)), totals.map(count), totals.map((n) => millions(n * side * side))];
    this.rows.forEach((row, i) => lines[i].forEach((text, k) => { row.children[k + 1].textContent = text; }));
    const out = paths(channels).reduce((sum, [, n]) => sum + n, 0);
    this.paint(channels, inside);
    const said = `${out} channels out, ${count(totals[0])} weights, without reductions ${count(totals[1])}`;
    change(this.svg, { "aria-label": `Four paths from ${inside} channels: ${said}` });
    this.note.textContent = `${inside} channels in, ${out} out, ${side} × ${side} places. `
      + `Without reductions ${format(totals[1] / totals[0], 1)} times the work.`;
    this.speech.say(said);
  }

  /** Bars as high as there are channels, and the bands between them. */
  paint(channels, inside) {
    const rows = paths(channels);
    const room = rows.map(([reduced, out]) => Math.max(reduced ?? 0, out));
    const free = HEIGHT - 4 * SLOT - 3 * GAP;
    const unit = Math.min(free / room.reduce((a, b) => a + b), (HEIGHT - 20) / inside, 0.9);
    const middle = HEIGHT / 2;
    const bar = (x, y, n, kind) => make("svg:rect", { class: kind, x, y: y - n * unit / 2, width: BAR, height: n * unit });
    const band = (x, y, n, x2, y2, n2, kind) => make("svg:path", { class: kind, d: `M${x},${y - n * unit / 2}`
      + `L${x2},${y2 - n2 * unit / 2}V${y2 + n2 * unit / 2}L${x},${y + n * unit / 2}Z` });
    const [bands, bars, words] = [[], [bar(IN, middle, inside, "cw-in")], []];
    let top = (free - unit * room.reduce((a, b) => a + b)) / 2;
    rows.forEach(([reduced, out], i) => {
      const y = top + SLOT + room[i] * unit / 2;
      const window = ["1×1", "3×3", "5×5", "1×1"][i];
      if (reduced === null) bands.push(band(IN + BAR, middle, inside, OUT, y, out, "cw-thin"));
      else {
        bands.push(band(IN + BAR, middle, inside, MIDDLE, y, reduced, "cw-thin"),
          band(MIDDLE + BAR, y, reduced, OUT, y, out, "cw-wide"));
        bars.push(bar(MIDDLE, y, reduced, "cw-mid"));
      }
      bars.push(bar(OUT, y, out, "cw-out"));
      const text = reduced === null ? `${i ? "pooling, " : ""}${window} to ${out}` : `1×1 to ${reduced}, ${window} to ${out}`;
      words.push(make("svg:text", { class: "cw-level", x: OUT + BAR, y: top + 13, "text-anchor": "end" }, text));
      top += SLOT + GAP + room[i] * unit;
    });
    this.svg.replaceChildren(...bands, ...bars, ...words);
  }
}

export default {
  render({ model, el }) {
    const figure = new BlockFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
