// Shared by the interactive figures; Python puts it before a figure's own module.
const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; "svg:line" makes an SVG line. */
function make(tag, attributes = {}, ...children) {
  const node = tag.startsWith("svg:")
    ? document.createElementNS(SVG, tag.slice(4))
    : document.createElement(tag);
  change(node, attributes);
  node.append(...children);
  return node;
}

/** Set attributes; false or null removes one, true makes it empty. */
function change(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : value);
  }
}

const italic = (text) => make("i", {}, text);
const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));
const snap = (value, step) => Number((Math.round(value / step) * step).toPrecision(12));

/** A number with a true minus sign, and never "−0.00". */
function format(value, digits = 2) {
  return value.toFixed(digits).replace(/^-(?=[0.]+$)/, "").replace("-", "\u2212");
}

/** Call draw at most once a frame; now() does not wait for the frame. */
function perFrame(draw) {
  let frame = 0;
  const request = () => { frame ||= requestAnimationFrame(request.now); };
  request.cancel = () => { cancelAnimationFrame(frame); frame = 0; };
  request.now = () => { request.cancel(); draw(); };
  return request;
}

/** Call callback when one of the traits changes; returns what undoes it. */
function watch(model, names, callback) {
  for (const name of names) model.on(`change:${name}`, callback);
  return () => { for (const name of names) model.off(`change:${name}`, callback); };
}

/** Set several traits and send them. */
function put(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

/** A polite live region that speaks once things have been still for a moment. */
function announcer() {
  const node = make("p", { class: "cw-hidden", "aria-live": "polite" });
  let timer;
  const stop = () => clearTimeout(timer);
  const say = (text) => { stop(); timer = setTimeout(() => { node.textContent = text; }, 400); };
  return { node, say, stop };
}

/** Direction of an arrow key, so many times as far with Shift; y points up. */
function arrow(event, times = 10) {
  const far = event.shiftKey ? times : 1;
  const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
  if (x === undefined || event.ctrlKey || event.metaKey || event.altKey) return null;
  event.preventDefault();
  return [x * far, y * far];
}

/** A labelled range input with its value beside it. */
function slider(name, onInput) {
  const input = make("input", { type: "range" });
  const value = make("span", { class: "cw-value", "aria-hidden": "true" });
  input.addEventListener("input", () => onInput(input.valueAsNumber));
  return {
    input,
    root: make("div", { class: "cw-slider" }, make("label", {}, make("span", {}, ...name), input), value),
    limit([min, max], step) { change(input, { min, max, step }); },
    show(number, text) { input.value = number; value.textContent = text; },
  };
}

/** A labelled checkbox. */
function checkbox(name, onChange) {
  const input = make("input", { type: "checkbox" });
  input.addEventListener("change", () => onChange(input.checked));
  return { input, root: make("label", { class: "cw-check" }, input, make("span", {}, ...name)) };
}

/** Probabilities of logits; the largest is taken off first, so that no exponential overflows. */
function softmax(logits) {
  const top = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - top));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

/** A share in percent that is not rounded to none or to all. */
function percent(value, digits = 0) {
  const [unit, text] = [10 ** (-2 - digits), (share) => `${format(100 * share, digits)}\u00a0%`];
  if (value > 1 - unit && value < 1) return `>\u00a0${text(1 - unit)}`;
  return value > 0 && value < unit ? `<\u00a0${text(unit)}` : text(value);
}
