// labels.js - names and colours of the labels, those of the report page (diagnosis/report/wording.cpp).

const KNOWN = {
  OVCF: ["Osteoporotic vertebral compression fracture", "#e15f19"], OF: ["Old fracture", "#eca514"],
  SN: ["Schmorl's node", "#56b4e9"], KD: ["K\u00fcmmell's disease", "#d682b4"], PS: ["Previous surgery", "#f0e442"],
  normal: ["Normal", "#14b282"],
};
const OTHER = "#4682dc", NONE = "#aab0b6";
export const NORMAL = "normal";

export const title = (label) => KNOWN[label]?.[0] ?? label;
export const colour = (label) => (label ? KNOWN[label]?.[1] ?? OTHER : NONE);

// A disease colours a box rather than normal.
export const leading = (labels) => labels.find((one) => one !== NORMAL) ?? labels[0] ?? "";

export function labelText(labels) {
  if (!labels.length) return "no label";
  return (contradictory(labels) ? "contradictory: " : "") + labels.join(", ");
}

export const contradictory = (labels) => labels.includes(NORMAL) && labels.length > 1;

// Training takes a vertebra with a disease or more, or with normal alone.
export const needsLabels = (labels) => !labels.length || contradictory(labels);

export function toggled(labels, label) {
  if (labels.includes(label) && !contradictory(labels)) return labels.filter((one) => one !== label);
  if (label === NORMAL) return [NORMAL];
  const others = labels.filter((one) => one !== NORMAL);
  return others.includes(label) ? others : [...others, label];
}
