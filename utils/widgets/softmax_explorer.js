// Softmax explorer: sliders for logits and temperature; exponentials, their sum, and probabilities.

const RANGE = [-5, 5]; // of a logit

/** The letters e^(z/T). */
const exponential = () => [italic("e"), make("sup", {}, italic("z"), "/", italic("T"))];

/** A positive number in at most seven signs: with two decimals, or as a·10ⁿ. */
function compact(value) {
  if (value >= 0.0095 && value < 9999.5) return [format(value)];
  const [digits, power] = value.toExponential(1).split("e");
  return [`${digits}\u00b710`, make("sup", {}, format(Number(power), 0))];
}

/** Two halves side by side, or one above the other where it is narrow. */
function line(tag, left, ...right) {
  return make(tag, { class: "cw-columns" }, left, make("div", { class: "cw-outcome" }, ...right));
}

/** One class: the slider of its logit, its exponential, and its probability as a bar and a number. */
function classRow(label, onInput) {
  const logit = slider([label], onInput);
  logit.limit(RANGE, 0.1);
  change(logit.input, { "aria-label": `Logit of ${label}` });
  const [power, fill, share] = [make("span"), make("span"), make("span", { class: "cw-share" })];
  const root = line("li", logit.root, power, make("span", { class: "cw-bar" }, fill), share);
  return { logit, power, fill, share, root };
}

class SoftmaxFigure {
  constructor(model) {
    this.model = model;
    this.temperature = slider(["Temperature ", italic("T")], (log) => this.setTemperature(log));
    this.temperature.limit([-1, 1], 0.05); // of its logarithm to base 10
    this.shifts = [-1, 1].map((step) => this.shiftButton(step));
    this.list = make("ol", { class: "cw-rows" });
    this.sum = make("span");
    this.speech = announcer();
    const note = (...content) => make("span", { class: "cw-note" }, ...content);
    this.root = make("div", { class: "cw cw-softmax", role: "group", "aria-label": "Softmax explorer" },
      line("div", note("Logit ", italic("z")), make("span", {}, ...exponential()), note("Probability: share of the sum")),
      this.list,
      line("div", note("Sum"), this.sum, make("span"), make("span", { class: "cw-share" }, "100\u00a0%")),
      make("div", { class: "cw-columns" }, this.temperature.root,
        make("div", { class: "cw-buttons" }, note("All logits"), ...this.shifts)),
      this.speech.node);
    const draw = perFrame(() => this.show());
    const forget = watch(model, ["labels", "logits", "temperature"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.show();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  /** Two digits: a step of the slider is then a step of the temperature everywhere. */
  setTemperature(log) { put(this.model, { temperature: Number((10 ** log).toPrecision(2)) }); }

  shiftButton(step) {
    const text = `${step < 0 ? "\u2212" : "+"}\u20091`;
    const button = make("button", { type: "button", class: "cw-button", "aria-label": `All logits ${text}` }, text);
    button.addEventListener("click", () => {
      if (this.fits(step)) put(this.model, { logits: this.shifted(step) });
    });
    return button;
  }

  shifted(step) { return this.model.get("logits").map((z) => Number((z + step).toPrecision(12))); }

  /** Whether all logits stay in range: if one stopped at its end, the probabilities would change. */
  fits(step) { return this.shifted(step).every((z) => z === clamp(z, RANGE)); }

  build(labels) {
    this.labels = labels;
    this.rows = labels.map((label, i) => classRow(label, (z) => {
      put(this.model, { logits: this.model.get("logits").map((old, j) => (j === i ? z : old)) });
    }));
    this.list.replaceChildren(...this.rows.map((row) => row.root));
  }

  show() {
    const [labels, logits, temperature] = ["labels", "logits", "temperature"].map((name) => this.model.get(name));
    if (labels.length !== logits.length) return; // Python is about to send the other one
    if (labels !== this.labels) this.build(labels);
    const scaled = logits.map((z) => z / temperature);
    const powers = scaled.map(Math.exp);
    const probabilities = softmax(scaled);
    const top = Math.max(...probabilities);
    this.rows.forEach(({ logit, power, fill, share, root }, i) => {
      logit.show(logits[i], format(logits[i], 1));
      power.replaceChildren(...compact(powers[i]));
      fill.style.width = `${100 * probabilities[i]}%`;
      share.textContent = percent(probabilities[i], 1);
      root.classList.toggle("cw-top", probabilities[i] === top);
    });
    this.sum.replaceChildren(...compact(powers.reduce((sum, value) => sum + value, 0)));
    this.temperature.show(Math.log10(temperature), format(temperature));
    change(this.temperature.input, { "aria-valuetext": format(temperature) });
    this.shifts.forEach((button, i) => change(button, { "aria-disabled": String(!this.fits(2 * i - 1)) }));
    this.speech.say(labels.map((label, i) => `${label} ${percent(probabilities[i], 1)}`).join(", "));
  }
}

export default {
  render({ model, el }) {
    const figure = new SoftmaxFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
