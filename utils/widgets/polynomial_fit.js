// Polynomial fit: readings of a day, the polynomial that fits them, and both errors against its degree.

const DEGREES = 15;
const HOURS = 22.5; // from the first reading to the last
const COUNTS = [16, 20, 24, 32, 48, 64, 96, 128];
const PENALTIES = [0, ...Array.from({ length: 25 }, (_, i) => Number((10 ** (i / 4 - 6)).toPrecision(2)))];
const range = (n, f) => Array.from({ length: n }, (_, i) => f(i));
const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;
const temperature = (t) => 12 - 6 * Math.cos((2 * Math.PI * (t - 4)) / 24);
const GRID = range(451, (i) => (HOURS * i) / 450);

/** The Legendre polynomials of degree 0 to the given one at a time of the day: the features. */
function legendre(t, degree) {
  const x = (2 * t) / HOURS - 1;
  const values = [1, x];
  for (let k = 1; k < degree; k++) values.push(((2 * k + 1) * x * values[k] - k * values[k - 1]) / (k + 1));
  return values.slice(0, degree + 1);
}

/** Least squares by Householder reflections: rows (n, k) with n >= k, targets (n,) -> weights (k,). */
function leastSquares(rows, targets) {
  const [a, y, k] = [rows.map((row) => [...row]), [...targets], rows[0].length];
  for (let j = 0; j < k; j++) {
    const norm = Math.hypot(...a.slice(j).map((row) => row[j])) * (a[j][j] > 0 ? -1 : 1);
    const v = a.slice(j).map((row, i) => (i ? row[j] : row[j] - norm));
    const length = v.reduce((total, value) => total + value * value, 0);
    const reflect = (read, write) => {
      const share = (2 * v.reduce((total, value, i) => total + value * read(i + j), 0)) / length;
      v.forEach((value, i) => write(i + j, read(i + j) - share * value));
    };
    for (let c = j; c < k; c++) reflect((i) => a[i][c], (i, value) => { a[i][c] = value; });
    reflect((i) => y[i], (i, value) => { y[i] = value; });
  }
  const w = Array(k).fill(0);
  for (let j = k - 1; j >= 0; j--) w[j] = (y[j] - w.reduce((total, value, c) => total + (c > j ? value * a[j][c] : 0), 0)) / a[j][j];
  return w;
}

/** Least mean squared error plus (penalty/2)‖w‖², w[0] left out: each penalised weight is a row with target 0. */
function fitReadings(times, readings, degree, penalty) {
  const root = Math.sqrt((times.length * penalty) / 2);
  const extra = root ? range(degree, (i) => range(degree + 1, (j) => (j === i + 1 ? root : 0))) : [];
  return leastSquares([...times.map((t) => legendre(t, degree)), ...extra], [...readings, ...extra.map(() => 0)]);
}

const at = (w, t) => legendre(t, w.length - 1).reduce((total, value, k) => total + value * w[k], 0);
const degrees = (value) => (value >= 1000 ? value.toExponential(0).replace("e+", "e") : format(value, 2)) + " °C";

class PolynomialFigure {
  constructor(model) {
    this.model = model;
    const set = (name, values) => (i) => put(model, { [name]: values ? values[i] : i });
    this.sliders = {
      degree: slider(["Degree"], set("degree")), penalty: slider(["Penalty λ"], set("penalty", PENALTIES)),
      noise: slider(["Noise"], set("noise")), count: slider(["Readings"], set("count", COUNTS)),
    };
    this.sliders.degree.limit([0, DEGREES], 1);
    this.sliders.penalty.limit([0, PENALTIES.length - 1], 1);
    this.sliders.noise.limit([0, 3], 0.25);
    this.sliders.count.limit([0, COUNTS.length - 1], 1);
    this.cells = {};
    const row = (key, name, ...rest) => make("tr", {}, make("th", { scope: "row" }, name, ...rest), this.cells[key] = make("td"));
    const table = make("table", {}, make("tbody", {}, row("train", "Training error"), row("fresh", "Error on new readings"),
      row("norm", "Length of the weights")));
    const again = make("button", { type: "button", class: "cw-button" }, "Other errors");
    again.addEventListener("click", () => put(model, { errors: model.get("errors").map(() =>
      Number((Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())).toFixed(4))) }));
    this.day = panel("Temperature through the day", [0, 24], [-8, 32], ["hour"], ["temperature (°C)"]);
    this.truth = make("svg:path", { class: "cw-truth", d: trace(this.day, GRID.map((t) => [t, temperature(t)])) });
    this.curve = make("svg:path", { class: "cw-model cw-curve" });
    this.points = make("svg:g");
    this.day.marks.append(this.truth, this.points, this.curve);
    this.both = panel("Both errors against the degree", [0, DEGREES], [0, 6], ["degree"], ["error (°C)"]);
    this.here = make("svg:line", { class: "cw-here", y1: this.both.y(0), y2: this.both.y(6) });
    this.train = make("svg:path", { class: "cw-loss" });
    this.fresh = make("svg:path", { class: "cw-model cw-curve" });
    this.both.marks.append(this.here, this.train, this.fresh);
    this.speech = announcer();
    this.root = make("div", { class: "cw cw-polynomial", role: "group", "aria-label": "Polynomial fit" },
      make("div", { class: "cw-columns" },
        make("figure", {}, make("figcaption", {}, "Readings, ", make("b", { class: "cw-blue" }, "polynomial"), ", truth (dashed)"), this.day.svg),
        make("figure", {}, make("figcaption", {}, "Errors: ", make("b", { class: "cw-orange" }, "training"), ", ",
          make("b", { class: "cw-blue" }, "new readings")), this.both.svg)),
      make("div", { class: "cw-columns" },
        make("div", { class: "cw-controls" }, ...Object.values(this.sliders).map((one) => one.root)),
        make("div", { class: "cw-controls" }, table, make("div", { class: "cw-buttons" }, again))),
      this.speech.node);
    const draw = perFrame(() => this.draw());
    const forget = watch(model, ["degree", "penalty", "noise", "count", "errors"], draw);
    this.stop = () => { forget(); draw.cancel(); this.speech.stop(); };
    this.draw();
    this.speech.stop(); // nothing to announce before the reader does something
  }

  draw() {
    const [degree, penalty, noise, count, errors] = ["degree", "penalty", "noise", "count", "errors"].map((name) => this.model.get(name));
    const times = range(count, (i) => (HOURS * i) / (count - 1));
    const readings = times.map((t, i) => temperature(t) + noise * errors[i]);
    const fits = range(DEGREES + 1, (d) => fitReadings(times, readings, d, penalty));
    const train = fits.map((w) => Math.sqrt(mean(times.map((t, i) => (at(w, t) - readings[i]) ** 2))));
    const fresh = fits.map((w) => Math.sqrt(mean(GRID.map((t) => (at(w, t) - temperature(t)) ** 2)) + noise ** 2));
    const w = fits[degree];
    const norm = Math.hypot(...w.slice(1));
    this.root.fit = { times, readings, w, train, fresh, norm }; // for the tests, which compare them with NumPy's
    const far = (value) => clamp(value, [-1e4, 1e4]); // no path leaves the picture by more than browsers draw
    change(this.curve, { d: trace(this.day, GRID.map((t) => [t, far(at(w, t))])) });
    this.points.replaceChildren(...times.map((t, i) =>
      make("svg:circle", { class: "cw-point", cx: this.day.x(t), cy: this.day.y(readings[i]), r: count > 40 ? 3 : 4.5 })));
    change(this.train, { d: trace(this.both, train.map((value, d) => [d, value])) });
    change(this.fresh, { d: trace(this.both, fresh.map((value, d) => [d, far(value)])) });
    change(this.here, { x1: this.both.x(degree), x2: this.both.x(degree) });
    this.cells.train.textContent = degrees(train[degree]);
    this.cells.fresh.textContent = degrees(fresh[degree]);
    this.cells.norm.textContent = norm >= 1000 ? norm.toExponential(0).replace("e+", "e") : format(norm, 1);
    const nearest = (values, value) => values.reduce((best, one, i) => (Math.abs(one - value) < Math.abs(values[best] - value) ? i : best), 0);
    const show = (name, number, text) => {
      this.sliders[name].show(number, text);
      change(this.sliders[name].input, { "aria-valuetext": text });
    };
    show("degree", degree, String(degree));
    show("penalty", nearest(PENALTIES, penalty), penalty ? String(Number(penalty.toPrecision(2))) : "none");
    show("noise", noise, `${format(noise, 2)} °C`);
    show("count", nearest(COUNTS, count), String(count));
    this.speech.say(`Training error ${degrees(train[degree])}, error on new readings ${degrees(fresh[degree])}`);
  }
}

export default {
  render({ model, el }) {
    const figure = new PolynomialFigure(model);
    el.append(figure.root);
    return figure.stop;
  },
};
