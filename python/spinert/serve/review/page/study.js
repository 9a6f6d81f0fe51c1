// study.js - one study: what the model found, what reviewers made of it, what is still on its way; undo and redo.
import { getJson } from "./api.js";
import { newId, outboxOf, same } from "./outbox.js";

const POLL_MS = 3000;
const UNDO_JOINS_MS = 900;  // a row of arrow keys is one step of undo

export class Study {
  // `told`: { changed(), said(text), refused(text), conflict(edit, current): true keeps the own edit }
  constructor(job, number, who, told) {
    Object.assign(this, { job, number, who, told, done: [], undone: [], newest: 0, path: `jobs/${job}/review?study=${number}` });
  }

  async load() {
    [this.report, this.view] = await Promise.all([getJson(`jobs/${this.job}/files/report.json?study=${this.number}`), getJson(this.path)]);
    const file = (source, kind) => this.report.volatile.files.find((one) => one.source === source && one.name.startsWith(kind))?.name;
    this.slices = (this.report.slices ?? []).map((one) => ({ ...one, picture: file(one.source, "slice-"), preview: file(one.source, "preview-") }));
    this.outbox = outboxOf(this.job, this.number, this.path, {
      sent: (...given) => this.sent(...given), refused: (...given) => this.refused(...given),
      conflict: (...given) => this.conflict(...given), changed: () => this.told.changed() });
    this.timer = setInterval(() => this.poll(), POLL_MS);
  }

  close() {
    clearInterval(this.timer);
    this.outbox.leave();
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
    for (const { vertebra, state } of this.outbox.edits.filter((one) => one.slice === slice.source && one.vertebra)) put(vertebra, { state, pending: true });
    let added = 0;
    const place = ({ state, found }) => (state ?? found)?.box[1] + (state ?? found)?.box[3] || 0;
    return [...made].map(([id, one]) => ({ id, name: one.found ? id : `new ${++added}`, ...one })).sort((a, b) => place(a) - place(b));
  }

  state(slice, id) {
    return this.vertebrae(slice).find((one) => one.id === id)?.state ?? null;
  }

  // The entry or edit that accepts the slice; null: it is not accepted.
  accepted(slice) {
    const last = this.outbox.edits.findLast((edit) => edit.slice === slice.source);
    return last ? last.accepted && last : this.here(slice.source).accepted;
  }

  // A step of this reader: a new state of a vertebra (null removes it) or, without an id, of the acceptance.
  change(slice, id, state) {
    const before = id ? this.state(slice, id) : !state, last = this.done.at(-1), at = Date.now();
    if (id && before && state && last?.after && last.slice === slice && last.id === id && at - last.at < UNDO_JOINS_MS) {
      Object.assign(last, { after: state, at });
    } else this.done.push({ slice, id, before, after: state, at });
    this.undone = [];
    this.queue(slice, id, state);
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
    const edit = { who: this.who, slice: slice.source, ...(id ? { vertebra: id, state: state && inside(state, slice) } : { accepted: state }) };
    const ahead = this.outbox.edits.findLast((one) => same(one, edit)), here = this.here(slice.source);
    this.outbox.add({ ...edit, based_on: (ahead?.based_on ?? (id ? here.vertebrae[id] : here)?.revision ?? 0) });
    this.told.changed();
  }

  sent(edit, entry) {
    const here = this.here(edit.slice);
    this.newest = Math.max(this.newest, entry.revision);
    if (entry.revision > this.view.revision) {  // else the view knows it, and maybe what came after it
      if (here.revision === entry.before) here.revision = entry.revision;  // else the next poll shows what others did in between
      here.accepted = entry.accepted ? entry : null;
      if (edit.vertebra) here.vertebrae[edit.vertebra] = entry;
    }
    this.told.changed();
  }

  refused(edit, { message }) {
    this.forget(edit);
    this.told.refused(`${edit.vertebra ? "A change of a vertebra" : "Accepting a slice"} was not saved: ${message}`);
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
    if (!view || view.revision <= this.view.revision || view.revision < this.newest) return;
    const news = [], own = (slice, vertebra) => this.outbox.edits.some((one) => same(one, { slice, vertebra }));
    for (const [slice, { accepted, vertebrae }] of Object.entries(view.slices)) {
      const had = this.here(slice);
      for (const [vertebra, { revision, who }] of Object.entries(vertebrae)) {
        if (revision <= (had.vertebrae[vertebra]?.revision ?? 0) || own(slice, vertebra)) continue;
        news.push(`${who} changed ${slice}, vertebra ${vertebra}`);
        this.forget({ slice, vertebra });
      }
      if (accepted && accepted.revision !== had.accepted?.revision && !own(slice)) news.push(`${accepted.who} accepted ${slice}`);
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
