// The section of a page that shows maps: viewers, threshold, color bar and peaks.

import { format, makePart, number } from "./tables.js";
import { AXES, Viewer, drawColorBar } from "./viewer.js";

const find = (id) => document.getElementById(id);
const inputs = (name) => document.querySelectorAll(`[name=${name}]`);

export const EXPLANATIONS = {
  z_map: "z compares the map of the text with the average study: red is more, blue is less. Values are not corrected for multiple comparisons.",
  brain_map: "The brain map is the density of peaks to expect in a study with this text.",
  minus: "The difference is the map of the first text minus the map of the second text. z compares the difference with pairs of texts in permuted data.",
  upload: "The uploaded map, resampled to the voxels of the model.",
};

function findExtremes(values) {
  let [low, high] = [0, 0];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}

// Maps with the controls of the template map.html. `onDraw` is called after each drawing,
// `onChoice` after a choice of a threshold or view, and `onKind` with the chosen map.
export class MapSection {
  constructor({ onDraw = () => {}, onChoice = () => {}, onKind = () => {} }) {
    this.view = "slices";
    // A threshold of 0 is replaced by the default of the map.
    this.threshold = 0;
    this.position = [0, 0, 0];
    this.viewers = [];
    this.onDraw = onDraw;
    find("threshold").addEventListener("input", () => {
      this.threshold = Math.max(Number(find("threshold").value), 1e-3 * this.maximum);
      if (this.view !== "surface") this.draw();
    });
    find("threshold").addEventListener("change", () => {
      this.drawNow();
      onChoice();
    });
    for (const [n, axis] of AXES.entries()) {
      find(axis).addEventListener("input", () => {
        const position = this.position.slice();
        position[n] = Number(find(axis).value);
        this.move(position);
      });
    }
    for (const input of inputs("view")) {
      input.addEventListener("change", () => {
        this.view = input.value;
        this.drawNow();
        onChoice();
      });
    }
    for (const input of inputs("kind")) {
      input.addEventListener("change", () => onKind(input.value));
    }
  }

  // Offer the maps of a text, if there are several, and mark the one that is shown.
  setKinds(kinds, shown) {
    for (const input of inputs("kind")) {
      input.checked = input.value === shown;
      input.parentElement.hidden = !kinds.includes(input.value);
    }
    find("kinds").hidden = kinds.length < 2;
  }

  // Show maps with their names. `content` has the title, the unit, the explanation, the
  // default threshold and the peaks of the last map.
  show(anatomy, imgs, names, content) {
    this.content = content;
    this.extremes = imgs.map((img) => findExtremes(img.data));
    this.maximum = Math.max(...this.extremes.map(({ low, high }) => Math.max(-low, high)));
    this.threshold ||= Math.min(content.threshold, 0.9 * this.maximum);
    const [first] = content.peaks;
    this.position = first ? AXES.map((axis) => first[axis]) : [0, 0, 0];
    this.makeViewers(anatomy, imgs, names);
    find("threshold").max = this.maximum;
    find("threshold").value = this.threshold;
    find("explanation").textContent = content.explanation;
    this.shownPeaks = null;
    this.draw();
  }

  makeViewers(anatomy, imgs, names) {
    const place = find("viewers");
    place.replaceChildren();
    place.className = imgs.length > 1 ? "several" : "single";
    this.viewers = imgs.map((img, n) => {
      const element = document.createElement("div");
      element.className = "viewer";
      if (imgs.length > 1) {
        const heading = document.createElement("h4");
        heading.textContent = names[n];
        element.append(heading);
      }
      place.append(element);
      const viewer = new Viewer(element, anatomy, (position) => this.move(position));
      viewer.setMap(img, names[n]);
      return viewer;
    });
  }

  move(position) {
    this.position = position;
    this.draw();
  }

  // Draw everything that depends on the threshold, the position and the view.
  draw() {
    cancelAnimationFrame(this.pendingFrame);
    this.pendingFrame = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    const { threshold, position, maximum, view, viewers } = this;
    const signed = this.extremes.some(({ low }) => -low >= threshold);
    const options = { threshold, position, maximum, signed, glass: view === "glass" };
    const isSurface = view === "surface";
    for (const input of inputs("view")) input.checked = input.value === view;
    find("viewers").hidden = isSurface;
    find("bar").hidden = isSurface;
    find("position").hidden = view !== "slices";
    if (!isSurface) for (const viewer of viewers) viewer.draw(options);
    drawColorBar(find("bar-colors"), options);
    const digits = maximum >= 10 ? 1 : 2;
    find("bar-low").textContent = signed ? format(-maximum, digits) : "0";
    find("bar-high").textContent = format(maximum, digits);
    find("bar-unit").textContent = this.content.unit;
    find("threshold-value").textContent = format(threshold, digits);
    find("threshold").setAttribute("aria-valuetext", format(threshold, digits));
    AXES.forEach((axis, n) => {
      find(axis).value = position[n];
      find("position").querySelector(`output[for=${axis}]`).textContent =
        `${format(position[n], 0)} mm`;
    });
    const values = viewers.map((one) => `${viewers.length > 1 ? `${one.name}: ` : ""}${format(one.valueAt(position))}`);
    find("value").textContent = `Value at this position: ${values.join(", ")}`;
    this.showPeaks();
    this.onDraw();
  }

  showPeaks() {
    const { content, threshold } = this;
    const peaks = content.peaks.filter(({ value }) => Math.abs(value) >= threshold);
    // The table is made anew only if its rows change, so that a slider keeps its focus.
    if (peaks.length === this.shownPeaks) return;
    this.shownPeaks = peaks.length;
    const columns = [
      { heading: "position (x, y, z in mm)", cell: (row) => this.makePositionButton(row) },
      { heading: "nearest region", name: "region" },
      { heading: "network", name: "network" },
      number("value", content.unit),
    ];
    const note = peaks.length
      ? "Strongest voxels above the threshold, at least 12 mm apart. Select a position to see it in the slices."
      : "No voxel reaches the threshold.";
    find("peaks").replaceChildren(makePart("Peaks", note, columns, peaks, "peaks.csv"));
  }

  makePositionButton(row) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = AXES.map((axis) => format(row[axis], 0)).join(", ");
    button.addEventListener("click", () => {
      this.view = "slices";
      this.move(AXES.map((axis) => row[axis]));
    });
    return button;
  }
}
