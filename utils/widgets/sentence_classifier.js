// Sentence classifier: the words of a typed sentence, what each adds, and the probability of their sum.

const LONGEST = 300; // characters, as in Python
/** The words of a text, as utils.text.words finds them: each in lower case, and as it was typed. */
function split(text) {
  const typed = plain(text);
  const lower = typed.toLowerCase();
  const whole = typed.length === lower.length ? typed : lower; // a few capitals are longer in lower case
  return [...lower.matchAll(/[\p{L}\p{M}][\p{L}\p{M}']*(?<!')/gu)].map(({ 0: word, index }) =>
    ({ word, typed: whole.slice(index, index + word.length) }));
}

/** A classifier: sentence -> words and known pairs with their scores (undefined: not known), and the logit. */
function classifier(model) {
  const numbers = halves(model.get("scores"));
  const table = new Map(model.get("terms").split("\n").map((term, i) => [term, numbers[i]]));
  const bias = model.get("bias");
  return (text) => {
    const found = split(text);
    const words = found.map(({ word, typed }) => ({ word: typed, score: table.get(word) }));
    const pairs = found.slice(1).map(({ word, typed }, i) =>
      ({ word: `${found[i].typed} ${typed}`, score: table.get(`${found[i].word} ${word}`) })).filter(({ score }) => score !== undefined);
    const sum = (parts) => parts.reduce((total, { score = 0 }) => total + score, 0);
    return { words, pairs, bias, parts: [sum(words), sum(pairs)], logit: bias + sum(words) + sum(pairs) };
  };
}

const signed = (value, digits = 2) => {
  const text = format(value, digits);
  return value > 0 && Number(value.toFixed(digits)) ? `+${text}` : text;
};

class SentenceFigure {
  constructor(model) {
    this.model = model;
    this.box = make("textarea", { rows: 2, maxlength: LONGEST, spellcheck: "false" });
    this.box.addEventListener("input", () => put(model, { text: this.box.value }));
    this.examples = make("div", { class: "cw-tries" });
    this.fill = make("span");
    this.share = make("strong");
    this.words = make("ol", { class: "cw-words", "aria-label": "Words and what each adds" });
    this.pairs = make("ol", { class: "cw-words", "aria-label": "Pairs of neighbours and what each adds" });
    this.pairRow = make("div", {}, make("p", { class: "cw-help" }, "Pairs of neighbours add"), this.pairs);
    this.sum = make("p", { class: "cw-sum" });
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-sentence", role: "group", "aria-label": "Sentence classifier" },
      make("label", {}, make("span", {}, "A sentence about a film"), this.box),
      this.examples,
      make("div", { class: "cw-verdict" }, make("span", { "aria-hidden": "true" }, "negative"),
        make("div", { class: "cw-scale", "aria-hidden": "true" }, this.fill),
        make("span", { "aria-hidden": "true" }, "positive"), this.share),
      make("div", {}, make("p", { class: "cw-help" }, "Words add"), this.words),
      this.pairRow, this.sum, this.speech.node);
    const draw = perFrame(() => this.draw());
    const learn = () => { this.classify = classifier(model); draw(); };
    const forget = [
      watch(model, ["text"], draw),
      watch(model, ["terms", "scores", "bias"], learn),
      watch(model, ["examples"], () => { this.list(); draw(); }),
    ];
    this.stop = () => { forget.forEach((undo) => undo()); draw.cancel(); this.speech.stop(); };
    this.classify = classifier(model);
    this.list();
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  list() {
    this.examples.replaceChildren(...this.model.get("examples").map((text) => {
      const button = make("button", { type: "button", class: "cw-example" }, text);
      button.addEventListener("click", () => put(this.model, { text }));
      return button;
    }));
  }

  chip({ word, score }) {
    const known = score !== undefined;
    const kind = !known ? "cw-unknown" : score < 0 ? "cw-minus" : "cw-plus";
    const chip = make("li", { class: kind }, make("span", {}, word), make("small", {}, known ? signed(score) : "unknown"));
    chip.style.setProperty("--size", `${Math.min(1, Math.abs(score ?? 0) / 0.8) * 100}%`);
    return chip;
  }

  draw() {
    const text = this.model.get("text");
    if (this.box.value !== text) this.box.value = text;
    const { words, pairs, bias, parts, logit } = this.classify(text);
    const p = 1 / (1 + Math.exp(-logit));
    this.words.replaceChildren(...words.map((part) => this.chip(part)));
    this.pairs.replaceChildren(...pairs.map((part) => this.chip(part)));
    this.pairRow.hidden = !pairs.length;
    this.share.textContent = percent(p);
    this.share.className = p < 0.5 ? "cw-minus" : "cw-plus";
    this.fill.className = this.share.className;
    change(this.fill, { style: p < 0.5 ? `left:${100 * p}%;right:50%` : `left:50%;right:${100 - 100 * p}%` });
    const unknown = words.filter(({ score }) => score === undefined).length;
    this.sum.replaceChildren(
      `start ${signed(bias)}, words ${signed(parts[0])}, pairs ${signed(parts[1])}: logit `,
      make("b", {}, signed(logit)), `, probability of positive ${percent(p, 1)}`,
      ...(unknown ? [`; ${unknown} unknown ${unknown > 1 ? "words add" : "word adds"} nothing`] : []));
    this.speech.say(`Positive: ${percent(p)}${unknown ? `, ${unknown} unknown` : ""}`);
  }
}

export default {
  render({ model, el }) {
    const figure = new SentenceFigure(model);
    el.append(figure.root);
    el.classify = (text) => figure.classify(text); // for tests
    el.words = (text) => split(text).map(({ word }) => word);
    return () => { figure.stop(); delete el.classify; delete el.words; };
  },
};
