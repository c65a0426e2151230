/** Saturation and warmth of a finished coloring: its a*b* change, its lightness L* does not. Drawn by WebGL, and files of it. */

import { canRead, checkReading } from "./canvas.js";
import { noteOf, withNote } from "./note.js";
import { isPlain, lookOf, notify } from "./store.js";
import { QUALITY } from "./work.js";

const TILE = 2048; // pixels a side, at a time; every WebGL has so much room
const PREVIEW = 1600; // pixels of the longer side, while a slider moves
const GRAY = { saturation: 0, warmth: 0 };
const KEPT = 5000; // milliseconds after a picture, in which the next can use what was compiled for it

const VERTEX = `attribute vec2 corner; varying vec2 at;
void main() { at = vec2(corner.x, 1.0 - corner.y); gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0); }`;

/**
 * a*b* = saturation · a*b* + warmth · (2.4, 17.7), as in the service (model/pixels/scaling.py); then chroma shrinks at
 * constant L* and hue until the color fits sRGB.
 */
const FRAGMENT = `precision highp float;
varying vec2 at; uniform sampler2D photo; uniform float saturation; uniform float warmth;
const vec3 white = vec3(0.95047, 1.0, 1.08883);
vec3 f(vec3 t) { return mix((24389.0 / 27.0 * t + 16.0) / 116.0, pow(max(t, 1e-6), vec3(1.0 / 3.0)), step(216.0 / 24389.0, t)); }
vec3 inverse(vec3 t) { vec3 cube = t * t * t; return mix((116.0 * t - 16.0) * 27.0 / 24389.0, cube, step(216.0 / 24389.0, cube)); }
vec3 linear(float y, vec2 ab) {
  vec3 xyz = white * inverse(vec3(y + ab.x / 500.0, y, y - ab.y / 200.0));
  return mat3(3.2404542, -0.969266, 0.0556434, -1.5371385, 1.8760108, -0.2040259, -0.4985314, 0.041556, 1.0572252) * xyz;
}
void main() {
  vec4 rgba = texture2D(photo, at);
  vec3 c = mix(rgba.rgb / 12.92, pow((rgba.rgb + 0.055) / 1.055, vec3(2.4)), step(0.04045, rgba.rgb));
  vec3 xyz = mat3(0.4124564, 0.2126729, 0.0193339, 0.3575761, 0.7151522, 0.119192, 0.1804375, 0.072175, 0.9503041) * c;
  vec3 lab = f(xyz / white);
  vec2 ab = saturation * vec2(500.0 * (lab.x - lab.y), 200.0 * (lab.y - lab.z)) + warmth * vec2(2.4, 17.7);
  float low = 0.0, high = 1.0, share = 1.0;
  for (int i = 0; i < 12; i++) {
    vec3 t = linear(lab.y, share * ab);
    bool fits = min(t.r, min(t.g, t.b)) > -0.0005 && max(t.r, max(t.g, t.b)) < 1.0005;
    if (fits) low = share; else high = share;
    if (fits && i == 0) break;
    share = (low + high) / 2.0;
  }
  c = clamp(linear(lab.y, low * ab), 0.0, 1.0);
  gl_FragColor = vec4(mix(12.92 * c, 1.055 * pow(max(c, 1e-6), vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c)), rgba.a);
}`;

/** Return a function that draws a bitmap with a look on a canvas; the canvas takes the bitmap's size. */
function painter(canvas) {
  const gl = canvas.getContext("webgl", { premultipliedAlpha: false, preserveDrawingBuffer: true });
  if (!gl) throw new Error("This browser has no WebGL, which saturation and warmth need.");
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(gl.getAttribLocation(program, "corner"));
  gl.vertexAttribPointer(gl.getAttribLocation(program, "corner"), 2, gl.FLOAT, false, 0, 0);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  let held = null;
  return (bitmap, { saturation, warmth }) => {
    if (bitmap !== held) {
      Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
      held = bitmap;
    }
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.uniform1f(gl.getUniformLocation(program, "saturation"), saturation);
    gl.uniform1f(gl.getUniformLocation(program, "warmth"), warmth);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  };
}

const EXACT = { premultiplyAlpha: "none", colorSpaceConversion: "none" };

/** Return a function that shows a sample with a look on a canvas at once: for sliders. */
export function previewer(canvas) {
  let paint = null;
  let held = { sample: null, bitmap: null };
  return async (sample, look) => {
    if (held.sample !== sample) {
      checkReading(); // the finished picture would be noise
      const whole = await createImageBitmap(sample.blob, EXACT);
      const scale = Math.min(1, PREVIEW / Math.max(whole.width, whole.height));
      const size = { resizeWidth: Math.round(whole.width * scale), resizeHeight: Math.round(whole.height * scale), resizeQuality: "high" };
      held = { sample, bitmap: scale < 1 ? await createImageBitmap(whole, { ...EXACT, ...size }) : whole };
    }
    paint ??= painter(canvas);
    paint(held.bitmap, look);
  };
}

/**
 * Return a coloring's file with a look as a file of another format, with the coloring's note of how it was made. `beside`
 * puts the gray photo to its left.
 */
export async function lookFile(file, look, format, quality, beside = false) {
  checkReading();
  const colored = await withLook(file, look);
  const canvas = beside ? pair(await withLook(file, GRAY), colored) : colored;
  return withNote(await canvasBlob(canvas, format, quality), await noteOf(file, look));
}

/** Return two pictures of one size side by side. */
function pair(left, right) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * left.width, height: left.height });
  const context = canvas.getContext("2d");
  context.drawImage(left, 0, 0);
  context.drawImage(right, left.width, 0);
  return canvas;
}

let tile = null; // {canvas, gl, paint}
let timer = null;

/** Draw a bitmap with a look on a canvas that lasts until the next await. Pictures that follow each other share it. */
function painted(bitmap, look) {
  if (!tile || tile.gl.isContextLost()) {
    const canvas = document.createElement("canvas");
    tile = { canvas, paint: painter(canvas), gl: canvas.getContext("webgl") };
  }
  clearTimeout(timer);
  timer = setTimeout(() => {
    tile.gl.getExtension("WEBGL_lose_context")?.loseContext(); // browsers allow few at a time
    tile = null;
  }, KEPT);
  tile.paint(bitmap, look);
  return tile.canvas;
}

/** Return a picture with a look as a canvas of its own size. */
async function withLook(blob, look) {
  const whole = await createImageBitmap(blob, EXACT);
  const canvas = Object.assign(document.createElement("canvas"), { width: whole.width, height: whole.height });
  const context = canvas.getContext("2d");
  if (isPlain(look)) {
    context.drawImage(whole, 0, 0);
    return canvas;
  }
  for (let y = 0; y < whole.height; y += TILE) for (let x = 0; x < whole.width; x += TILE) {
    const [width, height] = [Math.min(TILE, whole.width - x), Math.min(TILE, whole.height - y)];
    // resized to its own size, which copies it: Firefox's WebGL draws the whole of what was only cropped
    const part = await createImageBitmap(whole, x, y, width, height, { ...EXACT, resizeWidth: width, resizeHeight: height });
    const drawn = painted(part, look);
    context.drawImage(drawn, x, y);
  }
  return canvas;
}

/** Return a canvas as a file. A JPEG, which has no transparency, gets a white background, as in the service. */
function canvasBlob(canvas, format, quality) {
  if (format === "jpeg") {
    const context = Object.assign(canvas.getContext("2d"), { globalCompositeOperation: "destination-over", fillStyle: "white" });
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large for this browser."))), `image/${format}`, quality / 100);
  });
}

let turn = Promise.resolve(); // one after another: browsers allow few WebGL contexts at a time
const made = new WeakMap(); // of a sample, the addresses of its pictures by look

const nameOf = ({ saturation, warmth }) => `${saturation} ${warmth}`;

/** Return the address of a sample's picture with its look; until that is made, the previous one. */
export function shownUrl(sample) {
  const look = lookOf(sample);
  if (isPlain(look)) return sample.url;
  if (!made.has(sample)) made.set(sample, { urls: new Map(), last: sample.url });
  const { urls, last } = made.get(sample);
  const name = nameOf(look);
  if (urls.get(name)) return (made.get(sample).last = urls.get(name));
  if (!urls.has(name) && canRead()) { // else again with the next change: the user may allow it
    urls.set(name, null);
    turn = turn.then(async () => {
      if (nameOf(lookOf(sample)) !== name) return urls.delete(name); // it has another look by now
      urls.set(name, URL.createObjectURL(await lookFile(sample.blob, look, "jpeg", QUALITY)));
      notify();
    }).catch(() => {});
  }
  return last;
}
