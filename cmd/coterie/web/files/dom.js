// Elements, and requests. Texts go into the page as texts: nothing here makes markup out of one.

// h makes an element. Properties that begin with "on" are listeners; a text is a text.
export function h(tag, properties, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else if (name === "class") e.className = value;
    else e.setAttribute(name, value === true ? "" : value);
  }
  e.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false));
  return e;
}

export const $ = (id) => document.getElementById(id);

// button is one that does something.
export const button = (text, does, properties) => h("button", { type: "button", onclick: does, ...properties }, text);

const stored = "coterie-key";
let key = sessionStorage.getItem(stored);

export const signedIn = () => key !== null;

export function signIn(k) {
  key = k;
  if (k === null) sessionStorage.removeItem(stored);
  else sessionStorage.setItem(stored, k);
}

// A Fault is what the program says of what was not done.
export class Fault extends Error {
  constructor(error, status) {
    super(error.text);
    this.code = error.code;
    this.hints = [...(error.details ?? []), ...(error.hints ?? [])];
    this.status = status;
  }
}

export const lost = {
  code: "lost",
  text: "the program does not answer",
  hints: ["does coterie web still run in its terminal? Start it again: coterie web"],
};

// request asks the program something.
export async function request(path, { method = "POST", body, type = "application/json", signal } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      body,
      signal,
      credentials: "same-origin",
      cache: "no-store",
      headers: { "Coterie-Key": key ?? "", ...(method === "POST" ? { "Content-Type": type } : {}) },
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Fault(lost, 0);
  }
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({ error: { code: "refused", text: "it was refused" } }));
  throw new Fault(error, answer.status);
}

// ask asks something and returns what is answered.
export const ask = async (path, what) => (await request(path, { body: JSON.stringify(what) })).json();

// put has an element have others. Those that are the same stay: with them the focus, and a click that has
// begun. What they are about is in their data-id.
export function put(into, ...all) {
  const fresh = all.filter((e) => e);
  fresh.forEach((e, i) => {
    const is = into.children[i];
    if (!is) return into.append(e);
    if (is.isEqualNode(e)) return;
    const at = [...is.querySelectorAll("button")].indexOf(document.activeElement);
    is.replaceWith(e);
    if (at >= 0 && is.dataset.id === e.dataset.id) e.querySelectorAll("button")[at]?.focus();
  });
  while (into.children.length > fresh.length) into.lastElementChild.remove();
}

// faultBox shows a fault.
export const faultBox = (f) =>
  h(
    "p",
    { class: "fault", role: "alert" },
    f.message,
    (f.hints ?? []).map((t) => h("span", {}, "hint: " + t)),
  );

// clock and day are a time for people.
const hours = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const days = new Intl.DateTimeFormat([], { weekday: "short", day: "numeric", month: "short", year: "numeric" });
export const clock = (t) => hours.format(t);
export const day = (t) => days.format(t);
