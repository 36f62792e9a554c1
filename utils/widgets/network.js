// Networks in plain JavaScript, shared by the figures that hold trained weights.

const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** Cross-correlation with zero padding; x holds the channels one after the other, row by row. */
function convolve({ inputs, outputs, kernel, padding, stride = 1, weight, bias }, x, [, height, width]) {
  const rows = Math.floor((height + 2 * padding[0] - kernel[0]) / stride) + 1;
  const columns = Math.floor((width + 2 * padding[1] - kernel[1]) / stride) + 1;
  const out = new Float32Array(outputs * rows * columns);
  for (let o = 0, k = 0; o < outputs; o++) {
    const map = out.subarray(o * rows * columns, (o + 1) * rows * columns).fill(bias[o]);
    for (let c = 0; c < inputs; c++) {
      for (let i = -padding[0]; i < kernel[0] - padding[0]; i++) {
        const end = Math.min(rows, Math.ceil((height - i) / stride));
        for (let j = -padding[1]; j < kernel[1] - padding[1]; j++) {
          const value = weight[k++];
          const first = Math.max(0, Math.ceil(-j / stride));
          const last = Math.min(columns, Math.ceil((width - j) / stride));
          for (let r = Math.max(0, Math.ceil(-i / stride)); r < end; r++) {
            const row = (c * height + r * stride + i) * width + j;
            for (let s = first; s < last; s++) map[r * columns + s] += value * x[row + s * stride];
          }
        }
      }
    }
  }
  return [out, [outputs, rows, columns]];
}

function multiply({ inputs, outputs, weight, bias }, x) {
  const out = Float32Array.from(bias);
  for (let o = 0, k = 0; o < outputs; o++) {
    let sum = 0;
    for (let i = 0; i < inputs; i++) sum += weight[k++] * x[i];
    out[o] += sum;
  }
  return [out, [outputs]];
}

/** Ten labelled bars. */
function bars() {
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const [fill, share] = [make("span"), make("span", { class: "cw-share" })];
    return { fill, share, root: make("li", {}, make("b", {}, String(digit)), make("span", { class: "cw-bar" }, fill), share) };
  });
  return {
    root: make("ol", { class: "cw-bars", "aria-label": "Probability of each digit" }, ...rows.map((row) => row.root)),
    show(probabilities) {
      const top = Math.max(...probabilities);
      rows.forEach(({ fill, share, root }, digit) => {
        const value = probabilities[digit];
        fill.style.width = `${100 * value}%`;
        share.textContent = percent(value);
        root.classList.toggle("cw-top", value > 0 && value === top);
      });
    },
  };
}
