// study.js - one study: what the model found, what reviewers made of it, what is still on its way; undo and redo.
import { getJson } from "./api.js";
import { Outbox, newId, same } from "./outbox.js";

const POLL_MS = 3000;
const UNDO_JOINS_MS = 900;  // a row of arrow keys is one step of undo

export class Study extends EventTarget {
  // Events: "change" (anything that is shown), "foreign" (detail: texts on what others did), "refused" (detail: text).
  // `resolve(edit, current)`: asks the reader; true to keep the own edit.
  constructor(job, number, who, resolve) {
    super();
    Object.assign(this, { job, number, who, resolve, undone: [], done: [], acked: 0 });
  }

  async load() {
    const query = `study=${this.number}`;
    [this.report, this.view] = await Promise.all([
      getJson(`jobs/${this.job}/files/report.json?${query}`), getJson(`jobs/${this.job}/review?${query}`)]);
    const files = this.report.volatile.files;
    const file = (source, kind) => files.find((one) => one.source === source && one.name.startsWith(kind))?.name;
    this.slices = (this.report.slices ?? []).map((one) => ({ ...one, picture: one.width ? file(one.source, "slice-") : null,
      preview: file(one.source, "preview-") }));
    this.outbox = new Outbox(this.job, this.number, {
      sent: (edit, answer) => this.sent(edit, answer), refused: (edit, refusal) => this.refused(edit, refusal),
      conflict: (edit, current) => this.conflict(edit, current), changed: () => this.changed() });
    this.timer = setInterval(() => this.poll(), POLL_MS);
  }

  close() {
    clearInterval(this.timer);
    this.outbox.stop();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  of(source) {
    return this.view.slices[source] ?? { revision: 0, accepted: null, vertebrae: {} };
  }

  // As they stand with what is on its way, from top to bottom. `entry`: the last saved edit or null.
  vertebrae(slice) {
    const made = new Map(slice.vertebrae.map((found) => [String(found.id),
      { id: String(found.id), name: String(found.id), state: { box: found.box, labels: found.labels }, found, entry: null }]));
    const put = (id, change) => made.set(id, { id, name: id, found: null, entry: null, ...made.get(id), ...change });
    for (const [id, entry] of Object.entries(this.of(slice.source).vertebrae)) put(id, { state: entry.state, entry });
    for (const edit of this.outbox.edits) {
      if (edit.kind === "vertebra" && edit.slice === slice.source) put(edit.vertebra, { state: edit.state, pending: true });
    }
    let added = 0;
    for (const one of made.values()) if (!one.found) one.name = `new ${++added}`;
    const place = (one) => (one.state ?? one.found ?? { box: [0, 1e9, 0, 1e9] }).box;
    return [...made.values()].sort((a, b) => place(a)[1] + place(a)[3] - place(b)[1] - place(b)[3]);
  }

  // { accepted: entry or null, pending }
  acceptance(slice) {
    let now = { accepted: this.of(slice.source).accepted, pending: false };
    for (const edit of this.outbox.edits) {
      if (edit.slice !== slice.source) continue;
      now = { accepted: edit.kind === "accept" && edit.accepted ? edit : null, pending: edit.kind === "accept" };
    }
    return now;
  }

  state(slice, id) {
    return this.vertebrae(slice).find((one) => one.id === id)?.state ?? null;
  }

  // A step of this reader; state null removes.
  change(slice, id, state) {
    const before = this.state(slice, id), last = this.done.at(-1), now = Date.now();
    const step = { slice, id, before, after: state, at: now };
    const moves = last && last.slice === slice && last.id === id && before && state && last.after && last.before;
    if (moves && now - last.at < UNDO_JOINS_MS && String(before.labels) === String(state.labels) &&
        String(last.before.labels) === String(state.labels)) Object.assign(last, { after: state, at: now });
    else this.done.push(step);
    this.undone = [];
    this.queue(slice, id, state);
  }

  accept(slice, accepted) {
    this.done.push({ slice, accepted, before: !accepted });
    this.undone = [];
    this.queueAccept(slice, accepted);
  }

  add(slice, box) {
    const id = `a${newId(4)}`;
    this.change(slice, id, { box, labels: [] });
    return id;
  }

  // The step, so that it can be shown; null: there is none.
  undo(from = this.done, to = this.undone) {
    const step = from.pop();
    if (!step) return null;
    to.push(step);
    if (step.id) this.queue(step.slice, step.id, from === this.done ? step.before : step.after);
    else this.queueAccept(step.slice, from === this.done ? step.before : step.accepted);
    return step;
  }

  redo() {
    return this.undo(this.undone, this.done);
  }

  queue(slice, id, state) {
    const edit = { who: this.who, slice: slice.source, kind: "vertebra", vertebra: id, state: state && inside(state, slice) };
    const ahead = this.outbox.edits.findLast((one) => same(one, edit));
    edit.based_on = ahead ? ahead.based_on : this.of(slice.source).vertebrae[id]?.revision ?? 0;
    this.outbox.add(edit);
    this.changed();
  }

  queueAccept(slice, accepted) {
    const ahead = this.outbox.edits.findLast((one) => one.slice === slice.source && one.kind === "accept");
    this.outbox.add({ who: this.who, slice: slice.source, kind: "accept", accepted,
      based_on: ahead ? ahead.based_on : this.of(slice.source).revision });
    this.changed();
  }

  sent(edit, answer) {
    const here = (this.view.slices[edit.slice] ??= { revision: 0, accepted: null, vertebrae: {} });
    this.acked = Math.max(this.acked, answer.revision);
    const entry = { revision: answer.revision, who: answer.who, when: answer.when, state: edit.state ?? null };
    // If somebody else changed this slice in between, the next poll shows it.
    if (here.revision === answer.before) here.revision = answer.revision;
    if (edit.kind === "accept") here.accepted = edit.accepted ? entry : null;
    else {
      here.vertebrae[edit.vertebra] = entry;
      here.accepted = null;
    }
  }

  refused(edit, refusal) {
    const what = edit.kind === "accept" ? "Accepting the slice" : "A change of a vertebra";
    this.tell("refused", `${what} was not saved: ${refusal.message}`);
    this.forget(edit);
      this.changed();
  }

  async conflict(edit, current) {
    const keep = await this.resolve(edit, current);
    if (keep && edit.kind === "vertebra") {
      const last = this.outbox.edits.findLast((one) => same(one, edit));
      this.outbox.drop((one) => same(one, edit));
      this.outbox.add({ ...last, based_on: current.revision });
    } else {
      this.outbox.drop((one) => same(one, edit));
      this.forget(edit);
    }
    await this.poll();
  }

  // Undo must not reach behind what somebody else did.
  forget(edit) {
    const theirs = (step) => step.slice.source === edit.slice && (step.id ?? "") === (edit.vertebra ?? "");
    this.done = this.done.filter((step) => !theirs(step));
    this.undone = this.undone.filter((step) => !theirs(step));
  }

  async poll() {
    let view;
    try {
      view = await getJson(`jobs/${this.job}/review?study=${this.number}`);
    } catch {
      return;  // edits that cannot be sent say so; there is nothing else to lose
    }
    // An answer from before the last own edit would take it off the screen.
    if (view.revision <= this.view.revision || view.revision < this.acked) return;
    const news = [], own = (source, id) => this.outbox.edits.some((one) => one.tried && one.slice === source &&
      (one.vertebra ?? "") === id);
    for (const [source, slice] of Object.entries(view.slices)) {
      const had = this.of(source);
      for (const [id, entry] of Object.entries(slice.vertebrae)) {
        if (entry.revision <= (had.vertebrae[id]?.revision ?? 0) || own(source, id)) continue;
        news.push(`${entry.who} changed vertebra ${id.startsWith("a") ? "(added)" : id} on ${source}`);
        this.forget({ slice: source, vertebra: id });
      }
      if (slice.accepted && slice.accepted.revision !== had.accepted?.revision && !own(source, "")) {
        news.push(`${slice.accepted.who} accepted ${source}`);
      }
    }
    this.view = view;
    if (news.length) this.tell("foreign", news);
    this.changed();
  }
}

// A box must lie in its slice; the model's may reach out of it.
export function inside(state, slice) {
  const [x1, y1, x2, y2] = state.box.map((one, i) => Math.min(Math.max(one, 0), i % 2 ? slice.height : slice.width));
  return { box: [x1, y1, x2, y2].map((one) => Math.round(one * 100) / 100), labels: state.labels };
}
