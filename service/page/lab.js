/** Color: sRGB to CIELAB and back (D65, 2° observer), and change of lightness. Source: CIE 15:2004. */

const EPSILON = 216 / 24389;
const KAPPA = 24389 / 27;
const WHITE = [0.95047, 1, 1.08883];

const linear = (c) => (c > 0.04045 ? ((c + 0.055) / 1.055) ** 2.4 : c / 12.92);
const encoded = (c) => (c > 0.0031308 ? 1.055 * c ** (1 / 2.4) - 0.055 : 12.92 * c);

/** Convert `#rrggbb` to [L*, a*, b*]. */
export function hexToLab(hex) {
  const [r, g, b] = [1, 3, 5].map((i) => linear(parseInt(hex.slice(i, i + 2), 16) / 255));
  const xyz = [
    0.4124564 * r + 0.3575761 * g + 0.1804375 * b,
    0.2126729 * r + 0.7151522 * g + 0.072175 * b,
    0.0193339 * r + 0.119192 * g + 0.9503041 * b,
  ];
  const [x, y, z] = xyz.map((value, i) => value / WHITE[i]).map((t) => (t > EPSILON ? Math.cbrt(t) : (KAPPA * t + 16) / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Convert L*, a*, b* to linear sRGB, which may lie outside of 0 … 1. */
function labToLinear([lightness, a, b]) {
  const y = (lightness + 16) / 116;
  const [X, Y, Z] = [y + a / 500, y, y - b / 200].map((t, i) => WHITE[i] * (t ** 3 > EPSILON ? t ** 3 : (116 * t - 16) / KAPPA));
  return [
    3.2404542 * X - 1.5371385 * Y - 0.4985314 * Z,
    -0.969266 * X + 1.8760108 * Y + 0.041556 * Z,
    0.0556434 * X - 0.2040259 * Y + 1.0572252 * Z,
  ];
}

const fits = (rgb) => rgb.every((c) => c > -1e-4 && c < 1.0001);

/**
 * Return `{hex, kept}`: the color at another lightness, with its hue, and the share of its chroma that sRGB holds there.
 * This is what a hint of that color becomes on a point of that lightness.
 */
export function atLightness(hex, lightness) {
  const [, a, b] = hexToLab(hex);
  let [low, high] = [0, 1];
  if (fits(labToLinear([lightness, a, b]))) low = 1;
  else for (let i = 0; i < 12; i++) {
    const middle = (low + high) / 2;
    if (fits(labToLinear([lightness, middle * a, middle * b]))) low = middle;
    else high = middle;
  }
  const rgb = labToLinear([lightness, low * a, low * b]).map((c) => Math.round(255 * Math.min(Math.max(encoded(Math.max(c, 0)), 0), 1)));
  return { hex: `#${rgb.map((c) => c.toString(16).padStart(2, "0")).join("")}`, kept: low };
}
