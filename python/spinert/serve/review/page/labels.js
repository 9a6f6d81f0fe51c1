// labels.js - names and colours of the labels, those of the report page (diagnosis/report/wording.cpp).

const KNOWN = {
  OVCF: ["Osteoporotic vertebral compression fracture", "#e15f19"], OF: ["Old fracture", "#eca514"], SN: ["Schmorl's node", "#56b4e9"],
  KD: ["K\u00fcmmell's disease", "#d682b4"], PS: ["Previous surgery", "#f0e442"], normal: ["No disease", "#14b282"],
};
const OTHER = "#4682dc", NONE = "#aab0b6";

export const title = (label) => KNOWN[label]?.[0] ?? "";
// Of a box: a disease colours it rather than normal.
export function colour(labels) {
  const label = labels.find((one) => one !== "normal") ?? labels[0];
  return label ? KNOWN[label]?.[1] ?? OTHER : NONE;
}

const both = (labels) => labels.includes("normal") && labels.length > 1;
export const labelText = (labels) => (both(labels) ? "contradictory: " : "") + (labels.join(", ") || "no label");
// Training takes a vertebra with a disease or more, or with normal alone.
export const needsLabels = (labels) => !labels.length || both(labels);

export function toggled(labels, label, order) {
  if (label === "normal") return labels.includes(label) && !both(labels) ? [] : [label];
  const had = labels.includes(label) && !both(labels);
  return order.filter((one) => one !== "normal" && (one === label ? !had : labels.includes(one)));
}
