// outbox.js - edits on their way to the service, in their order, one at a time. Each lies in localStorage until the
// service has it on its disk, so a reload, a crash or a stopped service loses none. An edit has an id of its own: sent
// twice it is written once.
import { postJson } from "./api.js";

const RETRY_MS = 2000;

export const newId = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (one) => one.toString(16).padStart(2, "0")).join("");
export const same = (a, b) => a.slice === b.slice && a.kind === b.kind && a.vertebra === b.vertebra;

export class Outbox {
  // `told`: { sent(edit, answer), conflict(edit, current), refused(edit, refusal), changed() }
  constructor(job, study, told) {
    const prefix = `spinert.edit.${job}.${study}.`;
    Object.assign(this, { prefix, told, problem: null, stopped: false, running: false, number: 0, path: `jobs/${job}/review?study=${study}` });
    this.edits = Object.keys(localStorage).filter((key) => key.startsWith(prefix)).sort().map((key) => JSON.parse(localStorage.getItem(key)));
  }

  add(edit) {
    this.number = Math.max(Date.now(), this.number + 1);
    this.edits.push({ ...edit, edit: newId(16), at: `${this.prefix}${this.number}` });
    this.keep(this.edits.at(-1));
    this.run();
  }

  keep(edit) {
    try {
      localStorage.setItem(edit.at, JSON.stringify(edit));
    } catch { /* Full or forbidden: it is sent from memory all the same. */ }
  }

  drop(which) {
    for (const edit of this.edits.filter(which)) localStorage.removeItem(edit.at);
    this.edits = this.edits.filter((edit) => !which(edit));
  }

  async run() {
    if (this.running) return;
    this.running = true;
    while (this.edits.length && !this.stopped) await this.send(this.edits[0]);
    this.running = false;
  }

  async send(edit) {
    const { at, ...body } = edit;
    let answer;
    try {
      answer = await postJson(this.path, body);
    } catch (problem) {
      if (problem.error === "conflict") await this.told.conflict(edit, problem.body.current);
      else if (problem.status >= 400 && problem.status < 500 && ![408, 429].includes(problem.status)) {
        this.drop((one) => one === edit);
        this.told.refused(edit, problem);
      } else {
        this.problem = problem;
        this.told.changed();
        await new Promise((again) => setTimeout(again, RETRY_MS));
      }
      return;
    }
    // Later edits of the same thing were based on this one. What others changed meanwhile shows in `before`: those edits
    // stay as they are and become conflicts.
    for (const later of this.edits.filter((one) => one !== edit && one.slice === edit.slice)) {
      if (later.based_on === (later.kind === "accept" ? answer.before : same(later, edit) ? edit.based_on : -1)) {
        later.based_on = answer.revision;
        this.keep(later);
      }
    }
    this.drop((one) => one === edit);
    this.problem = null;
    this.told.sent(edit, answer);
  }
}
