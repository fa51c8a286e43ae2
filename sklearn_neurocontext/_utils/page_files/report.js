// Show the maps that a report contains.

import { EXPLANATIONS, MapSection } from "./map.js";
import { readNifti } from "./nifti.js";

const content = JSON.parse(document.getElementById("map-content").textContent);
const decode = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const read = (text) => readNifti(new Response(decode(text)));
const kinds = ["z_map", "brain_map"].filter((kind) => kind in content.maps);
const section = new MapSection({ onKind: showKind });

async function showKind(kind) {
  const map = content.maps[kind];
  section.threshold = 0;
  section.setKinds(kinds, kind);
  const explanation = content.explanation || EXPLANATIONS[kind];
  const [anatomy, img] = await Promise.all([read(content.anatomy), read(map.nifti)]);
  section.show(anatomy, [img], [content.title], { ...map, explanation });
  const link = document.getElementById("nifti");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([decode(map.nifti)]));
  link.download = `${kind}.nii.gz`;
}

showKind(kinds[0]);
