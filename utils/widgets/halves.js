// Trained weights, shared by the figures that hold them in half precision.

/** Half-precision bytes as numbers. */
function halves(view) {
  const data = new DataView(view.buffer, view.byteOffset, view.byteLength);
  return Float32Array.from({ length: view.byteLength / 2 }, (_, i) => {
    const half = data.getUint16(2 * i, true);
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction;
    return half >> 15 ? -size : size;
  });
}
