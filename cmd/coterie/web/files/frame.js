// What is around the messages: the rooms, how the one that is shown stands, and what a person has to know.
import { $, button, h, put } from "./dom.js";
import * as dialogs from "./dialogs.js";

// drawRooms draws the list of rooms, and what is new in each.
export function drawRooms(rooms, here, ready, show) {
  const all = [...rooms.values()].filter((r) => r.view);
  put(
    $("room-list"),
    ...all.map((r, i) => {
      const count =
        r !== here && r.unread > 0
          ? h(
              "span",
              { class: "count" + (r.named ? " named" : "") },
              r.named ? `${r.named}!` : `${r.unread}`,
              h("span", { class: "unseen" }, r.named ? " name you" : " new"),
            )
          : null;
      return roomItem(r, count, i, here, show);
    }),
  );
  if (all.length === 0 && ready) {
    put(
      $("room-list"),
      h(
        "li",
        { class: "soft" },
        "No room is open. Join one with a link, ",
        "or with coterie join ROOM in a terminal.",
      ),
    );
  }
  $("begin").hidden = all.length > 0 || !ready; // a narrow page does not show the list
}

function roomItem(r, count, i, here, show) {
  const b = h(
    "button",
    {
      type: "button",
      onclick: () => show(r),
      title: r.view.policy,
      "aria-current": r === here ? "true" : undefined,
      "aria-keyshortcuts": i < 9 ? `Alt+${i + 1}` : undefined,
    },
    h("span", { class: "name" }, r.view.name),
    count,
  );
  return h("li", { "data-id": r.id }, b);
}

// drawView draws how a room stands: at the top, and who can read.
export function drawView(here, acts) {
  const v = here?.view;
  $("health").hidden = $("show-members").hidden = !v;
  if (!v) {
    $("title").textContent = "Coterie";
    $("policy").textContent = "";
    $("members").replaceChildren();
    return;
  }
  $("title").textContent = v.name;
  $("policy").textContent = v.policy;
  $("health").textContent = v.word;
  $("health").dataset.severity = v.wrong[0]?.severity ?? "ok";
  $("health").setAttribute("aria-label", `State of this room: ${v.word}. Say why`);
  $("show-members").textContent = v.can_read;
  const seat = (s) =>
    h(
      "li",
      { "data-id": s.peer },
      h(
        "button",
        { type: "button", onclick: () => dialogs.person(acts, s) },
        h("span", { class: `c${here.person(s.peer) % 8}` }, s.name),
        s.self ? " (you) " : " ",
        s.name === s.tag ? "" : h("span", { class: "tag" }, s.tag),
        s.like ? h("span", { class: "tag" }, ` looks like ${s.like}`) : "",
        s.path ? h("span", { class: "tag" }, " · " + s.path) : "",
        s.quiet ? h("span", { class: "tag" }, " · nothing heard") : "",
      ),
    );
  put(
    $("members"),
    h("h2", {}, v.can_read),
    h("ul", {}, v.readers.map(seat)),
    ...(v.away.length
      ? [
          h("h2", {}, "Away"),
          h("ul", {}, v.away.map(seat)),
          h("p", {}, "They are told what is said when they are back."),
        ]
      : []),
    ...v.notes.map((t) => h("p", {}, t)),
  );
}

// drawNotices says what a person has to know now, and what to do about it.
export function drawNotices(here, fault, acts) {
  const out = [];
  const v = here?.view;
  if (fault) {
    out.push(h("div", { class: "bad" }, h("span", {}, fault.message, ...fault.hints.map((t) => ". " + t))));
  }
  if (v && here.over) out.push(h("div", { class: "bad" }, h("span", {}, `${v.name} is closed: ${here.over}`)));
  for (const q of v?.asked ?? []) {
    const say = (allow) => () => acts.command({ answer: q.id, allow });
    out.push(
      h(
        "div",
        { "data-id": q.id },
        h("span", {}, q.text),
        button("Allow", say(true), { class: "main" }),
        button("Do not", say(false)),
      ),
    );
  }
  if (v && !here.over && v.readers.length < 2) {
    const why = v.wrong[0] ? ` ${v.wrong[0].text} ${v.wrong[0].hint ?? ""}` : "";
    out.push(
      h(
        "div",
        { "data-id": "alone" },
        h("span", {}, v.notes[0] + why),
        button("Invite", () => dialogs.invite(acts)),
      ),
    );
  } else if (v?.wrong[0]?.severity === "error") {
    out.push(h("div", { class: "bad" }, h("span", {}, `${v.wrong[0].text} ${v.wrong[0].hint ?? ""}`)));
  }
  if (v?.held > 0) {
    out.push(
      h(
        "div",
        { "data-id": "held" },
        h("span", {}, v.held_text),
        button("Show", () => acts.typed("/held")),
        v.unsaid > 0 ? button("Send", () => acts.typed("/send"), { class: "main" }) : null,
        button("Give up", () =>
          dialogs.sure(acts, "Give up on what is held?", "Nobody will read it.", () => acts.typed("/drop")),
        ),
      ),
    );
  }
  put($("notices"), ...out);
}
