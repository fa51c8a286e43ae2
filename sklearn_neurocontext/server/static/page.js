// Ask the server for maps, and show them with their peaks, terms and studies.

import { readNifti } from "./nifti.js";
import { format, makeDownload, makeTable } from "./tables.js";
import { Viewer, drawColorBar } from "./viewer.js";

const AXES = ["x", "y", "z"];
const find = (id) => document.getElementById(id);
const maxText = Number(document.body.dataset.maxText);
const maxMb = Number(document.body.dataset.maxMb);

// What is shown: the question, the description of its map, and the choices of the user.
const state = { kind: null, view: "slices", threshold: 0, position: [0, 0, 0] };
let serverFacts = null;
let viewers = [];
let waiting = new AbortController();

// ---- Requests ----

// Fetch an address; throw an error with the sentence of the server if it refuses.
async function request(path, parameters = {}, options = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  const query = given.length ? `?${new URLSearchParams(given)}` : "";
  let response;
  try {
    response = await fetch(path + query, { signal: waiting.signal, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Check that it is still running.");
  }
  if (!response.ok) throw new Error(await readError(response));
  return response;
}

async function readError(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `The server could not answer (status ${response.status}).`;
  }
}

const requestJson = async (...args) => (await request(...args)).json();
const requestImg = async (...args) => readNifti(await request(...args));
let template = null;
const loadTemplate = () => (template ??= requestImg("/template.nii.gz", {}, { signal: null }));

// Show the state of the model until it is loaded.
async function watchModel() {
  for (;;) {
    try {
      const status = await (await fetch("/api/status")).json();
      find("light").dataset.state = status.state;
      find("model-message").textContent = describeStatus(status);
      if (status.state !== "loading") return status;
    } catch {
      find("light").dataset.state = "failed";
      find("model-message").textContent = "The server does not answer.";
    }
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
}

function describeStatus(status) {
  if (status.state !== "ready") return status.message;
  const studies = (n) => `${n.toLocaleString("en")} studies`;
  const trained = status.n_studies ? `, trained on ${studies(status.n_studies)}` : "";
  const indexed = status.n_indexed_studies;
  return `Model ready${trained}${indexed ? `; ${studies(indexed)} indexed` : ""}`;
}

// ---- Questions ----

// Parameters of a map in a request: those of the difference, or of one text.
const mapParameters = (question) => ({ ...question, map: state.kind });

async function answer(task, message) {
  waiting.abort();
  waiting = new AbortController();
  find("error").hidden = true;
  find("progress").textContent = message;
  try {
    await task();
    find("progress").textContent = "";
  } catch (error) {
    if (error.name === "AbortError") return;
    find("progress").textContent = "";
    find("result").hidden = true;
    find("error").textContent = error.message;
    find("error").hidden = false;
  }
}

function askText(text, minus) {
  const isReady = serverFacts !== null;
  const message = isReady ? "Predicting the map …" : "Waiting for the model …";
  return answer(async () => {
    serverFacts ??= await modelReady;
    state.kind ??= serverFacts.maps[0];
    for (const one of [text, minus]) {
      if (one && one.length > maxText) {
        throw new Error(
          `A text must have at most ${maxText.toLocaleString("en")} characters; this ` +
            `one has ${one.length.toLocaleString("en")}.`,
        );
      }
    }
    await show({ text, minus });
    const texts = [text, minus].filter(Boolean);
    find("progress").textContent = "Ranking tasks and studies …";
    const requestAll = (path) =>
      Promise.all(texts.map((one) => requestJson(path, { text: one })));
    if (serverFacts.has_tasks) showTasks(await requestAll("/api/tasks"));
    if (serverFacts.n_indexed_studies) showStudies(await requestAll("/api/studies"));
  }, message);
}

function decodeFile(file) {
  return answer(async () => {
    if (file.size > maxMb * 2 ** 20) {
      throw new Error(`The file must have at most ${maxMb} MB. Resample the map.`);
    }
    serverFacts ??= await modelReady;
    state.kind ??= serverFacts.maps[0];
    const body = new FormData();
    body.append("file", file, "map");
    const found = await requestJson("/api/decode", {}, { method: "POST", body });
    history.pushState(null, "", "/");
    state.threshold = 0;
    await show({ upload: found.upload }, file.name);
    showDecoded(found);
  }, "Decoding the map …");
}

// Show the map of a question, or the maps of two texts and their difference.
async function show(question, name) {
  const { text, minus } = question;
  const shown = minus ? [{ text }, { text: minus }, question] : [question];
  const [description, anatomy, ...imgs] = await Promise.all([
    requestJson("/api/map", mapParameters(question)),
    loadTemplate(),
    ...shown.map((one) => requestImg("/api/map.nii.gz", mapParameters(one))),
  ]);
  const title = name ? `Uploaded map ${name}` : description.title;
  Object.assign(state, { question, description });
  state.extremes = imgs.map((img) => findExtremes(img.data));
  state.maximum = Math.max(...state.extremes.map(({ low, high }) => Math.max(-low, high)));
  state.threshold ||= Math.min(description.threshold, 0.9 * state.maximum);
  const first = description.peaks[0];
  state.position = first ? AXES.map((axis) => first[axis]) : [0, 0, 0];
  find("title").textContent = title;
  document.title = `${title} – brain map`;
  makeViewers(anatomy, imgs, minus ? [text, minus, "difference"] : [title]);
  setControls();
  showTexts(description);
  find("tasks").replaceChildren();
  find("studies").replaceChildren();
  find("result").hidden = false;
  draw();
  find("result").focus({ preventScroll: true });
}

function findExtremes(values) {
  let [low, high] = [0, 0];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}

// ---- The map ----

function makeViewers(anatomy, imgs, names) {
  const place = find("viewers");
  place.replaceChildren();
  place.className = imgs.length > 1 ? "several" : "single";
  viewers = imgs.map((img, n) => {
    const element = document.createElement("div");
    element.className = "viewer";
    if (imgs.length > 1) {
      const heading = document.createElement("h4");
      heading.textContent = names[n];
      element.append(heading);
    }
    place.append(element);
    const viewer = new Viewer(element, anatomy, movePosition);
    viewer.setMap(img, names[n]);
    return viewer;
  });
}

function movePosition(position) {
  state.position = position;
  draw();
}

function setControls() {
  for (const input of document.querySelectorAll("[name=kind]")) {
    input.checked = input.value === state.kind;
    input.parentElement.hidden = !serverFacts.maps.includes(input.value);
  }
  find("kinds").hidden = Boolean(state.question.upload) || serverFacts.maps.length < 2;
  for (const input of document.querySelectorAll("[name=view]")) {
    input.checked = input.value === state.view;
  }
  const slider = find("threshold");
  slider.max = state.maximum;
  slider.value = state.threshold;
}

const explanations = {
  z_map: "z compares the map of the text with the average study: red is more, blue is less. Values are not corrected for multiple comparisons.",
  brain_map: "The brain map is the density of peaks to expect in a study with this text.",
  minus: "The difference is the map of the first text minus the map of the second text. z compares the difference with pairs of texts in permuted data.",
  upload: "The uploaded map, resampled to the voxels of the model.",
};

let pendingFrame = 0;
// Draw everything that depends on the threshold, the position and the view.
function draw() {
  cancelAnimationFrame(pendingFrame);
  pendingFrame = requestAnimationFrame(drawNow);
}

function drawNow() {
  const { threshold, position, maximum, view, description, question } = state;
  const signed = state.extremes.some(({ low }) => -low >= threshold);
  const options = { threshold, position, maximum, signed, glass: view === "glass" };
  const digits = maximum >= 10 ? 1 : 2;
  const isSurface = view === "surface";
  find("viewers").hidden = isSurface;
  find("bar").hidden = isSurface;
  find("surface").hidden = !isSurface;
  find("position").hidden = view !== "slices";
  if (isSurface) showSurface();
  else for (const viewer of viewers) viewer.draw(options);
  drawColorBar(find("bar-colors"), options);
  find("bar-low").textContent = signed ? format(-maximum, digits) : "0";
  find("bar-high").textContent = format(maximum, digits);
  find("bar-unit").textContent = description.unit;
  find("threshold-value").textContent = format(threshold, digits);
  find("threshold").setAttribute("aria-valuetext", format(threshold, digits));
  AXES.forEach((axis, n) => {
    find(axis).value = position[n];
    find("position").querySelector(`output[for=${axis}]`).textContent =
      `${format(position[n], 0)} mm`;
  });
  const values = viewers.map((one) => `${viewers.length > 1 ? `${one.name}: ` : ""}${format(one.valueAt(position))}`);
  find("value").textContent = `Value at this position: ${values.join(", ")}`;
  const kind = question.upload ? "upload" : question.minus ? "minus" : state.kind;
  find("explanation").textContent = explanations[kind];
  showPeaks();
  updateLinks();
}

function showSurface() {
  const query = new URLSearchParams(
    Object.entries({ ...mapParameters(state.question), threshold: state.threshold })
      .filter(([, value]) => value),
  );
  const address = `/api/surface.html?${query}`;
  if (find("surface").getAttribute("src") !== address) find("surface").src = address;
}

// Set the addresses of the downloads, and the address of the page.
function updateLinks() {
  const { question, threshold } = state;
  const query = new URLSearchParams(
    Object.entries(mapParameters(question)).filter(([, value]) => value),
  );
  find("nifti").href = `/api/map.nii.gz?${query}`;
  find("nifti").download = `${question.upload ? "map" : state.kind}.nii.gz`;
  query.set("threshold", threshold);
  find("png").href = `/api/map.png?${query}`;
  find("png").download = `${question.upload ? "map" : state.kind}.png`;
  find("link").hidden = Boolean(question.upload);
  if (question.upload) return;
  query.set("threshold", threshold.toPrecision(4));
  query.set("view", state.view);
  find("link").href = `/?${query}`;
}

const replaceAddress = () => {
  if (!state.question?.upload) history.replaceState(null, "", find("link").href);
};

// ---- Tables ----

const link = (text, address) => {
  const anchor = document.createElement("a");
  anchor.textContent = text;
  anchor.href = address;
  return anchor;
};
const number = (name, heading, digits = 2) => ({
  name,
  heading,
  number: true,
  cell: (row) => format(row[name], digits),
});
const count = (name, heading) => ({
  name,
  heading,
  number: true,
  cell: (row) => row[name]?.toLocaleString("en"),
});

const termColumns = [
  { heading: "term", cell: ({ term }) => link(term, `/?${new URLSearchParams({ text: term })}`) },
  number("weight_in_brain_map", "similarity of maps"),
  number("similarity", "similarity of texts"),
  count("n_documents", "training studies"),
];
const linkToPubmed = (title, address) => {
  if (!address) return title;
  const anchor = link(title, address);
  anchor.rel = "noopener noreferrer";
  anchor.target = "_blank";
  return anchor;
};
const studyColumns = [
  { heading: "study", cell: ({ title, pubmed_url }) => linkToPubmed(title, pubmed_url) },
  { heading: "year", name: "year" },
  { heading: "journal", name: "journal" },
  number("similarity", "similarity"),
];
const taskColumns = [
  { heading: "task", name: "candidate" },
  number("similarity", "similarity"),
  count("n_studies", "training studies"),
];
const rankingColumns = [
  {
    heading: "candidate",
    cell: ({ candidate, pubmed_url }) => linkToPubmed(candidate, pubmed_url),
  },
  { heading: "year", name: "year" },
  number("similarity", "similarity"),
  count("n_studies", "training studies"),
  number("percentile", "percentile"),
  number("p_value", "p", 4),
  number("q_value", "q (FDR)", 4),
];

// Return a part of the page with a heading, a table and its download.
function makePart(heading, note, columns, rows, file) {
  const part = document.createElement("div");
  const title = document.createElement("h3");
  title.textContent = heading;
  part.append(title);
  if (note) {
    const paragraph = document.createElement("p");
    paragraph.className = "hint";
    paragraph.textContent = note;
    part.append(paragraph);
  }
  if (!rows.length) return part;
  const shown = columns.filter(
    ({ name }) => !name || rows.some((row) => !["", null, undefined].includes(row[name])),
  );
  const frame = document.createElement("div");
  frame.className = "table";
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", heading);
  frame.append(makeTable("", shown, rows));
  part.append(frame, makeDownload(file, rows));
  return part;
}

function makeWarning(text) {
  const warning = document.createElement("p");
  warning.className = "warning";
  warning.textContent = text;
  return warning;
}

function showTexts({ texts, low_confidence: ofDifference }) {
  find("texts").replaceChildren(...texts.map(({ marked, low_confidence }) => {
    const part = document.createElement("div");
    const quote = document.createElement("blockquote");
    quote.innerHTML = marked; // The server has escaped the text.
    part.append(quote);
    if (low_confidence) part.append(makeWarning(low_confidence));
    return part;
  }));
  if (ofDifference) find("texts").append(makeWarning(`Difference: ${ofDifference}`));
  const note = "Terms whose maps are most similar to the map of the text, after subtraction of the mean map.";
  showTables("terms", "Terms", note, termColumns, texts);
}

let shownPeaks = "";
function showPeaks() {
  const { description, threshold } = state;
  const peaks = description.peaks.filter(({ value }) => Math.abs(value) >= threshold);
  // The table is made anew only if its rows change, so that a slider keeps its focus.
  const key = JSON.stringify([description.title, description.map, peaks.length]);
  if (key === shownPeaks) return;
  shownPeaks = key;
  const columns = [
    {
      heading: "position (x, y, z in mm)",
      cell(row) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = AXES.map((axis) => format(row[axis], 0)).join(", ");
        button.addEventListener("click", () => {
          state.view = "slices";
          movePosition(AXES.map((axis) => row[axis]));
          setControls();
        });
        return button;
      },
    },
    { heading: "nearest region", name: "region" },
    { heading: "network", name: "network" },
    number("value", description.unit),
  ];
  const note = peaks.length
    ? "Strongest voxels above the threshold, at least 12 mm apart. Select a position to see it in the slices."
    : "No voxel reaches the threshold.";
  find("peaks").replaceChildren(makePart("Peaks", note, columns, peaks, "peaks.csv"));
}

// Show a table for each text. The rows of the answers have the key `name`.
function showTables(name, heading, note, columns, answers) {
  const several = answers.length > 1;
  find(name).className = several ? "several" : "";
  find(name).replaceChildren(...answers.map((one) =>
    makePart(several ? `${heading} for “${one.text}”` : heading, note, columns, one[name], `${name}.csv`),
  ));
}

function showTasks(answers) {
  const note = "Tasks of the Cognitive Atlas whose names and definitions match the brain map best.";
  showTables("tasks", "Tasks", note, taskColumns, answers);
}

function showStudies(answers) {
  const note = "Studies of the corpus whose maps are most similar to the text.";
  showTables("studies", "Studies", note, studyColumns, answers);
}

function showDecoded({ terms, tasks, studies, null_maps: nullMaps }) {
  const note = `The null distribution of percentiles, p and q was computed from ${nullMaps}.`;
  showTables("terms", "Terms", note, rankingColumns, [{ terms }]);
  if (tasks.length) showTables("tasks", "Tasks", "", rankingColumns, [{ tasks }]);
  if (studies.length) showTables("studies", "Studies", "", rankingColumns, [{ studies }]);
}

// ---- Events ----

find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const [text, minus] = [find("text").value.trim(), find("minus").value.trim()];
  const query = new URLSearchParams({ text });
  if (minus) query.set("minus", minus);
  if (text.length + minus.length <= 2 * maxText) history.pushState(null, "", `/?${query}`);
  state.threshold = 0;
  askText(text, minus);
});
find("decode").addEventListener("submit", (event) => {
  event.preventDefault();
  decodeFile(find("file").files[0]);
});
find("threshold").addEventListener("input", () => {
  state.threshold = Math.max(Number(find("threshold").value), 1e-3 * state.maximum);
  if (state.view !== "surface") draw();
});
find("threshold").addEventListener("change", () => {
  drawNow();
  replaceAddress();
});
for (const [n, axis] of AXES.entries()) {
  find(axis).addEventListener("input", () => {
    const position = state.position.slice();
    position[n] = Number(find(axis).value);
    movePosition(position);
  });
}
for (const input of document.querySelectorAll("[name=view]")) {
  input.addEventListener("change", () => {
    state.view = input.value;
    drawNow();
    replaceAddress();
  });
}
for (const input of document.querySelectorAll("[name=kind]")) {
  input.addEventListener("change", async () => {
    state.kind = input.value;
    state.threshold = 0;
    await askText(state.question.text, state.question.minus);
    replaceAddress();
  });
}
window.addEventListener("popstate", openAddress);

// Show what the address of the page asks for.
function openAddress() {
  const query = new URLSearchParams(location.search);
  const text = query.get("text") ?? "";
  find("text").value = text;
  find("minus").value = query.get("minus") ?? "";
  find("compare").open = Boolean(query.get("minus"));
  if (!text) {
    find("result").hidden = true;
    return;
  }
  state.kind = query.get("map");
  state.threshold = Number(query.get("threshold")) || 0;
  if (["slices", "glass", "surface"].includes(query.get("view"))) {
    state.view = query.get("view");
  }
  askText(text, find("minus").value);
}

const modelReady = watchModel();
openAddress();
