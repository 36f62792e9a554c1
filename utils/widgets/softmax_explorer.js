// Softmax explorer: sliders for logits and temperature; exponentials, their sum, and probabilities.

/** One row of the result: name, exponential, bar, probability. */
function share(name) {
  const [power, fill, value] = [make("span", { class: "cw-power" }), make("span"), make("span", { class: "cw-share" })];
  const root = make("li", {}, make("b", {}, name), power, make("span", { class: "cw-bar" }, fill), value);
  return { power, fill, value, root };
}

class SoftmaxFigure {
  constructor(model) {
    this.model = model;
    const labels = model.get("labels");
    this.sliders = labels.map((label, i) => slider(["Logit of ", label], (z) => {
      put(model, { logits: model.get("logits").map((old, j) => (j === i ? z : old)) });
    }));
    this.sliders.forEach((one) => one.limit([-5, 5], 0.1));
    // The slider moves on a logarithmic scale, from 0.1 to 10.
    this.temperature = slider(["Temperature ", make("i", {}, "T")], (log) => put(model, { temperature: snap(10 ** log, 0.01) }));
    this.temperature.limit([-1, 1], 0.01);
    this.rows = labels.map(share);
    this.total = make("p", { class: "cw-help" });
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-softmax", role: "group", "aria-label": "Softmax explorer" },
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, ...this.sliders.map((one) => one.root), this.temperature.root),
        make("div", { class: "cw-result" },
          make("ol", { class: "cw-bars", "aria-label": "Probability of each class" }, ...this.rows.map((row) => row.root)),
          this.total)),
      this.speech.node);
    const draw = perFrame(() => this.show());
    const forget = watch(model, ["logits", "temperature"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.show();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  show() {
    const [logits, temperature, labels] = ["logits", "temperature", "labels"].map((name) => this.model.get(name));
    this.sliders.forEach((one, i) => one.show(logits[i], format(logits[i], 1)));
    this.temperature.show(Math.log10(temperature), format(temperature));
    change(this.temperature.input, { "aria-valuetext": format(temperature) });
    const scaled = logits.map((z) => z / temperature);
    const probabilities = softmax(scaled);
    const top = Math.max(...probabilities);
    this.rows.forEach(({ power, fill, value, root }, i) => {
      const exponential = Math.exp(scaled[i]);
      power.textContent = exponential < 1e4 && exponential >= 0.005 ? format(exponential) : exponential.toExponential(0).replace("e+", "e");
      fill.style.width = `${100 * probabilities[i]}%`;
      value.textContent = percent(probabilities[i]);
      root.classList.toggle("cw-top", probabilities[i] === top);
    });
    this.total.replaceChildren("Each row: ", make("i", {}, "e"), make("sup", {}, "z/T"), ", and its share of the sum.");
    this.speech.say(labels.map((label, i) => `${label} ${percent(probabilities[i])}`).join(", "));
  }
}

export default {
  render({ model, el }) {
    const figure = new SoftmaxFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
