// Contours of a function of two variables, by marching squares, for panels of plot.js.

/**
 * Values of f(u, v) on a grid of n by n cells over two ranges, and one cell beyond on each side.
 * What is not a number counts as above every level.
 */
function sampleGrid(f, xRange, yRange, n = 64) {
  const along = ([low, high]) => Array.from({ length: n + 3 }, (_, i) => low + ((i - 1) / n) * (high - low));
  const [us, vs] = [along(xRange), along(yRange)];
  const bound = (value) => (Number.isNaN(value) ? 1e300 : clamp(value, [-1e300, 1e300]));
  return { us, vs, values: us.map((u) => vs.map((v) => bound(f(u, v)))) };
}

/** The border of the region where the sampled function is at most level: closed rings of points [u, v]. */
function rings({ us, vs, values }, level) {
  const [columns, rows] = [us.length, vs.length];
  // Outside the grid everything is high, so that each ring closes along the grid's own edge.
  const at = (i, j) => values[i]?.[j] ?? 1e300;
  const place = ([i, j]) => [us[clamp(i, [0, columns - 1])], vs[clamp(j, [0, rows - 1])]];
  const crossing = (low, high) => {
    const share = (level - at(...low)) / (at(...high) - at(...low));
    return place(low).map((value, axis) => value + share * (place(high)[axis] - value));
  };
  const next = new Map(); // a crossed edge -> its point, and the crossed edge that follows on the ring
  for (let i = -1; i < columns; i++) {
    for (let j = -1; j < rows; j++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]]; // anticlockwise
      const inside = corners.map((corner) => at(...corner) <= level);
      const name = (k) => { // an edge has one name in both of its cells
        const [[a, b], [c, d]] = [corners[k], corners[(k + 1) % 4]];
        return (Math.min(a, c) * (rows + 2) + Math.min(b, d)) * 2 + (a === c);
      };
      const leaves = [0, 1, 2, 3].filter((k) => inside[k] && !inside[(k + 1) % 4]);
      const enters = [0, 1, 2, 3].filter((k) => !inside[k] && inside[(k + 1) % 4]);
      const middle = corners.reduce((sum, corner) => sum + at(...corner) / 4, 0) <= level;
      for (const k of leaves) { // at a saddle the middle of the cell says what belongs together
        const to = leaves.length === 1 ? enters[0] : (k + (middle ? 1 : 3)) % 4;
        next.set(name(k), { point: crossing(corners[k], corners[(k + 1) % 4]), to: name(to) });
      }
    }
  }
  const found = [];
  while (next.size) {
    const ring = [];
    for (let edge = next.keys().next().value; next.has(edge);) {
      const { point, to } = next.get(edge);
      ring.push(point);
      next.delete(edge);
      edge = to;
    }
    found.push(ring);
  }
  return found;
}

/**
 * Draw the contours of f(u, v) at the given levels into a panel, below its marks; returns the group.
 *
 * Options: n, cells along each side; filled, so that lower is paler (else lines alone); label, a
 * function from a level to its text, or null for none.
 */
function contours(where, f, levels, { n = 64, filled = true, label = (level) => String(Number(level.toPrecision(2))) } = {}) {
  const group = make("svg:g", { class: "cw-contours" });
  const grid = sampleGrid(f, where.xRange, where.yRange, n);
  const [[left, right], [bottom, top]] = [where.xRange.map(where.x), where.yRange.map(where.y)];
  const taken = [];
  where.ground.classList.toggle("cw-high", filled);
  for (const level of [...levels].sort((s, t) => t - s)) {
    const lines = rings(grid, level);
    if (!lines.length) continue;
    group.append(make("svg:path", { class: filled ? "cw-band" : "cw-contour", "fill-rule": "evenodd",
      "data-level": level, d: lines.map((ring) => trace(where, ring) + "Z").join("") }));
    const free = lines.flat().map(([u, v]) => [where.x(u), where.y(v)]).filter(([x, y]) => x > left + 20 && x < right - 20
      && y > top + 12 && y < bottom - 12 && taken.every(([s, t]) => Math.abs(x - s) > 34 || Math.abs(y - t) > 15));
    const spot = free.sort((s, t) => s[1] - t[1])[0];
    if (spot && label) taken.push([...spot, label(level)]);
  }
  group.append(...taken.map(([x, y, text]) => make("svg:text", { class: "cw-level", x, y: y + 4, "text-anchor": "middle" }, text)));
  where.marks.before(group);
  return group;
}
