// Hidden state: a small recurrent network reads what is typed; its units over time, what it expects next.

const [CELL, ROW, TOP] = [11, 6, 31]; // width and height of a cell, height of the line of characters and its strip
const LONGEST = 60;
const SHOWN = 7; // characters in the chart
const visible = (character) => (character === " " ? "\u2423" : character);
const inWords = (character) => (character === " " ? "space" : character);

/** A function from a text and a cut to the states and the next character's probabilities at each place. */
function network(model) {
  const [names, width, hidden] = ["characters", "width", "hidden_size"].map((name) => model.get(name));
  const characters = [...names];
  const weights = halves(model.get("weights"));
  let at = 0;
  const take = (rows, columns) => Array.from({ length: rows }, () => weights.subarray(at, (at += columns)));
  const [table, fromInput, fromState] = [take(characters.length, width), take(hidden, width), take(hidden, hidden)];
  const [[bias], [second], output, [last]] = [take(1, hidden), take(1, hidden), take(characters.length, hidden), take(1, characters.length)];
  const dot = (u, v) => u.reduce((sum, value, i) => sum + value * v[i], 0);
  const inputs = table.map((row) => fromInput.map((w, i) => dot(w, row) + bias[i] + second[i]));
  return (text, cut) => {
    let state = new Float64Array(hidden);
    return [...text].map((character, t) => {
      if (t === cut) state = new Float64Array(hidden);
      const input = inputs[characters.indexOf(character)];
      state = Float64Array.from(input, (value, i) => Math.tanh(value + dot(fromState[i], state)));
      return { state, next: softmax(output.map((w, k) => dot(w, state) + last[k])) };
    });
  };
}

/** Bits that the characters from `first` on cost on average, each predicted at the place before it. */
function price(places, ids, first) {
  const costs = ids.map((id, t) => (t ? -Math.log2(places[t - 1].next[id]) : 0)).slice(first);
  return costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
}

class StateFigure {
  constructor(model) {
    this.model = model;
    this.net = network(model);
    this.characters = [...model.get("characters")];
    this.units = model.get("hidden_size");
    this.speech = announcer();
    const draw = perFrame(() => this.draw());
    this.build();
    const forget = watch(model, ["text", "position", "unit", "cut"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    const shown = requestAnimationFrame(() => this.follow()); // before that the map has no width
    const { stop } = this;
    this.stop = () => { stop(); cancelAnimationFrame(shown); };
    this.speech.stop(); // nothing to announce before the reader does something
  }

  get(name) { return this.model.get(name); }

  build() {
    this.input = make("input", { type: "text", maxlength: LONGEST, spellcheck: "false", autocomplete: "off", autocapitalize: "none" });
    this.input.addEventListener("input", () => this.type());
    this.input.addEventListener("blur", () => { this.input.value = this.get("text"); });
    this.map = make("svg:svg", { class: "cw-map", "aria-hidden": "true" });
    this.map.addEventListener("click", (event) => this.choose(event));
    this.scroll = make("div", { class: "cw-scroll", tabindex: 0, role: "group", "aria-label": "Map of the state" }, this.map);
    this.scroll.addEventListener("keydown", (event) => {
      const step = arrow(event);
      if (step) this.go(this.get("position") + step[0], this.get("unit") - step[1]);
    });
    this.place = slider(["Character"], (value) => this.go(value - 1));
    this.which = slider(["Unit"], (value) => this.go(this.get("position"), value - 1));
    this.which.limit([1, this.units], 1);
    this.cut = make("button", { type: "button", class: "cw-button" });
    this.cut.addEventListener("click", () => put(this.model, { cut: this.get("cut") ? 0 : this.get("position") }));
    this.reaction = make("p", { class: "cw-note" });
    this.cost = make("p", { class: "cw-note" });
    this.after = make("figcaption");
    this.chart = make("ol", { class: "cw-next" });
    this.typed = make("p", { class: "cw-note" });
    const legend = make("span", { class: "cw-legend" }, "\u22121", make("span", { class: "cw-ramp" }), "+1");
    this.root = make("div", { class: "cw cw-state", role: "group", "aria-label": "Hidden state over a text" },
      make("label", { class: "cw-text" }, make("span", {}, "Text"), this.input),
      make("figure", {}, make("figcaption", {}, `State of ${this.units} units after each character `, legend), this.scroll),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, this.place.root, this.which.root, make("div", {}, this.cut), this.reaction, this.cost),
        make("figure", {}, this.after, this.chart, this.typed)),
      this.speech.node);
  }

  /** What is typed, in lower case and without what the network does not know. */
  type() {
    const text = [...plain(this.input.value).toLowerCase()].filter((c) => this.characters.includes(c)).slice(0, LONGEST).join("");
    if (!text) return;
    const end = text.length - 1;
    const cut = this.get("cut") <= end ? this.get("cut") : 0;
    put(this.model, { text, position: end, cut });
  }

  go(position, unit = this.get("unit")) {
    put(this.model, { position: clamp(position, [0, this.get("text").length - 1]), unit: clamp(unit, [0, this.units - 1]) });
  }

  choose(event) {
    const box = this.map.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    this.go(Math.floor(x / CELL), y < TOP ? this.get("unit") : Math.floor((y - TOP) / ROW));
  }

  draw() {
    const [text, unit, cut] = ["text", "unit", "cut"].map((name) => this.get(name));
    const position = Math.min(this.get("position"), text.length - 1);
    const ids = [...text].map((c) => this.characters.indexOf(c));
    const whole = this.net(text, 0);
    const places = cut ? this.net(text, cut) : whole;
    if (document.activeElement !== this.input || !this.input.value) this.input.value = text;
    this.drawMap(text, places, position, unit, cut);
    this.place.limit([1, text.length], 1);
    this.place.show(position + 1, `${position + 1} ${visible(text[position])}`);
    this.which.show(unit + 1, `${unit + 1}`);
    change(this.place.input, { "aria-valuetext": `${position + 1}, ${inWords(text[position])}` });
    this.cut.textContent = cut ? `Remember what came before \u201c${visible(text[cut])}\u201d again` : `Forget all before \u201c${visible(text[position])}\u201d`;
    change(this.cut, { "aria-disabled": !cut && !position ? "true" : false });
    this.drawReaction(places, position, unit, cut);
    this.drawCost(text, ids, places, whole, cut);
    this.drawNext(text, ids, places[position].next, whole[position].next, position, cut);
  }

  drawMap(text, places, position, unit, cut) {
    const [width, height] = [CELL * text.length, TOP + ROW * this.units];
    change(this.map, { width, height, viewBox: `0 0 ${width} ${height}` });
    const cell = (value, x, y, high) => make("svg:rect", { class: value < 0 ? "cw-minus" : "cw-plus", x, y,
      width: CELL - 1, height: high, "fill-opacity": Math.abs(value).toFixed(3) });
    const parts = places.flatMap(({ state }, t) => [
      make("svg:text", { x: CELL * (t + 0.5) - 0.5, y: 12, "text-anchor": "middle" }, visible(text[t])),
      cell(state[unit], CELL * t, 17, 8),
      ...Array.from(state, (value, i) => cell(value, CELL * t, TOP + ROW * i, ROW - 0.5)),
    ]);
    parts.push(make("svg:rect", { class: "cw-chosen", x: CELL * position - 1, y: -1, width: CELL + 1, height: height + 2 }),
      make("svg:rect", { class: "cw-line", x: -1, y: TOP + ROW * unit - 1, width: width + 1, height: ROW + 1.5 }));
    if (cut) parts.push(make("svg:line", { class: "cw-cut", x1: CELL * cut - 0.5, x2: CELL * cut - 0.5, y1: -4, y2: height + 4 }));
    this.map.replaceChildren(...parts);
    this.follow();
  }

  /** Scroll the map, where it is wider than the page, to the chosen character. */
  follow() {
    const at = CELL * this.get("position");
    if (at < this.scroll.scrollLeft || at + CELL > this.scroll.scrollLeft + this.scroll.clientWidth) {
      this.scroll.scrollLeft = at - this.scroll.clientWidth / 2;
    }
  }

  drawReaction(places, position, unit, cut) {
    const zero = new Float64Array(this.units);
    const before = position && position !== cut ? places[position - 1].state : zero;
    const { state } = places[position];
    const moved = Array.from(state, (value, i) => [Math.abs(value - before[i]), i]).sort((a, b) => b[0] - a[0]).slice(0, 4);
    const walk = (i) => `${i + 1} (${format(before[i], 1)} \u2192 ${format(state[i], 1)})`;
    this.reaction.replaceChildren(`Unit ${unit + 1} goes from ${format(before[unit])} to ${format(state[unit])} here. Most moved: ${moved.map(([, i]) => walk(i)).join(", ")}.`);
  }

  drawCost(text, ids, places, whole, cut) {
    const bits = (value) => `${format(value)} bits`;
    if (text.length < 2) this.cost.textContent = "";
    else if (cut && cut < text.length - 1) {
      this.cost.textContent = `From the second character after the cut on, a character costs ${bits(price(places, ids, cut + 1))}; with the past remembered ${bits(price(whole, ids, cut + 1))}.`;
    } else this.cost.textContent = `A character of this text costs ${bits(price(places, ids, 1))} on average.`;
  }

  drawNext(text, ids, next, remembered, position, cut) {
    const order = next.map((p, k) => [p, k]).sort((a, b) => b[0] - a[0]).slice(0, SHOWN);
    const read = text.slice(position >= cut ? cut : 0, position + 1);
    const tail = read.length > 12 ? `\u2026${read.slice(-12)}` : read;
    const forgetful = cut && position >= cut;
    this.after.replaceChildren("Next after ", make("span", { class: "cw-quote" }, `\u201c${tail.replaceAll(" ", "\u2423")}\u201d`),
      ...(forgetful ? [make("small", {}, " line: with the past remembered")] : []));
    this.chart.replaceChildren(...order.map(([p, k], i) => {
      const fill = make("span");
      fill.style.width = `${100 * p}%`;
      const bar = make("span", { class: "cw-bar" }, fill);
      if (forgetful) {
        const mark = make("i");
        mark.style.left = `${100 * remembered[k]}%`;
        bar.append(mark);
      }
      return make("li", { class: i ? "" : "cw-top" }, make("b", {}, visible(this.characters[k])), bar,
        make("span", { class: "cw-share" }, percent(p, 1)));
    }));
    const real = text[position + 1];
    this.typed.textContent = real ? `What comes is \u201c${visible(real)}\u201d, expected with ${percent(next[ids[position + 1]], 1)}.` : "";
    this.speech.say(`After ${inWords(text[position])}: ${order.slice(0, 3).map(([p, k]) => `${inWords(this.characters[k])} ${percent(p)}`).join(", ")}`);
  }
}

export default {
  render({ model, el }) {
    const figure = new StateFigure(model);
    el.append(figure.root);
    el.read = (text, cut) => figure.net(text, cut); // for tests
    return () => { figure.stop(); delete el.read; };
  },
};
