// A student's page: the lab as it changes, a terminal on each machine, and the tasks.
import { $, LAB_PANELS, element, follow, setText } from "./live.js";
import { button, makeTabs, post, prose, setClock } from "./shared.js";
import { MachineTerminal } from "./terminal.js";

let seat = "";
const terminals = new Map();
const panels = new Map();

const tabs = makeTabs($("tabs"), (name) => {
  sessionStorage.setItem("tab", name);
  if (!panels.has(name)) return;
  if (!terminals.has(name)) terminals.set(name, new MachineTerminal(panels.get(name), seat, name));
  terminals.get(name).focus();
});
tabs.add("lab", $("lab"));

function addMachines(machines) {
  for (const machine of machines) {
    const panel = element("div", "", "panel terminal");
    panel.id = `machine-${machine}`;
    panel.hidden = true;
    $("work").append(panel);
    panels.set(machine, panel);
    tabs.add(machine, panel);
  }
  tabs.choose(sessionStorage.getItem("tab") ?? "lab", false);
}

const MARKS = { done: "✓", skipped: "–", current: "▸", open: "○" };
const WORDS = { done: "done", skipped: "skipped", current: "now", open: "later" };
let before = new Map();

function showTasks(tasks) {
  const states = new Map(tasks.map((task) => [task.id, task.state]));
  const news = tasks.filter((task) => task.state === "done" && ![undefined, "done"].includes(before.get(task.id)));
  if (news.length) setText($("news"), `Done: ${news.map((task) => task.title).join(", ")}`);
  before = states;
  const list = document.querySelector("#tasks > ol"), text = JSON.stringify(tasks);
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  const focused = document.activeElement?.dataset?.action;
  list.replaceChildren(...tasks.map(taskItem));
  if (focused) list.querySelector(`[data-action="${focused}"]`)?.focus();
  document.querySelector("#tasks > .empty").hidden = tasks.length > 0;
  const done = tasks.filter((task) => task.state === "done").length;
  setText($("tasks-title"), tasks.length ? `Tasks: ${done} of ${tasks.length} done` : "Tasks");
}

function taskItem(task) {
  const item = element("li", "", task.state);
  const mark = element("span", MARKS[task.state], "mark");
  mark.setAttribute("aria-hidden", true);
  const state = element("span", ` (${WORDS[task.state]})`, "unseen");
  if (task.state === "open") {
    item.append(mark, element("span", task.title), state);
    return item;
  }
  if (task.state === "current") item.setAttribute("aria-current", "step");
  const details = element("details");
  details.open = task.state === "current";
  const summary = element("summary");
  summary.append(mark, element("span", task.title), state);
  details.append(summary, ...prose(task.text));
  if (task.hints.length) {
    const hints = element("ul", "", "hints");
    hints.setAttribute("aria-label", "Hints");
    hints.append(...task.hints.map((hint) => {
      const made = element("li");
      made.append(...prose(hint));
      return made;
    }));
    details.append(hints);
  }
  if (task.state === "current") details.append(...taskButtons(task));
  item.append(details);
  return item;
}

function taskButtons(task) {
  if (!task.more && !task.hints.length) return []; // a fault: there are no hints
  const made = [];
  if (task.more) made.push(["hint", task.hints.length ? "Another hint" : "Hint"]);
  made.push(["skip", "Skip"]);
  return made.map(([action, text]) => {
    const drawn = button(text, () => post(`api/seats/${seat}/${action}`, { task: task.id }));
    drawn.dataset.action = action;
    return drawn;
  });
}

function showState(state) {
  if (!seat) {
    seat = state.seat;
    setText($("seat"), seat);
    addMachines(state.machines);
  }
  setClock(state.exam);
  showTasks(state.tasks);
  $("help").setAttribute("aria-pressed", state.help);
  setText($("help"), state.help ? "Help is on its way" : "I need help");
  const joined = state.joined.length ? `Your teacher is in your terminal on ${state.joined.join(", ")}. ` : "";
  const busy = state.busy ? `Your teacher is working on your lab (${state.busy}). ` : "";
  setText($("message"), joined + busy + (state.message?.text ?? ""));
  for (const machine of state.machines) tabs.mark(machine, state.joined.includes(machine));
}

$("help").addEventListener("click", () => {
  post(`api/seats/${seat}/help`, { wanted: $("help").getAttribute("aria-pressed") !== "true" });
});

follow("api/live", { ...LAB_PANELS, state: showState });
