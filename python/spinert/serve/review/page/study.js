// study.js - one study: what the model found, what reviewers made of it, what is still on its way; undo and redo.
import { getJson } from "./api.js";
import { Outbox, newId, same } from "./outbox.js";

const POLL_MS = 3000;
const UNDO_JOINS_MS = 900;  // a row of arrow keys is one step of undo

export class Study {
  // `told`: { changed(), said(text), refused(text), conflict(edit, current): true keeps the own edit }
  constructor(job, number, who, told) {
    Object.assign(this, { job, number, who, told, done: [], undone: [], acked: 0, path: `jobs/${job}/review?study=${number}` });
  }

  async load() {
    [this.report, this.view] = await Promise.all([
      getJson(`jobs/${this.job}/files/report.json?study=${this.number}`), getJson(this.path)]);
    const file = (source, kind) => this.report.volatile.files.find((one) => one.source === source && one.name.startsWith(kind))?.name;
    this.slices = (this.report.slices ?? []).map((one) => ({ ...one, picture: one.width ? file(one.source, "slice-") : undefined,
      preview: file(one.source, "preview-") }));
    this.outbox = new Outbox(this.job, this.number, {
      sent: (...given) => this.sent(...given), refused: (...given) => this.refused(...given),
      conflict: (...given) => this.conflict(...given), changed: () => this.told.changed() });
    this.timer = setInterval(() => this.poll(), POLL_MS);
  }

  close() {
    clearInterval(this.timer);
    this.outbox.stopped = true;
  }

  // What is saved of a slice.
  here(source) {
    return (this.view.slices[source] ??= { revision: 0, accepted: null, vertebrae: {} });
  }

  // As they stand with what is on its way, from top to bottom. `state` null: removed; `entry`: the last saved edit.
  vertebrae(slice) {
    const made = new Map(slice.vertebrae.map((found) => [String(found.id), { state: { box: found.box, labels: found.labels }, found }]));
    const put = (id, change) => made.set(id, { ...made.get(id), ...change });
    for (const [id, entry] of Object.entries(this.here(slice.source).vertebrae)) put(id, { state: entry.state, entry });
    for (const edit of this.outbox.edits) {
      if (edit.kind === "vertebra" && edit.slice === slice.source) put(edit.vertebra, { state: edit.state, pending: true });
    }
    let added = 0;
    const top = ({ state, found }) => (state ?? found)?.box[1] ?? 0;
    return [...made].map(([id, one]) => ({ id, name: one.found ? id : `new ${++added}`, ...one })).sort((a, b) => top(a) - top(b));
  }

  state(slice, id) {
    return this.vertebrae(slice).find((one) => one.id === id)?.state ?? null;
  }

  // The entry or edit that accepts the slice; null: it is not accepted.
  accepted(slice) {
    const last = this.outbox.edits.findLast((edit) => edit.slice === slice.source);
    return last ? last.accepted && last : this.here(slice.source).accepted;
  }

  // A step of this reader; state null removes.
  change(slice, id, state) {
    const before = this.state(slice, id), last = this.done.at(-1), at = Date.now();
    if (before && state && last?.after && last.slice === slice && last.id === id && at - last.at < UNDO_JOINS_MS) {
      Object.assign(last, { after: state, at });
    } else this.done.push({ slice, id, before, after: state, at });
    this.undone = [];
    this.queue(slice, id, state);
  }

  accept(slice, accepted) {
    this.done.push({ slice, before: !accepted, after: accepted });
    this.undone = [];
    this.queue(slice, undefined, accepted);
  }

  add(slice, box) {
    const id = `a${newId(4)}`;
    this.change(slice, id, { box, labels: [] });
    return id;
  }

  // The step that was taken back or, with `again`, done again.
  undo(again) {
    const [from, to] = again ? [this.undone, this.done] : [this.done, this.undone], step = from.pop();
    if (step) {
      to.push(step);
      this.queue(step.slice, step.id, again ? step.after : step.before);
    }
    return step;
  }

  queue(slice, id, state) {
    const edit = { who: this.who, slice: slice.source, ...(id ? { kind: "vertebra", vertebra: id, state: state && inside(state, slice) }
      : { kind: "accept", accepted: state }) };
    const ahead = this.outbox.edits.findLast((one) => same(one, edit)), here = this.here(slice.source);
    edit.based_on = ahead ? ahead.based_on : (id ? here.vertebrae[id]?.revision ?? 0 : here.revision);
    this.outbox.add(edit);
    this.told.changed();
  }

  sent(edit, { revision, before, who, when }) {
    const here = this.here(edit.slice), entry = { revision, who, when };
    this.acked = Math.max(this.acked, revision);
    if (here.revision === before) here.revision = revision;  // else the next poll shows what others did in between
    here.accepted = edit.accepted ? entry : null;
    if (edit.vertebra) here.vertebrae[edit.vertebra] = { ...entry, state: edit.state };
    this.told.changed();
  }

  refused(edit, refusal) {
    this.forget(edit);
    this.told.refused(`${edit.vertebra ? "A change of a vertebra" : "Accepting a slice"} was not saved: ${refusal.message}`);
    this.told.changed();
  }

  async conflict(edit, current) {
    if (edit.vertebra) this.here(edit.slice).vertebrae[edit.vertebra] = current;
    const keep = await this.told.conflict(edit, current), last = this.outbox.edits.findLast((one) => same(one, edit));
    this.outbox.drop((one) => same(one, edit));
    if (keep) this.outbox.add({ ...last, based_on: current.revision });
    else this.forget(edit);
    await this.poll();
    this.told.changed();
  }

  // Undo must not reach behind what somebody else did.
  forget({ slice, vertebra }) {
    const other = (step) => step.slice.source !== slice || step.id !== vertebra;
    [this.done, this.undone] = [this.done.filter(other), this.undone.filter(other)];
  }

  async poll() {
    const view = await getJson(this.path).catch(() => null);  // edits that cannot be sent say so themselves
    // An answer from before the last own edit would take that off the screen.
    if (!view || view.revision <= this.view.revision || view.revision < this.acked) return;
    const news = [], own = (slice, vertebra) => this.outbox.edits.some((one) => one.slice === slice && one.vertebra === vertebra);
    for (const [source, slice] of Object.entries(view.slices)) {
      const had = this.here(source);
      for (const [vertebra, { revision, who }] of Object.entries(slice.vertebrae)) {
        if (revision <= (had.vertebrae[vertebra]?.revision ?? 0) || own(source, vertebra)) continue;
        news.push(`${who} changed ${source}, vertebra ${vertebra}`);
        this.forget({ slice: source, vertebra });
      }
      if (slice.accepted && slice.accepted.revision !== had.accepted?.revision && !own(source)) news.push(`${slice.accepted.who} accepted ${source}`);
    }
    this.view = view;
    if (news.length) this.told.said(news.length > 2 ? `${news.length} changes by others` : news.join(". "));
    this.told.changed();
  }
}

// A box must lie in its slice; the model's may reach out of it.
function inside({ box, labels }, slice) {
  return { box: box.map((one, i) => Math.round(100 * Math.min(Math.max(one, 0), i % 2 ? slice.height : slice.width)) / 100), labels };
}
