// Ask the server for maps, and show them with their peaks, terms and studies.

import { EXPLANATIONS, MapSection } from "/shared/map.js";
import { readNifti } from "/shared/nifti.js";
import { count, makePart, number } from "/shared/tables.js";

const find = (id) => document.getElementById(id);
const maxText = Number(document.body.dataset.maxText);
const maxMb = Number(document.body.dataset.maxMb);

// What is shown: the question, and the map that was chosen.
const state = { kind: null, question: null };
const map = new MapSection({
  onDraw: showView,
  onChoice: replaceAddress,
  onKind: async (kind) => {
    state.kind = kind;
    map.threshold = 0;
    await askText(state.question.text, state.question.minus);
    replaceAddress();
  },
});
let serverFacts = null;
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
    map.threshold = 0;
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
  state.question = question;
  find("title").textContent = title;
  document.title = `${title} – brain map`;
  map.setKinds(question.upload ? [] : serverFacts.maps, state.kind);
  const kind = question.upload ? "upload" : minus ? "minus" : state.kind;
  const names = minus ? [text, minus, "difference"] : [title];
  map.show(anatomy, imgs, names, { ...description, explanation: EXPLANATIONS[kind] });
  showTexts(description);
  find("tasks").replaceChildren();
  find("studies").replaceChildren();
  find("result").hidden = false;
  find("result").focus({ preventScroll: true });
}

// ---- The map ----

// Show the surface if it was chosen, and set the addresses that depend on the map.
function showView() {
  find("surface").hidden = map.view !== "surface";
  if (map.view === "surface") showSurface();
  updateLinks();
}

function showSurface() {
  const query = new URLSearchParams(
    Object.entries({ ...mapParameters(state.question), threshold: map.threshold })
      .filter(([, value]) => value),
  );
  const address = `/api/surface.html?${query}`;
  if (find("surface").getAttribute("src") !== address) find("surface").src = address;
}

// Set the addresses of the downloads, and the address of the page.
function updateLinks() {
  const { threshold } = map;
  const { question } = state;
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
  query.set("view", map.view);
  find("link").href = `/?${query}`;
}

function replaceAddress() {
  if (!state.question?.upload) history.replaceState(null, "", find("link").href);
}

// ---- Tables ----

const link = (text, address) => {
  const anchor = document.createElement("a");
  anchor.textContent = text;
  anchor.href = address;
  return anchor;
};
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

function makeParagraph(className, text) {
  const paragraph = document.createElement("p");
  paragraph.className = className;
  paragraph.textContent = text;
  return paragraph;
}

function showTexts({ texts, low_confidence: ofDifference }) {
  find("texts").replaceChildren(...texts.map(({ marked, support, low_confidence }) => {
    const part = document.createElement("div");
    const quote = document.createElement("blockquote");
    quote.innerHTML = marked; // The server has escaped the text.
    part.append(quote);
    if (support) part.append(makeParagraph("hint", support));
    if (low_confidence) part.append(makeParagraph("warning", low_confidence));
    return part;
  }));
  if (ofDifference) {
    find("texts").append(makeParagraph("warning", `Difference: ${ofDifference}`));
  }
  const note = "Terms whose maps are most similar to the map of the text, after subtraction of the mean map.";
  showTables("terms", "Terms", note, termColumns, texts);
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
  map.threshold = 0;
  askText(text, minus);
});
find("decode").addEventListener("submit", (event) => {
  event.preventDefault();
  decodeFile(find("file").files[0]);
});
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
  map.threshold = Number(query.get("threshold")) || 0;
  if (["slices", "glass", "surface"].includes(query.get("view"))) {
    map.view = query.get("view");
  }
  askText(text, find("minus").value);
}

const modelReady = watchModel();
openAddress();
