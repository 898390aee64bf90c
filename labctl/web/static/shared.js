// What the student's and the teacher's pages share.
import { $, element, setText } from "./live.js";

export async function post(path, body = {}) {
  // Does something on the server; what is wrong is said in #problem.
  let problem = "";
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) problem = (await answer.json()).error;
  } catch {
    problem = "the server does not answer";
  }
  setText($("problem"), problem && `That did not work: ${problem}.`);
  return !problem;
}

export function prose(text) {
  // Text in which code is between backticks, and paragraphs are between empty lines.
  return text.split("\n\n").map((paragraph) => {
    const made = element("p");
    paragraph.split("`").forEach((part, index) => {
      if (part) made.append(index % 2 ? element("code", part) : part);
    });
    return made;
  });
}

export function button(text, act) {
  const made = element("button", text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

let ahead = 0; // milliseconds that this computer's clock is ahead of the server's
let clockEnd = 0;

fetch("enter", { method: "HEAD" }).then((answer) => { ahead = Date.now() - Date.parse(answer.headers.get("Date")); });

export function setClock(exam) {
  clockEnd = exam?.state === "running" ? exam.ends : 0;
  tick();
}

export const serverTime = () => (Date.now() - ahead) / 1000;

function tick() {
  const left = Math.max(0, Math.floor(clockEnd - serverTime()));
  $("clock").hidden = !clockEnd;
  const two = (number) => String(number).padStart(2, "0");
  setText($("clock").lastElementChild, `${Math.floor(left / 60)}:${two(left % 60)}`);
  $("clock").classList.toggle("soon", left < 300);
  // A screen reader is told the time that is left now and then, not every second.
  const minutes = Math.ceil(left / 60);
  if (clockEnd && [60, 30, 15, 10, 5, 2, 1].includes(minutes)) setText($("spoken"), `${minutes} minutes left`);
}
setInterval(tick, 1000);

export function makeTabs(list, show) {
  // Tabs as in the WAI-ARIA Authoring Practices: arrows move, one tab at a time can be reached with the tab key.
  const tabs = () => [...list.querySelectorAll("[role=tab]")];
  const choose = (tab, focus = true) => {
    for (const other of tabs()) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
      $(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
    if (focus) tab.focus();
    show(tab.dataset.name);
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    const all = tabs(), at = all.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(all[(to + all.length) % all.length]);
  });
  return {
    choose: (name, focus) => choose(tabs().find((tab) => tab.dataset.name === name) ?? tabs()[0], focus),
    add(name, panel) {
      const tab = button(name, () => {});
      tab.id = `tab-${name}`;
      tab.dataset.name = name;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.id);
      tab.setAttribute("aria-selected", false);
      tab.tabIndex = -1;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      list.append(tab);
    },
    mark(name, marked) { $(`tab-${name}`)?.classList.toggle("joined", marked); },
  };
}
