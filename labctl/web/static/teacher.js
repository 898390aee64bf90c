// The teacher's page: the board of all seats, one seat in detail, and what is done to one seat or to all.
import { $, LAB_PANELS, element, follow, forgetLab, setText } from "./live.js";
import { button, makeTabs, post, serverTime, setClock } from "./shared.js";
import { MachineTerminal } from "./terminal.js";

const STATES = { ok: "✓ works", broken: "✗ broken", checking: "… checking", busy: "… busy", down: "✗ not up",
  unknown: "? not known" };
const STYLES = { ok: "good", broken: "bad", down: "bad", checking: "wait", busy: "wait" };
const IDLE_SECONDS = 300;
const MOST_CAUSE = 140; // letters; the seat's own page has them all
let calling = new Set();

const seats = new Map(); // by name: those of this server and, with --inventory, those of the others

function showSeats(own) { showRows(own, "here"); }

function showOthers(others) {
  const found = others.map((seat) => ({ ...seat, name: [seat.server, seat.seat].filter(Boolean).join(" ") }));
  showRows(found, "there");
}

function showRows(rows, where) {
  for (const [name, seat] of seats) if (seat.where === where) seats.delete(name);
  for (const seat of rows) seats.set(seat.name ?? seat.seat, { ...seat, where });
  for (const row of document.querySelectorAll("#board tbody tr")) if (!seats.has(row.dataset.name)) row.remove();
  for (const [name, seat] of seats) if (seat.where === where) showRow(name, seat);
  const now = new Set([...seats].filter(([, seat]) => seat.help).map(([name]) => name));
  const fresh = [...now].filter((name) => !calling.has(name));
  if (fresh.length) setText($("calls"), `${fresh.join(", ")} asks for help`);
  calling = now;
}

function showRow(name, seat) {
  const row = document.querySelector(`#board tr[data-name="${CSS.escape(name)}"]`) ?? newRow(name, seat);
  const cells = row.querySelectorAll("td");
  const page = seat.of === undefined ? ["", "", "", ""]
    : [`${seat.done} of ${seat.of}`, String(seat.points), help(seat), student(seat)];
  const cause = seat.cause.length > MOST_CAUSE ? `${seat.cause.slice(0, MOST_CAUSE)} …` : seat.cause;
  [STATES[seat.state] ?? seat.state, cause, ...page].forEach((text, index) => setText(cells[index], text));
  cells[0].className = STYLES[seat.state] ?? "";
  row.classList.toggle("calling", seat.help > 0);
  const link = row.querySelector("a");
  if (link) {
    link.hidden = !seat.url;
    link.href = seat.url || "#";
  }
}

function newRow(name, seat) {
  const row = element("tr"), title = element("th", name), actions = element("td");
  row.dataset.name = name;
  title.scope = "row";
  row.append(title, ...Array.from({ length: 6 }, () => element("td")), actions);
  if (seat.where === "here") {
    row.id = `row-${name}`;
    const opener = button("Open", () => openSeat(name));
    opener.setAttribute("aria-label", `Open ${name}`);
    actions.append(opener);
  } else {
    const link = element("a", "its page");
    link.setAttribute("aria-label", `The page of ${seat.server}`);
    link.target = "_blank";
    actions.append(link);
  }
  // This server's own seats come first.
  const body = document.querySelector("#board tbody");
  body.insertBefore(row, seat.where === "here" ? body.querySelector("tr:not([id])") : null);
  return row;
}

function help(seat) {
  return seat.help ? `waits for ${minutes(serverTime() - seat.help)}` : "";
}

function student(seat) {
  if (!seat.online) return "not here";
  if (!seat.last_key) return "here, has typed nothing";
  const idle = serverTime() - seat.last_key;
  return idle > IDLE_SECONDS ? `idle for ${minutes(idle)}` : "at work";
}

const minutes = (seconds) => `${Math.max(0, Math.round(seconds / 60))} min`;

let examState = "";

function showRoom(room) {
  setText($("note"), room.note);
  const exam = room.exam;
  setClock(exam);
  const runs = Boolean(exam) && exam.state !== "ended";
  $("exam").elements.start.hidden = runs;
  $("exam").elements.end.hidden = exam?.state !== "running";
  if (examState !== exam?.state) showMarks();
  examState = exam?.state;
}

async function showMarks() {
  const answer = await fetch("api/marks/table");
  if (!answer.ok) return;
  const rows = (await answer.json()).map((mark) => {
    const row = element("tr");
    const cells = [mark.seat, mark.part, `${mark.done} of ${mark.tasks}`, mark.hints, `${mark.points} of ${mark.most}`,
      (mark.seconds / 60).toFixed(1)];
    row.append(...cells.map((text) => element("td", String(text))));
    return row;
  });
  document.querySelector("#marks tbody").replaceChildren(...rows);
}
setInterval(showMarks, 15000);

// One seat.

let open = "", unfollow = () => {};
const terminals = new Map();

const tabs = makeTabs($("tabs"), (name) => {
  if (name === "lab") return;
  if (!terminals.has(name)) terminals.set(name, new MachineTerminal($(`machine-${name}`), open, name));
  terminals.get(name).focus();
});

function openSeat(seat) {
  closeSeat();
  open = seat;
  setText($("open-title"), seat);
  $("open").hidden = false;
  const act = (action, more = {}) => post(`api/class/${action}`, { seat, ...more });
  const actions = [
    ["Break (hidden)", () => act("break")],
    ["Repair", () => act("repair")],
    ["Begin the exercise", () => act("exercise", { begin: true })],
    ["End the exercise", () => act("exercise", { begin: false })],
    ["Reset", () => { if (confirm(`Reset ${seat}? What the student did in this lab is lost.`)) act("reset"); }],
    ["Help was given", () => post(`api/seats/${seat}/help`, { wanted: false })],
    ["Close", () => { closeSeat(); document.querySelector(`#row-${seat} button`).focus(); }],
  ];
  $("seat-actions").replaceChildren(...actions.map(([text, run]) => button(text, run)));
  tabs.add("lab", $("lab"));
  unfollow = follow(`api/seats/${seat}/live`, { ...LAB_PANELS, state: showSeat });
  tabs.choose("lab", false);
  $("open-title").focus();
}

function showSeat(state) {
  for (const machine of state.machines) {
    if ($(`machine-${machine}`)) continue;
    const panel = element("div", "", "panel terminal");
    panel.id = `machine-${machine}`;
    panel.hidden = true;
    $("work").append(panel);
    tabs.add(machine, panel);
  }
}

function closeSeat() {
  unfollow();
  unfollow = () => {};
  for (const terminal of terminals.values()) terminal.close();
  terminals.clear();
  for (const panel of document.querySelectorAll("#work > .terminal")) panel.remove();
  $("tabs").replaceChildren();
  forgetLab();
  $("open").hidden = true;
  open = "";
}

// All seats.

function onSubmit(id, act) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    act($(id).elements);
  });
}

const number = (field) => (field.value ? Number(field.value) : null);

onSubmit("exam", (form) => {
  post("api/class/start-exam", { minutes: number(form.minutes), seed: number(form.seed), level: number(form.level) });
});
$("exam").elements.end.addEventListener("click", () => post("api/class/end-exam"));
onSubmit("break", (form) => {
  post("api/class/break", { seed: number(form.seed), level: number(form.level), hidden: form.hidden.checked });
});
$("break").elements.repair.addEventListener("click", () => post("api/class/repair"));
onSubmit("tour", () => post("api/class/exercise", { begin: true }));
$("tour").elements.end.addEventListener("click", () => post("api/class/exercise", { begin: false }));
onSubmit("message", async (form) => { if (await post("api/class/message", { text: form.text.value })) form.text.value = ""; });
$("message").elements.clear.addEventListener("click", () => post("api/class/message", { text: "" }));

follow("api/board", { seats: showSeats, others: showOthers, room: showRoom });
