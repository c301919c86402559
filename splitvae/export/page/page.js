// Runs the decoder of a VAE in the browser, and draws what it makes of the latents that the sliders move.
"use strict";

const model = JSON.parse(document.getElementById("model").textContent);
const [channels, height, width] = model.shape;
const find = (id) => document.getElementById(id);
const SHEET_TILE = 192, SHEET_GAP = 6; // pixels of the PNG that is saved

let z = Float32Array.from(model.start); // all latents
let tiles = []; // {name, canvas, button} of each image
let shown = 0; // the number of the tile that is drawn large
let decode = null; // z -> the outputs of the decoder
let wanted = false, busy = false;

// ---------------------------------------------------------------- controls

function addTiles() {
  const names = ["blend"];
  if (model.split === 1) names[0] = "image";
  if (model.split === 2) names.push("map");
  for (let k = 1; k <= model.split && model.split > 2; k++) names.push(`map ${k}`);
  for (let k = 1; k <= model.split && model.split > 1; k++) names.push(`x̂${k}`);
  tiles = names.map((name, i) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const button = Object.assign(document.createElement("button"), { className: "tile", type: "button" });
    button.append(canvas, name);
    button.addEventListener("click", () => { shown = i; enlarge(); });
    if (names.length > 1) find("tiles").append(button);
    return { name, canvas, button };
  });
  Object.assign(find("large"), { width, height });
}

function addSliders() {
  for (const { latent, label, low, high, step } of model.sliders) {
    const row = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "range", min: low, max: high, step, value: z[latent] });
    const output = document.createElement("output");
    input.dataset.latent = latent;
    input.addEventListener("input", () => { z[latent] = input.valueAsNumber; output.value = format(z[latent]); draw(); });
    row.append(label, output, input);
    find("sliders").append(row);
  }
  place(z);
}

function format(value) {
  return value.toFixed(2).replace("-", "−");
}

// Moves all latents; those with a slider stay within its range, so that sliders show what is drawn.
function place(values) {
  z = Float32Array.from(values);
  for (const input of document.querySelectorAll("#sliders input")) {
    const latent = Number(input.dataset.latent);
    input.value = z[latent];
    z[latent] = input.valueAsNumber;
    input.previousElementSibling.value = format(z[latent]);
  }
  draw();
}

function normal() { // a draw of N(0, 1), by Box and Muller
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

// ---------------------------------------------------------------- drawing

async function draw() {
  wanted = true;
  if (busy || decode === null) return;
  busy = true;
  while (wanted) { // the latest latents, whatever moved meanwhile
    wanted = false;
    const { image, images, masks } = await decode(z);
    const size = height * width, component = channels * size;
    let next = 0;
    paint(tiles[next++].canvas, image, 0, channels);
    for (let k = 0; k < (model.split > 2 ? model.split : model.split - 1); k++) paint(tiles[next++].canvas, masks, k * size, 1);
    for (let k = 0; k < model.split && model.split > 1; k++) paint(tiles[next++].canvas, images, k * component, channels);
    enlarge();
  }
  busy = false;
  document.body.dataset.drawn = Number(document.body.dataset.drawn ?? 0) + 1; // for tests
}

function paint(canvas, values, offset, count) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  const size = height * width;
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = Math.round(255 * values[offset + (count === 1 ? 0 : c * size) + i]);
    pixels.data[4 * i + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}

function enlarge() {
  find("large").getContext("2d").drawImage(tiles[shown].canvas, 0, 0);
  find("caption").textContent = tiles[shown].name;
  tiles.forEach(({ button }, i) => button.setAttribute("aria-pressed", String(i === shown)));
}

function save() {
  const side = Math.max(1, Math.floor(SHEET_TILE / width)) * width, step = side + SHEET_GAP;
  const sheet = Object.assign(document.createElement("canvas"), { width: tiles.length * step - SHEET_GAP, height: side });
  const context = sheet.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingEnabled = false;
  tiles.forEach(({ canvas }, i) => context.drawImage(canvas, i * step, 0, side, side));
  sheet.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: "splitvae.png" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

// ---------------------------------------------------------------- the decoder

async function start() {
  addTiles();
  addSliders();
  if (location.protocol === "file:") {
    throw new Error("a browser opens no decoder from a file. In the folder of this page type: python -m http.server, and open http://localhost:8000");
  }
  const ort = await import("./onnxruntime.js");
  ort.env.wasm.numThreads = 1; // more would need headers that many hosts cannot send
  ort.env.wasm.wasmPaths = { wasm: new URL("onnxruntime.wasm", document.baseURI).href };
  const session = await ort.InferenceSession.create("decoder.onnx", { executionProviders: ["wasm"] });
  decode = async (values) => {
    const outputs = await session.run({ z: new ort.Tensor("float32", values.slice(), [1, values.length]) });
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data]));
  };
  find("sample").addEventListener("click", () => place(z.map((_, j) => model.centre[j] + model.deviation[j] * normal())));
  find("centre").addEventListener("click", () => place(model.centre));
  find("save").addEventListener("click", save);
  await draw();
  for (const button of document.querySelectorAll("#buttons button")) button.disabled = false;
  find("status").textContent = "";
}

start().catch((error) => {
  find("status").className = "error";
  find("status").setAttribute("role", "alert");
  find("status").textContent = `The decoder could not be started: ${error.message ?? error}`;
});
