// A decoder-only Transformer that writes in the page: causal mask, key-value cache, and what a step costs.

const MOST = 20; // as in Python

/** The error function, to 2e-7 (Abramowitz and Stegun, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}
const gelu = (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
const add = (x, y) => x.map((value, i) => value + y[i]);

/** The network. It counts its multiply-adds, and keeps keys and values where it may. */
class Model {
  constructor(sizes, bytes) {
    const [tokens, width, heads, layers] = sizes;
    Object.assign(this, { tokens, width, heads, products: 0, kept: null });
    const numbers = halves(bytes);
    let at = 0;
    const take = (size) => numbers.subarray(at, (at += size));
    const linear = (outputs, inputs) => [take(outputs * inputs), take(outputs)];
    const norm = () => [take(width), take(width)];
    this.embedding = take(tokens * width);
    this.position = take(MOST * width);
    this.layers = Array.from({ length: layers }, () => ({
      project: linear(3 * width, width), out: linear(width, width),
      first: linear(4 * width, width), second: linear(width, 4 * width), norms: [norm(), norm()],
    }));
    this.norm = norm();
  }

  linear(x, [weight, bias]) {
    const y = new Float32Array(weight.length / x.length);
    for (let i = 0; i < y.length; i += 1) {
      let sum = bias ? bias[i] : 0;
      for (let j = 0; j < x.length; j += 1) sum += weight[i * x.length + j] * x[j];
      y[i] = sum;
    }
    this.products += weight.length;
    return y;
  }

  normalize(x, [weight, bias]) {
    const mean = x.reduce((a, b) => a + b) / x.length;
    const spread = Math.sqrt(x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length + 1e-5);
    return x.map((value, i) => ((value - mean) / spread) * weight[i] + bias[i]);
  }

  /** One query on keys and values from `limit` positions; also counts those that the mask shuts, as torch does. */
  attend(query, cache, limit) {
    const [mixed, size] = [new Float32Array(this.width), this.width / this.heads];
    const weights = Array.from({ length: this.heads }, (_, head) => {
      const scores = cache.slice(0, limit).map(({ key }) => {
        let sum = 0;
        for (let j = head * size; j < (head + 1) * size; j += 1) sum += query[j] * key[j];
        return sum / Math.sqrt(size);
      });
      const shares = softmax(scores);
      shares.forEach((share, i) => {
        for (let j = head * size; j < (head + 1) * size; j += 1) mixed[j] += share * cache[i].value[j];
      });
      return shares;
    });
    this.products += 2 * this.width * cache.length;
    return [mixed, weights];
  }

  /** Logits of each position and weights[layer][position][head]. Positions before `start` are read from kept. */
  run(ids, masked, start = 0, kept = null) {
    const { width } = this;
    let rows = ids.slice(start).map((id, i) => this.embedding.subarray(id * width, (id + 1) * width)
      .map((value, j) => value + this.position[(start + i) * width + j]));
    const states = this.layers.map((layer, l) => {
      const projected = rows.map((x) => this.linear(this.normalize(x, layer.norms[0]), layer.project));
      const cache = [...(kept?.states[l].cache.slice(0, start) ?? []),
        ...projected.map((p) => ({ key: p.subarray(width, 2 * width), value: p.subarray(2 * width) }))];
      const read = projected.map((p, i) => this.attend(p, cache, masked ? start + i + 1 : cache.length));
      rows = rows.map((x, i) => {
        const y = add(x, this.linear(read[i][0], layer.out));
        return add(y, this.linear(this.linear(this.normalize(y, layer.norms[1]), layer.first).map(gelu), layer.second));
      });
      return { cache, weights: [...(kept?.states[l].weights.slice(0, start) ?? []), ...read.map(([, w]) => w)] };
    });
    const logits = rows.map((x) => Array.from(this.linear(this.normalize(x, this.norm), [this.embedding])));
    return { ids, masked, states, logits: [...(kept?.logits.slice(0, start) ?? []), ...logits] };
  }

  /** As run, with all that the cache still holds: the positions before the first that is new. */
  step(ids, masked, cached) {
    const { kept } = this;
    let start = 0;
    if (cached && masked && kept?.masked) while (start < ids.length && kept.ids[start] === ids[start]) start += 1;
    this.kept = this.run(ids, masked, start, kept);
    return ids.length - start;
  }
}

const visible = (character) => ({ " ": "\u2423", "\n": "\u21b5" })[character] ?? character;
const spoken = (character) => ({ " ": "space", "\n": "new line" })[character] ?? character;
const commas = (number) => number.toLocaleString("en");

class CacheFigure {
  constructor(model) {
    this.model = model;
    this.ids = new Map(model.get("characters").map((character, i) => [character, i]));
    this.net = new Model(model.get("sizes"), model.get("weights"));
    this.chosen = 0;
    this.build();
    this.draw = perFrame(() => this.show());
    const stop = watch(model, ["text", "previous", "mask", "cache", "view", "history"], this.draw);
    this.stop = () => { stop(); this.draw.cancel(); this.speech.stop(); };
    this.draw.now();
  }

  get(name) { return this.model.get(name); }
  encode(text) { return [...text].map((character) => this.ids.get(character)); }

  build() {
    this.speech = announcer();
    this.next = make("button", { type: "button", class: "cw-button" }, "Next character");
    this.again = make("button", { type: "button", class: "cw-button" }, "Start over");
    this.next.addEventListener("click", () => this.write());
    this.again.addEventListener("click", () => this.restart());
    this.mask = checkbox(["Causal mask"], (on) => this.compute({ mask: on }));
    this.cache = checkbox(["Cache of keys and values"], (on) => this.model.set("cache", on) ?? this.model.save_changes());
    this.cells = Array.from({ length: MOST }, (_, i) => this.cell(i));
    this.guesses = this.cells.map(() => make("span", {}));
    const [, , heads, layers] = this.get("sizes");
    this.rows = Array.from({ length: layers }, () => this.cells.map(() => make("span", {})));
    this.select = make("select", {}, ...this.rows.flatMap((_, l) => Array.from({ length: heads },
      (_, h) => make("option", { value: `${l},${h}` }, `layer ${l + 1}, head ${h + 1}`))));
    this.select.addEventListener("change", () => put(this.model, { view: this.select.value.split(",").map(Number) }));
    this.map = make("svg:svg", { viewBox: `0 0 ${MOST} ${MOST * 0.6}`, role: "img" });
    this.key = make("p", { class: "cw-note cw-key" }, make("span", { class: "cw-new" }), "computed in this step ",
      make("span", { class: "cw-old" }), "read from the cache");
    this.cost = make("tbody");
    this.result = make("p", { class: "cw-note" });
    const line = (name, cells) => [make("p", { class: "cw-name" }, ...name), make("div", { class: "cw-line" }, ...cells)];
    this.root = make("div", { class: "cw cw-causal" },
      make("div", { class: "cw-top-row" }, make("div", { class: "cw-buttons" }, this.next, this.again),
        this.mask.root, this.cache.root),
      ...line(["Text ", make("small", {}, "choose a character and type another")], this.cells),
      ...line(["Most probable next character"], this.guesses),
      this.result,
      ...this.rows.flatMap((row, l) => line([`Keys and values, layer ${l + 1}`], row)),
      this.key,
      make("p", { class: "cw-name" }, make("label", {}, "Attention of ", this.select), make("small", {}, " grey rows are from earlier steps")), this.map,
      make("table", {}, make("thead", {}, make("tr", {}, ...["Multiply-adds", "this step", "since the start"]
        .map((text) => make("th", { scope: "col" }, text)))), this.cost),
      this.speech.node);
  }

  cell(i) {
    const input = make("input", { type: "text", maxlength: 2, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
    input.addEventListener("focus", () => { this.chosen = i; this.roving(); input.select(); });
    input.addEventListener("input", () => {
      const typed = [...plain(input.value)].filter((c) => c !== visible(this.get("text")[i])).pop();
      this.replace(i, typed === "\u2423" ? " " : typed);
      input.value = visible(this.get("text")[i]);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.write(); return; }
      const [x] = arrow(event, 1) ?? [];
      if (x) this.cells[clamp(i + x, [0, this.get("text").length - 1])].focus();
    });
    return input;
  }

  /** One of the cells can be reached by Tab, the others by arrow keys. */
  roving() {
    this.chosen = Math.min(this.chosen, this.get("text").length - 1);
    this.cells.forEach((cell, i) => { cell.tabIndex = i === this.chosen ? 0 : -1; });
  }

  /** Take over changed traits and let the model read the text, from where its cache allows. */
  compute(changes) {
    const now = (name) => changes[name] ?? this.get(name);
    const ids = this.encode(now("text"));
    const fresh = this.net.step(ids, now("mask"), this.get("cache"));
    const before = changes.restart ? [] : this.get("history");
    delete changes.restart;
    put(this.model, { ...changes, history: [...before, [fresh, ids.length]] });
    this.draw.now();
  }

  replace(i, character) {
    const text = this.get("text");
    if (!this.ids.has(character) || character === text[i]) return;
    this.compute({ previous: text, text: text.slice(0, i) + character + text.slice(i + 1) });
    const fresh = this.get("history").at(-1)[0];
    this.speech.say(`${this.result.textContent} ${fresh} of ${text.length} positions computed.`);
  }

  write() {
    const text = this.get("text");
    if (text.length >= MOST) return;
    this.sync();
    const character = this.get("characters")[this.best(this.net.kept.logits.at(-1))];
    this.compute({ previous: "", text: text + character });
    const [fresh, total] = this.get("history").at(-1);
    this.speech.say(`${spoken(character)}. ${fresh} of ${total} positions computed.`);
  }

  restart() {
    this.net.kept = null;
    this.compute({ text: this.get("prompt"), previous: "", restart: true });
    this.speech.say("Started over");
  }

  best(logits) { return logits.indexOf(Math.max(...logits)); }

  /** Bring this view's own network to the state that the traits tell of. */
  sync() {
    const [ids, masked] = [this.encode(this.get("text")), this.get("mask")];
    const { kept } = this.net;
    if (!kept || kept.masked !== masked || String(kept.ids) !== String(ids)) this.net.step(ids, masked, true);
  }

  /** How far each prediction moved with the last edit: half the sum of absolute differences of probabilities. */
  moved() {
    const [text, before] = [this.get("text"), this.get("previous")];
    if (before.length !== text.length) return null;
    const old = this.net.run(this.encode(before), this.get("mask")).logits.map(softmax);
    return this.net.kept.logits.map((logits, i) => softmax(logits).reduce((sum, p, j) => sum + Math.abs(p - old[i][j]) / 2, 0));
  }

  show() {
    this.sync();
    const [text, characters] = [this.get("text"), this.get("characters")];
    const [moved, count] = [this.moved(), text.length];
    const steps = this.get("history");
    const [fresh, total] = steps.at(-1) ?? [count, count];
    const start = total === count ? count - fresh : 0;
    this.cells.forEach((cell, i) => {
      cell.hidden = i >= count;
      if (i >= count) return;
      cell.value = visible(text[i]);
      change(cell, { "aria-label": `Character ${i + 1} of ${count}` });
      cell.classList.toggle("cw-edited", moved !== null && text[i] !== this.get("previous")[i]);
    });
    this.roving();
    this.guesses.forEach((node, i) => {
      const shift = moved?.[i] ?? 0;
      node.textContent = i < count ? visible(characters[this.best(this.net.kept.logits[i])]) : "";
      node.className = i >= count ? "" : shift > 1e-6 ? "cw-moved" : "cw-still";
      node.style.setProperty("--cw-shift", `${Math.round(15 + 55 * shift)}%`);
    });
    for (const row of this.rows) row.forEach((node, i) => { node.className = i >= count ? "" : i >= start ? "cw-new" : "cw-old"; });
    const changed = moved?.map((shift, i) => (shift > 1e-6 ? i + 1 : 0)).filter(Boolean) ?? [];
    this.result.textContent = moved === null
      ? "Replace a character to see which predictions depend on it."
      : `The edit changes ${changed.length} of ${count} predictions${changed.length ? `, the first at character ${changed[0]}` : ""}.`;
    this.showMap(count, start);
    this.showCost(steps.length ? steps : [[count, count]]);
    change(this.next, { "aria-disabled": count >= MOST && "true" });
    this.mask.input.checked = this.get("mask");
    this.cache.input.checked = this.get("cache");
  }

  showMap(count, start) {
    const [layer, head] = this.get("view");
    this.select.value = `${layer},${head}`;
    const marks = [];
    for (let i = 0; i < count; i += 1) {
      const row = this.net.kept.states[layer].weights[i][head];
      for (let j = 0; j < count; j += 1) {
        const shut = j >= row.length;
        marks.push(make("svg:rect", { x: j + 0.04, y: 0.6 * i + 0.04, width: 0.92, height: 0.52,
          class: shut ? "cw-shut" : i >= start ? "cw-weight" : "cw-weight cw-past",
          "fill-opacity": shut ? false : (0.05 + 0.95 * row[j]).toFixed(3) }));
      }
    }
    change(this.map, { viewBox: `0 0 ${MOST} ${(0.6 * count).toFixed(1)}`,
      "aria-label": `Attention weights, a row for each of ${count} queries; ${this.get("mask") ? "nothing right of the diagonal" : "all keys are read"}` });
    this.map.replaceChildren(...marks);
  }

  showCost(steps) {
    const [tokens, width, , layers] = this.get("sizes");
    const position = 12 * layers * width ** 2 + width * tokens;
    const cost = ([fresh, total]) => fresh * (position + 2 * layers * width * total);
    const row = (name, list) => make("tr", {}, make("th", { scope: "row" }, name),
      make("td", {}, commas(cost(list.at(-1)))), make("td", {}, commas(list.reduce((sum, step) => sum + cost(step), 0))));
    this.cost.replaceChildren(row("made here", steps), row("if every step read all anew", steps.map(([, total]) => [total, total])));
  }
}

export default {
  render({ model, el }) {
    const figure = new CacheFigure(model);
    el.append(figure.root);
    // For tests: logits, weights and the products counted, for any text.
    el.probe = (text, masked, start = 0) => {
      const [net, ids] = [figure.net, figure.encode(text)];
      const kept = start ? net.run(ids.slice(0, start), masked) : null;
      net.products = 0;
      const { logits, states } = net.run(ids, masked, start, kept);
      return { logits, weights: states.map(({ weights }) => weights), products: net.products };
    };
    return figure.stop;
  },
};
