// Attention heads: a trained network of attention layers, run on a text that the reader types.

/** x times the transpose of a (rows, columns) matrix, plus a bias: x has columns numbers. */
function linear({ rows, columns, weight, bias }, x) {
  return Float32Array.from({ length: rows }, (_, r) => {
    let sum = bias[r];
    for (let c = 0; c < columns; c++) sum += weight[r * columns + c] * x[c];
    return sum;
  });
}

/** A function from ids to logits (n of them) and weights[layer][head][reader][read]. */
function network(model) {
  const { width, heads, layers } = model.get("sizes");
  const tokens = [...model.get("letters")].length;
  const numbers = halves(model.get("weights"));
  let at = 0;
  const take = (count) => numbers.subarray(at, (at += count));
  const load = (rows, columns) => ({ rows, columns, weight: take(rows * columns), bias: take(rows) });
  const embedding = take(tokens * width);
  const parts = Array.from({ length: layers }, () => [load(3 * width, width), load(width, width)]);
  const output = load(tokens, width);
  const size = width / heads;
  const place = (p, c) => {
    const angle = p * 10000 ** (-(c - (c % 2)) / width);
    return c % 2 ? Math.cos(angle) : Math.sin(angle);
  };
  return (ids, { causal, positions }) => {
    let x = ids.map((id, p) => Float32Array.from({ length: width }, (_, c) =>
      embedding[id * width + c] + (positions ? place(p, c) : 0)));
    const seen = parts.map(([project, mix]) => {
      const all = x.map((row) => linear(project, row)); // query, key and value of every head
      const found = x.map(() => new Float32Array(width));
      const weights = Array.from({ length: heads }, (_, h) => all.map((reader, p) => {
        const scores = all.slice(0, causal ? p + 1 : all.length).map((read) => {
          let sum = 0;
          for (let c = h * size; c < (h + 1) * size; c++) sum += reader[c] * read[width + c];
          return sum / Math.sqrt(size);
        });
        const row = softmax(scores);
        row.forEach((weight, q) => {
          for (let c = h * size; c < (h + 1) * size; c++) found[p][c] += weight * all[q][2 * width + c];
        });
        return all.map((_, q) => row[q] ?? 0);
      }));
      x = x.map((row, p) => linear(mix, found[p]).map((value, c) => value + row[c]));
      return weights;
    });
    return { logits: x.map((row) => Array.from(linear(output, row))), weights: seen };
  };
}

const shown = (letter) => ({ " ": "\u2423", "\n": "\u21b5" })[letter] ?? letter;
const spoken = (letter) => ({ " ": "space", "\n": "line end", ",": "comma", ".": "full stop", "'": "apostrophe" })[letter] ?? letter;

/** A square picture of one head: dark where much is read. */
function thumbnail(onChoose) {
  const canvas = make("canvas", { "aria-hidden": "true" });
  const input = make("input", { type: "radio" });
  const root = make("label", { class: "cw-map" }, input, canvas);
  input.addEventListener("change", onChoose);
  return {
    root, input,
    show(table, chosen, ink) {
      const n = table.length;
      if (canvas.width !== n) change(canvas, { width: n, height: n });
      const context = canvas.getContext("2d");
      const image = context.createImageData(n, n);
      table.forEach((row, p) => row.forEach((weight, q) => {
        const faint = p === chosen ? 40 : 0; // the row of the chosen letter stands on a stripe
        image.data.set([...ink, Math.max(faint, 255 * Math.sqrt(weight))], 4 * (p * n + q));
      }));
      context.putImageData(image, 0, 0);
    },
  };
}

class HeadsFigure {
  constructor(model) {
    this.model = model;
    this.net = network(model);
    this.letters = [...model.get("letters")];
    this.speech = announcer();
    this.root = this.layout();
    this.draw = perFrame(() => this.show());
    const forget = watch(model, ["text", "chosen", "layer", "head", "causal", "positions"], this.draw);
    this.themes = new MutationObserver(this.draw);
    for (const node of [document.documentElement, document.body]) { // the book and Colab; JupyterLab and VS Code
      this.themes.observe(node, { attributeFilter: ["data-theme", "theme", "class", "data-jp-theme-light"] });
    }
    this.stop = () => { forget(); this.themes.disconnect(); this.draw.cancel(); this.speech.stop(); };
    this.show();
  }

  get(name) { return this.model.get(name); }

  layout() {
    const { heads, layers } = this.get("sizes");
    this.input = make("input", { type: "text", maxlength: this.get("longest"), spellcheck: "false", autocomplete: "off", autocapitalize: "none" });
    this.input.addEventListener("input", () => this.type());
    this.input.addEventListener("blur", () => { this.input.value = this.get("text"); });
    this.switches = { causal: "causal mask", positions: "positions" };
    for (const [name, label] of Object.entries(this.switches)) {
      this.switches[name] = checkbox([label], (on) => { put(this.model, { [name]: on }); this.announce(); });
    }
    this.line = make("div", { class: "cw-letters", role: "radiogroup", "aria-label": "Letter that reads" });
    this.line.addEventListener("keydown", (event) => this.walk(event));
    const group = `cw-heads-${Math.random().toString(36).slice(2)}`;
    this.maps = Array.from({ length: layers }, (_, layer) => Array.from({ length: heads }, (_, head) => {
      const map = thumbnail(() => { put(this.model, { layer, head }); this.announce(); });
      change(map.input, { name: group, "aria-label": `Layer ${layer + 1}, head ${head + 1}` });
      return map;
    }));
    const rows = this.maps.map((row, layer) => make("div", { class: "cw-maps" },
      make("span", {}, `layer ${layer + 1}`), ...row.map(({ root }) => root)));
    this.reads = make("p");
    this.bars = make("ol", { class: "cw-next", "aria-label": "Most probable next letters" });
    return make("div", { class: "cw cw-attention", role: "group", "aria-label": "What the heads of a trained network read" },
      make("div", { class: "cw-typed" }, make("label", {}, make("span", {}, "Text"), this.input),
        ...Object.values(this.switches).map(({ root }) => root)),
      this.line,
      make("div", { class: "cw-columns" },
        make("div", { role: "radiogroup", "aria-label": "Head" }, ...rows),
        make("div", { class: "cw-said" }, this.reads, make("p", { class: "cw-help" }, "Next letter, says the network:"), this.bars)),
      make("p", { class: "cw-help" }, "Point at a letter, or tap it; with the keyboard, the arrow keys. The stronger the colour of a letter, the more it is read. Squares: all heads, a row for each letter that reads, a column for each that is read."),
      this.speech.node);
  }

  /** Take over what was typed: lower case, and only letters that the network knows. */
  type() {
    const text = [...plain(this.input.value).toLowerCase()].filter((letter) => this.letters.includes(letter)).join("");
    if (!text) return;
    put(this.model, { chosen: text.length - 1, text: text.slice(0, this.get("longest")) });
    this.announce();
  }

  choose(chosen) {
    if (chosen === this.get("chosen")) return;
    put(this.model, { chosen });
    this.announce();
  }

  walk(event) {
    const step = arrow(event, 5);
    const last = this.get("text").length - 1;
    const to = { Home: 0, End: last }[event.key] ?? (step && clamp(this.get("chosen") + step[0] - step[1], [0, last]));
    if (to === null || to === undefined) return;
    event.preventDefault();
    this.choose(to);
    this.draw.now();
    this.line.children[to].focus();
  }

  /** One button a letter; they stay as they are while only the weights change. */
  spell(text) {
    if (this.spelled === text) return;
    this.spelled = text;
    this.line.replaceChildren(...[...text].map((letter, p) => {
      const button = make("button", { type: "button", role: "radio", "aria-label": `${p + 1}: ${spoken(letter)}` }, make("span", {}, shown(letter)));
      for (const name of ["click", "pointerenter"]) {
        button.addEventListener(name, (event) => { if (name === "click" || event.pointerType === "mouse") this.choose(p); });
      }
      return button;
    }));
  }

  announce() { this.draw.now(); this.speech.say(this.reads.textContent); }

  show() {
    const [text, layer, head] = ["text", "layer", "head"].map((name) => this.get(name));
    const chosen = Math.min(this.get("chosen"), text.length - 1);
    const state = { causal: this.get("causal"), positions: this.get("positions") };
    const key = text + state.causal + state.positions;
    if (this.key !== key) this.result = this.net([...text].map((letter) => this.letters.indexOf(letter)), state);
    this.key = key;
    const { logits, weights } = this.result;
    for (const [name, on] of Object.entries(state)) this.switches[name].input.checked = on;
    if (document.activeElement !== this.input) this.input.value = text;
    this.spell(text);
    const row = weights[layer][head][chosen];
    [...this.line.children].forEach((button, p) => {
      button.style.setProperty("--cw-weight", `${(100 * Math.sqrt(row[p])).toFixed(1)}%`);
      button.classList.toggle("cw-strong", row[p] > 0.36);
      change(button, { "aria-checked": String(p === chosen), tabindex: p === chosen ? 0 : -1 });
    });
    const ink = getComputedStyle(this.root).getPropertyValue("--cw-model").match(/[\da-f]{2}/g)?.map((two) => parseInt(two, 16)) ?? [128, 128, 128];
    this.maps.forEach((maps, i) => maps.forEach((map, j) => {
      map.input.checked = i === layer && j === head;
      map.show(weights[i][j], chosen, ink);
    }));
    this.say(text, chosen, row, layer, head);
    const shares = softmax(logits[chosen]);
    const best = shares.map((share, id) => [share, id]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    this.bars.replaceChildren(...best.map(([share, id]) => {
      const fill = make("span");
      fill.style.width = `${100 * share}%`;
      return make("li", { class: share === best[0][0] ? "cw-top" : "" }, make("b", {}, shown(this.letters[id])),
        make("span", { class: "cw-bar" }, fill), make("span", { class: "cw-share" }, percent(share)));
    }));
  }

  say(text, chosen, row, layer, head) {
    const top = row.map((weight, p) => [weight, p]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(([weight]) => weight >= 0.01);
    const name = (p) => [make("b", {}, shown(text[p])), make("span", { class: "cw-hidden" }, ` (${spoken(text[p])})`), ` at ${p + 1}`];
    this.reads.replaceChildren(`Layer ${layer + 1}, head ${head + 1}: letter `, ...name(chosen), " reads ",
      ...top.flatMap(([weight, p], i) => [i ? ", " : "", ...name(p), ` (${percent(weight)})`]), ".");
  }
}

export default {
  render({ model, el }) {
    const figure = new HeadsFigure(model);
    el.append(figure.root);
    figure.draw(); // now that the theme's colours are known
    el.compute = () => figure.result; // for tests
    return () => { figure.stop(); delete el.compute; };
  },
};
