// Draw a map over an anatomical image: three slices, or three views of a glass brain.

import { project, sample } from "./nifti.js";
import { format } from "./tables.js";

const PIXELS_PER_MM = 1.5;
// Range of MNI space that is drawn, in mm, on the axes x, y and z.
const RANGE = [[-82, 82], [-116, 84], [-70, 92]];
// Views: the axis that is cut, and the axes of the picture to the right and upward.
const VIEWS = [
  { name: "sagittal", cut: 0, right: 1, up: 2 },
  { name: "coronal", cut: 1, right: 0, up: 2 },
  { name: "axial", cut: 2, right: 0, up: 1 },
];
export const AXES = ["x", "y", "z"];
// The colors of the pictures of the package, from the threshold to the maximum.
const RED = ["#fc8a6a", "#f96245", "#eb372a", "#c8171c", "#a10e15", "#67000d"];
const BLUE = ["#94c4df", "#64a9d3", "#3e8ec4", "#1f6eb3", "#084f99", "#08306b"];
const DENSITY = [
  "#f6d746", "#fca50a", "#f37819", "#dd513a", "#ba3655", "#932667", "#6a176e",
];
const CROSSHAIR = "rgba(0, 140, 90, 0.85)";

const toRgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// Return a table of 256 colors, three numbers each.
function colorTable(colors) {
  const stops = colors.map(toRgb);
  const table = new Uint8ClampedArray(3 * 256);
  for (let n = 0; n < 256; n++) {
    const place = (n / 255) * (stops.length - 1);
    const at = Math.min(Math.floor(place), stops.length - 2);
    for (let c = 0; c < 3; c++) {
      const [low, high] = [stops[at][c], stops[at + 1][c]];
      table[3 * n + c] = low + (place - at) * (high - low);
    }
  }
  return table;
}

const TABLES = { RED: colorTable(RED), BLUE: colorTable(BLUE), DENSITY: colorTable(DENSITY) };

// Return the color tables of positive and negative values.
const tablesOf = (signed) =>
  signed ? [TABLES.RED, TABLES.BLUE] : [TABLES.DENSITY, TABLES.BLUE];

const steps = ([low, high]) =>
  Float32Array.from(
    { length: Math.round((high - low) * PIXELS_PER_MM) },
    (_, n) => low + (n + 0.5) / PIXELS_PER_MM,
  );
const POSITIONS = RANGE.map(steps);

// Viewer of a map. `element` receives three canvases; `onMove` is called with the
// position that was clicked, in mm.
export class Viewer {
  constructor(element, template, onMove) {
    this.template = template;
    this.onMove = onMove;
    this.canvases = VIEWS.map((view) => this.addCanvas(element, view));
    this.glassTemplate = VIEWS.map(({ cut }) =>
      project(template, cut, (a, b) => a + (b > 0 ? 1 : 0)),
    );
  }

  addCanvas(element, view) {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    canvas.width = POSITIONS[view.right].length;
    canvas.height = POSITIONS[view.up].length;
    canvas.setAttribute("role", "img");
    figure.append(canvas, document.createElement("figcaption"));
    element.append(figure);
    const move = (event) => {
      if (this.glass || (event.type === "pointermove" && !event.buttons)) return;
      const box = canvas.getBoundingClientRect();
      const [right, up] = [RANGE[view.right], RANGE[view.up]];
      const u = (event.clientX - box.left) / box.width;
      const v = 1 - (event.clientY - box.top) / box.height;
      const position = this.position.slice();
      position[view.right] = Math.round(right[0] + u * (right[1] - right[0]));
      position[view.up] = Math.round(up[0] + v * (up[1] - up[0]));
      this.onMove(position);
    };
    canvas.addEventListener("pointerdown", move);
    canvas.addEventListener("pointermove", move);
    return canvas;
  }

  setMap(img, name) {
    this.img = img;
    this.name = name;
    const strongest = (a, b) => (Math.abs(b) > Math.abs(a) ? b : a);
    this.glassImg = VIEWS.map(({ cut }) => project(img, cut, strongest));
  }

  // Return the value of the map at a position.
  valueAt(position) {
    return sample(this.img, position.map((one) => [one]))[0];
  }

  draw({ position, threshold, maximum, signed, glass }) {
    this.position = position;
    this.glass = glass;
    VIEWS.forEach((view, n) => {
      const canvas = this.canvases[n];
      const context = canvas.getContext("2d");
      const places = POSITIONS.map((one, axis) =>
        axis === view.cut ? [position[axis]] : one,
      );
      const template = glass ? this.glassTemplate[n] : this.template;
      const shades = sample(template, places);
      const values = sample(glass ? this.glassImg[n] : this.img, places);
      const pixels = context.createImageData(canvas.width, canvas.height);
      const [shade, inside] = glass
        ? [shadeGlass, INSIDE.glass]
        : [shadeSlice, INSIDE.slice];
      const tables = tablesOf(signed);
      fill(pixels, shades, values, { shade, inside, tables, threshold, maximum });
      context.putImageData(pixels, 0, 0);
      if (!glass) drawCrosshair(context, view, position);
      drawSides(context, view);
      const place = glass ? "" : `, ${AXES[view.cut]} = ${format(position[view.cut], 0)} mm`;
      const caption = `${glass ? "glass brain, " : ""}${view.name}${place}`;
      canvas.setAttribute("aria-label", `${this.name}: ${caption}`);
      canvas.nextSibling.textContent = caption;
    });
  }
}

// Return the gray level and the opacity of a voxel of the template.
// Slices have values of 60 to 255, which decrease to 0 at the border of the brain. The
// glass brain has the numbers of voxels on the lines of sight.
const shadeSlice = (value) => [70 + 0.72 * Math.max(value, 60), 4.25 * value];
const shadeGlass = (n) => [165 + 75 * Math.min(1, n / 55), 60 * n];
// Smallest value of each template where a map is drawn.
const INSIDE = { slice: 30, glass: 1 };

// Fill the pixels of a view: the anatomical image, and the map above the threshold.
function fill(pixels, shades, values, { shade, inside, tables, threshold, maximum }) {
  const { width, height, data } = pixels;
  const scale = 255 / Math.max(maximum - threshold, 1e-12);
  for (let v = 0; v < height; v++) {
    for (let u = 0; u < width; u++) {
      const from = v * width + u;
      const to = 4 * ((height - 1 - v) * width + u);
      const magnitude = Math.abs(values[from]);
      if (magnitude >= threshold && shades[from] >= inside) {
        const table = tables[values[from] > 0 ? 0 : 1];
        const color = 3 * Math.min(255, Math.floor((magnitude - threshold) * scale));
        data.set(table.subarray(color, color + 3), to);
        data[to + 3] = 255;
      } else {
        const [gray, opacity] = shade(shades[from]);
        data[to] = data[to + 1] = data[to + 2] = gray;
        data[to + 3] = opacity;
      }
    }
  }
}

function drawCrosshair(context, view, position) {
  const { width, height } = context.canvas;
  const across = (position[view.right] - RANGE[view.right][0]) * PIXELS_PER_MM;
  const down = height - (position[view.up] - RANGE[view.up][0]) * PIXELS_PER_MM;
  context.strokeStyle = CROSSHAIR;
  context.beginPath();
  context.moveTo(across, 0);
  context.lineTo(across, height);
  context.moveTo(0, down);
  context.lineTo(width, down);
  context.stroke();
}

// Write L and R, because left is on the left side.
function drawSides(context, view) {
  if (view.right !== 0) return;
  context.fillStyle = "#808080";
  context.font = "bold 16px sans-serif";
  context.fillText("L", 4, 18);
  context.fillText("R", context.canvas.width - 16, 18);
}

// Draw the colors between the threshold and the maximum, from negative to positive.
export function drawColorBar(canvas, { threshold, maximum, signed }) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const [positive, negative] = tablesOf(signed);
  for (let x = 0; x < width; x++) {
    const share = (x + 0.5) / width;
    const value = (signed ? 2 * share - 1 : share) * maximum;
    if (Math.abs(value) < threshold) continue;
    const place = (Math.abs(value) - threshold) / Math.max(maximum - threshold, 1e-12);
    const at = 3 * Math.min(255, Math.floor(255 * place));
    const table = value > 0 ? positive : negative;
    context.fillStyle = `rgb(${table.subarray(at, at + 3).join(" ")})`;
    context.fillRect(x, 0, 1, height);
  }
}
