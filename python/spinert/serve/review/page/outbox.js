// outbox.js - edits on their way to the service, in their order, one at a time. Each lies in localStorage until the
// service has it on its disk, so a reload, a crash or a stopped service loses none. An edit has an id of its own: sent
// twice it is written once.
import { postJson } from "./api.js";

const RETRY_MS = 2000;

export const newId = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)),
  (one) => one.toString(16).padStart(2, "0")).join("");

export class Outbox {
  // `told`: { sent(edit, answer), conflict(edit, current), refused(edit, refusal), changed(problem or null) }
  constructor(job, study, told) {
    this.path = `jobs/${job}/review?study=${study}`;
    this.prefix = `spinert.edit.${job}.${study}.`;
    this.told = told;
    this.problem = null;
    this.stopped = false;
    this.edits = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix)).sort()
      .map((key) => ({ ...JSON.parse(localStorage.getItem(key)), key, tried: true }));
    this.running = false;
    this.run();
  }

  add(edit) {
    const last = this.edits.at(-1);
    if (last && !last.tried && edit.kind === "vertebra" && same(last, edit)) last.state = edit.state;
    else {
      this.number = Math.max(Date.now(), (this.number ?? 0) + 1);
      this.edits.push({ ...edit, edit: newId(16), key: `${this.prefix}${this.number}`, tried: false });
    }
    this.keep(this.edits.at(-1));
    this.run();
  }

  keep({ key, tried, ...edit }) {
    try {
      localStorage.setItem(key, JSON.stringify(edit));
    } catch { /* Full or forbidden: the edit is still sent from memory. */ }
  }

  drop(which) {
    for (const edit of this.edits.filter(which)) localStorage.removeItem(edit.key);
    this.edits = this.edits.filter((edit) => !which(edit));
  }

  stop() {
    this.stopped = true;
  }

  async run() {
    if (this.running) return;
    this.running = true;
    try {
      // One turn of the loop later, so that the caller has finished what it was at.
      await Promise.resolve();
      while (this.edits.length && !this.stopped) await this.send(this.edits[0]);
    } finally {
      this.running = false;
    }
    this.tell(null);
  }

  tell(problem) {
    this.problem = problem;
    this.told.changed();
  }

  async send(edit) {
    edit.tried = true;
    this.told.changed();
    const { key, tried, ...body } = edit;
    try {
      const answer = await postJson(this.path, body);
      // Later edits of the same thing were based on this one; those of a thing that others changed meanwhile stay as
      // they are and become conflicts.
      for (const later of this.edits.filter((one) => one !== edit && one.slice === edit.slice)) {
        const before = later.kind === "accept" ? answer.before : same(later, edit) ? edit.based_on : -1;
        if (later.based_on === before) {
          later.based_on = answer.revision;
          this.keep(later);
        }
      }
      this.drop((one) => one === edit);
      this.told.sent(edit, answer);
      this.tell(null);
    } catch (problem) {
      if (problem.status === 409 && problem.error === "conflict") await this.told.conflict(edit, problem.body.current);
      else if (problem.status >= 400 && problem.status < 500 && problem.status !== 408 && problem.status !== 429) {
        this.drop((one) => one === edit);
        this.told.refused(edit, problem);
      } else {
        this.tell(problem);
        await new Promise((again) => setTimeout(again, RETRY_MS));
      }
    }
  }
}

export const same = (a, b) => a.slice === b.slice && a.kind === b.kind && a.vertebra === b.vertebra;
