// Panels with axes and handles, for figures that plot.

/** A round step (1, 2 or 5 times a power of ten) that divides span into about count parts. */
function niceStep(span, count) {
  const power = 10 ** Math.floor(Math.log10(span / count));
  return power * ([1, 2, 5].find((m) => m * power * count >= span * 0.999) ?? 10);
}

/** An SVG panel with axes. x, y map values to the drawing, atX, atY back; marks holds what moves. */
function panel(name, xRange, yRange, xName, yName) {
  const [width, height, left, right, top, bottom] = [340, 300, 46, 330, 10, 256];
  const scale = ([low, high], from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);
  const x = scale(xRange, left, right);
  const y = scale(yRange, bottom, top);
  const svg = make("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": name });
  const inside = make("svg:svg", { x: left, y: top, width: right - left, height: bottom - top,
    viewBox: `${left} ${top} ${right - left} ${bottom - top}` });
  const ground = make("svg:rect", { class: "cw-ground", x: left, y: top, width: right - left, height: bottom - top });
  inside.append(ground);
  svg.append(inside);
  const grid = (range, place, vertical) => {
    const step = niceStep(range[1] - range[0], 6);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    for (let i = Math.ceil(range[0] / step - 1e-9); i * step <= range[1] + 1e-9 * step; i++) {
      const at = place(i * step);
      inside.append(make("svg:line", { class: i ? "cw-grid" : "cw-zero", ...(vertical
        ? { x1: at, x2: at, y1: top, y2: bottom } : { y1: at, y2: at, x1: left, x2: right }) }));
      svg.append(make("svg:text", vertical
        ? { x: at, y: bottom + 17, "text-anchor": "middle" } : { x: left - 7, y: at + 4.5, "text-anchor": "end" },
      format(i * step, digits)));
    }
  };
  grid(xRange, x, true);
  grid(yRange, y, false);
  svg.append(
    make("svg:text", { class: "cw-axis", x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle" }, ...xName),
    make("svg:text", { class: "cw-axis", x: 0, y: 0, "text-anchor": "middle",
      transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)` }, ...yName));
  const marks = make("svg:g");
  inside.append(marks);
  const atX = scale([left, right], ...xRange);
  const atY = scale([bottom, top], ...yRange);
  return { svg, inside, ground, marks, x, y, atX, atY, xRange, yRange };
}

/** The path through points given as values. */
function trace({ x, y }, points) {
  return "M" + points.map(([u, v]) => `${x(u).toFixed(1)} ${y(v).toFixed(1)}`).join("L");
}

/** A round handle that is dragged, or moved with the arrow keys. */
function handle(where, name, { move, nudge }) {
  const node = make("svg:g", { class: "cw-handle", tabindex: 0, role: "slider", "aria-label": name },
    make("svg:circle", { class: "cw-hit", r: 22 }), make("svg:circle", { class: "cw-focus", r: 12 }),
    make("svg:circle", { class: "cw-knob", r: 7 }));
  const follow = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(where.inside.getScreenCTM().inverse());
    move(where.atX(at.x), where.atY(at.y));
  };
  const start = (event) => {
    if (event.button) return;
    event.preventDefault();
    node.setPointerCapture(event.pointerId);
    node.focus({ preventScroll: true });
  };
  node.addEventListener("pointerdown", start);
  // A finger that drags it must not scroll a long page: touch-action does not reach an SVG group.
  node.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && follow(event));
  node.addEventListener("keydown", (event) => { const step = arrow(event); if (step) nudge(...step); });
  where.svg.append(node);
  return {
    node, start, follow,
    /** Place it, and say its value to assistive technology. */
    show(u, v, value, [low, high], text) {
      change(node, { transform: `translate(${where.x(u)} ${where.y(v)})`, "aria-valuenow": value,
        "aria-valuemin": low, "aria-valuemax": high, "aria-valuetext": text });
    },
  };
}
